"""Who handed in what: the submissions in a folder, as learning platforms export them.

A notebook that lies in the folder itself is a student's, and so is each folder in it, however
deep the notebook lies there; so is a zip with notebooks. ``platforms.py`` knows the names.
"""

import io
import os
import re
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import yaml

from bn_tutorial.grading import platforms
from bn_tutorial.grading.notebook import (
    LARGEST,
    NotebookError,
    Submission,
    parse,
    read_bytes,
)
from bn_tutorial.grading.platforms import Owner

NOTEBOOK = re.compile(r"\.ipynb(\W.*)?$", re.IGNORECASE | re.DOTALL)  # A1.ipynb.txt, A1.ipynb (2)
COPY = re.compile(r"-Copy\d*|- Copy|\(\d+\)|_copy", re.IGNORECASE)
STUB = re.compile(r"# YOUR CODE HERE\s+pass\s*\Z|\A\s*YOUR ANSWER HERE\s*\Z")
MEMBERS = 200  # of a zip, which are looked at
IN_A_ZIP = 20  # notebooks


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
    id : str
        The platform's; or "".
    when : datetime or None
        When it was handed in, where the platform says so.
    late : bool
        Whether the platform says that it is late.
    unclear : bool
        Whether it is not certain whose it is.
    """

    student: str
    file: str
    submission: Submission | None
    problem: str = ""
    note: str = ""
    error: str = ""
    id: str = ""
    when: datetime | None = None
    late: bool = False
    unclear: bool = False


@dataclass(frozen=True)
class Found:
    """All that is in a folder.

    Attributes
    ----------
    handed_in : list of HandedIn
        Sorted by student.
    nobodys : list of str
        What was not read.
    platform : str
        Whose names these were taken for.
    """

    handed_in: list[HandedIn]
    nobodys: list[str]
    platform: str


@dataclass(frozen=True)
class _File:
    path: Path
    place: str  # in the folder
    owner: Owner
    member: str | None = None  # of a zip


def find_submissions(folder, parts, platform=None):
    """Return each student's submission: Found.

    Of several notebooks of one student the latest attempt counts, and of those the one with most of
    the assignment's cells, then with most of them filled in; then an original before its copies;
    then the last by name.

    Parameters
    ----------
    folder : Path
    parts : list of str
        The ``grade_id`` of the cells that a student writes in.
    platform : str, optional
        One of ``platforms.KNOWN``; guessed if not given.

    Raises
    ------
    SubmissionsError
        If there is no such folder, or no notebook in it.
    """
    if not folder.is_dir():
        what = "a file" if folder.exists() else "nothing of this name"
        raise SubmissionsError(f"{folder}: expected a folder of notebooks, got {what}")
    try:
        entries = sorted(e.name for e in os.scandir(folder) if not _hidden(e.name))
        platform = platform or platforms.guess(list(map(_text, entries)))
        files, nobodys = _files(folder, entries, platform)
    except OSError as error:
        raise SubmissionsError(f"{error.filename}: {error.strerror}") from None
    if not any(NOTEBOOK.search(file.member or file.path.name) for file in files):
        raise SubmissionsError(f"{folder}: expected notebooks (*.ipynb), got none")
    students = {}
    for file in files:
        students.setdefault((file.owner.name, file.owner.id), []).append(file)
    labels = _labels(students)
    found = [_choose(labels[key], files, parts) for key, files in students.items()]
    return Found(sorted(found, key=lambda one: one.student), nobodys, platform)


def _files(folder, names, platform):
    files, nobodys = [], []
    owners = _gradescope(folder / platforms.GRADESCOPE) if platform == "gradescope" else {}
    for name in names:
        path, text = folder / name, _text(name)
        owner = owners.get(name) or platforms.owner(text, platform)
        named = owner.known and owner.name != text  # somebody's, whatever it is
        if path.is_dir() and not path.is_symlink():
            paths = _below(path)
        elif NOTEBOOK.search(name) or _is_zip(path) or path.is_symlink() or named:
            paths = [path]
        else:
            nobodys.append(text)
            continue
        if platform == "gradescope" and owners:
            owner = replace(owner, known=name in owners)
        for path in paths:
            place = _text(path.relative_to(folder).as_posix())
            files += [
                _File(path, f"{place}/{_text(member)}" if member else place, owner, member)
                for member in (_members(path) or [None])
            ]
    return files, nobodys


def _gradescope(metadata):
    if not metadata.is_file():
        return {}
    try:
        return platforms.gradescope(metadata.read_text("utf-8"))
    except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise SubmissionsError(f"{metadata}: not as Gradescope writes it: {error}") from None


def _below(folder):
    """Return the notebooks in a student's folder, or where there are none whatever is there."""
    paths = []
    for parent, folders, names in os.walk(folder):  # doesn't follow links
        links = [name for name in folders if Path(parent, name).is_symlink()]
        folders[:] = sorted(name for name in folders if not _hidden(name))
        paths += [Path(parent, name) for name in sorted([*names, *links]) if not _hidden(name)]
    notebooks = [path for path in paths if NOTEBOOK.search(path.name) or _is_zip(path)]
    return notebooks or paths[:1] or [folder]


