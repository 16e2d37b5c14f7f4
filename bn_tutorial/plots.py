"""Pictures: data in, Axes out. Nothing here trains, evaluates, shows or saves.

Colours are Okabe and Ito's, which colour-blind readers tell apart; every curve also has a line
style of its own.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import ArrayLike
from torch import Tensor

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#6E6E6E"

# how each kind of network looks in every picture of the course
LOOK = {
    "plain": {"color": ORANGE, "linestyle": "-"},
    "batch norm": {"color": BLUE, "linestyle": "--"},
    "repaired": {"color": GREEN, "linestyle": "-."},
    "layer norm": {"color": PURPLE, "linestyle": ":"},
}


def plot_loss(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    levels: Mapping[str, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw loss curves over the steps.

    Parameters
    ----------
    curves : dict of str to (steps, losses)
        A label of ``LOOK`` has its colour and style; others take the next in turn.
    levels : dict of str to float, optional
        Horizontal lines to compare with, drawn with their names.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    for label, (steps, losses) in curves.items():
        ax.plot(steps, losses, label=label, linewidth=1.2, **_look(label))
    _draw_levels(ax, levels)
    ax.set(xlabel="step", ylabel="loss (nats)")
    if len(curves) > 1:
        ax.legend()
    return ax


def plot_histograms(
    values: Mapping[str, ArrayLike],
    *,
    limits: tuple[float, float],
    bins: int = 60,
    xlabel: str = "value",
    ax: Axes | None = None,
) -> Axes:
    """Draw the distribution of some numbers, or of several groups of numbers, over fixed limits.

    Parameters
    ----------
    values : dict of str to Tensor
        Each is flattened; a label of ``LOOK`` has its colour.
    limits : tuple of float
        Ends of the horizontal axis. What lies outside is counted in the outermost bins, so that
        nothing is hidden.
    bins : int
    xlabel : str
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    for label, tensor in values.items():
        shares, edges = bin_shares(tensor, limits=limits, bins=bins)
        look = {name: value for name, value in _look(label).items() if value is not None}
        steps = ax.stairs(shares, edges, fill=True, alpha=0.35, linewidth=1, label=label, **look)
        steps.set_edgecolor(steps.get_facecolor())
    ax.set(xlim=limits, xlabel=xlabel, ylabel="share")
    if len(values) > 1:
        ax.legend()
    return ax


def bin_shares(
    values: ArrayLike, *, limits: tuple[float, float], bins: int = 60
) -> tuple[np.ndarray, np.ndarray]:
    """Count which share of some numbers lies in each bin of a histogram with fixed limits.

    Parameters
    ----------
    values : Tensor
    limits : tuple of float
        What lies outside is counted in the outermost bins; what is not a number, nowhere.
    bins : int

    Returns
    -------
    tuple of ndarray (bins,) and (bins + 1,)
        The shares, and the edges of the bins.
    """
    numbers = np.asarray(values).ravel()
    counts, edges = np.histogram(np.clip(numbers, *limits), bins, limits)
    return counts / len(numbers), edges


def plot_saturation(
    activations: Tensor, *, threshold: float = 0.97, ax: Axes | None = None
) -> Axes:
    """Draw which examples saturate which units: one row an example, one column a unit.

    Parameters
    ----------
    activations : Tensor (B, H)
        Outputs of a tanh.
    threshold : float
        Black where the absolute value is larger.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    saturated = np.abs(np.asarray(activations)) > threshold
    ax.imshow(saturated, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    ax.set(xlabel="unit", ylabel="example")
    return ax


def plot_window(word: str, examples: Sequence[tuple[str, str]], *, ax: Axes | None = None) -> Axes:
    """Draw how the window slides over one word: a row for each example.

    Parameters
    ----------
    word : str
        For the title.
    examples : list of (str, str)
        Context and target of each position.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    block = len(examples[0][0])
    for row, (context, target) in enumerate(examples):
        for column, symbol in enumerate(context + target):
            is_target = column == block
            ax.text(
                row + column,
                -row,
                symbol,
                ha="center",
                va="center",
                family="monospace",
                weight="bold" if is_target else "normal",
                color="white" if is_target else "black",
                bbox={
                    "boxstyle": "square,pad=0.35",
                    "facecolor": BLUE if is_target else "#E8E8E8",
                    "edgecolor": "white",
                },
            )
    ax.set(
        xlim=(-1, len(examples) + block),
        ylim=(-len(examples) + 0.2, 0.8),
        title=f"{word}: context (grey) and symbol to predict (blue)",
    )
    ax.set_axis_off()
    return ax


