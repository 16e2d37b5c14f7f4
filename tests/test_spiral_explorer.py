"""A unit of two weights before a batch norm, against autograd and Pythagoras."""

import numpy as np
import pytest
import torch

from bn_tutorial.explorers.spiral import BATCH, LENGTHS, RATES, STEPS, SpiralExplorer


@pytest.fixture(scope="module")
def shared():
    return SpiralExplorer()


@pytest.fixture
def explorer(shared):
    shared.reset()
    return shared


@pytest.mark.parametrize("step", [0, 7, STEPS - 1])
def test_the_gradient_is_autograd_s(explorer, step):
    weights = torch.tensor([-0.3, 1.7], dtype=torch.float64, requires_grad=True)
    x, targets = (torch.from_numpy(a[step]) for a in (explorer.inputs, explorer.targets))
    assert x.shape == (BATCH, 2)
    pre = x @ weights
    y = (pre - pre.mean()) / pre.std(correction=0)
    ((y - targets) ** 2).mean().div(2).backward()
    gradient = explorer.gradient(step, weights.detach().numpy())
    np.testing.assert_allclose(gradient, weights.grad, rtol=1e-10)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("rate", [RATES[0], 0.32, RATES[-1]])
def test_every_step_is_sgd_s_and_at_a_right_angle(explorer, rate, length):
    numbers = explorer.compute({"learning_rate": rate, "length": length, "steps": 100})
    steps, weights = np.diff(numbers.weights, axis=0), numbers.weights[:-1]
    assert numbers.lengths[0] == pytest.approx(length)
    for number in (0, 1, STEPS - 1):
        gradient = explorer.gradient(number, weights[number])
        np.testing.assert_allclose(steps[number], -rate * gradient, atol=1e-12)
    sizes = np.linalg.norm(steps, axis=1)
    cosines = (steps * weights).sum(axis=1) / sizes / numbers.lengths[:-1]
    assert abs(cosines).max() < 1e-7
    grown = length**2 + np.cumsum(sizes**2)
    np.testing.assert_allclose(numbers.lengths[1:] ** 2, grown)
    assert numbers.stepped**2 == pytest.approx((sizes[:100] ** 2).sum())
    np.testing.assert_allclose(numbers.effective, rate / (numbers.weights**2).sum(axis=1))


def test_weights_c_times_as_long_turn_alike_at_c_squared_the_rate(explorer):
    one = explorer.compute(explorer.state | {"learning_rate": 0.16, "length": 1.0})
    two = explorer.compute(explorer.state | {"learning_rate": 0.64, "length": 2.0})
    np.testing.assert_allclose(two.weights, 2 * one.weights)
    np.testing.assert_allclose(two.effective, one.effective)
    assert two.turned == pytest.approx(one.turned)


def test_the_angle_is_that_between_start_and_end(explorer):
    for steps in (0, 10, 200):
        weights = explorer.compute(explorer.state | {"steps": steps}).weights[[0, steps]]
        (first, last) = np.degrees(np.arctan2(*weights.T[::-1]))
        turned = explorer.compute(explorer.state | {"steps": steps}).turned
        assert turned == pytest.approx(abs(first - last), abs=1e-5)


def test_the_picture_shows_the_numbers(explorer):
    explorer.state = {"learning_rate": 0.64, "length": 2.0, "steps": 7}
    numbers = explorer.numbers
    np.testing.assert_array_equal(explorer._way.get_xydata(), numbers.weights[:8])
    np.testing.assert_array_equal(explorer._last.get_xydata(), numbers.weights[6:8])
    np.testing.assert_array_equal(explorer._arrow.get_xydata(), [[0, 0], numbers.weights[7]])
    assert explorer._circle.radius == 2
    np.testing.assert_array_equal(explorer._length.get_ydata(), numbers.lengths[:8])
    np.testing.assert_array_equal(explorer._rate.get_ydata(), numbers.effective[:8])
    for rate in RATES:
        explorer.state = {"learning_rate": rate, "length": 0.25, "steps": 200}
        (left, right), (low, high) = explorer._plane.get_xlim(), explorer._plane.get_ylim()
        x, y = explorer.numbers.weights.T
        assert left < x.min() <= x.max() < right
        assert low < y.min() <= y.max() < high
        assert explorer._lengths.get_ylim()[1] > explorer.numbers.lengths.max()
        ends = explorer._rates.get_ylim()
        assert ends[0] < explorer.numbers.effective.min() <= explorer.numbers.effective[0] < ends[1]


def test_before_the_first_step_nothing_has_grown(explorer):
    explorer.state = {"steps": 0}
    assert explorer.numbers.stepped == explorer.numbers.turned == 0
    assert "√(1² + 0.00²) = 1.00; effective rate: 0.32 to 0.32; turned by 0°." in explorer.text
