"""What the order of the examples does to a loss that is read in batches."""

from dataclasses import dataclass

import numpy as np
import torch

from bn_tutorial import plots
from bn_tutorial._expect import expect_integer, expect_kind
from bn_tutorial.data import Dataset
from bn_tutorial.evaluation import losses
from bn_tutorial.explorers.controls import choice, slider
from bn_tutorial.explorers.explorer import Explorer
from bn_tutorial.run import Run
from bn_tutorial.statistics import calibrate

PERCENT = range(0, 101, 5)
SEED = 23
PRESETS = {"shuffled": 0, "half": 50, "sorted": 100}
KEYS = {"last symbol": "last symbol", "symbol to predict": "target"}


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the picture shows: losses in nats.

    ``symbols`` (batches, B) are those that the examples are sorted by. ``own`` and ``calibrated``
    (batches,) are the batches' losses, ``curve`` (percents,) the mean of ``own`` for every share
    that is sorted, ``mean`` that of the present one.
    """

    state: dict
    symbols: np.ndarray
    own: np.ndarray
    calibrated: np.ndarray
    curve: np.ndarray
    mean: float


class OrderExplorer(Explorer):
    """Drag the validation examples from a shuffled order into a sorted one, batch by batch.

    All are read once, in batches of one size. A share of them, drawn at random, stands where the
    sorted order puts it, the others are shuffled among themselves. The picture shows the symbols
    that they are sorted by, one row a batch, the losses of the batches, and the mean over all
    examples for every share: with each batch's own statistics, and calibrated.

    Parameters
    ----------
    run : Run
        With batch norm.
    dataset : Dataset
        It calibrates on ``dataset.train`` and reads ``dataset.val``.
    batch_size : int
        What is left of val after the last complete batch is left out.
    state : dict, optional
        Of ``percent`` sorted (one of ``PERCENT``) and ``sorted_by`` ("last symbol" of the context,
        or "target").

    Attributes
    ----------
    losses : dict of (sorted_by, percent) to ndarray (2, batches)
        Of each batch, with its own statistics and calibrated.
    level : float
        The calibrated loss of all examples, which no order changes.

    Raises
    ------
    TypeError, ValueError
        If the run has no batch norm or has diverged, or a batch could have equal contexts only.
    """

    def __init__(
        self, run: Run, dataset: Dataset, *, batch_size: int = 115, state: dict | None = None
    ):
        super().__init__()
        expect_kind("run", run, Run)
        expect_kind("dataset", dataset, Dataset)
        if run.recipe.norm != "batch" or run.diverged_at is not None:
            raise ValueError(f"run: expected one with batch norm, not diverged, got {run!r}")
        contexts, targets = dataset.val.contexts, dataset.val.targets
        equal = contexts.unique(dim=0, return_counts=True)[1].max().item()
        least = equal + 1  # equal contexts have no spread
        batch_size = expect_integer("batch_size", batch_size, least, len(contexts))
        count = len(contexts) // batch_size * batch_size
        self._run, self._size = run, batch_size
        self._contexts, self._targets = contexts[:count], targets[:count]
        fixed = calibrate(run, dataset.train)
        self._calibrated = losses(run, self._contexts, self._targets, fixed).numpy()
        self.level = float(self._calibrated.mean())
        keys = {"last symbol": self._contexts[:, -1], "target": self._targets}
        self._symbols = {name: key.numpy() for name, key in keys.items()}
        self._marks = dataset.vocabulary.symbols
        self.losses = {
            (name, share): self._read(self.order(name, share)) for name in keys for share in PERCENT
        }
        self._curves = {
            name: np.array([self.losses[name, share][0].mean() for share in PERCENT])
            for name in keys
        }
        controls = {
            "percent": slider("sorted", PERCENT, 0, "{}%"),
            "sorted_by": choice("by", KEYS),
        }
        presets = {name: {"percent": percent} for name, percent in PRESETS.items()}
        self.set_up(controls, flip="percent", presets=presets, state=state, size=(9.6, 3.8))

    def order(self, sorted_by: str, percent: int) -> torch.Tensor:
        """Return the numbers of the examples in their order: int64 Tensor (N,)."""
        order = torch.from_numpy(self._symbols[sorted_by].argsort(kind="stable"))
        generator = torch.Generator().manual_seed(SEED)
        moved = torch.randperm(len(order), generator=generator)  # places, from the first to move
        moved = moved[: round(len(order) * (1 - percent / 100))]
        mixed = order.clone()
        mixed[moved.sort().values] = order[moved]
        return mixed

    def _read(self, order):
        """Read batches with their own statistics, and calibrated: ndarray (2, batches)."""
        batches = order.reshape(-1, self._size)
        own = losses(self._run, self._contexts[batches], self._targets[batches]).numpy()
        return np.stack([own, self._calibrated[batches.numpy()]]).mean(axis=2)

    def compute(self, state: dict) -> Numbers:
        """Put the examples in order, and look up what was read: Numbers."""
        name, percent = state["sorted_by"], state["percent"]
        own, calibrated = self.losses[name, percent]
        return Numbers(
            state=state,
            symbols=self._symbols[name][self.order(name, percent)].reshape(-1, self._size),
            own=own,
            calibrated=calibrated,
            curve=self._curves[name],
            mean=float(own.mean()),
        )

    def build(self, figure, numbers):
        """Draw three panels; what moves: the symbols, the batches' losses, the curve and a mark."""
        axes = figure.subplots(1, 3, width_ratios=[5, 3, 4])
        examples, each, mean = axes
        last, rows = len(self._marks) - 1, np.arange(len(numbers.own))
        look = {"cmap": "turbo", "vmin": 0, "vmax": last, "interpolation": "nearest"}
        self._image = examples.imshow(numbers.symbols, aspect="auto", **look)
        examples.set(xlabel="examples, coloured by symbol", ylabel="batch", title="the batches")
        examples.set(xticks=[], yticks=rows, yticklabels=rows + 1)
        blue = {"color": plots.BLUE, "marker": "o", "label": "own statistics"}
        orange = {"color": plots.ORANGE, "marker": "D", "label": "calibrated"}
        (self._own_marks,) = each.plot(rows, rows, linestyle="none", **blue)
        (self._fixed_marks,) = each.plot(rows, rows, linestyle="none", **orange)
        each.set(ylim=examples.get_ylim(), yticks=[], xlabel="loss (nats)", title="loss of each")
        ends = [f(list(self.losses.values())) for f in (np.min, np.max)]
        each.set_xlim(ends[0] - 0.2, ends[1] + 0.2)
        (self._curve,) = mean.plot(PERCENT, PERCENT, color=plots.BLUE, label="own statistics")
        mean.axhline(self.level, color=plots.ORANGE, linestyle="--", label="calibrated")
        (self._mark,) = mean.plot([], [], "o", color=plots.BLUE)
        room = 0.1 * (max(c.max() for c in self._curves.values()) - self.level)
        low, high = ([f(c) for c in self._curves.values()] for f in (np.min, np.max))
        mean.set(ylim=(min(self.level, *low) - room, max(high) + room), xlim=(-3, 103))
        mean.set(xlabel="share sorted (%)", ylabel="loss (nats)", title="mean over all examples")
        mean.legend(loc="upper left")
        return [self._image, self._own_marks, self._fixed_marks, self._curve, self._mark]

    def update(self, numbers):
        """Move the symbols, the batches' losses, the curve and the mark."""
        self._image.set_data(numbers.symbols)
        self._own_marks.set_xdata(numbers.own)
        self._fixed_marks.set_xdata(numbers.calibrated)
        self._curve.set_ydata(numbers.curve)
        self._mark.set_data([numbers.state["percent"]], [numbers.mean])

    def describe(self, numbers: Numbers) -> str:
        """Return the loss in this order."""
        what = "last symbol" if numbers.state["sorted_by"] == "last symbol" else "symbol to predict"
        return (
            f"{numbers.symbols.size:,} validation examples in batches of {self._size:,}, "
            f"{numbers.state['percent']}% of them sorted by the {what}: loss {numbers.mean:.2f} "
            f"with each batch's own statistics, {self.level:.2f} calibrated, in any order."
        )

    def key_numbers(self, numbers: Numbers) -> dict:
        """Return both losses."""
        return {"own": f"{numbers.mean:.2f}", "calibrated": f"{self.level:.2f}"}
