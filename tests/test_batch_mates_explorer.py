"""The batch-mates explorer against torch's own arithmetic, without a browser."""

from dataclasses import replace

import numpy as np
import pytest
import reference
import torch
from explorer_kinds import numbers_in

import bn_tutorial as bn
from bn_tutorial.explorers import examples_of
from bn_tutorial.explorers.batch_mates import BATCH_SIZES, BATCHES, BatchMatesExplorer
from bn_tutorial.explorers.examples import EXAMPLES

HIDDEN = 10
SMALL = {"hidden": HIDDEN, "steps": 300, "batch_size": 32}
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def run(dataset):
    return bn.train(dataset, bn.Recipe(**SMALL))


@pytest.fixture(scope="module")
def shared(run, dataset):
    return BatchMatesExplorer(run, dataset)


@pytest.fixture
def explorer(shared):
    shared.reset()
    return shared


def network(run, contexts, unit=0, drag=(0, 0.0)):
    """Read a batch in plain torch: its x, mean, std, x_hat (B, H), and probabilities (B, V)."""
    x, (place, by) = reference.read(run, contexts)["hidden.0"], drag
    x[place, unit] += by
    std, mean = torch.std_mean(x, dim=0, correction=run.recipe.correction)
    x_hat = (x - mean) / (std**2 + run.recipe.eps).sqrt()
    p = {name: tensor.double() for name, tensor in run.parameters.items()}
    h = torch.tanh(x_hat * p["norm.0.weight"] + p["norm.0.bias"])
    probabilities = (h @ p["output.weight"] + p["output.bias"]).softmax(dim=1)
    return x, mean, std, x_hat, probabilities


def encode(dataset, contexts):
    return torch.stack([dataset.vocabulary.encode(context) for context in contexts])


def expect_reading(reading, run, contexts, unit, drag):
    x, mean, std, x_hat, probabilities = network(run, contexts, unit, drag)
    assert reading.mean == pytest.approx(mean[unit].item(), abs=1e-12)
    assert reading.std == pytest.approx(std[unit].item())
    np.testing.assert_allclose(reading.x_hat, x_hat[:, unit], atol=1e-12)
    np.testing.assert_allclose(reading.probabilities, probabilities[0], atol=1e-12)
    return x[:, unit]


STATES = [
    {},
    {"shift": -3.0},
    {"shift": 3.0, "batch_size": 4, "dragged": 3, "mates": BATCHES},
    {"shift": 0.75, "batch_size": 16, "dragged": 0, "mates": 17, "example": "ous", "unit": 4},
    {"shift": -0.25, "batch_size": 64, "dragged": 63, "example": "oti", "unit": HIDDEN - 1},
    {"shift": 3.0, "batch_size": 64, "dragged": 1, "mates": 2, "example": ".sc", "unit": 0},
]
KINDS = [{}, {"correction": 0, "eps": 0.1}, {"hidden_bias": False, "dtype": "float64"}]


@pytest.mark.parametrize("fields", KINDS, ids=str)
def test_the_numbers_are_those_of_the_network_in_torch(dataset, fields):
    run = bn.train(dataset, bn.Recipe(**(SMALL | fields)))
    explorer = BatchMatesExplorer(run, dataset)
    std = bn.calibrate(run, dataset.train).std[0]
    for change in STATES:
        state = explorer.state | change
        numbers, unit = explorer.compute(state), state["unit"]
        contexts = encode(dataset, numbers.contexts)
        drag = numbers.dragged, state["shift"] * std[unit].item()
        x = expect_reading(numbers.after, run, contexts, unit, drag)
        np.testing.assert_allclose(numbers.x, x, atol=1e-12)
        expect_reading(numbers.before, run, contexts, unit, (0, 0.0))
        assert numbers.dragged == state["dragged"]


def test_with_correction_0_the_numbers_are_those_of_torchs_own_layer(dataset):
    run = bn.train(dataset, bn.Recipe(**SMALL, correction=0, eps=1e-5))
    explorer = BatchMatesExplorer(run, dataset)
    numbers = explorer.compute(explorer.state | {"unit": 3, "batch_size": 16})
    x, *_ = network(run, encode(dataset, numbers.contexts))
    layer = torch.nn.BatchNorm1d(HIDDEN, dtype=torch.float64).train()
    np.testing.assert_allclose(numbers.after.x_hat, layer(x).detach()[:, 3], atol=1e-12)


def test_the_example_comes_first_and_its_mates_are_of_the_training_split(explorer, dataset):
    known = {dataset.vocabulary.decode(context) for context in dataset.train.contexts.tolist()}
    batches = set()
    for mates in range(1, BATCHES + 1):
        large, small = (
            explorer.compute(explorer.state | {"mates": mates, "batch_size": b}).contexts
            for b in (64, 4)
        )
        assert (large[0], len(large), len(small)) == ("inm", 64, 4)
        assert set(large[1:]) <= known
        assert large[:4] == small  # so that a larger batch keeps the mates of a smaller one
        batches.add(tuple(large))
    assert len(batches) == BATCHES


