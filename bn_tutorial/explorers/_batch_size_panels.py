"""What the batch-size explorer draws: losses above, the statistics of batches below."""

import math

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D

from bn_tutorial import plots
from bn_tutorial.explorers.marks import (
    LEVEL,
    artists_of,
    count_in_twos,
    move_errorbar,
    over_seeds,
    stand_at,
)

BINS = 100
LIMITS = {"mean": (-2.5, 2.5), "std": (0, 3)}  # of a batch's statistic, in stds of the unit
BESIDE = 0.013  # of the axis' length: how far apart bars of one batch size stand
FAILED = {"batch norm": "+", "layer norm": "1", "plain": "x"}  # seen where they fall together
CROSS = {"linestyle": "none", "markersize": 9, "markeredgewidth": 2, "clip_on": False, "zorder": 4}
OFF = {"linestyle": "none", "marker": 6, "clip_on": False, "zorder": 4}
RING = {"color": "black", "marker": "o", "markersize": 11, "mew": 1.5, "mfc": "none", "zorder": 4}
AVERAGE = {"color": plots.BLUE, "linestyle": "none", "marker": "v", "markersize": 9}
SMALL = {"fontsize": "small", "frameon": False}


class LossPanels:
    """Loss curves at one batch size, and final losses over the batch size.

    Parameters
    ----------
    curves, finals : Axes
    grid : SizeGrid
    uniform : float
        Loss of uniform guessing, in nats.
    losses : dict of str to ndarray (seeds, sizes)

    Attributes
    ----------
    tops : (float, float)
        Where the losses' axes end; what is higher stands at the edge.
    means : dict of str to Line2D
    seeds : dict of str to LineCollection
    errorbars : dict of str to ErrorbarContainer
    off, diverged : dict of str to (Line2D, Line2D)
        Marks, in the left panel and in the right one.
    """

    def __init__(self, curves, finals, grid, uniform, losses):
        self.axes, self._labels, self._sizes = (curves, finals), list(losses), grid.sizes
        empty = {label: ([], []) for label in self._labels}
        self.means = plots.plot_loss(empty, legend=False, ax=curves).lines
        drawn = plots.plot_final_losses(grid.sizes, losses, xlabel="", legend=False, ax=finals)
        self.errorbars = drawn.errorbars
        for line, *_ in self.errorbars.values():
            line.set_markersize(4)  # smaller than the ring
        self.seeds = {label: self._add_seeds(label) for label in self._labels}
        self.off = {label: self._add_marks(label, OFF) for label in self._labels}
        crosses = {label: CROSS | {"marker": FAILED[label]} for label in self._labels}
        self.diverged = {label: self._add_marks(label, crosses[label]) for label in self._labels}
        self._set_axes(grid, uniform)
        self._add_legend(grid, uniform)
        marks = [m for label in self._labels for m in (*self.off[label], *self.diverged[label])]
        lines = *self.means.values(), *self.seeds.values(), *marks
        self.artists = [*lines, *artists_of(self.errorbars)]

    def _add_seeds(self, label):
        lines = LineCollection([], colors=plots.LOOK[label]["color"], linewidths=0.7)
        return self.axes[0].add_collection(lines, autolim=False)

    def _add_marks(self, label, look):
        color = plots.LOOK[label]["color"]
        return tuple(ax.plot([], [], color=color, **look)[0] for ax in self.axes)

    def _set_axes(self, grid, uniform):
        """Set the limits, ticks and titles that hold for all states."""
        curves, finals = self.axes
        known = np.array([list(by.values()) for by in grid.losses.values()])
        known = known[np.isfinite(known)]
        low = math.floor(10 * min(known.min(), uniform) - 0.5) / 10
        self.tops = 1.8 * uniform, min(1.2 * uniform, known.max() + 0.1)
        recipes = [grid.of_size(n) for n in self._sizes]
        examples = max(recipe.steps * recipe.batch_size for recipe in recipes)
        for ax, top in zip(self.axes, self.tops, strict=True):
            ax.axhline(uniform, **LEVEL)
            ax.set_ylim(low, top)
        curves.set(yscale="log", xlim=(0, examples), xlabel="examples seen")
        _set_ticks(curves, (0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10))
        curves.xaxis.set_major_formatter("{x:,.0f}")
        curves.set_title("loss curves at this batch size")
        finals.set_title("final loss over batch size")
        finals.tick_params(labelbottom=False)

    def _add_legend(self, grid, uniform):
        looks = [plots.LOOK[label] for label in self._labels]
        entries = dict(zip(self._labels, (Line2D([], [], **look) for look in looks), strict=True))
        entries[f"uniform guessing: {uniform:.2f}"] = Line2D([], [], **LEVEL)
        entries["off the picture"] = Line2D([], [], color="black", **OFF)
        if any(np.isinf(by).any() for losses in grid.losses.values() for by in losses.values()):
            entries["diverged"] = tuple(
                Line2D([], [], color=plots.LOOK[label]["color"], marker=FAILED[label], **CROSS)
                for label in self._labels
            )
        self.axes[0].figure.legend(
            entries.values(),
            entries,
            loc="outside upper center",
            ncols=len(entries),
            columnspacing=1.4,
            frameon=False,
            handler_map={tuple: HandlerTuple(ndivide=None)},
        )

    def show(self, numbers):
        """Move the losses of all networks."""
        for label in self._labels:
            self._show_curves(label, *numbers.curves[label], label == numbers.state["norm"])
            self._show_finals(label, numbers.finals[label])

    def _show_curves(self, label, x, losses, marked):
        mean, top = losses.mean(axis=0), self.tops[0]
        self.means[label].set(data=(x, np.minimum(mean, top)), linewidth=2.2 if marked else 1.2)
        segments = [np.stack([x, by], axis=1) for by in losses]
        self.seeds[label].set(segments=segments, alpha=0.5 if marked else 0.15)
        stand_at(self.off[label][0], x[mean > top][::3], top)
        gone = np.isnan(losses)
        stand_at(self.diverged[label][0], x[gone.argmax(axis=1)[gone.any(axis=1)]], top)

    def _show_finals(self, label, losses):
        x, top = self.places(label), self.tops[1]
        mean, low, high = over_seeds(losses)
        move_errorbar(self.errorbars[label], x, *np.minimum([mean, low, high], top))
        stand_at(self.off[label][1], x[np.isfinite(high) & (high > top)], top)
        stand_at(self.diverged[label][1], x[np.isinf(high)], top)

    def places(self, label):
        """Return where the final losses of a network stand, beside the others': (sizes,)."""
        aside = self._labels.index(label) - (len(self._labels) - 1) / 2
        return np.array(self._sizes) * (self._sizes[-1] / self._sizes[0]) ** (BESIDE * aside)


