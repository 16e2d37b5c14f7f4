"""The table of four examples and three units against torch's own layer, without a browser."""

import copy
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from traitlets import TraitError

from bn_tutorial.explorers import BatchTable
from bn_tutorial.explorers.batch_table import DEFAULT, PRESETS

typed = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
states = st.fixed_dictionaries(
    {
        "x": st.lists(st.lists(typed, min_size=3, max_size=3), min_size=4, max_size=4),
        "weight": st.lists(typed, min_size=3, max_size=3),
        "bias": st.lists(typed, min_size=3, max_size=3),
        "correction": st.sampled_from([0, 1]),
    }
)


@pytest.fixture
def table():
    return BatchTable()


def send(table, **content):
    """What the browser does."""
    table._handle_custom_msg(content, [])


def edit(table, name, row, column, value):
    send(table, edit=[name, row, column], value=value)


@given(states)
@settings(deadline=None, max_examples=50)
def test_the_numbers_follow_the_formula(state):
    numbers = BatchTable(state).numbers
    x = torch.tensor(state["x"], dtype=torch.float64)
    std, mean = torch.std_mean(x, dim=0, correction=state["correction"])
    usual = torch.tensor(numbers.std) > 1e-6 * x.abs().max()
    y = torch.tensor(state["weight"]) * (x - mean) / std + torch.tensor(state["bias"])
    np.testing.assert_allclose(numbers.mean, mean, atol=1e-6)
    np.testing.assert_allclose(numbers.std, std, atol=1e-6)
    near = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(numbers.x_hat[:, usual], ((x - mean) / std)[:, usual], **near)
    np.testing.assert_allclose(numbers.y[:, usual], y[:, usual], **near)
    np.testing.assert_allclose(numbers.out[:, usual], y.tanh()[:, usual], atol=1e-3)
    np.testing.assert_allclose(numbers.without, x.tanh())


def test_with_correction_0_it_is_torch_s_layer(table):
    table.state = PRESETS["gain and shift"] | {"correction": 0}
    layer = torch.nn.BatchNorm1d(3, eps=1e-12, dtype=torch.float64)
    for name in ("weight", "bias"):
        getattr(layer, name).data = torch.tensor(table.state[name], dtype=torch.float64)
    y = layer(torch.tensor(table.state["x"], dtype=torch.float64)).detach()
    np.testing.assert_allclose(table.numbers.y, y, atol=1e-9)
    np.testing.assert_allclose(table.numbers.out, y.tanh(), atol=1e-9)


def test_it_starts_with_numbers_that_a_pencil_can_follow(table):
    assert table.state == DEFAULT
    assert table.numbers.mean.tolist() == [3, 10, -5]
    assert table.numbers.std[:2].tolist() == [2, 10]
    np.testing.assert_allclose(table.numbers.x_hat[:, 1], [1.3, -1.1, -0.3, 0.1])
    assert "divided by 3 (correction 1), eps 0. Beyond 0.97 are 10 of 12" in table.text
    table.state = {"correction": 0}
    assert table.numbers.std[2] == 0.5
    assert "divided by 4 (correction 0)" in table.text


@given(typed, st.integers(0, 2), st.sampled_from([0, 1]))
@settings(deadline=None)
def test_a_column_of_equal_numbers_is_not_a_number_and_says_so(number, unit, correction):
    x = copy.deepcopy(DEFAULT["x"])
    for row in x:
        row[unit] = number
    table = BatchTable({"x": x, "correction": correction})
    for values in (table.numbers.x_hat, table.numbers.y, table.numbers.out):
        assert np.isnan(values[:, unit]).all()
        assert np.isfinite(np.delete(values, unit, axis=1)).all()
    assert table.numbers.std[unit] == 0
    assert table.shown["out"][0][unit] == "nan"
    assert f"In unit {unit + 1} all numbers are equal: the std is 0, x_hat is 0/0" in table.text
    assert "With an eps above 0, x_hat would be 0." in table.text


def test_several_such_columns(table):
    table.state = {"x": [[4, 5, -4.5], [4, 5, -5], [4, 5, 1], [4, 5, 2]]}
    assert "In units 1 and 2 all" in table.text


def test_one_number_moves_its_column_only(table):
    before = table.numbers
    edit(table, "x", 0, 1, "50")
    assert table.state["x"][0] == [4, 50, -4.5]
    after = table.numbers
    for name in ("mean", "std", "x_hat", "y", "out"):
        changed = np.atleast_2d(getattr(before, name) != getattr(after, name))
        assert changed.all(axis=0).tolist() == [False, True, False], name
        assert changed.any(axis=0).tolist() == [False, True, False], name
    assert table.shown["x"][0] == ["4", "50", "-4.5"]
    assert DEFAULT["x"][0][1] == 23


