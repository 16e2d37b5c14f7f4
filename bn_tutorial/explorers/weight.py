"""One batch, dragged, and what is left of it in the running mean from step to step."""

import math
from dataclasses import dataclass

import numpy as np

from bn_tutorial import plots
from bn_tutorial._expect import expect_integer, expect_kind
from bn_tutorial.explorers.controls import slider
from bn_tutorial.explorers.explorer import Explorer
from bn_tutorial.run import Run
from bn_tutorial.statistics import weigh_batches

COUNT = 60  # batches that are shown
MOMENTA = (1.0, 0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01)
MOVES = [step / 4 for step in range(-20, 21)]
ROOM = 0.2  # above and below, in units of x


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the picture shows, for each batch in its order: ndarrays (batches,).

    ``means`` are the batches', one of them moved, ``running`` is the running mean after each,
    ``unmoved`` what it would be without the move. ``weights`` are those of the picked batch in the
    running mean after each step; before its own they are 0.
    """

    state: dict
    means: np.ndarray
    running: np.ndarray
    unmoved: np.ndarray
    weights: np.ndarray


class WeightExplorer(Explorer):
    """Drag one batch's mean, and see its weight in the running mean light up and fade.

    The batches are the first of a training run, the running mean starts at 0 before them. A click
    on the upper panel picks the batch there, and moves its mean to that height.

    Parameters
    ----------
    run : Run
        With batch norm, trained with ``record="statistics"``; its first layer's is shown.
    unit : int
    state : dict, optional
        Of ``batch`` (from 1, at most ``COUNT``), ``moved`` (one of ``MOVES``, in units of x) and
        ``momentum`` (one of ``MOMENTA``, in PyTorch's convention).

    Raises
    ------
    TypeError, ValueError
        If the run has not the statistics of at least two batches, or no such unit.
    """

    def __init__(self, run: Run, *, unit: int = 0, state: dict | None = None):
        super().__init__()
        expect_kind("run", run, Run)
        if run.batch_mean is None or len(run.loss) < 2:
            raise ValueError(
                "run: expected one with batch norm and the statistics of at least two batches "
                f'recorded (norm="batch", record="statistics"), got {run!r}'
            )
        batches = run.batch_mean[0]
        self._unit = expect_integer("unit", unit, 0, batches.shape[1] - 1)
        self._means = batches[:COUNT, self._unit].numpy().astype(float)
        self._steps = np.arange(1, len(self._means) + 1)
        controls = {
            "batch": slider("batch", self._steps.tolist(), min(10, len(self._steps)), "{}"),
            "moved": slider("moved by", MOVES, 0.0, "{:+g}"),
            "momentum": slider("momentum", MOMENTA, 0.1),
        }
        presets = {
            "an outlier": {"moved": 5.0, "momentum": 0.1},
            "the same at 0.01": {"moved": 5.0, "momentum": 0.01},
            "only the last counts": {"moved": 5.0, "momentum": 1.0},
        }
        self.set_up(controls, flip="batch", presets=presets, state=state, size=(9, 4.4))

    def compute(self, state: dict) -> Numbers:
        """Move the batch, and weigh what has come so far after each step: Numbers."""
        at, momentum, count = state["batch"] - 1, state["momentum"], len(self._means)
        means = self._means.copy()
        means[at] += state["moved"]
        weights = np.zeros(count)
        weights[at:] = weigh_batches(count - at, momentum)[0].numpy()[::-1]
        unmoved = _track(self._means, momentum)
        running = unmoved + state["moved"] * weights
        return Numbers(state, means, running, unmoved, weights)

    def build(self, figure, numbers):
        """Draw two panels; what moves: dots, running means, the weights and how bright they are."""
        self._upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        steps, upper = self._steps, self._upper
        grey = {"color": plots.GREY, "linewidth": 1, "linestyle": "--"}
        (self._dots,) = upper.plot(steps, steps, ".", color=plots.GREY, label="batches")
        (self._unmoved,) = upper.plot(steps, steps, label="running, if none were moved", **grey)
        (self._running,) = upper.plot(steps, steps, color=plots.BLUE, label="running")
        (self._picked,) = upper.plot([1], [1], "o", color=plots.ORANGE, label="the batch")
        self._glow = upper.scatter(steps, steps, s=40, color=plots.ORANGE, linewidth=0, zorder=3)
        ends = self._means.min() + MOVES[0], self._means.max() + MOVES[-1]
        upper.set(xlim=(0, len(steps) + 1), ylim=(min(0, ends[0]) - ROOM, max(0, ends[1]) + ROOM))
        upper.set(ylabel="mean of x", title=f"unit {self._unit}: batch means and running mean")
        upper.legend(loc="lower right", ncols=4, frameon=False)
        edges = np.arange(len(steps) + 1) + 0.5
        look = {"fill": True, "color": plots.ORANGE, "alpha": 0.7}
        self._bars = lower.stairs(numbers.weights, edges, **look)
        lower.set(yscale="log", ylim=(1e-4, 1.5), xlabel="step", ylabel="weight")
        lower.set_title("weight of the batch in the running mean after each step")
        return [self._dots, self._unmoved, self._running, self._glow, self._picked, self._bars]

    def update(self, numbers):
        """Move the dots and lines; the batch glows where it counts."""
        at = numbers.state["batch"] - 1
        self._dots.set_ydata(numbers.means)
        self._unmoved.set_ydata(numbers.unmoved)
        self._running.set_ydata(numbers.running)
        self._picked.set_data([at + 1], [numbers.means[at]])
        self._glow.set_offsets(np.column_stack([self._steps, numbers.running]))
        self._glow.set_alpha(numbers.weights / numbers.weights.max())
        self._bars.set_data(numbers.weights)

    def clicked(self, x, y):
        """Pick the batch at a click on the upper panel, and move its mean there."""
        if self._upper.bbox.contains(x, y):
            step, mean = self._upper.transData.inverted().transform((x, y))
            batch = int(np.clip(round(step), 1, len(self._means)))
            move = mean - self._means[batch - 1]
            self.state = {"batch": batch, "moved": min(MOVES, key=lambda m: abs(m - move))}

    def describe(self, numbers: Numbers) -> str:
        """Return what the batch weighs at its own step, and at the last."""
        batch, moved, m = (numbers.state[name] for name in ("batch", "moved", "momentum"))
        count, own, left = len(self._means), numbers.weights[batch - 1], numbers.weights[-1]
        half = (
            f"half as much every {math.log(0.5) / math.log1p(-m):.1f} steps" if m < 1 else "then 0"
        )
        told = f"Momentum {m:g}: batch {batch} weighs {own:g} at its own step, {half}"
        told += f", {left:.2g} after step {count}." if batch < count else "."
        if moved:
            told += (
                f" Moved by {moved:+g} it moves the running mean by {moved * own:+.2f} at once"
                f" and by {moved * left:+.2g} in the end."
            )
        return told

    def key_numbers(self, numbers: Numbers) -> dict:
        """Return the weight at the last step, and the running mean there."""
        return {"weight": f"{numbers.weights[-1]:.2g}", "running": f"{numbers.running[-1]:.2f}"}


def _track(means, momentum):
    """Return the running mean after each batch: (batches,) -> (batches,)."""
    running, after = 0.0, []
    for mean in means:
        running = (1 - momentum) * running + momentum * mean
        after.append(running)
    return np.array(after)
