"""Runs over norm, batch size and seed: whether they are complete, and what they end with."""

import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import torch

from bn_tutorial import diagnostics
from bn_tutorial._expect import expect_kind
from bn_tutorial.data import Dataset
from bn_tutorial.diagnostics import smooth
from bn_tutorial.evaluation import evaluate, losses
from bn_tutorial.explorers import probe
from bn_tutorial.explorers.runs import check_alike, list_runs
from bn_tutorial.run import Run
from bn_tutorial.statistics import calibrate
from bn_tutorial.threads import one_blas_thread

NORMS = {label: probe.NORMS[label] for label in ("batch norm", "layer norm", "plain")}
STATISTICS = ("calibrated", "batch")
SPLITS = ("train", "val")
FREE = ("norm", "seed")  # in which the runs of one batch size may differ
BY_SIZE = ("batch_size", "steps", "learning_rate")  # in which those of different sizes may
WANTED = "runs: expected a flat list of runs over norm, batch_size and seed"
POINTS = 40  # of a smoothed loss curve
SEED = 23


class SizeGrid:
    """Runs over norm, batch size and seed, some of which may have diverged.

    Parameters
    ----------
    runs : list of Run
        Each norm with each batch size, at least once.
    dataset : Dataset

    Attributes
    ----------
    runs : dict of (norm, batch size, seed) to Run
    norms : dict of str to norm
        Those of ``NORMS`` that there are.
    sizes, seeds : list of int
        Sizes sorted, seeds in the order of the runs.
    source : Run
        The first with batch norm and the largest batch size that has not diverged.
    losses : dict of (statistics, split) to dict of str to ndarray (seeds, sizes)
        What each run ends with, on a whole split, in nats: nan where there is no run, inf where it
        diverged. Batch norm is read with the calibrated statistics, or in shuffled batches of the
        size it was trained with, each normalized with its own; the others are read alike.

    Raises
    ------
    TypeError, ValueError
        If the runs are no such grid.
    """

    def __init__(self, runs: Iterable[Run], dataset: Dataset):
        expect_kind("dataset", dataset, Dataset)
        runs = list_runs(runs, len(dataset.vocabulary))
        _check(runs)
        self.runs = {_key(run): run for run in runs}
        norms, sizes, seeds = (list(dict.fromkeys(v)) for v in zip(*self.runs, strict=True))
        self.norms = {label: norm for label, norm in NORMS.items() if norm in norms}
        self.sizes, self.seeds = sorted(sizes), seeds
        with one_blas_thread, ThreadPoolExecutor(2) as pool:
            read = pool.map(lambda run: _read(run, dataset), runs)
            of_run = dict(zip(self.runs, read, strict=True))
        self.losses = {
            which: {label: self._table(of_run, label, which) for label in self.norms}
            for which in product(STATISTICS, SPLITS)
        }
        sound = [
            run
            for key, run in self.runs.items()
            if run.recipe.norm == "batch" and math.isfinite(of_run[key]["calibrated", "train"])
        ]
        if not sound:
            raise ValueError("runs: expected one with batch norm that has not diverged, got none")
        self.source = max(sound, key=lambda run: run.recipe.batch_size)  # of several the first

    def _table(self, of_run, label, which):
        keys = [[(self.norms[label], n, seed) for n in self.sizes] for seed in self.seeds]
        return np.array([[of_run.get(key, {}).get(which, math.nan) for key in row] for row in keys])

    def of_size(self, n):
        """Return the recipe of one of the runs with a batch size."""
        return next(run.recipe for run in self.runs.values() if run.recipe.batch_size == n)

    def curves(self, label, n):
        """Smooth the training losses of one norm and batch size, seed by seed.

        Returns
        -------
        tuple of ndarray (points,) and (seeds, points)
            Examples seen, and losses, which are nan from where a run diverged.
        """
        window, curves = max(1, self.of_size(n).steps // POINTS), []
        for seed in self.seeds:
            if run := self.runs.get((self.norms[label], n, seed)):
                losses = torch.full((run.recipe.steps,), math.nan)
                losses[: len(run.loss)] = run.loss
                steps, smoothed = smooth(losses, window)
                curves.append(smoothed.numpy())
        curves = np.stack(curves)
        return steps.numpy() * n, np.where(np.isfinite(curves), curves, math.nan)

    def norm_inputs(self, split):
        """Return what comes to the first batch norm of ``source``, for a split: ndarray (N, H)."""
        statistics = calibrate(self.source, split)
        outputs = diagnostics.probe(self.source, split.contexts, split.targets, statistics).outputs
        names = list(outputs)
        return outputs[names[names.index("norm.0") - 1]].double().numpy()


def _key(run):
    return run.recipe.norm, run.recipe.batch_size, run.recipe.seed


def _read(run, dataset):
    """Return what a run ends with: dict of (statistics, split) to float, inf if it diverged."""
    failed = dict.fromkeys(product(STATISTICS, SPLITS), math.inf)
    if run.diverged_at is not None:
        return failed
    batch, found = run.recipe.norm == "batch", {}
    statistics = calibrate(run, dataset.train) if batch else None
    if batch and not _are_sound(statistics):  # the parameters may be huge
        return failed
    for name in SPLITS:
        split = getattr(dataset, name)
        loss = evaluate(run, split, statistics)
        found["calibrated", name] = loss
        found["batch", name] = read_in_batches(run, split) if batch else loss
    return {which: loss if math.isfinite(loss) else math.inf for which, loss in found.items()}


def _are_sound(statistics):
    finite = all(s.isfinite().all() for s in (*statistics.mean, *statistics.std))
    return finite and all((std > 0).all() for std in statistics.std)


def read_in_batches(run, split):
    """Shuffle a split, cut it into batches as in training, and return their mean loss: float."""
    n, generator = run.recipe.batch_size, torch.Generator().manual_seed(SEED)
    order = torch.randperm(len(split), generator=generator).numpy()
    batches = np.resize(order, (-(-len(order) // n), n))  # the last one is filled from the first
    return losses(run, split.contexts[batches], split.targets[batches]).mean().item()


# a reader's mistakes


def _check(runs):
    """Raise a ValueError that says so where runs are no grid of norms, sizes and seeds."""
    keys = [_key(run) for run in runs]
    for run, key in zip(runs, keys, strict=True):
        done, steps = len(run.loss), run.recipe.steps
        if not done or (done < steps and run.diverged_at is None):
            got = f"{done:,} of {steps:,} steps with {_name(*key)}"
            raise ValueError(f"{WANTED}, all complete, got {got}")
        if (times := keys.count(key)) > 1:
            raise ValueError(f"{WANTED}, each once, got {times} with {_name(*key)}")
    norms = [norm for norm in NORMS.values() if norm in {norm for norm, *_ in keys}]
    sizes = sorted({n for _, n, _ in keys})
    if len(sizes) < 2 or "batch" not in norms:
        raise ValueError(
            f'{WANTED}, at least two batch sizes and norm="batch" among them, '
            f"got batch_size={sizes}, norm={norms}"
        )
    check_alike(runs, (*FREE, *BY_SIZE))
    for n in sizes:
        check_alike([run for run in runs if run.recipe.batch_size == n], FREE, f" of size {n:,}")
    there = {key[:2] for key in keys}
    if missing := [_name(*pair) for pair in product(norms, sizes) if pair not in there]:
        raise ValueError(
            f"runs: expected each batch size with each norm, there is none of {'; '.join(missing)}"
        )


def _name(norm, n, seed=None):
    return f"norm={norm!r}, batch_size={n}" + (f", seed={seed}" if seed is not None else "")
