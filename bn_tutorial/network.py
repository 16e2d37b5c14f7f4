"""The network of a recipe: its parameters as arrays, and what the compiled layers do with them."""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from numpy import ndarray
from torch import Generator, Tensor

from bn_tutorial._expect import expect_kind
from bn_tutorial.arrays import Activations, Parameters, Structure
from bn_tutorial.recipe import Recipe
from bn_tutorial.threads import one_blas_thread

NUMPY = {torch.float32: np.dtype("float32"), torch.float64: np.dtype("float64")}


def draw_parameters(
    recipe: Recipe, symbols: int, block_size: int, generator: Generator
) -> dict[str, Tensor]:
    """Draw the parameters of a network in the documented order.

    ``torch.randn`` gives the embedding (V, E); for each hidden layer the weight (fan_in, H), then
    the bias (H,) if there is one; the output's weight (H, V) and bias (V,). The gains multiply
    what was drawn, which is float32 whatever the recipe's dtype. The norms draw nothing.

    Parameters
    ----------
    recipe : Recipe
    symbols, block_size : int
        V, the size of the vocabulary, and T, the context length.
    generator : torch.Generator

    Returns
    -------
    dict of str to Tensor
        ``"embedding"``, ``"hidden.0.weight"``, ``"hidden.0.bias"``, ``"norm.0.weight"``,
        ``"norm.0.bias"``, ..., ``"output.weight"``, ``"output.bias"``.
    """
    dtype = NUMPY[recipe.dtype]

    def draw(*shape, gain=1.0):
        drawn = torch.randn(shape, generator=generator, dtype=torch.float32).numpy()
        with np.errstate(over="ignore"):
            # not by torch: its threads hang in a process that was forked
            return torch.from_numpy((drawn * np.float32(gain)).astype(dtype))

    parameters = {"embedding": draw(symbols, recipe.embedding)}
    fan_in, hidden, gain = block_size * recipe.embedding, recipe.hidden, recipe.hidden_gain
    for i in range(recipe.depth):
        parameters[f"hidden.{i}.weight"] = draw(fan_in, hidden, gain=gain)
        if recipe.hidden_bias:
            parameters[f"hidden.{i}.bias"] = draw(hidden, gain=gain)
        if recipe.norm:
            parameters[f"norm.{i}.weight"] = torch.from_numpy(np.ones(hidden, dtype))
            parameters[f"norm.{i}.bias"] = torch.from_numpy(np.zeros(hidden, dtype))
        fan_in = hidden
    parameters["output.weight"] = draw(hidden, symbols, gain=recipe.output_gain)
    parameters["output.bias"] = draw(symbols, gain=recipe.output_gain)
    return parameters


class Pass(NamedTuple):
    """What a batch leaves on its way through a network and back: names as in ``Snapshot``."""

    losses: ndarray  # (B,)
    outputs: dict[str, Tensor]  # (B, ...)
    output_gradients: dict[str, Tensor]
    gradients: dict[str, Tensor]


