"""The check of folding a batch norm into the Linear layer before it."""

import torch
from torch.nn import BatchNorm1d, Linear
from torch.nn.utils.fusion import fuse_linear_bn_eval

from bn_tutorial.checks.cases import gains, generator, normal, scripted, spread
from bn_tutorial.checks.compare import difference
from bn_tutorial.checks.guard import isolated
from bn_tutorial.checks.judge import SEED, Task, judge
from bn_tutorial.checks.observe import Complaint, as_arrays, kind


@torch.no_grad()
def _pair(g, where, inputs, units, eps, *, variance=1.0, bias=True):
    linear = Linear(inputs, units, bias=bias).eval()
    norm = BatchNorm1d(units, eps=eps).eval()
    linear.weight.copy_(normal(g, units, inputs))
    norm.weight.copy_(gains(g, units))
    norm.bias.copy_(2 * normal(g, units))
    norm.running_mean.copy_(normal(g, units) + 1)
    norm.running_var.copy_(variance * spread(g, units))
    if bias:
        linear.bias.copy_(2 * normal(g, units))
    return {"where": where, "linear": linear, "batch_norm": norm}


def _cases(seed):
    g = generator(seed)
    return (
        _pair(g, "3 inputs and 4 units", 3, 4, 1e-5),
        _pair(g, "a square Linear, 3 inputs and 3 units", 3, 3, 1e-3),
        _pair(g, "5 inputs, 2 units and eps = 0.5", 5, 2, 0.5),
        _pair(g, "a tiny running variance", 2, 3, 1e-5, variance=1e-5),
    )


def _without_bias(seed):
    return (_pair(generator(seed), "a Linear without a bias", 3, 4, 1e-3, bias=False),)


def _read(value):
    if not isinstance(value, Linear):
        return Complaint(f"expected an nn.Linear, got {kind(value)}")
    return as_arrays({"weight": value.weight, "bias": value.bias})


def _remark(function, seed):
    """Return what happens without a bias: not asked for, but met as soon as one is left out."""
    script = scripted(_without_bias, _read)
    seen, expected = next(script(function, seed)), next(script(fuse_linear_bn_eval, seed))
    what = difference(seen, expected, FOLD.tolerance)
    return f". (For a Linear without a bias it is not right yet: {what}.)" if what else ""


FOLD = Task(
    "fold",
    scripted(_cases, _read),
    (fuse_linear_bn_eval,),
    1e-4,
    "the new Linear does what the Linear and the batch norm did together",
    _remark,
)


@isolated
def fold(function, *, seed=SEED):
    """Check folding, ``fn(linear, batch_norm) -> linear``.

    The new Linear gives ``batch_norm(linear(x))`` for every x, with the batch norm in eval mode.
    With ``scale = weight / sqrt(running_var + eps)`` its rows are the old ones times ``scale``,
    and its bias is ``(bias - running_mean) * scale + shift``.

    The function gets an ``nn.Linear`` and an ``nn.BatchNorm1d`` in eval mode, float32, with numbers
    in all their parameters and buffers; it must not change them, and the Linear that it returns has
    a bias. Every Linear that counts has a bias; what comes out for one without is told, but an
    answer that can't take it passes.

    References
    ----------
    Ioffe and Szegedy 2015, "Batch Normalization", arXiv:1502.03167, algorithm 2, step 11: in
    inference batch norm is a linear transform.

    Examples
    --------
    >>> from torch.nn.utils.fusion import fuse_linear_bn_eval
    >>> fold(fuse_linear_bn_eval)
    right: the new Linear does what the Linear and the batch norm did together
    """
    return judge(FOLD, function, seed)
