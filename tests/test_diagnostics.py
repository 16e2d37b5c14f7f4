import math

import pytest
import reference
import torch
from reference import assert_same_snapshot

import bn_tutorial as bn

SMALL = {"hidden": 10, "batch_size": 8, "eps": 1e-5, "dtype": "float64"}
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def batch(dataset):
    return dataset.val.contexts[:12], dataset.val.targets[:12]


ACTIVATIONS = torch.tensor(
    [
        [0.98, -0.99, 0.99, 0.10, 0.97],
        [0.98, +0.99, 0.50, -0.20, 0.97],
        [-1.0, -0.50, 0.00, 0.30, 0.97],
        [0.98, -0.99, 0.00, 0.96, 0.97],
    ]
)


def test_saturation_is_the_share_of_examples_beyond_the_threshold():
    assert bn.saturation(ACTIVATIONS).tolist() == [1.0, 0.75, 0.25, 0.0, 0.0]
    assert bn.saturation(ACTIVATIONS, threshold=0.9).tolist() == [1.0, 0.75, 0.25, 0.25, 1.0]


def test_dead_units_are_those_that_every_example_saturates():
    assert bn.dead_units(ACTIVATIONS) == 1
    assert bn.dead_units(ACTIVATIONS, threshold=0.9) == 2
    assert bn.dead_units(ACTIVATIONS, threshold=0.999) == 0


def test_smooth_averages_windows_and_leaves_out_the_rest():
    steps, means = bn.smooth(torch.tensor([1.0, 2.0, 6.0, 4.0, 4.0, 7.0, 100.0]), 3)
    assert steps.tolist() == [1.0, 4.0]
    assert means.tolist() == [3.0, 5.0]


def test_smooth_with_a_window_of_one_changes_nothing():
    loss = torch.tensor([3.0, 1.0, 2.0])
    steps, means = bn.smooth(loss, 1)
    assert steps.tolist() == [0, 1, 2]
    assert torch.equal(means, loss)


def test_smooth_of_less_than_a_window_is_empty():
    assert [len(part) for part in bn.smooth(torch.ones(4), 5)] == [0, 0]


def snapshot(**fields):
    empty = {key: {} for key in ["outputs", "output_gradients", "parameters", "gradients"]}
    return bn.Snapshot(**({"step": 3, "loss": 2.0} | empty | fields))


def test_gradient_flow_is_the_standard_deviation_layer_by_layer():
    gradients = {"output": torch.tensor([[3.0, -3.0]]), "tanh.0": torch.tensor([[1.0], [2.0]])}
    outputs = {"tanh.0": torch.zeros(2, 1), "output": torch.zeros(1, 2)}
    flow = bn.gradient_flow(snapshot(outputs=outputs, output_gradients=gradients))
    assert list(flow) == ["tanh.0", "output"]  # from the input side to the loss
    assert flow == pytest.approx({"tanh.0": math.sqrt(0.5), "output": math.sqrt(18)})


def test_gradient_flow_of_vanishing_gradients_is_not_rounded():
    tiny = {"tanh.0": torch.tensor([[1e-30], [3e-30]])}
    flow = bn.gradient_flow(snapshot(outputs=tiny, output_gradients=tiny))
    expected = tiny["tanh.0"].double().std().item()
    assert flow["tanh.0"] == pytest.approx(expected, rel=1e-14, abs=0)
    assert expected == pytest.approx(math.sqrt(2) * 1e-30, rel=1e-6, abs=0)


def test_update_to_data_is_a_power_of_ten_for_each_matrix():
    weight = torch.tensor([[1.0, -1.0], [2.0, 4.0]])
    data = {"embedding": weight, "hidden.0.bias": torch.ones(2), "output.weight": 10 * weight}
    gradients = {"embedding": weight, "hidden.0.bias": torch.ones(2), "output.weight": -weight}
    ratios = bn.update_to_data(snapshot(parameters=data, gradients=gradients), learning_rate=0.01)
    assert ratios == pytest.approx({"embedding": -2.0, "output.weight": -3.0})


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_probe_equals_autograd(dataset, batch, norm, depth):
    run = bn.train(dataset, bn.Recipe(norm=norm, depth=depth, steps=20, **SMALL))
    snapshot = bn.probe(run, *batch)
    assert_same_snapshot(snapshot, reference.of_run(run, *batch))
    assert snapshot.step == 20
    assert repr(snapshot) == f"Snapshot(step 20, loss {snapshot.loss:.4f})"


@pytest.mark.parametrize("depth", [1, 3])
def test_probe_with_statistics_equals_autograd(dataset, batch, depth):
    run = bn.train(dataset, bn.Recipe(depth=depth, steps=20, **SMALL))
    stats = bn.calibrate(run, dataset.train)
    assert_same_snapshot(bn.probe(run, *batch, stats), reference.of_run(run, *batch, stats))


def test_probe_with_statistics_takes_a_single_example(dataset, batch):
    run = bn.train(dataset, bn.Recipe(steps=5, **SMALL))
    stats = bn.calibrate(run, dataset.train)
    one = batch[0][:1], batch[1][:1]
    assert_same_snapshot(bn.probe(run, *one, stats), reference.of_run(run, *one, stats))


def test_probe_leaves_the_run_alone(dataset, batch):
    run = bn.train(dataset, bn.Recipe(steps=5, **SMALL))
    before = {name: tensor.clone() for name, tensor in run.parameters.items()}
    snapshot = bn.probe(run, *batch)
    for tensor in snapshot.parameters.values():
        tensor.zero_()
    assert all(torch.equal(run.parameters[name], before[name]) for name in before)


@pytest.mark.parametrize("size", [8, 12])  # with the size of the batches, buffers are used again
def test_snapshots_of_a_training_show_it_before_their_steps(dataset, size):
    recipe = bn.Recipe(norm="batch", depth=2, steps=8, **SMALL)
    run = bn.train(dataset, recipe, record=bn.Record(snapshots=[0, 5], probe=size))
    assert [snapshot.step for snapshot in run.snapshots] == [0, 5]
    fixed = reference.probe(dataset, size)
    for snapshot in run.snapshots:
        early = bn.train(dataset, bn.Recipe(norm="batch", depth=2, steps=snapshot.step, **SMALL))
        assert_same_snapshot(snapshot, reference.of_run(early, *fixed))