class Network:
    """The network of a recipe, ready to be trained and to be read.

    Parameters
    ----------
    recipe : Recipe
        Its structure and dtype are the network's.
    parameters : dict of str to Tensor
        As ``draw_parameters`` returns them; they are copied.
    statistics : Statistics, optional
        For BatchNorm to use instead of each batch's own.
    """

    def __init__(self, recipe: Recipe, parameters: dict[str, Tensor], statistics=None):
        self.recipe, self._statistics = recipe, statistics
        self._layers = compiled_layers()
        self._sizes = *parameters["embedding"].shape, len(parameters["hidden.0.weight"])
        shape = recipe, self._sizes, NUMPY[recipe.dtype]
        self._data, self._parameters = Parameters.zeros(*shape)
        self._grad, self._gradients = Parameters.zeros(*shape)
        for name, view in self._parameters.by_name().items():
            view[...] = parameters[name].numpy()
        self._structure = Structure(
            before=bool(recipe.norm) and recipe.placement == "before",
            after=bool(recipe.norm) and recipe.placement == "after",
            by_example=recipe.norm == "layer",
            fixed=statistics is not None,
            correction=recipe.correction,
            eps=self._data.dtype.type(recipe.eps),
        )
        self._activations = None

    def __len__(self):
        """Return the number of parameters."""
        return len(self._data)

    def parameters(self) -> dict[str, Tensor]:
        """Return a copy of the parameters."""
        return copied(self._parameters.by_name())

    def check(self, contexts: Tensor, targets: Tensor | None = None, *, batches: bool = False):
        """Return contexts (N, T), and targets (N,) if there are any, as a list of arrays.

        With ``batches`` they may be (K, B, T) and (K, B) too.

        Raises
        ------
        TypeError, ValueError
            If they are no Tensors, or don't fit the network or each other.
        """
        symbols, dim, fan_in = self._sizes
        shape = getattr(contexts, "shape", ())
        examples = tuple(shape[:-1]) if len(shape) == 3 and batches else ("N",)
        arrays = [_as_indices("contexts", contexts, (*examples, fan_in // dim), symbols)]
        if targets is not None:
            arrays.append(_as_indices("targets", targets, tuple(shape[:-1]), symbols))
            own, batch = self.recipe.norm == "batch" and self._statistics is None, shape[-2]
            if own and batch < 2:
                wanted = "at least 2 examples to normalize"
                raise ValueError(f"contexts: expected {wanted}, got {batch}")
        return arrays

    def losses(self, contexts: ndarray, targets: ndarray) -> ndarray:
        """Return the loss of every example of a batch: (B, T) and (B,) -> (B,), in nats."""
        a = self._forward(contexts)
        self._layers.cross_entropy(a.logits, targets, a.losses)
        return a.losses.copy()

    def logits(self, contexts: ndarray) -> ndarray:
        """Return what the network answers to a batch: (B, T) -> (B, V)."""
        return self._forward(contexts).logits.copy()

    def there_and_back(self, contexts: ndarray, targets: ndarray) -> Pass:
        """Send a batch (B, T), (B,) through the network, and the gradient of its loss back."""
        layers, a = self._layers, self._forward(contexts, keep=True)
        outputs = self._name(a.embedding, a.outputs, a.logits.copy())
        layers.cross_entropy(a.logits, targets, a.losses)
        with one_blas_thread:
            layers.backward(self._parameters, self._gradients, self._structure, contexts, a)
        output_gradients = self._name(a.dembedding, a.gradients, a.logits)
        return Pass(a.losses, outputs, output_gradients, copied(self._gradients.by_name()))

    def _forward(self, contexts, keep=False):
        a = self._room_for(len(contexts), keep)
        with one_blas_thread:
            self._layers.forward(self._parameters, self._structure, contexts, a)
        return a

    def _name(self, embedding, kept, logits):
        """Name what was kept of each layer, in the order of the layers: dict of str to Tensor."""
        names = {"hidden": self._layers.HIDDEN, "tanh": self._layers.TANH}
        if self.recipe.norm:
            names = {"hidden": names["hidden"], "norm": self._layers.NORM, "tanh": names["tanh"]}
        if self.recipe.norm and self.recipe.placement == "after":
            names["norm"] = names.pop("norm")
        named = {"embedding": embedding}
        for i in range(len(kept)):
            named |= {f"{name}.{i}": kept[i, which] for name, which in names.items()}
        return {name: torch.from_numpy(a) for name, a in (named | {"output": logits}).items()}

    def embed(self, contexts: ndarray) -> ndarray:
        """Return what goes into the first hidden layer: (B, T) -> (B, T * E)."""
        x = np.empty((len(contexts), self._sizes[-1]), self._data.dtype)
        self._layers.embedding_forward(self._parameters.embedding, contexts, x)
        return x

    def hidden_layer(self, i: int, x: ndarray, statistics=None) -> tuple[ndarray, ndarray, ndarray]:
        """Go through the i-th hidden layer with its norm and tanh: (B, I) -> (B, H), (H,), (H,).

        The statistics are mean and standard deviation for its BatchNorm; without them it uses the
        batch's own. Those that were used, with correction 0, are returned beside the output.
        """
        a = self._room_for(len(x))
        if statistics is not None:
            a.mean[i], a.std[i] = statistics
        structure = self._structure._replace(fixed=statistics is not None, correction=0)
        with one_blas_thread:
            self._layers.hidden_forward(x, self._parameters, structure, i, a)
        return a.y[i].copy(), a.mean[i].copy(), a.std[i].copy()

    def train(self, contexts, targets, batches, rates, *, statistics=False):
        """Make steps of SGD, until one has a loss that is not finite.

        Parameters
        ----------
        contexts, targets : int64 ndarray (N, T) and (N,)
            All examples.
        batches : int64 ndarray (S, B)
            Which of them each step takes.
        rates : ndarray (S,)
        statistics : bool

        Returns
        -------
        tuple of ndarray (steps,), (L, steps, H) and (L, steps, H)
            Each batch's mean loss, and its means and standard deviations; without them L is 0.
        """
        steps, dtype = len(batches), self._data.dtype
        losses = np.empty(steps, dtype)
        shape = self.recipe.depth if statistics else 0, steps, self.recipe.hidden
        mean, std = np.empty(shape, dtype), np.empty(shape, dtype)
        network = self._parameters, self._gradients, self._structure, self._data, self._grad
        a = self._room_for(batches.shape[1])
        with one_blas_thread:
            done = self._layers.train_steps(
                *network, contexts, targets, batches, rates.astype(dtype), a, losses, mean, std
            )
        return losses[:done], mean[:, :done], std[:, :done]

    def _room_for(self, batch, keep=False):
        """Return Activations for a batch: the last ones, where they fit."""
        a = self._activations
        if a is None or keep or len(a.losses) != batch or len(a.outputs):
            a = Activations.empty(self.recipe, self._sizes, self._data.dtype, batch, keep)
            if self._statistics is not None:
                for i in range(self.recipe.depth):
                    a.mean[i] = self._statistics.mean[i].numpy()
                    a.std[i] = self._statistics.std[i].numpy()
            self._activations = a
        return a


def _as_indices(name, tensor, shape, symbols):
    """Return a tensor of indices as an array: its shape must be this one, where N is any number."""
    expect_kind(name, tensor, Tensor)
    is_index = not (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool)
    fits = len(shape) == tensor.ndim and all(
        wanted in ("N", size) for wanted, size in zip(shape, tensor.shape, strict=True)
    )
    if not is_index or not fits:
        wanted = str(shape).replace("'", "")
        raise ValueError(
            f"{name}: expected indices of shape {wanted}, "
            f"got {tensor.dtype} of shape {tuple(tensor.shape)}"
        )
    if tensor.numel() and not 0 <= tensor.min() <= tensor.max() < symbols:
        raise ValueError(
            f"{name}: expected indices from 0 to {symbols - 1}, "
            f"got {tensor.min()} to {tensor.max()}"
        )
    return np.ascontiguousarray(tensor.numpy(), np.int64)


def copied(arrays: dict[str, ndarray | Tensor]) -> dict[str, Tensor]:
    """Copy arrays or tensors into tensors, each with memory of its own."""
    # not by torch, whose threads hang in a process that was forked
    return {name: torch.from_numpy(np.asarray(array).copy()) for name, array in arrays.items()}


@cache
def compiled_layers():
    """Import the compiled layers: here, so that ``import bn_tutorial`` does without Numba."""
    from bn_tutorial import layers

    return layers


@cache
def compile_training(dtype: torch.dtype) -> Network:
    """Have the loop of steps ready for a dtype: it takes ten seconds once, then lies on disk."""
    recipe = Recipe(dtype=dtype, steps=1, batch_size=2)
    network = Network(recipe, draw_parameters(recipe, 2, 1, torch.Generator()))
    network.train(*_TINY, np.zeros((1, 2), int), np.zeros(1))
    return network


def compile_ahead():
    """Have all compiled code on disk, for both dtypes."""
    for dtype in NUMPY:
        network = compile_training(dtype)
        network.hidden_layer(0, network.embed(_TINY[0]))
        network.there_and_back(*_TINY)


_TINY = np.zeros((2, 1), int), np.zeros(2, int)  # two examples