def plot_shares(
    labels: Sequence[str],
    shares: ArrayLike,
    *,
    level: float | None = None,
    level_name: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw shares as bars, one for each label, and optionally a level to compare with.

    Parameters
    ----------
    labels : sequence of str
    shares : sequence of float
    level : float, optional
    level_name : str
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    ax.bar(range(len(labels)), np.asarray(shares), color=BLUE)
    ax.set_xticks(range(len(labels)), labels, family="monospace")
    if level is not None:
        ax.axhline(level, color=ORANGE, linestyle="--", label=level_name)
    if level_name:
        ax.legend()
    ax.set(ylabel="share", xlim=(-0.7, len(labels) - 0.3))
    return ax


def plot_final_losses(
    values: ArrayLike,
    losses: Mapping[str, ArrayLike],
    *,
    xlabel: str,
    levels: Mapping[str, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the final loss over a swept value: the mean of several seeds, with their spread.

    Parameters
    ----------
    values : sequence of float
        The swept values; the axis is logarithmic.
    losses : dict of str to Tensor (seeds, values)
        A label of ``LOOK`` has its colour and style.
    xlabel : str
    levels : dict of str to float, optional
        Horizontal lines to compare with, drawn with their names.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    for label, by_seed in losses.items():
        by_seed = np.asarray(by_seed, dtype=float)
        by_seed = np.where(np.isfinite(by_seed), by_seed, np.nan)  # a run that diverged: no mark
        mean = by_seed.mean(axis=0)
        reach = np.clip([mean - by_seed.min(axis=0), by_seed.max(axis=0) - mean], 0, None)
        ax.errorbar(values, mean, reach, label=label, marker="o", capsize=3, **_look(label))
    _draw_levels(ax, levels)
    ax.set(xscale="log", xlabel=xlabel, ylabel="loss (nats)")
    ax.legend()
    return ax


def plot_tracking(
    steps: ArrayLike,
    envelope: ArrayLike,
    running: ArrayLike,
    *,
    level: float,
    ax: Axes | None = None,
) -> Axes:
    """Draw a running statistic over the range of the batches that it follows.

    Parameters
    ----------
    steps : sequence of int
    envelope : sequence (2, steps)
        Smallest and largest batch statistic around each step.
    running : sequence of float
        The running statistic after each step.
    level : float
        The same statistic of all examples: the calibrated one.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    ax.fill_between(steps, *envelope, color=GREY, alpha=0.3, linewidth=0, label="batches")
    ax.plot(steps, running, color=BLUE, linewidth=1.5, label="running")
    ax.axhline(level, color=ORANGE, linestyle="--", linewidth=1.2, label="calibrated")
    ax.set(xlabel="step", ylabel="mean of x")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)
    return ax


def plot_weights(
    ago: Sequence[int], weights: ArrayLike, *, left: float, ax: Axes | None = None
) -> Axes:
    """Draw what each batch weighs in a running statistic, and what its start value weighs.

    Parameters
    ----------
    ago : sequence of int
        How many steps ago each batch was, the last one 1.
    weights : sequence of float
    left : float
        Weight of the start value, drawn at the oldest batch.
    ax : Axes, optional

    Returns
    -------
    Axes
        With logarithmic axes.
    """
    ax = ax or plt.gca()
    ax.plot(ago, weights, color=BLUE, marker=".", markevery=[0], label="batch")
    ax.plot([ago[-1]], [left], "s", color=ORANGE, label="start value", clip_on=False)
    ax.set(xscale="log", yscale="log", xlabel="steps ago", ylabel="weight")
    ax.legend(loc="lower left")
    return ax


def plot_bars(values: Mapping[str, float], *, ylabel: str, ax: Axes | None = None) -> Axes:
    """Draw a few numbers as bars, each with its name.

    Parameters
    ----------
    values : dict of str to float
    ylabel : str
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    colors = [BLUE, ORANGE, GREEN, PURPLE][: len(values)]
    ax.bar(list(values), list(values.values()), color=colors, width=0.6)
    ax.set(ylabel=ylabel)
    return ax


def plot_sideways(
    shares: ArrayLike, edges: ArrayLike, *, mean: float, level: float, ax: Axes | None = None
) -> Axes:
    """Draw a histogram of losses lying on its side, its loss axis upright like a curve's.

    Parameters
    ----------
    shares : sequence (bins,)
        The fullest bin reaches to 1.
    edges : sequence (bins + 1,)
        Of the bins, in nats.
    mean : float
        Of what is counted.
    level : float
        What to compare with: the calibrated loss.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    heights = np.asarray(shares) / (np.max(shares) or 1)
    ax.stairs(heights, edges, orientation="horizontal", fill=True, color=BLUE, alpha=0.35)
    ax.axhline(mean, color=BLUE, linewidth=1.5)
    ax.axhline(level, color=ORANGE, linestyle="--", linewidth=1.2)
    ax.set(xlim=(0, 1.05), ylim=(edges[0], edges[-1]))
    ax.set(xlabel="batches (fullest bin = 1)", ylabel="loss of a batch (nats)")
    return ax


def plot_spread(
    sizes: Sequence[int],
    curves: ArrayLike,
    reference: ArrayLike,
    *,
    level: float,
    ax: Axes | None = None,
) -> Axes:
    """Draw mean and spread of the losses of batches over their size.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of examples, powers of two.
    curves : sequence (3, sizes)
        Mean, and the ends of the range that holds 8 in 10 batches.
    reference : sequence (2, sizes)
        Ends of the same range with calibrated statistics.
    level : float
        The calibrated loss of the whole split.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    mean, low, high = curves
    fill = ax.fill_between(sizes, low, high, color=BLUE, alpha=0.25, linewidth=0)
    fill.set_label("8 in 10 batches")
    ax.plot(sizes, mean, color=BLUE, marker=".", label="mean")
    for ends, label in zip(reference, ("8 in 10, calibrated", None), strict=True):
        ax.plot(sizes, ends, color="black", linestyle=":", linewidth=1, label=label)
    ax.axhline(level, color=ORANGE, linestyle="--", linewidth=1.2, label="whole split, calibrated")
    ax.set(ylabel="loss of a batch (nats)")
    ax.legend(loc="upper right", fontsize="small", frameon=False)
    return _count_in_twos(ax, sizes)


def plot_excess(sizes: Sequence[int], excess: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """Draw how much the mean loss of batches of each size is above the calibrated one.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of examples, powers of two.
    excess : sequence of float
        In nats; may be negative. The axis is linear within 0.01 of zero, logarithmic outside.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    ax.plot(sizes, excess, color=BLUE, marker=".")
    ax.axhline(0, color=ORANGE, linestyle="--", linewidth=1.2)
    ax.set_yscale("symlog", linthresh=0.01)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.grid(axis="y", alpha=0.3)
    ax.set(ylabel="difference (nats)")
    return _count_in_twos(ax, sizes)


def plot_noise(
    sizes: Sequence[int], spread: ArrayLike, law: ArrayLike, *, ax: Axes | None = None
) -> Axes:
    """Draw how a statistic scatters between batches of each size, and the law it should follow.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of examples, powers of two.
    spread, law : sequence of float
        Standard deviations: measured, and expected for each size.
    ax : Axes, optional

    Returns
    -------
    Axes
        With logarithmic axes, on which a power of the size is a straight line.
    """
    ax = ax or plt.gca()
    ax.plot(sizes, spread, color=BLUE, linestyle="none", marker="o", label="measured")
    ax.plot(sizes, law, color=ORANGE, linestyle="--", linewidth=1.2, label="expected")
    ax.set(yscale="log", ylabel="std over the batches")
    ax.legend()
    return _count_in_twos(ax, sizes)


def _count_in_twos(ax, sizes):
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes[1::2], [f"{n:,}" for n in sizes[1::2]])
    ax.set_xticks(sizes, [""] * len(sizes), minor=True)
    ax.set(xlim=(sizes[0] / 1.3, sizes[-1] * 1.3), xlabel="batch size")
    return ax


def plot_normalization(before: ArrayLike, after: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """Draw one unit's numbers on two lines, and join the two places of each example.

    Parameters
    ----------
    before, after : sequence of float (B,)
        Drawn at height 1 and at height 0.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    heights = np.tile([1, 0], len(before))
    places = np.stack([before, after], axis=1).ravel()  # (2 B,): before, after, before, ...
    pairs = np.stack([places, heights], axis=1).reshape(-1, 2, 2)
    ax.add_collection(LineCollection(pairs, colors=GREY, linewidths=0.7), autolim=False)
    ax.plot(places, heights, "o", color=BLUE, markersize=5, alpha=0.7)
    ax.set(yticks=[1, 0], yticklabels=["before", "after"])
    return ax


def plot_probabilities(
    symbols: Sequence[str],
    probabilities: Mapping[str, ArrayLike],
    *,
    ranges: Mapping[str, ArrayLike] | None = None,
    marks: Mapping[str, ArrayLike] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the probabilities of some symbols as bars, with what they are to be compared with.

    Parameters
    ----------
    symbols : sequence of str
    probabilities : dict of str to sequence of float
        One entry: the name of the bars, and their heights.
    ranges : dict of str to sequence (2, symbols), optional
        One entry: the name, and the lower and upper ends of a line over each bar.
    marks : dict of str to sequence of float, optional
        Drawn over the bars, each with another marker.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = ax or plt.gca()
    places = np.arange(len(symbols))
    ((name, heights),) = probabilities.items()
    drawn = [ax.bar(places, np.asarray(heights), 0.8, color="#7FB8DA", edgecolor=BLUE, label=name)]
    for name, (low, high) in (ranges or {}).items():
        drawn.append(ax.vlines(places, low, high, color=GREY, linewidth=2.5, label=name))
    markers = (("D", ORANGE), ("_", "black"), ("x", GREEN), ("s", PURPLE))
    for (name, values), (marker, color) in zip((marks or {}).items(), markers, strict=False):
        look = {"markersize": 16 if marker == "_" else 7, "mew": 1.8, "mfc": "none"}
        drawn += ax.plot(places, values, marker, color=color, label=name, **look)
    ax.set_xticks(places, symbols, family="monospace")
    ax.set(ylabel="probability", xlim=(-0.7, len(symbols) - 0.3))
    if ranges or marks:
        above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1)}
        ax.legend(handles=drawn, ncols=2, frameon=False, **above)
    return ax


def plot_by_layer(
    values: Mapping[str, Sequence[float]], *, ylabel: str = "", ax: Axes | None = None
) -> Axes:
    """Draw a number of each hidden layer, from the input's side to the output's.

    Parameters
    ----------
    values : dict of str to sequence (L,)
        The first entry has round marks, the others have square ones; a label of ``LOOK`` has its
        colour and style.
    ylabel : str
    ax : Axes, optional

    Returns
    -------
    Axes
        Layers count from 1.
    """
    ax = ax or plt.gca()
    for number, (label, by_layer) in enumerate(values.items()):
        layers, marker = range(1, len(by_layer) + 1), "s" if number else "o"
        ax.plot(layers, by_layer, marker=marker, markersize=4, label=label, **_look(label))
    ax.set(xlabel="hidden layer", ylabel=ylabel)
    ax.set_xticks(range(1, max(map(len, values.values())) + 1))
    if len(values) > 1:
        ax.legend()
    return ax


def _draw_levels(ax, levels):
    for name, level in (levels or {}).items():
        ax.axhline(level, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)))
        ax.annotate(
            name,
            (1, level),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 2),
            textcoords="offset points",
            ha="right",
            color=GREY,
        )


def _look(label):
    return LOOK.get(label, {"color": GREY if label == "" else None})
