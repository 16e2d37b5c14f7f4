"""The order of the examples, against batches that are read one by one."""

from dataclasses import replace

import numpy as np
import pytest
import reference
import torch

import bn_tutorial as bn
from bn_tutorial.explorers.order import PERCENT, OrderExplorer


@pytest.fixture(scope="module")
def run(dataset):
    return bn.train(dataset, bn.Recipe(steps=300), record=None)


@pytest.fixture(scope="module")
def shared(run, dataset):
    return OrderExplorer(run, dataset)


@pytest.fixture
def explorer(shared):
    shared.reset()
    return shared


def key_of(split, sorted_by):
    return split.targets if sorted_by == "target" else split.contexts[:, -1]


@pytest.mark.parametrize("sorted_by", ["target", "last symbol"])
def test_an_order_has_every_example_once_and_more_of_them_in_place(explorer, dataset, sorted_by):
    key, before = key_of(dataset.val, sorted_by), -1
    for percent in PERCENT:
        order = explorer.order(sorted_by, percent)
        assert order.sort().values.tolist() == [*range(len(dataset.val))]
        in_place = (order == key.argsort(stable=True)).float().mean().item()
        assert in_place >= percent / 100 - 0.001
        assert in_place > before
        before = in_place
    assert in_place == 1
    shuffled = key[explorer.order(sorted_by, 0)].reshape(8, 115).double().mean(dim=1)
    assert shuffled.std() < key.double().std() / 5


@pytest.mark.parametrize("sorted_by", ["target", "last symbol"])
@pytest.mark.parametrize("percent", [0, 35, 100])
def test_losses_are_those_of_each_batch_by_itself(explorer, run, dataset, sorted_by, percent):
    numbers = explorer.compute({"sorted_by": sorted_by, "percent": percent})
    order, stats = explorer.order(sorted_by, percent), bn.calibrate(run, dataset.train)
    for i, batch in enumerate(order.split(115)):
        own = reference.losses(run, dataset.val, batch, None).mean().item()
        fixed = reference.losses(run, dataset.val, batch, stats).mean().item()
        assert numbers.own[i] == pytest.approx(own, rel=1e-9)
        assert numbers.calibrated[i] == pytest.approx(fixed, rel=1e-9)
        symbols = key_of(dataset.val, sorted_by)[batch]
        assert numbers.symbols[i].tolist() == symbols.tolist()
    assert numbers.mean == pytest.approx(numbers.own.mean())
    assert numbers.curve[PERCENT.index(percent)] == pytest.approx(numbers.mean)
    assert numbers.calibrated.mean() == pytest.approx(explorer.level)
    assert explorer.level == pytest.approx(bn.evaluate(run, dataset.val, stats))


def test_sorting_costs_with_own_statistics_only(explorer):
    shuffled, in_order = (explorer.compute(explorer.state | {"percent": p}) for p in (0, 100))
    assert in_order.mean > shuffled.mean + 0.1
    assert in_order.calibrated.mean() == pytest.approx(shuffled.calibrated.mean())


def test_what_fills_no_batch_is_left_out(run, dataset):
    explorer = OrderExplorer(run, dataset, batch_size=200)
    assert explorer.numbers.symbols.shape == (4, 200)
    assert explorer.text.startswith("800 validation examples in batches of 200, 0% of them sorted")
    assert explorer.order("target", 100).sort().values.tolist() == [*range(800)]


def test_the_picture_shows_the_numbers(explorer):
    explorer.state = {"percent": 60, "sorted_by": "target"}
    numbers, (examples, each, mean) = explorer.numbers, explorer.figure.axes
    np.testing.assert_array_equal(explorer._image.get_array(), numbers.symbols)
    np.testing.assert_array_equal(explorer._own_marks.get_xdata(), numbers.own)
    np.testing.assert_array_equal(explorer._fixed_marks.get_xdata(), numbers.calibrated)
    assert explorer._own_marks.get_ydata().tolist() == [*range(8)]
    assert each.get_ylim() == examples.get_ylim()
    np.testing.assert_array_equal(explorer._curve.get_ydata(), numbers.curve)
    assert explorer._mark.get_xydata().tolist() == [[60, numbers.mean]]
    for losses in explorer.losses.values():
        assert each.get_xlim()[0] < losses.min() <= losses.max() < each.get_xlim()[1]
        assert mean.get_ylim()[0] < losses[0].mean() < mean.get_ylim()[1]
    assert mean.lines[1].get_ydata() == [explorer.level] * 2


def test_bad_input_is_refused(run, dataset):
    plain = bn.train(dataset, bn.Recipe(norm=None, steps=1))
    for bad in (plain, replace(run, loss=torch.tensor([1.0, float("nan")]))):
        with pytest.raises(ValueError, match=r"^run: expected one with batch norm, not diverged"):
            OrderExplorer(bad, dataset)
    most = dataset.val.contexts.unique(dim=0, return_counts=True)[1].max().item()
    for size in (most, len(dataset.val) + 1, 100.0):
        with pytest.raises(ValueError, match=rf"^batch_size: .* at least {most + 1} and at most"):
            OrderExplorer(run, dataset, batch_size=size)
    assert OrderExplorer(run, dataset, batch_size=most + 1).numbers.own.shape == (9,)
    with pytest.raises(TypeError, match=r"^dataset: "):
        OrderExplorer(run, None)
