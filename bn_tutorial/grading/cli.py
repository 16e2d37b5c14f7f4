"""The command ``bn-tutorial grade``."""

import argparse
import json
import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bn_tutorial.grading import batch, gradebook, marks, platforms, report, sandbox, tables, tasks
from bn_tutorial.grading.late import late
from bn_tutorial.grading.results import ResultsError, ResultsFolder
from bn_tutorial.grading.roster import Roster, with_roster
from bn_tutorial.grading.submissions import SubmissionsError, find_submissions

INTERRUPTED = 130  # as shells have it
WRONG_USE = 2
GRADER_ERROR = 3
REMEMBERED = ".command.json"
EXPECTED = (
    *(SubmissionsError, ResultsError, tables.TableError),
    *(sandbox.SandboxError, tasks.AssignmentError),
)


def add_to(commands):
    """Add ``grade`` to the commands of a parser."""
    parser = commands.add_parser(
        "grade",
        help="grade a folder of notebooks",
        description="Grade a folder of notebooks: grades.csv, marks.csv for what is marked by "
        "hand, a feedback page for each student, and summary.html. The same command again goes on "
        "where it was stopped.",
    )
    parser.add_argument("assignment", metavar="A1", help="the assignment")
    parser.add_argument("submissions", metavar="SUBMISSIONS_DIR", type=Path)
    parser.add_argument("--out", metavar="RESULTS_DIR", type=Path, help="where the results go")
    _add_who(parser)
    _add_how(parser)
    parser.set_defaults(run=run)
    _add_regrade(commands)


def _add_regrade(commands):
    parser = commands.add_parser(
        "regrade",
        help="grade one student anew",
        description="Grade one student of a results folder anew, with the options it was last "
        "graded with.",
    )
    parser.add_argument("student", metavar="STUDENT", help="as in grades.csv, or the id or code")
    parser.add_argument("--out", metavar="RESULTS_DIR", type=Path, required=True)
    parser.set_defaults(run=regrade)


def _add_who(parser):
    parser.add_argument(
        "--platform", choices=platforms.KNOWN, help="whose file names these are, if not as guessed"
    )
    parser.add_argument(
        "--roster", type=Path, metavar="STUDENTS.CSV", help="who could have handed in something"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only say which file is whose; grade nothing"
    )
    parser.add_argument("--anonymous", action="store_true", help="no names where you mark by hand")
    parser.add_argument(
        "--gradebook", type=Path, metavar="EXPORT.CSV", help="fill the totals into your gradebook"
    )
    parser.add_argument("--column", help="of the gradebook, if not the one called after A1")
    parser.add_argument("--deadline", metavar="'2026-11-22 18:00'", help="in the platform's time")
    parser.add_argument("--late", metavar="'10%% a day, at most 3 days'", help="what late costs")


def _add_how(parser):
    parser.add_argument(
        "-j", "--jobs", type=_count, default=_cores(), metavar="N", help="processes (%(default)s)"
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="grade on this Dask cluster")
    parser.add_argument("--master", type=Path, help="the authored notebook, if it is elsewhere")
    parser.add_argument(
        "--unconfined",
        action="store_true",
        help="without a sandbox: the students' code may do whatever you may",
    )
    limits = sandbox.Limits()
    for name, meaning in (("call", "a call"), ("submission", "a submission")):
        parser.add_argument(
            f"--seconds-per-{name}",
            type=_seconds,
            default=getattr(limits, name),
            metavar="S",
            help=f"processor time for {meaning} (%(default)s)",
        )


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
    """Carry out ``grade``: its exit code, with a message where it can't be carried out."""
    return _carried_out(grade, options)


def regrade(options):
    """Carry out ``regrade``."""
    return _carried_out(_regrade, options)


