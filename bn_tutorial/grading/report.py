"""The reports: a table, a page for each student, and what the class got wrong."""

import hashlib
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field

from jinja2 import Environment, PackageLoader, StrictUndefined

from bn_tutorial.grading import marks, similar, tables
from bn_tutorial.grading.late import Late
from bn_tutorial.grading.marks import Mark
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
    mark: Mark = field(default_factory=Mark)
    error: str = ""  # what went wrong in the grader
    rule: Late = field(default_factory=Late)

    @property
    def digest(self):
        submission = self.handed_in.submission
        return f"v{submission.digest[:12]}" if submission else ""  # a spreadsheet leaves it alone

    @property
    def done(self):
        return bool(self.handed_in.problem) or self.results is not None

    @property
    def page(self):
        return feedback_name(self.handed_in.student)

    @property
    def days_late(self):
        """How many days late it is; None where nobody knows, and it may be."""
        if self.mark.days_late is not None:
            return self.mark.days_late
        days = self.rule.days(self.handed_in.when)
        return None if self.handed_in.late and not days else days or 0

    @property
    def status(self):
        if self.handed_in.problem:
            return f"no points: {self.handed_in.problem}"
        if self.error:
            return f"grader error, the same command again tries once more: {self.error}"
        if not self.done:
            return "not graded yet"
        return "; ".join(["graded", *self._notes()])

    def _notes(self):
        if self.handed_in.note:
            yield self.handed_in.note
        if late := [r["task"] for r in self.results if r["kind"] in ("out of time", "no end")]:
            yield f"ran out of time: {', '.join(late)}"
        if self.mark.points and self.mark.submission.strip("' ") != self.digest:
            yield "changed since it was marked by hand"
        if self.days_late is None:
            yield "late, by how many days is not known: fill in 'days late' in marks.csv"

    def points(self, assignment):
        """Return the points for each task and text: list of float; None where there are none."""
        if self.handed_in.problem:
            tasks = [0] * len(assignment.tasks)
        elif self.results is None:
            tasks = [None] * len(assignment.tasks)
        else:
            tasks = [result["points"] for result in self.results]
        return [*tasks, *(self.mark.points.get(text.name) for text in assignment.texts)]

    def total(self, assignment):
        """Return what all points make, a float; None where it is not graded yet."""
        if not self.done:
            return None
        earned = sum(filter(None, self.points(assignment))) + self.mark.adjustment
        return max(0.0, earned * self.rule.keeps(self.days_late or 0))


def grades(rows, assignment):
    """Return grades.csv: a row a student, points per task, total, status."""
    parts = [part.name for part in (*assignment.tasks, *assignment.texts)]
    head = ["student", "id", *parts, "adjustment", "days late", "total", "of"]
    lines = []
    for row in rows:
        one = row.handed_in
        numbers = [
            *(*row.points(assignment), row.mark.adjustment or None, row.days_late or None),
            *(row.total(assignment), assignment.points),
        ]
        numbers = ["" if number is None else f"{number:.6g}" for number in numbers]
        lines.append([one.student, one.id, *numbers, row.status, one.file, row.digest])
    return tables.write(lines, [*head, "status", "file", "submission"])


def feedback_name(student):
    """Return the name of a student's page: a file name everywhere, and each another."""
    bare = "".join(filter(str.isascii, unicodedata.normalize("NFKD", student)))  # no accents
    plain = re.sub(r"[^\w-]+", "_", bare, flags=re.ASCII).strip("_")[:60]
    return f"{plain}-{hashlib.sha256(student.encode()).hexdigest()[:8]}.html"


def feedback(row, assignment):
    """Return a student's page as HTML; the templates escape all that comes from the student."""
    marked = all(text.name in row.mark.points for text in assignment.texts)
    page = PAGES.get_template("feedback.html")
    return page.render(row=row, assignment=assignment, marked=marked)


def questions(rows, assignment, seed, *, anonymous):
    """Return a page for each question in words, with all answers: dict of file name to HTML."""
    answers = [
        (marks.code(row.handed_in.student, seed), row) for row in rows if row.handed_in.submission
    ]
    page = PAGES.get_template("question.html")
    answers.sort(key=lambda answer: answer[0] if anonymous else answer[1].handed_in.student)
    return {
        f"{text.name}.html": page.render(
            text=text, assignment=assignment, answers=answers, anonymous=anonymous
        )
        for text in assignment.texts
    }


def alike(rows, assignment):
    """Return similar.html: the pairs of answers that are alike."""
    pairs = similar.similar(rows, assignment)
    return PAGES.get_template("similar.html").render(assignment=assignment, pairs=pairs)


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


def examples(rows, assignment):
    """Return one answer for each known bug, without a name: dict of bug to source."""
    solutions = {task.name: task.solution for task in assignment.tasks}
    found = {}
    for row in rows:
        for result in row.results or ():
            if result["bug"] and row.handed_in.submission:
                source = row.handed_in.submission.sources.get(solutions.get(result["task"]), "")
                if result["bug"] not in found or len(source) < len(found[result["bug"]]):
                    found[result["bug"]] = source  # the shortest says it most clearly
    return found


def distribution(rows, assignment):
    """Return how many have how many points: a list of (from, to, count) in ten classes."""
    totals = [total for row in rows if (total := row.total(assignment)) is not None]
    width = max(assignment.points, 1) / 10
    classes = Counter(min(9, int(total / width)) for total in totals)
    return [(f"{i * width:g}", f"{(i + 1) * width:g}", classes[i]) for i in range(10)]


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
        examples=examples(rows, assignment),
        distribution=distribution(rows, assignment),
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
