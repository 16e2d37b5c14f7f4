"""What the momentum explorer draws."""

from typing import NamedTuple

from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.lines import Line2D

from bn_tutorial import plots


class Tracking(NamedTuple):
    """A running statistic over the range of the batches that it follows."""

    envelope: FillBetweenPolyCollection
    running: Line2D
    level: Line2D


def plot_tracking(ax, steps, envelope, running, level):
    """Draw a running statistic over the range of the batches that it follows.

    Parameters
    ----------
    ax : Axes
    steps : sequence of int
    envelope : sequence (2, steps)
        Smallest and largest batch statistic around each step.
    running : sequence of float
        The running statistic after each step.
    level : float
        The same statistic of all examples: the calibrated one.

    Returns
    -------
    Tracking
    """
    look = {"color": plots.GREY, "alpha": 0.3, "linewidth": 0, "label": "batches"}
    envelope = ax.fill_between(steps, *envelope, **look)
    (line,) = ax.plot(steps, running, color=plots.BLUE, linewidth=1.5, label="running")
    look = {"color": plots.ORANGE, "linestyle": "--", "linewidth": 1.2, "label": "calibrated"}
    level = ax.axhline(level, **look)
    ax.set(xlabel="step", ylabel="mean of x")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)
    return Tracking(envelope, line, level)


class Weights(NamedTuple):
    """What each batch weighs in a running statistic, and what its start value weighs."""

    batches: Line2D
    start: Line2D


def plot_weights(ax, ago, weights, left):
    """Draw what the batches weigh that were so many steps ago, and what is left of the start.

    Parameters
    ----------
    ax : Axes
        Its scales become logarithmic.
    ago : sequence of int
        The last batch was 1 step ago.
    weights : sequence of float
    left : float
        Weight of the start value, drawn at the oldest batch.

    Returns
    -------
    Weights
    """
    (batches,) = ax.plot(ago, weights, color=plots.BLUE, marker=".", markevery=[0], label="batch")
    look = {"color": plots.ORANGE, "label": "start value", "clip_on": False}
    (start,) = ax.plot([ago[-1]], [left], "s", **look)
    ax.set(xscale="log", yscale="log", xlabel="steps ago", ylabel="weight")
    ax.legend(loc="lower left")
    return Weights(batches, start)


def plot_bars(ax, values, ylabel):
    """Draw a few numbers, a dict of str to float, as bars with their names: BarContainer."""
    colors = [plots.BLUE, plots.ORANGE, plots.GREEN, plots.PURPLE][: len(values)]
    ax.set(ylabel=ylabel)
    return ax.bar(list(values), list(values.values()), color=colors, width=0.6)
