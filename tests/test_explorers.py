"""How explorers work, by a small one of our own; what each promises is in the contract's tests."""

import io
import time

import ipywidgets
import numpy as np
import pytest
import traitlets
from PIL import Image

from bn_tutorial.explorers.controls import choice, slider
from bn_tutorial.explorers.explorer import Explorer
from bn_tutorial.explorers.picture import Picture


class Line(Explorer):
    """A straight line: slope by slider, sign by menu, height of the axes by checkbox."""

    def __init__(self, *, flip=None, state=None):
        super().__init__()
        controls = {
            "slope": slider("slope", range(5), 1, "{}"),
            "sign": choice("sign", {"up": 1, "down": -1}),
            "tall": ipywidgets.Checkbox(False, description="tall"),
            "offset": ipywidgets.FloatSlider(0.0, min=-1, max=1, description="offset"),
            "gain": ipywidgets.FloatLogSlider(1.0, min=-2, max=2, description="gain"),
        }
        self.broken, self.computed, self.clicks = False, 0, []
        presets = {"steep": {"slope": 4}, "falling": {"slope": 2, "sign": -1}}
        self.set_up(controls, flip=flip, presets=presets, state=state, size=(3, 2))

    def compute(self, state):
        if self.broken:
            raise ArithmeticError("no line")
        self.computed += 1
        return state | {"slope": state["slope"] * state["sign"]}

    def build(self, figure, numbers):
        self._ax = figure.subplots()
        (self._line,) = self._ax.plot([0, 1], [0, 0])
        return [self._line]

    def update(self, numbers):
        self._line.set_ydata([numbers["offset"], numbers["slope"]])

    def scene(self, state):
        return state["tall"]

    def set_scene(self, numbers):
        height = 10 if numbers["tall"] else 5
        self._ax.set(ylim=(-height, height))

    def arrange(self, state):
        self.controls["offset"].disabled = state["tall"]

    def describe(self, numbers):
        return f"a line that rises by {numbers['slope']}"

    def key_numbers(self, numbers):
        return {"rise": numbers["slope"]}

    def clicked(self, x, y):
        self.clicks.append((x, y))


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def sent(monkeypatch):
    """What a picture sends to the browser: list of dict."""
    messages = []

    def send_state(self, key):
        messages.append({"state": {key} if isinstance(key, str) else {*key}})

    monkeypatch.setattr(Picture, "send_state", send_state)
    monkeypatch.setattr(Picture, "send", lambda self, content, **_: messages.append(content))
    return messages


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_the_first_picture_stands_at_once(line):
    assert pixels(line.picture.png).shape == (200, 300, 3)
    assert line.picture.text == line.text == "a line that rises by 1"
    assert line.draws == 1


def test_a_move_changes_picture_text_numbers_and_state(line):
    before = line.picture.png
    line.controls["slope"].value = 3
    assert line.picture.png != before
    assert line.picture.text == "a line that rises by 3"
    assert line.state["slope"] == line.numbers["slope"] == 3


def test_a_move_is_one_message_and_no_full_redraw(line, sent):
    line.controls["slope"].value = 3
    assert [set(message["state"]) for message in sent] == [{"png", "text", "stamp", "edition"}]
    assert line.draws == 1


def test_only_a_new_scene_is_drawn_in_full(line):
    line.controls["tall"].value = True
    assert line.draws == 2
    line.controls["slope"].value = 0
    assert line.draws == 2
    assert line._ax.get_ylim() == (-10, 10)


def test_a_state_is_set_in_one_move(line, sent):
    line.computed = 0
    line.state = {"slope": 4, "sign": -1}
    assert line.text == "a line that rises by -4"
    assert (line.computed, len(sent)) == (1, 1)


def test_a_state_can_be_printed_and_passed_back_in(line):
    line.state = {"slope": 2, "sign": -1, "offset": 0.5}
    assert Line(state=line.state).state == line.state
    assert line.state == {"slope": 2, "sign": -1, "tall": False, "offset": 0.5, "gain": 1.0}


