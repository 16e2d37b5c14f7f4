"""Who handed in what: names of platforms, attempts, copies, zips, the roster."""

import io
import os
import zipfile
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from small_assignment import UPDATE, small, write

from bn_tutorial import cli
from bn_tutorial.grading import platforms
from bn_tutorial.grading.notebook import LARGEST
from bn_tutorial.grading.roster import Roster, with_roster
from bn_tutorial.grading.submissions import SubmissionsError, find_submissions

MOODLE = "Alice Ash_{}_assignsubmission_file_"
BLACKBOARD = "A1_{}_attempt_2026-{}-22-18-50-00_A1.ipynb"
BRIGHTSPACE = "4711-815 - Alice Ash - Nov {}, 2026 {} PM"


def found_in(tmp_path, *paths, platform=None):
    for path in paths:
        write(tmp_path / path, small())
    return find_submissions(tmp_path, ["update"], platform)


@pytest.mark.parametrize(
    ("paths", "students", "platform"),
    [
        (
            [
                "1-7 - \u0141uk Li - Nov 22, 2026 650 PM/A1.ipynb",
                "1-8 - \u0141uk\u00a0Li - Nov 23, 2026 650 PM/A1.ipynb",
            ],
            ["\u0141uk Li"],
            "brightspace",
        ),
        (["a\u00a0b.ipynb", "a b.ipynb"], ["a b", "a\u00a0b"], "plain"),
        (["alice.ipynb", "Bob Berg.IPYNB"], ["Bob Berg", "alice"], "plain"),
        (["alice/A1/A1.ipynb", "bob/A1/A1.ipynb"], ["alice", "bob"], "plain"),
        ([f"{MOODLE.format(4711)}/A1.ipynb"], ["Alice Ash"], "moodle"),
        (
            [f"{MOODLE.format(4711)}A1.ipynb", f"{MOODLE.format(12)}A1.ipynb"],
            ["Alice Ash (12)", "Alice Ash (4711)"],
            "moodle",
        ),
        (
            ["ashalice_4711_815_A1.ipynb", "bergbob_LATE_4712_816_A1-1.ipynb"],
            ["ashalice", "bergbob"],
            "canvas",
        ),
        (
            ["ashalice_4711_815_A1.ipynb", "bergbob_4712_816_absentann_attempt_9_.ipynb"],
            ["ashalice", "bergbob"],
            "canvas",
        ),
        ([BLACKBOARD.format("aash", 11)], ["aash"], "blackboard"),
        (
            [f"{BRIGHTSPACE.format(21, 650)}/A1.ipynb", f"{BRIGHTSPACE.format(22, 1105)}/A1.ipynb"],
            ["Alice Ash"],
            "brightspace",
        ),
        (["hw_1_2_alice.ipynb", "hw_1_2_bob.ipynb"], ["hw_1_2_alice", "hw_1_2_bob"], "plain"),
        (["A1.ipynb (1)", "A1.ipynb (2)", "A1.ipynb"], ["A1", "A1 (1)", "A1 (2)"], "plain"),
        (["\u00e4\u20ac \u202e.ipynb", "a\nb.ipynb"], ["a\\nb", "\u00e4\u20ac \\u202e"], "plain"),
        (["@lice.ipynb", "007.ipynb"], ["007", "@lice"], "plain"),
    ],
)
def test_names_of_platforms_are_taken_apart(tmp_path, paths, students, platform):
    found = found_in(tmp_path, *paths)
    assert [one.student for one in found.handed_in] == students
    assert not any(one.problem or one.unclear for one in found.handed_in)
    assert (found.nobodys, found.platform) == ([], platform)


def test_id_time_and_lateness_are_kept(tmp_path):
    late, in_time = found_in(
        tmp_path, "bergbob_LATE_4712_816_A1-1.ipynb", "zoe_4713_817_A1.ipynb"
    ).handed_in
    assert (late.id, late.late, in_time.late) == ("4712", True, False)
    when = platforms.owner(f"{BRIGHTSPACE.format(22, 1105)}", "brightspace").when
    assert when == datetime(2026, 11, 22, 23, 5)
    when = platforms.owner(BLACKBOARD.format("aash", 11), "blackboard").when
    assert when == datetime(2026, 11, 22, 18, 50)
    assert platforms.owner(f"{BRIGHTSPACE.format(22, 1105)}", "blackboard").when is None


METADATA = """---
submission_11:
  :submitters:
  - :name: Alice Ash
    :sid: '0047'
  :created_at: 2026-11-22 10:00:00 Z
submission_12:
  :submitters: !ruby/array:Some::Class
  - :name: Bob Berg
  - :name: Cem Can
  :created_at: 2026-11-23 10:00:00.5 Z
"""


