"""The picture's script in a bare page, with a model that delivers messages as it likes."""

import base64
from pathlib import Path

import pytest

from bn_tutorial.explorers import picture

SOURCE = Path(picture.__file__).with_suffix(".js")
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
MODEL = """
bytes => {
  window.errors = [];
  addEventListener("error", event => errors.push(event.message));
  const listeners = {}, state = {png: null, text: "first", page: 0, index: 0, ahead: 0, edition: 0};
  const fire = (name, ...values) => (listeners[name] ?? []).forEach(listen => listen(...values));
  window.buffer = Uint8Array.from(bytes).buffer;
  window.model = {
    sent: [],
    get: name => state[name],
    on: (name, listen) => (listeners[name] ??= []).push(listen),
    send: content => model.sent.push(content),
    set(values) {
      const changed = Object.keys(values).filter(name => state[name] !== values[name]);
      Object.assign(state, values);
      for (const name of changed) fire("change:" + name);
    },
    deliver: (page, text, ...buffers) => fire("msg:custom", {page, text, edition: 0}, buffers),
  };
}
"""
SHOW = """
async source => {
  const blob = new Blob([source], {type: "text/javascript"});
  const widget = (await import(URL.createObjectURL(blob))).default();
  widget.initialize({model});
  widget.render({model, el: document.body});
}
"""


@pytest.fixture(scope="module")
def browser(open_notebook):
    """Return the browser of all these tests: Playwright runs once in a process."""
    with open_notebook("01_dataset.ipynb") as notebook:
        yield notebook.page.context.browser


@pytest.fixture
def page(browser):
    page = browser.new_page()
    page.evaluate(MODEL, list(PNG))
    page.evaluate(SHOW, SOURCE.read_text(encoding="utf-8"))
    yield page
    assert page.evaluate("errors") == []
    page.close()


def shows(page, text):
    page.wait_for_function("text => document.querySelector('p').textContent === text", arg=text)
    assert page.evaluate("document.querySelector('img').alt") == text
    return page.evaluate("document.querySelector('img').src").split(",")[-1]


def test_a_picture_whose_bytes_come_late_is_shown_when_they_are_there(page):
    assert page.evaluate("model.sent") == [{"ready": True}]
    page.evaluate("model.set({text: 'later'})")
    assert page.evaluate("document.querySelector('img').src") == ""
    page.evaluate("model.set({png: new DataView(buffer)})")
    assert base64.b64decode(shows(page, "later")) == PNG
    page.evaluate("model.set({png: null})")
    shows(page, "later")


def test_bytes_may_come_as_a_bare_buffer_and_a_page_without_any_is_left_out(page):
    page.evaluate("model.deliver(0, 'without')")
    page.evaluate("model.deliver(0, 'with', buffer)")
    assert base64.b64decode(shows(page, "with")) == PNG


@pytest.fixture
def book(page):
    page.evaluate("model.set({png: new DataView(buffer)})")
    for number in (1, 2, 3):
        page.evaluate("n => model.deliver(n, `page ${n}`, new DataView(buffer))", number)
    shows(page, "first")
    return page


def test_without_a_link_the_kernel_turns_the_pages(book):
    book.evaluate("model.set({index: 2})")
    shows(book, "page 2")
    book.evaluate("model.set({index: 4})")  # not there yet
    shows(book, "page 2")
    book.evaluate("model.deliver(4, 'page 4', new DataView(buffer))")
    shows(book, "page 4")


def test_a_link_is_ahead_of_the_kernel(book):
    book.evaluate("model.set({ahead: 1})")
    book.evaluate("model.set({ahead: 3})")
    book.evaluate("model.set({index: 1})")  # the kernel follows
    shows(book, "page 3")
    book.evaluate("model.deliver(1, 'page 1 anew', new DataView(buffer))")
    shows(book, "page 3")
