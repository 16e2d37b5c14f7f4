"""The picture's script in a bare page, with a model that delivers messages as it likes."""

import base64
from pathlib import Path

import pytest

from bn_tutorial.explorers import picture

SOURCE = Path(picture.__file__).with_suffix(".js")
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WAITING, GONE = "Waiting for the kernel.", "The kernel is gone: run the cell again."
# a slider over labels, as ipywidgets has them, and a picture that it belongs to
MODEL = """
([bytes, linked]) => {
  window.errors = [];
  addEventListener("error", event => errors.push(event.message));
  const make = state => {
    const listeners = {};
    const fire = (name, ...values) => (listeners[name] ?? []).forEach(listen => listen(...values));
    return {
      fire,
      comm_live: true,
      get: name => state[name],
      on: (names, listen) => names.split(" ").forEach(n => (listeners[n] ??= []).push(listen)),
      set(values) {
        const changed = Object.keys(values).filter(name => state[name] !== values[name]);
        Object.assign(state, values);
        for (const name of changed) fire("change:" + name);
      },
    };
  };
  window.buffer = Uint8Array.from(bytes).buffer;
  window.slider = make({_options_labels: ["a", "b", "c", "d"], index: 0});
  window.number = make({value: 1.5});
  const models = {slider, number};
  window.model = Object.assign(
    make({
      png: null, text: "first", stamp: ["a", 1.5], edition: 0, width: 100,
      controls: ["IPY_MODEL_slider", "IPY_MODEL_number"],
    }),
    {sent: [], send: content => model.sent.push(content)},
    linked ? {widget_manager: {get_model: async name => models[name]}} : {},
  );
  const png = () => new DataView(buffer.slice());
  model.show = (stamp, text) =>
    model.set({png: png(), stamp, text, edition: model.get("edition") + 1});
  model.page = (stamp, text, edition = model.get("edition")) =>
    model.fire("msg:custom", {stamp, text, edition}, [png()]);
  model.turn = stamp => model.fire("msg:custom", {turn: stamp}, []);
}
"""
SHOW = """
async source => {
  const blob = new Blob([source], {type: "text/javascript"});
  const widget = (await import(URL.createObjectURL(blob))).default();
  const root = document.createElement("div"), el = document.createElement("div");
  root.className = "bn-explorer";
  root.append(el, document.createElement("button"));
  document.body.append(root);
  widget.initialize({model});
  widget.render({model, el});
}
"""


@pytest.fixture(params=[True, False], ids=["linked", "unlinked"])
def linked(request):
    return request.param


@pytest.fixture
def page(browser, linked):
    page = browser.new_page()
    page.evaluate(MODEL, [list(PNG), linked])
    page.evaluate(SHOW, SOURCE.read_text(encoding="utf-8"))
    yield page
    assert page.evaluate("errors") == []
    page.close()


@pytest.fixture
def book(page):
    """Show a picture and two of its pages, for b and c."""
    page.evaluate("model.show(['a', 1.5], 'page a')")
    for label in "bc":
        page.evaluate("label => model.page([label, 1.5], `page ${label}`)", label)
    shows(page, "page a")
    return page


def shows(page, text):
    page.wait_for_function("text => document.querySelector('p').textContent === text", arg=text)


def is_marked(page):
    return page.evaluate("document.querySelector('img').classList.contains('bn-late')")


def move(page, label, linked):
    """Move the slider as a reader does, and where the page does not look at it, as the kernel."""
    page.evaluate("index => slider.set({index})", "abcd".index(label))
    if not linked:
        page.evaluate("label => model.turn([label, 1.5])", label)


def test_a_picture_whose_bytes_come_late_is_shown_when_they_are_there(page):
    assert page.evaluate("model.sent[0].ready")
    assert page.evaluate("document.querySelector('img').src") == ""
    page.evaluate("model.set({png: new DataView(buffer)})")
    shows(page, "first")
    source = page.evaluate("document.querySelector('img').src").split(",")[-1]
    assert base64.b64decode(source) == PNG
    assert page.evaluate("document.querySelector('img').alt") == "first"
    assert page.evaluate("document.querySelector('img').style.width") == "100px"