def test_a_state_can_be_observed_when_the_picture_stands(line):
    seen = []
    line.observe(lambda change: seen.append((change.new, line.picture.text)), "state")
    line.controls["slope"].value = 3
    line.state = {"slope": 2, "sign": -1}
    line.state = {"slope": 2}  # nothing new
    assert [(state["slope"], state["sign"]) for state, _ in seen] == [(3, 1), (2, -1)]
    assert [text[-2:] for _, text in seen] == [" 3", "-2"]
    assert seen[-1][0] == line.state


def test_states_can_be_linked(line):
    other = Line(state={"slope": 4, "tall": True})
    link = traitlets.link((line, "state"), (other, "state"))
    assert other.state == line.state
    other.controls["slope"].value = 2
    assert line.text == other.text == "a line that rises by 2"
    line.state = {"sign": -1}
    assert other.picture.png == line.picture.png
    link.unlink()


def test_a_state_that_was_read_is_the_reader_s_own(line):
    line.state["slope"] = 4
    assert line.state["slope"] == line.controls["slope"].value == 1


def test_the_state_is_that_of_the_controls_even_if_it_can_t_be_shown(line):
    line.broken = True
    with pytest.raises(ArithmeticError):
        line.state = {"slope": 3}
    assert line.state["slope"] == line.controls["slope"].value == 3
    line.broken = False
    line.state = {"slope": 3}
    assert (line.error, line.picture.text) == (None, "a line that rises by 3")


def test_reset_leads_to_the_default_wherever_an_explorer_started():
    line = Line(state={"slope": 4})
    line.reset()
    assert line.state == Line().state


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"height": 1}, r"^state: expected slope, sign, tall, offset, gain, got 'height'$"),
        ({"slope": 9}, r"^slope: expected one of \[0, 1, 2, 3, 4\], got 9$"),
        ({"slope": True}, r"^slope: expected one of .*, got True$"),
        ({"sign": "up"}, r"^sign: expected one of \[1, -1\], got 'up'$"),
        ({"tall": 1}, r"^tall: expected True or False, got 1$"),
        ({"offset": 1.5}, r"^offset: expected -1 to 1, got 1.5$"),
        ({"offset": "low"}, r"^offset: expected a number, got 'low'$"),
        ({"gain": 0.001}, r"^gain: expected 0.01 to 100, got 0.001$"),
    ],
)
def test_a_bad_state_is_refused_and_changes_nothing(line, state, message):
    before = line.state
    with pytest.raises(ValueError, match=message):
        line.state = {"slope": 3} | state
    assert line.state == before
    with pytest.raises(ValueError, match=message):
        Line(state=state)


def test_controls_are_arranged_without_a_further_move(line, sent):
    line.controls["tall"].value = True
    assert line.controls["offset"].disabled
    assert len(sent) == 1
    line.reset()
    assert not line.controls["offset"].disabled


# --- mistakes ------------------------------------------------------------------------------------


def test_a_flipbook_forgets_the_words_of_an_error():
    line = Line(flip="slope")
    line.broken = True
    with pytest.raises(ArithmeticError):
        line.controls["slope"].value = 3
    line.broken = False
    line.controls["slope"].value = 1
    assert line.picture.text == "a line that rises by 1"
    assert line.picture.edition == 1


def test_an_error_in_a_new_scene_does_not_keep_it_from_being_drawn_later(line):
    line.broken = True
    with pytest.raises(ArithmeticError):
        line.controls["tall"].value = True
    line.broken = False
    line.controls["slope"].value = 2
    assert line.picture.png == Line(state={"slope": 2, "tall": True}).picture.png


# --- buttons and clicks --------------------------------------------------------------------------


