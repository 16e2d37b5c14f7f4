"""What the batch size does to training, with three norms, and to the statistics of a batch."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from matplotlib.collections import LineCollection
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D

from bn_tutorial import plots
from bn_tutorial.data import Dataset
from bn_tutorial.explorers.base import Explorer, choice, slider
from bn_tutorial.explorers.size_grid import SizeGrid
from bn_tutorial.training import Run

DRAWN = 2_000  # batches of each size whose statistics are counted
SEED = 23
BINS = 100
CHAOTIC = 8  # smaller batches make rounding errors grow: their losses differ between machines
LIMITS = {"mean": (-2.5, 2.5), "std": (0, 3)}  # of a batch's statistic, in stds of the unit
BESIDE = 0.013  # of the axis' length: how far apart bars of one batch size stand
FAILED = {"batch norm": "+", "layer norm": "1", "plain": "x"}  # seen where they fall together
CROSS = {"linestyle": "none", "markersize": 9, "markeredgewidth": 2, "clip_on": False, "zorder": 4}
OFF = {"linestyle": "none", "marker": 6, "clip_on": False, "zorder": 4}
RING = {"color": "black", "marker": "o", "markersize": 11, "mew": 1.5, "mfc": "none", "zorder": 4}
AVERAGE = {"color": plots.BLUE, "linestyle": "none", "marker": "v", "markersize": 9}
LEVEL = {"color": plots.GREY, "linewidth": 1, "linestyle": (0, (1, 2))}


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the picture shows: losses in nats, by label of the network.

    Attributes
    ----------
    curves : dict of str to (examples, losses)
        Smoothed training losses at the chosen batch size: (points,) and (seeds, points), nan from
        where a run diverged.
    finals : dict of str to ndarray (seeds, sizes)
        nan where there is no run, inf where it diverged.
    now : dict of str to ndarray (seeds,)
        Those of the chosen batch size that are there.
    drawn : ndarray (batches,)
        The unit's statistic in each batch of the chosen size: batch means less the unit's mean, or
        batch standard deviations, both in standard deviations of the unit.
    spread, law : ndarray (sizes,)
        Standard deviation of such numbers for every batch size, and what is expected of it.
    """

    state: dict
    curves: dict
    finals: dict
    now: dict
    drawn: np.ndarray
    spread: np.ndarray
    law: np.ndarray


