"""What the learning-rate explorer draws: loss curves, and final losses over the rate."""

from itertools import chain

import numpy as np
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D

from bn_tutorial import plots
from bn_tutorial.explorers.grid import NORMS
from bn_tutorial.explorers.marks import LEVEL, artists_of, move_errorbar, over_seeds

FAILED = {"plain": "x", "batch norm": "+"}  # markers; both are seen where they fall together
CROSS = {"linestyle": "none", "markersize": 8, "markeredgewidth": 2}
RINGS = {"plain": "o", "batch norm": "s"}


class LearningRatePanels:
    """Two panels, in which all curves and marks move.

    Parameters
    ----------
    figure : Figure
    grid : Grid
    uniform : float
        Loss of uniform guessing, in nats.
    numbers : Numbers

    Attributes
    ----------
    tops : (float, float)
        Where the losses' axes end; what is higher stands at the edge.
    curves : dict of str to Line2D
    errorbars : dict of str to ErrorbarContainer
    marks : dict of str to dict of str to Line2D
    """

    def __init__(self, figure, grid, uniform, numbers):
        self._uniform, self.tops = uniform, (6 * uniform, 1.2 * uniform)
        self.axes = left, right = figure.subplots(1, 2, width_ratios=(4, 5))
        self.curves = plots.plot_loss(numbers.curves, legend=False, ax=left).lines
        losses = {"xlabel": "learning rate", "legend": False, "ax": right}
        self.errorbars = plots.plot_final_losses(numbers.rates, numbers.finals, **losses).errorbars
        for line, *_ in self.errorbars.values():
            line.set_markersize(4)  # smaller than the marks
        self._set_axes(grid)
        self._line = right.axvline(1, color="black", linewidth=0.8)
        self.marks = {label: self._make_marks(label) for label in NORMS}
        figure.legend(
            *self._handles(),
            loc="outside upper center",
            ncols=5,
            frameon=False,
            handler_map={tuple: HandlerTuple(ndivide=None)},
        )
        marks = chain.from_iterable(marks.values() for marks in self.marks.values())
        lines = *self.curves.values(), *artists_of(self.errorbars)
        self.artists = [*lines, self._line, *marks]

    def _set_axes(self, grid):
        """Set the limits, ticks and titles that hold for all states."""
        (left, right), rates = self.axes, grid.rates
        left.set(yscale="log", xlim=(0, grid.recipe.steps), title="loss curves at this rate")
        ticks = [t for t in (0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20) if t < self.tops[0]]
        left.set_yticks(ticks, [f"{t:g}" for t in ticks])
        left.minorticks_off()
        right.set(xlim=(min(rates) / 1.4, max(rates) * 1.4), title="final loss over learning rate")
        decades = [t for t in (1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100) if min(rates) <= t <= max(rates)]
        right.set_xticks(decades, [f"{t:g}" for t in decades])
        for ax in self.axes:
            ax.axhline(self._uniform, **LEVEL)

    def _make_marks(self, label):
        """Make the marks of one network: dict of str to Line2D."""
        left, right = self.axes
        style = {"color": plots.LOOK[label]["color"], "clip_on": False, "zorder": 4}
        cross = style | CROSS | {"marker": FAILED[label]}
        ring = {"marker": RINGS[label], "markersize": 12, "markerfacecolor": "none"}
        return {
            "off": left.plot([], [], linestyle="none", marker=6, **style)[0],
            "diverged": left.plot([], [], **cross | {"markersize": 14})[0],
            "failed": right.plot([], [], **cross)[0],
            "picked": right.plot([], [], linestyle="none", markeredgewidth=2, **style, **ring)[0],
        }

    def _handles(self):
        networks = [Line2D([], [], label=label, **plots.LOOK[label]) for label in NORMS]
        uniform = f"uniform guessing: {self._uniform:.2f}"
        crosses = tuple(
            Line2D([], [], color=plots.LOOK[label]["color"], marker=marker, **CROSS)
            for label, marker in FAILED.items()
        )
        above = Line2D([], [], color="black", linestyle="none", marker=6)
        labels = [*NORMS, uniform, "ends above that", "off the picture"]
        return [*networks, Line2D([], [], **LEVEL), crosses, above], labels

    def set_lower_end(self, low):
        """Set where the losses' axes begin."""
        for ax, top in zip(self.axes, self.tops, strict=True):
            ax.set_ylim(low, top)

    def holds(self, rate):
        """Return whether a rate lies on the axis."""
        low, high = self.axes[1].get_xlim()
        return low <= rate <= high

    def rate_at(self, x, y):
        """Return the rate at a place in the right panel, in pixels; None outside."""
        right = self.axes[1]
        if not right.bbox.contains(x, y):
            return None
        return right.transData.inverted().transform((x, y))[0]

    def show(self, numbers):
        """Move all curves and marks."""
        low, high = self.axes[1].get_xlim()
        picked = np.clip(numbers.state["learning_rate"], low, high)
        self._line.set_xdata([picked, picked])
        for label in NORMS:
            self._show_curve(label, *numbers.curves[label], numbers.diverged[label])
            self._show_finals(label, np.clip(numbers.rates, low, high), numbers.finals[label])
            height = np.minimum(numbers.picked[label], self.tops[1])
            self.marks[label]["picked"].set_data([picked], [height])

    def _show_curve(self, label, steps, losses, diverged):
        top, marks = self.tops[0], self.marks[label]
        losses = np.where(losses < top, losses, top)  # nan is off the picture too
        off = np.flatnonzero(losses == top)[::4]
        self.curves[label].set_data(steps, losses)
        marks["off"].set_data(steps[off], losses[off])
        marks["diverged"].set_data([[], []] if diverged is None else [[diverged], [top]])

    def _show_finals(self, label, rates, finals):
        mean, low, high = (np.minimum(f, self.tops[1]) for f in over_seeds(finals))
        failed = mean > self._uniform
        self.marks[label]["failed"].set_data(rates[failed], mean[failed])
        there = ~np.isnan(mean)  # the line goes on over what is not
        rates, mean, low, high = (x[there] for x in (rates, mean, low, high))
        move_errorbar(self.errorbars[label], rates, mean, low, high, several=low < high)
