"""The checks of the forward and the backward pass, as functions."""

import torch
from torch.nn.functional import batch_norm

from bn_tutorial.checks.cases import LARGE, batch, gains, generator, normal, scripted
from bn_tutorial.checks.guard import isolated
from bn_tutorial.checks.judge import SEED, Task, judge
from bn_tutorial.checks.observe import tensors


def _forward_cases(seed):
    g = generator(seed)

    def case(where, x, eps, **more):
        weight, bias = gains(g, x.shape[1]), 2 * normal(g, x.shape[1])
        return {"where": where, "x": x, "weight": weight, "bias": bias, "eps": eps, **more}

    constant = batch(g, 4, 3)
    constant[:, 1] = 2.0
    return (
        case("5 examples of 3 units", batch(g, 5, 3), 1e-5),
        case("a square batch, B = H = 4", batch(g, 4, 4), 1e-3),
        case("6 examples of 2 units and eps = 0.5", batch(g, 6, 2, mean=-2), 0.5),
        # float32 would not do here: else it could pass for what goes wrong with a large mean
        case("a tiny variance", batch(g, 4, 3, scale=1e-3), 1e-5, slack=0.03),
        case("a large mean", batch(g, 5, 2, mean=LARGE), 1e-5, fragile=True),
        case("a unit that is always 2", constant, 1e-5, fragile=True),
    )


def _forward(x, weight, bias, eps):
    return batch_norm(x, None, None, weight, bias, training=True, eps=eps)


FORWARD = Task(
    "batch_norm_forward",
    scripted(_forward_cases, tensors("y")),
    (_forward,),
    1e-5,
    "it agrees with torch.nn.functional.batch_norm on batches of all kinds",
)


@isolated
def batch_norm_forward(function, *, seed=SEED):
    """Check a forward pass, ``fn(x, weight, bias, eps) -> y``.

    ``y = weight * (x - mean) / sqrt(var + eps) + bias`` with each unit's mean and variance over
    the batch. The variance has correction 0 (divide by B), as ``nn.BatchNorm1d`` normalizes;
    correction 1 is a known bug here.

    x and y are (B, H), weight and bias (H,), all float64; eps is a float. The function must not
    change its inputs.

    References
    ----------
    Ioffe and Szegedy 2015, "Batch Normalization", arXiv:1502.03167, algorithm 1.

    Examples
    --------
    >>> from torch.nn.functional import batch_norm
    >>> batch_norm_forward(lambda x, w, b, eps: batch_norm(x, None, None, w, b, True, 0.1, eps))
    right: it agrees with torch.nn.functional.batch_norm on batches of all kinds
    """
    return judge(FORWARD, function, seed)


def _backward_cases(seed):
    g = generator(seed)

    def case(where, x, eps):
        dy = 0.3 + normal(g, *x.shape)
        return {"where": where, "dy": dy, "x": x, "weight": gains(g, x.shape[1]), "eps": eps}

    return (
        case("5 examples of 3 units", batch(g, 5, 3), 1e-5),
        case("a square batch, B = H = 4", batch(g, 4, 4), 1e-3),
        case("6 examples of 2 units and eps = 0.5", batch(g, 6, 2, mean=-2), 0.5),
        case("a tiny variance", batch(g, 4, 3, scale=1e-3), 1e-5),
        case("means around 100", batch(g, 5, 2, mean=100), 1e-5),
    )


def _backward(dy, x, weight, eps):
    leaves = [t.clone().requires_grad_() for t in (x, weight, torch.zeros_like(weight))]
    # a sum, because torch loads a large library when it is given dy
    return torch.autograd.grad((_forward(*leaves, eps) * dy).sum(), leaves)


BACKWARD = Task(
    "batch_norm_backward",
    scripted(_backward_cases, tensors("dx", "dweight", "dbias")),
    (_backward,),
    1e-5,
    "dx, dweight and dbias agree with autograd on batches of all kinds",
)


@isolated
def batch_norm_backward(function, *, seed=SEED):
    """Check a backward pass, ``fn(dy, x, weight, eps) -> (dx, dweight, dbias)``.

    ``dx = weight / sqrt(var + eps) * (dy - dbias / B - x_hat * dweight / B)`` with
    ``dweight = sum(dy * x_hat)`` and ``dbias = sum(dy)`` over the batch: the gradients of the
    forward pass whose variance has correction 0. Autograd is the judge.

    dy, x and dx are (B, H), weight is (H,), all float64; eps is a float; dweight and dbias are
    (H,) or (1, H). The function must not change its inputs.

    References
    ----------
    Ioffe and Szegedy 2015, "Batch Normalization", arXiv:1502.03167, section 3.
    """
    return judge(BACKWARD, function, seed)
