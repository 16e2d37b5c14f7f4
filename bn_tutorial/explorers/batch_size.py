"""What the batch size does to training, with three norms, and to the statistics of a batch."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from bn_tutorial.data import Dataset
from bn_tutorial.explorers._batch_size_panels import RING, LossPanels, NoisePanels
from bn_tutorial.explorers.controls import choice, slider
from bn_tutorial.explorers.explorer import Explorer
from bn_tutorial.explorers.size_grid import SizeGrid
from bn_tutorial.run import Run

DRAWN = 2_000  # batches of each size whose statistics are counted
SEED = 23
CHAOTIC = 8  # smaller batches make rounding errors grow: their losses differ between machines


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
        super().__init__()
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
        self.set_up(controls, flip="size", presets=presets, state=state, size=(9, 4.8))

    def _make_controls(self):
        start = min(self.sizes, key=lambda n: abs(math.log(n / 64)))
        return {
            "size": slider("batch size", self.sizes, start, "{:,}"),
            "norm": choice("mark", {label: label for label in self._labels}),
            "statistics": choice(
                "batch norm with",
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
        """Return the means or standard deviations of batches (batches, n) of x (N,): (batches,)."""
        if measure == "mean":
            return (batches.mean(axis=1) - x.mean()) / x.std()
        return batches.std(axis=1, ddof=self.grid.source.recipe.correction) / x.std()

    def build(self, figure, numbers):
        """Draw four panels; what moves: all curves, bars, marks and rules."""
        names = [["curves", "finals"], ["drawn", "spread"]]
        panels = figure.subplot_mosaic(names, height_ratios=(6, 5))
        curves, finals, drawn, spread = panels.values()
        finals.sharex(spread)
        self._losses = LossPanels(curves, finals, self.grid, self._uniform, numbers.finals)
        self._noise = NoisePanels(drawn, spread, self.sizes, numbers)
        self._over_size = finals, spread
        self._rules = [ax.axvline(1, color="black", linewidth=0.8) for ax in self._over_size]
        self._rings = [ax.plot([], [], **RING)[0] for ax in self._over_size]
        return [*self._losses.artists, *self._noise.artists, *self._rules, *self._rings]

    def update(self, numbers):
        """Move all of it; what is too high stands at the upper edge."""
        state, at = numbers.state, self.sizes.index(numbers.state["size"])
        self._losses.show(numbers)
        self._noise.show(numbers, at)
        for line in self._rules:
            line.set_xdata([state["size"]] * 2)
        marked = min(numbers.now[state["norm"]].mean(), self._losses.tops[1])
        self._rings[0].set_data([self._losses.places(state["norm"])[at]], [marked])
        self._rings[1].set_data([state["size"]], [numbers.spread[at]])

    def scene(self, state):
        """Return what the lower panels show: batch means or batch standard deviations."""
        return state["measure"]

    def set_scene(self, numbers):
        """Name what the lower panels show."""
        self._noise.name(numbers.state["measure"], DRAWN)

    def clicked(self, x, y):
        """Pick the batch size next to a click on a panel over the batch size."""
        for ax in self._over_size:
            if ax.bbox.contains(x, y):
                place, _ = ax.transData.inverted().transform((x, y))
                self.state = {"size": min(self.sizes, key=lambda n: abs(math.log(n / place)))}

    def describe(self, numbers: Numbers) -> str:
        """Return what the networks end with, and how much the unit's statistic scatters."""
        state, recipe = numbers.state, self.grid.of_size(numbers.state["size"])
        n, steps = recipe.batch_size, recipe.steps
        ends = ", ".join(f"{label} {_end(numbers.now[label], n)}" for label in self._labels)
        return (
            f"Batches of {n:,}, {steps:,} steps, {n * steps:,} examples. Final {state['split']} "
            f"loss in nats: {ends} (batch norm read with {state['statistics']} statistics"
            f"{_range(state['norm'], numbers.now[state['norm']], n)}). {self._scatter(numbers)}"
        )

    def _scatter(self, numbers):
        """Return how the unit's statistic differs from batch to batch."""
        n, unit, measure = (numbers.state[name] for name in ("size", "unit", "measure"))
        at = self.sizes.index(n)
        around = f" around {numbers.drawn.mean():.2f}" if measure == "std" else ""
        law = f"1/√{n:,}" if measure == "mean" else f"1/√(2 · {n:,}), for normal data,"
        return (
            f"The batch {measure}s of unit {unit} scatter{around} by {numbers.spread[at]:.3f} of "
            f"its std; {law} is {numbers.law[at]:.3f}."
        )

    def key_numbers(self, numbers: Numbers) -> dict:
        """Return the final losses, and the spread of the unit's statistic."""
        n = numbers.state["size"]
        ends = {
            label.replace(" ", "_"): _digits(now.mean(), n) for label, now in numbers.now.items()
        }
        return ends | {"spread": f"{numbers.spread[self.sizes.index(n)]:.3f}"}


def _end(losses, n):
    """Return what the seeds of one network end with."""
    if diverged := np.isinf(losses).sum():
        return f"diverged ({diverged} of {len(losses)} seeds)"
    return ("about " if n < CHAOTIC else "") + _digits(losses.mean(), n)


def _range(label, losses, n):
    """Return how far the seeds of one network are apart."""
    if len(losses) == 1 or np.isinf(losses).any():
        return ""
    low, high = (_digits(loss, n) for loss in (losses.min(), losses.max()))
    return f"; the {len(losses)} seeds of {label}: {low} to {high}"


def _digits(loss, n):
    """Return a loss in as many digits as do not depend on the machine."""
    return f"{loss:.1f}" if n < CHAOTIC else f"{loss:.2f}"
