"""A notebook read with suspicion: its cells by ``grade_id``, or the reason why there are none."""

import hashlib
import json
import stat
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

LARGEST = 10 << 20  # bytes; stored pictures count
LONGEST = 200_000  # characters of a cell
MOST = 2_000  # cells


class NotebookError(ValueError):
    """A file that is no notebook; the message is for the one who handed it in."""


@dataclass(frozen=True)
class Cell:
    """A cell of a notebook: its nbgrader metadata, its own of ours, and what is in it."""

    kind: str
    source: str
    nbgrader: dict
    ours: dict

    @property
    def grade_id(self):
        name = self.nbgrader.get("grade_id")
        return name if isinstance(name, str) else None


@dataclass(frozen=True)
class Submission:
    """What was handed in, as far as grading needs it.

    Attributes
    ----------
    digest : str
        SHA-256 of the file.
    cells : list of Cell
        In the notebook's order.
    """

    digest: str
    cells: list[Cell]

    @cached_property
    def sources(self):
        """``grade_id`` -> source, a dict; of a cell that is there twice, both."""
        found = {}
        for cell in self.cells:
            if cell.grade_id is not None:
                found.setdefault(cell.grade_id, []).append(cell.source)
        return {name: "\n\n".join(sources) for name, sources in found.items()}

    def written_below(self, name, masters):
        """Return the student's own texts right below a cell, which are not the master's."""
        at = [i for i, cell in enumerate(self.cells) if cell.grade_id == name]
        found = []
        for cell in self.cells[at[-1] + 1 :] if at else []:
            if cell.kind != "markdown" or cell.grade_id or cell.source.strip() in masters:
                break
            found.append(cell.source)
        return found

    @cached_property
    def repeated(self):
        """The ``grade_id`` of cells that are there more than once."""
        names = Counter(cell.grade_id for cell in self.cells if cell.grade_id is not None)
        return {name for name, count in names.items() if count > 1}


def read_bytes(path):
    """Return the bytes of a file that is one, and not too large.

    Raises
    ------
    NotebookError
        If it is a link, no file, unreadable or larger than ``LARGEST``.
    """
    try:
        info = path.lstat()
        if stat.S_ISLNK(info.st_mode):  # to the teacher's files, or to another student's
            raise NotebookError("it is a link to another file; links are not followed")
        if not stat.S_ISREG(info.st_mode):
            raise NotebookError("it is not a file")
        if info.st_size > LARGEST:
            raise NotebookError(
                f"it is larger than {LARGEST >> 20} MB ({info.st_size / 2**20:.0f} MB): "
                "clear the outputs and hand it in again"
            )
        return path.read_bytes()
    except OSError as error:
        raise NotebookError(f"it can't be read: {error.strerror}") from None


def cells_of(raw):
    """Return the cells of a notebook, a list of Cell; its bytes may be anything.

    Raises
    ------
    NotebookError
        If they are none, not UTF-8, not JSON, or not a notebook's.
    """
    if not raw.strip():
        raise NotebookError("the file is empty")
    try:
        notebook = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise NotebookError(f"it is not UTF-8 text (byte {error.start})") from None
    except ValueError as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "a number"
        raise NotebookError(f"it is not a notebook: broken JSON ({where})") from None
    except RecursionError:
        raise NotebookError("it is not a notebook: JSON nested too deeply") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise NotebookError("it is not a notebook of version 4: it has no list of cells")
    return [_cell(cell) for cell in cells if isinstance(cell, dict)]


def _cell(cell):
    source, metadata = cell.get("source", ""), _dict(cell.get("metadata"))
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str):
        source = ""
    nbgrader, ours = (_dict(metadata.get(name)) for name in ("nbgrader", "bn_tutorial"))
    return Cell(str(cell.get("cell_type")), source, nbgrader, ours)


def _dict(value):
    return value if isinstance(value, dict) else {}


def parse(raw):
    """Return what a student handed in, from a file's bytes: Submission.

    Raises
    ------
    NotebookError
        If they are no notebook.
    """
    cells = [replace(cell, source=_limited(cell.source)) for cell in cells_of(raw)]
    if len(cells) > MOST:
        raise NotebookError(f"it has {len(cells)} cells; {MOST} are the most that are read")
    return Submission(hashlib.sha256(raw).hexdigest(), cells)


def _limited(source):
    # without surrogates, which no file and no worker can be given
    return source[:LONGEST].encode("utf-8", "replace").decode()