class NoisePanels:
    """How a unit's statistic differs between batches of one size, and its spread over the sizes.

    Parameters
    ----------
    drawn, spread : Axes
    sizes : list of int
    numbers : Numbers
    """

    def __init__(self, drawn, spread, sizes, numbers):
        self._axes = drawn, spread
        histogram = {"": numbers.drawn}
        histogram = plots.plot_histograms(histogram, limits=LIMITS["mean"], bins=BINS, ax=drawn)
        self._shares = histogram.steps[""]
        (self.measured,) = spread.plot(sizes, numbers.spread, "o", color=plots.BLUE)
        (self.law,) = spread.plot(sizes, numbers.law, "--", color=plots.ORANGE, linewidth=1.2)
        spread.set(yscale="log")
        count_in_twos(spread, sizes)
        self.expected = [drawn.axvline(0, color=plots.ORANGE, linestyle="--") for _ in range(2)]
        (self.average,) = drawn.plot([], [], **AVERAGE)
        if len(sizes) <= 10:
            spread.set_xticks(sizes, [f"{n:,}" for n in sizes])
        drawn.set(ylim=(0, 1.15), ylabel="batches\n(fullest bin = 1)")
        spread.set(ylim=(0.5 * (2 * sizes[-1]) ** -0.5, 1.4), ylabel="in stds of the unit")
        _set_ticks(spread, (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1))
        entries = [self.average, self.expected[0]]
        self._legends = (
            drawn.legend(entries, ["average", ""], loc="upper right", **SMALL),
            spread.legend([self.measured, self.law], ["measured", ""], loc="lower left", **SMALL),
        )
        lines = self.average, self.measured, self.law
        self.artists = [self._shares, *self.expected, *lines]

    def show(self, numbers, at):
        """Move all of it; ``at`` is the place of the batch size among all sizes."""
        measure = numbers.state["measure"]
        shares, edges = plots.bin_shares(numbers.drawn, limits=LIMITS[measure], bins=BINS)
        self._shares.set_data(shares / shares.max(), edges)
        self.average.set_data([numbers.drawn.mean()], [1.07])
        centre = 0 if measure == "mean" else 1
        for line, sign in zip(self.expected, (-1, 1), strict=True):
            line.set_xdata([centre + sign * numbers.law[at]] * 2)
        self.measured.set_ydata(numbers.spread)
        self.law.set_ydata(numbers.law)

    def name(self, measure, batches):
        """Name what is shown: batch means or batch standard deviations."""
        drawn, spread = self._axes
        drawn.set_title(f"a unit's batch {measure}s")
        spread.set_title(f"their spread, {batches:,} batches of each size")
        less = ", less the unit's mean" if measure == "mean" else ""
        drawn.set(xlabel=f"batch {measure}{less} (stds of the unit)", xlim=LIMITS[measure])
        around, law = {"mean": ("±", "1/√n"), "std": ("1 ±", "1/√(2n)")}[measure]
        normal = "" if measure == "mean" else ", normal data"
        for legend, text in zip(self._legends, (f"{around} {law}", law + normal), strict=True):
            legend.get_texts()[1].set_text(text)


def _set_ticks(ax, ticks):
    """Set those of the ticks that lie within the limits, and no minor ones."""
    low, high = ax.get_ylim()
    ticks = [tick for tick in ticks if low < tick < high]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.yaxis.minorticks_off()
