"""What every public entrance says to an object of another kind, and to one without sense."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import bn_tutorial as bn
from bn_tutorial import evaluation, explorers, training

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def names(dataset):
    """Give what the calls below name: dict of str to object."""
    recipe = bn.Recipe(steps=4, hidden=4, batch_size=4, eps=1e-5)
    training = dataset.train.contexts, dataset.train.targets
    run = bn.train(dataset, recipe, record=bn.Record(statistics=True, snapshots=[2]))
    stats = bn.calibrate(run, dataset.train)
    plain = bn.train(dataset, bn.Recipe(norm=None, steps=4, hidden=4))
    return {
        "bn": bn,
        "np": np,
        "losses": evaluation.losses,
        "dataset": dataset,
        "other": bn.Dataset.from_words(["ox", "emu", "gnu", "boa", "asp", "yak", "newt"]),
        "longer": bn.Dataset.from_words(bn.load_words()[:20], block_size=4),
        "one": replace(dataset, train=bn.Split((), *(t[:1] for t in training))),
        "empty": bn.Split((), *(t[:0] for t in training)),
        "shaped": lambda name, *shapes: replace(stats, **{name: [torch.ones(s) for s in shapes]}),
        "trained": lambda record="statistics", **fields: bn.train(
            dataset, replace(recipe, **fields), record=record
        ),
        "changed": lambda run, **fields: replace(run, recipe=replace(run.recipe, **fields)),
        "recipe": recipe,
        "run": run,
        "runs": bn.sweep(dataset, recipe, learning_rate=[0.1, 1.0], norm=[None, "batch"]),
        "plain": plain,
        "diverged": bn.train(dataset, bn.Recipe(norm=None, steps=50, learning_rate=3e38)),
        "lost": replace(plain, parameters={k: p * math.nan for k, p in plain.parameters.items()}),
        "stats": stats,
        "snapshot": run.snapshots[0],
        "contexts": dataset.val.contexts[:4],
        "targets": dataset.val.targets[:4],
    } | {name: getattr(explorers, name) for name in explorers.__all__}


# call -> what it is told
KINDS = """
bn.Dataset.from_words('banana') -> words: expected a list of words, got a str
bn.Dataset.from_words({'a', 'b'}) -> words: expected a list of words, got a set
bn.Dataset.from_words(None) -> words: expected an Iterable, got None
bn.Dataset.from_words(['a', 5]) -> words: expected a str, got an int
bn.train(dataset.train, recipe) -> dataset: expected a Dataset, got a Split
bn.train(dataset, {}) -> recipe: expected a Recipe, got a dict
bn.train(recipe, dataset) -> dataset: expected a Dataset, got a Recipe
bn.sweep(dataset, None, seed=[1]) -> recipe: expected a Recipe, got None
bn.sweep(dataset, recipe, seed=[1], executor=2)
  -> executor: expected an Executor or None, got an int
bn.Record(statistics='all') -> statistics: expected a bool, got a str
bn.Record(snapshots=3) -> snapshots: expected an Iterable, got an int
bn.calibrate(dataset, dataset.train) -> run: expected a Run, got a Dataset
bn.calibrate(run, dataset) -> split: expected a Split, got a Dataset
bn.evaluate([run], dataset.val, stats) -> run: expected a Run, got a list
bn.evaluate(run, dataset, stats) -> split: expected a Split, got a Dataset
bn.evaluate(run, dataset.val, (1, 2)) -> statistics: expected a Statistics, got a tuple
bn.evaluate(run, dataset.val, bn.Statistics(stats.mean, [np.ones(4)]))
  -> statistics.std: expected a Tensor, got an ndarray
