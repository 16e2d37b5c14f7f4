"""One submission -> points and reasons."""

import re
import threading
from dataclasses import asdict, dataclass

from bn_tutorial import checks
from bn_tutorial.grading._process import WorkerFailure
from bn_tutorial.grading._proxy import Proxy, clean
from bn_tutorial.grading._session import Session

LONGEST = 1_000  # characters of a reason
ONE_AT_A_TIME = threading.Lock()  # a check sets things that belong to the whole process


@dataclass(frozen=True)
class Result:
    """What came of one task.

    Attributes
    ----------
    task : str
    points, of : float
    kind : str
        ``"right"``, ``"known bug"``, ``"wrong"``, ``"not attempted"``; or why nothing could be
        checked: ``"no answer"``, ``"forbidden"``, ``"undefined"``, ``"missing"``.
    bug : str or None
        The name of the known bug.
    reason : str
        For the student, plain text on one line.
    """

    task: str
    points: float
    of: float
    kind: str
    bug: str | None
    reason: str


def grade(submission, assignment, limits, confined):
    """Grade a submission: list of dict, one ``Result`` a task, in the assignment's order.

    Raises
    ------
    SandboxError
        If no worker can be started here.
    """
    with (
        ONE_AT_A_TIME,
        Session(assignment.code, submission, limits, confined=confined) as session,
    ):
        return [asdict(_grade(task, submission, session)) for task in assignment.tasks]


def _grade(task, submission, session):
    def none(kind, reason, bug=None):
        return Result(task.name, 0, task.points, kind, bug, clean(reason, LONGEST))

    if task.solution not in submission.cells:
        return none("missing", f"the cell {task.solution} is not in the notebook")
    try:
        session.prepare(task.solution)
    except WorkerFailure as failure:
        return none("no answer", str(failure))
    proxy = Proxy(session.ask, task.function, forbid_torch_norms=task.forbid_torch_norms)
    verdict = getattr(checks, task.check)(proxy)
    if proxy.kind == "undefined":
        return none("undefined", _why_undefined(task, session.errors, submission.repeated))
    if proxy.failure:
        return none(proxy.kind, proxy.failure)
    reason = clean(str(verdict.message), LONGEST)
    if verdict.passed:
        return Result(task.name, task.points, task.points, "right", None, reason)
    kind = "known bug" if verdict.bug else "wrong" if verdict.attempted else "not attempted"
    return none(kind, reason + _hint(verdict.message, submission.others), verdict.bug)


def _why_undefined(task, errors, repeated):
    if task.solution in errors:
        how = errors[task.solution]
        return f"{task.function} is not defined, because of how its cell ended: {how}"
    more = " (the notebook has this cell more than once: the last one counts)"
    where = more if task.solution in repeated else ""
    return f"the cell {task.solution} defines no function {task.function}{where}"


def _hint(message, others):
    """Return what the sandbox has to do with an exception."""
    if name := re.search(r"name '(\w+)' is not defined", message):
        defines = re.compile(rf"^\s*(def|class)\s+{name[1]}\b|^{name[1]}\s*=", re.MULTILINE)
        if any(defines.search(source) for source in others):
            return f" (what a cell of your own computes is not run: move {name[1]} into this cell)"
    if re.search(r"PermissionError|FileNotFoundError|Read-only file|ConnectionRefused", message):
        return " (the grader has no network, no other programs and none of your files)"
    if "ModuleNotFoundError" in message:
        return " (the grader has PyTorch and NumPy, and what they need)"
    if re.search(r"MemoryError|allocate memory", message):
        return " (that is more memory than the grader gives)"
    return ""
