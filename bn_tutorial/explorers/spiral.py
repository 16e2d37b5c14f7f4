"""The weights of one unit before a batch norm, whose steps all stand at right angles to them."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.patches import Circle

from bn_tutorial import plots
from bn_tutorial.explorers.controls import slider
from bn_tutorial.explorers.explorer import Explorer

RATES = [0.01 * 2**k for k in range(11)]  # 0.01 to 10.24
LENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
SHOWN = (0, 1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 75, 100, 150, 200)
STEPS = SHOWN[-1]
BATCH, NOISE, SEED = 8, 0.5, 23
ANGLE = 150  # degrees between the weights at the start and the best ones
RATIOS = 3e-4, 300  # where the axis of effective rates ends


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the picture shows, step by step.

    ``weights`` are (STEPS + 1, 2), ``lengths`` and ``effective`` rates (STEPS + 1,). The others are
    of the last step shown: its number, how far the weights have turned since the start, in degrees,
    and the root of the sum of all squared steps.
    """

    state: dict
    weights: np.ndarray
    lengths: np.ndarray
    effective: np.ndarray
    shown: int
    turned: float
    stepped: float


class SpiralExplorer(Explorer):
    """Move the learning rate of a unit of two weights before a batch norm.

    The unit computes y = (x w - mean) / std over a batch of 8 random inputs x, with eps 0, and
    learns by SGD to tell the first of the two inputs from noise: the loss is half the mean of
    (y - target) ** 2. The gradients are exact, in float64, and every step sees another batch, the
    same for all settings.

    The gradient is at right angles to w, and has a factor 1 / |w|. So squared lengths add up, and a
    step turns w by rate / |w| ** 2 times what a step at length 1 and rate 1 would: the *effective
    rate*, which falls as w grows. It holds for plain SGD with eps 0: momentum, weight decay or an
    eps break the right angle.

    Parameters
    ----------
    state : dict, optional
        Of ``learning_rate`` (one of ``RATES``), ``steps`` (one of ``SHOWN``) and ``length`` of the
        weights at the start (one of ``LENGTHS``).
    """

    def __init__(self, *, state: dict | None = None):
        super().__init__()
        generator = torch.Generator().manual_seed(SEED)
        draws = torch.randn((STEPS, BATCH, 3), generator=generator, dtype=torch.float64).numpy()
        self.inputs = draws[..., :2]
        self.targets = draws[..., 0] + NOISE * draws[..., 2]
        controls = {
            "learning_rate": slider("learning rate", RATES, 0.32),
            "steps": slider("steps", SHOWN, STEPS, "{}"),
            "length": slider("length at start", LENGTHS, 1.0),
        }
        presets = {
            "one step too large": {"learning_rate": 2.56, "length": 0.25, "steps": 1},
            "and all after it": {"learning_rate": 2.56, "length": 0.25, "steps": STEPS},
            "too long to turn": {"learning_rate": 0.08, "length": 4.0, "steps": STEPS},
            "rate 0.16, length 1": {"learning_rate": 0.16, "length": 1.0, "steps": STEPS},
            "rate 0.64, length 2": {"learning_rate": 0.64, "length": 2.0, "steps": STEPS},
        }
        self.set_up(controls, flip="learning_rate", presets=presets, state=state, size=(9, 4.2))

    def gradient(self, step: int, weights: np.ndarray) -> np.ndarray:
        """Derive the loss of a step's batch by the weights: float64 ndarray (2,)."""
        x, targets = self.inputs[step], self.targets[step]
        pre = x @ weights  # (B,)
        std = pre.std()
        y = (pre - pre.mean()) / std
        dy = (y - targets) / BATCH
        dpre = (dy - dy.mean() - y * (dy * y).mean()) / std  # back through mean and std
        return x.T @ dpre

    def compute(self, state: dict) -> Numbers:
        """Walk all steps: Numbers."""
        rate, shown = state["learning_rate"], state["steps"]
        angle = math.radians(ANGLE)
        weights = [state["length"] * np.array([math.cos(angle), math.sin(angle)])]
        for step in range(STEPS):
            weights.append(weights[-1] - rate * self.gradient(step, weights[-1]))
        weights = np.stack(weights)
        lengths = np.linalg.norm(weights, axis=1)
        cosine = weights[0] @ weights[shown] / (lengths[0] * lengths[shown])
        return Numbers(
            state=state,
            weights=weights,
            lengths=lengths,
            effective=rate / lengths**2,
            shown=shown,
            turned=math.degrees(math.acos(np.clip(cosine, -1, 1))),
            stepped=math.sqrt((np.diff(weights[: shown + 1], axis=0) ** 2).sum()),
        )

    def build(self, figure, numbers):
        """Draw three panels; what moves: the weights and their way, and both curves."""
        axes = figure.subplot_mosaic([["plane", "length"], ["plane", "rate"]], width_ratios=[6, 5])
        self._plane, self._lengths, self._rates = axes.values()
        ax, blue = self._plane, {"color": plots.BLUE}
        ax.set(aspect="equal", xlabel="weight 1", ylabel="weight 2", title="one unit's weights")
        ax.axhline(0, color=plots.GREY, linewidth=0.5)
        ax.axvline(0, color=plots.GREY, linewidth=0.5)
        look = {"fill": False, "edgecolor": plots.GREY, "linestyle": ":"}
        self._circle = ax.add_patch(Circle((0, 0), 1, label="length at start", **look))
        (self._way,) = ax.plot([], [], ".-", linewidth=1, markersize=3, label="its way", **blue)
        look = {"color": "black", "linewidth": 1.5, "markevery": [1], "marker": "o"}
        (self._arrow,) = ax.plot([0, 0], [0, 0], label="weights", **look)
        (self._last,) = ax.plot([], [], linewidth=3, color=plots.ORANGE, label="last step")
        ax.legend(loc="lower left", ncols=2, fontsize="small", framealpha=0.9)
        (self._length,) = self._lengths.plot([], [], **blue)
        (self._rate,) = self._rates.plot([], [], **blue)
        self._lengths.set(xlim=(0, STEPS), title="length of the weights")
        title = "effective rate: rate / length²"
        self._rates.set(xlim=(0, STEPS), xlabel="step", yscale="log", ylim=RATIOS, title=title)
        return [self._circle, self._way, self._arrow, self._last, self._length, self._rate]

    def update(self, numbers):
        """Move the weights and their way, and both curves."""
        n, steps = numbers.shown, np.arange(numbers.shown + 1)
        self._circle.set_radius(numbers.state["length"])
        self._way.set_data(*numbers.weights[: n + 1].T)
        self._arrow.set_data(*np.stack([np.zeros(2), numbers.weights[n]]).T)
        self._last.set_data(*numbers.weights[max(0, n - 1) : n + 1].T)
        self._length.set_data(steps, numbers.lengths[: n + 1])
        self._rate.set_data(steps, numbers.effective[: n + 1])

    def scene(self, state):
        """Return what the limits depend on."""
        return state["learning_rate"], state["length"]

    def set_scene(self, numbers):
        """Make room for all steps."""
        room = 1.05 * numbers.lengths[-1]
        self._plane.set(xlim=(-room, room), ylim=(-room, room))
        self._lengths.set_ylim(0, room)

    def describe(self, numbers: Numbers) -> str:
        """Return how the length grew, and what became of the rate."""
        n, first, last = numbers.shown, numbers.lengths[0], numbers.lengths[numbers.shown]
        rates = f"{numbers.effective[0]:.3g} to {numbers.effective[n]:.3g}"
        return (
            f"Learning rate {numbers.state['learning_rate']:g}, steps: {n}, each at a right angle "
            f"to the weights. Their length: √({first:g}² + {numbers.stepped:.2f}²) = {last:.2f}; "
            f"effective rate: {rates}; turned by {numbers.turned:.0f}°."
        )

    def key_numbers(self, numbers: Numbers) -> dict:
        """Return length, effective rate and angle after the last step shown."""
        return {
            "grown_to": f"{numbers.lengths[numbers.shown]:.2f}",
            "effective_rate": f"{numbers.effective[numbers.shown]:.3f}",
            "turned": f"{numbers.turned:.0f}",
        }
