"""One submission -> points and reasons."""

import re
import threading
from dataclasses import asdict, dataclass

from bn_tutorial import checks
from bn_tutorial.grading._process import WorkerFailure
from bn_tutorial.grading._proxy import Proxy, clean
from bn_tutorial.grading._session import Session
from bn_tutorial.grading.program import is_task, program

OTHER_INPUTS = " These are other inputs than the notebook's, with which it was right."
LONGEST = 1_000  # characters of a reason
TWICE = " (your notebook has the cell {} twice: what counts is what stands above its test)"
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
        checked: ``"no answer"``, ``"out of time"``, ``"no end"``, ``"forbidden"``,
        ``"undefined"``, ``"missing"``.
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


def grade(submission, assignment, limits, confined, seed):
    """Grade a submission: list of dict, one ``Result`` a task, in the assignment's order.

    A task is right if its check passes with the notebook's inputs and with those of ``seed``.

    Raises
    ------
    SandboxError
        If no worker can be started here.
    """
    steps = program(assignment, submission)
    cells = [step for step in steps if not is_task(step)]
    results, ran = {}, 0
    with ONE_AT_A_TIME, Session(cells, limits, confined=confined) as session:
        for step in steps:
            if is_task(step):
                results[step.name] = asdict(_grade(step, submission, session, ran, seed))
            else:
                ran += 1
    return [results[task.name] for task in assignment.tasks]


def final(results):
    """Return whether another run would come to the same results."""
    return all(result["kind"] != "no end" for result in results)


def _grade(task, submission, session, ran, seed):
    def none(kind, reason, bug=None):
        twice = TWICE.format(task.solution) if task.solution in submission.repeated else ""
        return Result(task.name, 0, task.points, kind, bug, clean(reason + twice, LONGEST))

    try:
        session.prepare(ran)
    except WorkerFailure as failure:
        return none(failure.kind, str(failure))
    proxy = Proxy(session.ask, task.function, forbid_torch_norms=task.forbid_torch_norms)
    check, others = getattr(checks, task.check), ""
    if (verdict := check(proxy)).passed:
        verdict, others = check(proxy, seed=seed), OTHER_INPUTS
    if proxy.kind == "undefined":
        return none(*_why_undefined(task, submission, session.failures))
    if proxy.failure:
        return none(proxy.kind, proxy.failure)
    reason = clean(str(verdict.message), LONGEST)
    if verdict.passed:
        return Result(task.name, task.points, task.points, "right", None, reason)
    kind = "known bug" if verdict.bug else "wrong" if verdict.attempted else "not attempted"
    reason += others + _hint(verdict.message, session.failures)
    return none(kind, reason, verdict.bug)


def _why_undefined(task, submission, failures):
    """Return the kind of the result, and why there is no function."""
    for how, names in failures.get(task.solution, ()):
        if not names or task.function in names:
            why = f"{task.function} is not defined, because of how its cell ended: {how}"
            return "undefined", why + _hint(how, failures)
    if task.solution not in submission.sources:
        return "missing", f"the cell {task.solution} is not in the notebook"
    return "undefined", f"the cell {task.solution} defines no function {task.function}"


def _hint(message, failures):
    """Return what other cells or the sandbox have to do with an exception."""
    if name := re.search(r"name '(\w{1,100})' is not defined", message):
        for cell, failed in failures.items():
            for how, names in failed:
                if name[1] in names:
                    return f" (the cell {cell}, which sets {name[1]}, failed in the grader: {how})"
    if re.search(r"PermissionError|FileNotFoundError|Read-only file|ConnectionRefused", message):
        return " (the grader has no network, no other programs and none of your files)"
    if "ModuleNotFoundError" in message:
        return " (the grader has not the course, and of other packages only the teacher's)"
    if re.search(r"MemoryError|allocate memory", message):
        return " (that is more memory than the grader gives)"
    return ""
