"""Calls of a learner's code that can't harm the check: what it did comes back as a record."""

import copy
import functools
import gc
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from dis import opname
from io import TextIOBase
from random import getstate, setstate

from numpy.random import get_state, set_state
from torch import (
    Tensor,
    float32,
    get_default_dtype,
    get_num_threads,
    get_rng_state,
    is_grad_enabled,
    set_default_dtype,
    set_grad_enabled,
    set_num_threads,
    set_rng_state,
)
from torch.nn import Module

from bn_tutorial.checks.verdict import Verdict

SHOWN, ALLOWED = 2_000, 100_000  # characters of output a check lets through, and that end it
QUOTED = 200  # characters of a learner's text in a message

# bound here, so that a learner who replaces them does not change what is compared
detach, clone, to_numpy = Tensor.detach, Tensor.clone, Tensor.numpy


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
        If the user interrupts (not if the function raises one by itself).
    """
    given = {name: _copy(value) for name, value in arguments.items()}
    value, error, error_type = None, None, None
    try:
        value = function(*given.values())
        if read is not None and value is not None and value is not ...:
            value = read(value)
    except BaseException as caught:
        if is_interrupt(caught):
            raise
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
            except BaseException as caught:
                if is_interrupt(caught):
                    raise
                return Verdict(False, None, f"it could not be checked: {describe(caught)}")

    return guarded


def describe(error):
    """Give an exception's type and message on one line, shortened."""
    name = one_line(type(error).__name__)
    try:
        text = one_line(error)
    except BaseException as caught:
        if is_interrupt(caught):
            raise
        text = "(its message can't be shown)"
    return f"{name}: {text}" if text else name


def one_line(text):
    """Shorten a text and leave nothing in it that does not print on one line."""
    words = " ".join(str(text)[: 4 * QUOTED].split())
    shown = "".join(character for character in words if character.isprintable())
    return shown if len(shown) <= QUOTED else f"{shown[: QUOTED - 1]}…"


def is_interrupt(error):
    """Tell the user's interrupt from a KeyboardInterrupt that the code raises by itself.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    bool
    """
    if not isinstance(error, KeyboardInterrupt):
        return False
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    # a signal is served between two other instructions, never by a raise statement
    code = None if trace is None else trace.tb_frame.f_code.co_code
    return code is None or opname[code[trace.tb_lasti]] != "RAISE_VARARGS"


@contextmanager
def _left_as_it_was():
    generators = get_rng_state(), get_state(), getstate()  # noqa: NPY002
    grad_enabled, dtype, threads = is_grad_enabled(), get_default_dtype(), get_num_threads()
    streams, collecting = (sys.stdout, sys.stderr), gc.isenabled()
    gc.disable()  # with torch loaded, one collection may take longer than the whole check
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sys.stdout, sys.stderr = map(_Output, streams)
            set_num_threads(1)  # at these sizes more of them only wait for each other
            set_grad_enabled(True)
            set_default_dtype(float32)
            yield
    finally:
        sys.stdout, sys.stderr = streams
        (gc.enable if collecting else gc.disable)()
        set_num_threads(threads)
        set_default_dtype(dtype)
        set_grad_enabled(grad_enabled)
        set_rng_state(generators[0])
        set_state(generators[1])  # noqa: NPY002
        setstate(generators[2])


def _copy(value):
    return clone(detach(value)) if isinstance(value, Tensor) else copy.deepcopy(value)


def _same(value, before):
    if isinstance(before, Tensor):
        value, before = to_numpy(detach(value)), to_numpy(detach(before))
        # bytes, because a NaN is equal to itself there
        return value.shape == before.shape and value.tobytes() == before.tobytes()
    if isinstance(before, Module):
        states = value.state_dict(), before.state_dict()
        return (
            value.training == before.training
            and states[0].keys() == states[1].keys()
            and all(map(_same, states[0].values(), states[1].values()))
        )
    return value == before
