"""A grid of runs, with batch norm and without: what is there, and what is still to be trained."""

import math
from itertools import product

import numpy as np

from bn_tutorial.explorers import probe
from bn_tutorial.explorers.background import Growing
from bn_tutorial.explorers.picture import LOCK
from bn_tutorial.explorers.runs import check_alike, list_runs, values_of
from bn_tutorial.training import sweep

NORMS = {label: probe.NORMS[label] for label in ("plain", "batch norm")}
SWEPT = ("learning_rate", "hidden_gain", "norm", "seed")
PAUSE = 0.035  # seconds between two pictures of curves that grow
LONG_PAUSE = 0.2  # while many are trained, which pictures would hold up


class Grid:
    """Runs over learning rate, hidden gain, norm and seed, which some of them may lack.

    Each is known by its ``key``: the values of ``SWEPT``.

    Parameters
    ----------
    recipe : Recipe
        What all runs have in common, of at least one step.
    rates, gains : list of float
        Sorted.
    seeds : list of int

    Attributes
    ----------
    runs : dict of key to Run
        Also of keys outside the grid. Runs that were stopped early count as lacking.
    growing : dict of key to ndarray (steps done,)
        Losses of runs that are in training.
    """

    def __init__(self, recipe, rates, gains, seeds):
        if not recipe.steps:
            raise ValueError("recipe: expected at least 1 step, got 0")
        self.recipe, self.rates, self.gains, self.seeds = recipe, rates, gains, seeds
        self.runs, self.growing, self._finals = {}, {}, {}

    @classmethod
    def from_runs(cls, runs, symbols):
        """Take over the runs of a sweep.

        Raises
        ------
        TypeError, ValueError
            If they are no runs, differ in anything but ``SWEPT``, have not two learning rates
            above 0 or not both norms, or are for another vocabulary than one of so many symbols.
        """
        runs = list_runs(runs, symbols)
        _check_runs(runs)
        rates, gains, _, seeds = zip(*map(_key, runs), strict=True)
        grid = cls(
            runs[0].recipe, sorted(set(rates)), sorted(set(gains)), list(dict.fromkeys(seeds))
        )
        for run in runs:
            grid.keep(run)
        return grid

    def __len__(self):
        return len(self.rates) * len(self.gains) * len(NORMS) * len(self.seeds)

    @property
    def tail(self):
        """Of how many steps the mean is called the final loss: a twentieth of all."""
        return max(1, self.recipe.steps // 20)

    def keep(self, run):
        """Keep a run, unless a complete one is there."""
        key = _key(run)
        if len(run.loss) and key not in self._finals:
            self.runs[key] = run
            if len(run.loss) == run.recipe.steps or run.diverged_at is not None:
                self._finals[key] = self._mean(run.loss.numpy())

    def has(self, key):
        """Return whether there is a complete run."""
        return key in self._finals

    def train(self, dataset, rates, gain, norms, seed, outdated, show):
        """Train a sweep, and keep its runs.

        Parameters
        ----------
        dataset : Dataset
        rates, gain, norms, seed
            As ``missing`` lists them.
        outdated : callable
            Whether to end early.
        show : callable
            Called with the steps done from time to time, and with the lock.
        """
        keys = [(rate, gain, norm, seed) for rate in rates for norm in norms]

        def look(watches):
            losses = zip(keys, [watch.loss for watch in watches], strict=True)
            with LOCK:
                self.growing = {key: loss.copy() for key, loss in losses if loss is not None}
                show(sum(watch.done for watch in watches))
            return True

        growing = Growing(outdated, look, PAUSE if len(rates) == 1 else LONG_PAUSE)
        values = {"learning_rate": rates, "hidden_gain": [gain], "norm": norms, "seed": [seed]}
        runs = sweep(dataset, self.recipe, progress=growing, **values)
        with LOCK:
            self.growing = {}
            for run in runs:
                self.keep(run)

    def losses(self, key):
        """Return the losses of a run, done or in training: ndarray, empty where there is none."""
        if key in self.growing:
            return self.growing[key]
        return self.runs[key].loss.numpy() if key in self.runs else np.empty(0, np.float32)

    def final(self, key):
        """Return the final loss: inf of a run that diverged, nan of one that is not complete.

        Of a run in training it is the mean of the last steps so far.
        """
        if key in self.growing:
            return self._mean(self.growing[key])
        return self._finals.get(key, math.nan)

    def _mean(self, losses):
        last = losses[-self.tail :].astype(float)
        return last.mean() if np.isfinite(last).all() else math.inf

    def best(self):
        """Return the lowest final loss, inf where there is none."""
        return min(self._finals.values(), default=math.inf)

    def missing(self, first=None):
        """List what is still to be trained, that with the gain ``first`` first.

        Returns
        -------
        list of (rates, gain, norms, seed)
            Each makes one sweep, here of one norm.
        """
        gains = sorted(self.gains, key=lambda gain: gain != first)
        lacking = [
            (
                [r for r in self.rates if (r, gain, norm, seed) not in self._finals],
                gain,
                [norm],
                seed,
            )
            for gain, norm, seed in product(gains, NORMS.values(), self.seeds)
        ]
        return [one for one in lacking if one[0]]


def _key(run):
    recipe = run.recipe
    return float(recipe.learning_rate), float(recipe.hidden_gain), recipe.norm, recipe.seed


def _check_runs(runs):
    wanted = 'runs: expected those of a sweep over learning_rate and norm=[None, "batch"]'
    if not runs:
        raise ValueError(f"{wanted}, got none")
    for rate in values_of(runs, "learning_rate"):
        if callable(rate) or rate == 0:
            raise ValueError(f"{wanted}, each rate a number above 0, got {rate!r}")
    check_alike(runs, SWEPT)
    norms, rates = values_of(runs, "norm"), values_of(runs, "learning_rate")
    if set(norms) != set(NORMS.values()):
        raise ValueError(f"{wanted}, got norm={norms}")
    if len(rates) < 2:
        raise ValueError(f"{wanted}, at least two rates, got learning_rate={rates}")
