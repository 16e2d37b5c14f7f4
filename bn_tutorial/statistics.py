"""The statistics that a trained network reads single examples with."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bn_tutorial._expect import expect_kind, expect_number
from bn_tutorial.data import Split
from bn_tutorial.network import Network
from bn_tutorial.run import Run
from bn_tutorial.threads import one_blas_thread

CHUNK = 512  # examples that go through a network at once: they stay in the cache
WEIGHED = 512  # batches whose statistics become float64 at once: in whole they take 80 MB
KEPT = 2**24  # numbers between two layers that are kept, 128 MB; the rest is computed again


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


def calibrate(run: Run, split: Split) -> Statistics:
    """Measure the statistics over a whole split, as one large batch.

    A deeper layer is measured on what the layers below it give with these statistics.

    Parameters
    ----------
    run : Run
        Of a network with batch norm.
    split : Split

    Returns
    -------
    Statistics
        With the recipe's correction; computed in float64, given in the recipe's dtype.

    Raises
    ------
    TypeError, ValueError
        If the network has no BatchNorm, or the split fewer than two examples.
    """
    expect_kind("run", run, Run)
    expect_kind("split", split, Split)
    if run.recipe.norm != "batch":
        raise ValueError(f'calibrate: expected a run with norm="batch", got {run.recipe.norm!r}')
    if len(split) < 2:
        raise ValueError(f"split: expected at least 2 examples to measure, got {len(split)}")
    network = Network(replace(run.recipe, dtype=torch.float64), run.parameters)
    [contexts] = network.check(split.contexts)
    with one_blas_thread:
        mean, std = zip(*_measure(network, contexts), strict=True)
    return _statistics(run, map(torch.from_numpy, mean), map(torch.from_numpy, std))


def _statistics(run, mean, std):
    return Statistics(*([s.to(run.recipe.dtype) for s in stats] for stats in (mean, std)))


def _measure(network, contexts):
    """Measure layer by layer, a chunk at a time: list of mean (H,) and std (H,)."""
    degrees = len(contexts) / (len(contexts) - network.recipe.correction)
    measured, kept = [], {}  # kept: start of a chunk -> what it has become, and before which layer
    for i in range(network.recipe.depth):
        moments = []
        for start in range(0, len(contexts), CHUNK):
            x, reached = kept.get(start) or (network.embed(contexts[start : start + CHUNK]), 0)
            for below in range(reached, i):
                x, *_ = network.hidden_layer(below, x, measured[below])
            if start in kept or len(kept) * CHUNK * network.recipe.hidden < KEPT:
                kept[start] = x, i
            moments.append((len(x), *network.hidden_layer(i, x)[1:]))
        mean, variance = _merge(*map(np.array, zip(*moments, strict=True)))
        measured.append((mean, np.sqrt(variance * degrees)))
    return measured


def _merge(sizes, means, stds):
    """Return mean and variance (H,) over all examples, from those of K chunks: (K,), (K, H)."""
    shares = sizes / sizes.sum()
    mean = shares @ means
    return mean, shares @ (stds**2 + (means - mean) ** 2)


def running_statistics(
    run: Run, momentum: float | None = 0.001, *, track: str = "std"
) -> Statistics:
    """Return the running statistics that training would have left, exactly and for any momentum.

    ``running = (1 - momentum) * running + momentum * batch``, from 0 for the mean and 1 for the
    spread. That is one weighted sum over the batches: see ``weigh_batches``.

    Parameters
    ----------
    run : Run
        With the statistics of every batch recorded.
    momentum : float from 0 to 1, or None
        PyTorch's convention: the weight of the new batch. None: the plain average of all batches.
    track : {"std", "variance"}
        What is averaged beside the means: the batches' standard deviations, as the seed recipe
        does, or their unbiased variances, as ``nn.BatchNorm1d`` does; ``std`` is the root then.

    Returns
    -------
    Statistics

    Raises
    ------
    ValueError
        If nothing was recorded, momentum is not a number from 0 to 1, or track is another word.
    """
    expect_kind("run", run, Run)
    if track not in ("std", "variance"):
        raise ValueError(f'track: expected "std" or "variance", got {track!r}')
    if run.batch_mean is None:
        raise ValueError(
            "running_statistics: expected a run with batch norm, trained with "
            'record="statistics" (which bn.sweep does only where it is told to), '
            "got one without recorded statistics"
        )
    return several_running_statistics(run, [momentum], track=track)[0]


def several_running_statistics(
    run: Run, momenta: Iterable[float | None], *, track: str = "std"
) -> list[Statistics]:
    """Return the running statistics for each of several momenta: the batches are read once."""
    weights, left = zip(*(weigh_batches(len(run.loss), m) for m in momenta), strict=True)
    weights, left = np.stack(weights), np.array(left)[:, None]  # (M, steps), (M, 1)
    means = [_weigh(weights, batches) for batches in run.batch_mean]
    if track == "std":
        stds = [_weigh(weights, batches) + left for batches in run.batch_std]
    else:
        n, correction = run.recipe.batch_size, run.recipe.correction
        unbiased = (n - correction) / (n - 1)
        squares = [_weigh(weights, batches, squared=True) for batches in run.batch_std]
        stds = [np.sqrt(unbiased * square + left) for square in squares]
    means, stds = (map(torch.from_numpy, np.stack(of, axis=1)) for of in (means, stds))  # (M, L, H)
    return [_statistics(run, *both) for both in zip(means, stds, strict=True)]


def _weigh(weights, batches, *, squared=False):
    """Sum up the batches, or their squares: (M, steps), (steps, H) -> float64 (M, H)."""
    batches, total = batches.numpy(), np.zeros((len(weights), batches.shape[1]))
    room = np.empty((WEIGHED, batches.shape[1]))  # the same for all parts: it stays in the cache
    with one_blas_thread:
        for start in range(0, len(batches), WEIGHED):
            some = slice(start, start + WEIGHED)
            part = room[: len(batches[some])]
            part[...] = batches[some]
            if squared:
                np.square(part, out=part)
            total += weights[:, some] @ part
    return total


def weigh_batches(steps: int, momentum: float | None) -> tuple[Tensor, float]:
    """Return the weight of each batch in a running statistic, oldest first, and of its start.

    Of T steps the batch k steps ago weighs ``momentum * (1 - momentum)**k``, the start
    ``(1 - momentum)**T``; together they are 1. With None all batches weigh the same.
    """
    if momentum is None:
        return torch.full((steps,), 1 / max(steps, 1), dtype=torch.float64), float(steps == 0)
    momentum = expect_number("momentum", momentum, 0, 1)
    ago = np.arange(steps - 1, -1, -1.0)  # NumPy: torch's threads wait for each other here
    return torch.from_numpy(momentum * (1 - momentum) ** ago), (1 - momentum) ** steps


def check_statistics(run: Run, statistics: Statistics | None):
    """Raise an error that says so where statistics are missing or don't fit a run."""
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
    expect_kind("statistics", statistics, Statistics)
    expected = [(recipe.hidden,)] * recipe.depth
    for name in ("mean", "std"):
        for tensor in getattr(statistics, name):
            expect_kind(f"statistics.{name}", tensor, Tensor)
        shapes = [tuple(tensor.shape) for tensor in getattr(statistics, name)]
        if shapes != expected:
            raise ValueError(f"statistics.{name}: expected shapes {expected}, got {shapes}")
    for i, (mean, std) in enumerate(zip(statistics.mean, statistics.std, strict=True)):
        least = std.double() ** 2 + recipe.eps
        if not (mean.isfinite() & std.isfinite() & (std >= 0) & (least > 0)).all():
            raise ValueError(
                "statistics: expected finite means and positive standard deviations, "
                f"got others in layer {i}"
            )
