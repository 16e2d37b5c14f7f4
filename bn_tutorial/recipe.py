"""The recipe: everything that determines a training run, apart from the data."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from bn_tutorial._expect import expect_integer, expect_number

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class StepDecay:
    """A learning rate that drops once: ``before`` up to step ``at``, from there on ``after``.

    Examples
    --------
    >>> schedule = StepDecay(0.1, 0.01, at=30_000)
    >>> schedule(29_999), schedule(30_000)
    (0.1, 0.01)
    """

    before: float
    after: float
    at: int

    def __post_init__(self):
        object.__setattr__(self, "at", expect_integer("at", self.at, 0))

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.before if step < self.at else self.after


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that determines a training run, apart from the data.

    The defaults are the course's seed recipe with batch norm.

    Parameters
    ----------
    norm : {"batch", "layer", None}
        What normalizes each hidden layer.
    placement : {"before", "after"}
        Where the norm stands: between the hidden Linear and its tanh, or after the tanh.
    depth : int
        Number of hidden layers, L.
    hidden : int
        Units of a hidden layer, H.
    embedding : int
        Dimension of the symbols' vectors, E.
    hidden_bias : bool
        Whether the hidden Linears have a bias.
    hidden_gain, output_gain : float
        Factors on the weights and biases that are drawn for the hidden layers and the output.
    correction : {1, 0}
        BatchNorm's variance divides by ``batch_size - correction``.
    eps : float
        What the norm adds to the variance, inside the root.
    steps : int
        Number of updates by plain SGD.
    batch_size : int
        B. With batch norm at least 2: one example has no variance.
    learning_rate : float or callable
        A number, or a schedule: step -> number.
    seed : int
        Of the generator that draws the parameters and then the batches.
    dtype : torch.dtype or str
        ``torch.float32`` or ``torch.float64``. Both start from the same float32 draws.

    Raises
    ------
    ValueError
        If a field is not as described; the message names the field.

    Examples
    --------
    >>> Recipe(norm=None, learning_rate=0.3).batch_size
    64
    >>> Recipe(depth=0)
    Traceback (most recent call last):
    ...
    ValueError: depth: expected an integer of at least 1, got 0
    """

    norm: str | None = "batch"
    placement: str = "before"
    depth: int = 1
    hidden: int = 100
    embedding: int = 2
    hidden_bias: bool = True
    hidden_gain: float = 1.0
    output_gain: float = 1.0
    correction: int = 1
    eps: float = 0.0
    steps: int = 50_000
    batch_size: int = 64
    learning_rate: float | Callable[[int], float] = StepDecay(0.1, 0.01, at=30_000)
    seed: int = 23
    dtype: torch.dtype = torch.float32

    def __post_init__(self):
        if isinstance(self.dtype, str):
            object.__setattr__(self, "dtype", DTYPES.get(self.dtype, self.dtype))
        _expect_one_of(self, "norm", ("batch", "layer", None))
        _expect_one_of(self, "placement", ("before", "after"))
        _expect_one_of(self, "correction", (1, 0))
        _expect_one_of(self, "hidden_bias", (True, False))
        _expect_one_of(self, "dtype", tuple(DTYPES.values()))
        for field in ("depth", "hidden", "embedding"):
            self._take(field, expect_integer, 1)
        self._take("steps", expect_integer, 0)
        self._take("seed", expect_integer, 0, 2**64 - 1)
        why = " with batch norm" if self.norm == "batch" else ""
        self._take("batch_size", expect_integer, 2 if why else 1, why=why)
        self._take("hidden_gain", expect_number)
        self._take("output_gain", expect_number)
        self._take("eps", expect_number, 0)
        if not callable(self.learning_rate):
            self._take("learning_rate", expect_number, 0)
            self._expect_in_dtype(self.learning_rate)

    def _take(self, field, expect, *bounds, **why):
        """Keep a field as Python's own int or float: NumPy's integers are not torch's."""
        object.__setattr__(self, field, expect(field, getattr(self, field), *bounds, **why))

    def learning_rates(self) -> np.ndarray:
        """Return the learning rate of every step: float64 ndarray (steps,).

        Raises
        ------
        ValueError
            If the schedule gives something else than a finite number of at least 0 that the dtype
            can hold.
        """
        if not callable(self.learning_rate):
            return np.full(self.steps, float(self.learning_rate))
        rates = [self.learning_rate(step) for step in range(self.steps)]
        for step, rate in enumerate(rates):
            try:
                expect_number("learning_rate", rate, 0)
            except ValueError:
                raise ValueError(
                    f"learning_rate: expected a schedule of finite numbers of at least 0, "
                    f"got {rate!r} at step {step}"
                ) from None
            self._expect_in_dtype(rate, f" at step {step}")
        return np.array(rates, dtype=float)

    def _expect_in_dtype(self, rate, where=""):
        if rate > torch.finfo(self.dtype).max:
            raise ValueError(
                f"learning_rate: expected a number that {self.dtype} can hold, got {rate!r}{where}"
            )


def _expect_one_of(recipe, field, allowed):
    value = getattr(recipe, field)
    if not any(value is a or (type(value) is type(a) and value == a) for a in allowed):
        raise ValueError(f"{field}: expected one of {', '.join(map(repr, allowed))}, got {value!r}")
