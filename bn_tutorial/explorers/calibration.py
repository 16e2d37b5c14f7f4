"""What the loss of a batch says about a network, with its own statistics and with fixed ones."""

from dataclasses import dataclass

import numpy as np
import torch

from bn_tutorial._expect import expect_kind
from bn_tutorial.data import Dataset
from bn_tutorial.evaluation import losses
from bn_tutorial.explorers._calibration_panels import CalibrationPanels
from bn_tutorial.explorers.controls import choice, slider
from bn_tutorial.explorers.explorer import Explorer
from bn_tutorial.run import Run
from bn_tutorial.statistics import calibrate, running_statistics

SIZES = [2**k for k in range(1, 11)]  # of a batch: 2 to 1,024
DRAWS = 32_768  # examples drawn from each split, cut into batches of every size
SEED = 23
BINS = 100
KINDS = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the picture shows, in nats.

    ``shares`` are those of all batches in bins of loss, ``outside`` those below and above all bins.
    ``curves`` and ``reference`` are (4, sizes) with the chosen and with the calibrated statistics:
    mean, 10 and 90% quantile of the batches' losses, and how much the mean is above the one with
    calibrated statistics. ``now`` is the present size's column of ``curves``.
    """

    state: dict
    batches: int
    undefined: int
    shares: np.ndarray
    outside: tuple[float, float]
    curves: np.ndarray
    reference: np.ndarray
    now: np.ndarray
    level: float


class CalibrationExplorer(Explorer):
    """Choose the statistics that normalize, and how many examples make a batch.

    The picture shows how the losses of many batches are distributed, their mean and spread for
    every batch size, and how much that mean is above the one that the same batches have with
    calibrated statistics. With a batch's own statistics small batches are wrong on average (bias);
    with fixed ones they only scatter (noise).

    From each split 32,768 examples are drawn with replacement, as in training, and cut into
    batches of every size: a batch of 16 is two batches of 8, and with fixed statistics the mean
    over all batches is the same for every size. A batch in which a unit has no spread has no
    finite loss where eps is 0: such batches are counted and named, and no mean contains them.

    Parameters
    ----------
    run : Run
        With batch norm, trained with ``record="statistics"``.
    dataset : Dataset
        It calibrates on ``dataset.train``.
    momentum : float or None
        Of the running statistics.
    state : dict, optional
        Of ``statistics`` ("batch", "running" or "calibrated"), ``split`` ("train", "val" or
        "test") and ``size`` (one of ``SIZES``).

    Attributes
    ----------
    losses : dict of (statistics, split, size) to ndarray (batches,)
        nan for a batch without a finite loss. Computed in float64.
    levels : dict of str to float
        The calibrated loss of each whole split.

    Raises
    ------
    TypeError, ValueError
        If the run has no batch norm, no recorded statistics, or has diverged.
    """

    def __init__(
        self,
        run: Run,
        dataset: Dataset,
        *,
        momentum: float | None = 0.001,
        state: dict | None = None,
    ):
        super().__init__()
        expect_kind("run", run, Run)
        expect_kind("dataset", dataset, Dataset)
        if run.batch_mean is None or run.diverged_at is not None:
            raise ValueError(
                "run: expected one with batch norm and recorded statistics that has not diverged "
                f'(norm="batch", record="statistics"), got {run!r}'
            )
        self.momentum = momentum
        self._prepare(run, dataset)
        names = {"the batch's own": "batch", "running": "running"}
        controls = {
            "statistics": choice("statistics", names | {"of the training split": "calibrated"}),
            "split": choice("split", {name: name for name in KINDS}),
            "size": slider("batch size", SIZES, 8, "{:,}"),
        }
        controls["split"].value = "val"
        presets = {"pairs": {"statistics": "batch", "size": 2}}
        if (size := run.recipe.batch_size) in SIZES:
            presets[f"as in training: {size:,}"] = {"statistics": "batch", "size": size}
        presets["pairs, calibrated"] = {"statistics": "calibrated", "size": 2}
        self.set_up(controls, flip="size", presets=presets, state=state, size=(9, 3.8))

    def _prepare(self, run, dataset):
        """Compute the losses of all batches, and the curves and limits that follow."""
        fixed = {
            "running": running_statistics(run, self.momentum),
            "calibrated": calibrate(run, dataset.train),
        }
        self.losses, self.levels, self._curves = {}, {}, {}
        for split in KINDS:
            examples = getattr(dataset, split)
            batches = {n: _draw(examples).reshape(-1, n) for n in SIZES}
            for name, statistics in fixed.items():
                each = losses(run, examples.contexts, examples.targets, statistics).numpy()
                for n in SIZES:
                    self.losses[name, split, n] = each[batches[n]].mean(axis=1)
            self.levels[split] = each.mean()  # of the calibrated ones, which come last
            for n in SIZES:
                self.losses["batch", split, n] = _losses_with_own(run, examples, batches[n])
            for name in ("batch", *fixed):
                curves = [self._summary(name, split, n) for n in SIZES]
                self._curves[name, split] = np.stack(curves, axis=1)
        curves = np.stack(list(self._curves.values()))
        low, high = np.nanmin(curves[:, 1]), np.nanmax(curves[:, 2])
        room = 0.05 * (high - low)
        self._limits = low - room, high + room

    def _summary(self, name, split, n):
        """Return mean, quantiles, and mean difference from the calibrated: ndarray (4,)."""
        each, calibrated = self.losses[name, split, n], self.losses["calibrated", split, n]
        finite = np.isfinite(each)
        if not finite.any():
            return np.full(4, np.nan)
        more = each[finite].mean() - calibrated[finite].mean()
        return np.array([each[finite].mean(), *np.quantile(each[finite], [0.1, 0.9]), more])

    def compute(self, state: dict) -> Numbers:
        """Look up what was prepared, and count the losses in bins: Numbers."""
        name, split, n = state["statistics"], state["split"], state["size"]
        losses = self.losses[name, split, n]
        finite, (low, high) = losses[np.isfinite(losses)], self._limits
        counts, _ = np.histogram(finite, BINS, (low, high))
        curves = self._curves[name, split]
        return Numbers(
            state=state,
            batches=len(losses),
            undefined=len(losses) - len(finite),
            shares=counts / len(losses),
            outside=((finite < low).sum() / len(losses), (finite > high).sum() / len(losses)),
            curves=curves,
            reference=self._curves["calibrated", split],
            now=curves[:, SIZES.index(n)],
            level=self.levels[split],
        )

    def build(self, figure, numbers):
        """Draw three panels; all their curves and bars move."""
        excess = np.stack([curves[3] for curves in self._curves.values()])
        self._panels = CalibrationPanels(figure, SIZES, self._limits, BINS, excess)
        return self._panels.artists

    def update(self, numbers):
        """Move the bars, the curves, the marks and the levels."""
        self._panels.show(numbers)

    def describe(self, numbers: Numbers) -> str:
        """Return what the batches' losses are, and what the whole split's is."""
        mean, low, high, more = numbers.now
        name, n = numbers.state["statistics"], numbers.state["size"]
        against = "" if name == "calibrated" else f" ({more:+z.3f} against calibrated statistics)"
        text = (
            f"{numbers.batches:,} batches of {n:,} {KINDS[numbers.state['split']]} examples, "
            f"{self._how(name)}: loss {mean:.2f} on average{against}, {low:.2f} to {high:.2f} "
            f"for 8 in 10; calibrated {numbers.level:.4f} on the whole split."
        )
        if numbers.undefined:
            text += f" {numbers.undefined:,} of the batches have equal values in a unit: "
            text += "no finite loss, left out."
        return text

    def _how(self, name):
        if name == "batch":
            return "each normalized with its own statistics"
        if name == "calibrated":
            return "normalized with the statistics of the training split"
        return f"normalized with the running statistics (momentum {self.momentum})"

    def key_numbers(self, numbers: Numbers) -> dict:
        """Return mean and range of the batches' losses, and the calibrated one of the split."""
        mean, low, high, _ = numbers.now
        return {
            "mean": f"{mean:.2f}",
            "range": f"{low:.2f}..{high:.2f}",
            "calibrated": f"{numbers.level:.4f}",
        }


def _draw(split):
    """Draw the examples of the batches, the same ones every time: int64 ndarray (DRAWS,)."""
    generator = torch.Generator().manual_seed(SEED)
    return torch.randint(len(split), (DRAWS,), generator=generator).numpy()


def _losses_with_own(run, split, batches):
    """Send batches (K, n) of a split through the network as in training: ndarray (K,)."""
    contexts, targets = split.contexts[batches], split.targets[batches]  # (K, n, T) and (K, n)
    loss = losses(run, contexts, targets).mean(dim=1)
    if run.recipe.eps == 0:  # rounding may leave equal values a spread
        loss[(contexts == contexts[:, :1]).flatten(1).all(dim=1)] = float("nan")
    return loss.numpy()
