"""An explorer's page without a kernel, opened from a file with the network cut."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from bn_tutorial.explorers import SpiralExplorer, page

VALUES = [0.16, 0.32, 0.64, 1.28]
EDITIONS = {"length 1": {}, "length 4": {"length": 4.0}}


@pytest.fixture(scope="module")
def spiral():
    return SpiralExplorer()


@pytest.fixture(scope="module")
def path(spiral, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "spiral.html"
    spiral.to_html(path, values=VALUES, editions=EDITIONS)
    return path


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture
def opened(open_address, path):
    page = open_address(path.as_uri())
    page.wait_for_selector(".bn-open")
    return page


def expect(page, spiral, **state):
    """Wait until picture, caption and slider are of a state."""
    spiral.reset()
    spiral.move(state)
    wanted = spiral.text
    page.wait_for_function(
        "text => document.querySelector('.bn-place img').alt === text", arg=wanted
    )
    shown = page.evaluate(
        """async () => {
          const image = document.querySelector(".bn-place img");
          const bytes = await (await createImageBitmap(image)).width;
          return [image.src, document.querySelector(".bn-place p").textContent, bytes,
            document.querySelector("input[type=range]").getAttribute("aria-valuetext")];
        }"""
    )
    assert shown[0].startswith("data:image/png;base64,")
    assert shown[1:] == [wanted, 900, f"{spiral.state['learning_rate']:g}"]
    assert not page.locator(".bn-late").count()
    return shown[0]


def test_a_key_moves_picture_text_and_readout(opened, spiral):
    before = expect(opened, spiral, learning_rate=0.32)
    opened.get_by_role("slider", name="learning rate", exact=True).focus()
    opened.keyboard.press("ArrowRight")
    assert expect(opened, spiral, learning_rate=0.64) != before
    opened.keyboard.press("Home")
    expect(opened, spiral, learning_rate=0.16)
    assert opened.locator(".bn-readout").inner_text() == "0.16"


def test_the_menu_changes_the_edition_and_what_the_other_controls_say(opened, spiral):
    opened.get_by_role("combobox", name="edition").select_option("length 4")
    expect(opened, spiral, length=4.0)
    others = opened.locator(".bn-others input")
    assert [one.input_value() for one in others.all()] == ["200", "4"]
    assert all(one.is_disabled() for one in others.all())


def test_a_preset_leads_to_its_page(opened, spiral):
    opened.get_by_role("button", name="rate 0.16, length 1").click()
    expect(opened, spiral, learning_rate=0.16)


def test_the_address_keeps_the_position(opened, open_address, spiral):
    opened.get_by_role("combobox", name="edition").select_option("length 4")
    opened.get_by_role("slider").focus()
    opened.keyboard.press("End")
    opened.wait_for_url(re.compile("#learning_rate=1.28&edition=length"))
    again = open_address(opened.url)
    expect(again, spiral, learning_rate=1.28, length=4.0)
    again.evaluate("location.hash = 'learning_rate=0.16&edition=length+1'")
    expect(again, spiral, learning_rate=0.16)
    again.evaluate("location.hash = 'learning_rate=7'")  # which there is not
    again.wait_for_timeout(100)
    expect(again, spiral, learning_rate=0.16)


def test_pages_beside_it_are_loaded_when_they_are_wanted(open_address, spiral, tmp_path):
    spiral.reset()
    book = page.draw_book(spiral, values=VALUES, editions=EDITIONS)
    for number, edition in enumerate(book["editions"]):
        edition["source"] = f"{number}.js"
        script = page.pages_script(edition["source"], edition.pop("pages"))
        (tmp_path / edition["source"]).write_text(script, encoding="utf-8")
    (tmp_path / "explorers.js").write_text(page.bundle(), encoding="utf-8")
    (tmp_path / "explorers.css").write_text(page.style_sheet(), encoding="utf-8")
    (tmp_path / "index.html").write_text(
        f"""<!DOCTYPE html><html lang="en"><title>two</title><link rel="stylesheet"
        href="explorers.css"><div style="height: 3000px"></div>
        {page.fragment(book, name="unit", image="data:,")}<script src="explorers.js"></script>""",
        encoding="utf-8",
    )
    opened = open_address((tmp_path / "index.html").as_uri())
    loaded = "performance.getEntriesByType('resource').map(one => one.name.split('/').at(-1))"
    opened.wait_for_timeout(300)
    assert "0.js" not in opened.evaluate(loaded)
    opened.locator(".bn-page").scroll_into_view_if_needed()
    opened.wait_for_selector(".bn-open")
    expect(opened, spiral, learning_rate=0.32)
    assert "1.js" not in opened.evaluate(loaded)
    (tmp_path / "1.js").rename(tmp_path / "away.js")
    opened.get_by_role("combobox").select_option("length 4")
    opened.wait_for_function("document.querySelector('select').value === 'length 1'")
    expect(opened, spiral, learning_rate=0.32)  # as before
    assert open_address.said == ["Failed to load resource: net::ERR_FILE_NOT_FOUND"]
    open_address.said.clear()
    (tmp_path / "away.js").rename(tmp_path / "1.js")
    opened.get_by_role("combobox").select_option("length 4")
    expect(opened, spiral, length=4.0)


@pytest.mark.parametrize("width", [390, 1200])
def test_axe_finds_nothing_and_nothing_is_cut_off(open_address, path, scheme, width):
    opened = open_address(
        path.as_uri(),
        color_scheme=scheme,
        viewport={"width": width, "height": 800},
        bypass_csp=True,
    )
    opened.wait_for_selector(".bn-open")
    found = Axe().run(opened).response["violations"]
    assert [(one["id"], one["impact"]) for one in found] == []
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


def test_a_reader_without_javascript_sees_picture_and_text(open_address, path, spiral):
    opened = open_address(path.as_uri(), java_script_enabled=False)
    spiral.reset()
    assert opened.locator(".bn-place img").get_attribute("alt") == spiral.text
    assert opened.locator(".bn-place p").inner_text() == spiral.text
    assert opened.get_by_role("slider").is_disabled()
