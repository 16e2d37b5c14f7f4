"""Wrong layers, ``cls(num_features, eps, momentum)``: what they remember, and from where."""
# ruff: noqa: D101 -- the code is shown as a patient: a docstring would name the disease

from functools import partial

import torch
from torch import nn

from bn_tutorial.checks.bug import Bug


class RunningVarianceBiased(nn.Module):
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
            self.remember(mean, var)
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class StdForRunningVariance(nn.Module):
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
            self.remember(mean, x.var(dim=0, correction=1))
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var.sqrt() - self.running_var)


class StdAveraged(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_std", torch.ones(num_features))

    def forward(self, x):
        if self.training:
            mean, var = x.mean(dim=0), x.var(dim=0, correction=0)
            self.remember(mean, x.var(dim=0, correction=1))
        else:
            mean, var = self.running_mean, self.running_std**2
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_std += self.momentum * (var.sqrt() - self.running_std)


class RunningVarianceStartsAtZero(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.zeros(num_features))

    def forward(self, x):
        if self.training:
            mean, var = x.mean(dim=0), x.var(dim=0, correction=0)
            self.remember(mean, x.var(dim=0, correction=1))
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class RunningMeanStartsAtOne(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.ones(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        if self.training:
            mean, var = x.mean(dim=0), x.var(dim=0, correction=0)
            self.remember(mean, x.var(dim=0, correction=1))
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class FirstBatchTakenWhole(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum, self.empty = eps, momentum, True
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        if self.training:
            mean, var = x.mean(dim=0), x.var(dim=0, correction=0)
            self.remember(mean, x.var(dim=0, correction=1))
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        m = 1.0 if self.empty else self.momentum
        self.running_mean += m * (mean - self.running_mean)
        self.running_var += m * (var - self.running_var)
        self.empty = False


bug = partial(Bug, check="batch_norm_layer")

BUGS = (
    bug(
        name="running_variance_biased",
        chapter="10_in_pytorch",
        symptom="Training looks right; in eval mode the outputs are a little too large, more "
        "so after small batches.",
        explanation="The running variance is made of variances with correction 0. "
        "nn.BatchNorm1d normalizes with correction 0, but remembers correction 1, "
        "which is right on average.",
        code=RunningVarianceBiased,
    ),
    bug(
        name="std_for_running_variance",
        chapter="05_running_statistics",
        symptom="Training looks right; in eval mode units with a large spread come out too large.",
        explanation="The running variance is fed with standard deviations. Feed it with variances.",
        code=StdForRunningVariance,
    ),
    bug(
        name="std_averaged",
        chapter="05_running_statistics",
        symptom="Training looks right; in eval mode the outputs are slightly off, less so the "
        "more the batches resemble each other.",
        explanation="It averages the batches' standard deviations, as the course's recipe "
        "does. nn.BatchNorm1d averages their variances, which is not the same: the "
        "square of a mean is not the mean of squares.",
        code=StdAveraged,
    ),
    bug(
        name="running_variance_starts_at_zero",
        chapter="05_running_statistics",
        symptom="Before training, and shortly after its start, the outputs in eval mode are "
        "enormous.",
        explanation="The running variance starts at 0. It starts at 1, as the running mean "
        "starts at 0.",
        code=RunningVarianceStartsAtZero,
    ),
    bug(
        name="running_mean_starts_at_one",
        chapter="05_running_statistics",
        symptom="Early in training the outputs in eval mode are off by a number; it fades away.",
        explanation="The running mean starts at 1. It starts at 0; the running variance starts "
        "at 1.",
        code=RunningMeanStartsAtOne,
    ),
    bug(
        name="first_batch_taken_whole",
        chapter="05_running_statistics",
        symptom="After one training step the results in eval mode are far from those of "
        "nn.BatchNorm1d, after many equal.",
        explanation="The first batch replaces the start of the running statistics. "
        "nn.BatchNorm1d starts at 0 and 1 and gives every batch, the first one "
        "too, the weight momentum.",
        code=FirstBatchTakenWhole,
    ),
)
