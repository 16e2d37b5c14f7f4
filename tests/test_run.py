"""What comes of a training: a run that diverged, what is recorded, and the run itself."""

import pickle
import random
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import reference
import torch
from reference import assert_same_run

import bn_tutorial as bn
from bn_tutorial.network import Network

pytestmark = pytest.mark.usefixtures("one_thread")


def tensors_of(run):
    yield run.loss
    yield from run.parameters.values()
    yield from [*(run.batch_mean or []), *(run.batch_std or [])]
    for snapshot in run.snapshots:
        for kept in vars(snapshot).values():
            yield from kept.values() if isinstance(kept, dict) else []


# divergence

ABSURD = {
    "plain, rate": {"norm": None, "learning_rate": 3e38},
    "plain, output gain": {"norm": None, "output_gain": 3e38},
    "batch norm, rate": {"learning_rate": 1e30},
    "layer norm, rate": {"norm": "layer", "learning_rate": 1e30},
    "late": {"norm": None, "learning_rate": bn.StepDecay(0.1, 3e38, at=100)},
}


@pytest.mark.parametrize("fields", ABSURD.values(), ids=ABSURD)
def test_a_run_ends_with_its_first_loss_that_is_not_finite(dataset, fields):
    recipe = bn.Recipe(steps=150, **fields)
    plain, *_ = reference.train(dataset, recipe)
    run = bn.train(dataset, recipe)
    finite = plain.isfinite()
    assert run.diverged_at == int(finite.logical_not().nonzero()[0])
    assert len(run.loss) == run.diverged_at + 1
    assert run.loss.isfinite().tolist() == finite[: len(run.loss)].tolist()
    torch.testing.assert_close(run.loss[:-1], plain[: run.diverged_at], atol=1e-4, rtol=1e-4)
    assert "diverged" in repr(run)


def test_a_run_with_finite_losses_has_not_diverged(dataset):
    run = bn.train(dataset, bn.Recipe(norm=None, learning_rate=1e5, steps=100))
    assert run.loss.max() > 1e5
    assert run.diverged_at is None
    assert "diverged" not in repr(run)


@pytest.mark.parametrize(("dtype", "absurd"), [("float32", 3e38), ("float64", 1e308)])
@pytest.mark.parametrize("norm", [None, "batch"])
def test_a_diverged_run_leaves_its_neighbours_alone(dataset, norm, dtype, absurd):
    recipe = bn.Recipe(norm=norm, steps=300, dtype=dtype)
    late = bn.StepDecay(0.1, absurd, at=200)
    record = bn.Record(statistics=True, snapshots=[0, 150, 299])
    rates = [0.1, absurd, late, 1.0]
    runs = bn.sweep(dataset, recipe, record=record, seed=[1, 2], learning_rate=rates)
    assert [run.recipe.learning_rate for run in runs] == rates * 2
    assert [run.diverged_at is None for run in runs] == [True, False, False, True] * 2
    for run in runs:
        alone = bn.train(dataset, run.recipe, record=record)
        if run.diverged_at is not None:  # its last parameters mean nothing
            alone.parameters.update(run.parameters)
        assert_same_run(run, alone, atol=1e-5 if dtype == "float32" else 1e-12)


@pytest.fixture
def steps_asked(monkeypatch):
    """How many steps each call of the compiled loop was to make, with the learning rate."""
    asked, train = [], Network.train

    def counted(network, contexts, targets, batches, rates, **options):
        asked.append((rates[0], len(batches)))
        return train(network, contexts, targets, batches, rates, **options)

    monkeypatch.setattr(Network, "train", counted)
    return asked


def test_a_diverged_run_soon_stops_costing_time(dataset, steps_asked):
    recipe = bn.Recipe(norm=None, steps=1_000)
    bn.sweep(dataset, recipe, learning_rate=[0.1, 3e38, 0.3])
    counts = {rate: sum(n for r, n in steps_asked if r == rate) for rate in (0.1, 3e38, 0.3)}
    assert (counts[0.1], counts[0.3]) == (1_000, 1_000)
    assert counts[3e38] <= 256


