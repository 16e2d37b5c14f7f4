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


@pytest.fixture
def open_address(browser):
    """Open an address without a network, and let nothing be complained of.

    What the pages say and ask for is listed in ``said`` and ``asked``.
    """
    said, asked, contexts = [], [], []

    def open_one(address, **options):
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        return page

    open_one.said, open_one.asked = said, asked
    yield open_one
    assert said == []
    for context in contexts:
        context.close()


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
