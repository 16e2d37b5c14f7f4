"""A map of final losses over learning rate and hidden gain, on which a cell is picked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.patches import Rectangle

from bn_tutorial import plots
from bn_tutorial._expect import expect_kind, expect_number
from bn_tutorial.explorers.controls import slider
from bn_tutorial.explorers.explorer import Explorer

SHOWN = 2.5, 5  # nats where the colours end


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the picture shows: the picked cell (row, column), and its loss by network, in nats."""

    state: dict
    cell: tuple[int, int]
    losses: dict[str, float]


class MapExplorer(Explorer):
    """Pick a learning rate and a hidden gain on a map of final losses, with a click or by key.

    It trains nothing itself. Link its state to a playground's, and that trains what was picked::

        traitlets.dlink((the_map, "state"), (playground, "state"))

    Parameters
    ----------
    rates, gains : sequence of float
        Of the columns, and of the rows from below.
    losses : dict of str to array (gains, rates)
        Final losses in nats, by network.
    level : float
        A network whose loss is above failed, and has a cross.
    state : dict, optional
        Of ``learning_rate`` (one of ``rates``) and ``hidden_gain`` (one of ``gains``).

    Raises
    ------
    TypeError, ValueError
        If rates or gains are no different numbers, or the losses have another shape.
    """

    def __init__(
        self,
        rates: Sequence[float],
        gains: Sequence[float],
        losses: dict[str, object],
        *,
        level: float,
        state: dict | None = None,
    ):
        super().__init__()
        self.rates, self.gains = _distinct("rates", rates), _distinct("gains", gains)
        expect_kind("losses", losses, dict)
        self.losses = {label: np.array(values, dtype=float) for label, values in losses.items()}
        shape = len(self.gains), len(self.rates)
        for label, values in self.losses.items():
            if values.shape != shape:
                raise ValueError(f"losses: expected {shape} of {label}, got {values.shape}")
        if not losses:
            raise ValueError("losses: expected those of at least one network, got none")
        self.level = expect_number("level", level)
        controls = {
            "learning_rate": slider("learning rate", self.rates, self.rates[shape[1] // 2]),
            "hidden_gain": slider("hidden gain", self.gains, self.gains[shape[0] // 2]),
        }
        presets = {f"best of {label}": self._best(label) for label in self.losses}
        size = (0.9 + 4.4 * len(self.losses), 3.8)
        self.set_up(controls, presets=presets, state=state, size=size)

    def _best(self, label):
        """Return the state of a network's least loss."""
        values = np.nan_to_num(self.losses[label], nan=np.inf)
        row, column = np.unravel_index(values.argmin(), values.shape)
        return self._state_at(row, column)

    def _state_at(self, row, column):
        return {"learning_rate": self.rates[column], "hidden_gain": self.gains[row]}

    def compute(self, state: dict) -> Numbers:
        """Look up the losses of a cell: Numbers."""
        cell = self.gains.index(state["hidden_gain"]), self.rates.index(state["learning_rate"])
        losses = {label: float(values[cell]) for label, values in self.losses.items()}
        return Numbers(state=state, cell=cell, losses=losses)

    def build(self, figure, numbers):
        """Draw a map of each network; what moves: the frames around the picked cells."""
        axes = figure.subplots(1, len(self.losses), sharey=True, squeeze=False)[0]
        self._axes, self._frames_around = axes, []
        for ax, (label, losses) in zip(axes, self.losses.items(), strict=True):
            self._draw_map(ax, losses)
            ax.set_xticks(range(len(self.rates)), [f"{rate:g}" for rate in self.rates])
            ax.set(xlabel="learning rate", title=f"{label}: final loss (nats)")
            look = {"fill": False, "linewidth": 3, "edgecolor": plots.ORANGE, "clip_on": False}
            self._frames_around.append(ax.add_patch(Rectangle((0, 0), 1, 1, **look)))
        axes[0].set_yticks(range(len(self.gains)), [f"{gain:g}" for gain in self.gains])
        axes[0].set_ylabel("hidden gain")
        return self._frames_around

    def _draw_map(self, ax, losses):
        low, high = SHOWN
        look = {"cmap": "viridis", "origin": "lower", "aspect": "auto"}
        ax.imshow(losses, vmin=low, vmax=high, **look)
        for (row, column), loss in np.ndenumerate(losses):
            text = f"{loss:.1f}" if loss < 9.95 else f"{loss:.0f}"
            text = text if loss < self.level else rf"$\times$ {text}"
            color = "white" if loss < 0.4 * low + 0.6 * high else "black"
            ax.text(column, row, text, ha="center", va="center", color=color)

    def update(self, numbers):
        """Move the frames."""
        row, column = numbers.cell
        for frame in self._frames_around:
            frame.set_xy((column - 0.5, row - 0.5))

    def clicked(self, x, y):
        """Pick the cell that was clicked."""
        for ax in self._axes:
            if ax.bbox.contains(x, y):
                column, row = ax.transData.inverted().transform((x, y)).round().astype(int)
                ends = len(self.gains) - 1, len(self.rates) - 1  # a click may be at the very edge
                self.state = self._state_at(*np.clip((row, column), 0, ends))

    def describe(self, numbers: Numbers) -> str:
        """Return where the networks end in the picked cell."""
        ends = "; ".join(f"{label} {self._end(loss)}" for label, loss in numbers.losses.items())
        rate, gain = numbers.state["learning_rate"], numbers.state["hidden_gain"]
        return f"Learning rate {rate:g}, hidden gain {gain:g}: {ends}."

    def _end(self, loss):
        if loss < self.level:
            return f"ends at {loss:.2f} nats"
        return f"fails, with {loss:.2f} nats" if np.isfinite(loss) else "diverges"

    def key_numbers(self, numbers: Numbers) -> dict:
        """Return the final losses of the picked cell."""
        return {label.replace(" ", "_"): f"{loss:.2f}" for label, loss in numbers.losses.items()}


def _distinct(name, values):
    """Return numbers as a list of floats.

    Raises
    ------
    ValueError
        If two of them are alike, or there is none.
    """
    expect_kind(name, values, Sequence)
    numbers = [expect_number(name, value) for value in values]
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError(f"{name}: expected different numbers, got {numbers}")
    return numbers
