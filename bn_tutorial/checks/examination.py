"""A layer under examination: what it is sent, and what is done with it."""

from copy import deepcopy
from functools import lru_cache

import torch
from torch import Tensor, nn

from bn_tutorial.checks.cases import batch, gains, generator, normal
from bn_tutorial.checks.observe import Complaint, kind

UNITS = 4
SETTINGS = {"eps": 0.1, "momentum": 0.3}
LARGE = 1e4  # a mean whose square leaves no digit for the variance in float32


class Inputs:
    """What a layer is sent. Nobody changes it: every call gets copies."""

    def __init__(self, seed):
        g = generator(seed)

        def draw(examples, **more):
            return batch(g, examples, UNITS, dtype=torch.float32, **more)

        self.batches = draw(5), draw(UNITS, mean=-2), draw(6, mean=3)  # the second is square
        self.dy = [0.3 + normal(g, *x.shape, dtype=torch.float32) for x in self.batches]
        self.x, self.tiny, self.far = draw(5, mean=2), draw(5, scale=1e-3), draw(5, mean=LARGE)
        self.moves = {"gain": gains(g, UNITS, dtype=torch.float32) - 1}  # from 1 to gains
        self.moves["shift"] = normal(g, UNITS, dtype=torch.float32)


draw_inputs = lru_cache(maxsize=8)(Inputs)  # the same for an answer and for all known bugs


class Examination:
    """One class under examination: a layer made of it, and the roles of its parameters."""

    def __init__(self, cls, moves):
        self.cls, self.moves = cls, moves
        self.layer, self.roles = None, {}

    def start(self, x):
        """Make the layer and read a batch in eval mode."""
        self.layer = self.cls(UNITS, **SETTINGS)
        if not isinstance(self.layer, nn.Module):
            return Complaint(f"expected an nn.Module, got {kind(self.layer)}")
        if "_modules" not in vars(self.layer):
            if self.layer.forward(x) is None:
                return None
            return Complaint("__init__ has to begin with super().__init__()")
        return _output(self.layer.eval()(x))

    def find_roles(self, x):
        """Move each parameter of another layer a little, and see what that does to the output."""
        layer = self.cls(UNITS, **SETTINGS).train()
        parameters = dict(layer.named_parameters())
        with torch.no_grad():
            before = layer(x)
            for name in [n for n, p in parameters.items() if p.numel() == UNITS]:
                parameters[name] += 0.5
                change = layer(x) - before  # (B, H)
                parameters[name] -= 0.5
                if change.abs().max() > 1e-3:
                    same = (change - change[0]).abs().max() < 1e-3
                    self.roles.setdefault("shift" if same else "gain", name)
        count = sum(p.numel() for p in parameters.values())
        if count != 2 * UNITS:
            expected = f"expected gain and shift, {2 * UNITS}"
            return Complaint(f"its parameters are {count} numbers, {expected}")
        for role in ("gain", "shift"):
            if role not in self.roles:
                return Complaint(f"no parameter acts as the {role}")
        return {}

    def parameters(self):
        named = dict(self.layer.named_parameters())
        return {role: named[name] for role, name in self.roles.items()}

    def step(self, x, dy):
        """Go forward in training mode and back."""
        return self._there_and_back(self.layer.train(), x, dy)

    def learn(self, x, dy):
        """Move gain and shift as an optimizer would, then take a step."""
        with torch.no_grad():
            for role, parameter in self.parameters().items():
                parameter += self.moves[role].reshape(parameter.shape)
        return self.step(x, dy)

    def read(self, x, dy):
        """Go forward in eval mode and back."""
        return self._there_and_back(self.layer.eval(), x, dy)

    def _there_and_back(self, layer, x, dy):
        leaf = x.requires_grad_()
        y = layer(leaf * 1)  # not the leaf: a learner may not change that in place
        if not isinstance(y, Tensor) or y.shape != dy.shape:
            return _output(y)
        sources = {"dx": leaf} | {f"d{role}": p for role, p in self.parameters().items()}
        # a sum, because torch loads a large library when it is given dy
        found = torch.autograd.grad((y * dy).sum(), list(sources.values()), allow_unused=True)
        gradients = dict(zip(sources, found, strict=True))
        for name, gradient in gradients.items():
            if gradient is None:
                return Complaint(f"no gradient reaches {name[1:]}")
            if name != "dx":
                gradients[name] = gradient.reshape(UNITS)
        return {"y": y} | gradients

    def read_alone(self, x):
        return _output(self.layer.eval()(x[:1]))

    def read_again(self, x):
        self.layer.eval()(-x)
        return _output(self.layer.eval()(x))

    def read_frozen(self, x):
        """Look whether an output hangs on anything but the parameters."""
        for parameter in self.layer.parameters():
            parameter.requires_grad_(False)
        y = self.layer.eval()(x)
        for parameter in self.layer.parameters():
            parameter.requires_grad_(True)
        if y.requires_grad:
            why = "though no parameter is trained"
            return Complaint(f"y still hangs on the graph of earlier batches, {why}")
        return _output(y)

    def save_and_load(self, x):
        new = self.cls(UNITS, **SETTINGS).eval()
        untouched = new(x)
        new.load_state_dict(deepcopy(self.layer.state_dict()))
        return {"y before loading": untouched, "y": new.eval()(x)}

    def without_grad(self, x):
        with torch.no_grad():
            return {"y": self.layer.train()(x), "y in eval mode": self.layer.eval()(x)}

    def with_defaults(self, x):
        self.layer = self.cls(UNITS)
        return {"y": self.layer.train()(x), "y in eval mode": self.layer.eval()(x)}

    def far_away(self, x):
        return _output(self.layer.train()(x))


def _output(y):
    return None if y is None or y is ... else {"y": y}
