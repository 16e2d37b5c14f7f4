"""A table of four examples and three units, with all of batch norm's arithmetic in its cells."""

import copy
import math
from dataclasses import dataclass
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from bn_tutorial._expect import expect_kind
from bn_tutorial.explorers.picture import LOCK

X = [[4.0, 23.0, -4.5], [4.0, -1.0, -5.5], [0.0, 7.0, -4.5], [4.0, 11.0, -5.5]]
EXAMPLES, UNITS = len(X), len(X[0])
DEFAULT = {"x": X, "weight": [1.0] * UNITS, "bias": [0.0] * UNITS, "correction": 1}
PRESETS = {
    "all x times 5": {"x": [[5 * x for x in row] for row in X]},
    "one loud example": {"x": [[4.0, 1_000.0, -4.5], *X[1:]]},
    "a column of equal numbers": {"x": [[4.0, *row[1:]] for row in X]},
    "gain and shift": {"x": X, "weight": [1.0, 2.0, 0.5], "bias": [0.0, 1.0, -1.0]},
}
LARGEST = 1e6  # that a reader may type: the squares stay numbers
SATURATED = 0.97


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the table shows beside what was typed, float64.

    Attributes
    ----------
    mean, std : ndarray (H,)
        Of each unit over the batch; ``std`` with the state's correction.
    x_hat, y : ndarray (B, H)
    out, without : ndarray (B, H)
        tanh of y, and of x.
    """

    mean: np.ndarray
    std: np.ndarray
    x_hat: np.ndarray
    y: np.ndarray
    out: np.ndarray
    without: np.ndarray


class BatchTable(anywidget.AnyWidget):
    """Change a number of a small batch, and see which others it moves.

    Four examples (rows) of three units (columns). Each cell holds ``x``, which can be changed, and
    below it ``x_hat = (x - mean) / std``, ``y = weight * x_hat + bias`` and ``tanh(y)``, beside the
    ``tanh(x)`` that there would be without batch norm. The mean and the standard deviation are
    those of the column; eps is 0.

    Parameters
    ----------
    state : dict, optional
        Of ``x`` (4 lists of 3 numbers), ``weight`` and ``bias`` (3 numbers) and ``correction``: 1
        to divide the sum of squares by 3, or 0 to divide it by 4.

    Attributes
    ----------
    state : dict
        Set it, in part or in whole; observe it, or link it to another's.
    numbers : Numbers
    presets : dict of str to dict
    text : str
        The line below the table.

    Examples
    --------
    >>> table = BatchTable()
    >>> table.numbers.std.round(2).tolist()
    [2.0, 10.0, 0.58]
    >>> table.state = {"correction": 0}
    >>> table.numbers.std.round(2).tolist()
    [1.73, 8.66, 0.5]
    """

    _esm = Path(__file__).with_suffix(".js")
    _css = Path(__file__).with_suffix(".css")
    state = traitlets.Dict()
    text = traitlets.Unicode().tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)  # all numbers, as they are written
    names = traitlets.List(list(PRESETS)).tag(sync=True)

    def __init__(self, state: dict | None = None):
        self.presets = copy.deepcopy(PRESETS)
        super().__init__()
        self.state = DEFAULT if state is None else DEFAULT | _expect_state(state)
        self.on_msg(self._heard)

    def reset(self):
        """Go back to the default state."""
        self.state = DEFAULT

    def compute(self, state: dict) -> Numbers:
        """Return what follows from a state. Changes nothing."""
        x = np.array(state["x"])  # (B, H)
        # from the first example on: the distances of equal numbers are 0, not rounding errors
        from_first = x - x[0]
        centered = from_first - from_first.mean(axis=0)
        squares = (centered**2).sum(axis=0)  # (H,)
        std = np.sqrt(squares / (EXAMPLES - state["correction"]))
        with np.errstate(invalid="ignore"):  # 0/0 is shown as what it is
            x_hat = centered / std
        y = np.array(state["weight"]) * x_hat + np.array(state["bias"])
        mean = x[0] + from_first.mean(axis=0)
        return Numbers(mean, std, x_hat, y, out=np.tanh(y), without=np.tanh(x))

    @traitlets.validate("state")
    def _complete(self, proposal):
        return self.state | _expect_state(proposal.value)

    @traitlets.observe("state")
    def _show(self, _change):
        with LOCK, self.hold_sync():
            state = self.state
            self.numbers = self.compute(state)
            typed = {name: _written(state[name], "{:.10g}") for name in ("x", "weight", "bias")}
            followed = {name: _written(value) for name, value in vars(self.numbers).items()}
            tanh = {"out": self.numbers.out, "without": self.numbers.without}
            stuck = {name: (np.abs(value) > SATURATED).tolist() for name, value in tanh.items()}
            self.shown = typed | followed | {"stuck": stuck, "correction": state["correction"]}
            self.text = self._describe()

    def _describe(self):
        correction, numbers = self.state["correction"], self.numbers
        saturated = [(np.abs(tanh) > SATURATED).sum() for tanh in (numbers.without, numbers.out)]
        equal = [str(unit + 1) for unit in np.flatnonzero(numbers.std == 0)]
        parts = [
            f"Variance: the sum of squares divided by {EXAMPLES - correction} (correction "
            f"{correction}), eps 0. Beyond {SATURATED} are {saturated[0]} of {EXAMPLES * UNITS} "
            f"tanh outputs without batch norm, {saturated[1]} with it."
        ]
        if equal:
            which = f"unit{'s' * (len(equal) > 1)} {' and '.join(equal)}"
            parts.append(
                f"In {which} all numbers are equal: the std is 0, x_hat is 0/0, not a number "
                "(nan), and so is all that follows. With an eps above 0, x_hat would be 0."
            )
        return " ".join(parts)

    # what the browser says

    def _heard(self, _widget, content, _buffers):
        with LOCK:
            if content.get("preset") in self.presets:
                self.state = self.presets[content["preset"]]
            elif "reset" in content:
                self.reset()
            elif "correction" in content:
                self.state = {"correction": content["correction"]}
            elif "edit" in content:
                self._edit(*content["edit"], content["value"])

    def _edit(self, name, row, column, value):
        """Take what was typed into a field, or say why not."""
        values = copy.deepcopy(self.state[name])
        numbers = values[row] if name == "x" else values
        try:
            numbers[column] = _expect_number("", float(value))
        except ValueError:
            place = f"{name} of unit {column + 1}"
            place += f", example {row + 1}" if name == "x" else ""
            self.text = (
                f"{place}: expected a number from -1e6 to 1e6, got {value!r}. "
                f"It stays {numbers[column]:.10g}."
            )
        else:
            self.state = {name: values}
            self.text = self._describe()  # it may say of another field that it was wrong

    # without a browser

    def __repr__(self):
        mean, std = (", ".join(self.shown[name]) for name in ("mean", "std"))
        return f"BatchTable(correction={self.state['correction']}, mean=[{mean}], std=[{std}])"

    def _repr_mimebundle_(self, **kwargs):
        """Add the table as text, for a page without a kernel."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return data | {"text/plain": self._as_text()}, metadata

    def _as_text(self):
        head = [f"unit {unit + 1}" for unit in range(UNITS)]
        lines = [("", head), ("mean", self.shown["mean"]), ("std", self.shown["std"])]
        lines += [(name, self.shown[name]) for name in ("weight", "bias")]
        labels = {"x": "x", "x_hat": "x_hat", "y": "y", "out": "tanh(y)", "without": "tanh(x)"}
        for row in range(EXAMPLES):
            start = f"example {row + 1}: "
            for name, label in labels.items():
                lines.append((f"{start:11}{label}", self.shown[name][row]))
                start = ""
        rows = [f"{label:18}" + "".join(f"{v:>9}" for v in values) for label, values in lines]
        return "\n".join([*rows, self.text])


