"""What the site is made of: pages without a browser. tests/browser/test_site.py opens them."""

import json

import nbformat
import pytest
from bs4 import BeautifulSoup

from tools.run_notebooks import course
from tools.site.books import METADATA, draw_books, has_explorer
from tools.site.build import START, Page, list_sections, make_links, make_pages
from tools.site.export import Words

SPIRAL = "from bn_tutorial.explorers import SpiralExplorer\nspiral = SpiralExplorer()\nspiral"


def write(path, *cells):
    made = []
    for source, metadata in cells:
        cell = nbformat.v4.new_code_cell(source, id=f"cell-{len(made)}", metadata=metadata)
        if "Explorer" in source:
            data = {"image/png": "", "text/plain": ""}
            cell.outputs = [nbformat.v4.new_output("execute_result", data)]
        made.append(cell)
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


def render(text):
    from nbconvert.filters.markdown_mistune import MarkdownWithMath

    return MarkdownWithMath(renderer=Words(escape=False)).render(text)


def test_cells_run_as_far_as_the_last_explorer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = {
        "values": [0.32, 0.64],
        "editions": [["short", {"length": 0.25}], ["long", {"length": 4.0}]],
    }
    path = write(
        tmp_path / "00_one.ipynb",
        ("%matplotlib inline\nprint('noise')", {}),
        (SPIRAL, {METADATA: page}),
        ("1 / 0", {}),
    )
    books = draw_books(path)
    assert list(books) == ["cell-1"]
    editions = books["cell-1"]["editions"]
    assert [one["name"] for one in editions] == ["short", "long"]
    assert [one["labels"] for one in editions] == [["0.32", "0.64"]] * 2
    assert "√(0.25²" in editions[0]["pages"][0]["text"]


def test_a_cell_that_fails_ends_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "00_one.ipynb", ("1 / 0", {}), (SPIRAL, {}))
    with pytest.raises(ZeroDivisionError):
        draw_books(path)


def test_what_a_page_shows_is_asked_of_explorers_only():
    asked = 0
    for path in course():
        for cell in nbformat.read(path, as_version=4).cells:
            if METADATA in cell.metadata:
                asked += 1
                assert has_explorer(cell), f"{path.name} {cell.id}"
                assert cell.metadata[METADATA].keys() <= {"main", "values", "editions"}
    assert asked > 5
    (start,) = (path for path in course() if path.stem == START[0])
    cells = {cell.id: cell for cell in nbformat.read(start, as_version=4).cells}
    assert has_explorer(cells[START[1]])


def test_every_notebook_has_a_page_with_its_question():
    pages = make_pages(course(), "", "")
    assert [page.path for page in pages] == course()
    for page in pages:
        assert page.title
        assert page.question.endswith("?")
        assert page.minutes
        assert page.links == {}
    assert pages[0].before is pages[-1].after is None
    assert pages[3].after.before is pages[3]


def test_links_follow_from_the_repository():
    links = make_links("someone/course", "https://hub.example.org/", "notebooks/00_tour.ipynb")
    assert links["GitHub"] == "https://github.com/someone/course/blob/main/notebooks/00_tour.ipynb"
    assert links["Colab"].endswith("/github/someone/course/blob/main/notebooks/00_tour.ipynb")
    assert links["Binder"].endswith("/gh/someone/course/main?labpath=notebooks/00_tour.ipynb")
    assert links["JupyterHub"] == (
        "https://hub.example.org/hub/user-redirect/git-pull"
        "?repo=https%3A%2F%2Fgithub.com%2Fsomeone%2Fcourse&branch=main"
        "&urlpath=lab%2Ftree%2Fcourse%2Fnotebooks%2F00_tour.ipynb"
    )
    assert "JupyterHub" not in make_links("someone/course", "", "notebooks/00_tour.ipynb")


def test_formulas_are_mathml():
    html = render(r"A $\hat{x}$ and" "\n\n" r"$$\text{inv\_std} = \frac{1}{\sqrt{2}}$$" "\n")
    inline, block = BeautifulSoup(html, "html.parser").find_all("math")
    assert inline["display"] == "inline"
    assert inline.mover
    assert block["display"] == "block"
    assert block.mtext.text == "inv_std"
    assert block.mfrac.msqrt


@pytest.mark.parametrize("path", course(), ids=lambda path: path.stem)
def test_no_formula_of_a_notebook_keeps_a_command(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            for formula in BeautifulSoup(render(cell.source), "html.parser").find_all("math"):
                assert "\\" not in formula.text, formula.text
                assert "$" not in formula.text, formula.text


def test_tables_and_code_can_be_scrolled_by_key():
    soup = BeautifulSoup(render("| a |\n|---|\n| 1 |\n\n```python\nx\n```\n\n$$x$$"), "html.parser")
    assert soup.table.parent["tabindex"] == soup.math.parent["tabindex"] == "0"
    assert soup.th.text == "a"
    assert soup.pre["tabindex"] == "0"


def test_links_between_notebooks_lead_to_pages():
    links = BeautifulSoup(
        render("[a](04_calibration.ipynb) [b](https://example.org/x.ipynb)"), "html.parser"
    ).find_all("a")
    assert [link["href"] for link in links] == [
        "04_calibration.html",
        "https://example.org/x.ipynb",
    ]


def test_the_search_finds_words_under_their_heading(tmp_path):
    html = """<main><h1 id="t">Title</h1><p>first</p>
    <h2 id="part">Part<a href="#part">¶</a></h2><p>second</p>
    <div class="bn-page"><p>of an explorer</p></div><div class="input">code</div></main>"""
    sections = list_sections(Page(tmp_path / "01_one.ipynb", "Title"), html)
    assert [one["address"] for one in sections] == ["01_one.html", "01_one.html#part"]
    assert [one["title"] for one in sections] == ["Title", "Part"]
    assert [one["text"].split() for one in sections] == [["first"], ["second", "code"]]
    json.dumps(sections)
