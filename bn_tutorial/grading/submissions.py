"""Who handed in what: the submissions in a folder, as learning platforms export them.

A notebook that lies in the folder itself is a student's, and so is each folder in it, however
deep the notebook lies there. Names that platforms make are taken apart:

    alice.ipynb, alice/A1/A1.ipynb                                  nbgrader and by hand
    Alice Ash_4711_assignsubmission_file_/A1.ipynb                  Moodle, folders
    Alice Ash_4711_assignsubmission_file_A1.ipynb                   Moodle, files
    ashalice_4711_815_A1.ipynb, ashalice_LATE_4711_815_A1-1.ipynb   Canvas
    A1_aash_attempt_2026-11-22-18-50-00_A1.ipynb                    Blackboard
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from bn_tutorial.grading.notebook import NotebookError, Submission, read_submission

PLATFORMS = [
    re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(file|onlinetext)(_.*)?", re.DOTALL),
    re.compile(r"(?P<id>.+?_(?P<name>[^_]+))_attempt_(?P<attempt>[\d-]+)([_.].*)?", re.DOTALL),
    re.compile(r"(?P<name>[^_]+?)(_LATE)?_(?P<id>\d{3,})_(?P<attempt>\d{3,})_.+", re.DOTALL),
]
NOTEBOOK = re.compile(r"\.ipynb(\W.*)?$", re.IGNORECASE | re.DOTALL)  # A1.ipynb.txt, A1.ipynb (2)


class SubmissionsError(ValueError):
    """A folder without submissions; the message is for the teacher."""


@dataclass(frozen=True)
class HandedIn:
    """One student's submission.

    Attributes
    ----------
    student : str
        Different for different students.
    file : str
        Its path in the folder.
    submission : Submission or None
    problem : str
        Why there is no submission to grade, for the student; or "".
    note : str
        For the teacher; or "".
    error : str
        What went wrong in the grader when it was read; or "".
    """

    student: str
    file: str
    submission: Submission | None
    problem: str = ""
    note: str = ""
    error: str = ""


@dataclass(frozen=True)
class _File:
    path: Path
    place: str  # in the folder
    name: str
    id: str
    attempt: str


def find_submissions(folder, parts):
    """Return each student's submission.

    Of several notebooks of one student the latest attempt counts, and of those the one with most of
    the assignment's cells; then the last by name.

    Parameters
    ----------
    folder : Path
    parts : list of str
        The ``grade_id`` of the cells that a student writes in.

    Returns
    -------
    tuple of (list of HandedIn, list of str)
        Sorted by student; and what in the folder is nobody's.

    Raises
    ------
    SubmissionsError
        If there is no such folder, or no notebook in it.
    """
    if not folder.is_dir():
        what = "a file" if folder.exists() else "nothing of this name"
        raise SubmissionsError(f"{folder}: expected a folder of notebooks, got {what}")
    try:
        files, nobodys = _files(folder)
    except OSError as error:
        raise SubmissionsError(f"{error.filename}: {error.strerror}") from None
    if not any(NOTEBOOK.search(file.path.name) for file in files):
        raise SubmissionsError(f"{folder}: expected notebooks (*.ipynb), got none")
    students = {}
    for file in files:
        students.setdefault((file.name, file.id), []).append(file)
    labels = _labels(students)
    found = [_choose(labels[key], files, parts) for key, files in students.items()]
    return sorted(found, key=lambda handed_in: handed_in.student), nobodys


def _files(folder):
    files, nobodys = [], []
    with os.scandir(folder) as entries:
        entries = sorted((e for e in entries if not _hidden(e.name)), key=lambda e: e.name)
    for entry in entries:
        name, who, attempt = _taken_apart(entry.name)
        if entry.is_dir(follow_symlinks=False):
            paths = _below(Path(entry.path))
        elif NOTEBOOK.search(entry.name) or who or attempt or entry.is_symlink():
            paths = [Path(entry.path)]
        else:
            nobodys.append(_text(entry.name))
            continue
        for path in paths:
            place = _text(path.relative_to(folder).as_posix())
            files.append(_File(path, place, name, who, attempt))
    return files, nobodys


def _below(folder):
    """Return the notebooks in a student's folder, or where there are none whatever is there."""
    paths = []
    for parent, folders, names in os.walk(folder):  # doesn't follow links
        links = [name for name in folders if Path(parent, name).is_symlink()]
        folders[:] = sorted(name for name in folders if not _hidden(name))
        paths += [Path(parent, name) for name in sorted([*names, *links]) if not _hidden(name)]
    return [path for path in paths if NOTEBOOK.search(path.name)] or paths[:1] or [folder]


def _hidden(name):
    return name.startswith((".", "__MACOSX"))


def _taken_apart(name):
    for platform in PLATFORMS:
        if match := platform.fullmatch(name):
            groups = match.groupdict(default="")
            return _text(groups["name"]), groups.get("id", ""), groups.get("attempt", "")
    return _text(re.sub(r"\.ipynb(\.txt|\.json)?", "", name, flags=re.IGNORECASE)), "", ""


def _text(name):
    """Return a file name, which may be any bytes, as printable text that stays different."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _labels(students):
    """Return a label for each student: the name alone where that is enough."""
    names = [name for name, _ in students]
    labels = {}
    for (name, who), files in students.items():
        label = f"{name} ({who or files[0].place})" if names.count(name) > 1 else name
        labels[name, who] = label
    return labels


def _choose(student, files, parts):
    read = []
    for file in files:
        submission, problem, failed = None, "", ""
        try:
            submission = _read(file.path)
        except NotebookError as error:
            problem = str(error)
        except Exception as error:  # one student's file must not stop the class
            failed = f"it could not be read: {type(error).__name__}: {error}"
        known = sum(part in submission.sources for part in parts) if submission else -1
        order = _natural(file.attempt), known, _natural(NOTEBOOK.sub("", file.place))
        read.append((order, file, submission, problem, failed))
    _, file, submission, problem, failed = max(read, key=lambda item: item[0])
    if submission and not any(part in submission.sources for part in parts):
        submission, problem = None, "none of its cells is one of this assignment's"
    note = f"one of {len(files)} notebooks" if len(files) > 1 else ""
    return HandedIn(student, file.place, submission, problem, note, failed)


def _read(path):
    if not path.is_symlink():
        if path.is_dir():
            raise NotebookError("there is no file in the folder")
        if not NOTEBOOK.search(path.name):
            raise NotebookError("there is no notebook (*.ipynb), but another file")
    return read_submission(path)


def _natural(text):
    """Return a key that sorts 10 after 9."""
    return [(int(digits or 0), other) for digits, other in re.findall(r"(\d+)|(\D+)", text)]
