"""From what an answer does to a verdict: right, a known bug, or what differs."""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from itertools import tee

from bn_tutorial.checks.bugs import bugs_of
from bn_tutorial.checks.compare import alike, difference
from bn_tutorial.checks.observe import Observation, kind
from bn_tutorial.checks.verdict import Verdict, not_attempted

SEED = 1502  # of the inputs, where a check is not given another


@dataclass(frozen=True)
class Task:
    """What is asked for, and how an answer is examined.

    Attributes
    ----------
    name : str
        Of the check.
    script : callable
        ``script(candidate, seed)`` yields the observations of a candidate, the same inputs for
        the same seed. It ends early where it makes no sense to go on.
    references : tuple of callable
        Right answers; agreeing with one of them is enough.
    tolerance : float
        Relative to the largest expected number of an output.
    praise : str
        The message where an answer is right.
    remark : callable
        ``remark(candidate, seed)`` may add a sentence to the praise.
    difference : callable
        ``difference(seen, expected, tolerance)`` returns what is wrong with an observation, or
        None.
    graded : bool
        Whether only an assignment asks for it: then no verdict shows right code.
    """

    name: str
    script: Callable[..., Iterator[Observation]]
    references: tuple[Callable, ...]
    tolerance: float
    praise: str
    remark: Callable[..., str] = lambda candidate, seed: ""
    difference: Callable[..., str | None] = difference
    graded: bool = False


def replay(script, code, seed):
    """Return what a reference or a known bug does: run once, no further than needed, and kept."""
    return copy(recorded(script, code, seed))


@lru_cache(maxsize=512)
def recorded(script, code, seed):
    """Return an iterator whose copies, each from the beginning, share what one of them has run."""

    def run():
        try:
            yield from script(code, seed)
        except GeneratorExit:
            raise
        except BaseException:
            recorded.cache_clear()  # half a script must not pass for a whole one
            raise

    return tee(run(), 1)[0]


def judge(task, candidate, seed):
    """Examine an answer and return the ``Verdict``."""
    if candidate is None or candidate is ...:
        return not_attempted(f"there is nothing but {candidate}")
    if not callable(candidate):
        return Verdict(False, None, f"expected something to call, got {kind(candidate)}")
    seen = list(task.script(candidate, seed))
    if seen[0].stub:
        return not_attempted(seen[0].stub)
    expected = [list(replay(task.script, reference, seed)) for reference in task.references]
    problems = [first_problem(task, seen, right) for right in expected]
    if None in problems:
        return Verdict(True, None, task.praise + task.remark(candidate, seed))
    at, what = max(problems)  # from the right answer that it follows the longest
    evidence = f"{seen[at].where}: {what}."
    bug = diagnose(task, seen, expected, seed)
    if bug is None:
        return Verdict(False, None, evidence)
    message = f"{bug.explanation} (Notebook {bug.chapter}.) {evidence}"
    return Verdict(False, bug.name, message, diff="" if task.graded else bug.diff())


def first_problem(task, seen, right):
    """Return at which input an answer is wrong first, and what is wrong there, or None."""
    for at, (one, other) in enumerate(zip(seen, right, strict=False)):
        if what := task.difference(one, other, task.tolerance):
            return at, what
    return None


def diagnose(task, seen, expected, seed):
    """Return the known bug that does the same as an answer, with every input, or None."""
    for bug in bugs_of(task.name):
        for code in (bug.code, *bug.variants):
            known = replay(task.script, code, seed)
            if _same_behaviour(seen, known, expected, task.tolerance):
                return bug
    return None


def _same_behaviour(seen, known, expected, tolerance):
    for one, *right in zip(seen, *expected, strict=False):
        other = next(known, None)  # a known bug is run no further than it is needed
        if other is None or not alike(one, other, right, tolerance):
            return False
    return True
