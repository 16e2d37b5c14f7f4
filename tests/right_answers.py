"""Right answers in many styles: the checks have to accept every one of them."""

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from right_layers import LAYERS
from torch import nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from bn_tutorial.checks.bugs import averages, baselines, decades
from bn_tutorial.checks.bugs import contexts as cuts


def plain(x, weight, bias, eps):
    mean, var = x.mean(dim=0), x.var(dim=0, correction=0)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias


def kept_dimensions(x, weight, bias, eps):
    centered = x - x.sum(dim=0, keepdim=True) / x.shape[0]
    inv_std = (centered.square().mean(dim=0, keepdim=True) + eps).rsqrt()
    return torch.addcmul(bias, centered * inv_std, weight)


def in_place_on_its_own(x, weight, bias, eps):
    y = x.clone()
    y -= y.mean(0)
    y /= (y.pow(2).mean(0) + eps).sqrt_()
    y *= weight
    y += bias
    return y


def module(x, weight, bias, eps):
    layer = nn.BatchNorm1d(x.shape[1], eps=eps, dtype=x.dtype)
    layer.weight.data, layer.bias.data = weight, bias
    return layer(x)


def by_var_mean(x, weight, bias, eps):
    var, mean = torch.var_mean(x, 0, unbiased=False)
    return (x - mean) * (weight * (var + eps) ** -0.5) + bias


def by_einsum(x, weight, bias, eps):
    n = len(x)
    centered = x - torch.einsum("bh->h", x) / n
    var = torch.einsum("bh,bh->h", centered, centered) / n
    return torch.einsum("bh,h->bh", centered, weight / (var + eps).sqrt()) + bias


def by_numpy(x, weight, bias, eps):
    a = x.numpy()
    x_hat = (a - a.mean(axis=0)) / np.sqrt(a.var(axis=0) + eps)
    return torch.from_numpy(weight.numpy() * x_hat + bias.numpy())


def by_loops(x, weight, bias, eps):
    rows, units = x.tolist(), range(x.shape[1])
    means = [sum(row[h] for row in rows) / len(rows) for h in units]
    variances = [sum((row[h] - means[h]) ** 2 for row in rows) / len(rows) for h in units]
    scales = [(variance + eps) ** 0.5 for variance in variances]
    y = [[weight[h] * (row[h] - means[h]) / scales[h] + bias[h] for h in units] for row in rows]
    return torch.tensor(y)  # float32


def transposed(x, weight, bias, eps):
    x = x.T  # (H, B)
    x_hat = (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + eps).sqrt()
    return (weight[:, None] * x_hat + bias[:, None]).T


def one_pass(x):
    """Return means and sums of squares by Welford's algorithm."""
    mean = squares = torch.zeros_like(x[0])
    for k, row in enumerate(x, 1):
        apart = row - mean
        mean = mean + apart / k
        squares = squares + apart * (row - mean)
    return mean, squares


def welford(x, weight, bias, eps):
    mean, squares = one_pass(x)
    return weight * (x - mean) / (squares / len(x) + eps).sqrt() + bias


@torch.no_grad()
def one_scale_one_offset(x, weight, bias, eps):
    scale = weight / (x.var(0, correction=0) + eps).sqrt()
    return x * scale + (bias - x.mean(0) * scale)


FORWARD = [
    *(plain, kept_dimensions, in_place_on_its_own, module, by_var_mean, by_einsum, by_numpy),
    *(by_loops, transposed, welford, one_scale_one_offset),
    lambda x, w, b, eps: F.batch_norm(x, None, None, w, b, training=True, eps=eps),
    lambda x, w, b, eps: F.layer_norm(x.T.contiguous(), (len(x),), eps=eps).T * w + b,
    lambda x, w, b, eps: (
        w * (x - x.mean(0)) / torch.hypot(x.std(0, correction=0), torch.tensor(eps**0.5)) + b
    ),
    lambda x, w, b, eps: w * (x - x.mean(0)) / (x.var(0) * (len(x) - 1) / len(x) + eps).sqrt() + b,
]


