"""What the calibration explorer draws."""

from typing import NamedTuple

import numpy as np
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch

from bn_tutorial import plots
from bn_tutorial.explorers.marks import count_in_twos


class Sideways(NamedTuple):
    """A histogram of losses lying on its side."""

    steps: StepPatch
    mean: Line2D
    level: Line2D


def plot_sideways(ax, shares, edges, *, mean, level):
    """Draw a histogram of losses lying on its side, its loss axis upright like a curve's.

    Parameters
    ----------
    ax : Axes
    shares : sequence (bins,)
        The fullest bin reaches to 1.
    edges : sequence (bins + 1,)
        Of the bins, in nats.
    mean : float
        Of what is counted.
    level : float
        What to compare with: the calibrated loss.

    Returns
    -------
    Sideways
    """
    heights = np.asarray(shares) / (np.max(shares) or 1)
    look = {"orientation": "horizontal", "fill": True, "color": plots.BLUE, "alpha": 0.35}
    steps = ax.stairs(heights, edges, **look)
    mean = ax.axhline(mean, color=plots.BLUE, linewidth=1.5)
    level = ax.axhline(level, color=plots.ORANGE, linestyle="--", linewidth=1.2)
    ax.set(xlim=(0, 1.05), ylim=(edges[0], edges[-1]))
    ax.set(xlabel="batches (fullest bin = 1)", ylabel="loss of a batch (nats)")
    return Sideways(steps, mean, level)


class Spread(NamedTuple):
    """Mean and spread of the losses of batches over their size."""

    range: FillBetweenPolyCollection
    mean: Line2D
    low: Line2D
    high: Line2D
    level: Line2D


def plot_spread(ax, sizes, curves, reference, level):
    """Draw mean and spread of the losses of batches over their size.

    Parameters
    ----------
    ax : Axes
    sizes : sequence of int
        Numbers of examples, powers of two.
    curves : sequence (3, sizes)
        Mean, and the ends of the range that holds 8 in 10 batches.
    reference : sequence (2, sizes)
        Ends of the same range with calibrated statistics.
    level : float
        The calibrated loss of the whole split.

    Returns
    -------
    Spread
    """
    mean, low, high = curves
    within = ax.fill_between(sizes, low, high, color=plots.BLUE, alpha=0.25, linewidth=0)
    within.set_label("8 in 10 batches")
    (mean,) = ax.plot(sizes, mean, color=plots.BLUE, marker=".", label="mean")
    low, high = (
        ax.plot(sizes, ends, color="black", linestyle=":", linewidth=1, label=label)[0]
        for ends, label in zip(reference, ("8 in 10, calibrated", None), strict=True)
    )
    look = {"color": plots.ORANGE, "linestyle": "--", "linewidth": 1.2}
    level = ax.axhline(level, label="whole split, calibrated", **look)
    ax.set(ylabel="loss of a batch (nats)")
    ax.legend(loc="upper right", fontsize="small", frameon=False)
    count_in_twos(ax, sizes)
    return Spread(within, mean, low, high, level)


def plot_excess(ax, sizes, excess):
    """Draw how much the mean loss of batches of each size is above the calibrated one: Line2D.

    Parameters
    ----------
    ax : Axes
    sizes : sequence of int
        Numbers of examples, powers of two.
    excess : sequence of float
        In nats; may be negative. The axis is linear within 0.01 of zero, logarithmic outside.
    """
    (line,) = ax.plot(sizes, excess, color=plots.BLUE, marker=".")
    ax.axhline(0, color=plots.ORANGE, linestyle="--", linewidth=1.2)
    ax.set_yscale("symlog", linthresh=0.01)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.grid(axis="y", alpha=0.3)
    ax.set(ylabel="difference (nats)")
    count_in_twos(ax, sizes)
    return line
