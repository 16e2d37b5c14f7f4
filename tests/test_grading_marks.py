"""Marking by hand: marks.csv after a spreadsheet, comments, lateness, a page for each question."""

import csv
import io
from datetime import datetime

import pytest
from small_assignment import small, write

from bn_tutorial.grading import late, marks, report, tables, tasks
from bn_tutorial.grading.results import ResultsError, ResultsFolder
from bn_tutorial.grading.submissions import HandedIn, find_submissions

NAMES = ["007", "1e5", "=1+1", "@lice", "Böb Berg", "Zoë, Ann", "'s Gravesande", "-", "Mar-1", "x"]
SEED = 5


@pytest.fixture
def assignment(tmp_path):
    return tasks.load("small", write(tmp_path / "master.ipynb", small()))


@pytest.fixture
def rows(tmp_path, assignment):
    for name in NAMES:
        write(tmp_path / "in" / f"{name}.ipynb", small(f"# {name}"))
    found = find_submissions(tmp_path / "in", assignment.parts)
    done = [{"task": "test_update", "points": 2, "of": 2, "kind": "right", "bug": None}]
    return [report.Row(one, [{**done[0], "reason": ""}]) for one in found.handed_in]


@pytest.fixture
def back(tmp_path, rows, assignment):
    """Return a function that reads a changed marks.csv: dict of student to Mark."""

    def back(change, encoding="utf-8-sig"):
        table = marks.table(rows, assignment.texts, SEED, anonymous=False)
        path = tmp_path / "marks.csv"
        path.write_bytes(change(table).encode(encoding))
        return marks.read(path, assignment.texts, [row.handed_in for row in rows], SEED)

    return back


def filled(table, points="2,5", comment="good; really, \u201cgood\u201d"):
    """Fill in all rows as a spreadsheet does."""
    header, *lines = tables_of(table)
    for line in lines:
        line[header.index("why")] = points
        line[header.index("comment")] = comment
    return [header, *lines]


def tables_of(table):
    return list(csv.reader(io.StringIO(table)))


def saved(rows, delimiter):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def mangled(rows):
    """Lose what spreadsheets lose: zeros in front, apostrophes, what looks like a number."""
    header, *lines = rows
    lose = {"007": "7", "1e5": "100000", "Mar-1": "01.03.2026", "'@lice": "@lice", "'-": "-"}
    return [header, *([lose.get(cell, cell) for cell in line] for line in lines)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_what_a_spreadsheet_makes_of_it_comes_back_right(back, delimiter, encoding):
    given = back(lambda table: saved(mangled(filled(table)), delimiter), encoding)
    assert sorted(given) == sorted(NAMES)
    for mark in given.values():
        assert mark.points == {"why": 2.5}
        assert mark.comment == "good; really, \u201cgood\u201d"
        assert mark.submission.startswith("v")


def test_without_codes_names_and_ids_are_enough(back):
    def without_codes(table):
        header, *lines = mangled(filled(table))
        kept = [line[1:] for line in lines if line[1] not in ("100000", "01.03.2026")]
        return saved([header[1:], *kept], ",")

    assert sorted(back(without_codes)) == sorted(set(NAMES) - {"1e5", "Mar-1"})


def test_own_columns_and_all_that_was_typed_are_kept(back, rows, assignment):
    def change(table):
        header, *lines = filled(table, "1", "= well done")
        own = [[*line, f"=note {i}", "-2", "1,5"] for i, line in enumerate(lines)]
        at = header.index("adjustment")
        for line in own:
            line[at], line[at + 1] = line.pop(-2), line.pop(-1)
        return saved([[*header, "mine"], *own], ";")

    given = back(change)
    for row in rows:
        row.mark = given[row.handed_in.student]
    again = marks.table(rows, assignment.texts, SEED, anonymous=False)
    header, *lines = tables_of(again)
    assert header[-2:] == ["mine", "submission"]
    assert {line[header.index("mine")] for line in lines} == {f"'=note {i}" for i in range(10)}
    assert {line[header.index("comment")] for line in lines} == {"'= well done"}
    assert {row.total(assignment) for row in rows} == {2 + 1 - 2}
    assert {row.days_late for row in rows} == {1.5}
    assert back(lambda _: again) == given
    page = report.feedback(rows[0], assignment)
    assert "= well done" in page
    assert "<td>-2<td>by hand" in page


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[1].__setitem__(3, "3,5"), r"row 2, column why: .* 0 to 3, got '3,5'"),
        (lambda rows: rows[2].__setitem__(3, "much"), r"row 3, column why: .*got 'much'"),
        (lambda rows: rows[3].__setitem__(4, "1.2.3"), r"row 4, column adjustment: expected a num"),
        (lambda rows: rows[1].__setitem__(5, "-1"), r"row 2, column days late: expected a number"),
        (lambda rows: rows[1].append("more"), r"row 2: expected 8 cells, got 9"),
        (lambda rows: rows.append(["", "Nobody", "", "2", *[""] * 4]), r"row 12, column student:"),
        (lambda rows: rows.append(list(rows[1])), r"row 12, column student: .* earlier row"),
        (lambda rows: rows[0].__setitem__(3, "Why?"), r"expected the column 'why', got"),
        (lambda rows: rows.clear(), r"expected a table, got an empty file"),
    ],
)
def test_what_is_wrong_is_named_with_row_and_column(back, change, words):
    def changed(table):
        rows = filled(table, "2", "")
        change(rows)
        return saved(rows, ",")

    with pytest.raises(ResultsError, match=words):
        back(changed)


