"""What goes wrong in the grader itself costs one student's row, and nobody else's."""

from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor

import pytest
from small_assignment import small, write

from bn_tutorial.grading import batch, tasks
from bn_tutorial.grading._session import Session
from bn_tutorial.grading.results import ResultsFolder
from bn_tutorial.grading.sandbox import Limits, SandboxError
from bn_tutorial.grading.submissions import find_submissions

NAMES = ["alice", "bob", "carol"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that grades three submissions with a given function: dict of rows."""
    for name in NAMES:
        write(tmp_path / "in" / f"{name}.ipynb", small(f"# {name}"))
    assignment = tasks.load("small", write(tmp_path / "master.ipynb", small()))
    results = ResultsFolder(tmp_path / "out", "small")

    def run(grade, executor=lambda: ThreadPoolExecutor(1)):
        monkeypatch.setattr(batch, "grade", grade)
        found = find_submissions(tmp_path / "in", assignment.parts)
        rows, _ = batch.run(found, assignment, results, batch.Options(), executor)
        assert (tmp_path / "out" / "grades.csv").exists()
        return {row.handed_in.student: row for row in rows}

    return run


def result(kind="right"):
    about = {"task": "test_update", "points": 2, "of": 2, "bug": None}
    return [{**about, "kind": kind, "reason": "because"}]


def whose(submission):
    return submission.sources["update"].removeprefix("# ")


def test_an_error_is_one_row_and_is_tried_again(run):
    def fails(submission, *_, **__):
        if whose(submission) == "bob":
            raise OverflowError("int too large")
        return result()

    rows = run(fails)
    assert [row.done for row in rows.values()] == [True, False, True]
    assert "OverflowError: int too large (test_grading_faults.py, line" in rows["bob"].status
    rows = run(lambda *_, **__: result())
    assert [row.status for row in rows.values()] == ["graded"] * 3


def test_what_the_clock_ended_is_told_and_tried_again(run):
    for kind, again in (("no end", True), ("out of time", False)):
        rows = run(lambda *_, kind=kind, **__: result(kind))
        assert rows["bob"].status == "graded; ran out of time: test_update"
        calls = []
        run(lambda *_, calls=calls, kind=kind, **__: calls.append(1) or result(kind))
        assert bool(calls) == again


class _Breaks:
    """An executor whose process ends with bob's submission."""

    def __init__(self, always=False):
        self.always = always

    def __enter__(self):
        self.broken = False
        return self

    def __exit__(self, *_):
        pass

    def submit(self, work, submission):
        future = Future()
        if self.always or whose(submission) == "bob":
            self.broken = True
        if self.broken:
            future.set_exception(BrokenExecutor())
        else:
            future.set_result(work(submission))
        return future


def test_a_process_that_is_ended_is_one_row(run):
    rows = run(lambda *_, **__: result(), _Breaks)
    assert [row.done for row in rows.values()] == [True, False, True]
    assert "grading process was ended" in rows["bob"].status


def test_processes_that_are_always_ended_end_the_run(run, monkeypatch):
    monkeypatch.setattr(batch, "MOST_BROKEN", 1)
    with pytest.raises(SandboxError, match="ended from outside"):
        run(lambda *_, **__: result(), lambda: _Breaks(always=True))


def test_a_sandbox_that_fails_once_is_started_again(monkeypatch):
    starts = []

    def start(*_, **__):
        starts.append(1)
        if len(starts) == 1:
            raise SandboxError("out of something")
        return "a worker"

    monkeypatch.setattr("bn_tutorial.grading._session.Worker", start)
    Session([], Limits(), confined=True).prepare(0)
    assert len(starts) == 2
