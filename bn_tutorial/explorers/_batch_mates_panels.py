"""What the batch-mates explorer draws: one unit over a batch, and a prediction."""

from typing import NamedTuple

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.container import BarContainer
from matplotlib.lines import Line2D

from bn_tutorial import plots

TICKS = (-6, -3, 0, 3, 6)
CALIBRATED, BATCH, UNDRAGGED = 1.65, 1.3, -0.35  # heights in the left panel; x at 1, x_hat at 0
ROWS = {
    CALIBRATED: "calibrated\nmean ± std",
    BATCH: "this batch's\nmean ± std",
    1: "x",
    0: "x_hat",
    UNDRAGGED: "undragged",
}


class UnitPanel:
    """One unit's numbers before and after the normalization, dragged and undragged.

    Parameters
    ----------
    ax : Axes
    reach : float
        Where the axis ends, in standard deviations.
    """

    def __init__(self, ax, reach):
        self.ax = ax
        self.joins, self.dots = plot_normalization(ax, [], [])
        ax.plot([-1, 0, 1], [CALIBRATED] * 3, "|--", color=plots.ORANGE, markersize=11)
        (self.spread,) = ax.plot([], [], "|-", color=plots.BLUE, markersize=11, linewidth=2)
        (self.undragged,) = ax.plot([], [], "|", color=plots.GREY, markersize=8)
        (self.was,) = ax.plot([], [], "*", color="black", mfc="none", markersize=12)
        (self.star,) = ax.plot([], [], "*-", color="black", markersize=12)
        (self.ring,) = ax.plot([], [], "o:", color=plots.ORANGE, mfc="none", markersize=13, mew=2)
        words = {"ha": "center", "va": "center", "family": "monospace"}
        self.names = [ax.text(0, height, "", **words) for height in (-0.15, 1.13)]
        place = {"transform": ax.get_xaxis_transform(), "ha": "center", "va": "bottom"}
        self.ticks = [ax.text(z, 1.02, "", **place) for z in TICKS]  # texts, so that they can move
        ax.set(xlim=(-reach, reach), ylim=(-0.55, 1.85), xticks=TICKS)
        ax.set_yticks(list(ROWS), ROWS.values())
        ax.tick_params(top=True)
        ax.set_xlabel("x_hat, in standard deviations from the batch's mean")
        ax.set_title("x of one unit (a vertical line: x_hat as calibrated)", size="medium", pad=18)
        marks = [self.spread, self.undragged, self.was, self.star, self.ring]
        self.artists = [self.joins, self.dots, *marks, *self.names, *self.ticks]

    def show(self, numbers, joins, mean, scale):
        """Show one unit of a batch.

        Parameters
        ----------
        numbers : Numbers
        joins : ndarray (B, 2, 2)
            The two ends of each example's line.
        mean, scale : float
            Of the unit, calibrated.
        """
        self.joins.set_segments(joins)
        self.dots.set_data(*joins.reshape(-1, 2).T)
        self.star.set_data(*joins[0].T)
        self.ring.set_data(*joins[numbers.dragged].T)
        ends = numbers.after.mean + np.array([-1, 0, 1]) * numbers.after.std
        self.spread.set_data((ends - mean) / scale, [BATCH] * 3)
        undragged = numbers.before.x_hat
        self.undragged.set_data(undragged, np.full(len(undragged), UNDRAGGED))
        self.was.set_data(undragged[:1], [UNDRAGGED])
        for text, z in zip(self.ticks, TICKS, strict=True):
            text.set_text(f"{mean + z * scale:.1f}")
        example, dragged = self.names
        example.set(x=joins[0, 1, 0], text=numbers.contexts[0])
        dragged.set(x=joins[numbers.dragged, 0, 0], text=numbers.contexts[numbers.dragged])


