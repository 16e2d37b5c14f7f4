"""A check leaves everything as it was, whatever a learner's code does, and shows what it raised.

In a notebook learners can only fool themselves, so nothing here guards against somebody who
replaces parts of torch; the grader runs a student's code in another process, and a check there
calls a proxy of it.
"""

import functools
import gc
import random
import sys
import warnings
from contextlib import contextmanager
from io import TextIOBase

import numpy as np
import torch

from bn_tutorial.checks.verdict import Verdict

SHOWN, ALLOWED = 2_000, 100_000  # characters of output a check lets through, and that end it
QUOTED = 200  # characters of a learner's text in a message


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


def isolated(check):
    """Make a check leave no trace, and never raise for what a learner's code does.

    While it runs, gradients are recorded, the default dtype is float32, torch has one thread,
    garbage waits, warnings are hidden and at most ``SHOWN`` characters of output get through.
    Afterwards all of that, and the random generators of torch, NumPy and Python, are what they
    were. Only the user's interrupt goes through.
    """

    @functools.wraps(check)
    def guarded(candidate, *more, **keywords):
        with _left_as_it_was():
            try:
                return check(candidate, *more, **keywords)
            except KeyboardInterrupt:
                raise
            except BaseException as caught:
                return Verdict(False, None, f"it could not be checked: {describe(caught)}")

    return guarded


@contextmanager
def _left_as_it_was():
    generators = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    streams, collecting = (sys.stdout, sys.stderr), gc.isenabled()
    gc.disable()  # with torch loaded, one collection may take longer than the whole check
    try:
        with same_settings():
            sys.stdout, sys.stderr = map(_Output, streams)
            yield
    finally:
        sys.stdout, sys.stderr = streams
        (gc.enable if collecting else gc.disable)()
        torch.set_rng_state(generators[0])
        np.random.set_state(generators[1])  # noqa: NPY002
        random.setstate(generators[2])


@contextmanager
def same_settings():
    """Compute with the same settings every time, and set them back afterwards.

    Each call of an answer has them, too: else what it sets would hold for the right code and the
    known bugs that are run after it, and what they do is kept.
    """
    grad_enabled, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    threads = torch.get_num_threads()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.set_num_threads(1)  # at these sizes more of them only wait for each other
            torch.set_grad_enabled(True)
            torch.set_default_dtype(torch.float32)
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad_enabled)


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
