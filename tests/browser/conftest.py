"""One JupyterLab for all browser tests, on a copy of the notebooks."""

import shutil

import pytest

from tools.lab import lab
from tools.run_notebooks import NOTEBOOKS


@pytest.fixture(scope="session")
def open_notebook(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(NOTEBOOKS, folder)
    with lab(folder) as open_one:
        yield open_one
