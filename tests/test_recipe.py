import math
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from fractions import Fraction

import numpy as np
import pytest
import torch

import bn_tutorial as bn

SEED_RECIPE = {
    "norm": "batch",
    "placement": "before",
    "depth": 1,
    "hidden": 100,
    "embedding": 2,
    "hidden_bias": True,
    "hidden_gain": 1.0,
    "output_gain": 1.0,
    "correction": 1,
    "eps": 0.0,
    "steps": 50_000,
    "batch_size": 64,
    "learning_rate": bn.StepDecay(0.1, 0.01, at=30_000),
    "seed": 23,
    "dtype": torch.float32,
}
NOT_INTEGERS = [1.0, 1.5, math.nan, "1", None, True, False]
NOT_NUMBERS = [math.nan, math.inf, -math.inf, "x", None, True, False, 1j]
BAD = {
    "norm": ["Batch", "group", "", True, 0, ["batch"]],
    "placement": ["Before", "between", "", None, True],
    "depth": [0, -1, *NOT_INTEGERS],
    "hidden": [0, -1, *NOT_INTEGERS],
    "embedding": [0, -1, *NOT_INTEGERS],
    "hidden_bias": [1, 0, None, "no"],
    "hidden_gain": NOT_NUMBERS,
    "output_gain": NOT_NUMBERS,
    "correction": [2, -1, 0.0, 1.0, True, False, "1", None],
    "eps": [-1e-5, *NOT_NUMBERS],
    "steps": [-1, *NOT_INTEGERS],
    "batch_size": [1, 0, -1, *NOT_INTEGERS],
    "learning_rate": [-0.1, *NOT_NUMBERS],
    "seed": [-1, *NOT_INTEGERS],
    "dtype": [torch.float16, torch.int64, "float16", "float128", 64, None],
}


@pytest.mark.parametrize("field", SEED_RECIPE)
def test_the_default_is_the_seed_recipe(field):
    default = getattr(bn.Recipe(), field)
    assert default == SEED_RECIPE[field]
    assert type(default) is type(SEED_RECIPE[field])


def test_the_seed_recipe_and_the_bad_values_cover_every_field():
    assert [field.name for field in fields(bn.Recipe)] == list(SEED_RECIPE) == list(BAD)


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, bad in BAD.items() for v in bad])
def test_a_bad_value_is_refused_with_field_and_value(field, value):
    with pytest.raises(ValueError, match=rf"^{field}: expected .*got ") as caught:
        bn.Recipe(**{field: value})
    assert str(caught.value).endswith((f"got {value!r}", f"got torch.{value}"))


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("norm", ["batch", "layer", None]),
        ("correction", [0, 1]),
        ("hidden_bias", [False, True]),
        ("eps", [0, 1e-5]),
        ("hidden_gain", [5, -1.0, 0.0, np.float64(0.1)]),
        ("output_gain", [5, -1.0, 0.0, np.float64(0.1)]),
        ("steps", [0, 1]),
        ("seed", [0, 2**40]),
        ("batch_size", [2]),
        ("learning_rate", [0, 1, 0.3, np.float64(0.1), math.sqrt]),
        ("dtype", [torch.float32, torch.float64]),
    ],
)
def test_good_values_are_taken_as_they_are(field, values):
    assert [getattr(bn.Recipe(**{field: value}), field) for value in values] == values


@pytest.mark.parametrize("norm", [None, "layer"])
def test_a_batch_of_one_is_fine_without_batch_norm(norm):
    assert bn.Recipe(norm=norm, batch_size=1).batch_size == 1
    with pytest.raises(ValueError, match=r"^batch_size: expected .* at least 1, got 0$"):
        bn.Recipe(norm=norm, batch_size=0)


def test_a_batch_of_one_is_refused_because_of_batch_norm():
    with pytest.raises(ValueError, match=r"^batch_size: .* at least 2 with batch norm, got 1$"):
        bn.Recipe(batch_size=1, correction=0)


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_a_dtype_may_be_given_by_name(name):
    assert bn.Recipe(dtype=name).dtype is getattr(torch, name)
    assert bn.Recipe(dtype=name) == bn.Recipe(dtype=getattr(torch, name))


