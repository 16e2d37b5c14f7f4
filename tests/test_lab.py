"""The course handed out to a learner: what ``bn-tutorial lab`` copies, keeps and opens."""

import json
import shutil

import nbformat
import pytest

from bn_tutorial import cli, lab
from bn_tutorial._files import NOTEBOOKS
from bn_tutorial.lab import hand_out

NAMES = sorted(path.name for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
FIRST, SECOND = NAMES[:2]


@pytest.fixture
def course(tmp_path):
    """Two notebooks that the course has."""
    course = tmp_path / "course"
    course.mkdir()
    for name in NAMES[:2]:
        shutil.copy(NOTEBOOKS / name, course)
    return course


def change(path, source="mine = 1"):
    notebook = nbformat.read(path, 4)
    notebook.cells.append(nbformat.v4.new_code_cell(source, id="changed"))
    nbformat.write(notebook, path)
    return path.read_bytes()


def news(added=(), updated=(), differ=()):
    return {"added": list(added), "updated": list(updated), "differ": list(differ)}


def test_the_whole_course_is_handed_out_without_a_single_output(tmp_path):
    folder = tmp_path / "not" / "there yet"
    assert hand_out(folder) == news(added=NAMES)
    for name in NAMES:
        notebook, original = nbformat.read(folder / name, 4), nbformat.read(NOTEBOOKS / name, 4)
        nbformat.validate(notebook)
        assert [cell.source for cell in notebook.cells] == [c.source for c in original.cells]
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count for cell in code)
        assert any(c.outputs for c in original.cells if c.cell_type == "code")


def test_what_a_learner_changed_stays(course, tmp_path):
    hand_out(tmp_path / "mine", course)
    mine = change(tmp_path / "mine" / FIRST)
    assert hand_out(tmp_path / "mine", course) == news()
    assert (tmp_path / "mine" / FIRST).read_bytes() == mine


def test_a_later_version_updates_what_nobody_touched_and_names_what_differs(course, tmp_path):
    hand_out(tmp_path / "mine", course)
    mine = change(tmp_path / "mine" / FIRST)
    change(course / FIRST, "theirs = 1")
    change(course / SECOND, "theirs = 2")
    shutil.copy(NOTEBOOKS / NAMES[2], course)
    expected = news(added=[NAMES[2]], updated=[SECOND], differ=[FIRST])
    assert hand_out(tmp_path / "mine", course) == expected
    assert (tmp_path / "mine" / FIRST).read_bytes() == mine
    assert "theirs = 2" in (tmp_path / "mine" / SECOND).read_text("utf-8")
    assert hand_out(tmp_path / "mine", course) == news(differ=[FIRST])  # said every time


def test_a_notebook_that_was_thrown_away_comes_back(course, tmp_path):
    hand_out(tmp_path / "mine", course)
    (tmp_path / "mine" / FIRST).unlink()
    assert hand_out(tmp_path / "mine", course) == news(added=[FIRST])


@pytest.mark.parametrize("record", [None, "{", "[]", "null", '{"01_dataset.ipynb": 5}'])
def test_without_its_record_nothing_is_overwritten(course, tmp_path, record):
    folder = tmp_path / "mine"
    hand_out(folder, course)
    mine = change(folder / FIRST)
    (folder / lab.RECORD).unlink()
    if record is not None:
        (folder / lab.RECORD).write_text(record)
    assert FIRST in hand_out(folder, course)["differ"]
    assert (folder / FIRST).read_bytes() == mine


def test_a_notebook_is_written_whole_or_not_at_all(course, tmp_path, monkeypatch):
    hand_out(tmp_path / "mine", course)
    change(course / FIRST)
    before = (tmp_path / "mine" / FIRST).read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lab.os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        hand_out(tmp_path / "mine", course)
    assert (tmp_path / "mine" / FIRST).read_bytes() == before
    assert not list((tmp_path / "mine").glob("*.part"))


@pytest.fixture
def opened(monkeypatch):
    """Return what JupyterLab was opened with, instead of opening it."""
    from jupyterlab.labapp import LabApp

    calls = []
    monkeypatch.setattr(LabApp, "launch_instance", calls.append)
    return calls


def test_the_command_hands_out_and_opens_the_first_notebook(tmp_path, opened, capsys):
    folder = tmp_path / "mine"
    assert cli.main(["lab", str(folder), "--no-browser", "--port=1"]) == 0
    [(*given, port)] = opened
    assert f"--ServerApp.root_dir={folder}" in given
    assert f"--LabApp.default_url=/lab/tree/{FIRST}" in given
    assert given[-1] == "--no-browser"
    assert port == "--port=1"
    assert capsys.readouterr().out == f"{folder}: 13 notebooks added, without their outputs\n"
    notebook = folder / FIRST
    notebook.write_text(json.dumps({}))
    (folder / lab.RECORD).unlink()
    cli.main(["lab", str(folder)])
    said = capsys.readouterr().out
    assert said.startswith(f"{folder}: {FIRST} changed in the course and by you: yours is kept;")


def test_without_a_name_it_is_my_course(tmp_path, opened, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["lab"]) == 0
    assert len(list((tmp_path / "my_course").glob("*.ipynb"))) == len(NAMES)


def test_a_folder_that_is_a_file_is_refused(tmp_path, opened, capsys):
    (tmp_path / "mine").write_text("")
    assert cli.main(["lab", str(tmp_path / "mine")]) == 2
    assert capsys.readouterr().err == f"bn-tutorial: {tmp_path / 'mine'}: File exists\n"
    assert opened == []


def test_other_commands_take_no_unknown_arguments(capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["grade", "A1", "x", "--out", "y", "--port=1"])
    assert "unrecognized arguments: --port=1" in capsys.readouterr().err