class BatchSizeExplorer(Explorer):
    """Choose the batch size of networks that have all seen the same number of examples.

    The picture shows the loss curves at one batch size, the loss that each batch size ends with,
    how one unit's mean (or standard deviation) differs between batches of that size, and how this
    spread shrinks with the size. A click on a panel over the batch size picks a size.

    A network with batch norm is read with the calibrated statistics, or in shuffled batches of the
    size that it was trained with, each normalized with its own statistics. The other networks read
    an example the same way in any batch.

    The unit's numbers are those that come to the first batch norm of one trained network, the
    first run with the largest batch size that has not diverged, on the whole training split. 2,000
    batches of every size are drawn from them with replacement, as in training. The spread of their
    means is expected to be 1/√n, whatever the numbers are; that of their standard deviations
    1/√(2n) where the numbers are normal and n is large.

    Parameters
    ----------
    runs : list of Run
        Of sweeps over ``batch_size``, ``norm`` and ``seed``: each batch size with each norm, at
        least two sizes and batch norm among them. ``steps`` and ``learning_rate`` may depend on the
        batch size.
    dataset : Dataset
    state : dict, optional
        Of ``size``, ``norm`` ("batch norm", "layer norm" or "plain": the one that is marked),
        ``statistics`` ("calibrated" or "batch"), ``split`` ("train" or "val"), ``unit`` and
        ``measure`` ("mean" or "std").

    Attributes
    ----------
    grid : SizeGrid
        The runs, and all their final losses.

    Raises
    ------
    TypeError, ValueError
        If the runs are no such grid, were stopped early, are for another vocabulary, or all with
        batch norm have diverged.
    """

    def __init__(self, runs: Iterable[Run], dataset: Dataset, *, state: dict | None = None):
        self.grid = SizeGrid(runs, dataset)
        self.sizes, self._labels = self.grid.sizes, list(self.grid.norms)
        self._uniform = math.log(len(dataset.vocabulary))
        self._smoothed = {
            n: {label: self.grid.curves(label, n) for label in self._labels} for n in self.sizes
        }
        self._inputs = self.grid.norm_inputs(dataset.train)  # (N, H)
        generator = torch.Generator().manual_seed(SEED)
        self._batches = [
            torch.randint(len(self._inputs), (DRAWN, n), generator=generator).numpy()
            for n in self.sizes
        ]
        controls, presets = self._make_controls(), self._make_presets()
        super().__init__(controls, flip="size", presets=presets, state=state, size=(9, 4.8))

    def _make_controls(self):
        start = min(self.sizes, key=lambda n: abs(math.log(n / 64)))
        return {
            "size": slider("batch size", self.sizes, start, "{:,}"),
            "norm": choice("mark", {label: label for label in self._labels}),
            "statistics": choice(
                "batch norm read with",
                {"calibrated statistics": "calibrated", "batch statistics": "batch"},
            ),
            "split": choice("final loss", {"train": "train", "val": "val"}),
            "unit": slider("unit", range(self._inputs.shape[1]), 0, "{}"),
            "measure": choice("its", {"batch means": "mean", "batch stds": "std"}),
        }

    def _make_presets(self):
        small, *between, large = self.sizes
        presets = {f"batches of {small:,}": {"size": small}}
        if 64 in between:
            presets["the seed's 64"] = {"size": 64}
        return presets | {f"{large:,}": {"size": large}}

    def compute(self, state: dict) -> Numbers:
        """Look up the losses, and measure the drawn batches of one unit: Numbers."""
        at, measure = self.sizes.index(state["size"]), state["measure"]
        finals = self.grid.losses[state["statistics"], state["split"]]
        x = self._inputs[:, state["unit"]]  # (N,)
        drawn = [self._measure(x, x[batches], measure) for batches in self._batches]
        return Numbers(
            state=state,
            curves=self._smoothed[state["size"]],
            finals=finals,
            now={label: by[~np.isnan(by[:, at]), at] for label, by in finals.items()},
            drawn=drawn[at],
            spread=np.array([values.std() for values in drawn]),
            law=(np.array(self.sizes) * {"mean": 1, "std": 2}[measure]) ** -0.5,
        )

    def _measure(self, x, batches, measure):
        """Give the means or standard deviations of batches (batches, n) of x (N,): (batches,)."""
        if measure == "mean":
            return (batches.mean(axis=1) - x.mean()) / x.std()
        return batches.std(axis=1, ddof=self.grid.source.recipe.correction) / x.std()

    def build(self, figure, numbers):
        """Draw four panels; what moves: all curves, bars, marks and rules."""
        names = [["curves", "finals"], ["drawn", "spread"]]
        panels = figure.subplot_mosaic(names, height_ratios=(6, 5))
        self._panels = curves, finals, drawn, spread = list(panels.values())
        finals.sharex(spread)
        plots.plot_loss({label: ([], []) for label in self._labels}, ax=curves)
        plots.plot_final_losses(self.sizes, numbers.finals, xlabel="", ax=finals)
        plots.plot_histograms({"": numbers.drawn}, limits=LIMITS["mean"], bins=BINS, ax=drawn)
        plots.plot_noise(self.sizes, numbers.spread, numbers.law, ax=spread)
        self._means = dict(zip(self._labels, curves.lines, strict=False))
        self._bars = dict(zip(self._labels, (c.lines for c in finals.containers), strict=True))
        self._seeds = {label: self._add_seeds(label) for label in self._labels}
        self._marks = {label: self._add_marks(label) for label in self._labels}
        (self._shares,), (self._spread, self._law) = drawn.patches, spread.lines
        self._expected = [drawn.axvline(0, color=plots.ORANGE, linestyle="--") for _ in range(2)]
        self._average = drawn.plot([], [], **AVERAGE)[0]
        self._rules = [ax.axvline(1, color="black", linewidth=0.8) for ax in (finals, spread)]
        self._rings = [ax.plot([], [], **RING)[0] for ax in (finals, spread)]
        self._set_axes()
        self._add_legends()
        bars = (b for line, caps, ranges in self._bars.values() for b in (line, *caps, *ranges))
        losses = *self._means.values(), *self._seeds.values(), *chain(*self._marks.values()), *bars
        noise = self._shares, *self._expected, self._average, self._spread, self._law
        return [*losses, *noise, *self._rules, *self._rings]

    def _add_seeds(self, label):
        lines = LineCollection([], colors=plots.LOOK[label]["color"], linewidths=0.7)
        return self._panels[0].add_collection(lines, autolim=False)

    def _add_marks(self, label):
        """Make the marks of what is off the picture and of what diverged: four Line2D."""
        color, looks = plots.LOOK[label]["color"], (OFF, CROSS | {"marker": FAILED[label]})
        return [
            ax.plot([], [], color=color, **look)[0] for ax in self._panels[:2] for look in looks
        ]

    def _set_axes(self):
        """Set the limits, ticks and titles that hold for all states."""
        curves, finals, drawn, spread = self._panels
        known = np.array([list(by.values()) for by in self.grid.losses.values()])
        self._diverged, known = np.isinf(known).any(), known[np.isfinite(known)]
        low = math.floor(10 * min(known.min(), self._uniform) - 0.5) / 10
        self._tops = 1.8 * self._uniform, min(1.2 * self._uniform, known.max() + 0.1)
        recipes = [self.grid.of_size(n) for n in self.sizes]
        examples = max(recipe.steps * recipe.batch_size for recipe in recipes)
        for ax, top in zip((curves, finals), self._tops, strict=True):
            ax.axhline(self._uniform, **LEVEL)
            ax.set_ylim(low, top)
        curves.set(yscale="log", xlim=(0, examples), xlabel="examples seen")
        _set_ticks(curves, (0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10))
        curves.xaxis.set_major_formatter("{x:,.0f}")
        curves.set_title("loss curves at this batch size")
        finals.set_title("final loss over batch size")
        finals.tick_params(labelbottom=False)
        if len(self.sizes) <= 10:
            spread.set_xticks(self.sizes, [f"{n:,}" for n in self.sizes])
        drawn.set(ylim=(0, 1.15), ylabel="batches\n(fullest bin = 1)")
        spread.set(ylim=(0.5 * (2 * self.sizes[-1]) ** -0.5, 1.4), ylabel="in stds of the unit")
        _set_ticks(spread, (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1))
        for line, *_ in self._bars.values():
            line.set_markersize(4)  # smaller than the ring

    def _add_legends(self):
        curves, finals, drawn, spread = self._panels
        for ax in (curves, finals):
            if legend := ax.get_legend():
                legend.remove()
        looks = [plots.LOOK[label] for label in self._labels]
        entries = dict(zip(self._labels, (Line2D([], [], **look) for look in looks), strict=True))
        entries[f"uniform guessing: {self._uniform:.2f}"] = Line2D([], [], **LEVEL)
        entries["off the picture"] = Line2D([], [], color="black", **OFF)
        if self._diverged:
            entries["diverged"] = tuple(
                Line2D([], [], color=plots.LOOK[label]["color"], marker=FAILED[label], **CROSS)
                for label in self._labels
            )
        self.figure.legend(
            entries.values(),
            entries,
            loc="outside upper center",
            ncols=len(entries),
            columnspacing=1.4,
            frameon=False,
            handler_map={tuple: HandlerTuple(ndivide=None)},
        )
        small = {"fontsize": "small", "frameon": False}
        drawn.legend(
            [self._average, self._expected[0]], ["average", ""], loc="upper right", **small
        )
        spread.legend(loc="lower left", **small)

    def update(self, numbers):
        """Move all of it; what is too high stands at the upper edge."""
        state, at = numbers.state, self.sizes.index(numbers.state["size"])
        for label in self._labels:
            self._update_curves(label, numbers)
            self._update_finals(label, numbers)
        shares, edges = plots.bin_shares(numbers.drawn, limits=LIMITS[state["measure"]], bins=BINS)
        self._shares.set_data(shares / shares.max(), edges)
        self._average.set_data([numbers.drawn.mean()], [1.07])
        centre = 0 if state["measure"] == "mean" else 1
        for line, sign in zip(self._expected, (-1, 1), strict=True):
            line.set_xdata([centre + sign * numbers.law[at]] * 2)
        self._spread.set_ydata(numbers.spread)
        self._law.set_ydata(numbers.law)
        for line in self._rules:
            line.set_xdata([state["size"]] * 2)
        marked = min(numbers.now[state["norm"]].mean(), self._tops[1])
        self._rings[0].set_data([self._places(state["norm"])[at]], [marked])
        self._rings[1].set_data([state["size"]], [numbers.spread[at]])

    def _update_curves(self, label, numbers):
        """Move the loss curves of one network."""
        (x, losses), top = numbers.curves[label], self._tops[0]
        mean, marked = losses.mean(axis=0), label == numbers.state["norm"]
        self._means[label].set(data=(x, np.minimum(mean, top)), linewidth=2.2 if marked else 1.2)
        segments = [np.stack([x, by], axis=1) for by in losses]
        self._seeds[label].set(segments=segments, alpha=0.5 if marked else 0.15)
        off, crosses, *_ = self._marks[label]
        _stand_at(off, x[mean > top][::3], top)
        gone = np.isnan(losses)
        _stand_at(crosses, x[gone.argmax(axis=1)[gone.any(axis=1)]], top)

    def _update_finals(self, label, numbers):
        """Move the final losses of one network."""
        x, top = self._places(label), self._tops[1]
        mean, low, high = _over_seeds(numbers.finals[label])
        ends = np.minimum([low, high], top)  # (2, sizes)
        line, caps, (ranges,) = self._bars[label]
        line.set_data(x, np.minimum(mean, top))
        for cap, end in zip(caps, ends, strict=True):
            cap.set_data(x, end)
        ranges.set_segments(np.stack([[x, x], ends], axis=2).transpose(1, 0, 2))
        *_, off, crosses = self._marks[label]
        _stand_at(off, x[np.isfinite(high) & (high > top)], top)
        _stand_at(crosses, x[np.isinf(high)], top)

    def _places(self, label):
        """Give where the final losses of a network stand, beside those of the others: (sizes,)."""
        aside = self._labels.index(label) - (len(self._labels) - 1) / 2
        return np.array(self.sizes) * (self.sizes[-1] / self.sizes[0]) ** (BESIDE * aside)

    def scene(self, state):
        """Give what the lower panels show: batch means or batch standard deviations."""
        return state["measure"]

    def set_scene(self, numbers):
        """Name what the lower panels show."""
        measure, (*_, drawn, spread) = numbers.state["measure"], self._panels
        drawn.set_title(f"a unit's batch {measure}s")
        spread.set_title(f"their spread, {DRAWN:,} batches of each size")
        less = ", less the unit's mean" if measure == "mean" else ""
        drawn.set(xlabel=f"batch {measure}{less} (stds of the unit)", xlim=LIMITS[measure])
        around, law = {"mean": ("±", "1/√n"), "std": ("1 ±", "1/√(2n)")}[measure]
        drawn.get_legend().get_texts()[1].set_text(f"{around} {law}")
        normal = "" if measure == "mean" else ", normal data"
        spread.get_legend().get_texts()[1].set_text(law + normal)

    def clicked(self, x, y):
        """Pick the batch size next to a click on a panel over the batch size."""
        for ax in self._panels[1::2]:
            if ax.bbox.contains(x, y):
                place, _ = ax.transData.inverted().transform((x, y))
                self.state = {"size": min(self.sizes, key=lambda n: abs(math.log(n / place)))}

    def describe(self, numbers: Numbers) -> str:
        """Say what the networks end with, and how much the unit's statistic scatters."""
        state, recipe = numbers.state, self.grid.of_size(numbers.state["size"])
        n, steps = recipe.batch_size, recipe.steps
        ends = ", ".join(f"{label} {_end(numbers.now[label], n)}" for label in self._labels)
        return (
            f"Batches of {n:,}, {steps:,} steps, {n * steps:,} examples. Final {state['split']} "
            f"loss in nats: {ends} (batch norm read with {state['statistics']} statistics"
            f"{_range(state['norm'], numbers.now[state['norm']], n)}). {self._noise(numbers)}"
        )

    def _noise(self, numbers):
        """Say how the unit's statistic differs from batch to batch."""
        n, unit, measure = (numbers.state[name] for name in ("size", "unit", "measure"))
        at = self.sizes.index(n)
        around = f" around {numbers.drawn.mean():.2f}" if measure == "std" else ""
        law = f"1/√{n:,}" if measure == "mean" else f"1/√(2 · {n:,}), for normal data,"
        return (
            f"The batch {measure}s of unit {unit} scatter{around} by {numbers.spread[at]:.3f} of "
            f"its std; {law} is {numbers.law[at]:.3f}."
        )

    def key_numbers(self, numbers: Numbers) -> dict:
        """Give the final losses, and the spread of the unit's statistic."""
        n = numbers.state["size"]
        ends = {
            label.replace(" ", "_"): _digits(now.mean(), n) for label, now in numbers.now.items()
        }
        return ends | {"spread": f"{numbers.spread[self.sizes.index(n)]:.3f}"}


