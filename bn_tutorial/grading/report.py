"""The reports: a table, a page for each student, and what the class got wrong."""

import csv
import hashlib
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from html import escape

from bn_tutorial.grading.submissions import HandedIn

UNCONFINED = "Graded without a sandbox (--unconfined): the students' code could do anything."
INTERRUPTED = "not graded yet"
HEAD = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem }}
table {{ border-collapse: collapse }}
th, td {{ border-bottom: 1px solid #999; padding: 0.3rem 0.8rem; text-align: left;
  vertical-align: top }}
pre {{ background: #f4f4f4; padding: 0.8rem; overflow-x: auto; white-space: pre-wrap }}
</style>
<h1>{title}</h1>
"""


@dataclass
class Row:
    """One student: what was handed in and what came of it."""

    handed_in: HandedIn
    results: list[dict] | None = None  # one a task; None: not graded yet, or nothing to grade
    by_hand: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self):
        submission = self.handed_in.submission
        return submission.digest[:12] if submission else ""

    @property
    def status(self):
        if self.handed_in.problem:
            return f"no points: {self.handed_in.problem}"
        if self.results is None:
            return INTERRUPTED
        notes = [self.handed_in.note] if self.handed_in.note else []
        if self.by_hand and self.by_hand["submission"] != self.digest:
            notes.append("changed since it was marked by hand")
        return "; ".join(["graded", *notes])

    def points(self, assignment):
        """Give the points for each task and text, as text; "" where there are none yet."""
        if self.handed_in.problem:
            tasks = ["0"] * len(assignment.tasks)
        elif self.results is None:
            tasks = [""] * len(assignment.tasks)
        else:
            tasks = [f"{result['points']:g}" for result in self.results]
        return [*tasks, *(self.by_hand.get(text.name, "") for text in assignment.texts)]

    def total(self, assignment):
        """Add up all points that there are: a float, or None where it is not graded yet."""
        if self.status == INTERRUPTED:
            return None
        return sum(float(points) for points in self.points(assignment) if points)


def grades(rows, assignment):
    """Make grades.csv: a row a student, points per task, total, status.

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
    """Name a student's page: a file name everywhere, and another for every student."""
    plain = re.sub(r"[^\w-]+", "_", student, flags=re.ASCII).strip("_")[:60]
    return f"{plain}-{hashlib.sha256(student.encode()).hexdigest()[:8]}.html"


def feedback(row, assignment):
    """Make a student's page: HTML; all that comes from the student is escaped."""
    name, handed_in = assignment.name, row.handed_in
    total = row.total(assignment)
    page = [HEAD.format(title=escape(f"{name}: {handed_in.student}"))]
    page.append(f"<p>{total:g} of {assignment.points:g} points.</p>\n")
    if handed_in.problem:
        page.append(f"<p>There was nothing to grade: {escape(handed_in.problem)}.</p>\n")
        page.append(f"<p>File: {escape(handed_in.file)}</p>\n")
        return "".join(page)
    tasks = [
        [r["task"], f"{r['points']:g} of {r['of']:g}", _said(r)] for r in row.results
    ]  # fmt: skip
    for text in assignment.texts:
        points = row.by_hand.get(text.name)
        tasks.append([text.name, f"{points or '…'} of {text.points:g}", "marked by hand"])
    page.append(_table(["task", "points", ""], tasks))
    if not all(row.by_hand.get(text.name) for text in assignment.texts):
        page.append("<p>Marking by hand is not complete: the total will change.</p>\n")
    page.append("<h2>What you handed in</h2>\n")
    for part in assignment.parts:
        source = handed_in.submission.cells.get(part, "(this cell is not in the notebook)")
        page.append(f"<h3>{escape(part)}</h3>\n<pre>{escape(source)}</pre>\n")
    return "".join(page)


def _said(result):
    head = {"right": "right: ", "not attempted": ""}.get(result["kind"], "not yet: ")
    if result["bug"]:
        head = f"not yet ({result['bug']}): "
    return head + result["reason"]


def _table(head, rows):
    lines = ["<table>\n<tr>", *(f"<th>{escape(cell)}" for cell in head), "\n"]
    for row in rows:
        lines += ["<tr>", *(f"<td>{escape(str(cell))}" for cell in row), "\n"]
    return "".join([*lines, "</table>\n"])


def counts(rows, assignment):
    """Count what went wrong: a list of (task, what, how many), the most frequent first a task."""
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
    """Count by the name of the known bug: a list of (bug, how many students)."""
    students = Counter()
    for row in rows:
        students.update({r["bug"] for r in row.results or () if r["bug"]})
    return sorted(students.items(), key=lambda item: (-item[1], item[0]))


def same_files(rows):
    """Give the groups of students whose files are identical: list of lists of names."""
    groups = {}
    for row in rows:
        if row.handed_in.submission:
            groups.setdefault(row.handed_in.submission.digest, []).append(row.handed_in.student)
    return [group for group in groups.values() if len(group) > 1]


def summary(rows, assignment, nobodys, *, confined):
    """Make summary.html: misconceptions, other reasons, and what the teacher should look at."""
    done = [row for row in rows if row.status != INTERRUPTED]
    page = [HEAD.format(title=escape(f"{assignment.name}: summary"))]
    if not confined:
        page.append(f"<p><strong>{UNCONFINED}</strong></p>\n")
    page.append(f"<p>{len(done)} of {len(rows)} submissions graded.</p>\n")
    page.append("<h2>Misconceptions</h2>\n")
    page.append(_table(["misconception", "students"], misconceptions(rows)))
    page.append("<h2>What cost points, by task</h2>\n")
    page.append(_table(["task", "misconception or reason", "students"], counts(rows, assignment)))
    page.append("<h2>Tasks</h2>\n")
    page.append(_table(["task", "right", "of"], _solved(rows, assignment)))
    page.append("<h2>Students</h2>\n")
    page.append(_students(rows, assignment))
    for group in same_files(rows):
        page.append(f"<p>Identical files: {escape(', '.join(group))}</p>\n")
    if nobodys:
        page.append(f"<p>Nobody's, not read: {escape(', '.join(nobodys))}</p>\n")
    return "".join(page)


def _solved(rows, assignment):
    graded = [row.results for row in rows if row.results]
    return [
        [task.name, sum(results[i]["kind"] == "right" for results in graded), len(graded)]
        for i, task in enumerate(assignment.tasks)
    ]


def _students(rows, assignment):
    lines = ["<table>\n<tr><th>student<th>total<th>status\n"]
    for row in rows:
        total, student = row.total(assignment), escape(row.handed_in.student)
        if total is not None:
            student = f'<a href="feedback/{feedback_name(row.handed_in.student)}">{student}</a>'
        shown = "" if total is None else f"{total:g}"
        lines.append(f"<tr><td>{student}<td>{shown}<td>{escape(row.status)}\n")
    return "".join([*lines, "</table>\n"])
