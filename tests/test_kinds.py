"""What every public entrance says to an object of another kind, and to a senseless number."""

import math
from dataclasses import replace

import numpy as np
import pytest

import bn_tutorial as bn
from bn_tutorial import evaluation, explorers, training

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def names(dataset):
    """Give what the calls below name: dict of str to object."""
    recipe = bn.Recipe(steps=4, hidden=4, batch_size=4, eps=1e-5)
    run = bn.train(dataset, recipe, record=bn.Record(statistics=True, snapshots=[2]))
    plain = bn.train(dataset, bn.Recipe(norm=None, steps=4, hidden=4))
    return {
        "bn": bn,
        "np": np,
        "losses": evaluation.losses,
        "dataset": dataset,
        "other": bn.Dataset.from_words(["ox", "emu", "gnu", "boa", "asp", "yak", "newt"]),
        "recipe": recipe,
        "run": run,
        "runs": bn.sweep(dataset, recipe, learning_rate=[0.1, 1.0], norm=[None, "batch"]),
        "plain": plain,
        "diverged": bn.train(dataset, bn.Recipe(norm=None, steps=50, learning_rate=3e38)),
        "lost": replace(plain, parameters={k: p * math.nan for k, p in plain.parameters.items()}),
        "stats": bn.calibrate(run, dataset.train),
        "snapshot": run.snapshots[0],
        "contexts": dataset.val.contexts[:4],
        "targets": dataset.val.targets[:4],
    } | {name: getattr(explorers, name) for name in explorers.__all__}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("bn.train(dataset.train, recipe)", "dataset: expected a Dataset, got a Split"),
        ("bn.train(dataset, {})", "recipe: expected a Recipe, got a dict"),
        ("bn.train(recipe, dataset)", "dataset: expected a Dataset, got a Recipe"),
        ("bn.sweep(dataset, None, seed=[1])", "recipe: expected a Recipe, got None"),
        (
            "bn.sweep(dataset, recipe, seed=[1], executor=2)",
            "executor: expected an Executor or None, got an int",
        ),
        ("bn.Record(statistics='all')", "statistics: expected a bool, got a str"),
        ("bn.Record(snapshots=3)", "snapshots: expected an Iterable, got an int"),
        ("bn.calibrate(dataset, dataset.train)", "run: expected a Run, got a Dataset"),
        ("bn.calibrate(run, dataset)", "split: expected a Split, got a Dataset"),
        ("bn.evaluate([run], dataset.val, stats)", "run: expected a Run, got a list"),
        ("bn.evaluate(run, dataset, stats)", "split: expected a Split, got a Dataset"),
        ("bn.evaluate(run, dataset.val, (1, 2))", "statistics: expected a Statistics, got a tuple"),
        (
            "bn.evaluate(run, dataset.val, bn.Statistics(stats.mean, [np.ones(4)]))",
            "statistics.std: expected a Tensor, got an ndarray",
        ),
        ("bn.running_statistics(recipe)", "run: expected a Run, got a Recipe"),
        ("bn.logits(recipe, contexts, stats)", "run: expected a Run, got a Recipe"),
        ("bn.logits(run, contexts.numpy(), stats)", "contexts: expected a Tensor, got an ndarray"),
        ("losses(run, contexts, [1], stats)", "targets: expected a Tensor, got a list"),
        ("losses(run, contexts, targets, run)", "statistics: expected a Statistics, got a Run"),
        ("bn.probe(snapshot, contexts, targets)", "run: expected a Run, got a Snapshot"),
        ("bn.probe(run, dataset.val, targets)", "contexts: expected a Tensor, got a Split"),
        ("bn.probe(run, contexts, targets, 1)", "statistics: expected a Statistics, got an int"),
        ("bn.gradient_flow(run)", "snapshot: expected a Snapshot, got a Run"),
        ("bn.update_to_data(run, 0.1)", "snapshot: expected a Snapshot, got a Run"),
        ("bn.saturation(np.ones(2))", "activations: expected a Tensor, got an ndarray"),
        ("bn.dead_units(snapshot)", "activations: expected a Tensor, got a Snapshot"),
        ("bn.smooth(run, 2)", "loss: expected a Tensor, got a Run"),
        ("bn.sample_words(dataset, run)", "run: expected a Run, got a Dataset"),
        (
            "bn.sample_words(run, dataset, stats)",
            "vocabulary: expected a Vocabulary, got a Dataset",
        ),
        ("bn.ledger('01_x', None)", "models: expected a Mapping, got None"),
        ("MomentumExplorer(dataset, run)", "run: expected a Run, got a Dataset"),
        ("MomentumExplorer(run, dataset.val)", "dataset: expected a Dataset, got a Split"),
        ("CalibrationExplorer([run], dataset)", "run: expected a Run, got a list"),
        ("CalibrationExplorer(run, run)", "dataset: expected a Dataset, got a Run"),
        ("BatchMatesExplorer(None, dataset)", "run: expected a Run, got None"),
        ("BatchMatesExplorer(run, None)", "dataset: expected a Dataset, got None"),
        (
            "BatchMatesExplorer(run, dataset, examples=['inm'])",
            "examples: expected a Mapping, got a list",
        ),
        (
            "BatchMatesExplorer(run, dataset, examples={3: 'e'})",
            "examples: expected a str, got an int",
        ),
        (
            "BatchMatesExplorer(run, dataset, examples={'inm': 3})",
            "examples['inm']: expected a str, got an int",
        ),
        ("BatchSizeExplorer(run, dataset)", "runs: expected an Iterable, got a Run"),
        ("BatchSizeExplorer([[run]], dataset)", "runs: expected a Run, got a list"),
        ("BatchSizeExplorer(runs, None)", "dataset: expected a Dataset, got None"),
        ("LearningRateExplorer(runs)", "dataset: expected a Dataset, got a list"),
        ("LearningRateExplorer(dataset, run)", "runs: expected an Iterable, got a Run"),
        ("LearningRateExplorer(dataset, [recipe])", "runs: expected a Run, got a Recipe"),
        (
            "LearningRateExplorer(dataset, recipe={})",
            "recipe: expected a Recipe or None, got a dict",
        ),
        ("LearningRateExplorer(dataset, runs, state=0)", "state: expected a dict, got an int"),
        ("DepthExplorer(run)", "dataset: expected a Dataset, got a Run"),
        ("DepthExplorer(dataset, recipe=run)", "recipe: expected a Recipe or None, got a Run"),
        ("DepthExplorer(dataset, state=[])", "state: expected a dict, got a list"),
        ("ActivationExplorer({'plain': run})", "dataset: expected a Dataset, got a dict"),
        ("ActivationExplorer(dataset, [run])", "runs: expected a dict or None, got a list"),
        (
            "ActivationExplorer(dataset, {'plain': recipe})",
            "runs['plain']: expected a Run, got a Recipe",
        ),
        ("ActivationExplorer(dataset, recipe=1)", "recipe: expected a Recipe or None, got an int"),
    ],
)
def test_another_kind_of_object_is_named(names, call, message):
    with pytest.raises(TypeError) as caught:
        eval(call, names)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("bn.sweep(dataset, recipe, seed=b'ab')", r"seed: expected a list of values .*b'ab'$"),
        ("bn.sweep(dataset, recipe, norm='batch')", r"norm: expected a list of values .*'batch'$"),
        ("bn.sweep(dataset, recipe, seed=np.array(1))", r"seed: expected a list of values .*\(1\)"),
        ("bn.sweep(dataset, recipe, learning_rate=[])", r"learning_rate: expected a list .*\[\]$"),
        ("bn.sweep(dataset, recipe, seed=[], steps=[1])", r"seed: expected a list .*\[\]$"),
        ("bn.Record(snapshots=[-1])", "snapshots: expected an integer of at least 0, got -1$"),
        ("bn.Record(snapshots=[0.5])", r"snapshots: expected an integer .*, got 0\.5$"),
        ("bn.Record(snapshots='12')", "snapshots: expected an integer .*, got '1'$"),
        (
            "bn.train(dataset, recipe, record=bn.Record(snapshots=[4]))",
            r"record\.snapshots: expected steps below the recipe's 4, got 4$",
        ),
        ("bn.Record(probe=True)", "probe: expected an integer of at least 2 examples, got True$"),
        ("bn.running_statistics(run, 2)", "momentum: expected a finite number .* 1, got 2$"),
        ("bn.smooth(run.loss[None], 2)", r"loss: expected that of one run, \(steps,\), got \(1, 4"),
        ("bn.smooth(run.loss, 0)", "window: expected an integer of at least 1, got 0$"),
        ("bn.smooth(run.loss, 1.5)", r"window: expected an integer of at least 1, got 1\.5$"),
        ("bn.saturation(contexts, float('nan'))", "threshold: expected a finite number, got nan$"),
        ("bn.dead_units(contexts, None)", "threshold: expected a finite number, got None$"),
        ("bn.update_to_data(snapshot, -1)", "learning_rate: expected .* at least 0, got -1$"),
        (
            "bn.update_to_data(snapshot, recipe.learning_rate)",
            r"learning_rate: expected a finite number of at least 0, got StepDecay\(",
        ),
        (
            "bn.sample_words(diverged, dataset.vocabulary)",
            r"run: expected one that has not diverged, got Run\(.*, diverged\)$",
        ),
        (
            "bn.sample_words(lost, dataset.vocabulary)",
            r"run: expected one that has not diverged, got Run\(4 of 4 steps, ",
        ),
        ("bn.sample_words(plain, dataset.vocabulary, n=-1)", "n: expected an integer .* got -1$"),
        ("bn.sample_words(plain, dataset.vocabulary, n=2.0)", r"n: expected an integer .* 2\.0$"),
        ("bn.sample_words(plain, dataset.vocabulary, seed=None)", "seed: expected .* got None$"),
        ("bn.sample_words(plain, dataset.vocabulary, seed=2**64)", "seed: expected .* at most 184"),
        # of another vocabulary than the run's, or of another depth
        ("bn.evaluate(plain, bn.Split((), contexts + 28, targets))", "contexts: expected indices"),
        ("bn.probe(run, contexts[:1], targets[:1])", "contexts: expected at least 2 .* got 1$"),
        ("losses(run, contexts[:1], targets[:1])", "contexts: expected at least 2 .* got 1$"),
        ("losses(run, contexts[:, None], targets[:, None])", "contexts: expected at least 2 .* 1$"),
        ("losses(run, contexts + 28, targets)", "contexts: expected indices from 0 to 27, got "),
        ("losses(run, contexts, targets + 28)", "targets: expected indices from 0 to 27, got "),
        (
            "bn.logits(run, contexts, bn.Statistics(2 * stats.mean, 2 * stats.std))",
            r"statistics\.mean: expected shapes \[\(4,\)\], got \[\(4,\), \(4,\)\]$",
        ),
        (
            "bn.evaluate(bn.train(other, recipe), dataset.val, stats)",
            r"contexts: expected indices from 0 to \d+, got ",
        ),
        (
            "bn.calibrate(bn.train(other, recipe), dataset.train)",
            r"contexts: expected indices from 0 to \d+, got ",
        ),
    ],
)
def test_a_value_without_sense_is_named(names, call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        eval(call, names)


@pytest.mark.parametrize(
    ("call", "plainly"),
    [
        ("bn.Record(probe=np.int64(3), snapshots=np.arange(2))", "bn.Record(False, (0, 1), 3)"),
        (
            "bn.sample_words(plain, dataset.vocabulary, n=np.int8(3), seed=np.uint64(5))",
            "bn.sample_words(plain, dataset.vocabulary, n=3, seed=5)",
        ),
        ("repr(bn.smooth(run.loss, np.int64(2)))", "repr(bn.smooth(run.loss, 2))"),
        (
            "bn.running_statistics(run, np.float32(0.5)).mean[0].tolist()",
            "bn.running_statistics(run, 0.5).mean[0].tolist()",
        ),
        ("bn.update_to_data(snapshot, np.float32(2))", "bn.update_to_data(snapshot, 2.0)"),
        (
            "bn.dead_units(snapshot.outputs['tanh.0'], np.float64(0.1))",
            "bn.dead_units(snapshot.outputs['tanh.0'], 0.1)",
        ),
    ],
)
def test_numpy_scalars_are_numbers(names, call, plainly):
    assert eval(call, names) == eval(plainly, names)


@pytest.mark.parametrize(
    "sizes",
    [{"batch_size": 2**40}, {"depth": 2**31}, {"hidden": 2**31}, {"steps": 2**40}],
    ids=str,
)
def test_a_training_that_does_not_fit_into_memory_is_refused_at_once(dataset, sizes):
    ((name, size),) = sizes.items()
    message = rf"^recipe: expected a training that fits into .* GB .*\b{name}={size}\b"
    with pytest.raises(ValueError, match=message):
        bn.train(dataset, bn.Recipe(**sizes))


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({"hidden": 1000, "depth": 2}, 2 * 4 * (1000 + 6 + 28) * 1000),
        ({"batch_size": 10_000, "depth": 3}, 2 * 4 * 3 * 100 * 10_000),
        ({"steps": 3_000}, 2 * 4 * 3_000 * 100),
    ],
    ids=str,
)
def test_what_is_needed_is_what_there_must_be(dataset, monkeypatch, fields, needed):
    recipe = bn.Recipe(**({"steps": 0} | fields))
    monkeypatch.setattr(training, "_memory", lambda: needed)
    with pytest.raises(ValueError, match=r"^recipe: expected a training that fits"):
        bn.train(dataset, recipe)
    monkeypatch.setattr(training, "_memory", lambda: 1.2 * needed)
    assert bn.train(dataset, recipe).recipe == recipe


def test_what_is_not_recorded_needs_no_memory(dataset, monkeypatch):
    monkeypatch.setattr(training, "_memory", lambda: 200_000)
    few = bn.Recipe(steps=1_000)
    with pytest.raises(ValueError, match=r"^recipe: expected a training that fits"):
        bn.train(dataset, few)
    assert len(bn.train(dataset, few, record=None).loss) == 1_000
