"""The site: a page a notebook, a start page, and what they load."""

import base64
import io
import json
import multiprocessing
import re
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import nbformat
from bs4 import BeautifulSoup
from jinja2 import Environment, FileSystemLoader
from PIL import Image

from bn_tutorial.explorers import page as explorer_page
from tools.site.books import draw_books
from tools.site.export import HERE, CourseExporter

README = HERE.parent.parent / "README.md"
BRANCH = "main"
START = "00_tour", "tour-05"  # the notebook and the cell of the explorer on the start page


@dataclass
class Page:
    """A page of the site, of one notebook."""

    path: Path
    title: str
    question: str = ""
    minutes: str = ""
    links: dict = field(default_factory=dict)
    before: "Page | None" = None
    after: "Page | None" = None

    @property
    def address(self):
        return f"{self.path.stem}.html"


@dataclass
class Site:
    """All pages, in their order, and where they are."""

    folder: Path
    pages: list[Page]


@dataclass
class Made:
    """What is known of a page when it is written: its explorers by cell, what the search finds."""

    page: Page
    fragments: dict
    sections: list


def build(folder, notebooks, *, repository="", hub="", draw=draw_books):
    """Make the site in a folder, in place of the one that is there.

    Parameters
    ----------
    folder : Path
    notebooks : list of Path
        In reading order, with that of the start page.
    repository, hub : str
        ``OWNER/NAME`` on GitHub, and the address of a JupyterHub: for links. Without them there
        are none.
    draw : callable
        Called with a notebook's path in a process of its own: what ``draw_books`` returns.

    Raises
    ------
    ValueError
        If the folder holds anything but a site.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "static" / "site.js").exists():
        raise ValueError(f"{folder}: expected an empty folder or a site, got other files")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "books").mkdir(parents=True)
    (folder / "figures").mkdir()
    shutil.copytree(HERE / "static", folder / "static")
    with (folder / "static" / "site.css").open("a", encoding="utf-8") as file:
        file.write(explorer_page.style_sheet())
    (folder / "static" / "explorers.js").write_text(explorer_page.bundle(), encoding="utf-8")
    site = Site(folder, make_pages(notebooks, repository, hub))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn, max_tasks_per_child=1) as pool:
        made = list(pool.map(partial(make_page, site, draw), site.pages))
    write_start(site, made)
    sections = [section for one in made for section in one.sections]
    text = f"const courseSections = {json.dumps(sections, ensure_ascii=False)};\n"
    (folder / "static" / "sections.js").write_text(text, encoding="utf-8")


def make_page(site, draw, page):
    """Write the page of a notebook, and what it loads."""
    books = draw(page.path)
    fragments = {cell: write_book(site, page, cell, book) for cell, book in books.items()}
    html = write_page(site, page, fragments)
    return Made(page, fragments, list_sections(page, html))


def make_pages(notebooks, repository, hub):
    """List the pages, with what the README's table says of each."""
    row = r"\| \[(\d\d_\w+)\]\([^)]*\) \| ([^|]*) \| ([^|]*) \|"
    table = {name: rest for name, *rest in re.findall(row, README.read_text(encoding="utf-8"))}
    pages = []
    for path in notebooks:
        first = nbformat.read(path, as_version=4).cells[0].source.partition("\n")[0]
        question, minutes = table[path.stem]
        links = make_links(repository, hub, f"notebooks/{path.name}")
        pages.append(Page(path, first.lstrip("# "), question, minutes, links))
    for before, after in pairwise(pages):
        before.after, after.before = after, before
    return pages


def make_links(repository, hub, path):
    """Return addresses where a notebook runs, by name."""
    if not repository:
        return {}
    source = f"https://github.com/{repository}"
    links = {
        "GitHub": f"{source}/blob/{BRANCH}/{path}",
        "Binder": f"https://mybinder.org/v2/gh/{repository}/{BRANCH}?labpath={quote(path)}",
        "Colab": f"https://colab.research.google.com/github/{repository}/blob/{BRANCH}/{path}",
    }
    if hub:
        name = repository.rpartition("/")[2]
        there = quote(f"lab/tree/{name}/{path}", safe="")
        asked = f"repo={quote(source, safe='')}&branch={BRANCH}&urlpath={there}"
        links["JupyterHub"] = f"{hub.rstrip('/')}/hub/user-redirect/git-pull?{asked}"
    return links


def write_book(site, page, cell, book):
    """Write the pages of an explorer, a file an edition: the HTML that shows them."""
    book = book | {"editions": [dict(edition) for edition in book["editions"]]}
    edition, at = book["start"]
    image = f"books/{page.path.stem}-{cell}.png"
    first = book["editions"][edition]["pages"][at]["png"]
    (site.folder / image).write_bytes(base64.b64decode(first))
    for number, edition in enumerate(book["editions"]):
        edition["source"] = f"books/{page.path.stem}-{cell}-{number}.js"
        script = explorer_page.pages_script(edition["source"], edition.pop("pages"))
        (site.folder / edition["source"]).write_text(script, encoding="utf-8")
    return explorer_page.fragment(book, name=cell, image=image)


def write_page(site, page, fragments):
    """Write a notebook's page, and its pictures beside it: the HTML."""
    notebook = nbformat.read(page.path, as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            png = output.get("data", {}).get("image/png")
            if png is not None:
                output.metadata["size"] = Image.open(io.BytesIO(base64.b64decode(png))).size
            if cell.id in fragments:
                output.data.pop("image/png", None)
    resources = {
        "output_files_dir": "figures",
        "unique_key": page.path.stem,
        "site": site,
        "here": page,
        "fragments": fragments,
    }
    html, resources = CourseExporter().from_notebook_node(notebook, resources)
    (site.folder / page.address).write_text(html, encoding="utf-8")
    for name, data in resources["outputs"].items():
        (site.folder / name).write_bytes(data)
    return html


def list_sections(page, html):
    """List what the search finds of a page: the words under each heading."""
    sections = []
    soup = BeautifulSoup(html, "html.parser").main
    for element in soup.select("h1, h2, h3, p, li, td, .input, summary"):
        if element.find_parent(class_="bn-page"):
            continue
        text = element.get_text(" ", strip=True).removesuffix(" ¶")
        if element.name in ("h1", "h2", "h3"):
            address = (
                page.address if element.name == "h1" else f"{page.address}#{element.get('id')}"
            )
            sections.append({"title": text, "page": page.title, "address": address, "text": ""})
        elif sections:
            sections[-1]["text"] += f"{text} "
    return [{"id": section["address"]} | section for section in sections]


def write_start(site, made):
    """Write the start page, with the tour's first explorer."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates" / "course"), trim_blocks=True, lstrip_blocks=True
    )
    (tour,) = (one for one in made if one.page.path.stem == START[0])
    html = environment.get_template("start.html.j2").render(
        site=site,
        tour=tour.page,
        cell=START[1],
        fragment=tour.fragments[START[1]],
    )
    (site.folder / "index.html").write_text(html, encoding="utf-8")
