"""The statistics that a trained network reads single examples with, and its loss with them."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bn_tutorial.model import Model
from bn_tutorial.parallel import one_blas_thread

CHUNK = 16_384  # examples evaluated at once


@dataclass(frozen=True, eq=False)
class Statistics:
    """What BatchNorm subtracts and divides by when it may not look at the batch.

    Attributes
    ----------
    mean, std : list of Tensor (H,)
        One a BatchNorm, in the order of the layers. ``std`` is the root of the variance, without
        eps.
    """

    mean: list[Tensor]
    std: list[Tensor]

    def __repr__(self):
        return f"Statistics({len(self.mean)} layers of {len(self.mean[0])} units)"


def calibrate(run, split):
    """Measure the statistics over a whole split, as one large batch.

    A deeper layer is measured on what the layers below it give with these statistics.

    Parameters
    ----------
    run : Run
        Of a network with batch norm.
    split : Split
        As a rule ``dataset.train``.

    Returns
    -------
    Statistics
        With the recipe's correction; computed in float64, given in the recipe's dtype.

    Raises
    ------
    ValueError
        If the network has no BatchNorm, or the split fewer than two examples.
    """
    if run.recipe.norm != "batch":
        raise ValueError(f'calibrate: expected a run with norm="batch", got {run.recipe.norm!r}')
    if len(split) < 2:
        raise ValueError(f"split: expected at least 2 examples to measure, got {len(split)}")
    check_contexts(run, split.contexts)
    model = _model(run)
    _forward(model, split.contexts)
    mean, std = (
        [torch.from_numpy(s.reshape(-1)).to(run.recipe.dtype) for s in stats]
        for stats in ([n.mean for n in model.norms], [n.std for n in model.norms])
    )
    return Statistics(mean, std)


def running_statistics(run, momentum=0.001, *, track="std"):
    """Give the running statistics that training would have left, exactly and for any momentum.

    ``running = (1 - momentum) * running + momentum * batch`` from 0 for the mean and 1 for the
    spread. Written out over T steps that is one weighted sum: the batch of k steps
    ago weighs ``momentum * (1 - momentum)**k``, the start ``(1 - momentum)**T``.

    Parameters
    ----------
    run : Run
        With the statistics of every batch recorded.
    momentum : float from 0 to 1, or None
        PyTorch's convention: the weight of the new batch. None: the plain average of all batches.
    track : {"std", "variance"}
        What is averaged beside the means: the batches' standard deviations, as the seed recipe
        does, or their variances, as ``nn.BatchNorm1d`` does. Both start at 1.

    Returns
    -------
    Statistics
        ``std`` is the running standard deviation, or the root of the running variance.

    Raises
    ------
    ValueError
        If nothing was recorded, momentum is not a number from 0 to 1, or track is another word.
    """
    if track not in ("std", "variance"):
        raise ValueError(f'track: expected "std" or "variance", got {track!r}')
    if run.batch_mean is None:
        raise ValueError(
            'running_statistics: expected a run with batch norm, trained with record="statistics", '
            "got one without recorded statistics"
        )
    steps = len(run.loss)
    weights, left = weigh_batches(steps, momentum)
    mean = [_weighted(weights, batches) for batches in run.batch_mean]
    if track == "std":
        std = [_weighted(weights, batches) + left for batches in run.batch_std]
    else:
        std = [(_weighted(weights, b.double() ** 2) + left).sqrt() for b in run.batch_std]
    return Statistics(*([s.to(run.recipe.dtype) for s in stats] for stats in (mean, std)))


def weigh_batches(steps, momentum):
    """Give the weight of each batch in a running statistic, oldest first, and of its start.

    Parameters
    ----------
    steps : int
    momentum : float from 0 to 1, or None

    Returns
    -------
    tuple of (float64 Tensor (steps,), float)
        Together they are 1.
    """
    if momentum is None:
        return torch.full((steps,), 1 / max(steps, 1), dtype=torch.float64), float(steps == 0)
    if (
        isinstance(momentum, bool)
        or not isinstance(momentum, (int, float))
        or not 0 <= momentum <= 1
    ):
        raise ValueError(f"momentum: expected a number from 0 to 1, or None, got {momentum!r}")
    ago = np.arange(steps - 1, -1, -1.0)  # NumPy: torch's threads wait for each other here
    return torch.from_numpy(momentum * (1 - momentum) ** ago), (1 - momentum) ** steps


def _weighted(weights, batches):
    return weights @ batches.double()  # (steps,) @ (steps, H) -> (H,)


@torch.no_grad()
def logits(run, contexts, statistics=None):
    """Compute what a trained network answers, in float64.

    Parameters
    ----------
    run : Run
    contexts : integer Tensor (N, T)
    statistics : Statistics, optional
        Required where the network has BatchNorm, and only there.

    Returns
    -------
    float64 Tensor (N, V)

    Raises
    ------
    ValueError
        If statistics are missing, or if they or the contexts don't fit the network.
    """
    check_contexts(run, contexts)
    check_statistics(run, statistics)
    model = _model(run, statistics)
    return torch.cat([_forward(model, part) for part in contexts.split(CHUNK)])


def evaluate(run, split, statistics=None):
    """Compute the mean loss of a trained network over a split.

    Parameters
    ----------
    run : Run
    split : Split
    statistics : Statistics, optional
        Required where the network has BatchNorm, and only there.

    Returns
    -------
    float
        Cross-entropy in nats, computed in float64.

    Raises
    ------
    ValueError
        If the split is empty, or the statistics are missing or don't fit the network.

    Examples
    --------
    >>> import bn_tutorial as bn
    >>> dataset = bn.Dataset.from_words(bn.load_words())
    >>> run = bn.train(dataset, bn.Recipe(steps=200))
    >>> stats = bn.calibrate(run, dataset.train)
    >>> round(bn.evaluate(run, dataset.val, stats), 1)
    3.1
    """
    if not len(split):
        raise ValueError("split: expected examples to evaluate, got an empty split")
    check_contexts(run, split.contexts)
    check_statistics(run, statistics)
    model, total = _model(run, statistics), 0.0
    with one_blas_thread:
        for start in range(0, len(split), CHUNK):
            part = slice(start, start + CHUNK)
            contexts, targets = split.contexts[part].numpy(), split.targets[part].numpy()
            contexts, targets = model.places(contexts[None], targets[None])
            loss = model.loss.forward(model.forward(contexts), targets)
            total += loss.item() * targets.size
    return total / len(split)


def check_contexts(run, contexts):
    """Raise a ValueError that says so where contexts don't fit a run."""
    symbols, dim = run.parameters["embedding"].shape
    block_size = run.parameters["hidden.0.weight"].shape[0] // dim
    if contexts.ndim != 2 or contexts.shape[1] != block_size or contexts.is_floating_point():
        raise ValueError(
            f"contexts: expected indices of shape (N, {block_size}), "
            f"got {contexts.dtype} of shape {tuple(contexts.shape)}"
        )
    if len(contexts) and not 0 <= contexts.min() <= contexts.max() < symbols:
        raise ValueError(
            f"contexts: expected indices from 0 to {symbols - 1}, "
            f"got {contexts.min()} to {contexts.max()}"
        )


def check_statistics(run, statistics):
    """Raise a ValueError that says so where statistics are missing or don't fit a run."""
    recipe = run.recipe
    if recipe.norm != "batch":
        if statistics is not None:
            raise ValueError(
                f"statistics: expected none for a network without BatchNorm "
                f"(norm={recipe.norm!r}), got {statistics!r}"
            )
        return
    if statistics is None:
        raise ValueError(
            "statistics: expected those to normalize with, got none; a network with batch norm "
            "needs them outside training: see calibrate and running_statistics"
        )
    expected = [(recipe.hidden,)] * recipe.depth
    for name in ("mean", "std"):
        shapes = [tuple(tensor.shape) for tensor in getattr(statistics, name)]
        if shapes != expected:
            raise ValueError(f"statistics.{name}: expected shapes {expected}, got {shapes}")


def _model(run, statistics=None):
    recipe = replace(run.recipe, dtype=torch.float64)
    return Model(recipe, [run.parameters], statistics)


def _forward(model, contexts):
    places = model.layers["embedding"].places(contexts.numpy()[None])
    with one_blas_thread:
        return torch.from_numpy(model.forward(places)[0].copy())  # (N, V)
