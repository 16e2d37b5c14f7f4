"""The momentum explorer against the package's own running statistics, without a browser."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
def fresh(run, dataset):
    return lambda state: MomentumExplorer(run, dataset, state=state)


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


moves = st.fixed_dictionaries(
    {},
    optional={
        "momentum": st.sampled_from(MOMENTA),
        "unit": st.integers(0, 99),
        "average": st.sampled_from(["exponential", "cumulative"]),
        "track": st.sampled_from(["std", "variance"]),
        "convention": st.sampled_from(["PyTorch", "Keras"]),
    },
)


@given(st.lists(moves, min_size=1, max_size=4), st.booleans())
@settings(deadline=None, max_examples=5, suppress_health_check=list(HealthCheck))
def test_after_any_moves_it_equals_a_fresh_explorer(explorer, fresh, several, one_by_one):
    for move in several:
        if one_by_one:
            for name, value in move.items():
                explorer.controls[name].value = value
        else:
            explorer.state = move
    other = fresh(explorer.state)
    assert repr(explorer) == repr(other)
    assert explorer.text == other.text
    assert explorer._frames[explorer.index] == other._frames[other.index]
    assert len(explorer._frames[explorer.index][0]) <= 32 * 1024


def test_moving_the_momentum_draws_nothing_in_full(explorer):
    explorer.reset()
    draws = explorer.draws
    for momentum in MOMENTA[::10]:
        explorer.controls["momentum"].value = momentum
    assert explorer.draws == draws
    explorer.controls["unit"].value = 5
    assert explorer.draws == draws + 1


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


def test_repr_has_both_losses(explorer):
    explorer.reset()
    assert repr(explorer).endswith(
        f"running={explorer.numbers.running:.4f}, calibrated={explorer.calibrated:.4f})"
    )


@pytest.mark.parametrize("changes", [{"norm": None}, {"depth": 2}, {"steps": 1}])
def test_a_run_that_it_can_not_show_is_refused(dataset, changes):
    run = bn.train(dataset, replace(bn.Recipe(steps=5), **changes))
    with pytest.raises(ValueError, match=r"^run: expected one with one BatchNorm .*, got Run\("):
        MomentumExplorer(run, dataset)


def test_a_run_without_recorded_statistics_is_refused(dataset):
    run = bn.train(dataset, bn.Recipe(steps=5), record=None)
    with pytest.raises(ValueError, match=r"^run: expected one with one BatchNorm"):
        MomentumExplorer(run, dataset)