def test_a_workbook_is_named(tmp_path):
    (tmp_path / "marks.csv").write_bytes(b"PK\x03\x04...")
    with pytest.raises(tables.TableError, match="got a workbook: save it as CSV"):
        tables.read(tmp_path / "marks.csv")


def test_a_table_that_was_changed_is_kept(tmp_path):
    results = ResultsFolder(tmp_path / "out", "small")
    assert results.write_table("grades.csv", "a\n1\n") is None
    assert results.write_table("grades.csv", "a\n2\n") is None
    path = tmp_path / "out" / "grades.csv"
    path.write_text("a;3\n")
    kept = results.write_table("grades.csv", "a\n2\n")
    assert kept.name == "grades (changed 1).csv"
    assert kept.read_text() == "a;3\n"
    assert path.read_text(encoding="utf-8-sig") == "a\n2\n"


def test_a_page_has_all_answers_and_names_only_where_wished(rows, assignment):
    cell = rows[0].handed_in.submission.cells[-1]
    rows[0].handed_in.submission.cells.append(type(cell)("markdown", "And moreover.", {}, {}))
    [page] = report.questions(rows, assignment, SEED, anonymous=False).values()
    assert page.count("Because.") == len(NAMES) + 1  # and the model answer
    assert page.count("And moreover.") == 1
    assert all(report.PAGES.filters["e"](name) in page for name in NAMES)
    [page] = report.questions(rows, assignment, SEED, anonymous=True).values()
    assert not any(name in page for name in ("Böb", "lice", "Gravesande"))
    table = marks.table(rows, assignment.texts, SEED, anonymous=True)
    codes = [line[0] for line in tables_of(table)[1:]]
    assert codes == sorted(marks.code(name, SEED) for name in NAMES)
    assert not any(name in table for name in ("Böb", "lice", "Gravesande"))
    assert all(f'<h2 id="{code}">' in page for code in codes)


# late

DEADLINE = "2026-11-22 18:00"


@pytest.mark.parametrize(
    ("when", "rule", "days", "total"),
    [
        ("2026-11-22 18:00", "10% a day", 0, 2.0),
        ("2026-11-22 18:01", "10% a day", 1, 1.8),
        ("2026-11-25 17:59", "10% a day, at most 3 days", 3, 1.4),
        ("2026-11-25 18:01", "10% a day, at most 3 days", 4, 0.0),
        ("2026-12-25 18:01", "12,5 % per day", 34, 0.0),
        ("2026-11-25 18:01", "", 4, 2.0),
    ],
)
def test_late_costs_what_the_rule_says(rows, assignment, when, rule, days, total):
    row = rows[0]
    row.handed_in = HandedIn("a", "a", None, when=datetime.fromisoformat(when))
    row.rule = late.late(DEADLINE, rule)
    assert (row.days_late, row.total(assignment)) == (days, pytest.approx(total))


def test_late_by_nobody_knows_how_much_is_said(rows, assignment):
    row = rows[0]
    row.handed_in = HandedIn("a", "a", row.handed_in.submission, late=True)
    assert "by how many days is not known" in row.status
    assert row.total(assignment) == 2
    row.mark.days_late, row.rule = 1, late.late(None, "50% a day")
    assert row.status == "graded"
    assert row.total(assignment) == 1
    assert "1 days late: 50% of the points count" in report.feedback(row, assignment)


@pytest.mark.parametrize(("deadline", "rule"), [("soon", ""), ("", "ten percent"), ("", "10%")])
def test_a_rule_that_means_nothing_is_named(deadline, rule):
    with pytest.raises(ValueError, match="expected a "):
        late.late(deadline, rule)
