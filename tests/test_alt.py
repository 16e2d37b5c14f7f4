"""A word for every picture: figures have alternative text, in their cells' metadata."""

import json
import re

import nbformat
import pytest

from bn_tutorial.lab import hand_out
from tools.run_notebooks import course, execute
from tools.site.books import has_explorer

# what a text begins with that says what kind of thing it is, in place of what is to be seen
KIND = re.compile(
    r"(an? |the )?(figure|image|picture|plot|graph|chart|diagram|histogram|map)s?\b( of| show|$)",
    re.I,
)


def figures(notebook):
    """List the cells with a figure. An explorer describes its picture itself."""
    return [
        cell
        for cell in notebook.cells
        if not has_explorer(cell)
        and any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
    ]


@pytest.fixture(params=course(), ids=lambda path: path.stem)
def path(request):
    return request.param


def test_every_figure_is_described(path):
    described = {cell.id: cell.metadata.get("alt") for cell in figures(nbformat.read(path, 4))}
    assert [name for name, text in described.items() if not text] == []
    for name, text in described.items():
        assert len(text) > 100, f"{name}: {text}"
        assert text == text.strip()
        assert text.endswith("."), f"{name}: {text}"
        assert not KIND.match(text), f"{name}: {text}"
    assert len(set(described.values())) == len(described)


def test_only_figures_are_described(path):
    notebook = nbformat.read(path, 4)
    described = {cell.id for cell in notebook.cells if "alt" in cell.metadata}
    assert described == {cell.id for cell in figures(notebook)}


def test_a_learner_gets_the_words_too(path, tmp_path):
    hand_out(tmp_path, path.parent)
    copy = json.loads((tmp_path / path.name).read_text(encoding="utf-8"))
    words = [cell["metadata"].get("alt") for cell in copy["cells"]]
    assert words == [cell.metadata.get("alt") for cell in nbformat.read(path, 4).cells]


def test_executing_keeps_them(tmp_path):
    cell = nbformat.v4.new_code_cell("print(1)", metadata={"alt": "One.", "page": {"values": [1]}})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "one.ipynb")
    assert execute(tmp_path / "one.ipynb").cells[0].metadata == cell.metadata
