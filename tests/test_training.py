"""train and sweep against a plain autograd loop, and against each other."""

import os
import pickle
import random
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import bn_tutorial as bn
from bn_tutorial.network import Network

pytestmark = pytest.mark.usefixtures("one_thread")

ORIGINAL_WORDS = "BN_TUTORIAL_ORIGINAL_WORDS"
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}  # after 300 steps, against autograd
SETTINGS = {"rtol": 0, "equal_nan": True}


def draw_by_hand(recipe, symbols, block_size, generator):
    """Draw the parameters as the seed recipe says it."""

    def randn(*shape, gain=1.0):
        return (gain * torch.randn(shape, generator=generator)).to(recipe.dtype)

    p = {"embedding": randn(symbols, recipe.embedding)}
    for i in range(recipe.depth):
        fan_in = recipe.hidden if i else block_size * recipe.embedding
        p[f"hidden.{i}.weight"] = randn(fan_in, recipe.hidden, gain=recipe.hidden_gain)
        if recipe.hidden_bias:
            p[f"hidden.{i}.bias"] = randn(recipe.hidden, gain=recipe.hidden_gain)
        if recipe.norm:
            p[f"norm.{i}.weight"] = torch.ones(recipe.hidden, dtype=recipe.dtype)
            p[f"norm.{i}.bias"] = torch.zeros(recipe.hidden, dtype=recipe.dtype)
    p["output.weight"] = randn(recipe.hidden, symbols, gain=recipe.output_gain)
    p["output.bias"] = randn(symbols, gain=recipe.output_gain)
    return p


def outputs_by_hand(recipe, p, contexts):
    """Give the output of every layer, under the names of a Snapshot."""
    x = p["embedding"][contexts].flatten(1)
    outputs = {"embedding": x}
    for i in range(recipe.depth):
        x = outputs[f"hidden.{i}"] = x @ p[f"hidden.{i}.weight"] + p.get(f"hidden.{i}.bias", 0)
        if recipe.placement == "after":
            x = outputs[f"tanh.{i}"] = x.tanh()
        if recipe.norm:
            gain, shift = p[f"norm.{i}.weight"], p[f"norm.{i}.bias"]
        if recipe.norm == "batch":
            variance = x.var(0, correction=recipe.correction)
            x = gain * (x - x.mean(0)) / (variance + recipe.eps).sqrt() + shift
        if recipe.norm == "layer":
            x = F.layer_norm(x, (recipe.hidden,), gain, shift, recipe.eps)
        if recipe.norm:
            outputs[f"norm.{i}"] = x
        if recipe.placement == "before":
            x = outputs[f"tanh.{i}"] = x.tanh()
    outputs["output"] = x @ p["output.weight"] + p["output.bias"]
    return outputs


def train_by_autograd(dataset, recipe):
    """Return the losses, the parameters, and each batch's mean and std of each hidden Linear."""
    g = torch.Generator().manual_seed(recipe.seed)
    p = draw_by_hand(recipe, len(dataset.vocabulary), dataset.block_size, g)
    split, losses, mean, std = dataset.train, [], [], []
    for rate in recipe.learning_rates().tolist():
        p = {name: tensor.detach().requires_grad_() for name, tensor in p.items()}
        batch = torch.randint(0, len(split), (recipe.batch_size,), generator=g)
        outputs = outputs_by_hand(recipe, p, split.contexts[batch])
        loss = F.cross_entropy(outputs["output"], split.targets[batch])
        gradients = torch.autograd.grad(loss, p.values())
        p = {name: p[name] - rate * grad for name, grad in zip(p, gradients, strict=True)}
        losses.append(loss.detach())
        normed = "hidden" if recipe.placement == "before" else "tanh"
        x = torch.stack([outputs[f"{normed}.{i}"] for i in range(recipe.depth)]).detach()
        mean.append(x.mean(1))
        std.append(x.std(1, correction=recipe.correction))
    parameters = {name: tensor.detach() for name, tensor in p.items()}
    return torch.stack(losses), parameters, torch.stack(mean, 1), torch.stack(std, 1)