def test_a_click_arrives_in_pixels_of_the_figure(line):
    line.picture._handle_custom_msg({"click": [0.5, 0.25]}, [])
    assert line.clicks == [(150.0, 50.0)]


# --- the flipbook --------------------------------------------------------------------------------


def slopes(pages):
    return [message["stamp"][0] for message in pages]


def draw_ahead(line):
    line.picture._handle_custom_msg({"ready": True}, [])
    until_drawn(line)


def until_drawn(line):
    while line.drawing:
        time.sleep(0.001)


def test_pages_are_drawn_ahead_nearest_first_once_a_browser_asks(sent):
    line = Line(flip="slope", state={"slope": 3})
    sent.clear()
    draw_ahead(line)
    first, *pages = sent
    assert first == {"state": {"png", "text", "stamp", "edition"}}
    assert pages.pop(1) == {"turn": line._stamp(line.state)}
    assert slopes(pages) == ["3", "2", "4", "1", "0"]
    assert [message["text"][-1] for message in pages] == ["3", "2", "4", "1", "0"]
    for page, (png, text) in line._frames.items():
        fresh = Line(flip="slope", state={"slope": page})
        assert (png, text) == (fresh.picture.png, fresh.text)
    assert line.draws == 1


def test_a_move_to_a_drawn_page_sends_its_stamp_alone(sent):
    line = Line(flip="slope")
    draw_ahead(line)
    sent.clear()
    line.controls["slope"].value = 4
    assert sent == [{"turn": ["4", "up", False, 0.0, 1.0]}]
    assert line.text == "a line that rises by 4"
    assert line.numbers["slope"] == 4


def test_a_move_to_a_page_that_was_not_drawn_yet_sends_it(sent):
    line = Line(flip="slope")
    sent.clear()
    line.controls["slope"].value = 4
    assert slopes(sent) == ["4"]


def test_a_move_of_another_control_begins_a_new_edition(sent):
    line = Line(flip="slope")
    draw_ahead(line)
    sent.clear()
    line.controls["sign"].value = -1
    until_drawn(line)
    assert set(sent[0]["state"]) == {"png", "text", "stamp", "edition"}
    assert line.picture.stamp[:2] == ["1", "down"]
    assert slopes(sent[1:]) == ["0", "2", "3", "4"]
    assert {(m["edition"], *m["stamp"][1:]) for m in sent[1:]} == {(1, "down", False, 0.0, 1.0)}
    assert line._frames[4][1] == "a line that rises by -4"


def test_something_else_that_changed_begins_a_new_edition_too(sent):
    line = Line(flip="slope")
    line.refresh(anew=True)
    assert line.picture.edition == 1


def test_a_browser_that_comes_later_gets_all_pages(sent):
    line = Line(flip="slope")
    draw_ahead(line)
    sent.clear()
    draw_ahead(line)
    assert sorted(slopes(sent[1:-1])) == ["0", "1", "2", "3", "4"]
    assert sent[-1] == {"turn": line._stamp(line.state)}


def test_a_sharp_screen_gets_a_picture_with_more_pixels(sent):
    line = Line(flip="slope")
    line.picture._handle_custom_msg({"ready": True, "ratio": 2}, [])
    until_drawn(line)
    assert {pixels(png).shape for png, _ in line._frames.values()} == {(400, 600, 3)}
    assert (line.picture.width, line.draws) == (300, 2)
    line.picture._handle_custom_msg({"click": [0.5, 0.25]}, [])
    assert line.clicks == [(300.0, 100.0)]


def test_an_error_while_drawing_ahead_is_told():
    line = Line(flip="slope")
    line.broken = True
    draw_ahead(line)
    assert isinstance(line.error, ArithmeticError)
    assert line.picture.text == "This move failed. ArithmeticError: no line"
    line.broken = False
    line.controls["slope"].value = 3
    until_drawn(line)
    assert (line.error, line.picture.edition) == (None, 1)
    assert sorted(line._frames) == [0, 1, 2, 3, 4]
