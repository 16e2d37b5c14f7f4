"""A recipe's parameters, and the network that is made of them."""

import subprocess
import sys

import numpy as np
import pytest
import reference
import torch

import bn_tutorial as bn
from bn_tutorial.network import Network, draw_parameters

SYMBOLS, BLOCK_SIZE = 7, 3
NORMS = [None, "batch", "layer"]


def drawn(recipe, seed=23):
    generator = torch.Generator().manual_seed(seed)
    return draw_parameters(recipe, SYMBOLS, BLOCK_SIZE, generator)


def test_parameters_of_the_seed_recipe_are_drawn_in_the_documented_order():
    g = torch.Generator().manual_seed(23)
    expected = {
        "embedding": torch.randn((SYMBOLS, 2), generator=g),
        "hidden.0.weight": torch.randn((6, 100), generator=g),
        "hidden.0.bias": torch.randn(100, generator=g),
        "norm.0.weight": torch.ones(100),
        "norm.0.bias": torch.zeros(100),
        "output.weight": torch.randn((100, SYMBOLS), generator=g),
        "output.bias": torch.randn(SYMBOLS, generator=g),
    }
    ours = drawn(bn.Recipe())
    assert list(ours) == list(expected)
    for name, tensor in expected.items():
        assert ours[name].dtype == torch.float32
        assert torch.equal(ours[name], tensor), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("hidden_bias", [True, False])
@pytest.mark.parametrize("norm", NORMS)
def test_deeper_networks_draw_weight_and_bias_layer_by_layer(norm, hidden_bias, dtype):
    sizes = {"depth": 3, "hidden": 5, "embedding": 4, "hidden_gain": 3.0, "output_gain": 0.01}
    recipe = bn.Recipe(norm=norm, hidden_bias=hidden_bias, dtype=dtype, **sizes)
    ours, expected = drawn(recipe), reference.draw(recipe, SYMBOLS, BLOCK_SIZE)
    assert list(ours) == list(expected)
    torch.testing.assert_close(ours, expected, rtol=0, atol=0)


def test_norms_draw_nothing_so_the_batches_that_follow_are_the_same():
    states = []
    for norm in NORMS:
        generator = torch.Generator().manual_seed(23)
        draw_parameters(bn.Recipe(norm=norm, depth=2), SYMBOLS, BLOCK_SIZE, generator)
        states.append(generator.get_state())
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[0], states[2])


def test_the_draws_do_not_depend_on_the_default_dtype():
    expected = drawn(bn.Recipe(hidden_gain=0.3))
    torch.set_default_dtype(torch.float64)
    try:
        ours = drawn(bn.Recipe(hidden_gain=0.3))
    finally:
        torch.set_default_dtype(torch.float32)
    for name, tensor in expected.items():
        assert torch.equal(ours[name], tensor), name


CONTEXTS, TARGETS = np.arange(30).reshape(10, 3) % SYMBOLS, np.arange(10) % SYMBOLS


@pytest.mark.parametrize("placement", ["before", "after"])
@pytest.mark.parametrize("norm", NORMS)
def test_what_is_kept_of_the_layers_stands_in_reading_order(norm, placement):
    recipe = bn.Recipe(norm=norm, placement=placement, depth=2, hidden=5)
    there = Network(recipe, drawn(recipe)).there_and_back(CONTEXTS, TARGETS)
    names = ["hidden", "norm", "tanh"] if placement == "before" else ["hidden", "tanh", "norm"]
    hidden = [f"{name}.{i}" for i in range(2) for name in names if norm or name != "norm"]
    assert list(there.outputs) == ["embedding", *hidden, "output"]
    assert list(there.output_gradients) == list(there.outputs)
    assert list(there.gradients) == list(drawn(recipe))


