"""Wrong layers, ``cls(num_features, eps, momentum)``: eps, gain, shift, and the input."""
# ruff: noqa: D101 -- the code is shown as a patient: a docstring would name the disease

from functools import partial

import torch
from torch import nn

from bn_tutorial.checks.bug import Bug


class EpsIgnored(nn.Module):
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
        return self.weight * (x - mean) / var.sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class EpsOutsideRoot(nn.Module):
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
        return self.weight * (x - mean) / (var.sqrt() + self.eps) + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class EpsHardCoded(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.momentum = momentum
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
        return self.weight * (x - mean) / (var + 1e-5).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class EpsOnlyInTraining(nn.Module):
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
            std = (var + self.eps).sqrt()
        else:
            mean, std = self.running_mean, self.running_var.sqrt()
        return self.weight * (x - mean) / std + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class GainUnused(nn.Module):
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
        return (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class ShiftUnused(nn.Module):
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
        return self.weight * (x - mean) / (var + self.eps).sqrt()

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


class InputOverwritten(nn.Module):
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
        x -= mean
        return self.weight * x / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


bug = partial(Bug, check="batch_norm_layer")

BUGS = (
    bug(
        name="layer_eps_ignored",
        chapter="10_in_pytorch",
        symptom="A unit that is the same for a whole batch comes out as NaN.",
        explanation="eps is not used. It is added to the variance, inside the root, in "
        "training and in eval mode.",
        code=EpsIgnored,
    ),
    bug(
        name="layer_eps_outside_root",
        chapter="10_in_pytorch",
        symptom="With a tiny spread the outputs are too large, with a large eps too small.",
        explanation="eps is added to the standard deviation. It belongs inside the root: "
        "sqrt(var + eps).",
        code=EpsOutsideRoot,
    ),
    bug(
        name="layer_eps_hard_coded",
        chapter="10_in_pytorch",
        symptom="Layers that were made with different eps do the same.",
        explanation="eps is always 1e-5, whatever the layer is made with. Keep the argument "
        "and use it.",
        code=EpsHardCoded,
    ),
    bug(
        name="eps_only_in_training",
        chapter="10_in_pytorch",
        symptom="Training looks right; in eval mode units with a tiny variance are too large.",
        explanation="In eval mode eps is missing. It is added to the running variance just as "
        "to the batch's.",
        code=EpsOnlyInTraining,
    ),
    bug(
        name="layer_gain_unused",
        chapter="03_batch_norm",
        symptom="The gain's gradient is None and it never moves.",
        explanation="The gain is not used: x_hat is to be multiplied by it.",
        code=GainUnused,
    ),
    bug(
        name="layer_shift_unused",
        chapter="03_batch_norm",
        symptom="The shift's gradient is None and it never moves.",
        explanation="The shift is not used: it is to be added at the end.",
        code=ShiftUnused,
    ),
    bug(
        name="layer_input_overwritten",
        chapter="10_in_pytorch",
        symptom="The outputs are right, but whoever reads the layer's input afterwards finds "
        "other numbers.",
        explanation="It changes x in place, and x belongs to the layer before. Write x - mean "
        "to a new tensor.",
        code=InputOverwritten,
    ),
)