bn.running_statistics(recipe) -> run: expected a Run, got a Recipe
bn.logits(recipe, contexts, stats) -> run: expected a Run, got a Recipe
bn.logits(run, contexts.numpy(), stats) -> contexts: expected a Tensor, got an ndarray
losses(run, contexts, [1], stats) -> targets: expected a Tensor, got a list
losses(run, contexts, targets, run) -> statistics: expected a Statistics, got a Run
bn.probe(snapshot, contexts, targets) -> run: expected a Run, got a Snapshot
bn.probe(run, dataset.val, targets) -> contexts: expected a Tensor, got a Split
bn.probe(run, contexts, targets, 1) -> statistics: expected a Statistics, got an int
bn.gradient_flow(run) -> snapshot: expected a Snapshot, got a Run
bn.update_to_data(run, 0.1) -> snapshot: expected a Snapshot, got a Run
bn.saturation(np.ones(2)) -> activations: expected a Tensor, got an ndarray
bn.dead_units(snapshot) -> activations: expected a Tensor, got a Snapshot
bn.smooth(run, 2) -> loss: expected a Tensor, got a Run
bn.sample_words(dataset, run) -> run: expected a Run, got a Dataset
bn.sample_words(run, dataset, stats) -> vocabulary: expected a Vocabulary, got a Dataset
bn.ledger('01_x', None) -> models: expected a Mapping, got None
MomentumExplorer(dataset, run) -> run: expected a Run, got a Dataset
MomentumExplorer(run, dataset.val) -> dataset: expected a Dataset, got a Split
CalibrationExplorer([run], dataset) -> run: expected a Run, got a list
CalibrationExplorer(run, run) -> dataset: expected a Dataset, got a Run
BatchMatesExplorer(None, dataset) -> run: expected a Run, got None
BatchMatesExplorer(run, None) -> dataset: expected a Dataset, got None
BatchMatesExplorer(run, dataset, examples=['inm']) -> examples: expected a Mapping, got a list
BatchMatesExplorer(run, dataset, examples={3: 'e'}) -> examples: expected a str, got an int
BatchMatesExplorer(run, dataset, examples={'inm': 3}) -> examples['inm']: expected a str, got an int
BatchSizeExplorer(run, dataset) -> runs: expected an Iterable, got a Run
BatchSizeExplorer([[run]], dataset) -> runs: expected a Run, got a list
BatchSizeExplorer(runs, None) -> dataset: expected a Dataset, got None
LearningRateExplorer(runs) -> dataset: expected a Dataset, got a list
LearningRateExplorer(dataset, run) -> runs: expected an Iterable, got a Run
LearningRateExplorer(dataset, [recipe]) -> runs: expected a Run, got a Recipe
LearningRateExplorer(dataset, recipe={}) -> recipe: expected a Recipe or None, got a dict
LearningRateExplorer(dataset, runs, state=0) -> state: expected a dict, got an int
DepthExplorer(run) -> dataset: expected a Dataset, got a Run
DepthExplorer(dataset, recipe=run) -> recipe: expected a Recipe or None, got a Run
DepthExplorer(dataset, state=[]) -> state: expected a dict, got a list
ActivationExplorer({'plain': run}) -> dataset: expected a Dataset, got a dict
ActivationExplorer(dataset, [run]) -> runs: expected a dict or None, got a list
ActivationExplorer(dataset, {'plain': recipe}) -> runs['plain']: expected a Run, got a Recipe
ActivationExplorer(dataset, recipe=1) -> recipe: expected a Recipe or None, got an int
"""


def rows(table):
    """Return the calls of a table, each with its message."""
    return [row.split(" -> ") for row in table.strip().replace("\n  ->", " ->").splitlines()]


@pytest.mark.parametrize(("call", "message"), rows(KINDS))
def test_another_kind_of_object_is_named(names, call, message):
    with pytest.raises(TypeError) as caught:
        eval(call, names)
    assert str(caught.value) == message


VALUES = r"""
bn.Dataset.from_words('abcdefgh'.split(), 0) -> block_size: expected .* at least 1, got 0$
bn.Dataset.from_words('abcdefgh'.split(), 3.0) -> block_size: expected .* at least 1, got 3\.0$
bn.Dataset.from_words('abcdefgh'.split(), seed=None) -> seed: expected an integer, got None$
bn.Split((), contexts[:3], targets[:2]) -> targets: expected one for each of the 3 contexts
bn.sweep(dataset, recipe, seed=b'ab') -> seed: expected a list of values .*b'ab'$
bn.sweep(dataset, recipe, norm='batch') -> norm: expected a list of values .*'batch'$
bn.sweep(dataset, recipe, seed=np.array(1)) -> seed: expected a list of values .*\(1\)
bn.sweep(dataset, recipe, learning_rate=[]) -> learning_rate: expected a list .*\[\]$
bn.sweep(dataset, recipe, seed=[], steps=[1]) -> seed: expected a list .*\[\]$
bn.Record(snapshots=[-1]) -> snapshots: expected an integer of at least 0, got -1$
bn.Record(snapshots=[0.5]) -> snapshots: expected an integer .*, got 0\.5$
bn.Record(snapshots='12') -> snapshots: expected an integer .*, got '1'$
bn.train(dataset, recipe, record=bn.Record(snapshots=[4]))
  -> record\.snapshots: expected steps below the recipe's 4, got 4$