def test_gain_and_shift_move_what_follows_only(table):
    before = table.numbers
    edit(table, "weight", 0, 2, " 2.5 ")
    edit(table, "bias", 0, 0, "-1e-1")
    assert (table.state["weight"], table.state["bias"]) == ([1, 1, 2.5], [-0.1, 0, 0])
    np.testing.assert_array_equal(before.x_hat, table.numbers.x_hat)
    assert (before.y != table.numbers.y).all(axis=0).tolist() == [True, False, True]


@pytest.mark.parametrize("value", ["", "abc", "nan", "inf", "-1e7", "4,5"])
def test_what_is_no_number_is_refused_in_the_line_and_the_next_one_counts(table, value):
    state, shown = table.state, table.shown
    edit(table, "x", 1, 2, value)
    edit(table, "bias", 0, 1, value)
    assert (table.state, table.shown) == (state, shown)
    assert table.text == (
        f"bias of unit 2: expected a number from -1e6 to 1e6, got {value!r}. It stays 0."
    )
    edit(table, "x", 1, 2, "-5.5")  # nothing new, but no mistake
    assert table.text.startswith("Variance")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (3, "state: expected a dict, got an int"),
        ({"z": 1}, "state: expected x, weight, bias, correction, got 'z'"),
        ({"x": [[1.0, 2.0, 3.0]]}, "x: expected 4 rows of 3 numbers, got"),
        ({"x": [[1, 2, 3]] * 3 + [[1, 2]]}, r"x\[3\]: expected 3 numbers, got \[1, 2\]"),
        ({"weight": [1, 2, "3"]}, r"weight\[2\]: expected a number from -1e6 to 1e6, got '3'"),
        ({"bias": [math.nan, 0, 0]}, r"bias\[0\]: expected a number .*, got nan"),
        ({"bias": [True, 0, 0]}, r"bias\[0\]: expected a number .*, got True"),
        ({"bias": 0}, "bias: expected 3 numbers, got 0"),
        ({"correction": 2}, "correction: expected 0 or 1, got 2"),
        ({"correction": True}, "correction: expected 0 or 1, got True"),
    ],
)
def test_a_bad_state_is_refused_and_changes_nothing(table, state, message):
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        BatchTable(state)
    with pytest.raises((TypeError, ValueError, TraitError), match=f"^{message}|expected a dict"):
        table.state = state
    assert table.state == DEFAULT
    assert table.text == BatchTable().text


def test_presets_reset_and_the_choice_of_the_variance(table):
    assert list(table.presets) == table.names
    for name, part in PRESETS.items():
        send(table, preset=name)
        assert table.state.items() >= part.items()
        send(table, correction=0)
        assert table.state["correction"] == 0
        send(table, reset=True)
        assert table.state == DEFAULT
    send(table, preset="no such")
    assert table.state == DEFAULT


def test_a_factor_on_all_x_is_divided_out(table):
    before = table.numbers
    send(table, preset="all x times 5")
    np.testing.assert_allclose(table.numbers.x_hat, before.x_hat)
    np.testing.assert_allclose(table.numbers.std, 5 * before.std)


def test_whoever_observes_the_state_finds_the_numbers(table):
    seen = []
    table.observe(lambda change: seen.append(table.state), "state")
    edit(table, "x", 0, 0, "5")
    assert seen == [DEFAULT | {"x": [[5.0, 23.0, -4.5], *DEFAULT["x"][1:]]}]


def test_what_the_page_gets_is_one_change_of_each(table):
    changes = []
    table.observe(lambda change: changes.append(change.name), ["shown", "text"])
    edit(table, "x", 0, 0, "0.1")
    assert sorted(changes) == ["shown", "text"]


def test_what_is_saturated_is_told_by_the_numbers_and_not_as_they_are_written(table):
    edit(table, "x", 2, 0, "2.095")
    assert table.shown["without"][2][0] == "0.97"
    assert table.shown["stuck"]["without"][2][0]
    assert not any(any(row) for row in table.shown["stuck"]["out"])


def test_a_page_without_a_kernel_has_the_table_as_text(table):
    send(table, preset="gain and shift")
    data, _ = table._repr_mimebundle_()
    lines = data["text/plain"].splitlines()
    assert lines[1].split() == ["mean", "3.00", "10.00", "-5.00"]
    assert re.fullmatch(r"example 1: x +4 +23 +-4.5", lines[5])
    assert lines[7].split() == ["y", "0.50", "3.60", "-0.57"]
    assert lines[-1] == table.text
    assert repr(table) == (
        "BatchTable(correction=1, mean=[3.00, 10.00, -5.00], std=[2.00, 10.00, 0.58])"
    )
