"""Right layers in many styles: the check has to accept every one of them."""

import torch
import torch.nn.functional as F
from torch import nn

from bn_tutorial.checks.bugs.layer import BatchNorm as Plain
from bn_tutorial.checks.clinic_layers import HEALTHY


class DataOnly(Plain):
    def remember(self, mean, var):
        self.running_mean.data.lerp_(mean.data, self.momentum)
        self.running_var.data.lerp_(var.data, self.momentum)


class Wrapped(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.inner = nn.BatchNorm1d(num_features, eps, momentum)

    def forward(self, x):
        return self.inner(x)


class Inherited(nn.BatchNorm1d):
    pass


class OwnNames(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.beta = nn.Parameter(torch.zeros(1, num_features))
        self.gamma = nn.Parameter(torch.ones(1, num_features))
        self.register_buffer("memory", torch.tensor([[0.0], [1.0]]).repeat(1, num_features))
        self.epsilon, self.decay = eps, 1 - momentum

    def forward(self, x):
        mean, var = self.memory
        if self.training:
            new = torch.stack([x.mean(0), x.var(0)]).detach()
            self.memory = self.decay * self.memory + (1 - self.decay) * new
            mean, var = x.mean(0, keepdim=True), x.var(0, correction=0, keepdim=True)
        return self.beta + self.gamma * ((x - mean) / torch.sqrt(var + self.epsilon))


class GainAroundZero(Plain):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.weight.data.zero_()

    def forward(self, x):
        weight, self._parameters["weight"] = self.weight, None
        try:
            self._parameters["weight"] = nn.Parameter(torch.ones_like(weight), requires_grad=False)
            x_hat = super().forward(x) - self.bias
        finally:
            self._parameters["weight"] = weight
        return (1 + weight) * x_hat + self.bias


class ExtraState(nn.Module):
    """Keeps its statistics as lists of floats, and saves them all the same."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.mean, self.var = [0.0] * num_features, [1.0] * num_features

    def get_extra_state(self):
        return {"mean": self.mean, "var": self.var}

    def set_extra_state(self, state):
        self.mean, self.var = state["mean"], state["var"]

    def mix(self, old, new):
        m = self.momentum
        return [(1 - m) * a + m * b for a, b in zip(old, new.tolist(), strict=True)]

    def forward(self, x):
        mean, var = torch.tensor(self.mean), torch.tensor(self.var)
        if self.training:
            mean, var = x.mean(0), x.var(0, correction=0)
            self.mean, self.var = self.mix(self.mean, mean), self.mix(self.var, x.var(0))
        return F.linear((x - mean) / (var + self.eps).sqrt(), torch.diag(self.weight), self.bias)


class EvalFirst(Plain):
    def train(self, mode=True):
        self.how = self.batch if mode else self.fixed
        return super().train(mode)

    def forward(self, x):
        mean, var = getattr(self, "how", self.batch)(x)
        return torch.addcmul(self.bias, (x - mean) / (var + self.eps) ** 0.5, self.weight)

    def batch(self, x):
        with torch.no_grad():
            self.remember(x.mean(0), x.var(0))
        return x.mean(0), ((x - x.mean(0)) ** 2).mean(0)

    def fixed(self, x):
        return self.running_mean, self.running_var


class RunningStdKept(Plain):
    """Saves the root of the running variance; what it averages is still the variance."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.register_buffer("running_std", torch.ones_like(self.running_var))
        del self.running_var

    @property
    def running_var(self):
        return self.running_std**2

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean.lerp_(mean, self.momentum)
        self.running_std.copy_(torch.lerp(self.running_var, var, self.momentum).sqrt())


class Chatty(Plain):
    def forward(self, x):
        print("x", tuple(x.shape), "training", self.training)
        return super().forward(x)


LAYERS = [
    *HEALTHY.values(),
    *(DataOnly, Wrapped, Inherited, OwnNames, GainAroundZero, ExtraState, EvalFirst),
    *(RunningStdKept, Chatty),
]
