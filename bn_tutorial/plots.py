"""Pictures: data in, Axes out. Nothing here trains, evaluates, shows or saves.

Colours are Okabe and Ito's, which colour-blind readers tell apart; every curve also has a line
style of its own.
"""

import matplotlib.pyplot as plt
import numpy as np

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#6E6E6E"

# how each kind of network looks in every picture of the course
LOOK = {
    "plain": {"color": ORANGE, "linestyle": "-"},
    "batch norm": {"color": BLUE, "linestyle": "--"},
    "repaired": {"color": GREEN, "linestyle": "-."},
    "layer norm": {"color": PURPLE, "linestyle": ":"},
}


def plot_loss(curves, *, levels=None, ax=None):
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


def plot_histograms(values, *, limits, bins=60, xlabel="value", ax=None):
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
    edges = np.linspace(*limits, bins + 1)
    for label, tensor in values.items():
        numbers = np.clip(np.asarray(tensor).ravel(), *limits)
        share = np.full(len(numbers), 1 / len(numbers))
        look = _look(label)
        ax.hist(
            numbers,
            edges,
            weights=share,
            histtype="stepfilled",
            alpha=0.35,
            label=label,
            **look,
            edgecolor=look["color"],
        )
    ax.set(xlim=limits, xlabel=xlabel, ylabel="share")
    if len(values) > 1:
        ax.legend()
    return ax


def plot_saturation(activations, *, threshold=0.97, ax=None):
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


def plot_window(word, examples, *, ax=None):
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


def plot_shares(labels, shares, *, level=None, level_name="", ax=None):
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


def plot_final_losses(values, losses, *, xlabel, levels=None, ax=None):
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
