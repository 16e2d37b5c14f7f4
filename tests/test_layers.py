"""Every compiled layer against autograd and torch.nn, and whole networks too."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

import bn_tutorial as bn
from bn_tutorial import layers
from bn_tutorial.network import Network, draw_parameters

cheap = settings(deadline=None, max_examples=40)
sizes = st.integers(1, 6)
seeds = st.integers(0, 2**32 - 1)
corrections = st.sampled_from([0, 1])
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


def batch(rng, *shape):
    return 3 * rng.normal(size=shape) + rng.normal(size=shape[-1])  # units differ in their means


def blank(*shape, dtype=np.float64):
    return np.full(shape, np.nan, dtype)  # what a layer must fill


def backward_of(y, dy, *leaves):
    """What autograd gives for the leaves."""
    return torch.autograd.grad(y, leaves, torch.from_numpy(dy))


class BatchNorm:
    """The batch norm of a network: its three functions in a row, on arrays of their own."""

    def __init__(self, weight, bias, *, correction=1, eps=0.0, statistics=None):
        self.weight, self.bias, self.statistics = weight, bias, statistics
        self.correction, self.eps = correction, eps

    def forward(self, x):
        self.x_hat, y, hidden = x.copy(), blank(*x.shape, dtype=x.dtype), x.shape[1]
        self.mean, self.std = self.statistics or (blank(hidden), blank(hidden))
        self.inv_std = blank(hidden, dtype=x.dtype)
        if self.statistics is None:
            self.mean, self.std = self.mean.astype(x.dtype), self.std.astype(x.dtype)
            layers.batch_statistics(self.x_hat, self.correction, self.mean, self.std)
        statistics, affine = (self.mean, self.std), (self.weight, self.bias)
        eps = x.dtype.type(self.eps)
        layers.batch_norm_forward(self.x_hat, *statistics, *affine, eps, self.inv_std, y)
        return y

    def backward(self, dy):
        """dx, dweight, dbias."""
        dx, gradients = dy.copy(), (np.full_like(self.weight, np.nan), np.full_like(dy[0], np.nan))
        fixed = self.statistics is not None
        layers.batch_norm_backward(
            dx, self.x_hat, self.weight, self.inv_std, self.correction, fixed, *gradients
        )
        return dx, *gradients


class LayerNorm:
    def __init__(self, weight, bias, *, eps=1e-5):
        self.weight, self.bias, self.eps = weight, bias, eps

    def forward(self, x):
        self.x_hat, self.inv_std, y = x.copy(), blank(len(x)), blank(*x.shape)
        affine = self.weight, self.bias
        layers.layer_norm_forward(self.x_hat, *affine, self.eps, self.inv_std, y)
        return y

    def backward(self, dy):
        """dx, dweight, dbias."""
        dx, gradients = dy.copy(), (blank(dy.shape[1]), blank(dy.shape[1]))
        layers.layer_norm_backward(dx, self.x_hat, self.weight, self.inv_std, *gradients)
        return dx, *gradients


def check_against_autograd(rng, layer, x, reference):
    """Compare output and all gradients with those of a function of torch."""
    leaves = tx, *_ = [leaf(a) for a in (x, layer.weight, layer.bias)]
    y, expected, dy = layer.forward(x), reference(*leaves), rng.normal(size=x.shape)
    close(y, expected)
    for ours, theirs in zip(layer.backward(dy), backward_of(expected, dy, *leaves), strict=True):
        close(ours, theirs)
    return tx


def check_against_module(rng, layer, x, module):
    """Compare output and all gradients with those of a module of torch.nn."""

    def reference(x, weight, bias):
        return functional_call(module.double(), {"weight": weight, "bias": bias}, x)

    check_against_autograd(rng, layer, x, reference)


def affine(rng, hidden):
    return rng.normal(size=hidden), rng.normal(size=hidden)


@given(sizes, sizes, st.integers(1, 4), sizes, seeds)
@cheap
def test_embedding_equals_autograd(batch_size, block_size, dim, symbols, seed):
    rng = np.random.default_rng(seed)
    contexts = rng.integers(symbols, size=(batch_size, block_size))
    weight, y = rng.normal(size=(symbols, dim)), blank(batch_size, block_size * dim)
    layers.embedding_forward(weight, contexts, y)
    tw, dy, dweight = leaf(weight), rng.normal(size=y.shape), blank(symbols, dim)
    expected = F.embedding(torch.from_numpy(contexts), tw).flatten(1)
    close(y, expected)
    layers.embedding_backward(dy, contexts, dweight)
    close(dweight, *backward_of(expected, dy, tw))


@pytest.mark.parametrize("has_bias", [True, False])
@given(sizes, sizes, sizes, seeds)
@cheap
def test_linear_equals_autograd(has_bias, batch_size, inputs, outputs, seed):
    rng = np.random.default_rng(seed)
    x, weight = batch(rng, batch_size, inputs), rng.normal(size=(inputs, outputs))
    bias, y = rng.normal(size=outputs if has_bias else 0), blank(batch_size, outputs)
    layers.linear_forward(x, weight, bias, y)
    tx, tw, tb = leaves = leaf(x), leaf(weight), leaf(bias)
    expected = tx @ tw + (tb if has_bias else 0)
    close(y, expected)
    dy, gradients = rng.normal(size=y.shape), [np.full_like(a, np.nan) for a in (weight, bias, x)]
    layers.linear_backward(dy, x, weight, *gradients)
    theirs = (
        backward_of(expected, dy, *leaves)
        if has_bias
        else (*backward_of(expected, dy, tx, tw), torch.empty(0, dtype=torch.float64))
    )
    for ours, their in zip((gradients[2], *gradients[:2]), theirs, strict=True):
        close(ours, their)


def torch_batch_norm(correction, eps, statistics=None):
    def reference(x, weight, bias):
        if statistics is None:
            var, mean = torch.var_mean(x, dim=0, correction=correction)
        else:
            mean, var = (torch.from_numpy(s) for s in statistics)
            var = var**2
        return weight * (x - mean) / torch.sqrt(var + eps) + bias

    return reference


@norm_settings
@given(st.integers(2, 8), sizes, seeds)
@cheap
def test_batch_norm_equals_autograd(correction, eps, batch_size, hidden, seed):
    rng = np.random.default_rng(seed)
    layer = BatchNorm(*affine(rng, hidden), correction=correction, eps=eps)
    reference = torch_batch_norm(correction, eps)
    x = check_against_autograd(rng, layer, batch(rng, batch_size, hidden), reference)
    close(layer.mean, x.mean(dim=0))
    close(layer.std, x.std(dim=0, correction=correction))


@norm_settings
@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_batch_norm_with_fixed_statistics_equals_autograd(correction, eps, batch_size):
    rng = np.random.default_rng(0)
    statistics = rng.normal(size=4), rng.uniform(0.2, 2, size=4)
    given_ones = [s.copy() for s in statistics]
    layer = BatchNorm(*affine(rng, 4), correction=correction, eps=eps, statistics=statistics)
    reference = torch_batch_norm(correction, eps, statistics)
    check_against_autograd(rng, layer, batch(rng, batch_size, 4), reference)
    np.testing.assert_array_equal(statistics, given_ones)


@pytest.mark.parametrize("batch_size", [2, 9, 64])
def test_batch_norm_equals_torch_in_training(batch_size):
    rng = np.random.default_rng(0)
    layer, x = BatchNorm(*affine(rng, 5), correction=0, eps=1e-5), batch(rng, batch_size, 5)
    module = nn.BatchNorm1d(5, eps=1e-5, momentum=1.0)
    check_against_module(rng, layer, x, module)

    # torch normalizes with correction 0 and remembers the variance with correction 1
    close(layer.mean, module.running_mean)
    close(layer.std**2 * batch_size / (batch_size - 1), module.running_var)
    seed_like = BatchNorm(layer.weight, layer.bias, correction=1)
    seed_like.forward(x)
    close(seed_like.std**2, module.running_var)


@pytest.mark.parametrize("correction", [0, 1])
def test_batch_norm_with_fixed_statistics_equals_torch_in_evaluation(correction):
    rng = np.random.default_rng(0)
    mean, var = rng.normal(size=5), rng.uniform(0.1, 4, size=5)
    module = nn.BatchNorm1d(5, eps=1e-5).eval()
    module.running_mean, module.running_var = torch.tensor(mean), torch.tensor(var)
    statistics = mean, np.sqrt(var)
    layer = BatchNorm(*affine(rng, 5), correction=correction, eps=1e-5, statistics=statistics)
    check_against_module(rng, layer, batch(rng, 8, 5), module)


@given(st.integers(2, 8), sizes, corrections, seeds)
@cheap
def test_batch_norm_gives_mean_bias_and_standard_deviation_weight(n, hidden, c, seed):
    rng = np.random.default_rng(seed)
    weight, bias = affine(rng, hidden)
    y = BatchNorm(weight, bias, correction=c).forward(batch(rng, n, hidden))
    close(y.mean(axis=0), bias)
    close(y.std(axis=0, ddof=c), abs(weight))


@given(st.integers(3, 8), sizes, corrections, seeds)
@cheap
def test_batch_norm_does_not_see_shift_and_positive_scale(n, hidden, c, seed):
    rng = np.random.default_rng(seed)
    layer = BatchNorm(*affine(rng, hidden), correction=c)
    x, shift = batch(rng, n, hidden), rng.normal(scale=5, size=hidden)
    scale = np.exp(rng.normal(size=hidden))
    close(layer.forward(scale * x + shift), layer.forward(x), 1e-8)
    # a negative scale turns x_hat round
    close(layer.forward(-scale * x) - layer.bias, layer.bias - layer.forward(x), 1e-8)


@given(st.integers(3, 8), sizes, corrections, seeds)
@cheap
def test_batch_norm_input_gradient_has_no_mean_and_no_part_along_x_hat(n, hidden, c, seed):
    rng = np.random.default_rng(seed)
    layer = BatchNorm(np.ones(hidden), np.zeros(hidden), correction=c)
    x_hat = layer.forward(batch(rng, n, hidden))
    dx, *_ = layer.backward(rng.normal(size=x_hat.shape))
    # in units of 1 / std, so that the tolerance means the same for all units
    close((dx * layer.std).sum(axis=0), np.zeros(hidden))
    close((dx * layer.std * x_hat).sum(axis=0), np.zeros(hidden))


@pytest.mark.parametrize("eps", [1e-5, 0.1])
@given(sizes, sizes, seeds)
@cheap
def test_layer_norm_equals_torch(eps, batch_size, hidden, seed):
    rng = np.random.default_rng(seed)
    layer = LayerNorm(*affine(rng, hidden), eps=eps)
    x = batch(rng, batch_size, hidden)
    check_against_module(rng, layer, x, nn.LayerNorm(hidden, eps=eps))
    small = 1e-3 * rng.normal(size=(5, hidden))  # small enough for eps to matter
    check_against_module(rng, layer, small, nn.LayerNorm(hidden, eps=eps))


def test_layer_norm_without_eps_equals_torch():
    rng = np.random.default_rng(0)
    layer = LayerNorm(*affine(rng, 6), eps=0.0)
    check_against_module(rng, layer, batch(rng, 5, 6), nn.LayerNorm(6, eps=0.0))


@given(sizes, sizes, seeds)
@cheap
def test_tanh_equals_autograd(batch_size, hidden, seed):
    rng = np.random.default_rng(seed)
    x = batch(rng, batch_size, hidden)
    y, tx, dy = x.copy(), leaf(x), rng.normal(size=x.shape)
    layers.tanh_forward(y)
    close(y, tx.tanh())
    dx = dy.copy()
    layers.tanh_backward(dx, y)
    close(dx, *backward_of(tx.tanh(), dy, tx))


@pytest.mark.parametrize(("dtype", "error"), [("float32", 4e-7), ("float64", 1e-15)])
def test_tanh_is_right_to_the_last_digits_everywhere(dtype, error):
    x = np.concatenate([np.linspace(-25, 25, 100_001), 10.0 ** np.arange(-30, 30)]).astype(dtype)
    expected, y = np.tanh(x.astype(float)), x[None].copy()
    layers.tanh_forward(y)
    np.testing.assert_allclose(y[0], expected, rtol=error, atol=0)
    assert abs(y).max() == 1
    assert (abs(y[0]) == 1)[abs(x) > 19.1].all()  # so that no gradient passes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tanh_knows_infinity_and_hands_nan_through(dtype):
    y = np.array([[np.inf, -np.inf, np.nan, 0]], dtype)
    layers.tanh_forward(y)
    np.testing.assert_array_equal(y, [[1, -1, np.nan, 0]])


def check_cross_entropy(logits, targets, tolerance=1e-10):
    dlogits, losses, tl = logits.copy(), blank(len(logits)), leaf(logits)
    layers.cross_entropy(dlogits, targets, losses)
    expected = F.cross_entropy(tl, torch.from_numpy(targets), reduction="none")
    close(losses, expected, tolerance)
    close(dlogits, *torch.autograd.grad(expected.mean(), tl), tolerance)


@pytest.mark.parametrize("scale", [1, 30, 1e4])
@given(sizes, sizes, seeds)
@cheap
def test_cross_entropy_equals_torch(scale, batch_size, symbols, seed):
    rng = np.random.default_rng(seed)
    logits = scale * rng.normal(size=(batch_size, symbols))
    check_cross_entropy(logits, rng.integers(symbols, size=batch_size))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cross_entropy_of_huge_logits_is_finite(dtype):
    logits, losses = np.array([[1e4, -1e4, 0], [1e4, 1e4, 1e4]], dtype), blank(2, dtype=dtype)
    layers.cross_entropy(logits, np.array([1, 2]), losses)
    np.testing.assert_allclose(losses, [2e4, np.log(3)], rtol=1e-6)
    third = 1 / 6  # a third, and a half because it is a mean over two
    expected = [[0.5, -0.5, 0], [third, third, third - 0.5]]
    np.testing.assert_allclose(logits, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cross_entropy_of_what_is_not_finite_is_not_finite(dtype, bad):
    logits, losses = np.zeros((2, 5), dtype), blank(2, dtype=dtype)
    logits[0, 3] = bad
    layers.cross_entropy(logits, np.array([3, 3]), losses)
    assert not np.isfinite(losses[0])
    assert losses[1] == pytest.approx(np.log(5), abs=1e-6)


# whole networks: test_training.py has more


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_a_float32_network_stays_float32(norm):
    recipe = bn.Recipe(norm=norm, depth=2, hidden=8, eps=1e-5)
    generator = torch.Generator().manual_seed(1)
    network = Network(recipe, draw_parameters(recipe, 5, 3, generator))
    contexts, targets = np.arange(30).reshape(10, 3) % 5, np.arange(10) % 5
    there = network.there_and_back(contexts, targets)
    arrays = [*network.train(contexts, targets, np.zeros((3, 4), int), np.full(3, 0.1))]
    arrays += [network.logits(contexts), network.losses(contexts, targets)]
    assert {a.dtype for a in arrays} == {np.dtype("float32")}
    kept = there.outputs, there.output_gradients, there.gradients, network.parameters()
    assert {tensor.dtype for one in kept for tensor in one.values()} == {torch.float32}