def _expect_state(state):
    """Check a state, or a part of one, and return it with lists of floats."""
    expect_kind("state", state, dict)
    checks = {
        "x": lambda x: [_expect_row(f"x[{i}]", row) for i, row in enumerate(_expect_rows(x))],
        "weight": lambda weight: _expect_row("weight", weight),
        "bias": lambda bias: _expect_row("bias", bias),
        "correction": _expect_correction,
    }
    for name in state:
        if name not in checks:
            raise ValueError(f"state: expected {', '.join(checks)}, got {name!r}")
    return {name: checks[name](value) for name, value in state.items()}


def _expect_rows(x):
    if not isinstance(x, list | tuple) or len(x) != EXAMPLES:
        raise ValueError(f"x: expected {EXAMPLES} rows of {UNITS} numbers, got {x!r}")
    return x


def _expect_row(name, row):
    if not isinstance(row, list | tuple) or len(row) != UNITS:
        raise ValueError(f"{name}: expected {UNITS} numbers, got {row!r}")
    return [_expect_number(f"{name}[{i}]", number) for i, number in enumerate(row)]


def _expect_number(name, number):
    kind = isinstance(number, int | float) and not isinstance(number, bool)
    if not kind or not abs(number) <= LARGEST:  # nan is not either
        raise ValueError(f"{name}: expected a number from -1e6 to 1e6, got {number!r}")
    return float(number)


def _expect_correction(correction):
    if isinstance(correction, bool) or correction not in (0, 1):
        raise ValueError(f"correction: expected 0 or 1, got {correction!r}")
    return correction


def _written(values, text=None):
    """Write numbers, in lists of any depth."""
    if isinstance(values, list | np.ndarray):
        return [_written(value, text) for value in values]
    if text is None:
        text = "{:.0f}" if math.isfinite(values) and abs(values) >= 1_000 else "{:z.2f}"
    return text.format(values)
