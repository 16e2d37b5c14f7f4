"""What an answer is seen to do: it is called, and all that comes of it becomes a record."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bn_tutorial.checks.guard import describe, one_line, same_settings

# after these the next case is tried: a wrong axis may raise in one shape and not in another
GO_ON = {"RuntimeError", "ValueError", "IndexError"}
FLOATS = (torch.float16, torch.float32, torch.float64)


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
        The name of the exception's type.
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
    """Call a function with copies of its arguments, and return the ``Observation`` of it.

    Whatever the function raises is in it, ``SystemExit`` and the like too; only the user's
    ``KeyboardInterrupt`` goes through.

    Parameters
    ----------
    where, fragile, slack
        As in ``Observation``.
    function : callable
    arguments : dict
        Passed by position, in this order; the names are for messages. Tensors are copied without
        their graph, everything else (modules, lists) is deep-copied.
    read : callable
        From what the function returned to ``Observation.values``, or to a ``Complaint``;
        ``tensors`` makes one. It is called at once, before another call can overwrite a buffer
        that the function returned. Where it returns None, or a list of nothing else, the answer
        is a stub.
    """
    given = {name: _copy(value) for name, value in arguments.items()}
    value, problem, error_type = None, None, None
    try:
        with same_settings():
            value = function(*given.values())
            if value is not None and value is not ...:
                value = read(value)
    except KeyboardInterrupt:
        raise
    except BaseException as caught:
        value, problem = None, f"it raised {describe(caught)}"
        error_type = one_line(type(caught).__name__)
    changed = [name for name in given if not _same(given[name], arguments[name])]
    stub = _stub(value, error_type)
    if problem is None:
        if stub:
            problem = stub
        elif isinstance(value, Complaint):
            problem = str(value)
        elif changed:
            problem = f"it changes its input {' and '.join(changed)} in place"
    values = value if isinstance(value, dict) else {}
    return Observation(where, values, problem, error_type, stub, fragile, slack)


def _stub(value, error_type):
    if error_type is not None:
        return "it raises NotImplementedError" if error_type == "NotImplementedError" else None
    if value is None or value is ...:
        return f"it returns {value}"
    return "it returns nothing but None" if _nothing_but_none(value) else None


def _nothing_but_none(parts):
    several = isinstance(parts, tuple | list) and len(parts) > 0
    return several and all(part is None or part is ... for part in parts)


def _copy(value):
    return value.detach().clone() if isinstance(value, Tensor) else copy.deepcopy(value)


def _same(value, before):
    if isinstance(before, Tensor):
        value, before = value.detach().numpy(), before.detach().numpy()
        # bytes, because a NaN is equal to itself there
        return value.shape == before.shape and value.tobytes() == before.tobytes()
    if isinstance(before, nn.Module):
        states = value.state_dict(), before.state_dict()
        return (
            value.training == before.training
            and states[0].keys() == states[1].keys()
            and all(map(_same, states[0].values(), states[1].values()))
        )
    return value == before


def tensors(*outputs):
    """Return what reads, for ``observe``, an answer of one tensor, or of several as a tuple."""

    def read(value):
        return as_arrays({outputs[0]: value} if len(outputs) == 1 else _unpack(value, outputs))

    return read


def as_arrays(values):
    """Turn the tensors of a dict into arrays; return a complaint or a stub as it is."""
    if not isinstance(values, dict):
        return values
    return {name: _as_array(value) for name, value in values.items()}


def _unpack(value, outputs):
    expected = f"expected a tuple ({', '.join(outputs)})"
    if not isinstance(value, tuple | list):
        return Complaint(f"{expected}, got {kind(value)}")
    if _nothing_but_none(value):
        return list(value)
    if len(value) != len(outputs):
        return Complaint(f"{expected}, got {kind(value)} of {len(value)}")
    return dict(zip(outputs, value, strict=True))


def _as_array(value):
    if type(value) not in (Tensor, nn.Parameter):
        return Complaint(f"expected a torch.Tensor, got {kind(value)}")
    if value.dtype not in FLOATS or value.layout != torch.strided or value.device.type != "cpu":
        came = f"a tensor of {value.dtype} on {value.device}"
        return Complaint(f"expected floating-point numbers, got {came}")
    return value.detach().numpy().astype(np.float64)


def kind(value):
    """Return the name of a value's type, for a message."""
    return "None" if value is None else one_line(type(value).__name__)
