import numpy as np
import pytest
import torch

import bn_tutorial as bn
from bn_tutorial.layers import BatchNorm, CrossEntropy, Embedding, LayerNorm, Linear, Tanh
from bn_tutorial.model import Model, draw_parameters

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
    recipe = bn.Recipe(
        norm=norm,
        depth=3,
        hidden=5,
        embedding=4,
        hidden_bias=hidden_bias,
        hidden_gain=3.0,
        output_gain=0.01,
        dtype=dtype,
    )
    g = torch.Generator().manual_seed(23)
    expected = {"embedding": torch.randn((SYMBOLS, 4), generator=g)}
    for i, fan_in in enumerate([4 * BLOCK_SIZE, 5, 5]):
        expected[f"hidden.{i}.weight"] = torch.randn((fan_in, 5), generator=g) * 3.0
        if hidden_bias:
            expected[f"hidden.{i}.bias"] = torch.randn(5, generator=g) * 3.0
        if norm:
            expected[f"norm.{i}.weight"] = torch.ones(5)
            expected[f"norm.{i}.bias"] = torch.zeros(5)
    expected["output.weight"] = torch.randn((5, SYMBOLS), generator=g) * 0.01
    expected["output.bias"] = torch.randn(SYMBOLS, generator=g) * 0.01
    ours = drawn(recipe)
    assert list(ours) == list(expected)
    for name, tensor in expected.items():
        assert torch.equal(ours[name], tensor.to(dtype)), name
        assert ours[name].dtype == dtype


def test_norms_draw_nothing_so_the_batches_that_follow_are_the_same():
    states = []
    for norm in NORMS:
        generator = torch.Generator().manual_seed(23)
        draw_parameters(bn.Recipe(norm=norm, depth=2), SYMBOLS, BLOCK_SIZE, generator)
        states.append(generator.get_state())
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[0], states[2])


def test_gains_leave_the_other_draws_alone():
    plain, scaled = drawn(bn.Recipe()), drawn(bn.Recipe(hidden_gain=2.0, output_gain=0.5))
    factors = {"hidden": 2.0, "output": 0.5}
    for name in plain:
        assert torch.equal(scaled[name], plain[name] * factors.get(name.split(".")[0], 1.0))


@pytest.mark.parametrize(
    ("norm", "kinds"),
    [
        (None, [Linear, Tanh]),
        ("batch", [Linear, BatchNorm, Tanh]),
        ("layer", [Linear, LayerNorm, Tanh]),
    ],
)
def test_layers_stand_in_reading_order(norm, kinds):
    recipe = bn.Recipe(norm=norm, depth=2, hidden=5, eps=0.25, correction=0)
    model = Model(recipe, [drawn(recipe)])
    assert [type(layer) for layer in model.layers.values()] == [Embedding, *kinds, *kinds, Linear]
    names = ["hidden", "norm", "tanh"] if norm else ["hidden", "tanh"]
    hidden = [f"{name}.{i}" for i in range(2) for name in names]
    assert list(model.layers) == ["embedding", *hidden, "output"]
    assert isinstance(model.loss, CrossEntropy)
    expected = [model.layers["norm.0"], model.layers["norm.1"]] if norm == "batch" else []
    assert model.norms == expected
    assert all(layer.eps == 0.25 and layer.correction == 0 for layer in model.norms)
    if norm == "layer":
        assert model.layers["norm.1"].eps == 0.25