@pytest.mark.parametrize("hidden_bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("norm", NORMS)
def test_parameters_give_back_what_the_network_was_built_from(norm, dtype, hidden_bias):
    recipe = bn.Recipe(norm=norm, depth=3, hidden=5, dtype=dtype, hidden_bias=hidden_bias)
    network, given = Network(recipe, drawn(recipe)), drawn(recipe)
    ours = network.parameters()
    assert list(ours) == list(given)
    for name, tensor in given.items():
        assert ours[name].dtype == dtype
        assert torch.equal(ours[name], tensor), name
    assert len(network) == sum(tensor.numel() for tensor in given.values())


def test_parameters_are_copied_in_and_out():
    recipe = bn.Recipe(hidden=5)
    given = drawn(recipe)
    network = Network(recipe, given)
    for tensor in [*given.values(), *network.parameters().values()]:
        tensor.add_(1)
    for name, tensor in drawn(recipe).items():
        assert torch.equal(network.parameters()[name], tensor)


@pytest.mark.parametrize("norm", NORMS)
def test_a_batch_leaves_no_trace_in_the_next(norm):
    recipe = bn.Recipe(norm=norm, hidden=5, eps=1e-5)
    network, fresh = Network(recipe, drawn(recipe)), Network(recipe, drawn(recipe))
    for contexts in (CONTEXTS[::-1, ::-1].copy(), CONTEXTS[:4]):
        network.there_and_back(contexts, TARGETS[: len(contexts)])
        network.losses(contexts, TARGETS[: len(contexts)])
    ours, theirs = (n.there_and_back(CONTEXTS, TARGETS) for n in (network, fresh))
    np.testing.assert_array_equal(ours.losses, theirs.losses)
    for name, gradient in theirs.gradients.items():
        assert torch.equal(ours.gradients[name], gradient), name
        assert "hidden.0.bias" in name or gradient.any()


def test_layer_by_layer_is_the_whole_network():
    recipe = bn.Recipe(depth=2, hidden=5, dtype="float64", correction=0)
    network = Network(recipe, drawn(recipe))
    outputs = network.there_and_back(CONTEXTS, TARGETS).outputs
    x = network.embed(CONTEXTS)
    for i in range(2):
        x, mean, std = network.hidden_layer(i, x)
        np.testing.assert_allclose(x, outputs[f"tanh.{i}"], rtol=0, atol=1e-12)
        np.testing.assert_allclose(mean, outputs[f"hidden.{i}"].mean(dim=0), atol=1e-12)
        np.testing.assert_allclose(std, outputs[f"hidden.{i}"].std(dim=0, correction=0), atol=1e-12)


COMPILED = """
import torch
import bn_tutorial as bn
from bn_tutorial import layers
from bn_tutorial.network import compile_ahead

def compiled():
    return {name: f.signatures for name, f in vars(layers).items() if hasattr(f, "signatures")}

compile_ahead()
ahead = {name: list(signatures) for name, signatures in compiled().items()}
dataset = bn.Dataset.from_words(bn.load_words())
one = dataset.val.contexts[:2], dataset.val.targets[:2]
for norm in ("batch", "layer", None):
    for dtype in ("float32", "float64"):
        run = bn.train(dataset, bn.Recipe(norm=norm, dtype=dtype, steps=2, depth=2))
        stats = bn.calibrate(run, dataset.val) if norm == "batch" else None
        bn.evaluate(run, dataset.val, stats)
        bn.logits(run, one[0], stats)
        bn.probe(run, *one, stats)
assert ahead["train_steps"] and ahead["hidden_forward"]
print({name: s for name, s in compiled().items() if s != ahead[name]})
"""


def test_what_is_compiled_ahead_is_all_there_is_to_compile():
    done = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("{}\n", "")


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.arange(9), r"targets: expected indices of shape \(10,\), got torch.int64 of shape"),
        (torch.arange(10), "targets: expected indices from 0 to 6, got 0 to 9"),
        (torch.zeros(10), "targets: expected indices of shape .* got torch.float32"),
    ],
)
def test_targets_that_do_not_fit_are_refused(targets, message):
    recipe = bn.Recipe(hidden=5)
    with pytest.raises(ValueError, match=f"^{message}"):
        Network(recipe, drawn(recipe)).check(torch.from_numpy(CONTEXTS), targets)
