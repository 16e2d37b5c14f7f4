"""The momentum explorer against the package's own running statistics, without a browser."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.colors import same_color

import bn_tutorial as bn
from bn_tutorial.explorers.momentum import LIGHTEST, MOMENTA, MomentumExplorer

STEPS = 700


@pytest.fixture(scope="module")
def run(dataset):
    return bn.train(dataset, bn.Recipe(steps=STEPS, hidden_bias=False))


@pytest.fixture(scope="module")
def shared(run, dataset):
    return MomentumExplorer(run, dataset)


@pytest.fixture
def explorer(shared):
    shared.reset()
    return shared


def state_with(explorer, momentum, **others):
    average = "cumulative" if momentum is None else "exponential"
    return explorer.state | {"momentum": momentum, "average": average} | others


def test_a_start_value_below_the_axis_is_a_mark_at_its_edge(explorer):
    for momentum, mark in ((0.1, "v"), (1e-5, "s")):
        explorer.state = state_with(explorer, momentum)
        start = explorer._start_weight
        assert start.get_marker() == mark
        assert start.get_ydata()[0] == pytest.approx(
            max(LIGHTEST, (1 - momentum) ** STEPS), rel=0.1
        )


@pytest.mark.parametrize("track", ["std", "variance"])
@pytest.mark.parametrize("momentum", [1.0, 0.5, 0.1, 0.00123, 1e-5, None])
def test_losses_are_those_of_the_running_statistics(explorer, run, dataset, momentum, track):
    numbers = explorer.compute(state_with(explorer, momentum, track=track))
    expected = bn.running_statistics(run, momentum, track=track)
    torch.testing.assert_close(numbers.statistics.mean, expected.mean)
    torch.testing.assert_close(numbers.statistics.std, expected.std)
    assert numbers.running == pytest.approx(bn.evaluate(run, dataset.val, expected), abs=1e-6)


@pytest.mark.parametrize("track", ["std", "variance"])
def test_the_curve_over_all_momenta_agrees_with_each_of_them(explorer, track):
    for i in (0, 7, 36, 60):
        numbers = explorer.compute(state_with(explorer, MOMENTA[i], track=track))
        assert explorer.losses[track][i] == pytest.approx(numbers.running, abs=1e-7)


@pytest.mark.parametrize("unit", [0, 99])
@pytest.mark.parametrize("momentum", [1.0, 0.1, 1e-5, None])
def test_the_tracked_mean_is_that_of_the_loop(explorer, run, momentum, unit):
    numbers = explorer.compute(state_with(explorer, momentum, unit=unit))
    running, expected = 0.0, []
    for step, batch in enumerate(run.batch_mean[0][:, unit].tolist(), start=1):
        m = 1 / step if momentum is None else momentum
        running = (1 - m) * running + m * batch
        expected.append(running)
    at = explorer._ends[1:] - 1
    assert at[-1] == STEPS - 1
    np.testing.assert_allclose(numbers.tracked, np.array(expected)[at], rtol=1e-9)


@pytest.mark.parametrize("momentum", [1.0, 0.1, 1e-5])
def test_weights_are_the_kernel_and_what_is_left(explorer, momentum):
    numbers, ago = explorer.compute(state_with(explorer, momentum)), np.array(explorer._ago)
    assert (ago[0], ago[-1]) == (1, STEPS)
    np.testing.assert_allclose(numbers.weights, momentum * (1 - momentum) ** (ago - 1))
    assert numbers.left == pytest.approx((1 - momentum) ** STEPS)


def test_calibrated_is_what_the_package_says(explorer, run, dataset):
    stats = bn.calibrate(run, dataset.train)
    assert explorer.calibrated == pytest.approx(bn.evaluate(run, dataset.val, stats))


def test_the_slider_reaches_the_momenta_that_the_course_talks_of():
    assert (MOMENTA[0], MOMENTA[-1], len(MOMENTA)) == (1.0, 1e-5, 61)
    assert {0.1, 0.01, 0.001, 0.0001} <= set(MOMENTA)


def test_the_text_speaks_both_conventions(explorer):
    assert explorer.text.startswith("Momentum 0.001 (0.999 in Keras): ")
    explorer.controls["convention"].value = "Keras"
    assert explorer.text.startswith("Keras's momentum 0.999 (0.001 in PyTorch): ")
    assert explorer.controls["momentum"].label == "0.999"
    assert explorer.state["momentum"] == 0.001
    explorer.reset()
    assert explorer.controls["momentum"].label == "0.001"


def test_the_cumulative_average_needs_no_momentum(explorer):
    explorer.controls["average"].value = "cumulative"
    assert explorer.controls["momentum"].disabled
    assert explorer.text.startswith("momentum=None: all 700 batches weigh the same.")
    assert not len(explorer._mark.get_xdata())
    explorer.reset()
    assert not explorer.controls["momentum"].disabled


def test_the_picture_shows_the_numbers(explorer, run):
    explorer.state = {"momentum": 0.1, "unit": 3, "track": "variance"}
    numbers, steps = explorer.numbers, explorer._ends[1:]
    track, weights, losses, bars = explorer.figure.axes
    running, level = track.lines
    np.testing.assert_array_equal(running.get_xydata(), np.stack([steps, numbers.tracked], 1))
    assert level.get_ydata()[0] == pytest.approx(explorer._calibrated.mean[0][3].item())
    assert running.get_linestyle() != level.get_linestyle()
    points = track.collections[0].get_paths()[0].vertices[:, 1]
    batches = run.batch_mean[0][:, 3]
    ends = batches.min().item(), batches.max().item()
    assert (points.min(), points.max()) == pytest.approx(ends)
    shown, start = weights.lines
    np.testing.assert_array_equal(shown.get_xydata().T, [explorer._ago, numbers.weights])
    assert start.get_xydata().tolist() == [[STEPS, max(numbers.left, LIGHTEST)]]
    assert start.get_marker() == ("v" if numbers.left < LIGHTEST else "s")
    assert (weights.get_xscale(), weights.get_yscale()) == ("log", "log")
    np.testing.assert_array_equal(losses.lines[0].get_ydata(), explorer.losses["variance"])
    assert explorer._mark.get_xydata().tolist() == [[0.1, numbers.running]]
    heights = [bar.get_height() for bar in bars.patches]
    told = {text.get_position()[0]: text.get_text() for text in bars.texts}
    assert told == {x: f"{height:.4f}" for x, height in enumerate(heights)}
    assert heights == [numbers.running, explorer.calibrated]
    assert [label.get_text() for label in bars.get_xticklabels()] == ["running", "calibrated"]
    assert not same_color(*(bar.get_facecolor() for bar in bars.patches))
    legends = [text.get_text() for ax in (track, weights) for text in ax.get_legend().get_texts()]
    assert legends == ["batches", "running", "calibrated", "batch", "start value"]


def test_the_picture_stays_small_where_the_running_mean_is_the_last_batch_s(run, dataset):
    """Noise in some thousand steps, less in each block than in a long run: the most corners."""
    noise = torch.randn(1_000, 100, generator=torch.Generator().manual_seed(1))
    noisy = replace(run, loss=torch.zeros(1_000), batch_mean=[noise], batch_std=[1 + noise.abs()])
    explorer = MomentumExplorer(noisy, dataset, state={"momentum": 1.0})
    sizes = []
    for unit in range(0, 100, 20):
        explorer.state = {"unit": unit}
        sizes.append(len(explorer.picture.png))
    assert max(sizes) < 32 * 1024, sizes
