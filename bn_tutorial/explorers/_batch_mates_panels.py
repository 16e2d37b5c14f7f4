"""What the batch-mates explorer draws: one unit over a batch, and a prediction."""

import numpy as np
from matplotlib.collections import LineCollection

from bn_tutorial import plots

TICKS = (-6, -3, 0, 3, 6)
MOST_TICKS = 7
STEPS = [factor * 10.0**power for power in range(-6, 7) for factor in (1, 2, 5)]
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
        self.joins = LineCollection([], colors=plots.GREY, linewidths=0.7)
        ax.add_collection(self.joins, autolim=False)
        (self.dots,) = ax.plot([], [], "o", color=plots.BLUE, markersize=5, alpha=0.7)
        ax.plot([-1, 0, 1], [CALIBRATED] * 3, "|--", color=plots.ORANGE, markersize=11)
        (self.spread,) = ax.plot([], [], "|-", color=plots.BLUE, markersize=11, linewidth=2)
        (self.undragged,) = ax.plot([], [], "|", color=plots.GREY, markersize=8)
        (self.was,) = ax.plot([], [], "*", color="black", mfc="none", markersize=12)
        (self.star,) = ax.plot([], [], "*-", color="black", markersize=12)
        (self.ring,) = ax.plot([], [], "o:", color=plots.ORANGE, mfc="none", markersize=13, mew=2)
        words = {"ha": "center", "va": "center", "family": "monospace"}
        self.names = [ax.text(0, height, "", **words) for height in (-0.15, 1.13)]
        place = {"transform": ax.get_xaxis_transform(), "ha": "center", "va": "bottom"}
        # texts and marks, so that they can move: the axis above is x itself, at round numbers
        self.ticks = [ax.text(0, 1.02, "", **place) for _ in range(MOST_TICKS)]
        look = {"transform": ax.get_xaxis_transform(), "color": "black", "clip_on": False}
        (self.tick_marks,) = ax.plot([], [], "|", markersize=7, **look)
        ax.set(xlim=(-reach, reach), ylim=(-0.55, 1.85), xticks=TICKS)
        ax.set_yticks(list(ROWS), ROWS.values())
        ax.set_xlabel("x_hat, in standard deviations from the batch's mean")
        ax.set_title("x of one unit (a vertical line: x_hat as calibrated)", size="medium", pad=18)
        marks = [self.spread, self.undragged, self.was, self.star, self.ring, self.tick_marks]
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
        self._set_ticks(mean, scale)
        example, dragged = self.names
        example.set(x=joins[0, 1, 0], text=numbers.contexts[0])
        dragged.set(x=joins[numbers.dragged, 0, 0], text=numbers.contexts[numbers.dragged])

    def _set_ticks(self, mean, scale):
        low, high = (mean + end * scale for end in self.ax.get_xlim())
        step = next(s for s in STEPS if (high - low) / s < MOST_TICKS - 1)
        rounded = step * np.arange(np.ceil(low / step), np.floor(high / step) + 1)
        places = (rounded - mean) / scale
        self.tick_marks.set_data(places, np.ones(len(places)))
        for i, text in enumerate(self.ticks):
            shown = i < len(rounded)
            text.set(x=places[i] if shown else 0, text=f"{rounded[i]:g}" if shown else "")


class PredictionPanel:
    """The probabilities of a few symbols, with what they are to be compared with."""

    def __init__(self, ax, symbols, batches):
        self.ax, self._places = ax, np.arange(symbols)
        zeros, grey = np.zeros(symbols), {"color": plots.GREY, "linewidth": 2.5}
        look = {"color": "#7FB8DA", "edgecolor": plots.BLUE, "label": "these mates"}
        self.bars = ax.bar(self._places, zeros, 0.8, **look)
        label = f"all {batches} batches"
        self.ranges = ax.vlines(self._places, zeros, zeros, label=label, **grey)
        look = {"linestyle": "none", "mew": 1.8, "mfc": "none"}
        orange = look | {"color": plots.ORANGE, "marker": "D", "markersize": 7}
        black = look | {"color": "black", "marker": "_", "markersize": 16}
        (self.calibrated,) = ax.plot(self._places, zeros, label="calibrated", **orange)
        (self.undragged,) = ax.plot(self._places, zeros, label="undragged", **black)
        handles = [self.bars, self.ranges, self.calibrated, self.undragged]
        place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1)}
        ax.legend(handles=handles, ncols=2, frameon=False, **place)
        ax.set(ylabel="probability", xlim=(-0.7, symbols - 0.3), ylim=(0, 1))
        self.artists = [*self.bars, self.ranges, self.calibrated, self.undragged]

    def name(self, symbols, really, context):
        """Name the symbols, with the one that really came next after the context in bold."""
        self.ax.set_xticks(self._places, symbols, family="monospace")
        for label in self.ax.get_xticklabels():
            label.set_weight("bold" if label.get_text() == really else "normal")
        self.ax.set_xlabel(f"next symbol after '{context}' (really: '{really}')")

    def show(self, probabilities, ranges, *, calibrated, undragged):
        """Show probabilities (symbols,), the ends of their ranges (2, symbols) and marks."""
        for bar, p in zip(self.bars, probabilities, strict=True):
            bar.set_height(p)
        ends = np.stack([[self._places] * 2, ranges])  # (x y, low high, symbols)
        self.ranges.set_segments(ends.transpose(2, 1, 0))
        self.calibrated.set_ydata(calibrated)
        self.undragged.set_ydata(undragged)
