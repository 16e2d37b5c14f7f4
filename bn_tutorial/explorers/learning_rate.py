"""How fast a network can learn, with batch norm and without: many learning rates side by side."""

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import ipywidgets
import numpy as np
import torch

from bn_tutorial._expect import expect_kind
from bn_tutorial.data import Dataset
from bn_tutorial.diagnostics import smooth
from bn_tutorial.explorers._learning_rate_panels import LearningRatePanels
from bn_tutorial.explorers.background import Latest
from bn_tutorial.explorers.controls import button, choice, offer, slider
from bn_tutorial.explorers.explorer import Explorer
from bn_tutorial.explorers.grid import NORMS, Grid
from bn_tutorial.explorers.marks import over_seeds
from bn_tutorial.explorers.picture import LOCK
from bn_tutorial.recipe import Recipe
from bn_tutorial.run import Run

RECIPE = Recipe(steps=2_000)
EXPONENTS = [*np.arange(-3, -1, 1 / 3), *np.arange(-1, 1.01, 1 / 6)]  # finer where it gets hard
RATES = [float(f"{10**exponent:.3g}") for exponent in EXPONENTS]  # 0.001 to 10
GAINS = [0.2, 1.0, 5.0]
EXACT = 1e-6, 3e38  # float32 ends there
POINTS = 100  # of a smoothed loss curve


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the picture shows, by label of the network; losses in nats.

    Attributes
    ----------
    curves : dict of str to (steps, losses)
        Smoothed, of the first seed, at the picked rate and gain. Empty where there is no run.
    diverged : dict of str to int or None
        The first step of that run whose loss is not finite.
    rates : ndarray (rates,)
    finals : dict of str to ndarray (seeds, rates)
        At the picked gain: nan where there is no complete run, inf where it diverged.
    picked : dict of str to float
        Mean over the seeds of the final loss at the picked rate.
    """

    state: dict
    curves: dict
    diverged: dict
    rates: np.ndarray
    finals: dict
    picked: dict


class LearningRateExplorer(Explorer):
    """Move the learning rate of a plain network and of one with batch norm.

    The picture shows the loss curves of both at one rate, and the loss that each rate ends with:
    the mean over the last twentieth of the steps. A click on that panel picks a rate. Both
    networks are trained at a rate that is typed into *exact rate*, while their curves grow.

    Parameters
    ----------
    dataset : Dataset
    runs : list of Run, optional
        As ``bn.sweep`` gives them over ``learning_rate`` and ``norm=[None, "batch"]``, and if you
        like over ``hidden_gain`` and ``seed``. Of several seeds the final losses are shown as mean
        and range, the loss curves of the first. Without runs the explorer trains ``RATES`` and
        ``GAINS`` itself, in the background: ``wait`` waits for them.
    recipe : Recipe, optional
        What the runs of that grid have in common, by default ``RECIPE``.
    state : dict, optional
        Of ``learning_rate`` and ``hidden_gain``.

    Attributes
    ----------
    grid : Grid
        The runs.
    training : bool
        Whether networks are being trained in the background.

    Raises
    ------
    TypeError, ValueError
        If the runs are no such grid, or come with a recipe beside their own.
    """

    def __init__(
        self,
        dataset: Dataset,
        runs: Iterable[Run] | None = None,
        *,
        recipe: Recipe | None = None,
        state: dict | None = None,
    ):
        super().__init__()
        expect_kind("dataset", dataset, Dataset)
        expect_kind("recipe", recipe, (Recipe, type(None)))
        self._dataset, symbols = dataset, len(dataset.vocabulary)
        if runs is None:
            recipe = recipe or RECIPE
            self.grid = Grid(recipe, RATES, GAINS, [recipe.seed])
        elif recipe is None:
            self.grid = Grid.from_runs(runs, symbols)
        else:
            raise ValueError(f"recipe: expected none beside runs, which have theirs, got {recipe}")
        self.uniform = math.log(symbols)
        self.training, self._done, self._background = False, 0, Latest(self._train)
        rates, gains = self.grid.rates, self.grid.gains
        controls = {
            "learning_rate": slider("learning rate", rates, _nearest(rates, 0.1)),
            "hidden_gain": choice("hidden gain", {f"{gain:g}": gain for gain in gains}),
        }
        controls["hidden_gain"].value = _nearest(gains, 1)
        extras, presets = self._make_extras(), _presets(rates)
        more = {"presets": presets, "extras": extras, "state": state}
        self.set_up(controls, flip="learning_rate", size=(9, 3.8), **more)
        self.exact.observe(self._typed, "value")
        self._show_buttons()
        if runs is None:
            self.train_grid()

    def _make_extras(self):
        self.exact = ipywidgets.FloatText(
            description="exact rate", layout=ipywidgets.Layout(width="190px")
        )
        self._grid_button = button("Train the grid", self.train_grid)
        self._cancel_button = button("Cancel", self.cancel)
        bar = ipywidgets.Layout(width="100px")
        self._bar = ipywidgets.IntProgress(layout=bar, tooltip="progress of the training")
        return self.exact, self._grid_button, self._cancel_button, self._bar

    # controls -> compute -> draw

    def compute(self, state: dict) -> Numbers:
        """Gather the losses of both networks, of those in training too: Numbers."""
        rates, gain, grid = self._rates(), state["hidden_gain"], self.grid
        finals = {
            label: np.array(
                [[grid.final((rate, gain, norm, seed)) for rate in rates] for seed in grid.seeds]
            )
            for label, norm in NORMS.items()
        }
        here, at = self._keys(state), rates.index(state["learning_rate"])
        return Numbers(
            state=state,
            curves={label: self._curve(key) for label, key in here.items()},
            diverged={
                label: grid.runs[key].diverged_at if key in grid.runs else None
                for label, key in here.items()
            },
            rates=np.array(rates),
            finals=finals,
            picked={label: float(over_seeds(by)[0][at]) for label, by in finals.items()},
        )

    def _rates(self):
        return [value for _, value in self.controls["learning_rate"].options]

    def _keys(self, state):
        """Return the runs whose curves are shown, by label."""
        rate, gain = state["learning_rate"], state["hidden_gain"]
        return {label: (rate, gain, norm, self.grid.seeds[0]) for label, norm in NORMS.items()}

    def _curve(self, key):
        window = max(1, self.grid.recipe.steps // POINTS)
        steps, losses = smooth(torch.from_numpy(self.grid.losses(key)), window)
        return steps.numpy(), losses.numpy()

    def build(self, figure, numbers):
        """Draw both panels; what moves: all curves and marks."""
        self._panels = LearningRatePanels(figure, self.grid, self.uniform, numbers)
        return self._panels.artists

    def update(self, numbers):
        """Move all curves and marks; what is too high stands at the upper edge."""
        self._panels.show(numbers)

    def scene(self, state):
        """Return the lower end of the losses' axes, below all final losses."""
        best = min(self.grid.best(), self.uniform)
        return min(0.72 * self.uniform, math.floor(10 * best - 0.5) / 10)

    def set_scene(self, numbers):
        """Set the limits of the losses."""
        self._panels.set_lower_end(self.scene(numbers.state))

    def arrange(self, state):
        """Let the field for an exact rate say the picked one."""
        self.exact.value = state["learning_rate"]

    def clicked(self, x, y):
        """Pick the rate next to a click on the final losses."""
        rate = self._panels.rate_at(x, y)
        if rate is not None:
            self.state = {"learning_rate": _nearest(self._rates(), rate)}

    def describe(self, numbers: Numbers) -> str:
        """Return what becomes of both networks."""
        rate, gain = numbers.state["learning_rate"], numbers.state["hidden_gain"]
        beyond = "" if self._panels.holds(rate) else " (beyond the axis)"
        ends = "; ".join(f"{label} {self._end(label, numbers)}" for label in NORMS)
        return (
            f"Learning rate {rate:g}{beyond}, hidden gain {gain:g}: {ends} "
            f"({self._mean(numbers)}).{self._rest()}"
        )

    def _end(self, label, numbers):
        """Return what becomes of one network, at the picked rate and gain."""
        key, picked = self._keys(numbers.state)[label], numbers.picked[label]
        step = numbers.diverged[label]
        if key in self.grid.growing:
            return "is in training"
        if step is not None:
            return f"diverges, its loss is not finite at step {step:,}"
        if math.isinf(picked):
            return "diverges with another seed than the first"
        if key in self.grid.runs and math.isnan(picked):
            return f"was stopped after {len(self.grid.runs[key].loss):,} steps"
        if math.isnan(picked):
            return "is not trained at this rate and gain"
        above = ", above uniform guessing" if picked > self.uniform else ""
        return f"ends at {picked:.2f} nats{above}"

    def _mean(self, numbers):
        """Return what a final loss is the mean of."""
        steps, at = self.grid.recipe.steps, numbers.rates == numbers.state["learning_rate"]
        seeds = max((~np.isnan(by[:, at])).sum() for by in numbers.finals.values())
        mean = f"mean of the last {self.grid.tail:,} of {steps:,} steps"
        return f"{mean} and of {seeds} seeds" if seeds > 1 else mean

    def _rest(self):
        """Return what the grid lacks."""
        lacking = sum(len(rates) for rates, *_ in self.grid.missing())
        still = "are still to come" if self.training else "are missing"
        return f" {lacking} of the grid's {len(self.grid)} runs {still}." if lacking else ""

    def key_numbers(self, numbers: Numbers) -> dict:
        """Return both final losses."""
        return {name.replace(" ", "_"): f"{loss:.2f}" for name, loss in numbers.picked.items()}

    # training

    def _typed(self, change):
        with LOCK, suppress(Exception), self._told_to_the_reader():
            if not self._quiet:
                self.train_at(change.new)

    def train_at(self, rate: float):
        """Move to any rate, at which both networks are trained with the first seed.

        Raises
        ------
        ValueError
            If the rate is not between those of ``EXACT``.
        """
        low, high = EXACT
        if not low <= rate <= high:
            raise ValueError(f"exact rate: expected {low:g} to {high:g}, got {rate:g}")
        with self._unnoticed():  # and with the lock
            offer(self.controls["learning_rate"], rate)
            self._book = None  # the pages have other numbers now
        self.move({"learning_rate": rate})

    def train_grid(self):
        """Train what the grid lacks, at the present gain first."""
        with LOCK:
            if not self.training:
                self._start_training(self.grid.missing(self.state["hidden_gain"]))
                self.refresh(anew=True)

    def cancel(self):
        """End the training. Runs that are complete are kept, and so are the others' losses."""
        self._background.stop()

    # while networks are trained or pages drawn ahead
    busy = property(lambda self: self.training or self.drawing)

    def wait(self):
        """Wait until the training has ended."""
        self._background.wait()

    def _show(self, state, anew):
        rate, gain = state["learning_rate"], state["hidden_gain"]
        off_grid = rate not in self.grid.rates
        lacking = [key for key in self._keys(state).values() if not self.grid.has(key)]
        if off_grid and lacking and not anew and not self.training:
            norms = [norm for *_, norm, _ in lacking]
            self._start_training([([rate], gain, norms, self.grid.seeds[0])])
            anew = True
        super()._show(state, anew)

    def _start_training(self, sweeps):
        self.training, self._done, self._bar.value = True, 0, 0
        runs = sum(len(rates) * len(norms) for rates, _, norms, _ in sweeps)
        self._bar.max = max(1, runs * self.grid.recipe.steps)
        self._show_buttons()
        self._background.ask(sweeps)

    def _train(self, sweeps, outdated):
        """Train in a thread of its own, and show the curves as they grow."""
        with suppress(Exception), self._told_to_the_reader():
            try:
                for rates, *others in sweeps:
                    if not outdated():
                        self.grid.train(self._dataset, rates, *others, outdated, self._grow)
                        self._done = self._bar.value
            finally:
                with LOCK:
                    self.training, self.grid.growing = False, {}
                    self._show_buttons()
                    self.refresh(anew=True)

    def _grow(self, done):
        """Show the losses that have come."""
        self._bar.value = self._done + done
        self._frames.pop(self._page_of(self._values()), None)  # the other pages stay as they are
        self.refresh()

    def _next_page(self):
        # pages drawn ahead of a training would be of no use after it
        return None if self.training else super()._next_page()

    def _show_buttons(self):
        self.exact.disabled = self.training
        self._grid_button.disabled = self.training or not self.grid.missing()
        self._cancel_button.disabled = not self.training
        self._bar.layout.visibility = "visible" if self.training else "hidden"


def _presets(rates):
    positions = {
        "careful": rates[0],
        "the seed recipe's": _nearest(rates, 0.1),
        "bold": _nearest(rates, 3),
        "reckless": rates[-1],
    }
    return {f"{name}: {rate:.3g}": {"learning_rate": rate} for name, rate in positions.items()}


def _nearest(values, to):
    return min(values, key=lambda value: abs(math.log(value / to)))
