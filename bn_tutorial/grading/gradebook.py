"""What is given back: the totals in the teacher's own gradebook, the feedback in a zip."""

import csv
import io
import re
import zipfile
from pathlib import PurePosixPath

from bn_tutorial.grading import report, tables
from bn_tutorial.grading.roster import Roster
from bn_tutorial.grading.submissions import NOTEBOOK

COMMENTS = "Feedback comments"  # Moodle's worksheet


def filled(path, rows, assignment, column=None):
    """Return a gradebook with the totals of those who have handed in something.

    Parameters
    ----------
    path : Path
        As the platform exported it, a CSV file: all else in it stays as it is.
    rows : list of report.Row
    assignment : Assignment
    column : str, optional
        Which column; without it the one that is called after the assignment, or ``Grade``.

    Returns
    -------
    tuple of (str, str, list of str)
        The file as text, the name of the column, and the students that are not in it.

    Raises
    ------
    TableError
        If it is no table, or if the column is not clear.
    """
    text, delimiter = tables.decoded(path)
    book = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    roster = Roster(path)
    at = _column(path, book[0], assignment.name, column)
    comments = book[0].index(COMMENTS) if COMMENTS in book[0] else None
    lines = [line for line in book if any(cell.strip() for cell in line)][1:]  # as the roster's
    strangers = []
    for row in rows:
        total = row.total(assignment)
        if total is None or not row.handed_in.file:
            continue
        number = roster.find(row.handed_in.student, row.handed_in.id)
        if number is None:
            strangers.append(row.handed_in.student)
            continue
        line = lines[number]
        line += [""] * (len(book[0]) - len(line))
        line[at] = f"{total:g}"
        if comments is not None and row.mark.comment:
            line[comments] = row.mark.comment
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(book)
    mark = "\ufeff" * path.read_bytes().startswith(tuple(tables.ENCODINGS))  # as it came
    return mark + out.getvalue(), book[0][at].strip(), strangers


def _column(path, header, name, column):
    names = [cell.strip() for cell in header]
    if column is not None:
        found = [i for i, cell in enumerate(names) if cell == column]
    else:
        called = re.compile(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", re.IGNORECASE)
        found = [i for i, cell in enumerate(names) if called.search(cell)]
        if len(found) != 1 and "Grade" in names and not found:
            found = [names.index("Grade")]
    if len(found) != 1:
        raise tables.TableError(
            f"{path}: expected one column for {column or name}, got {len(found)} of {names}: "
            "say which with --column"
        )
    return found[0]


def feedback_zip(rows, assignment):
    """Return the feedback pages in a zip, named as the platform's export: bytes.

    Moodle, Canvas and Brightspace find by these names whose a page is.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in (row for row in rows if row.done and row.handed_in.file):
            info = zipfile.ZipInfo(_place(row.handed_in.file), (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, report.feedback(row, assignment))
    return packed.getvalue()


def _place(file):
    first, *more = PurePosixPath(file).parts
    if more and not first.lower().endswith(".zip"):
        return f"{first}/feedback.html"
    return f"{NOTEBOOK.sub('', first)}.html"