def three_lines(dy, x, weight, eps):
    n, inv_std = len(x), (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias, dweight = dy.sum(dim=0), (dy * x_hat).sum(dim=0)
    return weight * inv_std * (dy - dbias / n - x_hat * dweight / n), dweight, dbias


def a_row_each(dy, x, weight, eps):
    n, inv_std = len(x), (x.var(dim=0, correction=0, keepdim=True) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0, keepdim=True)) * inv_std
    dbias, dweight = dy.sum(dim=0, keepdim=True), (dy * x_hat).sum(dim=0, keepdim=True)
    return [weight * inv_std / n * (n * dy - dbias - x_hat * dweight), dweight, dbias]


def box_by_box(dy, x, weight, eps):
    n = len(x)
    centered = x - x.mean(0)
    inv_std = (centered.pow(2).mean(0) + eps) ** -0.5
    dx_hat = dy * weight
    dvar = -0.5 * inv_std**3 * (dx_hat * centered).sum(0)
    dcentered = dx_hat * inv_std + dvar / n * 2 * centered
    return dcentered - dcentered.mean(0), (dy * centered * inv_std).sum(0), dy.sum(0)


def the_papers_way(dy, x, weight, eps):
    n, mean, var = len(x), x.mean(0), x.var(0, correction=0)
    dx_hat = dy * weight
    dvar = (dx_hat * (x - mean) * -0.5 * (var + eps) ** -1.5).sum(0)
    dmean = -(dx_hat / (var + eps).sqrt()).sum(0) + dvar * (-2 * (x - mean)).sum(0) / n
    dx = dx_hat / (var + eps).sqrt() + dvar * 2 * (x - mean) / n + dmean / n
    return dx, (dy * (x - mean) / (var + eps).sqrt()).sum(0), dy.sum(0)


def autograd(dy, x, weight, eps):
    x, weight, bias = (t.requires_grad_() for t in (x, weight, torch.zeros_like(weight)))
    plain(x, weight, bias, eps).backward(dy)
    return x.grad, weight.grad, bias.grad


def autograd_functional(dy, x, weight, eps):
    leaves = [t.clone().requires_grad_() for t in (x, weight, torch.zeros_like(weight))]
    y = F.batch_norm(leaves[0], None, None, *leaves[1:], True, 0.1, eps)
    return torch.autograd.grad(y, leaves, dy)


def by_vjp(dy, x, weight, eps):
    bias = torch.zeros_like(weight)
    return torch.func.vjp(lambda x, w, b: plain(x, w, b, eps), x, weight, bias)[1](dy)


def native(dy, x, weight, eps):
    mean, inv_std = x.mean(0), (x.var(0, correction=0) + eps) ** -0.5
    wanted = [True, True, True]
    return torch.ops.aten.native_batch_norm_backward(
        dy, x, weight, None, None, mean, inv_std, True, eps, wanted
    )


def projections(dy, x, weight, eps):
    var, mean = torch.var_mean(x, 0, correction=0)
    scale = (var + eps).sqrt()
    x_hat = (x - mean) / scale
    g = dy - dy.mean(0)
    g -= x_hat * (g * x_hat).mean(0)
    return weight / scale * g, torch.einsum("bh,bh->h", dy, x_hat), torch.einsum("bh->h", dy)


def backward_by_numpy(dy, x, weight, eps):
    dy, x, weight = dy.numpy(), x.numpy(), weight.numpy()
    inv_std = 1 / np.sqrt(x.var(0) + eps)
    x_hat = (x - x.mean(0)) * inv_std
    dx = weight * inv_std * (dy - dy.mean(0) - x_hat * (dy * x_hat).mean(0))
    return tuple(map(torch.from_numpy, (dx, (dy * x_hat).sum(0), dy.sum(0))))


def jacobians(dy, x, weight, eps):
    n, units = x.shape
    x_hat = plain(x, torch.ones_like(weight), torch.zeros_like(weight), eps)
    inv_std = (x.var(0, correction=0) + eps) ** -0.5
    dx = torch.empty_like(x)
    for h in range(units):
        jacobian = torch.eye(n, dtype=x.dtype) - 1 / n - torch.outer(x_hat[:, h], x_hat[:, h]) / n
        dx[:, h] = weight[h] * inv_std[h] * jacobian @ dy[:, h]
    return dx, (dy * x_hat).sum(0), dy.sum(0)


