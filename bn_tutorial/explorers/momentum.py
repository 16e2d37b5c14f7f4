"""What the running statistics remember of a training run, for any momentum."""

import math
from dataclasses import dataclass

import numpy as np

from bn_tutorial import plots
from bn_tutorial._expect import expect_kind
from bn_tutorial.data import Dataset
from bn_tutorial.evaluation import evaluate
from bn_tutorial.explorers.controls import choice, slider
from bn_tutorial.explorers.explorer import Explorer
from bn_tutorial.run import Run
from bn_tutorial.statistics import (
    Statistics,
    calibrate,
    running_statistics,
    several_running_statistics,
    weigh_batches,
)
from bn_tutorial.threads import one_blas_thread

LIGHTEST = 1e-8  # where the axis of weights ends
MOMENTA = [float(f"{10 ** (-i / 12):.3g}") for i in range(61)]  # 1 to 1e-5, twelve a decade
POINTS = 150  # steps at which the running mean is drawn: more corners make too large a picture
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
        self._steps, units = run.batch_mean[0].shape
        self._ago = np.unique(np.geomspace(1, self._steps, SHOWN).astype(int))  # 1: the last batch
        self._ends = np.linspace(0, self._steps, min(POINTS, self._steps) + 1).astype(int)
        self._calibrated = calibrate(run, dataset.train)
        self.calibrated = evaluate(run, self._val, self._calibrated)
        self.losses = {}  # with each of MOMENTA
        for track in ("std", "variance"):
            several = [  # in parts, whose weights are small
                statistics
                for momenta in np.array_split(MOMENTA, 8)
                for statistics in several_running_statistics(run, momenta, track=track)
            ]
            self.losses[track] = np.array([evaluate(run, self._val, one) for one in several])
        controls = {
            "momentum": slider("momentum", MOMENTA, 0.001),
            "unit": slider("unit", range(units), 0, "{}"),
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
        with one_blas_thread:  # once for both: each setting starts a thread
            statistics = running_statistics(self._run, momentum, track=state["track"])
            running = evaluate(self._run, self._val, statistics)
        weights, left = weigh_batches(self._steps, momentum)
        return Numbers(
            state=state,
            momentum=momentum,
            statistics=statistics,
            running=running,
            tracked=self._track(self._means(state["unit"]), momentum),
            weights=weights.numpy()[-self._ago],
            left=left,
        )

    def _means(self, unit):
        """Return a unit's mean in every batch: float64 ndarray (steps,)."""
        return self._run.batch_mean[0].numpy()[:, unit].astype(float)

    def _track(self, batches, momentum):
        """Return one unit's running mean at the ends of the blocks: ndarray (blocks,)."""
        ends, starts = self._ends[1:], self._ends[:-1]
        if momentum is None:
            return np.cumsum(batches)[ends - 1] / ends
        running, tracked = 0.0, []
        weights = weigh_batches(int((ends - starts).max()), momentum)[0].numpy()
        for start, end in zip(starts, ends, strict=True):
            block = weights[len(weights) - (end - start) :] @ batches[start:end]
            running = (1 - momentum) ** (end - start) * running + block
            tracked.append(running)
        return np.array(tracked)

    def build(self, figure, numbers):
        """Draw four panels; what moves: the running mean, the weights, a mark and a bar."""
        axes = figure.subplot_mosaic([["track"] * 3, ["weights", "losses", "bars"]])
        self._axes, steps = axes["track"], self._ends[1:]
        grey = {"color": plots.GREY, "alpha": 0.3, "linewidth": 0, "label": "batches"}
        self._envelope = self._axes.fill_between(steps, 0, 0, **grey)
        blue, orange = {"color": plots.BLUE}, {"color": plots.ORANGE}
        dashed = orange | {"linestyle": "--", "linewidth": 1.2, "label": "calibrated"}
        (self._running,) = self._axes.plot(steps, steps, label="running", **blue)
        self._level = self._axes.axhline(0, **dashed)
        self._axes.set(xlabel="step", ylabel="mean of x", xlim=(0, self._steps))
        self._axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)
        losses = self._build_losses(axes["losses"], axes["bars"])
        return [self._running, *self._build_weights(axes["weights"]), *losses]

    def _build_weights(self, ax):
        look = {"color": plots.BLUE, "marker": ".", "markevery": [0], "label": "batch"}
        (self._weights,) = ax.plot(self._ago, self._ago, **look)
        look = {"color": plots.ORANGE, "clip_on": False, "label": "start value"}
        (self._start_weight,) = ax.plot([self._steps], [1], "s", **look)
        ax.set(xscale="log", yscale="log", xlim=(0.6, self._steps), ylim=(LIGHTEST, 2))
        ax.set(xlabel="steps ago", ylabel="weight", title="weight of a batch")
        ax.legend(loc="lower left")
        return self._weights, self._start_weight

    def _build_losses(self, over, bars):
        curves, levels = {"running": (MOMENTA, self.losses["std"])}, {"calibrated": self.calibrated}
        self._curve = plots.plot_loss(curves, levels=levels, ax=over).lines["running"]
        over.set(xscale="log", xlabel="momentum", title="val loss over momentum")
        (self._mark,) = over.plot([], [], "o", color=plots.ORANGE)
        heights, colors = [0.0, self.calibrated], [plots.BLUE, plots.ORANGE]
        self._bar, _ = bars.bar(["running", "calibrated"], heights, color=colors, width=0.6)
        highest = 1.15 * max(losses.max() for losses in self.losses.values())
        bars.set(ylabel="loss (nats)", title="val loss", ylim=(0, highest))
        above = {"ha": "center", "va": "bottom"}
        bars.text(1, self.calibrated, f"{self.calibrated:.4f}", **above)
        self._told = bars.text(0, 0, "", **above)
        return self._mark, self._bar, self._told

    def update(self, numbers):
        """Move the running mean, the weights, the mark and the bar."""
        m = numbers.momentum
        self._running.set_ydata(numbers.tracked)
        self._weights.set_ydata(numbers.weights)
        below = numbers.left < LIGHTEST  # then a mark at the edge points to where it is
        self._start_weight.set_ydata([max(numbers.left, LIGHTEST)])
        self._start_weight.set_marker("v" if below else "s")
        self._mark.set_data([[m], [numbers.running]] if m else [[], []])
        self._bar.set_height(numbers.running)
        self._told.set(y=numbers.running, text=f"{numbers.running:.4f}")

    def scene(self, state):
        """Return what the still parts depend on: the unit, and which curve of losses."""
        return state["unit"], state["track"]

    def set_scene(self, numbers):
        """Show another unit's batches, or the losses with the other running statistic."""
        unit, batches = numbers.state["unit"], self._means(numbers.state["unit"])
        low, high = (f.reduceat(batches, self._ends[:-1]) for f in (np.minimum, np.maximum))
        self._envelope.set_data(self._ends[1:], low, high)
        self._level.set_ydata([self._calibrated.mean[0][unit].item()] * 2)
        room = 0.05 * (high.max() - low.min())
        self._axes.set_title(f"unit {unit}: batch means and running mean", loc="left")
        self._axes.set_ylim(low.min() - room, high.max() + room)
        self._curve.set_ydata(self.losses[numbers.state["track"]])

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
