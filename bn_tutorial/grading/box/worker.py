"""The worker: runs cells and calls functions of a student's, one at a time, as it is told.

It stands alone: the sandbox has the files of this folder, Python and the installed packages, and
nothing else of the course. The grader starts it as ``python -c "…; worker.serve(wire, cells)"``
and sends it messages on stdin; it answers on stdout. Nothing here is a secret, and nothing here
gives points: a student's code shares this process and might change all of it.
"""

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


def serve(wire, cells):
    """Answer messages until there are no more.

    Parameters
    ----------
    wire, cells : module
        Those beside this one, under whatever name they were imported.
    """
    requests, answers = _take_the_wire()
    _limit_processes()
    _pretend_the_course(cells.Anything())
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    notebook = cells.Cells()
    while len(header := requests.read(wire.HEADER.size)) == wire.HEADER.size:
        request = wire.unpack(requests.read(*wire.HEADER.unpack(header)))
        answer = _answer(request, notebook, wire)
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


def _pretend_the_course(anything):
    for name in ("bn_tutorial", "bn_tutorial.checks"):
        module = types.ModuleType(name)
        module.__getattr__ = anything.__getattr__
        sys.modules[name] = module
    sys.modules["bn_tutorial"].checks = sys.modules["bn_tutorial.checks"]


def _answer(request, notebook, wire):
    try:
        if request["do"] == "run":
            failed = notebook.run(request["name"], request["source"], request["seconds"])
            told = [{**_told(each["error"]), "names": each["names"]} for each in failed]
            return {"id": request["id"], "failed": told}
        return {"id": request["id"], **_call(request, notebook.namespace, wire)}
    except BaseException as error:  # SystemExit and KeyboardInterrupt too
        told = _told(error)
        return _error(request, told["type"], told["message"])


def _error(request, name, message):
    return {"id": request["id"], "error": {"type": name, "message": message}}


def _told(error):
    return {"type": type(error).__name__[:100], "message": _message(error)[:1_000]}


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


def _call(request, namespace, wire):
    if not callable(function := namespace.get(request["function"])):
        return {"undefined": True}
    given = request["arguments"]
    arguments = [wire.decode(data) for data in given]
    before = [wire.encode(value) for value in arguments]
    # as in a notebook, where a check has these settings for each call
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if request["forbid_torch_norms"]:
            seen = []
            with _Functions(seen), _Operations(seen):
                answer = _guarded(function, arguments, seen, wire)
            if seen:
                return {"forbidden": seen[0]}
        else:
            answer = _encoded(function, arguments, wire)
    value, after = answer
    changed = [
        [i, new] for i, (old, new) in enumerate(zip(before, after, strict=True)) if old != new
    ]
    return {"value": value, "changed": changed}


def _encoded(function, arguments, wire):
    # what reads them may be the student's too: it belongs to the call
    return wire.encode(function(*arguments)), [wire.encode(value) for value in arguments]


def _guarded(function, arguments, seen, wire):
    try:
        return _encoded(function, arguments, wire)
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