def own_buffers(dy, x, weight, eps):
    dx, x_hat = dy.clone(), x.clone()
    x_hat -= x_hat.mean(0)
    inv_std = x_hat.square().mean(0).add_(eps).rsqrt_()
    x_hat *= inv_std
    dweight, dbias = (dx * x_hat).sum(0), dx.sum(0)
    dx -= dbias / len(x)
    dx -= x_hat * (dweight / len(x))
    return dx.mul_(weight * inv_std), dweight, dbias


BACKWARD = [
    *(three_lines, a_row_each, box_by_box, the_papers_way, autograd, autograd_functional, by_vjp),
    *(native, projections, backward_by_numpy, jacobians, own_buffers),
]


def by_numpy_buffers(running, batch, momentum):
    new = running.numpy().copy()
    new *= 1 - momentum
    new += momentum * batch.numpy()
    return torch.from_numpy(new)


def through_a_layer(running, batch, momentum):
    layer = nn.BatchNorm1d(len(running), momentum=momentum, dtype=running.dtype)
    layer.running_mean = running.clone()
    layer(torch.stack([batch - 1, batch + 1]))
    return layer.running_mean


def updated_copy(running, batch, momentum):
    running = running.clone()
    running.mul_(1 - momentum).add_(batch, alpha=momentum)
    return running


RUNNING = [
    lambda running, batch, m: (1 - m) * running + m * batch,
    lambda running, batch, m: running + m * (batch - running),
    lambda running, batch, m: running - m * running + m * batch,
    lambda running, batch, m: torch.lerp(running, batch, m),
    lambda running, batch, m: batch + (running - batch) * (1 - m),
    lambda running, batch, m: torch.add(running * (1 - m), batch, alpha=m),
    lambda running, batch, m: torch.stack([running, batch], 1) @ running.new_tensor([1 - m, m]),
    lambda running, batch, m: torch.tensor(
        [(1 - m) * a + m * b for a, b in zip(running.tolist(), batch.tolist(), strict=True)]
    ),
    lambda running, batch, m: nn.Parameter((1 - m) * running + m * batch),
    *(by_numpy_buffers, through_a_layer, updated_copy),
]


def by_pieces(x):
    n, total, squares = 0, 0, 0
    for piece in x.split(32):
        n, total = n + len(piece), total + piece.sum(0)
    for piece in x.split(32):
        squares = squares + ((piece - total / n) ** 2).sum(0)
    return total / n, (squares / n).sqrt()


def std_in_one_pass(x):
    mean, squares = one_pass(x)
    return mean, (squares / (len(x) - 1)).sqrt()


def from_buffers(x):
    layer = nn.BatchNorm1d(x.shape[1], momentum=None, dtype=x.dtype)
    layer.train()(x)
    return layer.running_mean, layer.running_var.sqrt()


def shifted_squares(x):
    shift = x[0]
    d = x - shift
    return d.mean(0) + shift, ((d**2).mean(0) - d.mean(0) ** 2).sqrt()


CALIBRATE = [
    lambda x: (x.mean(dim=0), x.std(dim=0)),
    lambda x: (x.mean(dim=0), x.std(dim=0, correction=0)),
    lambda x: [x.mean(dim=0, keepdim=True), x.std(dim=0, keepdim=True)],
    lambda x: (x.mean(0), x.var(0).sqrt()),
    lambda x: torch.std_mean(x, dim=0)[::-1],
    lambda x: (x.mean(0), ((x - x.mean(0)) ** 2).mean(0) ** 0.5),
    lambda x: (torch.from_numpy(x.numpy().mean(0)), torch.from_numpy(x.numpy().std(0, ddof=1))),
    lambda x: (x.mean(0), (x - x.mean(0)).norm(dim=0) / (len(x) - 1) ** 0.5),
    lambda x: (x.mean(0), torch.cov(x.T, correction=0).diagonal().sqrt()),
    lambda x: (x.T.mean(1), x.T.std(1)),
    *(by_pieces, std_in_one_pass, from_buffers, shifted_squares),
]


