"""A folder of submissions -> a folder of results, on as many processes as wanted."""

import os
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, ProcessPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context, parent_process

from bn_tutorial.grading import report
from bn_tutorial.grading.grade import grade
from bn_tutorial.grading.results import ResultsError, key, version
from bn_tutorial.grading.sandbox import SandboxError

CONNECT = "10s"  # to wait for a scheduler


def run(found, assignment, results, *, limits, confined, executor):
    """Grade what is not graded yet and write the reports.

    Parameters
    ----------
    found : tuple
        From ``submissions.find_submissions``.
    assignment : Assignment
    results : ResultsFolder
    limits : Limits
    confined : bool
        Whether the students' code runs in a sandbox.
    executor : concurrent.futures.Executor
        Of processes here or elsewhere: a check sets things that belong to a whole process.

    Returns
    -------
    tuple of (list of report.Row, bool)
        And whether it was interrupted; then the reports are of what was done.

    Raises
    ------
    SandboxError
        If a worker can't be started.
    ResultsError
        If what the teacher has filled in can't be read.
    """
    handed_in, nobodys = found
    by_hand = _marked_by_hand(handed_in, assignment, results)
    keys = {  # student -> name of the results, where there is something to grade
        one.student: key(one.submission, assignment, limits, confined, version())
        for one in handed_in
        if one.submission
    }
    work = partial(grade, assignment=assignment, limits=limits, confined=confined)
    try:
        interrupted = _grade_missing(handed_in, keys, work, results, executor)
    finally:
        saved = {student: results.saved(name) for student, name in keys.items()}
        rows = [
            report.Row(one, saved.get(one.student), by_hand.get(one.student, {}))
            for one in handed_in
        ]
        write_reports(rows, nobodys, assignment, results, confined=confined)
    return rows, interrupted


def _marked_by_hand(handed_in, assignment, results):
    by_hand = results.marked_by_hand(assignment.texts)
    if gone := by_hand.keys() - {one.student for one in handed_in}:
        raise ResultsError(
            f"{results.path / 'grades.csv'}: expected only students who have handed in something, "
            f"got points by hand for {', '.join(sorted(gone))}: move the file away to start anew"
        )
    return by_hand


def write_reports(rows, nobodys, assignment, results, *, confined):
    """Write grades.csv, the feedback pages and summary.html."""
    results.write("grades.csv", report.grades(rows, assignment))
    results.feedback({row.page: report.feedback(row, assignment) for row in rows if row.done})
    page = report.summary(rows, assignment, nobodys, confined=confined)
    results.write("summary.html", page)


def _grade_missing(handed_in, keys, work, results, executor):
    """Grade the submissions without saved results; return whether that was interrupted."""
    from tqdm.auto import tqdm  # imports ipywidgets where there is a notebook

    waiting = {}  # of identical files, one is graded
    for one in handed_in:
        if one.submission and results.saved(keys[one.student]) is None:
            waiting.setdefault(keys[one.student], one.submission)
    finished = len(handed_in) - sum(keys.get(one.student) in waiting for one in handed_in)
    same = {k: sum(other == k for other in keys.values()) for k in waiting}
    jobs = {}
    with tqdm(total=len(handed_in), initial=finished, unit="notebook") as bar:
        try:
            for name, submission in waiting.items():
                jobs[executor.submit(work, submission)] = name
            pending = set(jobs)
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for job in done:
                    results.save(jobs[job], job.result())
                    bar.update(same[jobs[job]])
        except KeyboardInterrupt:
            return True
        except BrokenExecutor:
            raise SandboxError(
                "a grading process was ended from outside; the same command again goes on from here"
            ) from None
        finally:
            _give_up(jobs, results)
    return False


def _give_up(jobs, results):
    """Cancel what has not begun, and keep what is at work or finished."""
    running = [job for job in jobs if not job.cancel()]
    wait(running)
    for job in running:
        if not job.cancelled() and job.exception() is None:
            results.save(jobs[job], job.result())


@contextmanager
def processes(count):
    """Yield an executor of some processes on this machine, which end with this one."""
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_serve)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _serve():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    parent_process().join()
    os._exit(1)  # and the sandbox dies with this process


@contextmanager
def cluster(address):
    """Yield an executor of the workers of a Dask cluster, by its scheduler's address.

    Raises
    ------
    SandboxError
        If distributed is not installed.
    OSError
        If there is no scheduler.
    """
    try:
        from distributed import Client
    except ImportError:
        raise SandboxError(
            "--scheduler: expected the package distributed, got none: "
            "pip install 'bn_tutorial[cluster]'"
        ) from None
    with Client(address, timeout=CONNECT, set_as_default=False) as client:
        yield client.get_executor(pure=False)
