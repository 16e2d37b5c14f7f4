"""What a trained network answers, and its loss."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bn_tutorial._expect import expect_kind
from bn_tutorial.data import Split
from bn_tutorial.network import Network
from bn_tutorial.run import Run
from bn_tutorial.statistics import CHUNK, Statistics, check_statistics
from bn_tutorial.threads import one_blas_thread


def logits(run: Run, contexts: Tensor, statistics: Statistics | None = None) -> Tensor:
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
    TypeError, ValueError
        If statistics are missing, or if they or the contexts don't fit the network.
    """
    network = network_of(run, statistics)
    [contexts] = network.check(contexts)
    with one_blas_thread:
        parts = [network.logits(part) for part in _chunks(contexts)]
    return torch.from_numpy(np.concatenate(parts))


def losses(
    run: Run, contexts: Tensor, targets: Tensor, statistics: Statistics | None = None
) -> Tensor:
    """Compute the loss of every example, in nats and float64.

    Parameters
    ----------
    run : Run
    contexts, targets : integer Tensors (N, T) and (N,)
        Without statistics BatchNorm normalizes them with their own, as in training: it may then
        get K batches at once, (K, B, T) and (K, B), each of which has statistics of its own.
    statistics : Statistics, optional
        For BatchNorm to use.

    Returns
    -------
    float64 Tensor (N,), or (K, B)

    Raises
    ------
    TypeError, ValueError
        If statistics, contexts or targets don't fit the network.
    """
    network = network_of(run, statistics, needed=False)
    own = statistics is None and run.recipe.norm == "batch"
    contexts, targets = network.check(contexts, targets, batches=own)
    batches = _chunks(contexts), _chunks(targets)
    if own:
        batches = (contexts, targets) if targets.ndim == 2 else ([contexts], [targets])
    with one_blas_thread:
        each = [network.losses(*batch) for batch in zip(*batches, strict=True)]
    return torch.from_numpy(np.concatenate(each).reshape(targets.shape))


def evaluate(run: Run, split: Split, statistics: Statistics | None = None) -> float:
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
    TypeError, ValueError
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
    expect_kind("run", run, Run)
    expect_kind("split", split, Split)
    if not len(split):
        raise ValueError("split: expected examples to evaluate, got an empty split")
    check_statistics(run, statistics)
    return losses(run, split.contexts, split.targets, statistics).mean().item()


def network_of(run: Run, statistics: Statistics | None, *, needed: bool = True) -> Network:
    """Return the network of a run, in float64. It may lack statistics that are not needed."""
    expect_kind("run", run, Run)
    if needed or statistics is not None:
        check_statistics(run, statistics)
    return Network(replace(run.recipe, dtype=torch.float64), run.parameters, statistics)


def _chunks(array):
    return [array[start : start + CHUNK] for start in range(0, max(1, len(array)), CHUNK)]
