"""What a teacher gives by hand: marks.csv, as it may come back from a spreadsheet.

A row is found by its code, letters alone, which no spreadsheet changes; by the name or the id where
the code is gone. All that was typed is kept, in columns of the teacher's own too, or named in an
error.
"""

import hashlib
from dataclasses import dataclass, field

from bn_tutorial.grading import tables
from bn_tutorial.grading.results import ResultsError

NAME = "marks.csv"
LETTERS = "bcdfghkmnpqrstvwxz"  # no vowels: no word, no number, no month
MORE = ["adjustment", "days late", "comment"]
KEYS = ["code", "student", "id"]


@dataclass
class Mark:
    """What one student was given by hand.

    Attributes
    ----------
    points : dict of str to float
        For each question that was marked.
    adjustment : float
        Added to the total.
    days_late : float or None
        Instead of what the platform says.
    comment : str
        For the student.
    submission : str
        What was marked, as ``Row.digest``; "" where nothing was.
    others : dict of str to str
        The teacher's own columns.
    """

    points: dict[str, float] = field(default_factory=dict)
    adjustment: float = 0.0
    days_late: float | None = None
    comment: str = ""
    submission: str = ""
    others: dict[str, str] = field(default_factory=dict)

    def __bool__(self):
        return bool(self.points or self.adjustment or self.comment or any(self.others.values()))


def code(student, seed):
    """Return five letters that stand for a student, the same in every run.

    Examples
    --------
    >>> code("Alice Ash", 3) == code("Alice Ash", 3) != code("Bob Berg", 3)
    True
    """
    number = int.from_bytes(hashlib.sha256(f"{seed} {student}".encode()).digest()[:8])
    letters = ""
    for _ in range(5):
        number, digit = divmod(number, len(LETTERS))
        letters += LETTERS[digit]
    return letters


def read(path, texts, handed_in, seed):
    """Return what was filled in: dict of student to Mark.

    Parameters
    ----------
    path : Path
    texts : list of FreeText
    handed_in : list of HandedIn
    seed : int
        Of the codes.

    Raises
    ------
    ResultsError
        If it can't be understood, with row and column.
    """
    if not path.exists():
        return {}
    try:
        header, *rows = tables.read(path)
    except tables.TableError as error:
        raise ResultsError(str(error)) from None
    if not set(KEYS) & set(header):
        raise ResultsError(f"{path}: expected a column 'code' or 'student', got {header}")
    if missing := [text.name for text in texts if text.name not in header]:
        raise ResultsError(f"{path}: expected the column {missing[0]!r}, got {header}")
    marks = {}
    for number, cells in enumerate(rows, 2):
        row = dict(zip(header, cells, strict=False))
        row[""] = " ".join(cells[len(header) :])  # more cells than columns: a comma in a comment
        where = f"{path}, row {number}"
        if row[""].strip():
            raise ResultsError(f"{where}: expected {len(header)} cells, got {len(cells)}")
        mark = _mark(row, texts, where)
        student = _student(row, handed_in, seed)
        if student is None and (mark or mark.days_late is not None):
            got = row.get("student") or row.get("code")
            raise ResultsError(
                f"{where}, column student: expected somebody who has handed in something or is "
                f"in the roster, got {got!r}: correct the name, give the --roster, or empty the row"
            )
        if student in marks:
            raise ResultsError(f"{where}, column student: {student} is in an earlier row too")
        if student is not None:
            marks[student] = mark
    return marks


def _student(row, handed_in, seed):
    """Return who is meant: by the code, else by name and id as far as they are left."""
    plain = {key: tables.plain(row.get(key, "")) for key in KEYS}
    ways = (
        lambda one: code(one.student, seed) == plain["code"],
        lambda one: one.student == tables.unguarded(row.get("student", "")),
        lambda one: plain["student"] and tables.plain(one.student) == plain["student"],
        lambda one: plain["id"] and tables.plain(one.id) == plain["id"],
    )
    for way in ways:
        found = [one.student for one in handed_in if way(one)]
        if len(found) == 1:
            return found[0]
    return None


def _mark(row, texts, where):
    def number(column, lowest, highest):
        text = row.get(column, "")
        if not text.strip("' "):
            return None
        value = tables.number(text)
        if value is None or not lowest <= value <= highest:
            expected = f"a number from {lowest:g} to {highest:g}"
            raise ResultsError(f"{where}, column {column}: expected {expected}, got {text!r}")
        return value

    points = {text.name: number(text.name, 0, text.points) for text in texts}
    known = {*KEYS, *MORE, "submission", "", *points}
    return Mark(
        {name: given for name, given in points.items() if given is not None},
        number("adjustment", -1000, 1000) or 0.0,
        number("days late", 0, 1000),
        tables.unguarded(row.get("comment", "")),
        row.get("submission", ""),
        {name: tables.unguarded(text) for name, text in row.items() if name not in known},
    )


def table(rows, texts, seed, *, anonymous):
    """Return marks.csv: what was given, and empty cells for the rest.

    ``rows`` are the report's; ``anonymous`` leaves out the names.
    """
    own = list(dict.fromkeys(name for row in rows for name in row.mark.others))
    lines = [[*KEYS, *(text.name for text in texts), *MORE, *own, "submission"]]
    for row in rows:
        one, mark = row.handed_in, row.mark
        who = ["", ""] if anonymous else [one.student, one.id]
        given = [mark.points.get(text.name) for text in texts]
        numbers = [*given, mark.adjustment or None, mark.days_late]
        lines.append([
            *(code(one.student, seed), *who),
            *("" if number is None else f"{number:g}" for number in numbers),
            *(mark.comment, *(mark.others.get(name, "") for name in own)),
            mark.submission if mark.points else row.digest,
        ])  # fmt: skip
    return tables.write(sorted(lines[1:]) if anonymous else lines[1:], lines[0])
