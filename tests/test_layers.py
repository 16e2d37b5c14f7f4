import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import bn_tutorial as bn
from bn_tutorial.layers import (
    BatchNorm,
    CrossEntropy,
    Embedding,
    LayerNorm,
    Linear,
    Parameter,
    Tanh,
)
from bn_tutorial.model import Model, draw_parameters

cheap = settings(deadline=None, max_examples=40)
runs_ = st.sampled_from([1, 3])
sizes = st.integers(1, 6)
seeds = st.integers(0, 2**32 - 1)
norm_settings = pytest.mark.parametrize(
    ("correction", "eps"), [(c, e) for c in (0, 1) for e in (0.0, 1e-5, 0.1)]
)
pytestmark = pytest.mark.usefixtures("one_thread")


def close(ours, theirs, tolerance=1e-10):
    torch.testing.assert_close(
        torch.as_tensor(ours), torch.as_tensor(theirs).detach(), rtol=tolerance, atol=tolerance
    )


def leaf(array):
    return torch.tensor(array, requires_grad=True)


def parameter(rng, *shape):
    return Parameter(rng.normal(size=shape), np.full(shape, np.nan))  # backward must fill grad


def batch(rng, *shape):
    return 3 * rng.normal(size=shape) + rng.normal(size=shape[-1])  # units differ in their means


def check_against_autograd(rng, layer, x, reference, *parameters):
    """Compare output and all gradients; return what autograd saw."""
    given_x, tx, leaves = x.copy(), leaf(x), [leaf(p.data) for p in parameters]
    y, expected = layer.forward(x), reference(tx, *leaves)
    close(y, expected)
    dy = rng.normal(size=y.shape)
    expected.backward(torch.from_numpy(dy))
    close(layer.backward(dy), tx.grad)
    for ours, theirs in zip(parameters, leaves, strict=True):
        close(ours.grad, theirs.grad)
    np.testing.assert_array_equal(x, given_x, "the input stays as it was")
    return tx


@given(runs_, sizes, sizes, st.integers(1, 4), sizes, seeds)
@cheap
def test_embedding_equals_autograd(runs, batch_size, block_size, dim, symbols, seed):
    rng = np.random.default_rng(seed)
    contexts = rng.integers(symbols, size=(runs, batch_size, block_size))
    weight = parameter(rng, runs, symbols, dim)
    layer, leaf_weight = Embedding(weight), leaf(weight.data)
    y = layer.forward(layer.places(contexts))
    expected = torch.stack(
        [
            F.embedding(torch.from_numpy(c), w).flatten(1)
            for c, w in zip(contexts, leaf_weight, strict=True)
        ]
    )
    close(y, expected)
    dy = rng.normal(size=y.shape)
    expected.backward(torch.from_numpy(dy))
    assert layer.backward(dy) is None
    close(weight.grad, leaf_weight.grad)


def test_places_of_many_batches_are_those_of_each():
    rng = np.random.default_rng(0)
    layer = Embedding(parameter(rng, 3, 5, 2))
    contexts, targets = rng.integers(5, size=(4, 3, 6, 2)), rng.integers(5, size=(4, 3, 6))
    for step in range(4):
        np.testing.assert_array_equal(layer.places(contexts)[step], layer.places(contexts[step]))
        np.testing.assert_array_equal(
            CrossEntropy.places(targets, 5)[step], CrossEntropy.places(targets[step], 5)
        )


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("batch_last", [True, False])
@given(runs_, sizes, sizes, sizes, seeds)
@cheap
def test_linear_equals_autograd(has_bias, batch_last, runs, batch_size, inputs, outputs, seed):
    rng = np.random.default_rng(seed)
    parameters = [parameter(rng, runs, inputs, outputs)]
    parameters += [parameter(rng, runs, 1, outputs)] if has_bias else []
    layer = Linear(*parameters, batch_last=batch_last)
    x = batch(rng, runs, batch_size, inputs)
    check_against_autograd(rng, layer, x, lambda x, w, b=0: x @ w + b, *parameters)
    y = layer.forward(x)
    assert (y.transpose(0, 2, 1) if batch_last else y).flags.c_contiguous


