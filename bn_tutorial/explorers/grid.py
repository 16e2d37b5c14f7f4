"""A grid of runs, with batch norm and without: what is there, and what is still to be trained."""

import math
from collections.abc import Iterable
from dataclasses import fields
from itertools import product

import numpy as np

from bn_tutorial._expect import expect_kind
from bn_tutorial.recipe import Recipe
from bn_tutorial.training import Run

NORMS = {"plain": None, "batch norm": "batch"}
SWEPT = ("learning_rate", "hidden_gain", "norm", "seed")


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

    def losses(self, key):
        """Give the losses of a run, done or in training: ndarray, empty where there is none."""
        if key in self.growing:
            return self.growing[key]
        return self.runs[key].loss.numpy() if key in self.runs else np.empty(0, np.float32)

    def final(self, key):
        """Give the final loss: inf of a run that diverged, nan of one that is not complete.

        Of a run in training it is the mean of the last steps so far.
        """
        if key in self.growing:
            return self._mean(self.growing[key])
        return self._finals.get(key, math.nan)

    def _mean(self, losses):
        last = losses[-self.tail :].astype(float)
        return last.mean() if np.isfinite(last).all() else math.inf

    def best(self):
        """Give the lowest final loss, inf where there is none."""
        return min(self._finals.values(), default=math.inf)

    def missing(self, first=None):
        """List what is still to be trained, that with the gain ``first`` first.

        Returns
        -------
        list of (rates, gain, norm, seed)
            Each makes one sweep.
        """
        gains = sorted(self.gains, key=lambda gain: gain != first)
        lacking = [
            ([r for r in self.rates if (r, gain, norm, seed) not in self._finals], gain, norm, seed)
            for gain, norm, seed in product(gains, NORMS.values(), self.seeds)
        ]
        return [one for one in lacking if one[0]]


def _key(run):
    recipe = run.recipe
    return float(recipe.learning_rate), float(recipe.hidden_gain), recipe.norm, recipe.seed


def list_runs(runs, symbols):
    """Return runs as a list.

    Raises
    ------
    TypeError, ValueError
        If they are something else, or for another vocabulary than one of so many symbols.
    """
    expect_kind("runs", runs, Iterable)
    runs = list(runs)
    for run in runs:
        expect_kind("runs", run, Run)
        if (there := len(run.parameters["output.bias"])) != symbols:
            raise ValueError(f"runs: expected this dataset's {symbols} symbols, got {there}")
    return runs


def _check_runs(runs):
    wanted = 'runs: expected those of a sweep over learning_rate and norm=[None, "batch"]'
    if not runs:
        raise ValueError(f"{wanted}, got none")
    for run in runs:
        rate = run.recipe.learning_rate
        if callable(rate) or rate == 0:
            raise ValueError(f"{wanted}, each rate a number above 0, got {rate!r}")
    for field in fields(Recipe):
        values = list(dict.fromkeys(getattr(run.recipe, field.name) for run in runs))
        if (
            (field.name not in SWEPT and len(values) > 1)
            or (field.name == "norm" and set(values) != {None, "batch"})
            or (field.name == "learning_rate" and len(values) < 2)
        ):
            raise ValueError(f"{wanted}, hidden_gain and seed, got {field.name}={values}")
