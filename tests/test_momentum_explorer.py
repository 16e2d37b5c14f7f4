"""The momentum explorer against the package's own running statistics, without a browser."""

import numpy as np
import pytest
import torch
from matplotlib.colors import same_color

import bn_tutorial as bn
from bn_tutorial.explorers._momentum_panels import plot_bars, plot_tracking, plot_weights
from bn_tutorial.explorers.momentum import MOMENTA, MomentumExplorer

STEPS = 700


@pytest.fixture(scope="module")
def run(dataset):
    return bn.train(dataset, bn.Recipe(steps=STEPS, hidden_bias=False))


@pytest.fixture(scope="module")
def explorer(run, dataset):
    return MomentumExplorer(run, dataset)


@pytest.fixture(scope="module")
def start(explorer):
    return explorer.state


@pytest.mark.parametrize("track", ["std", "variance"])
@pytest.mark.parametrize("momentum", [1.0, 0.5, 0.1, 0.00123, 1e-5, None])
def test_losses_are_those_of_the_running_statistics(explorer, run, dataset, start, momentum, track):
    average = "cumulative" if momentum is None else "exponential"
    state = start | {"momentum": momentum, "average": average, "track": track}
    numbers = explorer.compute(state)
    expected = bn.running_statistics(run, momentum, track=track)
    torch.testing.assert_close(numbers.statistics.mean[0].float(), expected.mean[0])
    torch.testing.assert_close(numbers.statistics.std[0].float(), expected.std[0])
    assert numbers.running == pytest.approx(bn.evaluate(run, dataset.val, expected), abs=1e-6)


def test_the_running_variance_is_the_packages_with_either_correction(dataset):
    run = bn.train(dataset, bn.Recipe(steps=20, batch_size=4, correction=0, eps=1e-5))
    explorer = MomentumExplorer(run, dataset, state={"track": "variance", "momentum": 0.1})
    expected = bn.running_statistics(run, 0.1, track="variance")
    torch.testing.assert_close(explorer.numbers.statistics.std[0].float(), expected.std[0])


@pytest.mark.parametrize("unit", [0, 99])
@pytest.mark.parametrize("momentum", [1.0, 0.1, 1e-5, None])
def test_the_tracked_mean_is_that_of_the_loop(explorer, run, start, momentum, unit):
    average = "cumulative" if momentum is None else "exponential"
    state = start | {"momentum": momentum, "average": average, "unit": unit}
    numbers = explorer.compute(state)
    running, expected = 0.0, []
    for step, batch in enumerate(run.batch_mean[0][:, unit].tolist(), start=1):
        m = 1 / step if momentum is None else momentum
        running = (1 - m) * running + m * batch
        expected.append(running)
    at = explorer._ends[1:] - 1
    assert at[-1] == STEPS - 1
    np.testing.assert_allclose(numbers.tracked, np.array(expected)[at], rtol=1e-9)


@pytest.mark.parametrize("momentum", [1.0, 0.1, 1e-5])
def test_weights_are_the_kernel_and_what_is_left(explorer, start, momentum):
    numbers = explorer.compute(start | {"momentum": momentum})
    ago = np.array(explorer._shown)
    assert (ago[0], ago[-1]) == (0, STEPS - 1)
    np.testing.assert_allclose(numbers.weights, momentum * (1 - momentum) ** ago)
    assert numbers.left == pytest.approx((1 - momentum) ** STEPS)


@pytest.mark.parametrize("track", ["std", "variance"])
def test_the_curve_over_all_momenta_agrees_with_each_of_them(explorer, start, track):
    for i in (0, 7, 36, 60):
        numbers = explorer.compute(start | {"momentum": MOMENTA[i], "track": track})
        assert explorer.losses[track][i] == pytest.approx(numbers.running, abs=1e-9)


def test_calibrated_is_what_the_package_says(explorer, run, dataset):
    stats = bn.calibrate(run, dataset.train)
    assert explorer.calibrated == pytest.approx(bn.evaluate(run, dataset.val, stats))


def test_the_slider_reaches_the_momenta_that_the_course_talks_of():
    assert (MOMENTA[0], MOMENTA[-1], len(MOMENTA)) == (1.0, 1e-5, 61)
    assert {0.1, 0.01, 0.001, 0.0001} <= set(MOMENTA)


def test_the_text_speaks_both_conventions(explorer):
    explorer.reset()
    assert explorer.text.startswith("Momentum 0.001 (0.999 in Keras): ")
    explorer.controls["convention"].value = "Keras"
    assert explorer.text.startswith("Keras's momentum 0.999 (0.001 in PyTorch): ")
    assert explorer.controls["momentum"].label == "0.999"
    assert explorer.state["momentum"] == 0.001
    explorer.reset()
    assert explorer.controls["momentum"].label == "0.001"


def test_the_cumulative_average_needs_no_momentum(explorer):
    explorer.reset()
    explorer.controls["average"].value = "cumulative"
    assert explorer.controls["momentum"].disabled
    assert explorer.text.startswith("momentum=None: all 700 batches weigh the same.")
    explorer.reset()
    assert not explorer.controls["momentum"].disabled


# pictures


def test_tracking_shows_the_range_of_the_batches_the_running_value_and_the_level(ax):
    envelope, running, level = plot_tracking(ax, [1, 2], [[0, 1], [2, 3]], [1, 2], 1.5)
    assert {tuple(point) for point in envelope.get_paths()[0].vertices} == {
        *((1, 0), (2, 1), (1, 2), (2, 3))
    }
    assert running.get_xydata().tolist() == [[1, 1], [2, 2]]
    assert level.get_ydata() == [1.5, 1.5]
    assert running.get_linestyle() != level.get_linestyle()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "batches",
        "running",
        "calibrated",
    ]


def test_weights_stand_on_logarithmic_axes_and_the_start_value_at_the_oldest_batch(ax):
    batches, start = plot_weights(ax, [1, 10], [0.1, 0.01], 0.5)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert batches.get_xydata().tolist() == [[1, 0.1], [10, 0.01]]
    assert start.get_xydata().tolist() == [[10, 0.5]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["batch", "start value"]


def test_bars_have_their_names_and_differ_in_colour(ax):
    bars = plot_bars(ax, {"one": 1.0, "two": 2.0}, "loss (nats)")
    assert [bar.get_height() for bar in bars] == [1.0, 2.0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["one", "two"]
    assert not same_color(*(bar.get_facecolor() for bar in bars))
    assert ax.get_ylabel() == "loss (nats)"
