"""The command ``bn-tutorial grade``."""

import argparse
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

from bn_tutorial.grading import batch, report, sandbox, tasks
from bn_tutorial.grading.results import ResultsError, ResultsFolder
from bn_tutorial.grading.submissions import SubmissionsError, find_submissions

INTERRUPTED = 130  # as shells have it
WRONG_USE = 2
GRADER_ERROR = 3
EXPECTED = SubmissionsError, ResultsError, sandbox.SandboxError, tasks.AssignmentError


def add_to(commands):
    """Add ``grade`` to the commands of a parser."""
    grade = commands.add_parser(
        "grade",
        help="grade a folder of notebooks",
        description="Grade a folder of notebooks: grades.csv, a feedback page for each student, "
        "and summary.html. The same command again goes on where it was stopped.",
    )
    grade.add_argument("assignment", metavar="A1", help="the assignment")
    grade.add_argument("submissions", metavar="SUBMISSIONS_DIR", type=Path)
    grade.add_argument("--out", metavar="RESULTS_DIR", type=Path, required=True)
    grade.add_argument(
        "-j", "--jobs", type=_count, default=_cores(), metavar="N", help="processes (%(default)s)"
    )
    grade.add_argument("--scheduler", metavar="ADDRESS", help="grade on this Dask cluster")
    grade.add_argument("--master", type=Path, help="the authored notebook, if it is elsewhere")
    grade.add_argument(
        "--unconfined",
        action="store_true",
        help="without a sandbox: the students' code may do whatever you may",
    )
    limits = sandbox.Limits()
    for name, meaning in (("call", "a call"), ("submission", "a submission")):
        grade.add_argument(
            f"--seconds-per-{name}",
            type=_seconds,
            default=getattr(limits, name),
            metavar="S",
            help=f"processor time for {meaning} (%(default)s)",
        )
    grade.set_defaults(run=run)


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _count(text):
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text!r}")
    return int(text)


def _seconds(text):
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"expected a positive number of seconds, got {text!r}")
    return seconds


def run(options):
    """Carry out the command: its exit code, with a message where it can't be carried out."""
    try:
        return grade(options)
    except EXPECTED as error:
        print(f"bn-tutorial: {error}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:  # once more, while it waited for those at work
        return INTERRUPTED


def grade(options):
    """Grade as the options say, and return the exit code."""
    confined = not options.unconfined
    seconds = {"call": options.seconds_per_call, "submission": options.seconds_per_submission}
    limits = sandbox.Limits(**seconds)
    assignment = tasks.load(options.assignment, options.master)
    _check_apart(options.submissions, options.out)
    found = find_submissions(options.submissions, assignment.parts)
    results = ResultsFolder(options.out, assignment.name)
    if confined and not options.scheduler:
        sandbox.check()
    if not confined:
        print(report.UNCONFINED, file=sys.stderr)
    with _terminated_like_interrupted():
        rows, interrupted = batch.run(
            found,
            assignment,
            results,
            limits=limits,
            confined=confined,
            executor=lambda: _executor(options),
        )
    _say(rows, found[1], assignment, results)
    return INTERRUPTED if interrupted else GRADER_ERROR if any(row.error for row in rows) else 0


def _check_apart(submissions, out):
    inner, outer = out.resolve(), submissions.resolve()
    if inner == outer or outer in inner.parents:
        raise ResultsError(f"--out: expected a folder outside of {submissions}, got {out}")


def _executor(options):
    if options.scheduler:
        return batch.cluster(options.scheduler)
    return batch.processes(options.jobs)


@contextmanager
def _terminated_like_interrupted():
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say(rows, nobodys, assignment, results):
    done = [row for row in rows if row.done]
    print(f"{assignment.name}: {len(done)} of {len(rows)} submissions graded")
    for row in done:
        if row.handed_in.problem or row.handed_in.note:
            print(f"  {row.handed_in.student}: {row.status}")
    for row in rows:
        if row.error:
            print(f"  {row.handed_in.student}: {row.status}", file=sys.stderr)
    for bug, students in report.misconceptions(rows):
        print(f"  {students:4} x {bug}")
    if nobodys:
        print(f"  not read: {', '.join(nobodys)}")
    print(f"{results.path}: grades.csv, summary.html, feedback/")
    if len(done) < len(rows):
        print("The same command again goes on from here.")
