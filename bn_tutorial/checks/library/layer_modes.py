"""Wrong layers, ``cls(num_features, eps, momentum)``: what they do in which mode."""
# ruff: noqa: D101 -- the code is shown as a patient: a docstring would name the disease

from functools import partial

import torch
from torch import nn

from bn_tutorial.checks.bug import Bug


class BatchStatisticsInEval(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        mean, var = x.mean(dim=0), x.var(dim=0, correction=0)
        if self.training:
            self.remember(mean, x.var(dim=0, correction=1))
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class RunningStatisticsInTraining(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        if self.training:
            self.remember(x.mean(dim=0), x.var(dim=0, correction=1))
        mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class RunningStatisticsInTrainingBefore(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        mean, var = self.running_mean.clone(), self.running_var.clone()
        if self.training:
            self.remember(x.mean(dim=0), x.var(dim=0, correction=1))
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class ModesExchanged(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        if self.training:
            mean, var = self.running_mean, self.running_var
            self.remember(x.mean(dim=0), x.var(dim=0, correction=1))
        else:
            mean, var = x.mean(dim=0), x.var(dim=0, correction=0)
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class ModeGuessedFromGrad(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        if torch.is_grad_enabled():
            mean, var = x.mean(dim=0), x.var(dim=0, correction=0)
            self.remember(mean, x.var(dim=0, correction=1))
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class UpdatesInEval(nn.Module):
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
            mean, var = self.running_mean.clone(), self.running_var.clone()
        self.remember(x.mean(dim=0), x.var(dim=0, correction=1))
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class UpdatesInEvalFirst(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        self.remember(x.mean(dim=0), x.var(dim=0, correction=1))
        if self.training:
            mean, var = x.mean(dim=0), x.var(dim=0, correction=0)
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
        name="batch_statistics_in_eval",
        chapter="04_calibration",
        symptom="In eval mode a prediction depends on what it is read with, and a single "
        "example gives the shift.",
        explanation="In eval mode it still normalizes with the batch's own statistics. There "
        "it has to use the running ones.",
        code=BatchStatisticsInEval,
    ),
    bug(
        name="running_statistics_in_training",
        chapter="05_running_statistics",
        symptom="In training the units of the output have neither mean 0 nor variance 1, least "
        "of all at first.",
        explanation="In training it normalizes with the running statistics. There it has to "
        "use the batch's own, with the gradients through them.",
        code=RunningStatisticsInTraining,
        variants=(RunningStatisticsInTrainingBefore,),
    ),
    bug(
        name="modes_exchanged",
        chapter="05_running_statistics",
        symptom="In eval mode a prediction depends on its batch-mates, in training it does not.",
        explanation="Training and eval mode are exchanged: the batch's own statistics belong "
        "to training, the running ones to eval.",
        code=ModesExchanged,
    ),
    bug(
        name="mode_guessed_from_grad",
        chapter="10_in_pytorch",
        symptom="layer.eval() alone changes nothing; under torch.no_grad() everything looks right.",
        explanation="It takes the mode from torch.is_grad_enabled(). Gradients and mode are "
        "two switches: ask self.training.",
        code=ModeGuessedFromGrad,
    ),
    bug(
        name="updates_in_eval",
        chapter="10_in_pytorch",
        symptom="Evaluating twice gives two results, and a single example turns everything to NaN.",
        explanation="The running statistics are updated in eval mode too. Only training may "
        "move them.",
        code=UpdatesInEval,
        variants=(UpdatesInEvalFirst,),
    ),
)
