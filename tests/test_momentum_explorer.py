"""The momentum explorer against the package's own running statistics, without a browser."""

import numpy as np
import pytest
import torch
from matplotlib.colors import same_color

import bn_tutorial as bn
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


# the picture


def test_the_picture_shows_the_numbers(explorer, run):
    explorer.state = explorer._start | {"momentum": 0.1, "unit": 3, "track": "variance"}
    numbers, steps = explorer.numbers, explorer._ends[1:]
    track, weights, losses, bars = explorer.figure.axes
    running, level = explorer._tracking.running, explorer._tracking.level
    np.testing.assert_array_equal(running.get_xydata(), np.stack([steps, numbers.tracked], 1))
    assert level.get_ydata()[0] == pytest.approx(explorer._calibrated.mean[0][3].item())
    assert running.get_linestyle() != level.get_linestyle()
    points = explorer._tracking.envelope.get_paths()[0].vertices[:, 1]
    batches = run.batch_mean[0][:, 3]
    ends = batches.min().item(), batches.max().item()
    assert (points.min(), points.max()) == pytest.approx(ends)
    shown, start = explorer._weights
    np.testing.assert_array_equal(shown.get_ydata(), numbers.weights)
    assert start.get_xydata().tolist() == [[STEPS, numbers.left]]
    assert (weights.get_xscale(), weights.get_yscale()) == ("log", "log")
    np.testing.assert_array_equal(losses.lines[0].get_ydata(), explorer.losses["variance"])
    assert explorer._mark.get_xydata().tolist() == [[0.1, numbers.running]]
    heights = [bar.get_height() for bar in bars.patches]
    assert heights == [numbers.running, explorer.calibrated]
    assert [label.get_text() for label in bars.get_xticklabels()] == ["running", "calibrated"]
    assert not same_color(*(bar.get_facecolor() for bar in bars.patches))
    legends = [text.get_text() for ax in (track, weights) for text in ax.get_legend().get_texts()]
    assert legends == ["batches", "running", "calibrated", "batch", "start value"]
    explorer.controls["average"].value = "cumulative"
    assert not len(explorer._mark.get_xdata())
