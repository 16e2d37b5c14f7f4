"""One batch's weight in the running mean, against a loop over the batches."""

import numpy as np
import pytest
import torch

import bn_tutorial as bn
from bn_tutorial.explorers.weight import COUNT, MOMENTA, WeightExplorer


@pytest.fixture(scope="module")
def run(dataset):
    return bn.train(dataset, bn.Recipe(steps=80, hidden=10))


@pytest.fixture(scope="module")
def shared(run):
    return WeightExplorer(run, unit=4)


@pytest.fixture
def explorer(shared):
    shared.reset()
    return shared


def loop(means, momentum):
    """Run the rule of the running mean, step by step: list of floats."""
    running, after = 0.0, []
    for mean in means:
        running = (1 - momentum) * running + momentum * mean
        after.append(running)
    return after


@pytest.mark.parametrize("momentum", MOMENTA)
@pytest.mark.parametrize(("batch", "moved"), [(1, 5.0), (10, -2.25), (COUNT, 0.25)])
def test_numbers_are_those_of_the_loop(explorer, run, momentum, batch, moved):
    numbers = explorer.compute({"batch": batch, "moved": moved, "momentum": momentum})
    means = run.batch_mean[0][:COUNT, 4].double().numpy()
    np.testing.assert_allclose(numbers.unmoved, loop(means, momentum), atol=1e-12)
    means[batch - 1] += moved
    np.testing.assert_array_equal(numbers.means, means)
    np.testing.assert_allclose(numbers.running, loop(means, momentum), atol=1e-12)
    only = np.zeros(COUNT)
    only[batch - 1] = 1
    np.testing.assert_allclose(numbers.weights, loop(only, momentum), atol=1e-15)


def test_the_last_running_mean_is_the_package_s(run, dataset):
    short = bn.train(dataset, bn.Recipe(steps=COUNT, hidden=10))
    explorer = WeightExplorer(short, unit=4)
    expected = bn.running_statistics(short, 0.1).mean[0][4].item()
    assert explorer.numbers.running[-1] == pytest.approx(expected, abs=1e-6)


def test_the_picture_shows_the_numbers(explorer):
    explorer.state = {"batch": 20, "moved": -4.0, "momentum": 0.3}
    numbers = explorer.numbers
    for artist, values in (
        (explorer._dots, numbers.means),
        (explorer._unmoved, numbers.unmoved),
        (explorer._running, numbers.running),
    ):
        np.testing.assert_array_equal(artist.get_ydata(), values)
    assert explorer._picked.get_xydata().tolist() == [[20, numbers.means[19]]]
    np.testing.assert_array_equal(explorer._bars.get_data().values, numbers.weights)
    np.testing.assert_array_equal(explorer._glow.get_offsets()[:, 1], numbers.running)
    glow = explorer._glow.get_alpha()
    assert glow[19] == glow.max() == 1
    assert not glow[:19].any()
    assert (np.diff(glow[19:]) < 0).all()


def test_a_click_moves_a_batch_there(explorer):
    at = explorer._means[29] + 2.6
    explorer.clicked(*explorer._upper.transData.transform((30.3, at)))
    assert explorer.state["batch"] == 30
    assert explorer.state["moved"] == 2.5
    explorer.clicked(*explorer._upper.transData.transform((60.9, explorer._means[-1])))
    assert explorer.state["batch"] == COUNT
    assert explorer.state["moved"] == 0


def test_the_text_says_what_is_left(explorer):
    assert explorer.text == (
        "Momentum 0.1: batch 10 weighs 0.1 at its own step, half as much every 6.6 steps, "
        "0.00052 after step 60."
    )
    explorer.state = {"moved": 5.0}
    assert explorer.text.endswith(
        " Moved by +5 it moves the running mean by +0.50 at once and by +0.0026 in the end."
    )
    explorer.state = {"moved": 0.0, "momentum": 1.0, "batch": COUNT}
    assert explorer.text == "Momentum 1: batch 60 weighs 1 at its own step, then 0."


def test_bad_input_is_refused(run, dataset):
    for recipe, record in ((bn.Recipe(norm=None, steps=3), None), (bn.Recipe(steps=3), None)):
        with pytest.raises(ValueError, match=r"^run: expected one with batch norm and the stat"):
            WeightExplorer(bn.train(dataset, recipe, record=record))
    with pytest.raises(ValueError, match=r"^run: expected one with batch norm and the stat"):
        WeightExplorer(bn.train(dataset, bn.Recipe(steps=1)))
    with pytest.raises(ValueError, match=r"^unit: .* at least 0 and at most 9"):
        WeightExplorer(run, unit=10)
    with pytest.raises(TypeError, match=r"^run: "):
        WeightExplorer(torch.zeros(3))
    assert WeightExplorer(bn.train(dataset, bn.Recipe(steps=2))).state["batch"] == 2