def test_linear_equals_torch_linear():
    rng = np.random.default_rng(0)
    weight, bias = parameter(rng, 1, 5, 4), parameter(rng, 1, 1, 4)
    x = batch(rng, 1, 7, 5)
    expected = F.linear(
        *(torch.from_numpy(a) for a in (x[0], weight.data[0].T.copy(), bias.data[0, 0]))
    )
    close(Linear(weight, bias).forward(x)[0], expected)


def torch_batch_norm(correction, eps, statistics=None):
    def reference(x, weight, bias):
        if statistics is None:
            var, mean = torch.var_mean(x, dim=1, keepdim=True, correction=correction)
        else:
            mean, var = (torch.from_numpy(s) for s in statistics)
            var = var**2
        return weight * (x - mean) / torch.sqrt(var + eps) + bias

    return reference


@norm_settings
@given(runs_, st.integers(2, 8), sizes, seeds)
@cheap
def test_batch_norm_equals_autograd(correction, eps, runs, batch_size, hidden, seed):
    rng = np.random.default_rng(seed)
    affine = parameter(rng, runs, 1, hidden), parameter(rng, runs, 1, hidden)
    layer = BatchNorm(*affine, correction=correction, eps=eps)
    x = check_against_autograd(
        rng, layer, batch(rng, runs, batch_size, hidden), torch_batch_norm(correction, eps), *affine
    )
    close(layer.mean, x.mean(dim=1, keepdim=True))
    close(layer.std, x.std(dim=1, keepdim=True, correction=correction))


@norm_settings
@pytest.mark.parametrize("batch_size", [2, 7])
@pytest.mark.parametrize("runs", [1, 3])
def test_batch_norm_with_fixed_statistics_equals_autograd(correction, eps, batch_size, runs):
    rng = np.random.default_rng(0)
    affine = parameter(rng, runs, 1, 4), parameter(rng, runs, 1, 4)
    statistics = rng.normal(size=(runs, 1, 4)), rng.uniform(0.2, 2, size=(runs, 1, 4))
    layer = BatchNorm(*affine, correction=correction, eps=eps, statistics=statistics)
    reference = torch_batch_norm(correction, eps, statistics)
    check_against_autograd(rng, layer, batch(rng, runs, batch_size, 4), reference, *affine)
    np.testing.assert_array_equal(layer.mean, statistics[0])
    np.testing.assert_array_equal(layer.std, statistics[1])


@pytest.mark.parametrize("correction", [0, 1])
def test_batch_norm_with_fixed_statistics_takes_a_single_example(correction):
    rng = np.random.default_rng(0)
    affine = parameter(rng, 1, 1, 4), parameter(rng, 1, 1, 4)
    statistics = rng.normal(size=(1, 1, 4)), rng.uniform(0.2, 2, size=(1, 1, 4))
    layer = BatchNorm(*affine, correction=correction, statistics=statistics)
    reference = torch_batch_norm(correction, 0, statistics)
    check_against_autograd(rng, layer, batch(rng, 1, 1, 4), reference, *affine)


def torch_modules(kind, weight, bias, **options):
    """Make one module of torch.nn a run, with the run's gain and shift."""
    modules = []
    for gain, shift in zip(weight.data[:, 0], bias.data[:, 0], strict=True):
        module = kind(len(gain), dtype=torch.float64, **options)
        module.weight.data, module.bias.data = torch.tensor(gain), torch.tensor(shift)
        modules.append(module)
    return modules


