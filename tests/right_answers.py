"""Right answers in many styles: the checks have to accept every one of them."""

import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_linear_bn_eval


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


def functional(x, weight, bias, eps):
    return F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)


def module(x, weight, bias, eps):
    layer = nn.BatchNorm1d(x.shape[1], eps=eps, dtype=x.dtype)
    layer.weight.data, layer.bias.data = weight, bias
    return layer(x)


def by_var_mean(x, weight, bias, eps):
    var, mean = torch.var_mean(x, 0, unbiased=False)
    return (x - mean) * (weight * (var + eps) ** -0.5) + bias


def by_std(x, weight, bias, eps):
    return (
        weight * (x - x.mean(0)) / torch.hypot(x.std(0, correction=0), torch.tensor(eps**0.5))
        + bias
    )


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


def by_layer_norm(x, weight, bias, eps):
    return F.layer_norm(x.T.contiguous(), (len(x),), eps=eps).T * weight + bias


def from_correction_1(x, weight, bias, eps):
    n = len(x)
    return weight * (x - x.mean(0)) / (x.var(0) * (n - 1) / n + eps).sqrt() + bias


def welford(x, weight, bias, eps):
    mean = squares = torch.zeros_like(x[0])
    for k, row in enumerate(x, 1):
        apart = row - mean
        mean = mean + apart / k
        squares = squares + apart * (row - mean)
    return weight * (x - mean) / (squares / len(x) + eps).sqrt() + bias


@torch.no_grad()
def one_scale_one_offset(x, weight, bias, eps):
    scale = weight / (x.var(0, correction=0) + eps).sqrt()
    return x * scale + (bias - x.mean(0) * scale)


FORWARD = [
    plain, kept_dimensions, in_place_on_its_own, functional, module, by_var_mean, by_std, by_einsum,
    by_numpy, by_loops, transposed, by_layer_norm, from_correction_1, welford, one_scale_one_offset,
]  # fmt: skip


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
    three_lines, a_row_each, box_by_box, the_papers_way, autograd, autograd_functional, by_vjp,
    native, projections, backward_by_numpy, jacobians, own_buffers,
]  # fmt: skip


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
    lambda running, batch, momentum: (1 - momentum) * running + momentum * batch,
    lambda running, batch, momentum: running + momentum * (batch - running),
    lambda running, batch, momentum: running - momentum * running + momentum * batch,
    lambda running, batch, momentum: torch.lerp(running, batch, momentum),
    lambda running, batch, momentum: batch + (running - batch) * (1 - momentum),
    lambda running, batch, momentum: torch.add(running * (1 - momentum), batch, alpha=momentum),
    lambda running, batch, momentum: torch.einsum(
        "k,kh->h",
        torch.tensor([1 - momentum, momentum], dtype=running.dtype),
        torch.stack([running, batch]),
    ),
    lambda running, batch, momentum: torch.tensor(
        [
            (1 - momentum) * a + momentum * b
            for a, b in zip(running.tolist(), batch.tolist(), strict=True)
        ]
    ),
    lambda running, batch, momentum: nn.Parameter((1 - momentum) * running + momentum * batch),
    by_numpy_buffers,
    through_a_layer,
    updated_copy,
]


def by_pieces(x):
    n, total, squares = 0, 0, 0
    for piece in x.split(32):
        n, total = n + len(piece), total + piece.sum(0)
    for piece in x.split(32):
        squares = squares + ((piece - total / n) ** 2).sum(0)
    return total / n, (squares / n).sqrt()


def one_pass(x):
    mean = squares = torch.zeros_like(x[0])
    for k, row in enumerate(x, 1):
        apart = row - mean
        mean = mean + apart / k
        squares = squares + apart * (row - mean)
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
    by_pieces,
    one_pass,
    from_buffers,
    shifted_squares,
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
    folded.bias = nn.Parameter(
        (own - batch_norm.running_mean) / std * batch_norm.weight + batch_norm.bias
    )
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
    return fold_by_matrix(
        copy.deepcopy(linear).double(), copy.deepcopy(batch_norm).double()
    ).double()


def fold_by_numpy(linear, batch_norm):
    gain, shift, mean, var, weight, bias = (
        t.detach().numpy()
        for t in (
            *batch_norm.parameters(),
            batch_norm.running_mean,
            batch_norm.running_var,
            *linear.parameters(),
        )
    )
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
            folded.bias[h] = (
                linear.bias[h] - batch_norm.running_mean[h]
            ) * scale + batch_norm.bias[h]
    return folded


def fold_with_torchs_fusion(linear, batch_norm):
    return torch.nn.utils.fusion.fuse_linear_bn_eval(linear, batch_norm)


def fold_in_one_product(linear, batch_norm):
    scale = batch_norm.weight / (batch_norm.running_var + batch_norm.eps).sqrt()
    both = torch.cat([linear.weight, (linear.bias - batch_norm.running_mean)[:, None]], dim=1)
    both = both * scale[:, None]
    folded = nn.utils.skip_init(nn.Linear, linear.in_features, linear.out_features)
    folded.weight.data, folded.bias.data = (
        both[:, :-1].detach(),
        (both[:, -1] + batch_norm.bias).detach(),
    )
    return folded


FOLD = [
    fuse_linear_bn_eval, fold_by_matrix, fold_a_copy, fold_by_probing, fold_parameters,
    fold_by_state, fold_in_double, fold_by_numpy, fold_by_rows, fold_in_one_product,
]  # fmt: skip