def _hidden(name):
    return name.startswith((".", "__MACOSX"))


def _is_zip(path):
    return path.suffix.lower() == ".zip" and path.is_file() and not path.is_symlink()


def _members(path):
    """Return the notebooks in a zip: their names there. Nothing is ever unpacked to a file."""
    if not _is_zip(path):
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist()[:MEMBERS] if not info.is_dir()]
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return []
    plain = (name for name in names if not any(map(_hidden, name.split("/"))))
    return [name for name in plain if NOTEBOOK.search(name)][:IN_A_ZIP]


def _text(name):
    """Return a file name, which may be any bytes, as printable text that stays different."""
    fine = {c for c in name if c.isprintable() or unicodedata.category(c) == "Zs"}  # any space
    return "".join(c if c in fine else c.encode("unicode_escape").decode() for c in name)


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
            submission = _read(file)
        except NotebookError as error:
            problem = str(error)
        except Exception as error:  # one student's file must not stop the class
            failed = f"it could not be read: {type(error).__name__}: {error}"
        read.append((_rank(file, submission, parts), file, submission, problem, failed))
    _, file, submission, problem, failed = max(read, key=lambda item: item[0])
    if submission and not any(part in submission.sources for part in parts):
        submission, problem = None, "none of its cells is one of this assignment's"
    others = [other.place for other in files if other is not file]
    notes = [f"not graded: {', '.join(sorted(others)[:5])}"] if others else []
    unclear = not file.owner.known
    if unclear:
        notes.append("its name is not the platform's")
    return HandedIn(
        student,
        file.place,
        submission,
        problem,
        "; ".join(notes),
        failed,
        file.owner.id,
        file.owner.when,
        file.owner.late,
        unclear,
    )


def _rank(file, submission, parts):
    """Return a key that is largest for the notebook of a student that counts."""
    sources = submission.sources if submission else {}
    known = [part for part in parts if part in sources]
    written = sum(not STUB.search(sources[part]) for part in known)
    original = not COPY.search(NOTEBOOK.sub("", file.member or file.path.name))
    latest = file.owner.when or datetime.min, file.owner.attempt
    place = _natural(NOTEBOOK.sub("", file.place))
    return latest, len(known) if submission else -1, written, original, place


def _read(file):
    if file.member:
        return parse(_unzipped(file))
    if not file.path.is_symlink():
        if file.path.is_dir():
            raise NotebookError("there is no file in the folder")
        if _is_zip(file.path):
            raise NotebookError("there is no notebook (*.ipynb) in the zip, or it can't be read")
        if not NOTEBOOK.search(file.path.name):
            raise NotebookError("there is no notebook (*.ipynb), but another file")
    return parse(read_bytes(file.path))


def _unzipped(file):
    """Return the bytes of a zip's member, and no more than those of a notebook."""
    packed = read_bytes(file.path)
    try:
        with (
            zipfile.ZipFile(io.BytesIO(packed)) as archive,
            archive.open(file.member) as member,
        ):
            raw = member.read(LARGEST + 1)
    except (RuntimeError, ValueError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise NotebookError(f"the zip can't be read: {error}") from None  # or has a password
    if len(raw) > LARGEST:
        raise NotebookError(f"in the zip it is larger than {LARGEST >> 20} MB")
    return raw


def _natural(text):
    """Return a key that sorts 10 after 9."""
    return [(int(digits or 0), other) for digits, other in re.findall(r"(\d+)|(\D+)", text)]