def check_against_modules(rng, layer, x, modules):
    weight, bias = layer.weight, layer.bias
    y, dy, tx = layer.forward(x), rng.normal(size=x.shape), leaf(x)
    expected = torch.stack([module(run) for module, run in zip(modules, tx, strict=True)])
    close(y, expected)
    expected.backward(torch.from_numpy(dy))
    close(layer.backward(dy), tx.grad)
    close(weight.grad[:, 0], torch.stack([module.weight.grad for module in modules]))
    close(bias.grad[:, 0], torch.stack([module.bias.grad for module in modules]))


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("batch_size", [2, 9, 64])
def test_batch_norm_equals_torch_in_training(runs, batch_size):
    rng = np.random.default_rng(0)
    affine = parameter(rng, runs, 1, 5), parameter(rng, runs, 1, 5)
    x = batch(rng, runs, batch_size, 5)
    modules = torch_modules(nn.BatchNorm1d, *affine, eps=1e-5, momentum=1.0)
    layer = BatchNorm(*affine, correction=0, eps=1e-5)
    check_against_modules(rng, layer, x, modules)

    # torch normalizes with correction 0 and remembers the variance with correction 1
    running_mean = torch.stack([module.running_mean for module in modules])
    running_var = torch.stack([module.running_var for module in modules])
    close(layer.mean[:, 0], running_mean)
    close(layer.std[:, 0] ** 2 * batch_size / (batch_size - 1), running_var)
    seed_like = BatchNorm(*affine, correction=1)
    seed_like.forward(x)
    close(seed_like.std[:, 0] ** 2, running_var)


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("correction", [0, 1])
def test_batch_norm_with_fixed_statistics_equals_torch_in_evaluation(runs, correction):
    rng = np.random.default_rng(0)
    affine = parameter(rng, runs, 1, 5), parameter(rng, runs, 1, 5)
    modules = torch_modules(nn.BatchNorm1d, *affine, eps=1e-5)
    mean, var = rng.normal(size=(runs, 1, 5)), rng.uniform(0.1, 4, size=(runs, 1, 5))
    for r, module in enumerate(modules):
        module.eval()
        module.running_mean, module.running_var = torch.tensor(mean[r, 0]), torch.tensor(var[r, 0])
    layer = BatchNorm(*affine, correction=correction, eps=1e-5, statistics=(mean, np.sqrt(var)))
    check_against_modules(rng, layer, batch(rng, runs, 8, 5), modules)


@given(runs_, st.integers(2, 8), sizes, st.sampled_from([0, 1]), seeds)
@cheap
def test_batch_norm_gives_mean_bias_and_standard_deviation_weight(runs, n, hidden, c, seed):
    rng = np.random.default_rng(seed)
    weight, bias = parameter(rng, runs, 1, hidden), parameter(rng, runs, 1, hidden)
    y = BatchNorm(weight, bias, correction=c).forward(batch(rng, runs, n, hidden))
    close(y.mean(axis=1, keepdims=True), bias.data)
    close(y.std(axis=1, keepdims=True, ddof=c), abs(weight.data))


@given(runs_, st.integers(3, 8), sizes, st.sampled_from([0, 1]), seeds)
@cheap
def test_batch_norm_does_not_see_shift_and_positive_scale(runs, n, hidden, c, seed):
    rng = np.random.default_rng(seed)
    layer = BatchNorm(
        parameter(rng, runs, 1, hidden), parameter(rng, runs, 1, hidden), correction=c
    )
    x, shift = batch(rng, runs, n, hidden), rng.normal(scale=5, size=(runs, 1, hidden))
    scale = np.exp(rng.normal(size=(runs, 1, hidden)))
    close(layer.forward(scale * x + shift).copy(), layer.forward(x).copy(), 1e-8)
    # a negative scale turns x_hat round
    bias = layer.bias.data
    close(layer.forward(-scale * x).copy() - bias, bias - layer.forward(x), 1e-8)


@given(runs_, st.integers(3, 8), sizes, st.sampled_from([0, 1]), seeds)
@cheap
def test_batch_norm_input_gradient_has_no_mean_and_no_part_along_x_hat(runs, n, hidden, c, seed):
    rng = np.random.default_rng(seed)
    ones, zeros = Parameter(np.ones((runs, 1, hidden))), Parameter(np.zeros((runs, 1, hidden)))
    layer = BatchNorm(ones, zeros, correction=c)
    x_hat = layer.forward(batch(rng, runs, n, hidden)).copy()
    dx = layer.backward(rng.normal(size=x_hat.shape))
    # in units of 1 / std, so that the tolerance means the same for all units
    close((dx * layer.std).sum(axis=1), np.zeros((runs, hidden)))
    close((dx * layer.std * x_hat).sum(axis=1), np.zeros((runs, hidden)))


@pytest.mark.parametrize("eps", [1e-5, 0.1])
@given(runs_, sizes, sizes, seeds)
@cheap
def test_layer_norm_equals_torch(eps, runs, batch_size, hidden, seed):
    rng = np.random.default_rng(seed)
    affine = parameter(rng, runs, 1, hidden), parameter(rng, runs, 1, hidden)
    modules = torch_modules(nn.LayerNorm, *affine, eps=eps)
    check_against_modules(
        rng, LayerNorm(*affine, eps=eps), batch(rng, runs, batch_size, hidden), modules
    )


