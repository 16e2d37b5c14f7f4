"""What is given back: gradebooks filled in, feedback in a zip, one student graded again."""

import io
import re
import zipfile

import pytest
from small_assignment import rows_of, small, write

from bn_tutorial import cli
from bn_tutorial.grading import batch, gradebook, report, tables, tasks
from bn_tutorial.grading.marks import Mark
from bn_tutorial.grading.results import ResultsFolder
from bn_tutorial.grading.submissions import find_submissions

BOOKS = {
    "canvas": (
        "Student,ID,SIS Login ID,Section,A2 (1),Small (77),Final Score\n"
        "    Points Possible,,,,20,5,100\n"
        '"Ash, Alice",4711,aash,S1,3,,50\n"Berg, Bob",4712,bberg,S1,,,"50,0"\n'
        '"Can, Cem",4713,ccan,S1,,,\n',
        ["ashalice_4711_815_A1.ipynb", "bergbob_LATE_4712_816_A1-1.ipynb"],
        "Small (77)",
    ),
    "moodle": (
        "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Feedback comments\n"
        "Participant 4711,Alice Ash,a@u.edu,Submitted,-,5.00,\n"
        "Participant 4712,Bob Berg,b@u.edu,Submitted,-,5.00,\n"
        "Participant 4713,Bob Berg,c@u.edu,No submission,-,5.00,\n",
        [f"{who}_assignsubmission_file_/x.ipynb" for who in ("Alice Ash_4711", "Bob Berg_4712")],
        "Grade",
    ),
    "brightspace": (
        "OrgDefinedId;Username;Last Name;First Name;Small Points Grade <Numeric MaxPoints:5>;"
        "End-of-Line Indicator\n#0047;#aash;Ash;Alice;;#\n#0048;#bberg;Berg;Bob;;#\n"
        "#0049;#c;C;C;;#\n",
        [
            "11-815 - Alice Ash - Nov 22, 2026 650 PM/x.ipynb",
            "12-815 - Bob Berg - Nov 22, 2026 650 PM/x.ipynb",
        ],
        "Small Points Grade <Numeric MaxPoints:5>",
    ),
}  # fmt: skip


@pytest.fixture
def graded(tmp_path):
    """Return a function that makes rows of two submissions, of 2 and of 2.5 points."""

    def graded(names):
        assignment = tasks.load("small", write(tmp_path / "master.ipynb", small()))
        for name in names:
            write(tmp_path / "in" / name, small())
        found = find_submissions(tmp_path / "in", assignment.parts)
        done = {"task": "test_update", "points": 2, "of": 2, "kind": "right", "bug": None}
        rows = [report.Row(one, [{**done, "reason": ""}]) for one in found.handed_in]
        rows[1].mark = Mark({"why": 0.5}, comment="good, so far")
        return rows, assignment

    return graded


