"""Pictures: data in, Axes out. Nothing here trains, evaluates, shows or saves.

What explorers animate comes with its artists by name. Colours are Okabe and Ito's, which
colour-blind readers tell apart; every curve also has a line style of its own.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch
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


class LossCurves(NamedTuple):
    """Loss curves, by label."""

    ax: Axes
    lines: dict[str, Line2D]


class Histograms(NamedTuple):
    """Histograms, by label."""

    ax: Axes
    steps: dict[str, StepPatch]


class Saturation(NamedTuple):
    """A map of saturated units."""

    ax: Axes
    image: AxesImage


class Shares(NamedTuple):
    """Bars in the order of their labels."""

    ax: Axes
    bars: BarContainer


class FinalLosses(NamedTuple):
    """Lines with the spread of the seeds, by label."""

    ax: Axes
    errorbars: dict[str, ErrorbarContainer]


def plot_loss(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    levels: Mapping[str, float] | None = None,
    legend: bool = True,
    ax: Axes | None = None,
) -> LossCurves:
    """Draw loss curves over the steps.

    Parameters
    ----------
    curves : dict of str to (steps, losses)
        A label of ``LOOK`` has its colour and style; others take the next in turn.
    levels : dict of str to float, optional
        Horizontal lines to compare with, drawn with their names.
    legend : bool
        One curve has none anyway.
    ax : Axes, optional

    Returns
    -------
    LossCurves
    """
    ax, lines = ax or plt.gca(), {}
    for label, (steps, losses) in curves.items():
        (lines[label],) = ax.plot(steps, losses, label=label, linewidth=1.2, **_look(label))
    _draw_levels(ax, levels)
    ax.set(xlabel="step", ylabel="loss (nats)")
    if legend and len(curves) > 1:
        ax.legend()
    return LossCurves(ax, lines)


def plot_histograms(
    values: Mapping[str, ArrayLike],
    *,
    limits: tuple[float, float],
    bins: int = 60,
    xlabel: str = "value",
    legend: bool = True,
    ax: Axes | None = None,
) -> Histograms:
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
    legend : bool
        One group has none anyway.
    ax : Axes, optional

    Returns
    -------
    Histograms
    """
    ax, steps = ax or plt.gca(), {}
    style = {"fill": True, "alpha": 0.35, "linewidth": 1}
    for label, tensor in values.items():
        shares, edges = bin_shares(tensor, limits=limits, bins=bins)
        look = {name: value for name, value in _look(label).items() if value is not None}
        steps[label] = ax.stairs(shares, edges, label=label, **style, **look)
        steps[label].set_edgecolor(steps[label].get_facecolor())
    ax.set(xlim=limits, xlabel=xlabel, ylabel="share")
    if legend and len(values) > 1:
        ax.legend()
    return Histograms(ax, steps)


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
) -> Saturation:
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
    Saturation
    """
    ax = ax or plt.gca()
    saturated = np.abs(np.asarray(activations)) > threshold
    style = {"cmap": "gray_r", "vmin": 0, "vmax": 1, "interpolation": "nearest", "aspect": "auto"}
    image = ax.imshow(saturated, **style)
    ax.set(xlabel="unit", ylabel="example")
    return Saturation(ax, image)


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
) -> Shares:
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
    Shares
    """
    ax = ax or plt.gca()
    bars = ax.bar(range(len(labels)), np.asarray(shares), color=BLUE)
    ax.set_xticks(range(len(labels)), labels, family="monospace")
    if level is not None:
        ax.axhline(level, color=ORANGE, linestyle="--", label=level_name)
    if level_name:
        ax.legend()
    ax.set(ylabel="share", xlim=(-0.7, len(labels) - 0.3))
    return Shares(ax, bars)


def plot_final_losses(
    values: ArrayLike,
    losses: Mapping[str, ArrayLike],
    *,
    xlabel: str,
    levels: Mapping[str, float] | None = None,
    limits: tuple[float, float] | None = None,
    legend: bool = True,
    ax: Axes | None = None,
) -> FinalLosses:
    """Draw the final loss over a swept value: the mean of several seeds, with their spread.

    With limits, a mean above them is a mark at the upper edge that no line leads to: where a line
    crosses the edge would look like a measurement.

    Parameters
    ----------
    values : sequence of float
        The swept values; the axis is logarithmic.
    losses : dict of str to Tensor (seeds, values)
        A label of ``LOOK`` has its colour and style.
    xlabel : str
    levels : dict of str to float, optional
        Horizontal lines to compare with, drawn with their names.
    limits : tuple of float, optional
        Of the losses' axis.
    legend : bool
    ax : Axes, optional
    """
    ax, errorbars, above = ax or plt.gca(), {}, {}
    style = {"marker": "o", "capsize": 3}
    for label, by_seed in losses.items():
        mean, reach = _over_seeds(np.asarray(by_seed, dtype=float))
        if limits:
            above[label] = np.asarray(values)[mean > limits[1]]
            mean = np.where(mean > limits[1], np.nan, mean)
        errorbars[label] = ax.errorbar(values, mean, reach, label=label, **style, **_look(label))
    _draw_levels(ax, levels)
    ax.set(xscale="log", xlabel=xlabel, ylabel="loss (nats)")
    if limits:
        ax.set_ylim(limits)
        _mark_above(ax, above)
    if legend:
        ax.legend()
    return FinalLosses(ax, errorbars)


def _over_seeds(by_seed):
    """(seeds, values) -> mean (values,) and how far down and up the seeds reach (2, values)."""
    by_seed = np.where(np.isfinite(by_seed), by_seed, np.nan)  # a run that diverged: no mark
    mean = by_seed.mean(axis=0)
    return mean, np.clip([mean - by_seed.min(axis=0), by_seed.max(axis=0) - mean], 0, None)


def _mark_above(ax, above):
    """Put marks under the upper edge, a smaller one in a larger where two fall together."""
    top = ax.get_ylim()[1]
    above = {label: values for label, values in above.items() if len(values)}
    for (label, values), size in zip(above.items(), np.linspace(14, 7, len(above)), strict=True):
        look = _look(label) | {"linestyle": "none", "marker": 6, "clip_on": False}
        ax.plot(values, [top] * len(values), markersize=size, **look)
    if above:
        ax.plot([], [], color="black", linestyle="none", marker=6, label="off the picture")


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
