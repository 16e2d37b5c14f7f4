"""A folder of submissions -> a folder of results, on as many processes as wanted."""

import os
import signal
import threading
import traceback
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from multiprocessing import get_context, parent_process

from bn_tutorial.checks.guard import one_line
from bn_tutorial.grading import gradebook, marks, report
from bn_tutorial.grading.grade import final, grade
from bn_tutorial.grading.late import Late
from bn_tutorial.grading.marks import Mark
from bn_tutorial.grading.results import key, version
from bn_tutorial.grading.sandbox import Limits, SandboxError

CONNECT = "10s"  # to wait for a scheduler
MOST_BROKEN = 5  # executors, before all is given up


@dataclass(frozen=True)
class Options:
    """How a class is graded.

    Attributes
    ----------
    limits : Limits
    confined : bool
        Whether the students' code runs in a sandbox.
    rule : Late
    anonymous : bool
        Whether the pages and the table for marking by hand go without names.
    again : frozenset of str
        The students that are graded anew.
    """

    limits: Limits = field(default_factory=Limits)
    confined: bool = True
    rule: Late = field(default_factory=Late)
    anonymous: bool = False
    again: frozenset[str] = frozenset()


def run(found, assignment, results, options, executor):
    """Grade what is not graded yet and write the reports.

    Parameters
    ----------
    found : Found
        From ``submissions.find_submissions``.
    assignment : Assignment
    results : ResultsFolder
    options : Options
    executor : callable
        Makes a context manager of an executor, of processes here or elsewhere: a check sets things
        that belong to a whole process.

    Returns
    -------
    tuple of (list of report.Row, bool)
        And whether it was interrupted; then the reports are of what was done.

    Raises
    ------
    ResultsError
        If what the teacher has filled in can't be read.
    """
    handed_in, seed = found.handed_in, results.seed
    by_hand = marks.read(results.path / marks.NAME, assignment.texts, handed_in, seed)
    limits, confined = options.limits, options.confined
    keys = {  # student -> name of the results, where there is something to grade
        one.student: key(one.submission, assignment, limits, confined, version(), seed)
        for one in handed_in
        if one.submission
    }
    work = partial(_graded, assignment=assignment, limits=limits, confined=confined, seed=seed)
    for student in keys.keys() & options.again:
        results.forget(keys[student])
    unsaved = {}
    try:
        interrupted = _grade_missing(handed_in, keys, work, results, executor, unsaved)
    finally:
        rows = []
        for one in handed_in:
            name = keys.get(one.student)
            came = unsaved.get(name) or (results.saved(name) if name else None)
            error = one.error or (came if isinstance(came, str) else "")
            mark = by_hand.get(one.student, Mark())
            rows.append(report.Row(one, None if error else came, mark, error, options.rule))
        write_reports(rows, found.nobodys, assignment, results, options)
    return rows, interrupted


def write_reports(rows, nobodys, assignment, results, options):
    """Write the tables, the pages of questions and of students, and summary.html."""
    if kept := results.write_table("grades.csv", report.grades(rows, assignment)):
        print(f"grades.csv was changed: that is now {kept}. Points go into {marks.NAME}.")
    if assignment.texts:
        table = marks.table(rows, assignment.texts, results.seed, anonymous=options.anonymous)
        results.write(marks.NAME, "\ufeff" + table)
    pages = report.questions(rows, assignment, results.seed, anonymous=options.anonymous)
    results.pages("questions", pages)
    feedback = {row.page: report.feedback(row, assignment) for row in rows if row.done}
    results.pages("feedback", feedback)
    results.write("similar.html", report.alike(rows, assignment))
    results.write("feedback.zip", gradebook.feedback_zip(rows, assignment))
    page = report.summary(rows, assignment, nobodys, confined=options.confined)
    results.write("summary.html", page)


def _graded(submission, assignment, limits, confined, seed):
    """Return what came of a submission, or what went wrong in the grader, a text."""
    try:
        return grade(submission, assignment, limits, confined, seed)
    except SandboxError as error:
        return str(error)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{os.path.basename(where.filename)}, line {where.lineno}"
        return one_line(f"{type(error).__name__}: {error} ({place})")


def _grade_missing(handed_in, keys, work, results, executor, unsaved):
    """Grade the submissions without saved results; return whether that was interrupted.

    What is not final, and what failed in the grader, goes into ``unsaved`` by its name.
    """
    from tqdm.auto import tqdm  # imports ipywidgets where there is a notebook

    waiting = {}  # of identical files, one is graded
    for one in handed_in:
        if one.submission and results.saved(keys[one.student]) is None:
            waiting.setdefault(keys[one.student], one.submission)
    finished = len(handed_in) - sum(keys.get(one.student) in waiting for one in handed_in)
    same = Counter(keys.values())
    broken = 0
    with tqdm(total=len(handed_in), initial=finished, unit="notebook") as bar:

        def keep(name, came):
            del waiting[name]
            if isinstance(came, str) or not final(came):
                unsaved[name] = came
            else:
                results.save(name, came)
            bar.update(same[name])

        while waiting:
            try:
                with executor() as pool:
                    _grade_all(pool, work, waiting, keep, 1 if broken else len(waiting))
            except KeyboardInterrupt:
                return True
            except BrokenExecutor:  # a process was ended; by what it was doing?
                broken += 1
                if broken > MOST_BROKEN:
                    raise SandboxError("grading processes are ended from outside") from None
                if broken > 1:
                    keep(next(iter(waiting)), "its grading process was ended from outside")
    return False


def _grade_all(pool, work, waiting, keep, at_once):
    """Grade what is waiting, so many at a time, and keep what came of each."""
    names, jobs = iter(list(waiting)), {}

    def submit():
        jobs.update({pool.submit(work, waiting[name]): name for name in islice(names, at_once)})

    try:
        submit()
        while jobs:
            done, _ = wait(jobs, return_when=FIRST_COMPLETED)
            for job in done:
                keep(jobs[job], _came(job))
                del jobs[job]
            if not jobs:
                submit()
    finally:  # cancel what has not begun, and keep what is at work or finished
        running = [job for job in jobs if not job.cancel()]
        wait(running)
        for job in running:
            if not job.cancelled() and job.exception() is None:
                keep(jobs[job], job.result())


def _came(job):
    try:
        return job.result()
    except BrokenExecutor:
        raise
    except Exception as error:  # of a cluster: a worker that was lost
        return one_line(f"{type(error).__name__}: {error}")


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
