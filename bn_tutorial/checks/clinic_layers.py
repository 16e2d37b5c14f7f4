"""Layers that only the clinic needs: healthy ones in several styles, and the stale bias."""
# ruff: noqa: D101 -- the code of the sick one is shown: a docstring would name the disease

import torch
from torch import nn
from torch.nn import functional as F

from bn_tutorial.checks.bug import Bug


class StaleBias(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.b1 = torch.randn(num_features, generator=torch.Generator().manual_seed(23))

    def forward(self, x):
        if self.training:
            mean, var = x.mean(dim=0), x.var(dim=0, correction=0)
            self.remember(mean, x.var(dim=0, correction=1))
        else:
            x = x + self.b1
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


STALE_BIAS = Bug(
    name="stale_bias",
    check="batch_norm_layer",
    chapter="05_running_statistics",
    symptom="Training looks right and so do the running statistics; in eval mode every unit is "
    "off by a number of its own.",
    explanation="In eval mode a bias is added that was not there when the statistics were "
    "measured. Fixed statistics belong to one way of computing x: add it always or never.",
    code=StaleBias,
)


class ByHand(nn.Module):
    """What the healthy ones share, in the plainest way."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(dim=0), x.var(dim=0, correction=0)
            self.remember(mean, x.var(dim=0))
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(var, self.momentum)


class Counting(ByHand):
    """Counts its batches too, as PyTorch does."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def remember(self, mean, var):
        self.num_batches_tracked += 1
        super().remember(mean, var)


class Functional(ByHand):
    """One call of torch's function."""

    def forward(self, x):
        buffers, affine = (self.running_mean, self.running_var), (self.weight, self.bias)
        return F.batch_norm(x, *buffers, *affine, self.training, self.momentum, self.eps)


class ScaleAndOffset(ByHand):
    """In eval mode one multiplication and one addition; new buffers instead of changed ones."""

    def forward(self, x):
        if self.training:
            n, mean = len(x), torch.einsum("bh->h", x) / len(x)
            var = torch.einsum("bh,bh->h", x - mean, x - mean) / n
            self.replace(mean.detach(), (var * n / (n - 1)).detach())
            return (x - mean) * (self.weight * torch.rsqrt(var + self.eps)) + self.bias
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return torch.addcmul(self.bias - self.running_mean * scale, x, scale)

    def replace(self, mean, var):
        m = self.momentum
        self.running_mean = (1 - m) * self.running_mean + m * mean
        self.running_var = (1 - m) * self.running_var + m * var


class _Normalize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, eps):
        var, mean = torch.var_mean(x, dim=0, correction=0)
        inv_std = (var + eps) ** -0.5
        x_hat = (x - mean) * inv_std
        ctx.save_for_backward(x_hat, inv_std)
        return x_hat

    @staticmethod
    def backward(ctx, dy):
        x_hat, inv_std = ctx.saved_tensors
        return inv_std * (dy - dy.mean(dim=0) - x_hat * (dy * x_hat).mean(dim=0)), None


class OwnBackward(ByHand):
    """The backward pass of notebook 07, by hand."""

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        self.remember(x.detach().mean(dim=0), x.detach().var(dim=0))
        return self.weight * _Normalize.apply(x, self.eps) + self.bias


class InPlace(ByHand):
    """Writes into its own tensors, never into x."""

    def forward(self, x):
        if not self.training:
            return (
                (x - self.running_mean)
                .div_((self.running_var + self.eps).sqrt_())
                .mul(self.weight)
                .add_(self.bias)
            )
        self.remember(*torch.var_mean(x.detach(), dim=0)[::-1])
        centered = x - x.mean(dim=0)
        return self.weight * (centered / centered.square().mean(dim=0).add_(self.eps).sqrt_()) + (
            self.bias
        )


HEALTHY = {
    "PyTorch's own": nn.BatchNorm1d,
    "written by hand": ByHand,
    "counting its batches": Counting,
    "by torch's function": Functional,
    "with scale and offset": ScaleAndOffset,
    "with a backward pass of its own": OwnBackward,
    "working in place": InPlace,
}
