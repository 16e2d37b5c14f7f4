"""The site as its reader sees it: from files, with the network cut, wide and narrow."""

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe

from bn_tutorial.explorers import SpiralExplorer
from bn_tutorial.explorers.page import draw_book
from tools.run_notebooks import course
from tools.site.books import has_explorer
from tools.site.build import build

PAGES = "index", "00_tour", "07_backward_pass", "12_bug_clinic"
FIRST_BYTES = 1_000_000


def small_books(path):
    """Draw another explorer in place of each: what it shows is tested elsewhere."""
    cells = [cell.id for cell in nbformat.read(path, as_version=4).cells if has_explorer(cell)]
    editions = {"length 1": {}, "length 4": {"length": 4.0}}
    book = draw_book(SpiralExplorer(), values=[0.32, 0.64], editions=editions) if cells else None
    return dict.fromkeys(cells, book)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course") / "site"
    notebooks = [path for path in course() if path.stem in PAGES]
    build(folder, notebooks, repository="someone/course", draw=small_books)
    return folder


@pytest.fixture
def open_page(open_address, site):
    """Open a page of the site, which must ask for nothing from elsewhere."""

    def open_one(name, at="", **options):
        return open_address((site / f"{name}.html").as_uri() + at, **options)

    open_one.asked = open_address.asked
    yield open_one
    elsewhere = [url for url in open_one.asked if not url.startswith((site.as_uri(), "data:"))]
    assert elsewhere == []


def scroll_through(page):
    """Show all of a page, so that all that it loads is loaded."""
    page.evaluate(
        """async () => {
          for (let y = 0; y < document.body.scrollHeight; y += innerHeight) {
            scrollTo(0, y);
            await new Promise(requestAnimationFrame);
          }
          for (const image of document.images) {
            image.loading = "eager";
            await image.decode();
          }
        }"""
    )


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_loaded_from_elsewhere_and_every_picture_is_there(open_page, name):
    page = open_page(name)
    scroll_through(page)
    assert page.evaluate("[...document.images].every(one => one.naturalWidth && one.alt)")
    for root in page.locator(".bn-page").all():
        root.scroll_into_view_if_needed()
        root.locator("xpath=self::*[contains(@class, 'bn-open')]").wait_for()


def test_the_start_page_is_small_and_its_slider_moves(open_page, site):
    page = open_page("index")
    page.wait_for_selector(".bn-open")
    files = {url.partition("#")[0] for url in open_page.asked if url.startswith("file:")}
    sizes = [(site / url.removeprefix(site.as_uri() + "/")).stat().st_size for url in files]
    assert sum(sizes) < FIRST_BYTES
    before = page.locator(".bn-place img").get_attribute("alt")
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    page.wait_for_function(
        "text => document.querySelector('.bn-place img').alt !== text", arg=before
    )
    page.get_by_role("link", name="Take the tour").click()
    page.wait_for_url("**/00_tour.html")


def test_explorers_load_when_they_come_into_view(open_page):
    page = open_page("00_tour")
    page.wait_for_load_state()
    assert not [url for url in open_page.asked if url.endswith("-0.js")]
    page.locator(".bn-page").last.scroll_into_view_if_needed()
    page.wait_for_selector(".bn-open")
    assert [url for url in open_page.asked if url.endswith("-0.js")]


def test_an_address_leads_to_one_of_several_explorers(open_page):
    page = open_page("00_tour", "#tour-45=0.64&edition=length+4")
    page.wait_for_selector("#tour-45.bn-open")
    assert page.locator("#tour-45 select").input_value() == "length 4"
    assert page.locator("#tour-45 .bn-readout").inner_text() == "0.64"
    assert page.locator("#tour-45").evaluate("one => one.getBoundingClientRect().top < innerHeight")
    page.evaluate("location.hash = '#tour-05=0.32'")
    page.wait_for_selector("#tour-05.bn-open")


def test_one_finds_ones_way(open_page):
    page = open_page("00_tour")
    page.get_by_role("link", name="→").click()
    page.wait_for_url("**/07_backward_pass.html")
    page.get_by_text("Contents").click()
    page.get_by_role("navigation", name="Contents").get_by_role("link").last.click()
    page.wait_for_url("**/12_bug_clinic.html")
    page.get_by_role("searchbox").fill("what flows back through variance")
    found = page.locator(".found a").first
    found.wait_for()
    found.click()
    page.wait_for_url("**/07_backward_pass.html*")
    page.get_by_role("searchbox").fill("zzzzz")
    page.locator(".found", has_text="Nothing found").wait_for()
    page.keyboard.press("Escape")
    assert page.locator(".found").inner_text() == ""


def test_code_is_copied(open_page):
    page = open_page("00_tour", permissions=["clipboard-read", "clipboard-write"])
    cell = page.locator(".cell").first
    cell.hover()
    cell.get_by_role("button", name="Copy").click()
    cell.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("%matplotlib inline\nimport")


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("index", 390, "dark"),
        ("index", 1200, "light"),
        ("00_tour", 390, "light"),
        ("07_backward_pass", 390, "dark"),
    ],
)
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(open_page, name, width, scheme):
    viewport = {"width": width, "height": 800}
    page = open_page(name, viewport=viewport, color_scheme=scheme, bypass_csp=True)
    page.wait_for_load_state()
    found = Axe().run(page, options={"preload": False}).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in serious] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
