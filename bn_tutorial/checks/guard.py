"""Calls of a learner's code: what it did comes back as a record, and nothing of it stays.

In a notebook learners can only fool themselves, so nothing here guards against somebody who
replaces parts of torch; the grader runs a student's code in another process, and a check there
calls a proxy of it.
"""

import copy
import functools
import gc
import random
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOBase

import numpy as np
import torch
from torch import Tensor, nn

from bn_tutorial.checks.verdict import Verdict

SHOWN, ALLOWED = 2_000, 100_000  # characters of output a check lets through, and that end it
QUOTED = 200  # characters of a learner's text in a message


@dataclass(frozen=True)
class Outcome:
    """What one call did.

    Attributes
    ----------
    value : object
        What it returned; None where it raised.
    error : str or None
        The exception's type and message, on one line.
    error_type : str or None
        The name of the exception's type.
    changed : tuple of str
        The names of the arguments that are not what they were before.
    """

    value: object = None
    error: str | None = None
    error_type: str | None = None
    changed: tuple[str, ...] = ()

    @property
    def stub(self):
        """How one sees that this is a stub, or None."""
        if self.error_type == "NotImplementedError":
            return "it raises NotImplementedError"
        if self.error is None and (self.value is None or self.value is ...):
            return f"it returns {self.value}"
        parts = self.value if type(self.value) in (tuple, list) else ()
        empty = parts and all(part is None or part is ... for part in parts)
        return "it returns nothing but None" if empty else None


class OutputLimitError(BaseException):
    """Ends code that prints without end; no Exception, so that few handlers catch it."""


class _Output(TextIOBase):
    """Stands for stdout or stderr: shows the beginning, and stops what has no end."""

    def __init__(self, stream):
        self._stream, self._count = stream, 0

    def write(self, text):
        room = SHOWN - self._count
        self._count += len(text)
        if room > 0 and self._stream is not None:
            self._stream.write(text[:room])
            if self._count > SHOWN:
                self._stream.write(f"… (only the first {SHOWN} characters are shown)\n")
        if self._count > ALLOWED:
            raise OutputLimitError(f"more than {ALLOWED} characters were printed")
        return len(text)


def call(function, arguments, read=None):
    """Call a function with copies of its arguments and record what happens.

    Parameters
    ----------
    function : callable
    arguments : dict
        Passed by position, in this order; the names are for messages. Tensors are copied without
        their graph, everything else (modules, lists) is deep-copied.
    read : callable, optional
        Turns what the function returned into what is compared. It runs under the same protection,
        at once, before another call can overwrite a buffer that the function returned.

    Returns
    -------
    Outcome
        Whatever the function raises is in it: ``SystemExit`` and the like too.

    Raises
    ------
    KeyboardInterrupt
        If the user interrupts.
    """
    given = {name: _copy(value) for name, value in arguments.items()}
    value, error, error_type = None, None, None
    try:
        value = function(*given.values())
        if read is not None and value is not None and value is not ...:
            value = read(value)
    except KeyboardInterrupt:
        raise
    except BaseException as caught:
        value, error, error_type = None, describe(caught), one_line(type(caught).__name__)
    changed = tuple(name for name in given if not _same(given[name], arguments[name]))
    return Outcome(value, error, error_type, changed)


def isolated(check):
    """Make a check leave no trace and never raise for what a learner's code does.

    While it runs, gradients are recorded, the default dtype is float32, torch has one thread,
    garbage waits, warnings are hidden and at most ``SHOWN`` characters of output get through.
    Afterwards all of that, and the random generators of torch, NumPy and Python, are what they
    were.

    Parameters
    ----------
    check : callable
        From a learner's function or class, and keywords, to a ``Verdict``.

    Returns
    -------
    callable

    Raises
    ------
    KeyboardInterrupt
        If the user interrupts.
    """

    @functools.wraps(check)
    def guarded(candidate, **keywords):
        with _left_as_it_was():
            try:
                return check(candidate, **keywords)
            except KeyboardInterrupt:
                raise
            except BaseException as caught:
                return Verdict(False, None, f"it could not be checked: {describe(caught)}")

    return guarded


def describe(error):
    """Return an exception's type and message on one line, shortened."""
    name = one_line(type(error).__name__)
    try:
        text = one_line(error)
    except Exception:
        text = "(its message can't be shown)"
    return f"{name}: {text}" if text else name


def one_line(text):
    """Shorten a text and leave nothing in it that does not print on one line."""
    words = " ".join(str(text)[: 4 * QUOTED].split())
    shown = "".join(character for character in words if character.isprintable())
    return shown if len(shown) <= QUOTED else f"{shown[: QUOTED - 1]}…"


@contextmanager
def _left_as_it_was():
    generators = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    grad_enabled, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    threads = torch.get_num_threads()
    streams, collecting = (sys.stdout, sys.stderr), gc.isenabled()
    gc.disable()  # with torch loaded, one collection may take longer than the whole check
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sys.stdout, sys.stderr = map(_Output, streams)
            torch.set_num_threads(1)  # at these sizes more of them only wait for each other
            torch.set_grad_enabled(True)
            torch.set_default_dtype(torch.float32)
            yield
    finally:
        sys.stdout, sys.stderr = streams
        (gc.enable if collecting else gc.disable)()
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad_enabled)
        torch.set_rng_state(generators[0])
        np.random.set_state(generators[1])  # noqa: NPY002
        random.setstate(generators[2])


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