def _carried_out(command, options):
    try:
        return command(options)
    except EXPECTED as error:
        print(f"bn-tutorial: {error}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:  # once more, while it waited for those at work
        return INTERRUPTED


def grade(options, again=None):
    """Grade as the options say, and ``again`` who has it as name, id or code: the exit code."""
    how = _how(options)
    assignment = tasks.load(options.assignment, options.master)
    if options.out:
        _check_apart(options.submissions, options.out)
    found = find_submissions(options.submissions, assignment.parts, options.platform)
    if options.roster:
        found = with_roster(found, Roster(options.roster))
    _say_found(found, options)
    if options.dry_run:
        return 0
    if not options.out:
        raise ResultsError("--out: expected a folder for the results, got none")
    results = ResultsFolder(options.out, assignment.name)
    _remember(results, options)
    if again is not None:
        how = replace(how, again=frozenset({_who(again, found, results.seed)}))
    if how.confined and not options.scheduler:
        sandbox.check()
    if not how.confined:
        sandbox.check_unconfined()
        print(report.UNCONFINED, file=sys.stderr)
    with _terminated_like_interrupted():
        rows, interrupted = batch.run(
            found, assignment, results, how, executor=lambda: _executor(options)
        )
    _say(rows, assignment, results)
    for row in (row for row in rows if row.done and row.handed_in.student in how.again):
        points = f"{row.total(assignment):g} of {assignment.points}"
        print(f"Graded anew: {row.handed_in.student}, {points} points")
    if options.gradebook:
        _fill(options, rows, assignment, results)
    return INTERRUPTED if interrupted else GRADER_ERROR if any(row.error for row in rows) else 0


def _remember(results, options):
    """Keep the options in the results folder, for ``regrade``."""
    kept = {name: value for name, value in vars(options).items() if name not in ("run", "more")}
    paths = {name: str(value.resolve()) for name, value in kept.items() if isinstance(value, Path)}
    results.write(REMEMBERED, json.dumps({"options": kept | paths, "paths": sorted(paths)}) + "\n")


def _regrade(options):
    try:
        remembered = json.loads((options.out / REMEMBERED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ResultsError(f"--out: expected results of bn-tutorial, got {options.out}") from None
    kept = remembered["options"]
    kept |= {name: Path(kept[name]) for name in remembered["paths"]}
    return grade(argparse.Namespace(**{**kept, "out": options.out}), again=options.student)


def _who(text, found, seed):
    """Return the student who is meant by a name, an id or a code."""
    plain = tables.plain(text)
    for same in (text.__eq__, lambda other: tables.plain(other) == plain != ""):
        who = [
            one.student
            for one in found.handed_in
            if any(map(same, filter(None, (one.student, one.id, marks.code(one.student, seed)))))
        ]
        if len(who) == 1:
            return who[0]
    raise ResultsError(f"STUDENT: expected one name, id or code from {marks.NAME}, got {text!r}")


def _fill(options, rows, assignment, results):
    text, column, strangers = gradebook.filled(options.gradebook, rows, assignment, options.column)
    results.write("gradebook.csv", text)
    print(f"{results.path / 'gradebook.csv'}: {options.gradebook}, with {column!r} filled in")
    if strangers:
        print(f"  not in it: {', '.join(strangers)}", file=sys.stderr)


def _how(options):
    try:
        rule = late(options.deadline, options.late)
    except ValueError as error:
        raise ResultsError(f"--deadline, --late: {error}") from None
    seconds = {"call": options.seconds_per_call, "submission": options.seconds_per_submission}
    limits = sandbox.Limits(**seconds)
    return batch.Options(limits, not options.unconfined, rule, options.anonymous)


def _say_found(found, options):
    print(f"{options.submissions}: {len(found.handed_in)} students; names as {found.platform}'s")
    for one in found.handed_in:
        if options.dry_run or one.unclear:
            sign = "?" if one.unclear else " "
            late = "late" if one.late else None
            when = f"handed in {one.when:%Y-%m-%d %H:%M}" if one.when else late
            about = [one.student, one.id, one.file, when, one.problem or one.error, one.note]
            print(f" {sign} {' | '.join(filter(None, about))}")
    if found.nobodys:
        print(f"  nobody's, not read: {', '.join(found.nobodys)}")


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


def _say(rows, assignment, results):
    done = [row for row in rows if row.done]
    print(f"{assignment.name}: {len(done)} of {len(rows)} submissions graded")
    for row in done:
        if row.status != "graded":
            print(f"  {row.handed_in.student}: {row.status}")
    for row in rows:
        if row.error:
            print(f"  {row.handed_in.student}: {row.status}", file=sys.stderr)
    for bug, students in report.misconceptions(rows):
        print(f"  {students:4} x {bug}")
    print(f"{results.path}: grades.csv, summary.html, feedback/, feedback.zip")
    if assignment.texts:
        print(f"To mark by hand: {marks.NAME}, with questions/*.html. Then the same command again.")
    if len(done) < len(rows):
        print("The same command again goes on from here.")