def fold_by_matrix(linear, batch_norm):
    scale = batch_norm.weight / (batch_norm.running_var + batch_norm.eps).sqrt()
    folded = nn.Linear(linear.in_features, linear.out_features)
    folded.weight.data = torch.diag(scale) @ linear.weight
    bias = torch.zeros_like(scale) if linear.bias is None else linear.bias
    folded.bias.data = scale * (bias - batch_norm.running_mean) + batch_norm.bias
    return folded


def fold_a_copy(linear, batch_norm):
    folded = copy.deepcopy(linear)
    scale = batch_norm.weight.data * (batch_norm.running_var + batch_norm.eps).rsqrt()
    folded.weight.data *= scale.unsqueeze(1)
    folded.bias.data.sub_(batch_norm.running_mean).mul_(scale).add_(batch_norm.bias.data)
    return folded


@torch.no_grad()
def fold_by_probing(linear, batch_norm):
    inputs = linear.in_features
    shift = batch_norm(linear(torch.zeros(1, inputs)))[0]
    folded = nn.Linear(inputs, linear.out_features)
    folded.weight.copy_((batch_norm(linear(torch.eye(inputs))) - shift).T)
    folded.bias.copy_(shift)
    return folded


def fold_parameters(linear, batch_norm):
    std = torch.sqrt(batch_norm.running_var + batch_norm.eps)
    folded = nn.Linear(linear.in_features, linear.out_features)
    folded.weight = nn.Parameter((linear.weight.T * batch_norm.weight / std).T)
    own = linear.bias if linear.bias is not None else 0
    scale = batch_norm.weight / std
    folded.bias = nn.Parameter((own - batch_norm.running_mean) * scale + batch_norm.bias)
    return folded.requires_grad_(False)


def fold_by_state(linear, batch_norm):
    scale = batch_norm.weight / (batch_norm.running_var + batch_norm.eps).sqrt()
    folded = nn.Linear(*linear.weight.shape[::-1])
    folded.load_state_dict({
        "weight": torch.einsum("oi,o->oi", linear.weight, scale),
        "bias": linear.bias * scale - batch_norm.running_mean * scale + batch_norm.bias,
    })  # fmt: skip
    return folded.eval()


def fold_in_double(linear, batch_norm):
    twice = copy.deepcopy(linear).double(), copy.deepcopy(batch_norm).double()
    return fold_by_matrix(*twice).double()


def fold_by_numpy(linear, batch_norm):
    running = batch_norm.running_mean, batch_norm.running_var
    given = *batch_norm.parameters(), *running, *linear.parameters()
    gain, shift, mean, var, weight, bias = (t.detach().numpy() for t in given)
    scale = gain / np.sqrt(var + batch_norm.eps)
    folded = nn.Linear(weight.shape[1], weight.shape[0])
    folded.weight.data = torch.from_numpy(weight * scale[:, None])
    folded.bias.data = torch.from_numpy((bias - mean) * scale + shift)
    return folded


def fold_by_rows(linear, batch_norm):
    folded = nn.Linear(linear.in_features, linear.out_features)
    with torch.no_grad():
        for h in range(linear.out_features):
            scale = batch_norm.weight[h] / (batch_norm.running_var[h] + batch_norm.eps) ** 0.5
            folded.weight[h] = linear.weight[h] * scale
            centered = linear.bias[h] - batch_norm.running_mean[h]
            folded.bias[h] = centered * scale + batch_norm.bias[h]
    return folded


def fold_in_one_product(linear, batch_norm):
    scale = batch_norm.weight / (batch_norm.running_var + batch_norm.eps).sqrt()
    both = torch.cat([linear.weight, (linear.bias - batch_norm.running_mean)[:, None]], dim=1)
    both = both * scale[:, None]
    folded = nn.utils.skip_init(nn.Linear, linear.in_features, linear.out_features)
    folded.weight.data = both[:, :-1].detach()
    folded.bias.data = (both[:, -1] + batch_norm.bias).detach()
    return folded


