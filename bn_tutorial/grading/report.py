"""The reports: a table, a page for each student, and what the class got wrong."""

import csv
import hashlib
import io
import re
from collections import Counter
from dataclasses import dataclass, field

from jinja2 import Environment, PackageLoader, StrictUndefined

from bn_tutorial.grading.submissions import HandedIn

UNCONFINED = "Graded without a sandbox (--unconfined): the students' code could do anything."
PAGES = Environment(
    loader=PackageLoader("bn_tutorial.grading"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
PAGES.filters["number"] = "{:g}".format


@dataclass
class Row:
    """One student: what was handed in and what came of it."""

    handed_in: HandedIn
    results: list[dict] | None = None  # one a task; None: not graded yet, or nothing to grade
    by_hand: dict[str, str] = field(default_factory=dict)
    error: str = ""  # what went wrong in the grader

    @property
    def digest(self):
        submission = self.handed_in.submission
        return submission.digest[:12] if submission else ""

    @property
    def done(self):
        return bool(self.handed_in.problem) or self.results is not None

    @property
    def page(self):
        return feedback_name(self.handed_in.student)

    @property
    def status(self):
        if self.handed_in.problem:
            return f"no points: {self.handed_in.problem}"
        if self.error:
            return f"grader error, the same command again tries once more: {self.error}"
        if not self.done:
            return "not graded yet"
        notes = [self.handed_in.note] if self.handed_in.note else []
        if late := [r["task"] for r in self.results if r["kind"] in ("out of time", "no end")]:
            notes.append(f"ran out of time: {', '.join(late)}")
        if self.by_hand and self.by_hand["submission"] != self.digest:
            notes.append("changed since it was marked by hand")
        return "; ".join(["graded", *notes])

    def points(self, assignment):
        """Return the points for each task and text, as text; "" where there are none yet."""
        if self.handed_in.problem:
            tasks = ["0"] * len(assignment.tasks)
        elif self.results is None:
            tasks = [""] * len(assignment.tasks)
        else:
            tasks = [f"{result['points']:g}" for result in self.results]
        return [*tasks, *(self.by_hand.get(text.name, "") for text in assignment.texts)]

    def total(self, assignment):
        """Return the sum of all points there are, a float; None where it is not graded yet."""
        if not self.done:
            return None
        return sum(float(points) for points in self.points(assignment) if points)


def grades(rows, assignment):
    """Return grades.csv: a row a student, points per task, total, status.

    Questions that are marked by hand have empty cells; what is filled in is kept and added to the
    total by the next run.
    """
    parts = [part.name for part in (*assignment.tasks, *assignment.texts)]
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["student", *parts, "total", "of", "status", "file", "submission"])
    for row in rows:
        total = row.total(assignment)
        writer.writerow([
            _cell(row.handed_in.student),
            *row.points(assignment),
            "" if total is None else f"{total:g}",
            f"{assignment.points:g}",
            _cell(row.status),
            _cell(row.handed_in.file),
            row.digest,
        ])  # fmt: skip
    return table.getvalue()


def _cell(text):
    # a spreadsheet would compute it
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def feedback_name(student):
    """Return the name of a student's page: a file name everywhere, and each another."""
    plain = re.sub(r"[^\w-]+", "_", student, flags=re.ASCII).strip("_")[:60]
    return f"{plain}-{hashlib.sha256(student.encode()).hexdigest()[:8]}.html"


def feedback(row, assignment):
    """Return a student's page as HTML; the templates escape all that comes from the student."""
    marked = all(row.by_hand.get(text.name) for text in assignment.texts)
    page = PAGES.get_template("feedback.html")
    return page.render(row=row, assignment=assignment, marked=marked)


def counts(rows, assignment):
    """Return what went wrong: a list of (task, what, how many), the most frequent first a task."""
    counter = Counter(
        (result["task"], result["bug"] or result["kind"])
        for row in rows
        for result in row.results or ()
        if result["kind"] != "right"
    )
    order = {task.name: i for i, task in enumerate(assignment.tasks)}
    return sorted(
        ((task, what, n) for (task, what), n in counter.items()),
        key=lambda item: (order[item[0]], -item[2], item[1]),
    )


def misconceptions(rows):
    """Return the known bugs: a list of (bug, how many students)."""
    students = Counter()
    for row in rows:
        students.update({r["bug"] for r in row.results or () if r["bug"]})
    return sorted(students.items(), key=lambda item: (-item[1], item[0]))


def same_files(rows):
    """Return the groups of students whose files are identical: list of lists of names."""
    groups = {}
    for row in rows:
        if row.handed_in.submission:
            groups.setdefault(row.handed_in.submission.digest, []).append(row.handed_in.student)
    return [group for group in groups.values() if len(group) > 1]


def summary(rows, assignment, nobodys, *, confined):
    """Return summary.html: misconceptions, other reasons, and what the teacher should look at."""
    return PAGES.get_template("summary.html").render(
        rows=rows,
        assignment=assignment,
        nobodys=nobodys,
        warning=None if confined else UNCONFINED,
        misconceptions=misconceptions(rows),
        counts=counts(rows, assignment),
        solved=_solved(rows, assignment),
        same_files=same_files(rows),
    )


def _solved(rows, assignment):
    graded = [row.results for row in rows if row.results]
    return [
        [task.name, sum(results[i]["kind"] == "right" for results in graded), len(graded)]
        for i, task in enumerate(assignment.tasks)
    ]
