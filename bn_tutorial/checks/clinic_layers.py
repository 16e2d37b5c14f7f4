"""The clinic's healthy layers, in several styles: no good test may reject them."""

import torch
from torch import nn
from torch.nn import functional as F

from bn_tutorial.checks.bugs.layer import BatchNorm


class Counting(BatchNorm):
    """Counts its batches too, as PyTorch does."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def remember(self, mean, var):
        self.num_batches_tracked += 1
        super().remember(mean, var)


class Functional(BatchNorm):
    """One call of torch's function."""

    def forward(self, x):
        buffers, affine = (self.running_mean, self.running_var), (self.weight, self.bias)
        return F.batch_norm(x, *buffers, *affine, self.training, self.momentum, self.eps)


class ScaleAndOffset(BatchNorm):
    """In eval mode one multiplication and one addition; new buffers instead of changed ones."""

    def forward(self, x):
        if self.training:
            n, mean = len(x), torch.einsum("bh->h", x) / len(x)
            var = torch.einsum("bh,bh->h", x - mean, x - mean) / n
            self.remember(mean.detach(), (var * n / (n - 1)).detach())
            return (x - mean) * (self.weight * torch.rsqrt(var + self.eps)) + self.bias
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return torch.addcmul(self.bias - self.running_mean * scale, x, scale)

    def remember(self, mean, var):
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


class OwnBackward(BatchNorm):
    """The backward pass of notebook 07, by hand."""

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        self.remember(x.detach().mean(dim=0), x.detach().var(dim=0))
        return self.weight * _Normalize.apply(x, self.eps) + self.bias


class InPlace(BatchNorm):
    """Writes into its own tensors, never into x."""

    def forward(self, x):
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(dim=0), (x - x.mean(dim=0)).square_().mean(dim=0)
            self.remember(*torch.var_mean(x.detach(), dim=0)[::-1])
        x_hat = (x - mean) / (var + self.eps).sqrt_()
        return x_hat.mul(self.weight).add_(self.bias)


HEALTHY = {
    "PyTorch's own": nn.BatchNorm1d,
    "written by hand": BatchNorm,
    "counting its batches": Counting,
    "by torch's function": Functional,
    "with scale and offset": ScaleAndOffset,
    "with a backward pass of its own": OwnBackward,
    "working in place": InPlace,
}