bn.Record(probe=1) -> probe: expected an integer of at least 2 examples, got 1$
bn.Record(probe=True) -> probe: expected an integer of at least 2 examples, got True$
bn.running_statistics(run, 2) -> momentum: expected a finite number .* 1, got 2$
bn.smooth(run.loss[None], 2) -> loss: expected that of one run, \(steps,\), got \(1, 4
bn.smooth(run.loss, 0) -> window: expected an integer of at least 1, got 0$
bn.smooth(run.loss, 1.5) -> window: expected an integer of at least 1, got 1\.5$
bn.saturation(contexts, float('nan')) -> threshold: expected a finite number, got nan$
bn.dead_units(contexts, None) -> threshold: expected a finite number, got None$
bn.update_to_data(snapshot, -1) -> learning_rate: expected .* at least 0, got -1$
bn.update_to_data(snapshot, recipe.learning_rate)
  -> learning_rate: expected a finite number of at least 0, got StepDecay\(
bn.sample_words(diverged, dataset.vocabulary)
  -> run: expected one that has not diverged, got Run\(.*, diverged\)$
bn.sample_words(lost, dataset.vocabulary)
  -> run: expected one that has not diverged, got Run\(4 of 4 steps,
bn.sample_words(plain, dataset.vocabulary, n=-1) -> n: expected an integer .* got -1$
bn.sample_words(plain, dataset.vocabulary, n=2.0) -> n: expected an integer .* 2\.0$
bn.sample_words(plain, dataset.vocabulary, seed=None) -> seed: expected .* got None$
bn.sample_words(plain, dataset.vocabulary, seed=2**64) -> seed: expected .* at most 184
bn.evaluate(plain, bn.Split((), contexts + 28, targets)) -> contexts: expected indices
bn.probe(run, contexts[:1], targets[:1]) -> contexts: expected at least 2 .* got 1$
losses(run, contexts[:1], targets[:1]) -> contexts: expected at least 2 .* got 1$
losses(run, contexts[:, None], targets[:, None]) -> contexts: expected at least 2 .* 1$
losses(run, contexts + 28, targets) -> contexts: expected indices from 0 to 27, got
losses(run, contexts, targets + 28) -> targets: expected indices from 0 to 27, got
bn.logits(run, contexts, bn.Statistics(2 * stats.mean, 2 * stats.std))
  -> statistics\.mean: expected shapes \[\(4,\)\], got \[\(4,\), \(4,\)\]$
bn.evaluate(bn.train(other, recipe), dataset.val, stats)
  -> contexts: expected indices from 0 to \d+, got
bn.calibrate(bn.train(other, recipe), dataset.train)
  -> contexts: expected indices from 0 to \d+, got
bn.running_statistics(run, track='var') -> track: expected "std" or "variance", got 'var'$
bn.running_statistics(run, track=None) -> track: expected "std" or "variance", got None$
bn.running_statistics(run, -0.1) -> momentum: expected a finite number of at least 0 .*, got -0.1$
bn.running_statistics(trained(record=None))
  -> running_statistics: expected .*record="statistics"
bn.running_statistics(plain) -> running_statistics: expected a run with batch norm
bn.evaluate(run, dataset.val) -> statistics: expected .* got none; .*calibrate
bn.logits(run, contexts) -> statistics: expected .* got none; .*calibrate
bn.evaluate(plain, dataset.val, stats)
  -> statistics: expected none .*norm=None.* got Statistics\(1 layers of 4 units
bn.evaluate(trained(norm='layer'), dataset.val, stats)
  -> statistics: expected none .*norm='layer'.* got Statistics\(1 layers of 4 units
bn.evaluate(run, dataset.val, shaped('mean', (3,)))
  -> statistics\.mean: expected shapes \[\(4,\)\], got \[\(3,\)\]$
bn.evaluate(run, dataset.val, shaped('mean', (1, 4)))
  -> statistics\.mean: expected shapes \[\(4,\)\], got \[\(1, 4\)\]$
bn.evaluate(run, dataset.val, shaped('mean', ()))
  -> statistics\.mean: expected shapes \[\(4,\)\], got \[\(\)\]$
bn.evaluate(run, dataset.val, shaped('mean', (4,), (4,)))
  -> statistics\.mean: expected shapes \[\(4,\)\], got \[\(4,\), \(4,\)\]$
bn.evaluate(run, dataset.val, shaped('mean'))
  -> statistics\.mean: expected shapes \[\(4,\)\], got \[\]$
bn.evaluate(run, dataset.val, shaped('std', (3,)))
  -> statistics\.std: expected shapes \[\(4,\)\], got \[\(3,\)\]$
bn.evaluate(run, dataset.val, shaped('std', (4,), (4,)))
  -> statistics\.std: expected shapes \[\(4,\)\], got \[\(4,\), \(4,\)\]$
bn.evaluate(run, dataset.val, shaped('std'))
  -> statistics\.std: expected shapes \[\(4,\)\], got \[\]$
bn.evaluate(trained(depth=2), dataset.val, stats)
  -> statistics\.mean: .*\[\(4,\), \(4,\)\], got \[\(4,
bn.evaluate(run, empty, stats) -> split: expected examples to evaluate, got an empty
bn.calibrate(run, empty) -> split: expected at least 2 examples .* got 0
bn.calibrate(run, one.train) -> split: expected at least 2 examples .* got 1
bn.calibrate(plain, dataset.train) -> calibrate: expected .*norm="batch", got None
bn.calibrate(trained(norm='layer'), dataset.train)
  -> calibrate: expected .*norm="batch", got 'layer'
bn.logits(run, contexts.float(), stats) -> contexts: expected indices .*, got torch.float32
bn.probe(run, contexts[:, :2], targets) -> contexts: expected indices of shape
bn.probe(run, contexts + 28, targets) -> contexts: expected indices from 0 to 27, got
bn.probe(run, contexts, targets, bn.Statistics([stats.mean[0][:3]], stats.std))
  -> statistics\.mean: expected shapes
bn.probe(plain, contexts, targets, stats) -> statistics: expected none
bn.probe(run, contexts, targets[:1]) -> targets: expected
bn.probe(run, contexts, targets[:3]) -> targets: expected
bn.probe(run, contexts, targets[:, None]) -> targets: expected
bn.probe(run, contexts, -1 - targets) -> targets: expected
bn.probe(run, contexts, targets + 28) -> targets: expected
bn.sample_words(run, dataset.vocabulary) -> statistics: expected .*, got none
bn.sample_words(plain, dataset.vocabulary, stats) -> statistics: expected none
bn.sample_words(run, dataset.vocabulary, bn.Statistics(stats.mean, [stats.std[0][:3]]))
  -> statistics\.std: expected shapes \[\(4,\)\], got
bn.sample_words(plain, other.vocabulary) -> vocabulary: expected the 28 symbols .*, got \d+$
CalibrationExplorer(trained(norm=None), dataset)
  -> run: expected one with batch norm .*, got Run\(4
CalibrationExplorer(trained(norm='layer'), dataset)
  -> run: expected one with batch norm .*, got Run\(4
CalibrationExplorer(trained(record=None), dataset)
  -> run: expected one with batch norm and recorded stat
CalibrationExplorer(trained(steps=200, learning_rate=1e30, eps=0.0), dataset)
  -> run: expected .* not diverged .*, diverged\)$
CalibrationExplorer(run, dataset, momentum=2) -> momentum: expected a finite number of at least 0
CalibrationExplorer(run, longer) -> contexts: expected indices of shape \(N, 3\)
MomentumExplorer(trained(norm=None), dataset) -> run: expected one with one BatchNorm .*, got Run\(
MomentumExplorer(trained(depth=2), dataset) -> run: expected one with one BatchNorm .*, got Run\(
MomentumExplorer(trained(steps=1), dataset) -> run: expected one with one BatchNorm .*, got Run\(
MomentumExplorer(trained(record=None), dataset) -> run: expected one with one BatchNorm
BatchMatesExplorer(trained(norm=None), dataset) -> run: expected one with one BatchNorm, .*, got Run
BatchMatesExplorer(trained(norm='layer'), dataset) -> run: expected one with one .*, got Run\(
BatchMatesExplorer(trained(depth=2), dataset) -> run: expected one with one BatchNorm, .*, got Run\(
BatchMatesExplorer(trained(placement='after'), dataset) -> run: expected one with one .*, got Run\(
BatchMatesExplorer(trained(steps=200, learning_rate=1e30, eps=0.0), dataset)
  -> run: expected .* did not diverge, got Run\(.*diverged
BatchMatesExplorer(run, other) -> dataset: expected the 28 symbols .*, got \d+$
BatchMatesExplorer(run, dataset, examples={}) -> examples: expected at least one context
BatchMatesExplorer(run, dataset, examples={'in': 'm'})
  -> contexts: expected indices of shape \(N, 3\), got .* \(1, 2\)$
BatchMatesExplorer(run, dataset, examples={'INM': 'e'})
  -> text: expected only the symbols .*, got 'I'$
BatchMatesExplorer(run, dataset, examples={'inm': 'e '})
  -> examples\['inm'\]: expected one symbol, got 'e '$
BatchMatesExplorer(run, dataset, examples={'inm': 'E'})
  -> text: expected only the symbols .*, got 'E'$
DepthExplorer(dataset, probe=1) -> probe: expected .* at least 2 examples, got 1$
DepthExplorer(one) -> dataset: expected at least 2 .* examples, got 1$
ActivationExplorer(dataset, probe=1) -> probe: expected .* at least 2 examples, got 1$
ActivationExplorer(dataset, {'bare': plain})
  -> runs\['bare'\]: expected a run with snapshots, .*, got Run\(4 of 4
ActivationExplorer(dataset, {'step 0, as drawn': run})
  -> runs: expected labels that are text, not '.*', got 'step 0
ActivationExplorer(dataset, {3: run}) -> runs: expected labels that are text, .*, got 3$
ActivationExplorer(other, {'deep': run})
  -> runs\['deep'\]: expected this dataset's \d+ symbols, got 28
BatchSizeExplorer(runs, other) -> runs: expected this dataset's \d+ symbols, got 28
LearningRateExplorer(other, runs) -> runs: expected this dataset's \d+ symbols, got 28
LearningRateExplorer(dataset, runs, recipe=recipe) -> recipe: expected none beside runs
LearningRateExplorer(dataset, recipe=bn.Recipe(steps=0)) -> recipe: expected at least 1 step, got 0
LearningRateExplorer(dataset, []) -> runs: expected .*got none
LearningRateExplorer(dataset, runs[::2]) -> runs: expected .*got norm=\[None\]
LearningRateExplorer(dataset, runs[:2]) -> runs: expected .*got learning_rate=\[0\.1\]
LearningRateExplorer(dataset, [changed(runs[0], norm='layer'), *runs])
  -> runs: expected .*got norm=\['layer'
LearningRateExplorer(dataset, [changed(runs[0], learning_rate=0), *runs])
  -> runs: expected .*each rate a number above 0, got 0
LearningRateExplorer(dataset, [changed(runs[0], learning_rate=bn.StepDecay(1, 0.1, 5)), *runs])
  -> runs: expected .*each rate a number above 0, got StepD
LearningRateExplorer(dataset, [changed(runs[0], steps=50), *runs])
  -> runs: expected .*the same steps in all, got steps=\[50, 4\]
LearningRateExplorer(dataset, [changed(runs[0], hidden=50), *runs])
  -> runs: expected .*the same hidden in all, got hidden=\[50, 4\]
"""


@pytest.mark.parametrize(("call", "message"), rows(VALUES))
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