@pytest.mark.parametrize("norm", NORMS)
def test_a_norm_placed_after_stands_behind_its_tanh(norm):
    recipe = bn.Recipe(norm=norm, placement="after", depth=2, hidden=5)
    names = ["hidden", "tanh", "norm"] if norm else ["hidden", "tanh"]
    hidden = [f"{name}.{i}" for i in range(2) for name in names]
    assert list(Model(recipe, [drawn(recipe)]).layers) == ["embedding", *hidden, "output"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("norm", NORMS)
def test_tensors_give_back_what_the_model_was_built_from(norm, dtype):
    recipe = bn.Recipe(norm=norm, depth=2, hidden=5, dtype=dtype)
    runs = [drawn(recipe, seed) for seed in range(3)]
    model = Model(recipe, runs)
    for r, run in enumerate(runs):
        ours = model.tensors(r)
        assert list(ours) == list(run)
        for name, tensor in run.items():
            assert ours[name].dtype == dtype
            assert torch.equal(ours[name], tensor), name
    assert model.data.shape == (3, sum(tensor.numel() for tensor in runs[0].values()))


def test_tensors_are_copies():
    recipe = bn.Recipe(hidden=5)
    model = Model(recipe, [drawn(recipe)])
    before = model.data.copy()
    for tensor in model.tensors(0).values():
        tensor.add_(1)
    np.testing.assert_array_equal(model.data, before)


def test_the_model_copies_the_parameters_it_is_given():
    recipe = bn.Recipe(hidden=5)
    parameters = drawn(recipe)
    model = Model(recipe, [parameters])
    model.data += 1
    assert torch.equal(parameters["norm.0.bias"], torch.zeros(5))


def test_layers_see_and_fill_the_flat_arrays():
    recipe = bn.Recipe(depth=2, hidden=5)
    model = Model(recipe, [drawn(recipe, seed) for seed in range(2)])
    parts = ["hidden.0", "hidden.1", "norm.0", "norm.1", "output"]
    parameters = {f"{part}.weight": model.layers[part].weight for part in parts}
    parameters |= {f"{part}.bias": model.layers[part].bias for part in parts}
    parameters["embedding"] = model.layers["embedding"].weight
    model.data[...] = np.arange(model.data.size).reshape(model.data.shape)
    for p in parameters.values():
        p.grad[...] = 2 * p.data
    np.testing.assert_array_equal(model.grad, 2 * model.data)
    for r in range(2):
        data, grad = model.tensors(r), model.tensors(r, model.grad)
        assert data.keys() == parameters.keys()
        for name, p in parameters.items():
            np.testing.assert_array_equal(data[name].ravel(), p.data[r].ravel())
            np.testing.assert_array_equal(grad[name], 2 * data[name])


def test_update_steps_down_the_gradient_with_a_rate_for_each_run():
    recipe = bn.Recipe(hidden=5, dtype="float64")
    model = Model(recipe, [drawn(recipe), drawn(recipe)])
    before, grad = model.data.copy(), np.random.default_rng(0).normal(size=model.data.shape)
    model.grad[...] = grad
    model.update(np.array([[0.1], [0.5]]))
    np.testing.assert_allclose(model.data[0], before[0] - 0.1 * grad[0], rtol=0, atol=1e-15)
    np.testing.assert_allclose(model.data[1], before[1] - 0.5 * grad[1], rtol=0, atol=1e-15)
    assert np.shares_memory(model.data, model.layers["output"].weight.data)


def test_given_statistics_replace_those_of_the_batch():
    recipe = bn.Recipe(depth=2, hidden=5, dtype="float64")
    statistics = bn.Statistics(
        [torch.full((5,), 1.0), torch.full((5,), 2.0)],
        [torch.full((5,), 3.0), torch.full((5,), 4.0)],
    )
    model = Model(recipe, [drawn(recipe)], statistics)
    places, _ = model.places(np.zeros((1, 4, 3), int), np.zeros((1, 4), int))
    x = model.forward(places)
    assert x.shape == (1, 4, SYMBOLS)
    for norm, mean, std in zip(model.norms, (1, 2), (3, 4), strict=True):
        assert (norm.mean == mean).all()
        assert (norm.std == std).all()


@pytest.mark.parametrize("norm", NORMS)
def test_backward_overwrites_the_gradients_of_the_last_batch(norm):
    recipe = bn.Recipe(norm=norm, hidden=5, eps=1e-5)
    model, fresh = Model(recipe, [drawn(recipe)]), Model(recipe, [drawn(recipe)])
    contexts, targets = np.arange(30).reshape(1, 10, 3) % SYMBOLS, np.arange(10)[None] % SYMBOLS
    for m, batches in ((model, [contexts, contexts[:, ::-1, ::-1]]), (fresh, [contexts])):
        for batch in reversed(batches):
            x, y = m.places(batch, targets)
            m.loss.forward(m.forward(x), y)
            m.backward()
    np.testing.assert_array_equal(model.grad, fresh.grad)
    assert model.grad.any()
