"""The networks of one or more runs, as a stack of layers."""

import numpy as np
import torch

from bn_tutorial.layers import (
    BatchNorm,
    CrossEntropy,
    Embedding,
    LayerNorm,
    Linear,
    Parameter,
    Tanh,
)


def draw_parameters(recipe, symbols, block_size, generator):
    """Draw the parameters of a network in the documented order.

    ``torch.randn`` gives the embedding (V, E); for each hidden layer the weight (fan_in, H), then
    the bias (H,) if there is one; the output's weight (H, V) and bias (V,). The gains multiply
    what was drawn. The norms draw nothing: gain 1, shift 0.

    Parameters
    ----------
    recipe : Recipe
    symbols : int
        V, the size of the vocabulary.
    block_size : int
        T, the context length.
    generator : torch.Generator

    Returns
    -------
    dict of str to Tensor
        ``"embedding"``, ``"hidden.0.weight"``, ``"hidden.0.bias"``, ``"norm.0.weight"``,
        ``"norm.0.bias"``, ..., ``"output.weight"``, ``"output.bias"``.
    """

    def draw(*shape, gain=1.0):
        return (torch.randn(shape, generator=generator) * gain).to(recipe.dtype)

    parameters = {"embedding": draw(symbols, recipe.embedding)}
    fan_in, hidden, gain = block_size * recipe.embedding, recipe.hidden, recipe.hidden_gain
    for layer in range(recipe.depth):
        parameters[f"hidden.{layer}.weight"] = draw(fan_in, hidden, gain=gain)
        if recipe.hidden_bias:
            parameters[f"hidden.{layer}.bias"] = draw(hidden, gain=gain)
        if recipe.norm:
            parameters[f"norm.{layer}.weight"] = torch.ones(hidden, dtype=recipe.dtype)
            parameters[f"norm.{layer}.bias"] = torch.zeros(hidden, dtype=recipe.dtype)
        fan_in = hidden
    parameters["output.weight"] = draw(hidden, symbols, gain=recipe.output_gain)
    parameters["output.bias"] = draw(symbols, gain=recipe.output_gain)
    return parameters


class Model:
    """The networks of R runs, stacked along a leading run axis.

    All parameters lie in one array of shape (R, P) and all gradients in another, so an SGD step
    is two operations; the layers hold views of them.

    Parameters
    ----------
    recipe : Recipe
        Its structure (norm, depth, correction, eps, dtype) is that of every run.
    parameters : list of dict of str to Tensor
        One dict a run, as ``draw_parameters`` gives it.
    statistics : Statistics, optional
        Given to the BatchNorms instead of each batch's own.

    Attributes
    ----------
    layers : dict of str to Layer
        ``"embedding"``, ``"hidden.0"``, ``"norm.0"``, ``"tanh.0"``, ..., ``"output"``, in order;
        where the recipe's placement is "after", each norm comes after its tanh.
    data, grad : ndarray (R, P)
    """

    def __init__(self, recipe, parameters, statistics=None):
        self._shapes = {name: tensor.shape for name, tensor in parameters[0].items()}
        self.data = np.stack(
            [
                torch.cat([t.flatten() for t in run.values()]).to(recipe.dtype).numpy()
                for run in parameters
            ]
        )
        self.grad = np.zeros_like(self.data)
        self.loss = CrossEntropy()
        self.layers = self._build(recipe, statistics)
        self._stack = list(self.layers.values())
        self._reversed = self._stack[::-1]
        self.norms = [layer for layer in self._stack if isinstance(layer, BatchNorm)]

    def _build(self, recipe, statistics):
        parameter = {
            name: Parameter(data, grad)
            for (name, data), grad in zip(
                self._views(self.data).items(), self._views(self.grad).values(), strict=True
            )
        }
        layers = {"embedding": Embedding(parameter["embedding"])}
        for i in range(recipe.depth):
            weight, bias = parameter[f"hidden.{i}.weight"], parameter.get(f"hidden.{i}.bias")
            layers[f"hidden.{i}"] = Linear(weight, bias)
            tanh, norm = {f"tanh.{i}": Tanh()}, {}
            if recipe.norm:
                affine = parameter[f"norm.{i}.weight"], parameter[f"norm.{i}.bias"]
                norm = {f"norm.{i}": _norm(recipe, i, affine, statistics)}
            layers |= norm | tanh if recipe.placement == "before" else tanh | norm
        layers["output"] = Linear(
            parameter["output.weight"], parameter["output.bias"], batch_last=True
        )
        return layers

    def _views(self, flat):
        views, start = {}, 0
        for name, shape in self._shapes.items():
            rows = shape if len(shape) == 2 else (1, *shape)  # (H,) -> (1, H), to broadcast over B
            stop = start + shape.numel()
            views[name] = flat[:, start:stop].reshape(len(flat), *rows)
            start = stop
        return views

    def tensors(self, run, flat=None):
        """Copy one run's parameters (or gradients, ``flat=model.grad``) into a dict of tensors."""
        views = self._views(self.data if flat is None else flat)
        return {
            name: torch.from_numpy(view[run].reshape(self._shapes[name]).copy())
            for name, view in views.items()
        }

    def places(self, contexts, targets):
        """Find where the numbers of contexts (..., R, B, T) and targets (..., R, B) stand."""
        symbols = self._shapes["output.bias"].numel()
        return self.layers["embedding"].places(contexts), self.loss.places(targets, symbols)

    def forward(self, contexts):
        """Places of contexts (R, B, T * E) -> logits (R, B, V)."""
        x = contexts
        for layer in self._stack:
            x = layer.forward(x)
        return x

    def backward(self):
        """Fill ``grad`` with the gradient of the loss that was computed last."""
        dy = self.loss.backward()
        for layer in self._reversed:
            dy = layer.backward(dy)

    def update(self, learning_rate):
        """Make a step of SGD: ``learning_rate`` is an ndarray (R, 1)."""
        np.multiply(self.grad, learning_rate, out=self.grad)
        np.subtract(self.data, self.grad, out=self.data)


def _norm(recipe, i, affine, statistics):
    if recipe.norm == "layer":
        return LayerNorm(*affine, eps=recipe.eps)
    given = statistics and tuple(
        s[i].to(recipe.dtype).reshape(1, 1, -1).numpy() for s in (statistics.mean, statistics.std)
    )
    return BatchNorm(*affine, correction=recipe.correction, eps=recipe.eps, statistics=given)