@pytest.mark.parametrize("b", BATCH_SIZES)
def test_the_ranges_are_those_over_all_batches(explorer, b):
    states = [
        explorer.state | {"mates": mates, "batch_size": b, "example": "ous"}
        for mates in range(1, BATCHES + 1)
    ]
    probabilities = np.stack([explorer.compute(s).after.probabilities for s in states])
    low, high = explorer.ranges["ous", b]
    np.testing.assert_allclose(low, probabilities.min(axis=0))
    np.testing.assert_allclose(high, probabilities.max(axis=0))


def test_calibrated_is_what_the_package_says(explorer, run, dataset):
    stats = bn.calibrate(run, dataset.train)
    logits = bn.logits(run, encode(dataset, EXAMPLES), stats)
    for context, expected in zip(EXAMPLES, logits.softmax(dim=1), strict=True):
        np.testing.assert_allclose(explorer.calibrated[context], expected, atol=1e-12)


def test_it_starts_at_the_unit_in_which_a_drag_changes_most(explorer, dataset):
    target = dataset.vocabulary.encode("e").item()
    changes = []
    for unit in range(HIDDEN):
        drags = [explorer.compute(explorer.state | {"unit": unit, "shift": s}) for s in (-3.0, 3.0)]
        changes.append(
            max(abs(n.after.probabilities - n.before.probabilities)[target] for n in drags)
        )
    assert explorer.state["unit"] == np.argmax(changes)
    assert max(changes) > 2 * np.median(changes)


def test_dragging_a_mate_moves_everybody_but_leaves_their_x(explorer):
    still, moved = (explorer.compute(explorer.state | {"shift": s}) for s in (0.0, 3.0))
    assert np.flatnonzero(still.x != moved.x).tolist() == [1]
    assert (np.abs(moved.after.x_hat - moved.before.x_hat) > 1e-3).all()
    np.testing.assert_array_equal(still.after.x_hat, moved.before.x_hat)
    assert moved.after.x_hat.mean() == pytest.approx(0, abs=1e-12)
    assert moved.after.x_hat.std(ddof=1) == pytest.approx(1)


def test_a_mate_that_the_batch_does_not_have_stands_for_its_last(explorer, run, dataset):
    explorer.state = {"batch_size": 64, "dragged": 40, "shift": 2.0}
    assert (explorer.state["dragged"], explorer.numbers.dragged) == (40, 40)
    explorer.controls["batch_size"].value = 4
    assert (explorer.state["dragged"], explorer.numbers.dragged) == (3, 3)
    explorer.controls["dragged"].value = 50
    assert (explorer.state["dragged"], explorer.numbers.dragged) == (3, 3)
    other = BatchMatesExplorer(run, dataset, state={"batch_size": 4, "dragged": 63})
    assert (other.state["dragged"], other.numbers.dragged) == (3, 3)


@pytest.mark.parametrize("change", STATES, ids=str)
def test_the_left_panel_shows_the_unit(explorer, run, dataset, change):
    explorer.state = change
    numbers, unit = explorer.numbers, explorer.state["unit"]
    stats = bn.calibrate(run, dataset.train)
    mean, std = stats.mean[0][unit].item(), stats.std[0][unit].item()
    ends = np.stack([(numbers.x - mean) / std, numbers.after.x_hat], axis=1)  # above and below
    dots = explorer._unit.dots.get_xydata().reshape(-1, 2, 2)
    np.testing.assert_allclose(dots[:, :, 0], ends)
    assert (dots[:, :, 1] == [1, 0]).all()
    np.testing.assert_array_equal(explorer._unit.joins.get_segments(), dots)
    np.testing.assert_array_equal(explorer._unit.star.get_xydata(), dots[0])
    np.testing.assert_array_equal(explorer._unit.ring.get_xydata(), dots[numbers.dragged])
    np.testing.assert_array_equal(explorer._unit.undragged.get_xdata(), numbers.before.x_hat)
    np.testing.assert_array_equal(explorer._unit.was.get_xdata(), numbers.before.x_hat[:1])
    low, middle, high = explorer._unit.spread.get_xdata() * std + mean
    assert middle == pytest.approx(numbers.after.mean)
    assert [middle - low, high - middle] == pytest.approx([numbers.after.std] * 2)
    names = [(text.get_text(), text.get_position()[0]) for text in explorer._unit.names]
    below, above = dots[0, 1, 0], dots[numbers.dragged, 0, 0]
    assert names == [(numbers.contexts[0], below), (numbers.contexts[numbers.dragged], above)]
    ticks = [text for text in explorer._unit.ticks if text.get_text()]
    places = [text.get_position()[0] for text in ticks]
    assert len(ticks) >= 2
    for text, place in zip(ticks, places, strict=True):
        assert float(text.get_text()) == pytest.approx(mean + place * std, abs=1e-3 * std)
        assert len(text.get_text().strip("-0.")) <= 3  # round numbers
    assert explorer._unit.tick_marks.get_xdata().tolist() == places
    (left, right), _ = explorer.figure.axes[0].get_xlim(), explorer.figure.axes[0].get_ylim()
    assert left < dots[..., 0].min() < dots[..., 0].max() < right