def assert_same_run(run, other, atol=0.0):
    assert run.recipe == other.recipe
    assert run.diverged_at == other.diverged_at
    kept = ("loss", "parameters", "batch_mean", "batch_std")
    for mine, others in [(vars(run)[name], vars(other)[name]) for name in kept]:
        assert (mine is None) == (others is None)
        if mine is not None:
            torch.testing.assert_close(mine, others, atol=atol, **SETTINGS)
    assert len(run.snapshots) == len(other.snapshots)
    for mine, others in zip(run.snapshots, other.snapshots, strict=True):
        for name in ("outputs", "output_gradients", "parameters", "gradients"):
            torch.testing.assert_close(vars(mine)[name], vars(others)[name], atol=atol, **SETTINGS)


def tensors_of(run):
    yield run.loss
    yield from run.parameters.values()
    yield from [*(run.batch_mean or []), *(run.batch_std or [])]
    for snapshot in run.snapshots:
        for kept in vars(snapshot).values():
            yield from kept.values() if isinstance(kept, dict) else []


# the plain loop


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("hidden_bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_training_agrees_with_a_plain_autograd_loop(dataset, norm, depth, hidden_bias, dtype):
    # two plain layers at full gain are chaotic: rounding errors grow tenfold every few steps
    gains = {"hidden_gain": 0.2, "output_gain": 0.1} if depth == 2 and norm is None else {}
    recipe = bn.Recipe(
        norm=norm, depth=depth, hidden_bias=hidden_bias, dtype=dtype, steps=300, **gains
    )
    run = bn.train(dataset, recipe)
    loss, parameters, _, _ = train_by_autograd(dataset, recipe)
    torch.testing.assert_close(run.loss, loss, atol=TOLERANCE[dtype], rtol=0)
    torch.testing.assert_close(run.parameters, parameters, atol=TOLERANCE[dtype], rtol=0)


@pytest.mark.parametrize(
    "fields",
    [
        {"learning_rate": bn.StepDecay(0.5, 0.05, at=40)},
        {"hidden_gain": 0.2, "output_gain": 0.01},
        {"correction": 0, "eps": 1e-3},
        {"batch_size": 9, "eps": 1e-3},
        {"norm": "layer", "eps": 0.1},
        {"placement": "after", "depth": 2, "hidden_gain": 0.2},  # chaotic at 1
        {"placement": "after", "norm": "layer", "eps": 0.1},
        {"placement": "after", "norm": None},
        {"hidden": 7, "embedding": 5, "seed": 5},
    ],
    ids=lambda fields: " ".join(fields),
)
def test_training_uses_every_field_of_the_recipe(dataset, fields):
    recipe = bn.Recipe(steps=100, dtype=torch.float64, **fields)
    run = bn.train(dataset, recipe)
    loss, parameters, _, _ = train_by_autograd(dataset, recipe)
    torch.testing.assert_close(run.loss, loss, atol=1e-9, rtol=0)
    torch.testing.assert_close(run.parameters, parameters, atol=1e-9, rtol=0)


@dataclass
class Linearly:  # not frozen, and so not hashable
    start: float

    def __call__(self, step):
        return self.start * (1 - step / 100)


@pytest.mark.parametrize(
    "schedule",
    [Linearly(0.5), lambda step: 0.5 * (1 - step / 100), partial(min, 0.1)],
    ids=["object", "lambda", "partial"],
)
def test_a_schedule_is_any_callable(dataset, schedule):
    recipe = bn.Recipe(steps=20, learning_rate=schedule)
    loss, *_ = train_by_autograd(dataset, recipe)
    torch.testing.assert_close(bn.train(dataset, recipe).loss, loss, atol=1e-3, rtol=1e-4)


def test_the_seed_recipe_keeps_its_figures_on_our_words(dataset):
    run = bn.train(dataset, bn.Recipe())
    stats = bn.calibrate(run, dataset.train)
    assert len(run.loss) == 50_000
    assert run.loss[0].item() == pytest.approx(12.8792, abs=1e-4)
    assert bn.evaluate(run, dataset.train, stats) == pytest.approx(2.3802, abs=1e-4)
    assert bn.evaluate(run, dataset.val, stats) == pytest.approx(2.6216, abs=1e-4)

    run = bn.train(dataset, bn.Recipe(hidden_bias=False))
    stats = bn.running_statistics(run, momentum=0.001)
    assert bn.evaluate(run, dataset.train, stats) == pytest.approx(2.3696, abs=1e-4)
    assert bn.evaluate(run, dataset.val, stats) == pytest.approx(2.6057, abs=1e-4)


@pytest.mark.skipif(
    ORIGINAL_WORDS not in os.environ,
    reason=f"{ORIGINAL_WORDS} does not name the seed's word list, which has no licence",
)
def test_the_seed_recipe_gives_the_figures_printed_in_the_seed_notebook():
    dataset = bn.Dataset.from_words(bn.load_words(os.environ[ORIGINAL_WORDS]))
    run = bn.train(dataset, bn.Recipe())
    printed = [12.2216, 2.5290, 2.6898, 2.4662, 2.4155]
    assert run.loss[::10_000].tolist() == pytest.approx(printed, abs=1e-4)
    stats = bn.calibrate(run, dataset.train)
    assert bn.evaluate(run, dataset.train, stats) == pytest.approx(2.3901, abs=1e-4)
    assert bn.evaluate(run, dataset.val, stats) == pytest.approx(2.5102, abs=1e-4)

    run = bn.train(dataset, bn.Recipe(hidden_bias=False))
    printed = [12.4702, 2.3545, 2.6113, 2.2846, 2.3991]
    assert run.loss[::10_000].tolist() == pytest.approx(printed, abs=1e-4)


# sweeps


@pytest.mark.parametrize(
    ("dtype", "atol"), [(torch.float32, 1e-5), (torch.float64, 1e-12)], ids=str
)
@pytest.mark.parametrize(
    ("field", "values"),
    {
        "learning_rate": [0.01, bn.StepDecay(0.3, 0.03, at=500), 1.0],
        "hidden_gain": [0.2, 1.0, 5.0],
        "output_gain": [0.01, 1.0, 2.0],
        "seed": [1, 2, 3],
        "batch_size": [2, 32],
        "hidden": [20, 50],
        "depth": [1, 2],
        "steps": [130, 1_000],
        "embedding": [1, 5],
        "eps": [0.0, 0.1],
        "correction": [1, 0],
        "norm": [None, "batch", "layer"],
    }.items(),
)
def test_a_swept_run_is_the_run_trained_alone(dataset, field, values, dtype, atol):
    recipe = bn.Recipe(steps=1_000, dtype=dtype)
    runs = bn.sweep(dataset, recipe, record="statistics", **{field: values})
    assert len(runs) == len(values)
    for value, run in zip(values, runs, strict=True):
        assert_same_run(run, bn.train(dataset, replace(recipe, **{field: value})), atol)


def test_two_fields_span_a_grid_whose_last_field_varies_fastest(dataset):
    recipe = bn.Recipe(steps=20)
    rates, units = [0.03, 0.3, 1.0], [10, 20]
    runs = bn.sweep(dataset, recipe, learning_rate=rates, hidden=units)
    grid = list(product(rates, units))
    assert [(run.recipe.learning_rate, run.recipe.hidden) for run in runs] == grid
    for run in runs:
        assert_same_run(run, bn.train(dataset, run.recipe, record=None), atol=1e-5)


def test_a_large_sweep_keeps_its_order(dataset):
    runs = bn.sweep(dataset, bn.Recipe(steps=3), seed=range(40))
    assert [run.recipe.seed for run in runs] == list(range(40))
    for run in runs[::13]:
        assert_same_run(run, bn.train(dataset, run.recipe, record=None), atol=1e-5)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("seed", np.arange(2)),
        ("hidden", np.array([5, 200], dtype="uint8")),
        ("learning_rate", np.logspace(-2, 0, 3)),
        ("hidden_gain", np.array([0.5, 2.0], dtype="float32")),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.dtype),
)
def test_values_may_come_from_numpy(dataset, field, values):
    recipe = bn.Recipe(steps=5)
    runs = bn.sweep(dataset, recipe, **{field: values})
    plain = bn.sweep(dataset, recipe, **{field: values.tolist()})
    for run, other in zip(runs, plain, strict=True):
        assert_same_run(run, other, atol=1e-5)