@pytest.mark.parametrize("platform", BOOKS)
def test_a_gradebook_is_filled_in_and_else_as_it_was(tmp_path, graded, platform):
    text, names, column = BOOKS[platform]
    rows, assignment = graded(names)
    path = tmp_path / "book.csv"
    path.write_text(text, encoding="utf-8-sig")
    filled, where, strangers = gradebook.filled(path, rows, assignment)
    assert (where, strangers) == (column, [])
    assert filled.startswith("\ufeff")  # as it came
    before, after = text.splitlines(), filled.removeprefix("\ufeff").splitlines()
    delimiter = ";" if platform == "brightspace" else ","
    assert [line.count(delimiter) for line in after] == [line.count(delimiter) for line in before][
        : len(after)
    ] or platform == "moodle"
    changed = [i for i, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    names_in_order = [re.sub(r"[^A-Za-z]", "", line) for line in (after[i] for i in changed)]
    assert ["Alice" in name for name in names_in_order] == [True, False]
    assert re.search(r"(^|[,;])2([,;]|$)", after[changed[0]])
    assert re.search(r"(^|[,;])2\.5([,;]|$)", after[changed[1]])
    assert ('"good, so far"' in filled) == (platform == "moodle")


def test_who_is_not_in_the_gradebook_and_which_column_is_not_clear_is_said(tmp_path, graded):
    rows, assignment = graded(["alice.ipynb", "zoe.ipynb"])
    path = tmp_path / "book.csv"
    path.write_text("name,points\nAlice,\nBob,\n")
    with pytest.raises(tables.TableError, match=r"expected one column for small, got 0 of \['name"):
        gradebook.filled(path, rows, assignment)
    text, _, strangers = gradebook.filled(path, rows, assignment, "points")
    assert (text, strangers) == ("name,points\nAlice,2\nBob,\n", ["zoe"])
    path.write_text("name,small,Small 2\nAlice,,\n")
    with pytest.raises(tables.TableError, match="got 2 of"):
        gradebook.filled(path, rows, assignment)


@pytest.mark.parametrize("platform", BOOKS)
def test_the_feedback_zip_has_the_platforms_names(graded, platform):
    _, names, _ = BOOKS[platform]
    rows, assignment = graded(names)
    packed = gradebook.feedback_zip(rows, assignment)
    assert packed == gradebook.feedback_zip(rows, assignment)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.namelist() == [
            name.replace("/x.ipynb", "/feedback.html").replace(".ipynb", ".html") for name in names
        ]
        assert "2 of 5 points" in archive.read(archive.namelist()[0]).decode()


def test_one_student_is_graded_again_with_the_same_options(tmp_path, monkeypatch, capsys):
    graded = []

    def grade(submission, *_, **__):
        graded.append(submission.sources["update"])
        return [{"task": "test_update", "points": len(graded), "of": 2, "kind": "right",
                 "bug": None, "reason": ""}]  # fmt: skip

    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(batch, "grade", grade)
    monkeypatch.setattr(batch, "processes", lambda _: ThreadPoolExecutor(1))
    monkeypatch.setattr("bn_tutorial.grading.sandbox.check", lambda: None)
    for name in ("alice", "bob"):
        write(tmp_path / "in" / f"{name}_4711{len(name)}_815_A1.ipynb", small(f"# {name}"))
    master, out = write(tmp_path / "master.ipynb", small()), tmp_path / "out"
    book = tmp_path / "book.csv"
    book.write_text("name,small\nalice,\nbob,\n")
    command = ["grade", "small", str(tmp_path / "in"), "--out", str(out), "--master", str(master)]
    assert cli.main([*command, "--gradebook", str(book), "--deadline", "2026-11-22 18:00"]) == 0
    assert cli.main(command) == 0
    assert graded == ["# alice", "# bob"]
    for who, name in (("Bob", "bob"), ("47115", "alice")):
        capsys.readouterr()
        assert cli.main(["regrade", who, "--out", str(out)]) == 0
        points = len(graded)
        assert graded.pop() == f"# {name}"
        assert f"Graded anew: {name}, {points} of 5 points" in capsys.readouterr().out
    assert rows_of(out)["bob"]["test_update"] == "3"
    assert (out / "gradebook.csv").read_text() == "name,small\nalice,1\nbob,2\n"
    assert cli.main(["regrade", "nobody", "--out", str(out)]) == 2
    assert (
        "STUDENT: expected one name, id or code from marks.csv, got 'nobody'"
        in capsys.readouterr().err
    )
    assert cli.main(["regrade", "bob", "--out", str(tmp_path)]) == 2
    assert ResultsFolder(out, "small").seed == ResultsFolder(out, "small").seed


def test_the_name_of_a_feedback_page_has_the_letters_without_accents():
    names = [report.feedback_name(name) for name in ("José Márquez", "Jose Marquez", "李伟")]
    assert [re.sub(r"[0-9a-f]{8}\.html", "", name) for name in names] == ["Jose_Marquez-"] * 2 + [
        "-"
    ]
    assert len(set(names)) == 3
