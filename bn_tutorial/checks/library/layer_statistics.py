"""Wrong layers, ``cls(num_features, eps, momentum)``: statistics, and what flows back."""
# ruff: noqa: D101 -- the code is shown as a patient: a docstring would name the disease

from functools import partial

import torch
from torch import nn

from bn_tutorial.checks.bug import Bug


class PerExample(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        if self.training:
            mean, var = x.mean(dim=1, keepdim=True), x.var(dim=1, correction=0, keepdim=True)
            self.remember(x.mean(dim=0), x.var(dim=0, correction=1))
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class WholeArray(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        if self.training:
            mean, var = x.mean(), x.var(correction=0)
            self.remember(mean, x.var(correction=1))
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class Unbiased(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        if self.training:
            mean, var = x.mean(dim=0), x.var(dim=0)
            self.remember(mean, var)
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class CancellingVariance(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        if self.training:
            mean = x.mean(dim=0)
            var = (x**2).mean(dim=0) - mean**2
            self.remember(mean, x.var(dim=0, correction=1))
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class StatisticsDetached(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        if self.training:
            mean, var = x.mean(dim=0), x.var(dim=0, correction=0)
            mean, var = mean.detach(), var.detach()
            self.remember(mean, x.var(dim=0, correction=1))
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class MeanDetached(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        if self.training:
            mean, var = x.mean(dim=0), x.var(dim=0, correction=0)
            mean = mean.detach()
            self.remember(mean, x.var(dim=0, correction=1))
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class VarianceDetached(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        if self.training:
            mean, var = x.mean(dim=0), x.var(dim=0, correction=0)
            var = var.detach()
            self.remember(mean, x.var(dim=0, correction=1))
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


bug = partial(Bug, check="batch_norm_layer")

BUGS = (
    bug(
        name="layer_per_example",
        chapter="03_batch_norm",
        symptom="In training the outputs of one example do not depend on its batch-mates.",
        explanation="In training the statistics are taken over the units of each example. "
        "Batch norm takes them over the batch, for each unit: dim=0.",
        code=PerExample,
    ),
    bug(
        name="layer_whole_array",
        chapter="03_batch_norm",
        symptom="In training the units of the output have different means and spreads, though "
        "gain is 1 and shift 0.",
        explanation="There is one mean and one variance for the whole array. Every unit has "
        "its own: dim=0.",
        code=WholeArray,
    ),
    bug(
        name="layer_unbiased",
        chapter="10_in_pytorch",
        symptom="In training every output is too small by the same factor; large batches "
        "hardly show it.",
        explanation="It normalizes with the variance of correction 1. nn.BatchNorm1d "
        "normalizes with correction 0 and remembers correction 1.",
        code=Unbiased,
    ),
    bug(
        name="layer_cancelling_variance",
        chapter="10_in_pytorch",
        symptom="All is well for numbers around 0; far from it training is noise, or NaN.",
        explanation="The variance is computed as E[x**2] - E[x]**2. With a large mean that is "
        "the difference of two huge, nearly equal numbers, and few digits of it "
        "are right. Subtract the mean first, then square.",
        code=CancellingVariance,
    ),
    bug(
        name="layer_statistics_detached",
        chapter="07_backward_pass",
        symptom="The outputs are right; dx is dy times one number a unit.",
        explanation="Mean and variance are detached, so no gradient flows through them. In "
        "training they are computed from x, and two terms of dx come that way.",
        code=StatisticsDetached,
    ),
    bug(
        name="layer_mean_detached",
        chapter="07_backward_pass",
        symptom="The outputs are right, but dx does not sum to 0 over the batch.",
        explanation="The mean is detached, so no gradient flows through it. In training it is "
        "computed from x.",
        code=MeanDetached,
    ),
    bug(
        name="layer_variance_detached",
        chapter="07_backward_pass",
        symptom="The outputs are right, but something of dy along x_hat is left in dx.",
        explanation="The variance is detached, so no gradient flows through it. In training it "
        "is computed from x.",
        code=VarianceDetached,
    ),
)
