"""One JupyterLab for all browser tests, on a copy of the notebooks."""

import shutil
from contextlib import contextmanager

import nbformat
import pytest

from tools.lab import KERNEL, lab
from tools.run_notebooks import NOTEBOOKS


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(NOTEBOOKS, folder)
    return folder


@pytest.fixture(scope="session")
def open_notebook(folder):
    with lab(folder) as open_one:
        yield open_one


@pytest.fixture(scope="module")
def browser(open_notebook):
    """Return the browser alone: Playwright runs once in a process."""
    with open_notebook("01_dataset.ipynb") as notebook:
        yield notebook.page.context.browser


@pytest.fixture(scope="session")
def run_cells(folder, open_notebook):
    """Write a notebook with some cells, open it and run them all.

    The kernel hears widgets in a thread of its own, or with ``subshells=False`` among the cells.
    """

    @contextmanager
    def run(*cells, subshells=True):
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, folder / "scratch.ipynb")
        with open_notebook("scratch.ipynb") as opened:
            if not subshells:
                opened.page.evaluate(f"() => {{ {KERNEL}.commsOverSubshells = 'disabled' }}")
            opened.run_all()
            yield opened

    return run