def test_x_stands_where_x_hat_would_with_the_calibrated_statistics(dataset):
    run = bn.train(dataset, bn.Recipe(**SMALL, eps=0.5))
    explorer = BatchMatesExplorer(run, dataset, state={"shift": 2.0, "unit": 4})
    stats, x = bn.calibrate(run, dataset.train), torch.from_numpy(explorer.numbers.x)
    x_hat = (x - stats.mean[0][4]) / (stats.std[0][4].double() ** 2 + 0.5).sqrt()
    np.testing.assert_allclose(explorer.joins(explorer.numbers)[:, 0, 0], x_hat, rtol=1e-6)


@pytest.mark.parametrize("change", STATES, ids=str)
def test_the_right_panel_shows_the_prediction(explorer, dataset, change):
    explorer.state = change
    numbers, state, ax = explorer.numbers, explorer.state, explorer.figure.axes[1]
    labels = [label.get_text() for label in ax.get_xticklabels()]
    shown = dataset.vocabulary.encode("".join(labels)).tolist()
    assert len(set(shown)) == 8
    heights = [bar.get_height() for bar in explorer._prediction.bars]
    np.testing.assert_array_equal(heights, numbers.after.probabilities[shown])
    panel = explorer._prediction
    calibrated, undragged = panel.calibrated.get_ydata(), panel.undragged.get_ydata()
    np.testing.assert_array_equal(undragged, numbers.before.probabilities[shown])
    np.testing.assert_array_equal(calibrated, explorer.calibrated[state["example"]][shown])
    assert (np.diff(calibrated) <= 0).all()
    low, high = explorer.ranges[state["example"], state["batch_size"]][:, shown]
    lines = np.array(explorer._prediction.ranges.get_segments())
    np.testing.assert_array_equal(lines[:, :, 1], np.stack([low, high], axis=1))
    assert (lines[:, :, 0] == np.arange(8)[:, None]).all()
    bold = [t.get_text() for t in ax.get_xticklabels() if t.get_weight() == "bold"]
    assert bold == [EXAMPLES[state["example"]]]
    assert f"'{state['example']}' (really: '{bold[0]}')" in ax.get_xlabel()


def test_the_panels_have_their_names(explorer):
    left, right = explorer.figure.axes[:2]
    rows = dict(zip(left.get_yticks().tolist(), left.get_yticklabels(), strict=True))
    assert (rows[1.0].get_text(), rows[0.0].get_text()) == ("x", "x_hat")
    names = [text.get_text() for text in right.get_legend().get_texts()]
    assert names == ["these mates", f"all {BATCHES} batches", "calibrated", "undragged"]
    panel = explorer._prediction
    assert panel.calibrated.get_marker() != panel.undragged.get_marker()
    assert right.get_ylabel() == "probability"


def test_the_likeliest_symbols_are_shown_and_the_right_one_even_if_it_is_not_likely(run, dataset):
    explorer = BatchMatesExplorer(run, dataset, examples={"inm": "e", "ous": "q"})
    p = explorer.calibrated["ous"]
    q = dataset.vocabulary.encode("q").item()
    assert (p > p[q]).sum() > 8
    assert explorer._shown["ous"] == [*np.argsort(-p)[:7], q]


def test_the_text_says_what_there_is_without_a_drag(explorer):
    unit, after = explorer.state["unit"], explorer.numbers.after
    target = explorer._targets["inm"]
    p, calibrated = after.probabilities[target], explorer.calibrated["inm"][target]
    z = (explorer.numbers.x[0] - explorer._mean[unit]) / explorer._std[unit]
    told = [unit, 8, after.mean, after.std, 1, after.x_hat[0], z, p, calibrated]
    assert numbers_in(explorer.text) == pytest.approx(told, abs=0.006)
    assert f"Probability of '{EXAMPLES['inm']}' after 'inm': " in explorer.text