@pytest.mark.parametrize(
    ("values", "came"),
    [({}, "got none"), ({"lr": [0.1]}, "got lr"), ({"lr": [1], "seed": [1]}, "got lr, seed")],
)
def test_a_sweep_over_no_or_unknown_fields_is_refused(dataset, values, came):
    with pytest.raises(ValueError, match=f"expected fields of Recipe.*{came}"):
        bn.sweep(dataset, bn.Recipe(steps=1), **values)


def test_a_sweep_names_the_field_of_a_bad_value(dataset):
    with pytest.raises(ValueError, match=r"batch_size: expected .* got 1"):
        bn.sweep(dataset, bn.Recipe(steps=1), batch_size=[8, 1])


def test_a_bad_schedule_is_named_before_anything_is_trained(dataset, monkeypatch):
    monkeypatch.setattr(Network, "train", None)
    recipe = bn.Recipe(learning_rate=bn.StepDecay(0.1, -1.0, at=50))
    with pytest.raises(ValueError, match=r"learning_rate: .* got -1\.0 at step 50"):
        bn.sweep(dataset, recipe, steps=[10, 100])  # good for the 10


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
    plain, *_ = train_by_autograd(dataset, recipe)
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
    _, _, mean, std = train_by_autograd(dataset, recipe)
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

    probe = np.linspace(0, len(dataset.train) - 1, size).astype(int)
    p = {name: tensor.clone().requires_grad_() for name, tensor in before.items()}
    outputs = outputs_by_hand(recipe, p, dataset.train.contexts[probe])
    loss = F.cross_entropy(outputs["output"], dataset.train.targets[probe])
    assert snapshot.loss == pytest.approx(loss.item(), abs=1e-10)
    torch.testing.assert_close(snapshot.outputs, outputs, atol=1e-10, rtol=0)
    for kept, of in [(snapshot.output_gradients, outputs), (snapshot.gradients, p)]:
        gradients = torch.autograd.grad(loss, of.values(), retain_graph=True)
        expected = dict(zip(of, gradients, strict=True))
        torch.testing.assert_close(kept, expected, atol=1e-10, rtol=0)


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


