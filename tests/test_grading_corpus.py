"""The corpus of tests/submissions, graded as a whole: points, reasons, and nothing left behind."""

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import submissions

from bn_tutorial import cli
from bn_tutorial.grading import sandbox, tasks
from bn_tutorial.grading.report import feedback_name
from bn_tutorial.grading.results import ResultsFolder, key, version
from bn_tutorial.grading.submissions import find_submissions

pytestmark = pytest.mark.usefixtures("sandbox_here")
# names of all cases, for pytest's list; the real port and paths are known only later
NAMES = list(submissions.cases(0, Path("x"), Path("x/x")))


def running(mark):
    """Return the processes that have this text in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue  # it has ended
    return found


@pytest.fixture(scope="module")
def graded(sandbox_here, tmp_path_factory):
    """Grade everything once: the cases, and what came of them."""
    folder = tmp_path_factory.mktemp("graded")
    outside = folder / "outside.txt"
    outside.write_text("as it was")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        others = folder / "submissions" / "correct" / "A1.ipynb"
        cases = submissions.cases(port, outside, others)
        submissions.hand_in(folder / "submissions", cases)
        arguments = ["grade", "A1", str(folder / "submissions"), "--out", str(folder / "out")]
        os.environ["SECRET"] = "of the teacher's"
        try:
            code = cli.main([*arguments, "-j", "2", "--seconds-per-call", "3"])
        finally:
            del os.environ["SECRET"]
        try:
            connected = bool(listener.accept())
        except BlockingIOError:
            connected = False
    return {"cases": cases, "folder": folder, "code": code, "connected": connected}


@pytest.fixture(scope="module")
def rows(graded):
    with open(graded["folder"] / "out" / "grades.csv", encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def pages(graded):
    folder = graded["folder"] / "out" / "feedback"
    return {n: (folder / feedback_name(n)).read_text(encoding="utf-8") for n in graded["cases"]}


@pytest.fixture(scope="module")
def results(graded, rows):
    """Return the results of each student's tasks, by their names."""
    assignment = tasks.load("A1")
    folder = ResultsFolder(graded["folder"] / "out", "A1")
    found = find_submissions(graded["folder"] / "submissions", assignment.parts)
    how = assignment, sandbox.Limits(call=3.0), True, version(), folder.seed
    return {
        one.student: {result["task"]: result for result in saved}
        for one in found.handed_in
        if one.submission and (saved := folder.saved(key(one.submission, *how)))
    }


@pytest.fixture(scope="module")
def notebook_verdicts(graded):
    """Return what the notebook says of each case that may be run outside of the sandbox."""
    cases = graded["cases"]
    names = [name for name in submissions.harmless() if list(cases[name].files) == ["A1.ipynb"]]
    files = [graded["folder"] / "submissions" / name / "A1.ipynb" for name in names]
    program = Path(__file__).with_name("run_all.py")
    done = subprocess.run([sys.executable, program, *files], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return dict(zip(names, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_points_and_reason(name, graded, rows, results):
    case, row = graded["cases"][name], rows[name]
    assert float(row["total"]) == case.points, (row, results.get(name))
    if case.task is None:
        reason = row["status"]
    else:
        result = results[name][case.task]
        reason = result["reason"]
        if case.points < submissions.ALL:
            assert (result["kind"], result["bug"]) == (case.kind, case.bug), reason
    for words in case.reason:
        assert words in reason


def test_the_clock_is_not_final(results, rows):
    assert "swallows_interrupts" not in results


def test_the_notebook_and_the_grader_agree(graded, results, notebook_verdicts):
    apart = {}
    for name, verdicts in notebook_verdicts.items():
        for task, passed in verdicts.items():
            kind = results[name][task]["kind"]
            if passed is not None and kind != "forbidden" and passed != (kind == "right"):
                apart[name, task] = f"{passed} in the notebook, {kind} in the grader"
    # which lets PyTorch do the task, and is stopped before that is seen
    apart.pop(("in_a_thread", "test_batch_norm_forward"))
    assert apart == {}
    assert len(notebook_verdicts) > 85
    assert sum(True in verdicts.values() for verdicts in notebook_verdicts.values()) > 80


def test_one_bad_submission_stops_nothing(graded, rows):
    assert graded["code"] == 0
    assert sorted(rows) == sorted(NAMES)
    assert [row["status"] for row in rows.values() if not row["total"]] == []


def test_nothing_is_reached_or_left_behind(graded):
    assert not graded["connected"]
    assert (graded["folder"] / "outside.txt").read_text() == "as it was"
    assert running(submissions.MARK) == []
    folders = map(Path, ("/", "/tmp", os.getcwd(), Path.home()))
    assert [folder for folder in folders if (folder / submissions.MARK).exists()] == []
    assert list(graded["folder"].rglob(f"*{submissions.MARK}*")) == []


def test_feedback_is_escaped_and_complete(graded, pages):
    assert len(list((graded["folder"] / "out" / "feedback").iterdir())) == len(NAMES)
    for page in pages.values():
        assert "<script" not in page
        assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages["script"]
    assert "root:" not in pages["a_link"]


def test_feedback_names_the_misconception(pages):
    assert "unbiased_variance" in pages["n_minus_1"]


def test_the_summary_counts_misconceptions(graded):
    page = (graded["folder"] / "out" / "summary.html").read_text(encoding="utf-8")
    for bug in ("per_example", "unbiased_variance", "eps_ignored"):
        assert f"<tr><td>{bug}<td>1\n" in page
    assert "without a sandbox" not in page
    assert "Identical files: correct" in page


def test_the_results_are_plain_json(graded):
    for path in (graded["folder"] / "out" / "results").iterdir():
        for result in json.loads(path.read_text()):
            assert len(result["reason"]) <= 1_000
