"""train and sweep against a plain autograd loop, and against each other."""

import os
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
import pytest
import reference
import torch
from reference import assert_same_run

import bn_tutorial as bn
from bn_tutorial.network import Network

pytestmark = pytest.mark.usefixtures("one_thread")

ORIGINAL_WORDS = "BN_TUTORIAL_ORIGINAL_WORDS"
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}  # after 150 steps, against autograd


# the plain loop


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("hidden_bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_training_agrees_with_a_plain_autograd_loop(dataset, norm, depth, hidden_bias, dtype):
    # two plain layers at full gain are chaotic: rounding errors grow tenfold every few steps
    gains = {"hidden_gain": 0.2, "output_gain": 0.1} if depth == 2 and norm is None else {}
    recipe = bn.Recipe(
        norm=norm, depth=depth, hidden_bias=hidden_bias, dtype=dtype, steps=150, **gains
    )
    run = bn.train(dataset, recipe)
    loss, parameters, _, _ = reference.train(dataset, recipe)
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
    loss, parameters, _, _ = reference.train(dataset, recipe)
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
    loss, *_ = reference.train(dataset, recipe)
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
        "learning_rate": [0.01, bn.StepDecay(0.3, 0.03, at=200), 1.0],
        "hidden_gain": [0.2, 1.0, 5.0],
        "output_gain": [0.01, 1.0, 2.0],
        "seed": [1, 2, 3],
        "batch_size": [2, 32],
        "hidden": [20, 50],
        "depth": [1, 2],
        "steps": [130, 300],
        "embedding": [1, 5],
        "eps": [0.0, 0.1],
        "correction": [1, 0],
        "norm": [None, "batch", "layer"],
    }.items(),
)
def test_a_swept_run_is_the_run_trained_alone(dataset, field, values, dtype, atol):
    recipe = bn.Recipe(steps=300, dtype=dtype)
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