def test_all_runs_may_diverge(dataset, steps_asked):
    recipe = bn.Recipe(norm=None, steps=1_000)
    gains = [1e38, 2e38, 3e38]
    runs = bn.sweep(dataset, recipe, output_gain=gains)
    assert [run.recipe.output_gain for run in runs] == gains
    assert [run.diverged_at for run in runs] == [0, 0, 0]
    assert sum(n for _, n in steps_asked) <= 3 * 256


def test_what_is_recorded_of_a_diverged_run_ends_where_it_diverged(dataset):
    recipe = bn.Recipe(steps=300, learning_rate=bn.StepDecay(0.1, 1e30, at=10))
    record = bn.Record(statistics=True, snapshots=range(0, 300, 2))
    run = bn.train(dataset, recipe, record=record)
    assert run.diverged_at == 11
    assert [len(kept) for kept in (run.loss, *run.batch_mean, *run.batch_std)] == [12, 12, 12]
    assert [snapshot.step for snapshot in run.snapshots] == [0, 2, 4, 6, 8, 10]
    assert torch.isfinite(run.batch_std[0][:11]).all()


@pytest.mark.parametrize("rate", [1e39, bn.StepDecay(0.1, 1e39, at=5)], ids=repr)
def test_a_rate_too_large_for_float32_is_refused(dataset, rate):
    with pytest.raises(
        ValueError,
        match=r"^learning_rate: .* torch.float32 can hold, got 1e\+39",
    ):
        bn.train(dataset, bn.Recipe(steps=10, learning_rate=rate))
    assert len(bn.train(dataset, bn.Recipe(steps=10, learning_rate=rate, dtype="float64")).loss)


# what is recorded


@pytest.mark.parametrize("fields", [{}, {"correction": 0, "eps": 0.1}], ids=["seed", "eps"])
def test_recorded_statistics_are_those_of_the_batches(dataset, fields):
    recipe = bn.Recipe(depth=2, steps=100, dtype=torch.float64, **fields)
    run = bn.train(dataset, recipe)
    _, _, mean, std = reference.train(dataset, recipe)
    torch.testing.assert_close(run.batch_mean, list(mean), atol=1e-10, rtol=0)
    torch.testing.assert_close(run.batch_std, list(std), atol=1e-10, rtol=0)


@pytest.mark.parametrize("norm", [None, "layer"])
def test_without_batch_norm_there_are_no_statistics(dataset, norm):
    run = bn.train(dataset, bn.Recipe(norm=norm, steps=2), record="statistics")
    assert run.batch_mean is None
    assert run.batch_std is None


def test_statistics_are_recorded_by_train_and_not_by_sweep(dataset):
    recipe = bn.Recipe(steps=2)
    assert bn.train(dataset, recipe).batch_mean is not None
    assert bn.train(dataset, recipe, record=None).batch_mean is None
    assert bn.sweep(dataset, recipe, seed=[1])[0].batch_mean is None
    assert bn.sweep(dataset, recipe, seed=[1])[0].batch_std is None
    assert bn.sweep(dataset, recipe, seed=[1], record="statistics")[0].batch_mean is not None


@pytest.mark.parametrize("size", [64, 256], ids=["a batch", "more"])
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_a_snapshot_agrees_with_autograd(dataset, norm, size):
    recipe = bn.Recipe(norm=norm, depth=2, steps=70, dtype=torch.float64)
    record = bn.Record(snapshots=[0, 67], probe=size)
    *_, snapshot = bn.train(dataset, recipe, record=record).snapshots
    assert snapshot.step == 67
    before = bn.train(dataset, replace(recipe, steps=67)).parameters
    torch.testing.assert_close(snapshot.parameters, before, atol=0, rtol=0)

    expected = reference.there_and_back(recipe, before, *reference.probe(dataset, size))
    reference.assert_same_snapshot(snapshot, expected)


def test_snapshots_are_taken_where_asked_and_change_nothing(dataset):
    recipe, steps = bn.Recipe(depth=2, steps=130), [0, 1, 63, 64, 129]
    record = bn.Record(statistics=True, snapshots=steps)
    runs = bn.sweep(dataset, recipe, seed=[1, 2], record=record)
    without = bn.sweep(dataset, recipe, seed=[1, 2], record="statistics")
    for run, other in zip(runs, without, strict=True):
        assert [snapshot.step for snapshot in run.snapshots] == steps
        run.snapshots.clear()
        assert_same_run(run, other)