FOLD = [
    *(fuse_linear_bn_eval, fold_by_matrix, fold_a_copy, fold_by_probing, fold_parameters),
    *(fold_by_state, fold_in_double, fold_by_numpy, fold_by_rows, fold_in_one_product),
]


def contexts_by_slices(words, symbols, block_size):
    index = {symbol: i for i, symbol in enumerate(symbols)}
    rows = []
    for word in words:
        line = [index[s] for s in "." * block_size + word + "."]
        rows += [line[i : i + block_size + 1] for i in range(len(word) + 1)]
    return [row[:-1] for row in rows], [row[-1] for row in rows]


def contexts_as_tensors(*given):
    return tuple(map(torch.tensor, contexts_by_slices(*given)))


def contexts_as_tuples(*given):
    contexts, targets = contexts_by_slices(*given)
    return [*map(tuple, contexts)], tuple(targets)


def bigram_by_bincount(train, held_out, size, k):
    counts = torch.bincount(train[:, 0] * size + train[:, 1], minlength=size * size)
    p = counts.view(size, size) + k
    return -(p / p.sum(1, keepdim=True))[tuple(held_out.T)].log().mean()


def bigram_by_cross_entropy(train, held_out, size, k):
    table = torch.zeros(size, size) + k
    for before, target in train:
        table[before, target] += 1
    return torch.nn.functional.cross_entropy(table.log()[held_out[:, 0]], held_out[:, 1]).item()


def bigram_in_plain_python(train, held_out, size, k):
    pairs, total = train.tolist(), 0.0
    for before, target in held_out.tolist():
        count = pairs.count([before, target]) + k
        row = sum(first == before for first, _ in pairs) + k * size
        total -= math.log(count / row)
    return total / len(held_out)


def leftover_by_steps(momentum, steps):
    left = 1.0
    for _ in range(steps):
        left *= 1 - momentum
    return left


def weights_by_steps(momentum, steps):
    weights = []
    for _ in range(steps):
        weights = [w * (1 - momentum) for w in weights] + [momentum]
    return weights


def decades_in_numpy(rates, losses, within):
    mean = losses.numpy().mean(axis=0)
    good = np.array(rates)[mean - mean.min() < within]
    return np.log10(good.max() / good.min())


RIGHT = {
    "batch_norm_forward": FORWARD,
    "batch_norm_backward": BACKWARD,
    "running_update": RUNNING,
    "calibrate": CALIBRATE,
    "fold": FOLD,
    "batch_norm_layer": LAYERS,
    "contexts": [
        *(cuts.contexts, contexts_by_slices, contexts_as_tensors),
        lambda *given: tuple(map(np.array, contexts_by_slices(*given))),
        contexts_as_tuples,
        lambda *given: [[*part] for part in contexts_as_tensors(*given)],  # a tensor a context
    ],
    "uniform_loss": [
        math.log,
        lambda size: -math.log(1 / size),
        lambda size: torch.tensor(float(size)).log(),
        lambda size: np.log(size),
    ],
    "bigram_loss": [
        *(baselines.bigram_loss, bigram_by_bincount),
        *(bigram_by_cross_entropy, bigram_in_plain_python),
    ],
    "leftover": [
        *(averages.leftover, leftover_by_steps),
        lambda m, n: torch.tensor([1.0 - m]) ** n,
        lambda m, n: 1 - sum(weights_by_steps(m, n)),
    ],
    "batch_weights": [
        *(averages.batch_weights, weights_by_steps),
        lambda m, n: m * (1 - m) ** torch.arange(n - 1, -1, -1),
        lambda m, n: tuple(np.array(weights_by_steps(m, n))),
    ],
    "momentum_for": [
        averages.momentum_for,
        lambda w, n: 1 - math.exp(math.log(w) / n),
        lambda w, n: -math.expm1(math.log(w) / n),
    ],
    "good_decades": [decades.good_decades, decades_in_numpy],
}
