"""Answers that are alike: copies are found, what many write is not, and the page accuses nobody."""

import inspect
import re

import pytest
import right_answers
from small_assignment import small, write

from bn_tutorial.grading import report, similar, tasks
from bn_tutorial.grading.notebook import Cell, Submission
from bn_tutorial.grading.submissions import HandedIn

ORIGINAL = '''
def update(running, batch, momentum):
    """One step."""
    parts = []
    for old, new in zip(running.tolist(), batch.tolist()):
        if momentum > 0:
            step = momentum * (new - old)
        else:
            step = 0.0
        parts.append(old + step)
    return torch.tensor(parts, dtype=running.dtype)
'''
RENAMED = re.sub(r"\bparts\b", "out", ORIGINAL.replace("step", "s").replace("old", "a"))
RENAMED = RENAMED.replace("One step.", "Moves it.").replace(
    "        if", "        # now\n        if"
)


def row(name, source):
    cell = Cell("code", source, {"grade_id": "update"}, {})
    return report.Row(HandedIn(name, name, Submission(name, [cell])))


@pytest.fixture
def assignment(tmp_path):
    return tasks.load("small", write(tmp_path / "master.ipynb", small()))


def others():
    """Return right answers to all tasks, which have nothing to do with each other."""
    answers = [answer for each in right_answers.RIGHT.values() for answer in each]
    return [inspect.getsource(a) for a in answers if inspect.isfunction(a)]


def test_a_renamed_copy_is_found_among_others(assignment):
    rows = [row(f"s{i}", source) for i, source in enumerate(others())]
    assert len(rows) > 30
    rows += [row("ann", ORIGINAL), row("bob", RENAMED)]
    found = similar.similar(rows, assignment)
    assert found[0].students == ("ann", "bob")
    assert found[0].share > 0.9
    marked = [text for text, is_marked in found[0].sides[1] if is_marked]
    assert any("s = momentum" in text for text in marked)


def test_what_many_write_is_nobodys(assignment):
    usual = [row(f"s{i}", ORIGINAL + f"# {i}") for i in range(10)]
    assert similar.similar(usual, assignment) == []
    short = "def update(running, batch, momentum):\n    return running + momentum * batch"
    assert similar.similar([row("a", short), row("b", short)], assignment) == []


def test_what_the_master_has_is_nobodys(tmp_path):
    own = tasks.load("small", write(tmp_path / "own.ipynb", small(ORIGINAL)))
    assert similar.similar([row("ann", ORIGINAL), row("bob", RENAMED)], own) == []


def test_text_of_any_kind_is_compared_in_linear_time(assignment):
    for source in ("'" * 199_000, '"""' * 60_000, "(" * 199_000, "\0é\ud7ff" * 60_000, ""):
        similar.similar([row("a", source), row("b", source)], assignment)


def test_the_page_shows_both_sides_as_text_and_accuses_nobody(assignment):
    hostile = ORIGINAL.replace("One step.", "<script>")
    page = report.alike([row("<b>ann", hostile), row("bob", RENAMED)], assignment)
    assert "accuses nobody" in page
    assert "&lt;b&gt;ann and bob" in page
    assert "<script>" not in page
    assert page.count("▌") > 10
    assert "There is no such pair" in report.alike([row("ann", ORIGINAL)], assignment)


def test_the_summary_has_totals_and_an_example_without_a_name(assignment):
    rows = [row("ann", ORIGINAL), row("bob", ORIGINAL + "# longer")]
    result = {"task": "test_update", "points": 0, "of": 2, "kind": "known bug", "reason": ""}
    for each in rows:
        each.results = [{**result, "bug": "momentum_reversed"}]
    rows[0].mark.adjustment = 4.5
    assert report.distribution(rows, assignment)[0] == ("0", "0.5", 1)
    assert report.distribution(rows, assignment)[9] == ("4.5", "5", 1)
    assert report.examples(rows, assignment) == {"momentum_reversed": ORIGINAL}
    page = report.summary(rows, assignment, [], confined=True)
    example = page[page.index("an example") : page.index("<h2>Totals")]
    assert "parts.append" in example
    assert "ann" not in example
