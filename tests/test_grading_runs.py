"""A run of the grader: what may go wrong, with and without the sandbox, stopped and gone on."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import submissions
from small_assignment import UPDATE, rows_of, small, write

from bn_tutorial import cli
from bn_tutorial._files import ASSIGNMENTS
from bn_tutorial.grading import batch, report, sandbox, tasks
from bn_tutorial.grading._process import Worker
from bn_tutorial.grading.cli import INTERRUPTED
from bn_tutorial.grading.results import ResultsError, ResultsFolder

PATIENCE = 60  # seconds
COMMAND = Path(sys.executable).with_name("bn-tutorial")

needs_sandbox = pytest.mark.usefixtures("sandbox_here")


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    """Return a folder with eight submissions of the small assignment, every other one right."""
    made = tmp_path_factory.mktemp("handed_in")
    for i in range(8):
        source = UPDATE if i % 2 else UPDATE.replace("+ momentum", f"+ {i} - momentum")
        write(made / f"student{i}.ipynb", small(f"{source}  # {i}"))
    return made


@pytest.fixture(scope="module")
def command(handed_in, tmp_path_factory):
    """Return a function that makes the arguments of the command."""
    master = write(tmp_path_factory.mktemp("master") / "master.ipynb", small())

    def command(out, *more, folder=handed_in):
        return ["grade", "small", str(folder), "--out", str(out), "--master", str(master), *more]

    return command


@pytest.fixture(scope="module")
def graded_once(sandbox_here, command, tmp_path_factory):
    out = tmp_path_factory.mktemp("graded")
    assert cli.main(command(out, "-j", "2")) == 0
    return out


@pytest.fixture
def graded(graded_once, tmp_path):
    """Return a copy of the results of the submissions."""
    return Path(shutil.copytree(graded_once, tmp_path / "graded"))


@needs_sandbox
def test_a_run_writes_points_pages_and_counts_and_keeps_what_is_marked_by_hand(
    graded, command, capsys
):
    rows = rows_of(graded)
    assert [row["test_update"] for row in rows.values()] == ["0", "2"] * 4
    assert {(row["why"], row["of"], row["status"]) for row in rows.values()} == {
        ("", "5", "graded")
    }
    assert len(list((graded / "questions").iterdir())) == 1
    assert len(list((graded / "feedback").iterdir())) == 8
    path = graded / "marks.csv"
    table = path.read_text(encoding="utf-8-sig")
    edited = table.replace("student1,,,,,,", "student1,,2.5,,,well done,")
    path.write_text(edited.replace(",", ";").replace("2.5", "2,5"), encoding="cp1252")
    before = (graded / "grades.csv").read_bytes()
    assert cli.main(command(graded)) == 0
    assert path.read_text(encoding="utf-8-sig") == edited
    after = before.replace(b"student1,,2,,,,2,", b"student1,,2,2.5,,,4.5,")
    assert (graded / "grades.csv").read_bytes() == after != before
    page = (graded / "feedback" / report.feedback_name("student1")).read_text()
    assert "4.5 of 5 points" in page
    assert "well done" in page
    path.write_text(edited.replace("2.5", "much"))
    assert cli.main(command(graded)) == 2
    assert "column why: expected a number from 0 to 3, got 'much'" in capsys.readouterr().err


# what the teacher may get wrong


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "A9"}, "expected one of those in"),
        ({"name": "../A1"}, "expected one of those in"),
        ({"submissions": "nowhere"}, "expected a folder of notebooks"),
        ({"submissions": "empty"}, "expected notebooks"),
        ({"submissions": "file"}, "expected a folder of notebooks, got a file"),
        ({"out": "file/out"}, "expected a folder to write to"),
        ({"out": "other"}, "expected results of A1"),
        ({"out": "full"}, "expected a new or empty folder"),
        ({"out": "handed_in/out"}, "expected a folder outside"),
        ({"more": ["--master", "file"]}, "not a notebook"),
        ({"more": ["--master", "handed_in/a.ipynb"]}, "expected at least one test cell"),
    ],
    ids=str,
)
def test_a_mistake_is_one_clear_line(tmp_path, monkeypatch, capsys, change, words):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "full", "handed_in"):
        Path(name).mkdir()
    Path("file").write_text("x")
    Path("full/x").write_text("x")
    Path("handed_in/a.ipynb").write_text('{"cells": []}')
    ResultsFolder(Path("other"), "A2")
    values = {"name": "A1", "submissions": "handed_in", "out": "out", "more": [], **change}
    code = cli.main(
        ["grade", values["name"], values["submissions"], "--out", values["out"], *values["more"]]
    )
    said = capsys.readouterr().err
    assert (code, said.count("\n")) == (2, 1)
    assert words in said


@pytest.mark.parametrize(
    "wrong", [["-j", "0"], ["-j", "x"], ["--seconds-per-call", "nan"], ["--more"]]
)
def test_a_wrong_option_ends_with_code_2(wrong, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["grade", "A1", "x", "--out", "y", *wrong])
    assert end.value.code == 2
    assert ": error: " in capsys.readouterr().err


def test_results_that_can_t_be_written_are_named(tmp_path, monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(
        ResultsError, match=r"expected a folder to write to, got .*Permission denied"
    ):
        ResultsFolder(tmp_path / "out", "A1")


# with and without the sandbox


@pytest.mark.parametrize(
    ("system", "programs", "words"),
    [
        ("Darwin", {"bwrap", "prlimit"}, "expected Linux"),
        ("Windows", {"bwrap", "prlimit"}, "on Windows WSL 2"),
        ("Linux", {"prlimit"}, "apt-get install bubblewrap"),
        ("Linux", {"bwrap"}, "expected prlimit"),
    ],
)
def test_without_a_sandbox_grading_is_refused(
    monkeypatch, command, tmp_path, capsys, system, programs, words
):
    monkeypatch.setattr(sandbox.platform, "system", lambda: system)
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: name if name in programs else None)
    assert cli.main(command(tmp_path / "out")) == 2
    said = capsys.readouterr().err
    assert words in said
    assert ("--unconfined" in said) == (system != "Windows")
    with pytest.raises(sandbox.SandboxError, match=words):
        Worker(sandbox.Limits())


@pytest.mark.skipif(os.name != "posix", reason="starts a program that is a shell script")
@pytest.mark.parametrize(
    ("script", "words"), [("echo not permitted >&2; exit 1", "not permitted"), ("exit 3", "exit 3")]
)
def test_a_bubblewrap_that_may_not_start_is_no_sandbox(monkeypatch, tmp_path, script, words):
    for name, content in (("bwrap", script), ("prlimit", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{content}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sandbox.platform, "system", lambda: "Linux")
    assert words in sandbox.lacking()
    with pytest.raises(sandbox.SandboxError, match=r"Ubuntu 24.04.*Docker.* --unconfined"):
        sandbox.check()


@needs_sandbox
def test_a_sandbox_that_does_not_start_is_the_teachers_problem(monkeypatch):
    monkeypatch.setattr(sandbox, "BOX", Path("/nowhere"))
    with pytest.raises(
        sandbox.SandboxError, match=r"no worker can be started.*Can't find source path /nowhere"
    ):
        Worker(sandbox.Limits())


def test_windows_can_t_grade_without_a_sandbox_either(monkeypatch, command, tmp_path, capsys):
    monkeypatch.setattr(sandbox.platform, "system", lambda: "Windows")
    assert cli.main(command(tmp_path / "out", "--unconfined")) == 2
    assert "expected Linux or macOS, got Windows" in capsys.readouterr().err


def test_unconfined_it_says_so(handed_in, command, tmp_path, capsys):
    (tmp_path / "two").mkdir()
    for i in range(2):
        shutil.copy(handed_in / f"student{i}.ipynb", tmp_path / "two")
    out = tmp_path / "out"
    assert cli.main(command(out, "--unconfined", "-j", "1", folder=tmp_path / "two")) == 0
    assert "without a sandbox" in capsys.readouterr().err
    assert "without a sandbox" in (out / "summary.html").read_text()
    assert [row["test_update"] for row in rows_of(out).values()] == ["0", "2"]


# a run that is stopped goes on


def descendants(pid):
    found = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found += [child, *descendants(child)]
    return found


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def saved(out):
    """Return the files of saved results and when they were written."""
    return {path: path.stat().st_mtime_ns for path in (out / "results").glob("*.json")}


def stopped_after(count, how, command, out):
    """Start the command and stop it when it has graded some: its exit code, its processes."""
    nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([COMMAND, *command], **nowhere)
    wait_until(lambda: len(saved(out)) >= count)
    children = descendants(process.pid)
    process.send_signal(how)
    return process.wait(PATIENCE), children


@needs_sandbox
def test_killed_and_interrupted_it_goes_on_to_the_same_grades(command, tmp_path, graded):
    out = tmp_path / "again"
    slowly = command(out, "-j", "1")
    code, children = stopped_after(1, signal.SIGKILL, slowly, out)
    assert code == -signal.SIGKILL
    assert children
    wait_until(lambda: not any(Path("/proc", child).exists() for child in children))
    kept = saved(out)
    assert 1 <= len(kept) < 4
    code, _ = stopped_after(len(kept) + 1, signal.SIGINT, slowly, out)
    assert code == INTERRUPTED
    states = Counter(row["status"] for row in rows_of(out).values())
    assert set(states) == {"graded", "not graded yet"}
    assert cli.main(command(out, "-j", "3")) == 0
    assert kept.items() <= saved(out).items()
    pages = [path.relative_to(out) for path in (out / "feedback").iterdir()]
    assert len(pages) == 8
    for name in ("grades.csv", "summary.html", *pages):
        assert (out / name).read_bytes() == (graded / name).read_bytes()


@needs_sandbox
def test_what_changes_is_graded_again(handed_in, command, graded):
    before = set(saved(graded))
    changed = Path(shutil.copytree(handed_in, graded.parent / "changed"))
    write(changed / "student0.ipynb", small())
    assert cli.main(command(graded, "-j", "1", folder=changed)) == 0
    assert len(set(saved(graded)) - before) == 1
    assert rows_of(graded)["student0"]["test_update"] == "2"


@needs_sandbox
def test_a_cluster_gives_the_same_grades(command, tmp_path, graded):
    distributed = pytest.importorskip("distributed")
    out = tmp_path / "cluster"
    size = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**size, local_directory=str(tmp_path), protocol="tcp") as cluster:
        assert cli.main(command(out, "--scheduler", cluster.scheduler_address)) == 0
    assert (out / "grades.csv").read_bytes() == (graded / "grades.csv").read_bytes()


@needs_sandbox
def test_a_scheduler_that_is_not_there_is_named(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(batch, "CONNECT", "1s")
    assert cli.main(command(tmp_path / "out", "--scheduler", "tcp://127.0.0.1:9")) == 2
    assert "127.0.0.1:9" in capsys.readouterr().err


# the course's assignments


@needs_sandbox
@pytest.mark.parametrize("name", sorted(path.stem for path in ASSIGNMENTS.glob("*/*.ipynb")))
def test_an_assignments_own_solutions_get_full_marks(name, tmp_path):
    (tmp_path / "in").mkdir()
    shutil.copy(ASSIGNMENTS / name / f"{name}.ipynb", tmp_path / "in" / "solutions.ipynb")
    out = tmp_path / "out"
    assert cli.main(["grade", name, str(tmp_path / "in"), "--out", str(out), "-j", "1"]) == 0
    assignment, row = tasks.load(name), rows_of(out)["solutions"]
    points = [row[task.name] for task in assignment.tasks]
    assert points == [f"{task.points:g}" for task in assignment.tasks]


def test_the_corpus_is_made_from_a1():
    assert sum(task.points for task in tasks.load("A1").tasks) == submissions.ALL
