"""What the grader reads and writes: notebooks, folders, masters, reports."""

import json
import os
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_assignment import small, write

from bn_tutorial.grading import notebook, report, tasks
from bn_tutorial.grading.marks import Mark
from bn_tutorial.grading.submissions import HandedIn, find_submissions

# notebooks


def test_a_file_that_is_none_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.ipynb")
    for name, words in [("none.ipynb", "No such file"), ("pipe.ipynb", "not a file")]:
        with pytest.raises(notebook.NotebookError, match=words):
            notebook.read_bytes(tmp_path / name)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b" \n", "empty"),
        (b"\xff{}", "UTF-8"),
        (b'{"cells": [', "broken JSON .line 1"),
        (b"1" * 5_000, "broken JSON .a number"),
        (b"[" * 200_000, "nested too deeply"),
        (b"[]", "no list of cells"),
        (b'{"cells": {}}', "no list of cells"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_bytes_that_are_no_notebook_are_named(raw, words):
    with pytest.raises(notebook.NotebookError, match=words):
        notebook.parse(raw)


# JSON like a notebook's, in which any part may be anything, surrogates too
text = st.text(st.characters(), max_size=9)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def dicts(**parts):
    whole = st.fixed_dictionaries({}, optional={k: v | anything for k, v in parts.items()})
    return whole | anything


cells = dicts(
    cell_type=st.sampled_from(["code", "markdown"]),
    source=text | st.lists(text | anything, max_size=3),
    metadata=dicts(nbgrader=dicts(grade_id=text, solution=st.booleans()), bn_tutorial=anything),
)


@given(dicts(cells=st.lists(cells, max_size=4)))
@example({"cells": [{"metadata": []}, {"source": {}}, {"cell_type": "code", "source": "\ud800"}]})
@settings(max_examples=300, deadline=None)
def test_any_json_is_a_submission_or_a_notebook_error(content):
    try:
        found = notebook.parse(json.dumps(content).encode())
    except notebook.NotebookError:
        assert not (isinstance(content, dict) and isinstance(content.get("cells"), list))
        return
    for cell in found.cells:
        cell.source.encode()  # it can be written and sent


def test_what_fails_in_the_reader_is_that_students_row(tmp_path, monkeypatch):
    def fails(raw):
        if b"# bob" in raw:
            raise MemoryError("no more")
        return notebook.parse(raw)

    monkeypatch.setattr("bn_tutorial.grading.submissions.parse", fails)
    for name in ("alice", "bob", "carol"):
        write(tmp_path / f"{name}.ipynb", small(f"# {name}"))
    found = find_submissions(tmp_path, ["update"]).handed_in
    assert [one.error for one in found] == ["", "it could not be read: MemoryError: no more", ""]
    row = report.Row(found[1], error=found[1].error)
    assert row.status.startswith("grader error, ")
    assert (row.done, row.total(None)) == (False, None)


def test_a_notebook_of_too_many_cells_is_refused():
    with pytest.raises(notebook.NotebookError, match="2001 cells; 2000 are the most"):
        notebook.parse(json.dumps({"cells": [{}] * 2_001}).encode())


# masters


@pytest.mark.parametrize(
    ("cell", "metadata", "change", "words"),
    [
        (3, "bn_tutorial", {"check": "no_such_check"}, "expected a function of bn_tutorial.checks"),
        (3, "bn_tutorial", {"check": "_private"}, "expected the name of a check"),
        (3, "bn_tutorial", {"function": "1"}, "expected the name of a function"),
        (3, "bn_tutorial", {"solution": "elsewhere"}, "expected the grade_id of a solution cell"),
        (3, "nbgrader", {"points": "two"}, "expected points"),
        (4, "nbgrader", {"grade_id": "setup"}, "each grade_id once, got setup"),
    ],
    ids=str,
)
def test_a_wrong_master_is_refused(tmp_path, cell, metadata, change, words):
    made = small()
    made.cells[cell].metadata[metadata].update(change)
    path = write(tmp_path / "master.ipynb", made)
    with pytest.raises(tasks.AssignmentError, match=words):
        tasks.load("small", path)


# reports

HOSTILE = "<script>alert(1)</script> & <img src=x onerror='alert(2)'> {{ 7 * 7 }}"


def row(student="<b>Eve</b>", results=None, **given):
    cell = notebook.Cell("code", HOSTILE, {"grade_id": "update"}, {})
    submission = notebook.Submission("0" * 64, [cell])
    return report.Row(HandedIn(student, HOSTILE, submission), results, Mark(**given))


def result(kind="wrong", bug=None, points=0):
    about = {"task": "test_update", "points": points, "of": 2}
    return [{**about, "kind": kind, "bug": bug, "reason": HOSTILE}]


class _Page(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.text = set(), ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def assignment(tmp_path):
    return tasks.load("small", write(tmp_path / "master.ipynb", small()))


PARTS = {"main", "html", "meta", "title", "style", "h1", "h2", "p", "table", "tr", "th", "td"}


def test_a_feedback_page_shows_what_a_student_wrote_as_text(assignment):
    page = _Page(report.feedback(row(results=result(bug="<i>bug")), assignment))
    assert page.tags == PARTS | {"h3", "pre"}
    assert f"not yet (<i>bug): {HOSTILE}" in page.text
    assert page.text.count(HOSTILE) == 2
    assert "small: <b>Eve</b>" in page.text


def test_the_summary_shows_what_students_wrote_as_text(assignment):
    broken = HandedIn("<u>Bob", HOSTILE, None, problem=HOSTILE)
    rows = [row(results=result(bug="<i>bug")), row("<s>Al"), report.Row(broken)]
    page = _Page(report.summary(rows, assignment, [HOSTILE], confined=True))
    assert page.tags == PARTS | {"a", "details", "summary", "pre", "span"}
    for words in ("<b>Eve</b>", "<i>bug", "<u>Bob", f"no points: {HOSTILE}"):
        assert words in page.text
    assert f"Nobody's, not read: {HOSTILE}" in page.text
    assert "Identical files: <b>Eve</b>, <s>Al" in page.text
    assert _Page(report.feedback(rows[-1], assignment)).text.count(HOSTILE) == 2


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (result("right", points=2), "2 of 2right: <script>"),
        (result("not attempted"), "0 of 2<script>"),
        (result("forbidden"), "0 of 2not yet: <script>"),
    ],
)
def test_a_feedback_page_says_what_came_of_a_task(assignment, made, words):
    text = _Page(report.feedback(row(results=made), assignment)).text
    assert words in text
    assert "… of 3marked by hand" in text
    assert "Marking by hand is not complete" in text


def test_a_feedback_page_has_the_points_given_by_hand(assignment):
    made = row(results=result("right", points=2), points={"why": 2.5})
    text = _Page(report.feedback(made, assignment)).text
    assert "4.5 of 5 points" in text
    assert "2.5 of 3marked by hand" in text
    assert "not complete" not in text


def test_a_spreadsheet_computes_nothing(tmp_path, assignment):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "=1+1.ipynb").write_bytes(b"")
    [one] = find_submissions(tmp_path / "in", []).handed_in
    assert "\n'=1+1," in report.grades([report.Row(one)], assignment)