class PredictionPanel:
    """The probabilities of a few symbols, with what they are to be compared with."""

    def __init__(self, ax, symbols, batches):
        self.ax, zeros = ax, np.zeros(symbols)
        drawn = plot_probabilities(
            ax,
            [""] * symbols,
            {"these mates": zeros},
            ranges={f"all {batches} batches": [zeros, zeros]},
            marks={"calibrated": zeros, "undragged": zeros},
        )
        ax.set(ylim=(0, 1))
        self.bars, (self.ranges,), self.marks = drawn.bars, drawn.ranges.values(), drawn.marks
        self.artists = [*self.bars, self.ranges, *self.marks.values()]

    def name(self, symbols, really, context):
        """Name the symbols, with the one that really came next after the context in bold."""
        self.ax.set_xticks(range(len(symbols)), symbols)
        for label in self.ax.get_xticklabels():
            label.set_weight("bold" if label.get_text() == really else "normal")
        self.ax.set_xlabel(f"next symbol after '{context}' (really: '{really}')")

    def show(self, probabilities, ranges, **marks):
        """Show probabilities (symbols,), the ends of their ranges (2, symbols) and marks."""
        for bar, p in zip(self.bars, probabilities, strict=True):
            bar.set_height(p)
        low, high = ranges
        places = np.arange(len(probabilities))
        ends = np.array([[places, low], [places, high]])  # (2, 2, symbols)
        self.ranges.set_segments(ends.transpose(2, 0, 1))
        for name, values in marks.items():
            self.marks[name].set_ydata(values)


class Normalization(NamedTuple):
    """One unit's numbers before and after."""

    joins: LineCollection
    dots: Line2D


def plot_normalization(ax, before, after):
    """Draw one unit's numbers on two lines, and join the two places of each example.

    Parameters
    ----------
    ax : Axes
    before, after : sequence of float (B,)
        Drawn at height 1 and at height 0.

    Returns
    -------
    Normalization
    """
    heights = np.tile([1, 0], len(before))
    places = np.stack([before, after], axis=1).ravel()  # (2 B,): before, after, before, ...
    pairs = np.stack([places, heights], axis=1).reshape(-1, 2, 2)
    joins = LineCollection(pairs, colors=plots.GREY, linewidths=0.7)
    ax.add_collection(joins, autolim=False)
    (dots,) = ax.plot(places, heights, "o", color=plots.BLUE, markersize=5, alpha=0.7)
    ax.set(yticks=[1, 0], yticklabels=["before", "after"])
    return Normalization(joins, dots)


class Probabilities(NamedTuple):
    """Bars, and ranges and marks by name."""

    bars: BarContainer
    ranges: dict[str, LineCollection]
    marks: dict[str, Line2D]


def plot_probabilities(ax, symbols, probabilities, *, ranges, marks):
    """Draw the probabilities of some symbols as bars, with what they are to be compared with.

    Parameters
    ----------
    ax : Axes
    symbols : sequence of str
    probabilities : dict of str to sequence of float
        One entry: the name of the bars, and their heights.
    ranges : dict of str to sequence (2, symbols)
        The name, and the lower and upper ends of a line over each bar.
    marks : dict of str to sequence of float
        Drawn over the bars, each with another marker.

    Returns
    -------
    Probabilities
    """
    places = np.arange(len(symbols))
    ((name, heights),) = probabilities.items()
    bars = ax.bar(places, np.asarray(heights), 0.8, color="#7FB8DA", edgecolor=plots.BLUE)
    bars.set_label(name)
    whiskers = {
        name: ax.vlines(places, low, high, color=plots.GREY, linewidth=2.5, label=name)
        for name, (low, high) in ranges.items()
    }
    lines, markers = {}, (("D", plots.ORANGE), ("_", "black"), ("x", plots.GREEN))
    for (name, values), (marker, color) in zip(marks.items(), markers, strict=False):
        look = {"markersize": 16 if marker == "_" else 7, "mew": 1.8, "mfc": "none"}
        (lines[name],) = ax.plot(places, values, marker, color=color, label=name, **look)
    ax.set_xticks(places, symbols, family="monospace")
    ax.set(ylabel="probability", xlim=(-0.7, len(symbols) - 0.3))
    handles = [bars, *whiskers.values(), *lines.values()]
    ax.legend(handles=handles, ncols=2, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1))
    return Probabilities(bars, whiskers, lines)
