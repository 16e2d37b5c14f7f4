"""What the loss of a batch says about a network, with its own statistics and with fixed ones."""

from dataclasses import dataclass

import numpy as np
import torch

from bn_tutorial import plots
from bn_tutorial._expect import expect_kind
from bn_tutorial.data import Dataset
from bn_tutorial.evaluation import losses
from bn_tutorial.explorers._calibration_panels import plot_excess, plot_sideways, plot_spread
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
        controls = {
            "statistics": choice(
                "statistics",
                {
                    "the batch's own": "batch",
                    "running": "running",
                    "of the training split": "calibrated",
                },
            ),
            "split": choice("split", {name: name for name in KINDS}),
            "size": slider("batch size", SIZES, 8, "{:,}"),
        }
        controls["split"].value = "val"
        presets = {"pairs": {"statistics": "batch", "size": 2}}
        if (trained_with := run.recipe.batch_size) in SIZES:
            presets[f"as in training: {trained_with:,}"] = {
                "statistics": "batch",
                "size": trained_with,
            }
        presets["pairs, calibrated"] = {"statistics": "calibrated", "size": 2}
        self.set_up(controls, flip="size", presets=presets, state=state, size=(9, 3.8))

    def _prepare(self, run, dataset):
        """Compute the losses of all batches, and the curves and limits that follow."""
        splits = {name: getattr(dataset, name) for name in KINDS}
        fixed = {
            "running": running_statistics(run, self.momentum),
            "calibrated": calibrate(run, dataset.train),
        }
        self.losses, self.levels = {}, {}
        for split, examples in splits.items():
            for name, statistics in fixed.items():
                each = _losses_of_examples(run, examples, statistics)
                drawn = each[_draw(examples)]
                for n in SIZES:
                    self.losses[name, split, n] = drawn.reshape(-1, n).mean(axis=1)
            self.levels[split] = each.mean()  # of the calibrated ones, which come last
            for n in SIZES:
                self.losses["batch", split, n] = _losses_with_own(run, examples, n)
        self._curves = {
            (name, split): np.stack([self._summary(name, split, n) for n in SIZES], axis=1)
            for name in ("batch", *fixed)
            for split in splits
        }
        self._limits = self._limit_losses()

    def _summary(self, name, split, n):
        """Return mean, quantiles, and mean difference from the calibrated: ndarray (4,)."""
        losses, calibrated = self.losses[name, split, n], self.losses["calibrated", split, n]
        finite = np.isfinite(losses)
        if not finite.any():
            return np.full(4, np.nan)
        more = losses[finite].mean() - calibrated[finite].mean()
        return np.array([losses[finite].mean(), *np.quantile(losses[finite], [0.1, 0.9]), more])

    def _limit_losses(self):
        """Return limits that hold every curve, of all statistics and splits: (low, high)."""
        curves = np.stack(list(self._curves.values()))
        low, high = np.nanmin(curves[:, 1]), np.nanmax(curves[:, 2])
        room = 0.05 * (high - low)
        return low - room, high + room

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
        panels = figure.subplots(1, 3, width_ratios=[1, 1.6, 1.6])
        shares, spread, bias = panels
        shares.sharey(spread)
        edges = np.linspace(*self._limits, BINS + 1)
        self._sideways = plot_sideways(shares, numbers.shares, edges, mean=0, level=0)
        self._spread = plot_spread(spread, SIZES, numbers.curves[:3], numbers.reference[1:3], 0)
        self._excess = plot_excess(bias, SIZES, numbers.curves[3])
        shares.set(title="losses", ylim=self._limits)
        spread.set(title="mean and spread")
        bias.set(title="bias: mean minus calibrated")
        excess = np.stack([curves[3] for curves in self._curves.values()])
        bias.set_ylim(min(-0.005, 2 * np.nanmin(excess)), max(0.1, 2 * np.nanmax(excess)))
        self._outside = [
            shares.text(
                0.95, y, "", transform=shares.transAxes, ha="right", va=va, fontsize="small"
            )
            for y, va in ((0.02, "bottom"), (0.98, "top"))
        ]
        look = {"color": plots.BLUE, "markersize": 10, "markeredgecolor": "white"}
        self._marks = spread.plot([], [], "o", **look) + bias.plot([], [], "o", **look)
        return [*self._sideways, *self._spread, self._excess, *self._outside, *self._marks]

    def update(self, numbers):
        """Move the bars, the curves, the marks and the levels."""
        self._sideways.steps.set_data(numbers.shares / (numbers.shares.max() or 1))
        self._sideways.mean.set_ydata([numbers.now[0]] * 2)
        self._sideways.level.set_ydata([numbers.level] * 2)
        for text, share, where in zip(
            self._outside, numbers.outside, ("below", "above"), strict=True
        ):
            text.set_text(f"{share:.1%} {where}" if share else "")
        mean, low, high, excess = numbers.curves
        spread = self._spread
        spread.range.set_data(SIZES, low, high)
        ys = mean, *numbers.reference[1:3], [numbers.level] * 2
        for line, y in zip((spread.mean, spread.low, spread.high, spread.level), ys, strict=True):
            line.set_ydata(y)
        self._excess.set_ydata(excess)
        for mark, y in zip(self._marks, numbers.now[[0, 3]], strict=True):
            mark.set_data([numbers.state["size"]], [y])

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


def _losses_of_examples(run, split, statistics):
    """Return the loss of every example of a split, with fixed statistics: ndarray (N,)."""
    return losses(run, split.contexts, split.targets, statistics).numpy()


def _losses_with_own(run, split, n):
    """Send a split's batches of n through the network as in training: ndarray (batches,)."""
    batches = torch.from_numpy(_draw(split).reshape(-1, n))
    contexts, targets = split.contexts[batches], split.targets[batches]  # (K, n, T) and (K, n)
    loss = losses(run, contexts, targets).mean(dim=1)
    if run.recipe.eps == 0:  # rounding may leave equal values a spread
        loss[(contexts == contexts[:, :1]).flatten(1).all(dim=1)] = float("nan")
    return loss.numpy()
