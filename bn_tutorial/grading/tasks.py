"""What an assignment asks for: read from its authored notebook, the master."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from bn_tutorial import checks
from bn_tutorial._files import ASSIGNMENTS
from bn_tutorial.grading.notebook import NotebookError, cells_of, read_bytes


class AssignmentError(ValueError):
    """An assignment that can't be graded; the message is for the teacher."""


@dataclass(frozen=True)
class CheckedTask:
    """A test cell: a check, called in the grader with a function of the student's.

    Attributes
    ----------
    name : str
        ``grade_id`` of the test cell.
    points : float
        All or nothing.
    check : str
        The function of ``bn_tutorial.checks``.
    function, solution : str
        The student's function, and the ``grade_id`` of the cell that defines it.
    forbid_torch_norms : bool
        Whether PyTorch's own normalizations are what the task asks to write.
    """

    name: str
    points: float
    check: str
    function: str
    solution: str
    forbid_torch_norms: bool


@dataclass(frozen=True)
class FreeText:
    """A question that the teacher marks by hand.

    Attributes
    ----------
    name : str
    points : float
    question, answer : str
        As the master has them: the text above the cell, and the model answer in it.
    """

    name: str
    points: float
    question: str = ""
    answer: str = ""


@dataclass(frozen=True)
class Assignment:
    """An assignment.

    Attributes
    ----------
    name : str
    tasks : list of CheckedTask
    texts : list of FreeText
    code : list of (str, str or None)
        In the notebook's order: the ``grade_id`` of a cell to run, and its source where it is the
        master's; None where it is the student's to write.
    digest : str
        SHA-256 of the master.
    prose : frozenset of str
        The texts of the master that are nobody's to write.
    answers : dict of str to str
        ``grade_id`` of a solution cell -> the master's.
    """

    name: str
    tasks: list[CheckedTask]
    texts: list[FreeText]
    code: list[tuple[str, str | None]]
    digest: str
    prose: frozenset[str] = frozenset()
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def points(self):
        """All that can be had."""
        return sum(part.points for part in (*self.tasks, *self.texts))

    @property
    def parts(self):
        """The ``grade_id`` of every cell that a student writes in."""
        solutions = [name for name, source in self.code if source is None]
        return [*solutions, *(text.name for text in self.texts)]


def load(name, master=None):
    """Return the assignment of a name, such as ``"A1"``, or of an authored notebook elsewhere.

    Raises
    ------
    AssignmentError
        If there is none of this name, or if it is not as the grader needs it.
    """
    path = Path(master).resolve() if master else ASSIGNMENTS / name / f"{name}.ipynb"
    if not master and not (name.isidentifier() and path.is_file()):
        known = ", ".join(sorted(p.stem for p in ASSIGNMENTS.glob("*/*.ipynb"))) or "none here"
        raise AssignmentError(
            f"assignment: expected one of those in {ASSIGNMENTS} ({known}), got {name!r}; "
            "--master names a notebook elsewhere"
        )
    try:
        raw = read_bytes(path)
        return _assignment(name, cells_of(raw), hashlib.sha256(raw).hexdigest())
    except (NotebookError, AssignmentError) as error:
        raise AssignmentError(f"{path}: {error}") from None


def _assignment(name, cells, digest):
    tasks, texts, code, above = [], [], [], ""
    for cell in cells:
        if cell.grade_id is None:
            above = cell.source if cell.kind == "markdown" else above
            continue
        grade, solution = (bool(cell.nbgrader.get(flag)) for flag in ("grade", "solution"))
        if grade and solution:
            texts.append(FreeText(cell.grade_id, _points(cell), above, cell.source))
        elif grade:
            tasks.append(_task(cell, [name for name, source in code if source is None]))
        elif cell.kind == "code" and (solution or cell.nbgrader.get("locked")):
            code.append((cell.grade_id, None if solution else cell.source))
    names = [part.name for part in (*tasks, *texts)] + [name for name, _ in code]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise AssignmentError(f"expected each grade_id once, got {', '.join(twice)} again")
    if not tasks:
        raise AssignmentError("expected at least one test cell (grade, not solution), got none")
    prose = frozenset(
        cell.source.strip() for cell in cells if cell.kind == "markdown" and not cell.grade_id
    )
    answers = {cell.grade_id: cell.source for cell in cells if cell.nbgrader.get("solution")}
    return Assignment(name, tasks, texts, code, digest, prose, answers)


def _points(cell):
    points = cell.nbgrader.get("points")
    if isinstance(points, bool) or not isinstance(points, int | float) or not 0 <= points < 1e6:
        raise AssignmentError(f"cell {cell.grade_id}: expected points, got {points!r}")
    return points


def _task(cell, solutions):
    check, function, solution = (cell.ours.get(k) for k in ("check", "function", "solution"))
    where = f"cell {cell.grade_id}, metadata bn_tutorial"
    if not (isinstance(check, str) and not check.startswith("_")):
        raise AssignmentError(f"{where}: expected the name of a check, got {check!r}")
    if not callable(getattr(checks, check, None)):
        raise AssignmentError(f"{where}: expected a function of bn_tutorial.checks, got {check!r}")
    if not (isinstance(function, str) and function.isidentifier()):
        raise AssignmentError(f"{where}: expected the name of a function, got {function!r}")
    if solution not in solutions:
        raise AssignmentError(
            f"{where}: expected the grade_id of a solution cell above, got {solution!r}"
        )
    forbidden = bool(cell.ours.get("forbid_torch_norms", False))
    return CheckedTask(cell.grade_id, _points(cell), check, function, solution, forbidden)
