"""What every explorer promises, whatever it shows; without a browser."""

import base64
import copy
import re
import struct
from dataclasses import is_dataclass

import ipywidgets
import numpy as np
import pytest
import torch
from explorer_kinds import KINDS, prepared
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bn_tutorial import explorers

LIMIT = 32 * 1024  # bytes of a picture
WORDS_ALONE = {"convention", "step", "output_gain"}  # their move need not change the picture
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture(scope="module")
def make(kind, dataset, one_thread):
    with prepared(kind, dataset) as make:
        yield make


@pytest.fixture(scope="module")
def shared(make):
    return make()


@pytest.fixture
def explorer(shared):
    shared.reset()
    return shared


def page(explorer):
    """Return the picture and the text that are seen: of a flipbook only the first is live."""
    return explorer._frame


def another(kind, explorer, name):
    """Choose a value that a control does not have now."""
    last = kind.values[name][-1]
    return last if explorer.state[name] != last else kind.values[name][0]


def disabled(explorer):
    return {name for name, control in explorer.controls.items() if control.disabled}


def assert_same(one, other):
    """Compare numbers of any structure, nan equal to nan."""
    if is_dataclass(one):
        one, other = vars(one), vars(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = list(one.values()), list(other.values())
    if isinstance(one, list | tuple):
        for pair in zip(one, other, strict=True):
            assert_same(*pair)
    elif isinstance(one, np.ndarray | torch.Tensor | float):
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


def assert_as_fresh(explorer, make):
    fresh = make(state=explorer.state)
    assert fresh.state == explorer.state
    assert repr(explorer) == repr(fresh)
    assert explorer.text == fresh.text
    assert page(explorer) == page(fresh) == (fresh.picture.png, fresh.text)
    assert disabled(explorer) == disabled(fresh)
    assert_same(explorer.numbers, fresh.numbers)


def test_there_is_a_kind_of_each():
    assert len(KINDS) == sum(name.endswith("Explorer") for name in explorers.__all__)


def test_it_starts_where_it_says_and_takes_these_values(kind, explorer):
    assert list(explorer.controls) == list(explorer.state) == list(kind.values)
    assert explorer.state.items() >= kind.start.items()
    for name, values in kind.values.items():
        assert [value for _, value in explorer.controls[name].options] == [*values], name


def test_a_bad_state_is_refused_and_changes_nothing(kind, explorer, make):
    before, shown = explorer.state, page(explorer)
    first, *_ = kind.values
    good = {first: another(kind, explorer, first)}
    bad = [("state", {"nothing": 1}, f"{', '.join(kind.values)}, got 'nothing'")]
    for name in kind.values:
        bad += [(name, {name: value}, f".*, got {value!r}") for value in ("nothing", True, -7)]
    for name, state, message in bad:
        message = f"^{name}: expected {'one of ' if name != 'state' else ''}{message}$"
        with pytest.raises(ValueError, match=message):
            explorer.state = good | state
    assert (explorer.state, page(explorer)) == (before, shown)
    with pytest.raises(ValueError, match=message):
        make(state=state)


@given(st.data(), st.booleans())
@settings(deadline=None, max_examples=4, suppress_health_check=list(HealthCheck))
def test_after_any_moves_it_equals_a_fresh_explorer(kind, shared, make, data, one_by_one):
    values = {name: st.sampled_from(several) for name, several in kind.values.items()}
    moves = st.lists(st.fixed_dictionaries({}, optional=values), min_size=1, max_size=4)
    for move in data.draw(moves):
        if one_by_one:
            for name, value in move.items():
                shared.controls[name].value = value
        else:
            shared.state = move
    assert_as_fresh(shared, make)


def test_every_position_is_a_small_picture_of_its_own_and_few_are_drawn_in_full(kind, explorer):
    for name, values in kind.values.items():
        explorer.state = kind.start | kind.busy
        draws, pictures = explorer.draws, []
        for value in values[:: max(1, len(values) // 8)]:
            explorer.state = {name: value}
            png, text = page(explorer)
            assert text == explorer.text
            assert "\n" not in text
            assert len(png) <= LIMIT
            assert struct.unpack(">II", png[16:24]) == kind.size
            pictures.append(png)
        assert (explorer.draws > draws) == (name in kind.full), name
        if name not in WORDS_ALONE:
            # one may be alike: a layer that is not there leads to the last
            assert len(set(pictures)) >= len(pictures) - (name == "layer"), name


def test_presets_and_reset_are_buttons(kind, explorer):
    assert explorer.presets == kind.presets
    row = explorer.children[-1].children
    buttons = {b.description: b for b in row if isinstance(b, ipywidgets.Button)}
    start = explorer.state
    assert list(buttons)[: len(kind.presets) + 1] == [*kind.presets, "Reset"]
    for name, part in kind.presets.items():
        explorer.state = before = explorer.state | kind.busy
        buttons[name].click()
        assert explorer.state == before | part
    buttons["Reset"].click()
    assert explorer.state == start


@pytest.mark.parametrize("part", ["compute", "update"])
def test_an_error_reaches_test_and_reader_and_the_next_move_works(
    kind, explorer, make, monkeypatch, part
):
    explorer.refresh(anew=True)  # no page is there yet
    first, *_, last = kind.values
    with monkeypatch.context() as patch:
        patch.setattr(explorer, part, lambda *_: 1 / 0)
        for name in dict.fromkeys((first, last)):
            with pytest.raises(ZeroDivisionError):
                explorer.controls[name].value = another(kind, explorer, name)
            said = "This move failed. ZeroDivisionError: division by zero"
            assert explorer.picture.text == said
            assert isinstance(explorer.error, ZeroDivisionError)
    explorer.controls[last].value = another(kind, explorer, last)
    assert explorer.error is None
    assert explorer.picture.text == explorer.text
    assert_as_fresh(explorer, make)


def test_compute_leaves_what_it_gave_before_alone(kind, explorer):
    kept = copy.deepcopy(explorer.numbers)
    explorer.compute(explorer.state | {name: values[-1] for name, values in kind.values.items()})
    assert_same(explorer.numbers, kept)


def test_a_click_elsewhere_does_nothing(kind, explorer):
    before, shown = explorer.state, page(explorer)
    width, height = kind.size
    places = [(1, 1), (width - 1, height - 1)]
    for number, ax in enumerate(explorer.figure.axes):
        if number not in kind.clickable:
            places.append(ax.transAxes.transform((0.3, 0.5)))
    for x, y in places:
        explorer._heard(None, {"click": [x / width, y / height]}, [])
    assert (explorer.state, page(explorer)) == (before, shown)


def test_repr_is_one_line_of_the_state_and_the_key_numbers(kind, explorer):
    for state in ({}, kind.busy, *kind.presets.values()):
        explorer.state = state
        name, inside = re.fullmatch(r"(\w+)\((.*)\)", repr(explorer)).groups()
        assert name == type(explorer).__name__
        shown = dict(re.findall(r"(\w+)=(.*?)(?=, \w+=|$)", inside))
        figures = kind.figures(explorer)
        assert list(shown) == [*kind.values, *figures]
        for name, value in explorer.state.items():
            exact = shown[name] == str(value)
            assert exact or float(shown[name]) == pytest.approx(value, rel=1e-3)
        for name, figure in figures.items():
            texts = shown[name].split("..")
            for text, number in zip(texts, np.atleast_1d(figure), strict=True):
                digits, percent, _ = text.partition("%")
                unit = 10.0 ** -len(digits.partition(".")[2])
                expected = pytest.approx(number * (100 if percent else 1), abs=0.51 * unit)
                assert float(digits) == expected, name


def test_a_page_without_kernel_has_picture_and_text(kind, explorer):
    name = explorer._flip or next(iter(kind.values))
    for value in kind.values[name][0], kind.values[name][-1]:  # of two pages the second
        explorer.state = kind.busy | {name: value}
    bundle = explorer._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]) == page(explorer)[0]
    assert bundle["text/plain"] == repr(explorer)