def test_gradescope_says_in_its_metadata_who_it_is(tmp_path):
    (tmp_path / "submission_metadata.yml").write_text(METADATA)
    found = found_in(tmp_path, *(f"submission_{i}/A1.ipynb" for i in (11, 12, 13)))
    names = [(one.student, one.id, one.unclear) for one in found.handed_in]
    assert names == [
        ("Alice Ash", "0047", False),
        ("Bob Berg + Cem Can", "", False),
        ("submission_13", "", True),
    ]
    assert found.handed_in[0].when == datetime(2026, 11, 22, 10)
    assert found.platform == "gradescope"


def test_the_metadata_is_named_only_where_it_is_wrong(tmp_path, monkeypatch):
    metadata = tmp_path / "submission_metadata.yml"
    for text in ("- a list", "a: [", "submission_11: text", "submission_11:\n  :submitters: 7"):
        metadata.write_text(text)
        with pytest.raises(SubmissionsError, match=r"metadata.yml: not as Gradescope writes it"):
            found_in(tmp_path, "submission_11/A1.ipynb")
    metadata.unlink()
    monkeypatch.setattr(platforms, "guess", lambda names: int("x"))
    with pytest.raises(ValueError, match="invalid literal"):
        find_submissions(tmp_path, ["update"])


def test_a_no_break_space_stays_in_the_file_name(tmp_path):
    name = "Alice\u00a0Ash_7_assignsubmission_file/A1.ipynb"
    [one] = found_in(tmp_path, name).handed_in
    assert (one.student, one.file) == ("Alice Ash", name)


def test_a_name_that_is_not_the_platforms_is_unclear(tmp_path):
    canvas = [f"s{i}_471{i}_815_A1.ipynb" for i in range(3)]
    found = found_in(tmp_path, *canvas, "A1_ann_attempt_2026-11-22-18-50-00_A1.ipynb", "x.ipynb")
    unclear = [one.student for one in found.handed_in if one.unclear]
    assert unclear == ["A1_ann_attempt_2026-11-22-18-50-00_A1", "x"]
    plain = find_submissions(tmp_path, ["update"], "plain")
    assert len(plain.handed_in) == 5
    assert not any(one.unclear for one in plain.handed_in)


def test_the_latest_attempt_counts(tmp_path):
    attempts = [BLACKBOARD.format("aash", month) for month in ("09", "11", "10")]
    [one] = found_in(tmp_path, *attempts).handed_in
    assert one.file == attempts[1]
    assert one.note == f"not graded: {attempts[0]}, {attempts[2]}"


@pytest.mark.parametrize(
    ("files", "counts"),
    [
        ({"A1.ipynb": UPDATE, "A1-Copy1.ipynb": UPDATE + "  # 2"}, "A1.ipynb"),
        ({"A1.ipynb": UPDATE, "A1 (1).ipynb": UPDATE + "  # 2"}, "A1.ipynb"),
        ({"A1.ipynb": "# YOUR CODE HERE\npass", "A1-Copy1.ipynb": UPDATE}, "A1-Copy1.ipynb"),
        ({"A1.ipynb": UPDATE, "A1-Copy1.ipynb": "# YOUR CODE HERE\npass"}, "A1.ipynb"),
        ({"A1-9.ipynb": UPDATE, "A1-10.ipynb": UPDATE}, "A1-10.ipynb"),
    ],
)
def test_an_original_counts_before_its_copies_and_work_before_stubs(tmp_path, files, counts):
    for name, source in files.items():
        write(tmp_path / "alice" / name, small(source))
    [one] = find_submissions(tmp_path, ["update", "why"]).handed_in
    [other] = set(files) - {counts}
    assert (one.file, one.note) == (f"alice/{counts}", f"not graded: alice/{other}")


def test_what_is_nobodys_is_listed_and_what_is_hidden_is_not(tmp_path):
    (tmp_path / "class list.csv").write_text("x")
    (tmp_path / "Eve_9_assignsubmission_file_").mkdir()
    (tmp_path / "Fay_8_assignsubmission_file_A1.pdf").write_text("x")
    found = found_in(
        tmp_path,
        f"{MOODLE.format(1)}/A1.ipynb",
        f"{MOODLE.format(1)}/.ipynb_checkpoints/A1-checkpoint.ipynb",
        ".x.ipynb",
    )
    assert found.nobodys == ["class list.csv"]
    assert {one.student: one.problem for one in found.handed_in} == {
        "Alice Ash": "",
        "Eve": "there is no file in the folder",
        "Fay": "there is no notebook (*.ipynb), but another file",
    }


def test_a_file_name_of_any_bytes_is_listed(tmp_path):
    for byte in (b"\xff", b"\xfe"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + byte + b".ipynb")).write_bytes(b"{}")
    found = find_submissions(tmp_path, ["update"])
    assert [one.student for one in found.handed_in] == ["\\udcfe", "\\udcff"]


# zips