@pytest.mark.parametrize(("dragged", "who"), [(0, "the example, 'inm',"), (2, "mate 2, '")])
def test_the_text_says_what_a_drag_moves(explorer, dragged, who):
    explorer.state = {"dragged": dragged, "shift": 2.5}
    before, after = explorer.numbers.before, explorer.numbers.after
    others = [i for i in range(8) if i != dragged]
    furthest = max(abs(after.x_hat[i] - before.x_hat[i]) for i in others)
    assert f". Dragging {who}" in explorer.text
    for part in (
        "by 2.5 std moves",
        f"mean from {before.mean:.2f} to {after.mean:.2f}",
        f"std (correction 1) from {before.std:.2f} to {after.std:.2f}",
        f"x_hat of 'inm' from {before.x_hat[0]:.2f} to {after.x_hat[0]:.2f}",
        f"of the others by up to {furthest:.2f}.",
        f"({before.probabilities[explorer._targets['inm']]:.2f} undragged)",
    ):
        assert part in explorer.text


def test_presets_drag_a_mate_and_let_go(explorer):
    far, among_64, let_go = explorer.presets.values()
    explorer.state = far
    moved = abs(np.diff([explorer.numbers.before.x_hat[0], explorer.numbers.after.x_hat[0]]))
    explorer.state = among_64
    numbers = explorer.numbers
    assert abs(numbers.after.x_hat[0] - numbers.before.x_hat[0]) < moved / 2
    explorer.state = let_go
    assert explorer.state["batch_size"] == 64
    np.testing.assert_array_equal(explorer.numbers.after.x_hat, explorer.numbers.before.x_hat)


# clicks


def click(explorer, x, row):
    """Click at a place of the left panel's axes, as the browser reports it."""
    pixels = explorer.figure.axes[0].transData.transform([x, row])
    width, height = explorer.figure.canvas.get_width_height()
    explorer._heard(None, {"click": [pixels[0] / width, pixels[1] / height]}, [])


@pytest.mark.parametrize("row", [1, 0])
def test_a_click_takes_the_nearest_dot_and_drags_it_from_where_it_is(explorer, row):
    explorer.state = {"batch_size": 16, "dragged": 2, "shift": 2.0}
    places = explorer.joins(explorer.numbers)[:, 1 - row, 0]
    order = np.argsort(places)
    click(explorer, places[order[0]] - 0.5, row + 0.05)
    assert explorer.state["dragged"] == order[0] != 2
    assert explorer.state["shift"] == 0


def test_a_click_on_what_is_dragged_already_changes_nothing(explorer):
    explorer.state = {"dragged": 2, "shift": 3.0}
    before = explorer.state
    click(explorer, explorer.joins(explorer.numbers)[2, 0, 0], 1)
    assert explorer.state == before


# what goes wrong


def test_a_batch_of_equal_numbers_has_no_answer_and_says_nan():
    words = ["a" * n for n in range(30, 50)] + ["b"]
    zoo = bn.Dataset.from_words(words)
    run = bn.train(zoo, bn.Recipe(**SMALL, eps=1e-5))
    run = replace(run, recipe=replace(run.recipe, eps=0.0))
    explorer = BatchMatesExplorer(run, zoo, examples={"aaa": "a"})  # with fewer than 8 symbols
    for mates in range(1, BATCHES + 1):
        explorer.state = {"mates": mates, "batch_size": 4}
        if set(explorer.numbers.contexts) == {"aaa"}:
            break
    assert explorer.numbers.after.std == 0
    assert "p=nan" in repr(explorer)
    assert "nan with these mates" in explorer.text
    assert not np.isnan(explorer.ranges["aaa", 4]).any()  # of the batches that have an answer
    explorer.controls["shift"].value = 1.0
    assert explorer.numbers.after.x_hat.tolist() == pytest.approx([-0.5, 1.5, -0.5, -0.5])


# --- with words of another alphabet -------------------------------------------------------------


def greek(*words):
    return bn.Dataset.from_words([*words, "άλφα", "βήτα"])


def test_other_words_give_examples_of_their_own():
    zoo = greek("πιθηκος", "ω", "καμηλα", "αετος", "λυκος", "φωκια", "μυς", "γατα")
    examples = examples_of(zoo)
    padded = ["..." + word + "." for word in zoo.val.words]
    assert examples
    for context, symbol in examples.items():
        assert len(context) == 3
        assert any(context + symbol in word for word in padded)
    run = bn.train(zoo, bn.Recipe(hidden=4, steps=20))
    assert BatchMatesExplorer(run, zoo).state["example"] == next(iter(examples))


@pytest.mark.parametrize("length", range(1, 8))
def test_words_of_any_length_give_an_example(length):
    zoo = bn.Dataset.from_words([letter * length for letter in "αβγδεζηθικ"])
    ((context, symbol),) = examples_of(zoo).items()
    assert context + symbol in "..." + zoo.val.words[0] + "."
    assert symbol != "." or length < 7
