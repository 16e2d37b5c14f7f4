"""Run the cells of a notebook as far as its last explorer, and draw the pages of each."""

import contextlib
import io
import os

import nbformat
from IPython.core.interactiveshell import InteractiveShell

from bn_tutorial.explorers.explorer import Explorer
from bn_tutorial.explorers.page import draw_book

METADATA = "page"  # of a cell: what draw_book is to be called with


class Shell(InteractiveShell):
    """One without a screen."""

    def enable_gui(self, gui=None):
        """Do nothing: figures are drawn off screen."""


def has_explorer(cell):
    """Return whether a cell's stored result has a picture, as that of an explorer has."""
    return any(
        output.output_type == "execute_result" and "image/png" in output.data
        for output in cell.get("outputs", [])
    )


def draw_books(path) -> dict:
    """Draw the books of a notebook's explorers.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to dict
        Cell's id -> what ``page.draw_book`` gave, with the arguments in the cell's metadata
        ``page``.

    Raises
    ------
    Exception
        What a cell raised.
    """
    cells = nbformat.read(path, as_version=4).cells
    last = max((i for i, cell in enumerate(cells) if has_explorer(cell)), default=-1)
    books, shell = {}, Shell.instance()
    os.chdir(path.parent)
    for cell in cells[: last + 1]:
        if cell.cell_type != "code":
            continue
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            result = shell.run_cell(cell.source)
        result.raise_error()
        if isinstance(result.result, Explorer):
            options = cell.metadata.get(METADATA, {})
            if "editions" in options:  # pairs, for a notebook that is stored sorts a dict
                options = options | {"editions": dict(options["editions"])}
            books[cell.id] = draw_book(result.result, **options)
    return books