def zipped(**members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/") + ".ipynb", content)
    return packed.getvalue()


def test_a_zip_is_read_and_never_unpacked(tmp_path):
    right = nbformat.writes(small()).encode()
    zips = {
        "alice": zipped(**{"A1__A1": right, "__MACOSX__A1": b"x", "..__..__evil": b""}),
        "bomb": zipped(A1=b" " * (LARGEST + 9)),
        "broken": b"PK\x03\x04 and no more",
        "empty": zipped(),
    }
    for name, content in zips.items():
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "work.zip").write_bytes(content)
    (tmp_path / "in" / "zoe.zip").write_bytes(zips["alice"])
    found = {one.student: one for one in find_submissions(tmp_path / "in", ["update"]).handed_in}
    assert found["alice"].submission is not None
    assert found["alice"].file == "alice/work.zip/A1/A1.ipynb"
    assert found["zoe.zip"].submission is not None
    assert "larger than 10 MB" in found["bomb"].problem
    assert "can't be read" in found["broken"].problem
    assert "no notebook" in found["empty"].problem
    assert sorted(path.name for path in tmp_path.rglob("*.ipynb")) == []


# the roster

ROSTERS = {
    "canvas": (
        "Student,ID,SIS User ID,SIS Login ID,Section\n    Points Possible,,,,\n"
        '"Ash, Alice",4711,x1,aash,S1\n"Berg, Bob",4712,x2,bberg,S1\n"Can, Cem",4713,x3,ccan,S1\n'
    ),
    "moodle": (
        "First name;Last name;ID number;Email address\n"
        "Alice;Ash;4711;aash@u.edu\nBob;Berg;4712;bberg@u.edu\nCem;Can;4713;ccan@u.edu\n"
    ),
    "plain": "name\nAlice Ash\nBob Berg\nCem Can\n",
}
FOLDERS = {
    "canvas": ["ashalice_4711_815_A1.ipynb", "bergbob_4712_816_A1.ipynb"],
    "moodle": [f"{MOODLE.format(1)}/A1.ipynb", "Bob Berg_2_assignsubmission_file_/A1.ipynb"],
    "plain": ["Alice Ash.ipynb", "berg_bob.ipynb"],
}


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("roster", ROSTERS)
def test_the_roster_says_who_is_missing(tmp_path, roster, folder):
    (tmp_path / "students.csv").write_text(ROSTERS[roster])
    found = found_in(tmp_path / "in", *FOLDERS[folder], "stranger.ipynb")
    found = with_roster(found, Roster(tmp_path / "students.csv"))
    missing = [one.student for one in found.handed_in if one.problem == "handed in nothing"]
    assert len(missing) == 1
    assert {"Cem", "Can"} == set(missing[0].replace(",", "").split())
    assert [one.student for one in found.handed_in if one.unclear] == ["stranger"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Identifier,Full name,Email address\nParticipant 47,Cem Can,c@u.edu\n", "Cem Can"),
        ("OrgDefinedId,Username,Last Name,First Name\n#0047,#can,Can,Cem\n", "Can Cem"),
        ("id,login\n0047,c@u.edu\n", "0047"),
    ],
)
def test_who_is_missing_is_called_by_the_name(tmp_path, text, name):
    (tmp_path / "students.csv").write_text(text)
    assert Roster(tmp_path / "students.csv").name(0) == name


def test_who_could_be_two_is_unclear_unless_the_id_tells(tmp_path):
    (tmp_path / "students.csv").write_text("name,id\nBob Berg,4711\nBob Berg,4712\n")
    roster = Roster(tmp_path / "students.csv")
    assert roster.find("Bob Berg") is None
    assert [roster.find("Bob Berg", id) for id in ("4711", "4712")] == [0, 1]
    path = tmp_path / "two.csv"
    path.write_text("name,id\nBob Berg,4711\nCem Can,4712\n")
    assert Roster(path).find("Bob Berg", "4712") is None
    assert [Roster(path).find(*who) for who in (("B.", "4711"), ("Cem Can", "7"))] == [0, 1]
    found = with_roster(found_in(tmp_path / "in", "Bob Berg.ipynb"), roster)
    assert [one.unclear for one in found.handed_in if one.file] == [True]


def test_a_dry_run_says_who_is_who_and_writes_nothing(tmp_path, capsys):
    for name in ("ashalice_4711_815_A1.ipynb", "bergbob_LATE_4712_816_A1.ipynb"):
        write(tmp_path / "in" / name, small())
    (tmp_path / "in" / "x.ipynb").write_bytes(b"")
    (tmp_path / "students.csv").write_text(ROSTERS["canvas"])
    arguments = ["grade", "A1", str(tmp_path / "in"), "--dry-run"]
    assert cli.main([*arguments, "--roster", str(tmp_path / "students.csv")]) == 0
    said = capsys.readouterr().out
    assert "4 students; names as canvas's" in said
    assert "bergbob | 4712 | bergbob_LATE_4712_816_A1.ipynb | late | none of its cells" in said
    assert " ? x | x.ipynb | the file is empty | its name is not the platform's" in said
    assert "Can, Cem | handed in nothing" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "students.csv"]
    assert cli.main(arguments[:-1]) == 2
    assert "--out: expected a folder" in capsys.readouterr().err