def test_layer_norm_without_eps_equals_autograd():
    rng = np.random.default_rng(0)
    affine = parameter(rng, 3, 1, 6), parameter(rng, 3, 1, 6)

    def reference(x, weight, bias):
        var, mean = torch.var_mean(x, dim=2, keepdim=True, correction=0)
        return weight * (x - mean) / torch.sqrt(var) + bias

    layer = LayerNorm(*affine, eps=0)
    check_against_autograd(rng, layer, batch(rng, 3, 5, 6), reference, *affine)


def test_layer_norm_has_the_eps_of_torch():
    rng = np.random.default_rng(0)
    affine = parameter(rng, 1, 1, 6), parameter(rng, 1, 1, 6)
    x = 1e-3 * rng.normal(size=(1, 5, 6))  # small enough for eps to matter
    check_against_modules(rng, LayerNorm(*affine), x, torch_modules(nn.LayerNorm, *affine))


@given(runs_, sizes, sizes, seeds)
@cheap
def test_tanh_equals_autograd(runs, batch_size, hidden, seed):
    rng = np.random.default_rng(seed)
    check_against_autograd(rng, Tanh(), batch(rng, runs, batch_size, hidden), torch.tanh)


def check_cross_entropy(logits, targets):
    given_logits = logits.copy()
    layer, leaf_logits = CrossEntropy(), leaf(logits)
    loss = layer.forward(logits, layer.places(targets, logits.shape[2]))
    expected = torch.stack(
        [
            F.cross_entropy(run, torch.from_numpy(t))
            for run, t in zip(leaf_logits, targets, strict=True)
        ]
    )
    close(loss, expected)
    expected.sum().backward()
    close(layer.backward(), leaf_logits.grad)
    np.testing.assert_array_equal(logits, given_logits, "the logits stay as they were")


@pytest.mark.parametrize("scale", [1, 1e4])
@given(runs_, sizes, sizes, seeds)
@cheap
def test_cross_entropy_equals_torch(scale, runs, batch_size, symbols, seed):
    rng = np.random.default_rng(seed)
    logits = scale * rng.normal(size=(runs, batch_size, symbols))
    check_cross_entropy(logits, rng.integers(symbols, size=(runs, batch_size)))


