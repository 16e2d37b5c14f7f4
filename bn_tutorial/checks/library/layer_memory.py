"""Wrong layers, ``cls(num_features, eps, momentum)``: how they remember."""
# ruff: noqa: D101 -- the code is shown as a patient: a docstring would name the disease

from functools import partial

import torch
from torch import nn

from bn_tutorial.checks.bug import Bug


class RunningVarianceNeverUpdated(nn.Module):
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


class RunningMeanNeverUpdated(nn.Module):
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
        self.running_var += self.momentum * (var - self.running_var)


class NeverRemembers(nn.Module):
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
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias


class MomentumReversed(nn.Module):
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
        self.running_mean *= self.momentum
        self.running_mean += (1 - self.momentum) * mean
        self.running_var *= self.momentum
        self.running_var += (1 - self.momentum) * var


class MomentumHardCoded(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps = eps
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
        self.running_mean += 0.1 * (mean - self.running_mean)
        self.running_var += 0.1 * (var - self.running_var)


class LastBatchRemembered(nn.Module):
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
        self.running_mean.copy_(mean)
        self.running_var.copy_(var)


bug = partial(Bug, check="batch_norm_layer")

BUGS = (
    bug(
        name="running_variance_never_updated",
        chapter="05_running_statistics",
        symptom="Training looks right; in eval mode the units are centered but keep their spread.",
        explanation="The running variance is never updated and stays 1. It moves as the "
        "running mean does.",
        code=RunningVarianceNeverUpdated,
    ),
    bug(
        name="running_mean_never_updated",
        chapter="05_running_statistics",
        symptom="Training looks right; in eval mode the units are off their center by what "
        "they had as a mean.",
        explanation="The running mean is never updated and stays 0. It moves as the running "
        "variance does.",
        code=RunningMeanNeverUpdated,
    ),
    bug(
        name="never_remembers",
        chapter="05_running_statistics",
        symptom="Training looks right; in eval mode the layer does what it did before training.",
        explanation="The running statistics are never updated. Every training batch moves them.",
        code=NeverRemembers,
    ),
    bug(
        name="layer_momentum_reversed",
        chapter="05_running_statistics",
        symptom="With the default momentum the results in eval mode follow the last batch.",
        explanation="The momentum is reversed: in PyTorch it is the weight of the new batch, "
        "in Keras that of the old value.",
        code=MomentumReversed,
    ),
    bug(
        name="layer_momentum_hard_coded",
        chapter="05_running_statistics",
        symptom="Layers that were made with different momenta remember the same.",
        explanation="The momentum is always 0.1, whatever the layer is made with. Keep the "
        "argument and use it.",
        code=MomentumHardCoded,
    ),
    bug(
        name="last_batch_remembered",
        chapter="05_running_statistics",
        symptom="The results in eval mode depend on the very last training batch alone.",
        explanation="The last batch replaces the running statistics. Mix old and new: (1 - "
        "momentum) * running + momentum * batch.",
        code=LastBatchRemembered,
    ),
)
