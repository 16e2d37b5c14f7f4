"""What an answer is seen to do, and how that is compared."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from bn_tutorial.checks.guard import call, one_line

# after these the next case is tried: a wrong axis may raise in one shape and not in another
GO_ON = {"RuntimeError", "ValueError", "IndexError"}
FLOATS = (torch.float16, torch.float32, torch.float64)
FLOOR = 1e-3  # below this size of the largest number a tolerance stops shrinking


class Complaint(str):
    """Stands where an array was expected: what came instead."""


@dataclass(frozen=True)
class Observation:
    """What an answer did with one input.

    Attributes
    ----------
    where : str
        Which input, for the message.
    values : dict of str to ndarray or Complaint
        The outputs by name.
    problem : str or None
        What happened instead, or besides: an exception, a changed input.
    error_type : str or None
    stub : str or None
        How one sees that this is a stub.
    fragile : bool
        A wrong answer depends on rounding here: no two are compared with each other.
    slack : float
        How much more than the usual tolerance is allowed.
    """

    where: str
    values: dict
    problem: str | None = None
    error_type: str | None = None
    stub: str | None = None
    fragile: bool = False
    slack: float = 1.0

    @property
    def fatal(self):
        """Whether it makes no sense to go on with another input."""
        return self.error_type is not None and self.error_type not in GO_ON


def observe(where, function, arguments, read, *, fragile=False, slack=1.0):
    """Call a function and note what it did.

    Parameters
    ----------
    where : str
    function : callable
    arguments : dict
    read : callable
        From what it returned to ``Observation.values``, or to a ``Complaint``; ``tensors`` makes
        one. Where it returns None, or a list of nothing else, the answer is a stub.
    fragile : bool
    slack : float

    Returns
    -------
    Observation
    """
    outcome = call(function, arguments, read)
    problem, values = None, outcome.value
    if outcome.error is not None:
        problem = f"it raised {outcome.error}"
    elif outcome.stub:
        problem = outcome.stub
    elif isinstance(values, Complaint):
        problem = str(values)
    elif outcome.changed:
        problem = f"it changes its input {' and '.join(outcome.changed)} in place"
    if not isinstance(values, dict):
        values = {}
    return Observation(where, values, problem, outcome.error_type, outcome.stub, fragile, slack)


def tensors(*outputs):
    """Return what reads an answer of tensors: one, or several as a tuple.

    Parameters
    ----------
    *outputs : str
        Their names.

    Returns
    -------
    callable
        As ``observe`` takes it.
    """

    def read(value):
        return as_arrays({outputs[0]: value} if len(outputs) == 1 else _unpack(value, outputs))

    return read


def as_arrays(values):
    """Turn the tensors of a dict into arrays; return a complaint or a stub as it is."""
    if not isinstance(values, dict):
        return values
    return {name: _as_array(value) for name, value in values.items()}


def _unpack(value, outputs):
    if not isinstance(value, tuple | list):
        return Complaint(f"expected a tuple ({', '.join(outputs)}), got {_kind(value)}")
    if value and all(part is None or part is ... for part in value):
        return list(value)
    if len(value) != len(outputs):
        came = f"{_kind(value)} of {len(value)}"
        return Complaint(f"expected a tuple ({', '.join(outputs)}), got {came}")
    return dict(zip(outputs, value, strict=True))


def _as_array(value):
    if type(value) not in (torch.Tensor, nn.Parameter):
        return Complaint(f"expected a torch.Tensor, got {_kind(value)}")
    if value.dtype not in FLOATS or value.layout != torch.strided or value.device.type != "cpu":
        came = f"a tensor of {value.dtype} on {value.device}"
        return Complaint(f"expected floating-point numbers, got {came}")
    return value.detach().numpy().astype(np.float64)


def _kind(value):
    return "None" if value is None else one_line(type(value).__name__)


def difference(seen, expected, tolerance):
    """Return what is wrong with one observation, in words, or None.

    Parameters
    ----------
    seen, expected : Observation
    tolerance : float
        Relative to the largest expected number of an output.

    Returns
    -------
    str or None
    """
    if seen.problem:
        return seen.problem
    tolerance *= seen.slack
    for name, want in expected.values.items():
        got = seen.values.get(name, Complaint("is missing"))
        if isinstance(got, Complaint):
            return f"{name}: {got}"
        if wrong := _array_difference(name, got, want, tolerance, seen.fragile):
            return wrong
    return None


def _array_difference(name, got, want, tolerance, fragile):
    got = _fit(got, want)
    if got.shape != want.shape:
        return f"{name} has shape {got.shape}, expected {want.shape}"
    apart = np.abs(got - want)
    if not np.isfinite(got).all():
        apart = np.where(np.isfinite(got), 0.0, 1.0)
    elif (apart <= _allowed(want, tolerance)).all():
        return None
    if fragile:  # what rounding makes of a wrong formula differs between machines
        return f"{name} is far from what was expected"
    # the first of the worst: which of them is the very worst may be a matter of rounding
    at = np.unravel_index(np.argmax(apart > 0.9 * apart.max()), want.shape)
    place = f"{name}[{', '.join(map(str, at))}]" if at else name
    return f"{place} is {got[at]:.5g}, expected {want[at]:.5g}"


def _fit(got, want):
    """Let a row (1, H) stand for (H,)."""
    row = want.ndim == 1 and got.shape == (1, *want.shape)
    return got.reshape(want.shape) if row else got


def _allowed(want, tolerance):
    return tolerance * max(np.abs(want).max(initial=0.0), FLOOR)


def alike(seen, other, expected, tolerance):
    """Whether two observations of the same input show the same behaviour.

    Parameters
    ----------
    seen, other : Observation
    expected : list of Observation
        What right answers do.
    tolerance : float

    Returns
    -------
    bool
    """
    if seen.fragile:  # difference() knows of slack
        right = [any(not difference(o, e, tolerance) for e in expected) for o in (seen, other)]
        return right[0] == right[1]
    if (seen.error_type, seen.stub) != (other.error_type, other.stub):
        return False
    if seen.error_type is None and seen.problem != other.problem:
        return False
    tolerance *= seen.slack
    return seen.values.keys() == other.values.keys() and all(
        _alike_arrays(value, other.values[name], tolerance) for name, value in seen.values.items()
    )


def _alike_arrays(a, b, tolerance):
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
        return type(a) is type(b) and a == b
    a, b = _fit(a, b), _fit(b, a)
    if a.shape != b.shape:
        return False
    with np.errstate(invalid="ignore"):  # the distance of two infinities
        close = np.abs(a - b) <= _allowed(b[np.isfinite(b)], tolerance)
    return bool((close | (a == b) | np.isnan(a) & np.isnan(b)).all())
