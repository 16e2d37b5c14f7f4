"""A student's function as a check sees it: called like any other, but at work in the sandbox."""

import re

import torch
from torch import Tensor, nn

from bn_tutorial.grading._process import WorkerFailure
from bn_tutorial.grading.box import wire

DISTURBED = "it wrote into the grader's messages"
QUOTED = 500  # characters of an exception's message


class NoAnswer(Exception):  # noqa: N818 - stands for whatever the function did instead of answering
    """There is no value to return; ``Proxy.failure`` says why."""


class Proxy:
    """Calls a function of the student's in a worker.

    Parameters
    ----------
    ask : callable
        From a request to the worker's answer, a dict; may raise ``WorkerFailure``.
    function : str
    forbid_torch_norms : bool

    Attributes
    ----------
    failure : str or None
        Why there were no answers from some call on, in words for the student; whatever the check
        makes of that, the task has no points.
    kind : str or None
        As of a ``Result``.
    """

    def __init__(self, ask, function, *, forbid_torch_norms=False):
        self._ask, self._function, self._forbid = ask, function, forbid_torch_norms
        self.failure = self.kind = None

    def __call__(self, *arguments):
        if self.failure:
            raise NoAnswer(self.failure)
        request = {
            "do": "call",
            "function": self._function,
            "arguments": [wire.encode(argument) for argument in arguments],
            "forbid_torch_norms": self._forbid,
        }
        try:
            answer = self._ask(request)
            if "error" in answer:
                raise exception(answer["error"])
            self._look_for_failure(answer)
            value = wire.decode(answer.get("value"))
            put_back(arguments, answer.get("changed"))
        except WorkerFailure as failure:
            self._fail(failure.kind, str(failure))
        except wire.WireError:
            self._fail("no answer", DISTURBED)
        return value

    def _look_for_failure(self, answer):
        if "undefined" in answer:
            self._fail("undefined", f"{self._function} is not defined")
        if "forbidden" in answer:
            name = clean(str(answer["forbidden"]), 100)
            self._fail("forbidden", f"it calls {name}, and the task is to write it yourself")

    def _fail(self, kind, reason):
        self.kind, self.failure = kind, clean(reason)
        raise NoAnswer(self.failure) from None


def clean(text, longest=QUOTED):
    """Return a text on one line, shortened, without what can't be printed."""
    line = " ".join(text[: 4 * longest].split())
    line = "".join(character for character in line if character.isprintable())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def exception(error):
    """Return an exception of the same name and message as the one in the worker.

    Raises
    ------
    WireError
        If it is no description of an exception.
    """
    if not (isinstance(error, dict) and all(isinstance(v, str) for v in error.values())):
        raise wire.WireError("expected an exception's type and message")
    name = re.sub(r"\W", "", error.get("type", ""))[:60] or "Exception"
    return type(name, (Exception,), {})(clean(error.get("message", "")))


def put_back(arguments, changed):
    """Change the arguments as the function changed its copies of them: a list of [int, JSON].

    Raises
    ------
    WireError
        If that is not what it is.
    """
    if not isinstance(changed, list):
        raise wire.WireError("expected a list of changes")
    for change in changed:
        if not (isinstance(change, list) and len(change) == 2 and type(change[0]) is int):
            raise wire.WireError("expected an index and a value")
        if not 0 <= change[0] < len(arguments):
            raise wire.WireError("expected an index of an argument")
        _put(arguments[change[0]], wire.decode(change[1]))


def _put(old, new):
    if isinstance(old, Tensor) and isinstance(new, Tensor):
        with torch.no_grad():
            if old.shape == new.shape and old.dtype == new.dtype:
                old.copy_(new)
            else:
                old.data = new
    elif isinstance(old, nn.Module) and type(new) is type(old):
        old._parameters.update(new._parameters)
        old._buffers.update({k: v for k, v in new._buffers.items() if k.startswith("running")})
        old.train(new.training)
    elif isinstance(old, list) and isinstance(new, list):
        old[:] = new
    elif isinstance(old, dict) and isinstance(new, dict):
        old.clear()
        old.update(new)
