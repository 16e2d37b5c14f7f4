"""The worker: runs cells and calls functions of a student's, one at a time, as it is told.

It stands alone: the sandbox has this file, ``wire.py``, Python and PyTorch, and nothing else of
the course. The grader starts it as ``python -c "import wire, worker; worker.serve(wire)"`` and
sends it messages on stdin; it answers on stdout. Nothing here is a secret, and nothing here gives
points: a student's code shares this process and might change all of it.
"""

import ast
import contextlib
import io
import os
import re
import sys
import types
import warnings

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

PROCESSES = 64  # with threads, of this user in the sandbox; root has no such limit
# the parts of a name that make it a normalization of PyTorch's own
NORMS = re.compile(
    r"(batch|layer|group|instance|rms)_?norm|local_response_norm|_norm_with_update", re.IGNORECASE
)


class ForbiddenError(Exception):
    """The student's code called what the task asks to write."""


def is_norm(name):
    """Return whether a function of PyTorch is a normalization layer.

    Examples
    --------
    >>> is_norm("aten.native_batch_norm.default"), is_norm("torch.linalg.vector_norm")
    (True, False)
    """
    return NORMS.search(name) is not None


def serve(wire):
    """Answer messages until there are no more.

    Parameters
    ----------
    wire : module
        ``wire.py``, under whatever name it was imported.
    """
    requests, answers = _take_the_wire()
    _limit_processes()
    _pretend_the_course()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    namespace = {"__name__": "__main__", "display": lambda *things, **_: None}
    while len(header := requests.read(wire.HEADER.size)) == wire.HEADER.size:
        request = wire.unpack(requests.read(*wire.HEADER.unpack(header)))
        answer = _answer(request, namespace, wire)
        try:
            packed = wire.pack(answer)
        except wire.WireError:
            packed = wire.pack(_error(request, "TooLarge", "what it returned is too large"))
        answers.write(packed)
        answers.flush()


def _take_the_wire():
    """Keep stdin and stdout for messages and give the student's code others."""
    requests, answers = (os.fdopen(os.dup(fd), mode) for fd, mode in ((0, "rb"), (1, "wb")))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nowhere, fd)
    sys.stdin, sys.stdout, sys.stderr = (
        io.TextIOWrapper(os.fdopen(fd, mode), errors="replace")
        for fd, mode in ((0, "rb"), (1, "wb"), (2, "wb"))
    )
    return requests, answers


def _limit_processes():
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))


class _Anything:
    """Stands for whatever a cell wants from the course's package: it can be had and called."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *arguments, **keywords):
        return self


def _pretend_the_course():
    for name in ("bn_tutorial", "bn_tutorial.checks"):
        module = types.ModuleType(name)
        module.__getattr__ = _Anything().__getattr__
        sys.modules[name] = module
    sys.modules["bn_tutorial"].checks = sys.modules["bn_tutorial.checks"]


def _answer(request, namespace, wire):
    try:
        if request["do"] == "run":
            return {"id": request["id"], **_run(request, namespace)}
        return {"id": request["id"], **_call(request, namespace, wire)}
    except BaseException as error:  # SystemExit and KeyboardInterrupt too
        return _error(request, type(error).__name__, _message(error))


def _error(request, name, message):
    return {"id": request["id"], "error": {"type": name[:100], "message": message[:1_000]}}


def _message(error):
    try:
        text = str(error)
        lines = _lines(error.__traceback__)
    except BaseException:  # of a class of the student's
        return "(its message can't be shown)"
    return f"{text[:900]} ({lines[-1]})".strip() if lines else text


def _lines(trace):
    """Return which lines of which cells a traceback goes through."""
    found = []
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.startswith("cell "):
            found.append(f"line {trace.tb_lineno} of the {name}")
        trace = trace.tb_next
    return found


def _run(request, namespace):
    source, name = request["source"], f"cell {request['name']}"
    if not request["from_master"]:
        exec(compile(source, name, "exec", dont_inherit=True), namespace)
        return {}
    for statement in ast.parse(source).body:  # what the sandbox lacks must not end the whole cell
        with contextlib.suppress(Exception):
            module = ast.Module([statement], type_ignores=[])
            exec(compile(module, name, "exec", dont_inherit=True), namespace)
    return {}


def _call(request, namespace, wire):
    if not callable(function := namespace.get(request["function"])):
        return {"undefined": True}
    given = request["arguments"]
    arguments = [wire.decode(data) for data in given]
    before = [wire.encode(value) for value in arguments]
    if request["forbid_torch_norms"]:
        seen = []
        with _Functions(seen), _Operations(seen):
            value = _guarded(function, arguments, seen)
        if seen:
            return {"forbidden": seen[0]}
    else:
        value = function(*arguments)
    after = [wire.encode(value) for value in arguments]
    changed = [
        [i, new] for i, (old, new) in enumerate(zip(before, after, strict=True)) if old != new
    ]
    return {"value": wire.encode(value), "changed": changed}


def _guarded(function, arguments, seen):
    try:
        return function(*arguments)
    except BaseException:
        if not seen:  # else what was forbidden is what matters
            raise
        return None


class _Functions(TorchFunctionMode):
    """Notices a normalization by the name of the Python function."""

    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if is_norm(name):
            self.seen.append(f"{getattr(func, '__module__', None) or 'torch'}.{name}")
            raise ForbiddenError(name)
        return func(*args, **(kwargs or {}))


class _Operations(TorchDispatchMode):
    """Notices a normalization by the operation that is done, whatever it was called by."""

    @classmethod
    def _should_skip_dynamo(cls):
        return False  # True, PyTorch's default, imports its compiler for the first operation: 2 s

    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if is_norm(str(func)):
            self.seen.append(f"torch.ops.{func}")
            raise ForbiddenError(str(func))
        return func(*args, **(kwargs or {}))
