"""The memory of a network, as the compiled layers take it."""

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from bn_tutorial.recipe import Recipe


class Parameters(NamedTuple):
    """The parameters of a network, or their gradients, as the compiled layers take them.

    All are views of one array, so a step of SGD is one loop. What a network doesn't have (a bias,
    a norm) has no columns.
    """

    embedding: ndarray  # (V, E)
    first: ndarray  # (T * E, H), the weight of the first hidden layer
    deeper: ndarray  # (L - 1, H, H), those of the others
    bias: ndarray  # (L, H)
    gain: ndarray  # (L, H), the norms' weights
    shift: ndarray  # (L, H), the norms' biases
    output: ndarray  # (H, V)
    output_bias: ndarray  # (V,)

    @classmethod
    def zeros(cls, recipe: Recipe, sizes: tuple[int, int, int], dtype):
        """Return one array of zeros, and its views; sizes are V, E and T * E."""
        (symbols, dim, fan_in), depth, hidden = sizes, recipe.depth, recipe.hidden
        bias, norm = hidden * recipe.hidden_bias, hidden * bool(recipe.norm)
        shapes = cls(
            embedding=(symbols, dim),
            first=(fan_in, hidden),
            deeper=(depth - 1, hidden, hidden),
            bias=(depth, bias),
            gain=(depth, norm),
            shift=(depth, norm),
            output=(hidden, symbols),
            output_bias=(symbols,),
        )
        ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])
        flat = np.zeros(ends[-1], dtype)
        parts = np.split(flat, ends[:-1])
        return flat, cls(*(p.reshape(s) for p, s in zip(parts, shapes, strict=True)))

    def by_name(self) -> dict[str, ndarray]:
        """Return views of the parameters under the names of ``draw_parameters``."""
        named = {"embedding": self.embedding}
        for i in range(len(self.bias)):
            named[f"hidden.{i}.weight"] = self.deeper[i - 1] if i else self.first
            named[f"hidden.{i}.bias"] = self.bias[i]
            named[f"norm.{i}.weight"], named[f"norm.{i}.bias"] = self.gain[i], self.shift[i]
        named |= {"output.weight": self.output, "output.bias": self.output_bias}
        return {name: view for name, view in named.items() if view.size}


class Structure(NamedTuple):
    """What the compiled layers must know of a recipe."""

    before: bool  # there is a norm before each tanh
    after: bool  # or after it
    by_example: bool  # the norm is layer norm
    fixed: bool  # BatchNorm uses given statistics, not the batch's own
    correction: int
    eps: np.floating


class Activations(NamedTuple):
    """Where a batch leaves its traces on the way through a network, and its gradient back."""

    contexts: ndarray  # (B, T)
    targets: ndarray  # (B,)
    embedding: ndarray  # (B, T * E)
    x_hat: ndarray  # (L, B, H)
    tanh: ndarray  # (L, B, H)
    y: ndarray  # (L, B, H), what goes to the next layer: the same array where tanh comes last
    mean: ndarray  # (L, H)
    std: ndarray  # (L, H)
    inv_std: ndarray  # (L, H), with layer norm (L, B)
    logits: ndarray  # (B, V), then their gradient
    losses: ndarray  # (B,)
    dy: ndarray  # (2, B, H), gradients with respect to y, of this layer and the next
    dembedding: ndarray  # (B, T * E)
    outputs: ndarray  # (L, 3, B, H) to keep what each layer gives, or (0, 3, B, H)
    gradients: ndarray  # the same for the gradients with respect to that

    @classmethod
    def empty(cls, recipe: Recipe, sizes: tuple[int, int, int], dtype, batch: int, keep: bool):
        """Return room for a batch, and with ``keep`` for what each layer gives."""
        (symbols, dim, fan_in), depth, hidden = sizes, recipe.depth, recipe.hidden

        def empty(*shape):
            return np.empty(shape, dtype)

        y = empty(depth, batch, hidden)
        return cls(
            contexts=np.empty((batch, fan_in // dim), np.int64),
            targets=np.empty(batch, np.int64),
            embedding=empty(batch, fan_in),
            x_hat=empty(depth if recipe.norm else 0, batch, hidden),
            tanh=empty(*y.shape) if recipe.norm and recipe.placement == "after" else y,
            y=y,
            mean=empty(depth, hidden),
            std=empty(depth, hidden),
            inv_std=empty(depth, batch if recipe.norm == "layer" else hidden),
            logits=empty(batch, symbols),
            losses=empty(batch),
            dy=empty(2, batch, hidden),
            dembedding=empty(batch, fan_in),
            outputs=empty(depth if keep else 0, 3, batch, hidden),
            gradients=empty(depth if keep else 0, 3, batch, hidden),
        )
