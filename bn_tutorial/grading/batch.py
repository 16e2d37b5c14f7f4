"""A folder of submissions -> a folder of results, on as many processes as wanted."""

import os
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context, parent_process

from bn_tutorial.grading import report
from bn_tutorial.grading.grade import grade
from bn_tutorial.grading.results import ResultsError, key, version
from bn_tutorial.grading.sandbox import SandboxError

CONNECT = "10s"  # to wait for a scheduler


def run(found, assignment, results, *, limits, confined, executor, progress=True):
    """Grade what is not graded yet and write the reports.

    Parameters
    ----------
    found : tuple of (list of HandedIn, list of str)
        From ``submissions.find_submissions``.
    assignment : Assignment
    results : ResultsFolder
    limits : Limits
    confined : bool
        Whether the students' code runs in a sandbox.
    executor : concurrent.futures.Executor
        Of processes here or elsewhere: a check sets things that belong to a whole process.
    progress : bool
        Show a bar.

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
    keys = _keys(handed_in, assignment, limits, confined)
    try:
        interrupted = _grade_missing(
            handed_in, keys, assignment, results, limits, confined, executor, progress
        )
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


def _keys(handed_in, assignment, limits, confined):
    """Return student -> name of the results, where there is something to grade."""
    grader = version()
    return {
        one.student: key(one.submission, assignment, limits, confined, grader)
        for one in handed_in
        if one.submission
    }


def write_reports(rows, nobodys, assignment, results, *, confined):
    """Write grades.csv, the feedback pages and summary.html."""
    results.write("grades.csv", report.grades(rows, assignment))
    results.feedback({row.page: report.feedback(row, assignment) for row in rows if row.done})
    page = report.summary(rows, assignment, nobodys, confined=confined)
    results.write("summary.html", page)


def _grade_missing(handed_in, keys, assignment, results, limits, confined, executor, progress):
    """Grade the submissions without saved results; return whether that was interrupted."""
    waiting = {}  # of identical files, one is graded
    for one in handed_in:
        if one.submission and results.saved(keys[one.student]) is None:
            waiting.setdefault(keys[one.student], one.submission)
    finished = len(handed_in) - sum(keys.get(one.student) in waiting for one in handed_in)
    same = {k: sum(other == k for other in keys.values()) for k in waiting}
    jobs = {}
    with _bar(len(handed_in), finished, progress) as bar:
        try:
            for name, submission in waiting.items():
                jobs[executor.submit(grade, submission, assignment, limits, confined)] = name
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
def _bar(total, finished, progress):
    from tqdm.auto import tqdm  # imports ipywidgets where there is a notebook

    with tqdm(total=total, initial=finished, unit="notebook", disable=not progress) as bar:
        yield bar


@contextmanager
def processes(count):
    """Yield an executor of processes on this machine, which end with this one.

    Parameters
    ----------
    count : int
    """
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
    """Yield an executor of a Dask cluster's workers.

    Parameters
    ----------
    address : str
        Of the scheduler.

    Raises
    ------
    ImportError
        If distributed is not installed.
    OSError
        If there is no scheduler.
    """
    from distributed import Client

    with Client(address, timeout=CONNECT, set_as_default=False) as client:
        yield client.get_executor(pure=False)