@pytest.mark.parametrize("probe", [1, 0, -1])
def test_a_probe_without_variance_is_refused(probe):
    with pytest.raises(ValueError, match=f"probe: expected .* at least 2 examples, got {probe}"):
        bn.Record(probe=probe)


# the run itself


def test_an_empty_training_split_is_refused(dataset):
    empty = bn.Split((), dataset.train.contexts[:0], dataset.train.targets[:0])
    with pytest.raises(ValueError, match="got an empty training split"):
        bn.train(replace(dataset, train=empty), bn.Recipe(steps=1))


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_no_steps_give_the_initial_parameters_and_no_loss(dataset, norm):
    recipe = bn.Recipe(norm=norm, steps=0, depth=2, hidden_gain=0.3, output_gain=0.1)
    run = bn.train(dataset, recipe)
    g = torch.Generator().manual_seed(23)
    initial = draw_by_hand(recipe, len(dataset.vocabulary), 3, g)
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


def test_a_run_shares_no_memory_with_its_neighbours(dataset):
    """Or it would keep that of all of them alive, and be pickled with it."""
    record = bn.Record(statistics=True, snapshots=[0])
    for run in bn.sweep(dataset, bn.Recipe(steps=5), seed=[1, 2, 3], record=record):
        held = [tensor.untyped_storage().nbytes() for tensor in tensors_of(run)]
        assert held == [tensor.nbytes for tensor in tensors_of(run)]


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


@pytest.mark.parametrize(
    "values", [{"seed": 3}, {"learning_rate": 0.3}, {"norm": "batch"}], ids=str
)
def test_a_swept_field_without_a_list_is_named(dataset, values):
    (field,) = values
    with pytest.raises(ValueError, match=f"^{field}: expected a list of values to sweep over, got"):
        bn.sweep(dataset, bn.Recipe(steps=1), **values)