def test_a_recipe_is_frozen_and_takes_keywords_only():
    with pytest.raises(FrozenInstanceError):
        bn.Recipe().steps = 5
    with pytest.raises(TypeError):
        bn.Recipe("batch")
    with pytest.raises(TypeError, match="momentum"):
        bn.Recipe(momentum=0.1)


def test_equal_recipes_have_equal_hashes():
    schedule = bn.StepDecay(0.1, 0.01, 30_000)
    assert hash(bn.Recipe(learning_rate=schedule)) == hash(bn.Recipe())
    assert len({bn.Recipe(), bn.Recipe(learning_rate=schedule), bn.Recipe(seed=24)}) == 2


def test_replace_checks_again():
    assert replace(bn.Recipe(), depth=5).depth == 5
    with pytest.raises(ValueError, match=r"^depth: "):
        replace(bn.Recipe(), depth=0)


def test_a_recipe_can_be_sent_to_another_process():
    recipe = bn.Recipe(norm=None, dtype="float64")
    assert pickle.loads(pickle.dumps(recipe)) == recipe


def test_step_decay_drops_once_at_its_step():
    schedule = bn.StepDecay(before=0.5, after=0.25, at=3)
    assert [schedule(step) for step in range(6)] == [0.5, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_learning_rates_of_the_seed_recipe():
    rates = bn.Recipe().learning_rates()
    assert (rates.shape, rates.dtype) == ((50_000,), np.float64)
    assert (rates[:30_000] == 0.1).all()
    assert (rates[30_000:] == 0.01).all()


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(0.3, [0.3, 0.3, 0.3]), (2, [2, 2, 2]), (lambda step: 1 / (1 + step), [1, 1 / 2, 1 / 3])],
    ids=["float", "int", "schedule"],
)
def test_learning_rates_give_one_number_a_step(rate, expected):
    rates = bn.Recipe(learning_rate=rate, steps=3).learning_rates()
    assert rates.dtype == np.float64
    assert rates.tolist() == expected


def test_no_steps_have_no_learning_rates():
    assert bn.Recipe(steps=0).learning_rates().shape == (0,)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.1, None, "x", True])
def test_a_schedule_that_goes_wrong_is_refused_with_its_step(bad):
    recipe = bn.Recipe(learning_rate=lambda step: bad if step == 7 else 0.1, steps=10)
    with pytest.raises(ValueError, match=r"^learning_rate: expected .* at step 7$") as caught:
        recipe.learning_rates()
    assert f"got {bad!r} " in str(caught.value)


def test_a_schedule_is_asked_only_for_the_steps_there_are():
    recipe = bn.Recipe(learning_rate=lambda step: 0.1 if step < 10 else math.nan, steps=10)
    assert (recipe.learning_rates() == 0.1).all()


@pytest.mark.parametrize("at", [None, math.nan, 1.5, -1, True])
def test_step_decay_drops_at_an_integer(at):
    with pytest.raises(ValueError, match=r"^at: expected an integer of at least 0, got"):
        bn.StepDecay(0.1, 0.01, at=at)


def test_a_gain_becomes_a_float():
    assert type(bn.Recipe(hidden_gain=Fraction(1, 2)).hidden_gain) is float


def test_a_learning_rate_that_overflows_the_dtype_is_refused():
    words = r"^learning_rate: expected a number that torch.float32 can hold, got 1e\+39"
    with pytest.raises(ValueError, match=words + "$"):
        bn.Recipe(learning_rate=1e39)
    with pytest.raises(ValueError, match=words + " at step 2$"):
        bn.Recipe(learning_rate=bn.StepDecay(0.1, 1e39, at=2), steps=3).learning_rates()
    assert bn.Recipe(learning_rate=1e39, dtype="float64").learning_rate == 1e39