def test_cross_entropy_takes_the_batch_last_order_of_the_output_layer():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 4, 5)).transpose(0, 2, 1)  # (R, V, B) -> (R, B, V)
    check_cross_entropy(logits, rng.integers(4, size=(3, 5)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_of_huge_logits_is_finite(dtype):
    layer, logits = CrossEntropy(), np.array([[[1e4, -1e4, 0], [1e4, 1e4, 1e4]]], dtype)
    loss = layer.forward(logits, layer.places(np.array([[1, 2]]), 3))
    assert loss[0] == pytest.approx((2e4 + np.log(3)) / 2)
    third = 1 / 6  # a third, and a half because it is a mean over two
    expected = [[[0.5, -0.5, 0], [third, third, third - 0.5]]]
    np.testing.assert_allclose(layer.backward(), expected, rtol=1e-6, atol=1e-7)


HIDDEN_LAYERS = {
    "linear": Linear,
    "linear, batch last": lambda *p: Linear(*p, batch_last=True),
    "linear without bias": lambda weight, _: Linear(weight),
    "batch norm": BatchNorm,
    "batch norm, correction 0, eps": lambda *p: BatchNorm(*p, correction=0, eps=1e-5),
    "batch norm, fixed": lambda *p: BatchNorm(*p, statistics=(p[0].data + 1, p[1].data ** 2 + 1)),
    "layer norm": LayerNorm,
    "tanh": lambda *_: Tanh(),
}
every_hidden_layer = pytest.mark.parametrize("name", HIDDEN_LAYERS)


def hidden_layer(rng, name, runs=2, hidden=4, dtype=np.float64):
    rows = hidden if "linear" in name else 1
    weight = Parameter(rng.normal(size=(runs, rows, hidden)).astype(dtype))
    bias = Parameter(rng.normal(size=(runs, 1, hidden)).astype(dtype))
    return HIDDEN_LAYERS[name](weight, bias), weight, bias


@every_hidden_layer
def test_a_run_leaves_no_trace_in_another(name):
    rng = np.random.default_rng(0)
    layer, weight, bias = hidden_layer(rng, name)
    x, dy = batch(rng, 2, 6, 4), rng.normal(size=(2, 6, 4))
    seen = []
    for changed in (0.0, 1.7):
        x[1] += changed * rng.normal(size=(6, 4))
        dy[1] *= 1 + changed
        y = layer.forward(x).copy()
        seen.append([y, layer.backward(dy).copy(), weight.grad.copy(), bias.grad.copy()])
    for before, after in zip(*seen, strict=True):
        np.testing.assert_array_equal(before[0], after[0])
    assert (seen[0][1][1] != seen[1][1][1]).any(), "the other run did change"


@every_hidden_layer
def test_buffers_follow_the_batch_shape(name):
    rng = np.random.default_rng(0)
    layer, weight, bias = hidden_layer(rng, name)
    for batch_size in (5, 3, 5, 8):
        fresh = HIDDEN_LAYERS[name](Parameter(weight.data), Parameter(bias.data))
        x, dy = batch(rng, 2, batch_size, 4), rng.normal(size=(2, batch_size, 4))
        np.testing.assert_array_equal(layer.forward(x), fresh.forward(x))
        np.testing.assert_array_equal(layer.backward(dy), fresh.backward(dy))
        if hasattr(fresh, "weight"):
            np.testing.assert_array_equal(weight.grad, fresh.weight.grad)


@every_hidden_layer
def test_a_second_batch_of_the_same_shape_reuses_the_buffers(name):
    rng = np.random.default_rng(0)
    layer, _, _ = hidden_layer(rng, name)
    y = layer.forward(batch(rng, 2, 5, 4))
    dx = layer.backward(y)
    assert layer.forward(batch(rng, 2, 5, 4)) is y
    assert layer.backward(y) is dx


@every_hidden_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_layer_keeps_its_dtype(name, dtype):
    rng = np.random.default_rng(0)
    layer, weight, bias = hidden_layer(rng, name, dtype=dtype)
    x = batch(rng, 2, 5, 4).astype(dtype)
    y = layer.forward(x)
    dx = layer.backward(y.copy())
    assert {a.dtype for a in (y, dx, weight.grad, bias.grad)} == {np.dtype(dtype)}
    if "batch norm" in name:
        assert layer.mean.dtype == layer.std.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_embedding_and_loss_keep_their_dtype(dtype):
    rng = np.random.default_rng(0)
    layer, loss = Embedding(Parameter(rng.normal(size=(2, 4, 2)).astype(dtype))), CrossEntropy()
    y = layer.forward(layer.places(rng.integers(4, size=(2, 5, 2))))
    layer.backward(y)
    value = loss.forward(y, loss.places(rng.integers(4, size=(2, 5)), 4))
    arrays = y, layer.weight.grad, value, loss.backward()
    assert {a.dtype for a in arrays} == {np.dtype(dtype)}


class SeedBatchNorm(nn.Module):
    """The seed's batch norm by autograd: correction 1, which nn.BatchNorm1d does not offer."""

    def __init__(self, hidden, eps):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(hidden)), nn.Parameter(torch.zeros(hidden))
        self.eps = eps

    def forward(self, x):
        var, mean = torch.var_mean(x, dim=0, correction=1)
        return self.weight * (x - mean) / torch.sqrt(var + self.eps) + self.bias


class Twin(nn.Module):
    """The network of a recipe in torch.nn, started from given parameters."""

    def __init__(self, recipe, parameters):
        super().__init__()
        symbols, dim = parameters["embedding"].shape
        self.embedding = nn.Embedding(symbols, dim)
        self.linears, self.norms = nn.ModuleList(), nn.ModuleList()
        for i in range(recipe.depth):
            fan_in = parameters[f"hidden.{i}.weight"].shape[0]
            self.linears.append(nn.Linear(fan_in, recipe.hidden, bias=recipe.hidden_bias))
            if recipe.norm == "layer":
                self.norms.append(nn.LayerNorm(recipe.hidden, eps=recipe.eps))
            elif recipe.norm and recipe.correction == 0:
                self.norms.append(nn.BatchNorm1d(recipe.hidden, eps=recipe.eps))
            else:
                self.norms.append(
                    SeedBatchNorm(recipe.hidden, recipe.eps) if recipe.norm else nn.Identity()
                )
        self.output = nn.Linear(recipe.hidden, symbols)
        self.double()
        for name, tensor in self.named().items():
            tensor.data.copy_(parameters[name])

    def forward(self, contexts):
        x = self.embedding(contexts).flatten(1)
        for linear, norm in zip(self.linears, self.norms, strict=True):
            x = torch.tanh(norm(linear(x)))
        return self.output(x)

    def named(self):
        """Name the parameters as ours, weights of Linears transposed."""
        named = {"embedding": self.embedding.weight}
        for i, pair in enumerate(zip(self.linears, self.norms, strict=True)):
            for kind, module in zip(("hidden", "norm"), pair, strict=True):
                for name, tensor in module.named_parameters():
                    named[f"{kind}.{i}.{name}"] = tensor.T if tensor.ndim == 2 else tensor
        return named | {"output.weight": self.output.weight.T, "output.bias": self.output.bias}


NETWORKS = {
    "plain": {"norm": None},
    "plain without bias": {"norm": None, "hidden_bias": False},
    "batch, as in the seed": {"norm": "batch", "hidden_bias": False},
    "batch, as in torch": {"norm": "batch", "correction": 0, "eps": 1e-5},
    "layer": {"norm": "layer", "eps": 1e-5},
}


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_training_equals_autograd_after_one_step_and_after_200(name, depth):
    recipe = bn.Recipe(depth=depth, hidden=12, hidden_gain=0.5, dtype="float64", **NETWORKS[name])
    symbols, block_size, batch_size, rates = 9, 3, 16, np.array([[0.1], [0.3]])  # (R, 1)
    generator = torch.Generator().manual_seed(1)
    drawn = [draw_parameters(recipe, symbols, block_size, generator) for _ in range(2)]
    model, twins = Model(recipe, drawn), [Twin(recipe, run) for run in drawn]
    optimizers = [
        torch.optim.SGD(t.parameters(), lr=r) for t, r in zip(twins, rates[:, 0], strict=True)
    ]
    for step in range(1, 201):
        contexts = torch.randint(symbols, (2, batch_size, block_size), generator=generator)
        targets = contexts.sum(dim=2) % symbols  # something that can be learned
        places = model.places(contexts.numpy(), targets.numpy())
        losses = model.loss.forward(model.forward(places[0]), places[1]).copy()
        model.backward()
        model.update(rates)
        for r, (twin, optimizer) in enumerate(zip(twins, optimizers, strict=True)):
            loss = F.cross_entropy(twin(contexts[r]), targets[r])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            assert losses[r] == pytest.approx(loss.item(), rel=0, abs=1e-10)
            if step in (1, 200):
                ours, theirs = model.tensors(r), twin.named()
                assert ours.keys() == theirs.keys()
                for key in ours:
                    close(ours[key], theirs[key], 1e-9)


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_in_a_whole_network_a_run_leaves_no_trace_in_another(norm):
    recipe = bn.Recipe(norm=norm, depth=2, hidden=8, eps=1e-5)
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(1)
    model = Model(recipe, [draw_parameters(recipe, 5, 3, generator) for _ in range(2)])
    contexts, targets = rng.integers(5, size=(2, 10, 3)), rng.integers(5, size=(2, 10))
    seen = []
    for _ in range(2):
        places = model.places(contexts, targets)
        logits = model.forward(places[0]).copy()
        loss = model.loss.forward(logits, places[1])
        model.backward()
        seen.append([logits, loss, model.grad.copy()])
        contexts[1], targets[1] = contexts[1, ::-1, ::-1], (targets[1] + 1) % 5
    for before, after in zip(*seen, strict=True):
        np.testing.assert_array_equal(before[0], after[0])
        assert (before[1] != after[1]).any()


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_a_float32_network_stays_float32(norm):
    recipe = bn.Recipe(norm=norm, depth=2, hidden=8, eps=1e-5)
    generator = torch.Generator().manual_seed(1)
    model = Model(recipe, [draw_parameters(recipe, 5, 3, generator)])
    contexts, targets = np.arange(30).reshape(1, 10, 3) % 5, np.arange(10)[None] % 5
    places = model.places(contexts, targets)
    logits = model.forward(places[0])
    loss = model.loss.forward(logits, places[1])
    model.backward()
    model.update(np.full((1, 1), 0.1))  # float64
    assert {a.dtype for a in (logits, loss, model.data, model.grad)} == {np.dtype(np.float32)}
    assert {tensor.dtype for tensor in model.tensors(0).values()} == {torch.float32}
