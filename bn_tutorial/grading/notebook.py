"""A notebook read with suspicion: its cells by ``grade_id``, or the reason why there are none."""

import ast
import hashlib
import json
import re
import stat
import warnings
from dataclasses import dataclass, field

LARGEST = 10 << 20  # bytes; stored pictures count
LONGEST = 200_000  # characters of a cell
DEFINITIONS = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


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
    cells : dict of str to str
        ``grade_id`` -> source; of a cell that is there twice, the last.
    above : dict of str to str
        ``grade_id`` of a solution cell -> what the student's own cells above it define.
    others : list of str
        The sources of the code cells that are the student's own.
    repeated : set of str
        The ``grade_id`` of cells that are there more than once.
    """

    digest: str
    cells: dict[str, str]
    above: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    repeated: frozenset[str] = frozenset()


def read_bytes(path):
    """Return the bytes of a file that is one, and not too large.

    Raises
    ------
    NotebookError
        If it is a link, no file, unreadable, empty or larger than ``LARGEST``.
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
        raw = path.read_bytes()
    except OSError as error:
        raise NotebookError(f"it can't be read: {error.strerror}") from None
    if not raw.strip():
        raise NotebookError("the file is empty")
    return raw


def cells_of(raw):
    """Return the cells of a notebook, a list of Cell; its bytes may be anything.

    Raises
    ------
    NotebookError
        If they are not UTF-8, not JSON, or not a notebook's.
    """
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


def read_submission(path):
    """Return what a student handed in: Submission.

    Raises
    ------
    NotebookError
        If the file is no notebook.
    """
    raw = read_bytes(path)
    cells, above, others, repeated, waiting = {}, {}, [], set(), []
    for cell in cells_of(raw):
        source = _limited(cell.source)
        if cell.grade_id is None and cell.kind == "code":
            others.append(source)
            waiting.append(definitions(source))
        elif cell.grade_id is not None:
            repeated |= {cell.grade_id} & cells.keys()
            cells[cell.grade_id] = source
            if cell.kind == "code" and cell.nbgrader.get("solution"):
                above[cell.grade_id] = "\n".join(filter(None, waiting))
                waiting = []
    digest = hashlib.sha256(raw).hexdigest()
    return Submission(digest, cells, above, others, frozenset(repeated))


def definitions(source):
    r"""Return the imports, functions, classes and plain constants of a cell, no other lines.

    Examples
    --------
    >>> definitions("EPS = 1e-5\nprint(EPS)\ndef f(x): return x\nf(3)")
    'EPS = 1e-05\n\ndef f(x):\n    return x'
    """
    if (tree := _parsed(as_python(source))) is None:
        return ""
    kept = [node for node in tree.body if isinstance(node, DEFINITIONS) or _is_constant(node)]
    try:
        return ast.unparse(ast.Module(kept, type_ignores=[]))
    except RecursionError:
        return ""


def _is_constant(node):
    if not isinstance(node, ast.Assign):
        return False
    try:
        ast.literal_eval(node.value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def _parsed(source):
    """Return an ``ast.Module``, or None for what is no Python or too deep."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _limited(source):
    # without surrogates, which no file and no worker can be given
    return source[:LONGEST].encode("utf-8", "replace").decode()


def as_python(source):
    r"""Return a cell without IPython's own lines: ``%magic``, ``!command``, ``name?``.

    Examples
    --------
    >>> as_python("%matplotlib inline\nx = 1")
    'pass\nx = 1'
    """
    if _parsed(source) is not None:
        return source
    return re.sub(r"^([ \t]*)(?:[%!?].*|\S+\?+[ \t]*)$", r"\1pass", source, flags=re.MULTILINE)