def test_pages_that_are_there_are_turned_and_others_waited_for(book, linked):
    move(book, "c", linked)
    shows(book, "page c")
    assert not is_marked(book)
    move(book, "d", linked)
    book.wait_for_timeout(50)
    assert book.evaluate("document.querySelector('p').textContent") == "page c"
    book.evaluate("model.page(['d', 1.5], 'page d')")
    shows(book, "page d")
    assert not is_marked(book)


def test_a_picture_of_another_state_is_marked_until_its_own_comes(book, linked):
    assert not is_marked(book)
    move(book, "d", linked)
    book.wait_for_function("document.querySelector('img').classList.contains('bn-late')")
    shows(book, WAITING)
    assert book.evaluate("document.querySelector('img').alt") == "page a"
    book.evaluate("model.page(['d', 1.5], 'page d')")
    shows(book, "page d")
    assert not is_marked(book)


@pytest.mark.parametrize("linked", [True], indirect=True, ids=["linked"])
def test_another_control_leads_to_no_page_of_the_old_edition(book):
    book.evaluate("number.set({value: 2.5})")
    book.evaluate("slider.set({index: 1})")
    shows(book, WAITING)
    assert is_marked(book)
    book.evaluate("model.show(['a', 2.5], 'a of 2.5')")  # the kernel is a move behind
    book.wait_for_function("document.querySelector('img').alt === 'a of 2.5'")
    assert is_marked(book)
    book.evaluate("model.page(['b', 1.5], 'old b', 0)")  # and this one two
    book.evaluate("model.page(['b', 2.5], 'b of 2.5')")
    shows(book, "b of 2.5")
    assert not is_marked(book)


@pytest.mark.parametrize("linked", [True], indirect=True, ids=["linked"])
def test_the_last_picture_of_a_drag_is_not_marked_for_a_moment_behind(book):
    marked = "document.querySelector('img').classList.contains('bn-late')"
    assert not book.evaluate(f"slider.set({{index: 3}}); {marked}")
    book.evaluate("model.page(['d', 1.5], 'page d')")
    shows(book, "page d")
    book.wait_for_timeout(150)
    assert not is_marked(book)


def test_an_error_is_said_and_not_taken_for_waiting(book, linked):
    move(book, "d", linked)
    book.evaluate("model.set({text: 'This move failed.'})")
    shows(book, "This move failed.")
    book.wait_for_timeout(800)
    shows(book, "This move failed.")
    assert is_marked(book)
    book.evaluate("model.show(['d', 1.5], 'd at last')")
    shows(book, "d at last")


@pytest.mark.parametrize("linked", [True], indirect=True, ids=["linked"])
def test_without_a_kernel_picture_and_text_stay_and_the_controls_rest(book):
    book.evaluate("slider.comm_live = false")
    shows(book, f"page a {GONE}")
    assert is_marked(book)
    assert book.evaluate("document.querySelector('button').inert")
    assert not book.evaluate("document.querySelector('.bn-picture').inert")


@pytest.mark.parametrize("linked", [True], indirect=True, ids=["linked"])
def test_what_is_seen_is_what_a_saved_notebook_keeps(book):
    book.evaluate("slider.set({index: 2})")
    shows(book, "page c")
    assert book.evaluate("[model.get('text'), ...model.get('stamp')]") == ["page c", "c", 1.5]


def test_a_question_without_an_answer_is_asked_again(page):
    page.wait_for_function("model.sent.length > 1")
    page.evaluate("model.turn(['a', 1.5])")
    asked = page.evaluate("model.sent.length")
    page.wait_for_timeout(1_500)
    assert page.evaluate("model.sent.length") == asked
