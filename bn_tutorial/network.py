"""The network of a recipe: its parameters as arrays, and what the compiled layers do with them."""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from numpy import ndarray
from torch import Generator, Tensor

from bn_tutorial._expect import expect_kind
from bn_tutorial.recipe import Recipe
from bn_tutorial.threads import one_blas_thread

NUMPY = {torch.float32: np.dtype("float32"), torch.float64: np.dtype("float64")}


def draw_parameters(
    recipe: Recipe, symbols: int, block_size: int, generator: Generator
) -> dict[str, Tensor]:
    """Draw the parameters of a network in the documented order.

    ``torch.randn`` gives the embedding (V, E); for each hidden layer the weight (fan_in, H), then
    the bias (H,) if there is one; the output's weight (H, V) and bias (V,). The gains multiply
    what was drawn, which is float32 whatever the recipe's dtype. The norms draw nothing: gain 1,
    shift 0.

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

    norm: int  # layers.PLAIN, BATCH or LAYER
    after: bool  # the norm stands after its tanh
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
        self._data, self._parameters = self._allocate()
        self._grad, self._gradients = self._allocate()
        for name, view in self._parameters.by_name().items():
            view[...] = parameters[name].numpy()
        norms = {None: "PLAIN", "batch": "BATCH", "layer": "LAYER"}
        self._structure = Structure(
            norm=getattr(self._layers, norms[recipe.norm]),
            after=recipe.placement == "after",
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
            batch, normalizes = shape[-2], self.recipe.norm == "batch" and self._statistics is None
            if normalizes and batch < 2:
                raise ValueError(
                    f"contexts: expected at least 2 examples to normalize, got {batch}"
                )
        return arrays

    def losses(self, contexts: ndarray, targets: ndarray) -> ndarray:
        """Return the loss of every example of a batch: (B, T) and (B,) -> (B,), in nats."""
        a = self._activations_of(len(contexts))
        with one_blas_thread:
            self._layers.forward(self._parameters, self._structure, contexts, a)
            self._layers.cross_entropy(a.logits, targets, a.losses)
        return a.losses.copy()

    def logits(self, contexts: ndarray) -> ndarray:
        """Return what the network answers to a batch: (B, T) -> (B, V)."""
        a = self._activations_of(len(contexts))
        with one_blas_thread:
            self._layers.forward(self._parameters, self._structure, contexts, a)
        return a.logits.copy()

    def there_and_back(self, contexts: ndarray, targets: ndarray) -> Pass:
        """Send a batch (B, T), (B,) through the network, and the gradient of its loss back."""
        layers, a = self._layers, self._make_activations(len(contexts), keep=True)
        with one_blas_thread:
            layers.forward(self._parameters, self._structure, contexts, a)
            logits = a.logits.copy()
            layers.cross_entropy(a.logits, targets, a.losses)
            layers.backward(self._parameters, self._gradients, self._structure, contexts, a)
        outputs = self._name(a.embedding, a.outputs, logits)
        output_gradients = self._name(a.dembedding, a.gradients, a.logits)
        return Pass(a.losses, outputs, output_gradients, copied(self._gradients.by_name()))

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
        """Go through one hidden layer with its norm and tanh.

        Parameters
        ----------
        i : int
        x : ndarray (B, I)
            As ``embed`` or the layer below returned it.
        statistics : tuple of two ndarrays (H,), optional
            Mean and standard deviation for its BatchNorm. Without them it uses the batch's own.

        Returns
        -------
        tuple of ndarray (B, H), (H,) and (H,)
            Its output, and the mean and the standard deviation (correction 0) that were used.
        """
        a = self._activations_of(len(x))
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
            Whether to return the batches' statistics.

        Returns
        -------
        tuple of ndarray (steps,), (L, steps, H) and (L, steps, H)
            Each batch's mean loss, and its means and standard deviations; L is 0 without them.
        """
        steps, dtype = len(batches), self._data.dtype
        losses = np.empty(steps, dtype)
        shape = self.recipe.depth if statistics else 0, steps, self.recipe.hidden
        mean, std = np.empty(shape, dtype), np.empty(shape, dtype)
        network = self._parameters, self._gradients, self._structure, self._data, self._grad
        a = self._activations_of(batches.shape[1])
        with one_blas_thread:
            done = self._layers.train_steps(
                *network, contexts, targets, batches, rates.astype(dtype), a, losses, mean, std
            )
        return losses[:done], mean[:, :done], std[:, :done]

    def _allocate(self):
        (symbols, dim, fan_in), recipe = self._sizes, self.recipe
        depth, hidden = recipe.depth, recipe.hidden
        bias, norm = hidden * recipe.hidden_bias, hidden * bool(recipe.norm)
        shapes = Parameters(
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
        flat = np.zeros(ends[-1], NUMPY[recipe.dtype])
        parts = np.split(flat, ends[:-1])
        return flat, Parameters(*(p.reshape(s) for p, s in zip(parts, shapes, strict=True)))

    def _activations_of(self, batch):
        if self._activations is None or len(self._activations.losses) != batch:
            self._activations = self._make_activations(batch)
        return self._activations

    def _make_activations(self, batch, keep=False):
        (symbols, dim, fan_in), recipe = self._sizes, self.recipe
        depth, hidden, statistics = recipe.depth, recipe.hidden, self._statistics

        def empty(*shape):
            return np.empty(shape, self._data.dtype)

        y = empty(depth, batch, hidden)
        mean, std = empty(depth, hidden), empty(depth, hidden)
        if statistics is not None:
            for i, pair in enumerate(zip(statistics.mean, statistics.std, strict=True)):
                mean[i], std[i] = (tensor.numpy() for tensor in pair)
        return Activations(
            contexts=np.empty((batch, fan_in // dim), np.int64),
            targets=np.empty(batch, np.int64),
            embedding=empty(batch, fan_in),
            x_hat=empty(depth if recipe.norm else 0, batch, hidden),
            tanh=empty(*y.shape) if recipe.norm and recipe.placement == "after" else y,
            y=y,
            mean=mean,
            std=std,
            inv_std=empty(depth, batch if recipe.norm == "layer" else hidden),
            logits=empty(batch, symbols),
            losses=empty(batch),
            dy=empty(2, batch, hidden),
            dembedding=empty(batch, fan_in),
            outputs=empty(depth if keep else 0, 3, batch, hidden),
            gradients=empty(depth if keep else 0, 3, batch, hidden),
        )


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