def _end(losses, n):
    """Say what the seeds of one network end with."""
    if diverged := np.isinf(losses).sum():
        return f"diverged ({diverged} of {len(losses)} seeds)"
    return ("about " if n < CHAOTIC else "") + _digits(losses.mean(), n)


def _range(label, losses, n):
    """Say how far the seeds of one network are apart."""
    if len(losses) == 1 or np.isinf(losses).any():
        return ""
    low, high = (_digits(loss, n) for loss in (losses.min(), losses.max()))
    return f"; the {len(losses)} seeds of {label}: {low} to {high}"


def _digits(loss, n):
    """Give a loss in as many digits as do not depend on the machine."""
    return f"{loss:.1f}" if n < CHAOTIC else f"{loss:.2f}"


def _over_seeds(finals):
    """(seeds, sizes) -> mean, least and greatest of those that are there, each (sizes,)."""
    there = ~np.isnan(finals)
    mean = np.where(there, finals, 0).sum(axis=0) / there.sum(axis=0)
    return mean, np.fmin.reduce(finals), np.fmax.reduce(finals)


def _stand_at(marks, x, top):
    marks.set_data(x, np.full(len(x), top))


def _set_ticks(ax, ticks):
    """Set those of the ticks that lie within the limits, and no minor ones."""
    low, high = ax.get_ylim()
    ticks = [tick for tick in ticks if low < tick < high]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.yaxis.minorticks_off()