@pytest.mark.parametrize("probe", [2, 100, 10**6])
def test_the_probe_is_taken_at_equal_distances_from_the_training_split(dataset, probe):
    record = bn.Record(snapshots=[0], probe=probe)
    run = bn.train(dataset, bn.Recipe(steps=1), record=record)
    contexts = dataset.train.contexts
    chosen = np.linspace(0, len(contexts) - 1, min(probe, len(contexts))).astype(int)
    (snapshot,) = run.snapshots
    expected = snapshot.parameters["embedding"][contexts[chosen]].flatten(1)
    torch.testing.assert_close(snapshot.outputs["embedding"], expected, atol=0, rtol=0)
    assert {len(y) for y in snapshot.outputs.values()} == {len(chosen)}


@pytest.mark.parametrize("record", ["snapshots", "", True, False, 10, ["statistics"]])
def test_a_record_that_is_none_is_refused(dataset, record):
    with pytest.raises(ValueError, match=r"record: expected .* got "):
        bn.train(dataset, bn.Recipe(steps=1), record=record)


# the run itself


def test_an_empty_training_split_is_refused(dataset):
    empty = bn.Split((), dataset.train.contexts[:0], dataset.train.targets[:0])
    with pytest.raises(ValueError, match="got an empty training split"):
        bn.train(replace(dataset, train=empty), bn.Recipe(steps=1))


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_no_steps_give_the_initial_parameters_and_no_loss(dataset, norm):
    recipe = bn.Recipe(norm=norm, steps=0, depth=2, hidden_gain=0.3, output_gain=0.1)
    run = bn.train(dataset, recipe)
    initial = reference.draw(recipe)
    torch.testing.assert_close(run.parameters, initial, atol=0, rtol=0)
    assert list(run.parameters) == list(initial)
    assert run.loss.shape == (0,)
    assert run.diverged_at is None
    if norm == "batch":
        assert [mean.shape for mean in run.batch_mean] == [(0, 100), (0, 100)]


RUNS = {
    "batch norm": bn.Recipe(steps=5, depth=2),
    "plain": bn.Recipe(steps=5, norm=None, learning_rate=0.1),
    "diverged": bn.Recipe(steps=5, learning_rate=1e30),
    "no steps": bn.Recipe(steps=0),
}


@pytest.fixture(params=RUNS.values(), ids=RUNS)
def recorded(request, dataset):
    record = bn.Record(statistics=True, snapshots=[0] if request.param.steps else [])
    return bn.train(dataset, request.param, record=record)


def test_runs_survive_pickling(recorded):
    assert_same_run(pickle.loads(pickle.dumps(recorded)), recorded)


def test_the_repr_of_a_run_is_one_short_line(recorded):
    for text in [repr(recorded), *map(repr, recorded.snapshots)]:
        assert len(text.splitlines()) == 1
        assert len(text) < 80
        assert "tensor" not in text
    assert f"{len(recorded.loss)} of {recorded.recipe.steps} steps" in repr(recorded)


def test_nothing_in_a_run_requires_a_gradient(recorded):
    assert not any(tensor.requires_grad for tensor in tensors_of(recorded))


@pytest.mark.parametrize(
    "fields",
    [{"norm": None, "hidden": 500, "steps": 1}, {"steps": 5_000, "learning_rate": 1e30}],
    ids=["snapshot", "diverged"],
)
def test_a_run_keeps_no_more_memory_than_its_tensors_take(dataset, fields):
    """No array that something else of the training shares, and none of steps not made."""
    bn.train(dataset, bn.Recipe(steps=1))  # what is imported and compiled stays too
    record = bn.Record(statistics=True, snapshots=[0])
    tracemalloc.start()
    try:
        run = bn.train(dataset, bn.Recipe(**fields), record=record)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1.05 * sum(tensor.nbytes for tensor in tensors_of(run))


def test_global_random_generators_are_left_alone(dataset):
    def states():
        return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    before = states()
    run = bn.train(dataset, bn.Recipe(steps=5))
    bn.sweep(dataset, bn.Recipe(steps=5), seed=[1, 2])
    stats = bn.calibrate(run, dataset.train)
    bn.evaluate(run, dataset.val, stats)
    bn.sample_words(run, dataset.vocabulary, stats, n=3)
    assert states() == before
