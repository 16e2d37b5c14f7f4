"""What the running statistics remember of a training run, for any momentum."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from bn_tutorial import plots
from bn_tutorial._expect import expect_kind
from bn_tutorial.data import Dataset
from bn_tutorial.evaluation import evaluate
from bn_tutorial.explorers._momentum_panels import plot_bars, plot_tracking, plot_weights
from bn_tutorial.explorers.controls import choice, slider
from bn_tutorial.explorers.explorer import Explorer
from bn_tutorial.run import Run
from bn_tutorial.statistics import Statistics, batch_variances, calibrate, weigh_batches
from bn_tutorial.threads import one_blas_thread

MOMENTA = [float(f"{10 ** (-i / 12):.3g}") for i in range(61)]  # 1 to 1e-5, twelve a decade
POINTS = 250  # steps at which the running mean is drawn
SHOWN = 200  # batches whose weights are drawn


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the picture shows: losses in nats, weights of the last batches, one unit's means."""

    state: dict
    momentum: float | None
    statistics: Statistics
    running: float
    tracked: np.ndarray
    weights: np.ndarray
    left: float


class MomentumExplorer(Explorer):
    """Move the momentum of the running statistics, without training again.

    The batches' statistics were recorded once; the running ones are a weighted sum of them, for
    any momentum. The picture shows one unit's batch means and the running mean that tracks them,
    the weights of the sum, and the validation loss with these statistics beside the calibrated.
    It keeps its own copy of the batches' statistics, in float64: 160 MB for the seed recipe.

    Parameters
    ----------
    run : Run
        With one BatchNorm, trained with ``record="statistics"``.
    dataset : Dataset
        It calibrates on ``dataset.train`` and evaluates on ``dataset.val``.
    state : dict, optional
        Of ``momentum`` (one of ``MOMENTA``), ``average`` ("exponential" or "cumulative", which is
        ``momentum=None``), ``track`` ("std" or "variance"), ``convention`` ("PyTorch" or "Keras")
        and ``unit``.

    Raises
    ------
    TypeError, ValueError
        If the run has no recorded statistics of one BatchNorm.
    """

    def __init__(self, run: Run, dataset: Dataset, *, state: dict | None = None):
        super().__init__()
        expect_kind("run", run, Run)
        expect_kind("dataset", dataset, Dataset)
        if run.batch_mean is None or len(run.batch_mean) != 1 or len(run.loss) < 2:
            raise ValueError(
                "run: expected one with one BatchNorm and the statistics of at least two batches "
                f'recorded (depth=1, norm="batch", record="statistics"), got {run!r}'
            )
        self._run, self._val = run, dataset.val
        mean, std = run.batch_mean[0].double().numpy(), run.batch_std[0].double().numpy()
        self._steps, self._units = mean.shape
        self._batches = {  # (T, 2 H): both sums in one product
            "std": np.hstack([mean, std]),
            "variance": np.hstack([mean, batch_variances(run)[0].numpy()]),
        }
        self._shown = np.unique(np.geomspace(1, self._steps, SHOWN).astype(int)) - 1  # steps ago
        self._ends = np.linspace(0, self._steps, min(POINTS, self._steps) + 1).astype(int)
        self._calibrated = calibrate(run, dataset.train)
        self.calibrated = evaluate(run, self._val, self._calibrated)
        self.losses = {track: self._losses(track) for track in self._batches}
        controls = {
            "momentum": slider("momentum", MOMENTA, 0.001),
            "unit": slider("unit", range(self._units), 0, "{}"),
            "average": choice(
                "average", {"exponential": "exponential", "cumulative (None)": "cumulative"}
            ),
            "track": choice("running", {"std": "std", "variance": "variance"}),
            "convention": choice("momentum of", {"PyTorch": "PyTorch", "Keras": "Keras"}),
        }
        presets = {
            "the seed recipe's 0.001": {"momentum": 0.001, "average": "exponential"},
            "PyTorch's default 0.1": {"momentum": 0.1, "average": "exponential"},
            "too slow: 1e-5": {"momentum": 1e-5, "average": "exponential"},
            "last batch only: 1": {"momentum": 1.0, "average": "exponential"},
        }
        self.set_up(controls, flip="momentum", presets=presets, state=state, size=(9, 5))

    def compute(self, state: dict) -> Numbers:
        """Weigh the recorded batches and evaluate. Any momentum from 0 to 1 will do: Numbers."""
        momentum = None if state["average"] == "cumulative" else state["momentum"]
        weights, left = weigh_batches(self._steps, momentum)
        weights = weights.numpy()
        statistics = self._statistics(weights, left, state["track"])
        return Numbers(
            state=state,
            momentum=momentum,
            statistics=statistics,
            running=evaluate(self._run, self._val, statistics),
            tracked=self._track(self._batches["std"][:, state["unit"]], momentum),
            weights=weights[self._steps - 1 - self._shown],
            left=left,
        )

    def _statistics(self, weights, left, track):
        with one_blas_thread:
            sums = weights @ self._batches[track]  # (T,) @ (T, 2 H)
        return self._as_statistics(sums, left, track)

    def _as_statistics(self, sums, left, track):
        mean, spread = np.split(sums, 2)
        spread = spread + left  # it starts at 1, the mean at 0
        std = spread if track == "std" else np.sqrt(spread)
        return Statistics([torch.from_numpy(mean)], [torch.from_numpy(std)])

    def _track(self, batches, momentum):
        """Return one unit's running mean at the ends of the blocks: ndarray (blocks,)."""
        ends, starts = self._ends[1:], self._ends[:-1]
        if momentum is None:
            return np.cumsum(batches)[ends - 1] / ends
        running, tracked = 0.0, []
        weights, _ = weigh_batches(int((ends - starts).max()), momentum)
        weights = weights.numpy()
        for start, end in zip(starts, ends, strict=True):
            block = weights[len(weights) - (end - start) :] @ batches[start:end]
            running = (1 - momentum) ** (end - start) * running + block
            tracked.append(running)
        return np.array(tracked)

    def _losses(self, track):
        """Return the loss with each of MOMENTA: ndarray."""
        weights, left = zip(*(weigh_batches(self._steps, m) for m in MOMENTA), strict=True)
        with one_blas_thread:
            sums = np.stack(weights) @ self._batches[track]  # (momenta, T) @ (T, 2 H)
            statistics = [self._as_statistics(*one, track) for one in zip(sums, left, strict=True)]
            return np.array([evaluate(self._run, self._val, s) for s in statistics])

    def build(self, figure, numbers):
        """Draw four panels; what moves: the running mean, the weights, a mark and a bar."""
        axes = figure.subplot_mosaic([["track"] * 3, ["weights", "losses", "bars"]])
        track, weights, losses, bars = axes.values()
        steps, calibrated = self._ends[1:], {"calibrated": self.calibrated}
        self._tracking = plot_tracking(track, steps, np.zeros((2, len(steps))), numbers.tracked, 0)
        self._weights = plot_weights(weights, self._shown + 1, self._shown, 1)
        weights.set(title="weight of a batch", xlim=(0.6, self._steps), ylim=(1e-8, 2))
        values = {"running": (MOMENTA, self.losses["std"])}
        curves = plots.plot_loss(values, levels=calibrated, ax=losses)
        losses.set(xscale="log", xlabel="momentum", title="val loss over momentum")
        (self._mark,) = losses.plot([], [], "o", color=plots.ORANGE)
        self._bar, _ = plot_bars(bars, {"running": 0.0} | calibrated, "loss (nats)")
        highest = 1.05 * max(losses.max() for losses in self.losses.values())
        bars.set(title="val loss", ylim=(0, highest))
        self._axes, self._curve = axes, curves.lines["running"]
        return [self._tracking.running, *self._weights, self._mark, self._bar]

    def update(self, numbers):
        """Move the running mean, the weights, the mark and the bar."""
        m = numbers.momentum
        self._tracking.running.set_ydata(numbers.tracked)
        self._weights.batches.set_ydata(numbers.weights)
        self._weights.start.set_ydata([numbers.left])
        self._mark.set_data([[m], [numbers.running]] if m else [[], []])
        self._bar.set_height(numbers.running)

    def scene(self, state):
        """Return what the still parts depend on: the unit, and which curve of losses."""
        return state["unit"], state["track"]

    def set_scene(self, numbers):
        """Show another unit's batches, or the losses with the other running statistic."""
        unit, track = numbers.state["unit"], numbers.state["track"]
        batches = self._batches["std"][:, unit]
        low, high = (f.reduceat(batches, self._ends[:-1]) for f in (np.minimum, np.maximum))
        self._tracking.envelope.set_data(self._ends[1:], low, high)
        level = self._calibrated.mean[0][unit].item()
        self._tracking.level.set_ydata([level, level])
        room = 0.05 * (high.max() - low.min())
        self._axes["track"].set_title(f"unit {unit}: batch means and running mean", loc="left")
        self._axes["track"].set(
            xlim=(0, self._steps),
            ylim=(low.min() - room, high.max() + room),
        )
        self._curve.set_ydata(self.losses[track])

    def arrange(self, state):
        """Show the momentum in the convention that was chosen."""
        control, keras = self.controls["momentum"], state["convention"] == "Keras"
        control.disabled = state["average"] == "cumulative"
        labels = [f"{1 - m:.5g}" if keras else f"{m:g}" for m in MOMENTA]
        if control.options[0][0] != labels[0]:
            control.options = list(zip(labels, MOMENTA, strict=True))
            control.value = state["momentum"]

    def describe(self, numbers: Numbers) -> str:
        """Return what the statistics remember, and what they are good for."""
        return (
            f"{self._memory(numbers)} Validation loss {numbers.running:.4f} with running "
            f"statistics, {self.calibrated:.4f} with calibrated ones."
        )

    def _memory(self, numbers):
        m = numbers.momentum
        if m is None:
            return f"momentum=None: all {self._steps:,} batches weigh the same."
        name = f"Momentum {m:g} ({1 - m:.5g} in Keras)"
        if numbers.state["convention"] == "Keras":
            name = f"Keras's momentum {1 - m:.5g} ({m:g} in PyTorch)"
        half = (
            "only the last batch counts"
            if m == 1
            else (f"a batch weighs half as much after {math.log(0.5) / math.log1p(-m):,.0f} steps")
        )
        return f"{name}: {half}, the start value still weighs {numbers.left:.2g}."

    def key_numbers(self, numbers: Numbers) -> dict:
        """Return both losses."""
        return {"running": f"{numbers.running:.4f}", "calibrated": f"{self.calibrated:.4f}"}
