"""Explorers as pages without a kernel: what is in the HTML. What it does is tested in a browser."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from explorer_kinds import KINDS, prepared

from bn_tutorial import explorers
from bn_tutorial.explorers import page

pytestmark = pytest.mark.usefixtures("one_thread")


class Elements(HTMLParser):
    """All elements of a page: (tag, attributes, text)."""

    def __init__(self, html):
        super().__init__()
        self.found, self._open = [], False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])
        self._open = True

    def handle_endtag(self, tag):
        self._open = False

    def handle_data(self, data):
        if self._open:
            self.found[-1][2] += data

    def all(self, tag):
        return [(attributes, text) for name, attributes, text in self.found if name == tag]


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture(scope="module")
def make(kind, dataset, one_thread):
    with prepared(kind, dataset) as make:
        yield make


@pytest.fixture
def spiral():
    return explorers.SpiralExplorer()


def picture_of(explorer):
    png, text = explorer._frame
    return {"png": base64.b64encode(png).decode(), "text": text}


def test_each_page_is_what_an_explorer_shows_in_that_state(kind, make):
    explorer, fresh = make(), make()
    main = explorer._flip or next(iter(explorer.controls))
    values = kind.values[main][:: len(kind.values[main]) - 1]
    editions = {"as it is": {}, "busy": kind.busy}
    book = page.draw_book(explorer, values=values, editions=editions)
    assert [one["name"] for one in book["editions"]] == [*editions]
    for edition, part in zip(book["editions"], editions.values(), strict=True):
        for shown, value in zip(edition["pages"], values, strict=True):
            fresh.reset()
            fresh.move(part)
            fresh.move({main: value})
            assert shown == picture_of(fresh)
        assert edition["readings"] == fresh._stamp(fresh.state | {main: values[0]})


def test_drawing_leaves_no_trace(make):
    explorer = make()
    before = explorer.state, picture_of(explorer), repr(explorer), explorer.picture.edition
    main = explorer._flip or next(iter(explorer.controls))
    explorer.to_html(values=[explorer.state[main]])
    assert (
        explorer.state,
        picture_of(explorer),
        repr(explorer),
        explorer.picture.edition,
    ) == before
    explorer.refresh(anew=True)
    assert picture_of(explorer) == before[1]


def test_a_page_is_whole_and_lets_nothing_in(spiral, tmp_path):
    html = spiral.to_html(tmp_path / "page.html", values=[0.32, 0.64])
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == html
    elements = Elements(html)
    policy = next(a["content"] for a, _ in elements.all("meta") if "http-equiv" in a)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for kind in ("script", "style"):
        (text,) = [text for attributes, text in elements.all(kind) if not attributes]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"
    for tag, attributes, _ in elements.found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:"), tag
    assert "eval(" not in html


def test_words_stand_where_pictures_and_sliders_are(spiral):
    elements = Elements(
        spiral.to_html(values=[0.32, 0.64], editions={"now": {}, "4": {"length": 4.0}})
    )
    ((image, _),) = elements.all("img")
    assert image["alt"] == spiral.text
    ((slider, _),) = [one for one in elements.all("input") if one[0].get("type") == "range"]
    assert slider["aria-valuetext"] == "0.32"
    assert slider["max"] == "1"
    labels = {attributes.get("for"): text for attributes, text in elements.all("label")}
    assert labels[slider["id"]] == "learning rate"
    assert [text.strip() for _, text in elements.all("option")] == ["now", "4"]
    ((fieldset, _),) = elements.all("fieldset")
    assert "disabled" in fieldset
    assert "kernel" in elements.all("legend")[0][1]
    assert [a["value"] for a, _ in elements.all("input") if "type" not in a] == ["200", "1"]
    assert elements.all("h1")[0][1].startswith("Move the learning rate")


def test_text_of_an_edition_is_text_and_no_markup(spiral):
    name = '</script><img src=x onerror=alert(1)>&"'
    html = spiral.to_html(values=[0.32], editions={name: {}, "other": {"length": 4.0}})
    elements = Elements(html)
    assert len(elements.all("img")) == 1
    data = next(text for a, text in elements.all("script") if a.get("type") == "application/json")
    assert json.loads(data)["editions"][0]["name"] == name
    assert elements.all("option")[0][1] == name


def test_presets_lead_to_the_pages_that_there_are(spiral):
    book = page.draw_book(spiral, editions={"length 1": {}, "length 4": {"length": 4.0}})
    assert book["presets"].keys() == {"too long to turn", "rate 0.16, length 1"}
    edition, at = book["presets"]["too long to turn"]
    assert book["editions"][edition]["labels"][at] == "0.08"
    assert book["editions"][edition]["name"] == "length 4"


def test_labels_are_those_of_the_edition(dataset):
    momenta = KINDS["momentum"].prepare(dataset)()
    editions = {"PyTorch": {}, "Keras": {"convention": "Keras"}}
    book = page.draw_book(momenta, values=[0.1, 0.001], editions=editions)
    assert [one["labels"] for one in book["editions"]] == [["0.1", "0.001"], ["0.9", "0.999"]]
    assert momenta.controls["momentum"].options[0][0] == "1"
    assert [one["readings"][0] for one in book["editions"]] == ["0.1", "0.9"]


def test_a_live_explorer_has_pages_too(dataset):
    depth = KINDS["activation"].prepare(dataset)()
    book = page.draw_book(
        depth, main="step", values=[0, 39], editions={"r": {"source": "repaired"}}
    )
    texts = [shown["text"] for shown in book["editions"][0]["pages"]]
    assert re.findall(r"at step (\d+)", " ".join(texts)) == ["0", "39"]


def test_networks_are_trained_to_the_end_first(dataset):
    state = {"steps": 100, "hidden": 10}
    playground = explorers.Playground(dataset, state=state)
    book = page.draw_book(playground, values=[0.1, 1.0])
    for shown in book["editions"][0]["pages"]:
        assert "in training" not in shown["text"]
    playground.wait()


def test_pages_that_lie_elsewhere_are_handed_over_by_a_script(spiral):
    book = page.draw_book(spiral, values=[0.32])
    (edition,) = book["editions"]
    pages = edition.pop("pages")
    edition["source"] = "pages/spiral.js"
    html = page.fragment(book, name="unit", image="pages/spiral.png")
    assert pages[0]["png"] not in html
    assert Elements(html).all("img")[0][0]["src"] == "pages/spiral.png"
    called = re.fullmatch(r"bnPages\((.*)\);\n", page.pages_script("pages/spiral.js", pages))
    assert json.loads(f"[{called[1]}]") == ["pages/spiral.js", pages]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"main": "colour"}, ValueError, "main: expected one of learning_rate, steps, length"),
        ({"values": [0.5]}, ValueError, "learning_rate: expected one of"),
        ({"values": []}, ValueError, "values, editions: expected at least one"),
        ({"editions": {}}, ValueError, "values, editions: expected at least one"),
        ({"editions": {"a": {"lenght": 1.0}}}, ValueError, "state: expected learning_rate"),
        ({"editions": ["a"]}, TypeError, "editions: expected a dict"),
    ],
)
def test_bad_requests_are_refused_and_leave_no_trace(spiral, options, error, message):
    before = spiral.state
    with pytest.raises(error, match=message):
        spiral.to_html(**options)
    assert spiral.state == before
