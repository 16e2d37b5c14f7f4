"""The explorer of learning rates: what it shows of runs, and how it trains more of them."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from ipywidgets import SelectionSlider

import bn_tutorial as bn
from bn_tutorial.explorers import grid
from bn_tutorial.explorers.controls import offer
from bn_tutorial.explorers.grid import Grid
from bn_tutorial.explorers.learning_rate import GAINS, RATES, LearningRateExplorer
from bn_tutorial.explorers.picture import LOCK
from bn_tutorial.parallel import Watch

RECIPE = bn.Recipe(steps=60)
SMALL = [0.01, 0.1, 1.0, 3e38]  # the last one diverges
NORMS = {"plain": None, "batch norm": "batch"}
PATIENCE = 20


@pytest.fixture(scope="module")
def runs(dataset):
    values = {"hidden_gain": [1.0, 5.0], "norm": [None, "batch"]}
    return bn.sweep(dataset, RECIPE, learning_rate=SMALL, **values)


@pytest.fixture(scope="module")
def several_seeds(dataset):
    values = {"seed": [3, 1, 2], "norm": ["batch", None]}
    recipe = replace(RECIPE, output_gain=0.01)  # learns within the few steps
    return bn.sweep(dataset, recipe, learning_rate=[0.1, 1.0, 10.0], **values)


@pytest.fixture
def explorer(dataset, runs):
    return LearningRateExplorer(dataset, runs)


def find(runs, **fields):
    (found,) = [r for r in runs if all(getattr(r.recipe, k) == v for k, v in fields.items())]
    return found


def shown(explorer):
    """Give picture, text and line of numbers."""
    return explorer._frame[0], explorer.text, repr(explorer)


def finals(explorer, label="plain"):
    line, *_ = explorer._panels.errorbars[label]
    return line.get_xydata()


def look_at(explorer, **state):
    """Move, and draw even if the page is there already."""
    explorer.state = state
    explorer.refresh(anew=True)


# what is shown


@pytest.mark.parametrize("gain", [1.0, 5.0])
@pytest.mark.parametrize("rate", SMALL)
def test_compute_gives_the_runs_at_a_rate_and_the_finals_of_all(explorer, runs, rate, gain):
    numbers = explorer.compute({"learning_rate": rate, "hidden_gain": gain})
    np.testing.assert_array_equal(numbers.rates, SMALL)
    for label, norm in NORMS.items():
        run = find(runs, learning_rate=rate, hidden_gain=gain, norm=norm)
        steps, losses = numbers.curves[label]
        np.testing.assert_array_equal(steps, np.arange(len(run.loss)))  # windows of one step
        np.testing.assert_array_equal(losses, run.loss)
        assert numbers.diverged[label] == run.diverged_at
        for one, final in zip(SMALL, numbers.finals[label][0], strict=True):
            other = find(runs, learning_rate=one, hidden_gain=gain, norm=norm)
            last = sum(other.loss[57:].tolist()) / 3  # the last 3 of 60
            assert final == pytest.approx(math.inf if other.diverged_at else last)
        assert numbers.picked[label] == numbers.finals[label][0, SMALL.index(rate)]


def test_seeds_give_mean_and_range_and_the_curves_of_the_first(dataset, several_seeds):
    explorer = LearningRateExplorer(dataset, several_seeds)
    by_hand = torch.tensor(
        [
            [
                find(several_seeds, seed=seed, norm=None, learning_rate=rate).loss[57:].mean()
                for rate in (0.1, 1.0, 10.0)
            ]
            for seed in (3, 1, 2)
        ]
    )
    numbers = explorer.numbers
    np.testing.assert_allclose(numbers.finals["plain"], by_hand, rtol=1e-6)
    first = find(several_seeds, seed=3, norm=None, learning_rate=0.1)
    np.testing.assert_array_equal(numbers.curves["plain"][1], first.loss)
    assert numbers.picked["plain"] == pytest.approx(by_hand[:, 0].mean().item())
    line, (low, high), (ranges,) = explorer._panels.errorbars["plain"]
    top = explorer._panels.tops[1]
    assert (by_hand[:, 0] < top).all()
    mean, least, most = by_hand.mean(0), by_hand.amin(0), by_hand.amax(0)
    np.testing.assert_allclose(line.get_ydata(), mean.clip(max=top), rtol=1e-6)
    for cap, end in [(low, least), (high, most)]:
        drawn = end.clip(max=top)[least < top]
        np.testing.assert_allclose(cap.get_ydata(), drawn, rtol=1e-6)
    (start, end), *_ = ranges.get_segments()
    np.testing.assert_allclose([start, end], [[0.1, least[0]], [0.1, most[0]]], rtol=1e-5)
    assert "of 3 seeds" in explorer.text


def test_a_long_run_is_smoothed(dataset):
    values = {"learning_rate": [0.1, 1.0], "norm": [None, "batch"]}
    runs = bn.sweep(dataset, bn.Recipe(steps=300, hidden=5), **values)
    steps, losses = LearningRateExplorer(dataset, runs).numbers.curves["plain"]
    assert steps.tolist() == list(range(1, 300, 3))
    expected = find(runs, norm=None, learning_rate=0.1).loss.reshape(100, 3).mean(dim=1)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)


def test_what_is_too_high_stands_at_the_upper_edge_with_a_mark(explorer):
    look_at(explorer, learning_rate=3e38)
    left, right = explorer._panels.tops
    for label in NORMS:
        by = explorer.numbers.finals[label][0]
        np.testing.assert_allclose(finals(explorer, label)[:, 1], np.minimum(by, right))
        marks = explorer._panels.marks[label]
        np.testing.assert_allclose(
            marks["failed"].get_xydata(),
            np.stack([SMALL, np.minimum(by, right)], axis=1)[by > math.log(28)],
        )
        assert marks["diverged"].get_xydata().tolist() == [[1, left]]
        assert marks["picked"].get_xydata().tolist() == [[3e38, right]]
    look_at(explorer, learning_rate=0.1)
    for label in NORMS:
        assert explorer._panels.marks[label]["diverged"].get_xydata().size == 0
        picked = explorer.numbers.picked[label]
        assert explorer._panels.marks[label]["picked"].get_xydata().tolist() == [
            [0.1, min(picked, right)]
        ]


def test_losses_off_the_picture_are_marked_and_no_others(explorer):
    for rate in SMALL[:3]:
        look_at(explorer, learning_rate=rate)
        for label in NORMS:
            curve = explorer._panels.curves[label].get_ydata()
            raw = explorer.numbers.curves[label][1]
            np.testing.assert_allclose(curve, np.minimum(raw, explorer._panels.tops[0]))
            off = explorer._panels.marks[label]["off"].get_xdata()
            assert bool(len(off)) == bool((raw > explorer._panels.tops[0]).any())


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"learning_rate": 0.1}, "plain ends at 3."),
        ({"learning_rate": 0.01}, "nats, above uniform guessing; batch norm"),
        ({"learning_rate": 3e38}, "plain diverges, its loss is not finite at step 1; batch norm"),
        ({"hidden_gain": 5.0}, "Learning rate 0.1, hidden gain 5: "),
    ],
)
def test_the_text_says_what_becomes_of_both(explorer, state, words):
    explorer.state = state
    assert words in explorer.text
    assert explorer.text.endswith("(mean of the last 3 of 60 steps).")
    assert explorer.text.count("\n") == 0


@pytest.mark.parametrize(("place", "rate"), [(0.02, 0.01), (0.2, 0.1), (2.0, 1.0), (1e36, 3e38)])
def test_a_click_on_the_final_losses_picks_the_nearest_rate(explorer, place, rate):
    x, y = explorer._panels.axes[1].transData.transform((place, 3.0))
    explorer.state = {"learning_rate": 0.01 if rate != 0.01 else 1.0}
    explorer._heard(None, {"click": [x / 900, y / 380]}, [])
    assert explorer.state["learning_rate"] == rate


# training here


def train_at(explorer, rate):
    """Type a rate, and wait."""
    explorer.exact.value = rate
    explorer.wait()


def test_an_exact_rate_is_trained_and_shown(dataset, explorer, runs):
    train_at(explorer, 0.37)
    assert explorer.state == {"learning_rate": 0.37, "hidden_gain": 1.0}
    rates = [value for _, value in explorer.controls["learning_rate"].options]
    assert rates == [0.01, 0.1, 0.37, 1.0, 3e38]
    for label, norm in NORMS.items():
        alone = bn.train(dataset, replace(RECIPE, learning_rate=0.37, norm=norm), record=None)
        np.testing.assert_array_equal(explorer.numbers.curves[label][1], alone.loss)
        assert explorer.numbers.picked[label] == pytest.approx(alone.loss[57:].mean().item())
        assert len(finals(explorer, label)) == 5
    assert explorer.error is None
    explorer.reset()
    assert explorer.numbers.picked["plain"] == pytest.approx(
        find(runs, learning_rate=0.1, hidden_gain=1.0, norm=None).loss[57:].mean().item()
    )


def test_off_the_grid_a_move_is_enough_to_train(explorer):
    train_at(explorer, 0.37)
    there = len(explorer.grid.runs)
    explorer.state = {"hidden_gain": 5.0}
    explorer.wait()
    assert "plain ends at" in explorer.text
    assert len(explorer.grid.runs) == there + 2
    explorer.state = {"hidden_gain": 1.0}
    assert not explorer.training  # it is there


def test_the_exact_rate_follows_the_slider(explorer):
    explorer.state = {"learning_rate": 1.0}
    assert explorer.exact.value == 1.0
    assert not explorer.training


@pytest.mark.parametrize("rate", [-1.0, 0.0, 1e39, math.nan])
def test_a_rate_out_of_range_is_refused_in_words_and_trains_nothing(explorer, rate):
    explorer.exact.value = rate
    assert explorer.picture.text.endswith(f"exact rate: expected 1e-06 to 3e+38, got {rate:g}")
    assert not explorer.training
    assert explorer.state["learning_rate"] == 0.1
    explorer.state = {"learning_rate": 1.0}
    assert explorer.picture.text == explorer.text


def test_the_slider_in_the_page_gets_its_positions_before_its_new_place(explorer, monkeypatch):
    """It would cut the place to those it had."""
    sent, control = [], explorer.controls["learning_rate"]

    def send_state(widget, key):
        if widget is control:
            names = {key} if isinstance(key, str) else set(key)
            sent.append((names & {"index", "_options_labels"}, control.index))

    explorer.state = {"learning_rate": 1.0}
    monkeypatch.setattr(SelectionSlider, "send_state", send_state)
    with explorer._unnoticed():
        offer(control, 3e38 / 4)
        control.value = 3e38 / 4
        offer(control, 1e-5)
    sent = [one for one in sent if one[0]]
    assert [names - {"index"} for names, _ in sent if "_options_labels" in names] == [
        {"_options_labels"}
    ] * 2
    assert sent[-1] == ({"index"}, 4)


def test_a_rate_beyond_the_axis_is_said_to_be_there(dataset, several_seeds):
    explorer = LearningRateExplorer(dataset, several_seeds)
    train_at(explorer, 3e38)
    assert "Learning rate 3e+38 (beyond the axis)" in explorer.text
    assert "batch norm diverges, its loss is not finite at step 1 (" in explorer.text
    edge = explorer._panels.axes[1].get_xlim()[1]
    assert list(explorer._panels.marks["plain"]["picked"].get_xdata()) == [edge]
    assert "seeds" not in explorer.text  # it was trained with the first only


def test_after_a_training_pages_drawn_before_are_forgotten(explorer):
    explorer.state = {"learning_rate": 1.0}
    edition = explorer.picture.edition
    train_at(explorer, 0.37)
    assert explorer.picture.edition > edition
    assert list(explorer._frames) == [2]


def test_lower_losses_than_ever_move_the_axes_once(explorer, monkeypatch):
    monkeypatch.setattr(Grid, "best", lambda grid: 0.31)
    explorer.refresh(anew=True)
    assert explorer.draws == 2
    assert explorer._panels.axes[0].get_ylim()[0] == explorer._panels.axes[1].get_ylim()[0] == 0.2
    explorer.state = {"learning_rate": 1.0}
    assert explorer.draws == 2


def test_without_runs_the_grid_is_trained(dataset):
    recipe = bn.Recipe(steps=4, hidden=5, norm=None, seed=7)
    explorer = LearningRateExplorer(dataset, recipe=recipe)
    explorer.wait()
    assert (explorer.numbers.rates.tolist(), explorer.grid.gains) == (RATES, GAINS)
    assert len(explorer.grid.runs) == len(RATES) * len(GAINS) * 2
    assert "missing" not in explorer.text
    runs = bn.sweep(dataset, recipe, learning_rate=RATES, hidden_gain=GAINS, norm=[None, "batch"])
    for run in runs:
        key = run.recipe.learning_rate, run.recipe.hidden_gain, run.recipe.norm, 7
        torch.testing.assert_close(explorer.grid.runs[key].loss, run.loss, atol=1e-4, rtol=1e-4)
    assert RATES[0] == 0.001
    assert RATES[-1] == 10


def buttons(explorer):
    """Which of the exact rate, Train the grid and Cancel can be used."""
    controls = explorer.exact, explorer._grid_button, explorer._cancel_button
    return [not control.disabled for control in controls]


def test_a_grid_with_gaps_is_completed(dataset, runs, several_seeds):
    part = [*runs[:3], *runs[5:8]]  # both norms, one rate without half of them
    short = replace(runs[4], loss=runs[4].loss[:20])  # as after an interrupt
    explorer = LearningRateExplorer(dataset, [*part, short])
    assert explorer.text.endswith("2 of the grid's 8 runs are missing.")
    assert buttons(explorer) == [True, True, False]
    assert "plain was stopped after 20 steps; batch norm ends" in explorer.text
    assert len(finals(explorer)) == 1
    explorer.state = {"hidden_gain": 5.0, "learning_rate": 0.01}
    assert "batch norm is not trained" in explorer.text
    explorer._grid_button.click()
    explorer.wait()
    assert "missing" not in explorer.text
    assert buttons(explorer) == [True, False, False]
    whole = LearningRateExplorer(dataset, runs[:8], state=explorer.state)
    np.testing.assert_allclose(
        explorer.numbers.finals["plain"], whole.numbers.finals["plain"], rtol=1e-5
    )


# in the background


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def with_steps(runs, steps):
    """Give the runs as if their recipe had so many steps, so that the explorer trains as many."""
    return [
        replace(
            run,
            recipe=replace(run.recipe, steps=steps),
            loss=run.loss.repeat(steps // 60 + 1)[:steps],
        )
        for run in runs
        if run.diverged_at is None
    ]


def test_curves_grow_while_the_reader_goes_on(dataset, runs):
    steps = 400_000
    explorer = LearningRateExplorer(dataset, with_steps(runs, steps))
    explorer.exact.value = 0.37
    assert buttons(explorer) == [False, False, True]
    until(lambda: len(explorer.grid.growing) == 2)
    until(lambda: len(explorer._panels.curves["plain"].get_ydata()) > 2)
    length = len(explorer._panels.curves["plain"].get_ydata())
    picture, bar = shown(explorer)[0], explorer._bar.value
    assert 0 < length < 100
    assert 0 < bar < explorer._bar.max == 2 * steps
    assert "plain is in training" in explorer.text
    until(lambda: len(explorer._panels.curves["plain"].get_ydata()) > length)
    assert shown(explorer)[0] != picture
    assert explorer._bar.value > bar
    explorer.state = {"learning_rate": 1.0}  # the reader looks elsewhere meanwhile
    assert "plain ends at" in explorer.text
    assert explorer.training
    explorer.state = {"learning_rate": 0.37}
    explorer._cancel_button.click()
    begin = time.monotonic()
    explorer.wait()
    assert time.monotonic() - begin < 5
    assert "plain was stopped after " in explorer.text
    assert buttons(explorer) == [True, False, False]
    assert explorer.error is None


def test_a_rate_that_was_cancelled_is_trained_at_the_next_move(dataset, runs):
    explorer = LearningRateExplorer(dataset, with_steps(runs, 100_000))
    explorer.exact.value = 0.37
    explorer.cancel()
    explorer.wait()
    explorer.state = {"learning_rate": 1.0}
    explorer.state = {"learning_rate": 0.37}
    assert explorer.training
    explorer.cancel()
    explorer.wait()


def test_the_grid_is_trained_in_the_background_and_can_be_cancelled(dataset):
    explorer = LearningRateExplorer(dataset, recipe=bn.Recipe(steps=300, hidden=5))
    until(lambda: len(explorer.grid.runs) >= len(RATES))
    explorer.cancel()
    explorer.wait()
    complete = len(explorer.grid) - sum(len(rates) for rates, *_ in explorer.grid.missing())
    assert 0 < complete < 114
    assert f"{114 - complete} of the grid's 114 runs are missing" in explorer.text
    assert buttons(explorer) == [True, True, False]
    assert {gain for _, gain, *_ in explorer.grid._finals} == {1.0}  # the present gain first
    before = dict(explorer.grid._finals)
    explorer._grid_button.click()
    explorer.train_grid()  # the first goes on
    explorer.wait()
    assert "missing" not in explorer.text
    assert before.items() <= explorer.grid._finals.items()
    assert buttons(explorer) == [True, False, False]


def test_a_run_that_was_cancelled_replaces_no_complete_one(dataset, runs):
    explorer = LearningRateExplorer(dataset, with_steps(runs, 50_000))
    text = explorer.text
    explorer._start_training([([0.1], 1.0, [None, "batch"], RECIPE.seed)])
    until(lambda: len(explorer.grid.growing) == 2)
    explorer.cancel()
    explorer.wait()
    assert explorer.text == text
    assert len(explorer.numbers.curves["plain"][1]) == 100


def broken_sweep(*_, progress, **__):
    progress([Watch(10), Watch(10)])
    raise RuntimeError("no cores left")


def test_an_error_in_the_worker_is_told_and_the_explorer_lives_on(dataset, runs, monkeypatch):
    explorer = LearningRateExplorer(dataset, runs)
    with monkeypatch.context() as broken:
        broken.setattr(grid, "sweep", broken_sweep)
        train_at(explorer, 0.37)
    assert "RuntimeError: no cores left" in explorer.picture.text
    assert isinstance(explorer.error, RuntimeError)
    assert buttons(explorer) == [True, False, False]
    explorer.state = {"learning_rate": 1.0}
    assert explorer.error is None
    explorer.state = {"learning_rate": 0.37}
    explorer.wait()
    assert "plain ends at" in explorer.text


def test_an_error_of_the_drawing_ends_the_training(dataset, runs, monkeypatch):
    explorer = LearningRateExplorer(dataset, with_steps(runs, 2_000_000))
    explorer.exact.value = 0.37
    until(lambda: explorer.grid.growing)
    with monkeypatch.context() as broken:
        broken.setattr(Grid, "losses", None)
        explorer.wait()
        assert isinstance(explorer.error, TypeError)
    assert buttons(explorer) == [True, False, False]
    explorer.refresh(anew=True)
    assert explorer.error is None


def test_pages_are_drawn_ahead_after_a_training_and_not_while_it_lasts(dataset, runs):
    explorer = LearningRateExplorer(dataset, with_steps(runs, 200_000))
    explorer._heard(None, {"ready": True}, [])
    until(lambda: len(explorer._frames) == 3)
    explorer.exact.value = 0.37
    until(lambda: explorer.grid.growing)
    with LOCK:  # not while the page is replaced
        assert list(explorer._frames) == [2]
    explorer.cancel()
    explorer.wait()
    until(lambda: len(explorer._frames) == 4)
    assert all("in training" not in text for _, text in explorer._frames.values())
