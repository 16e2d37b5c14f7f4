"""How fast a network can learn, with batch norm and without: many learning rates side by side."""

import asyncio
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain

import ipywidgets
import numpy as np
import torch
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D

from bn_tutorial import plots
from bn_tutorial._expect import expect_kind
from bn_tutorial.data import Dataset
from bn_tutorial.diagnostics import smooth
from bn_tutorial.explorers.base import LOCK, Explorer, choice, slider
from bn_tutorial.explorers.grid import NORMS, Grid
from bn_tutorial.recipe import Recipe
from bn_tutorial.training import Run, sweep

RECIPE = Recipe(steps=2_000)
EXPONENTS = [*np.arange(-3, -1, 1 / 3), *np.arange(-1, 1.01, 1 / 6)]  # finer where it gets hard
RATES = [float(f"{10**exponent:.3g}") for exponent in EXPONENTS]  # 0.001 to 10
GAINS = [0.2, 1.0, 5.0]
FAILED = {"plain": "x", "batch norm": "+"}  # markers; both are seen where they fall together
CROSS = {"linestyle": "none", "markersize": 8, "markeredgewidth": 2}
LEVEL = {"color": plots.GREY, "linewidth": 1, "linestyle": (0, (1, 2))}
RINGS = {"plain": "o", "batch norm": "s"}
POINTS = 100  # of a smoothed loss curve
PAUSE = 0.035  # seconds between two pictures of a curve that grows
LONG_PAUSE = 0.2  # while a grid is trained, which pictures would hold up


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
    the mean over the last twentieth of the steps. A click on that panel picks a rate. *Train here*
    trains both networks at any other rate while their curves grow.

    Parameters
    ----------
    dataset : Dataset
    runs : list of Run, optional
        As ``bn.sweep`` gives them over ``learning_rate`` and ``norm=[None, "batch"]``, and if you
        like over ``hidden_gain`` and ``seed``. Of several seeds the final losses are shown as mean
        and range, the loss curves of the first. Without runs the explorer trains ``RATES`` and
        ``GAINS`` itself: in the background where an event loop runs, as in a notebook.
    recipe : Recipe, optional
        What the runs of that grid have in common, by default ``RECIPE``.
    state : dict, optional
        Of ``learning_rate`` and ``hidden_gain``.

    Attributes
    ----------
    grid : Grid
        The runs.
    training : asyncio.Task or None
        The last training in the background.

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
        self._job = self.training = None
        rates, gains = self.grid.rates, self.grid.gains
        controls = {
            "learning_rate": slider("learning rate", rates, _nearest(rates, 0.1)),
            "hidden_gain": choice("hidden gain", {f"{gain:g}": gain for gain in gains}),
        }
        controls["hidden_gain"].value = _nearest(gains, 1)
        self._offered, extras = None, self._make_extras()
        super().__init__(
            controls,
            flip="learning_rate",
            presets=_presets(rates),
            extras=extras,
            state=state,
            size=(9, 3.8),
        )
        self._show_buttons()
        if runs is None:
            self.train_grid()

    def _make_extras(self):
        self.exact = ipywidgets.BoundedFloatText(
            min=1e-6, max=3e38, description="exact rate", layout=ipywidgets.Layout(width="190px")
        )  # float32 ends at 3e38
        buttons = []
        for text, function in [
            ("Train here", self.train_here),
            ("Train the grid", self.train_grid),
            ("Cancel", self.cancel),
        ]:
            buttons.append(ipywidgets.Button(description=text))
            buttons[-1].layout.width = "auto"
            buttons[-1].on_click(lambda _, function=function: function())
        self._train_button, self._grid_button, self._cancel_button = buttons
        bar = ipywidgets.Layout(width="100px")
        self._bar = ipywidgets.IntProgress(layout=bar, tooltip="progress of the training")
        return self.exact, *buttons, self._bar

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
            picked={label: float(_over_seeds(by)[0][at]) for label, by in finals.items()},
        )

    def _rates(self):
        return [value for _, value in self.controls["learning_rate"].options]

    def _keys(self, state):
        """Give the runs whose curves are shown, by label."""
        rate, gain = state["learning_rate"], state["hidden_gain"]
        return {label: (rate, gain, norm, self.grid.seeds[0]) for label, norm in NORMS.items()}

    def _curve(self, key):
        window = max(1, self.grid.recipe.steps // POINTS)
        steps, losses = smooth(torch.from_numpy(self.grid.losses(key)), window)
        return steps.numpy(), losses.numpy()

    def build(self, figure, numbers):
        """Draw both panels; what moves: all curves and marks."""
        left, right = self._axes = figure.subplots(1, 2, width_ratios=(4, 5))
        rates = self.grid.rates
        plots.plot_loss(numbers.curves, ax=left)
        plots.plot_final_losses(numbers.rates, numbers.finals, xlabel="learning rate", ax=right)
        self._top = 6 * self.uniform, 1.2 * self.uniform
        left.set(yscale="log", xlim=(0, self.grid.recipe.steps), title="loss curves at this rate")
        ticks = [t for t in (0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20) if t < self._top[0]]
        left.set_yticks(ticks, [f"{t:g}" for t in ticks])
        left.minorticks_off()
        right.set(xlim=(min(rates) / 1.4, max(rates) * 1.4), title="final loss over learning rate")
        decades = [t for t in (1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100) if min(rates) <= t <= max(rates)]
        right.set_xticks(decades, [f"{t:g}" for t in decades])
        for ax in self._axes:
            ax.axhline(self.uniform, **LEVEL)
            ax.get_legend().remove()
        self._curves = dict(zip(NORMS, left.lines, strict=False))
        self._bars = dict(zip(NORMS, (c.lines for c in right.containers), strict=True))
        for line, *_ in self._bars.values():
            line.set_markersize(4)  # smaller than the marks
        self._line = right.axvline(1, color="black", linewidth=0.8)
        self._marks = {label: self._make_marks(label) for label in NORMS}
        figure.legend(
            *self._handles(),
            loc="outside upper center",
            ncols=5,
            frameon=False,
            handler_map={tuple: HandlerTuple(ndivide=None)},
        )
        bars = (b for line, caps, ranges in self._bars.values() for b in (line, *caps, *ranges))
        marks = chain.from_iterable(marks.values() for marks in self._marks.values())
        return [*self._curves.values(), *bars, self._line, *marks]

    def _make_marks(self, label):
        """Make the marks of one network: dict of str to Line2D."""
        left, right = self._axes
        style = {"color": plots.LOOK[label]["color"], "clip_on": False, "zorder": 4}
        cross = style | CROSS | {"marker": FAILED[label]}
        ring = {"marker": RINGS[label], "markersize": 12, "markerfacecolor": "none"}
        return {
            "off": left.plot([], [], linestyle="none", marker=6, **style)[0],
            "diverged": left.plot([], [], **cross | {"markersize": 14})[0],
            "failed": right.plot([], [], **cross)[0],
            "picked": right.plot([], [], linestyle="none", markeredgewidth=2, **style, **ring)[0],
        }

    def _handles(self):
        networks = [Line2D([], [], label=label, **plots.LOOK[label]) for label in NORMS]
        uniform = f"uniform guessing: {self.uniform:.2f}"
        crosses = tuple(
            Line2D([], [], color=plots.LOOK[label]["color"], marker=marker, **CROSS)
            for label, marker in FAILED.items()
        )
        above = Line2D([], [], color="black", linestyle="none", marker=6)
        labels = [*NORMS, uniform, "ends above that", "off the picture"]
        return [*networks, Line2D([], [], **LEVEL), crosses, above], labels

    def update(self, numbers):
        """Move all curves and marks; what is too high stands at the upper edge."""
        left, right = self._top
        low, high = self._axes[1].get_xlim()
        rates = np.clip(numbers.rates, low, high)
        picked = np.clip(numbers.state["learning_rate"], low, high)
        self._line.set_xdata([picked, picked])
        for label, marks in self._marks.items():
            steps, losses = numbers.curves[label]
            losses = np.where(losses < left, losses, left)  # nan is off the picture too
            off = np.flatnonzero(losses == left)[::4]
            self._curves[label].set_data(steps, losses)
            marks["off"].set_data(steps[off], losses[off])
            step = numbers.diverged[label]
            marks["diverged"].set_data([[], []] if step is None else [[step], [left]])
            finals = numbers.finals[label]
            mean, *ends = (np.minimum(f, right) for f in _over_seeds(finals))
            there = ~np.isnan(mean)  # the line goes on over what is not
            _move_bars(self._bars[label], *(x[there] for x in (rates, mean, *ends)))
            failed = mean > self.uniform
            marks["failed"].set_data(rates[failed], mean[failed])
            marks["picked"].set_data([picked], [np.minimum(numbers.picked[label], right)])

    def scene(self, state):
        """Give the lower end of the losses' axes, below all final losses."""
        best = min(self.grid.best(), self.uniform)
        return min(0.72 * self.uniform, math.floor(10 * best - 0.5) / 10)

    def set_scene(self, numbers):
        """Set the limits of the losses."""
        for ax, top in zip(self._axes, self._top, strict=True):
            ax.set_ylim(self.scene(numbers.state), top)

    def arrange(self, state):
        """Offer the picked rate for training, unless another was typed since it was picked."""
        if state["learning_rate"] != self._offered:
            self.exact.value = self._offered = state["learning_rate"]

    def clicked(self, x, y):
        """Pick the rate next to a click on the final losses."""
        right = self._axes[1]
        if right.bbox.contains(x, y):
            rate, _ = right.transData.inverted().transform((x, y))
            self.state = {"learning_rate": _nearest(self._rates(), rate)}

    def describe(self, numbers: Numbers) -> str:
        """Say what becomes of both networks."""
        rate, gain = numbers.state["learning_rate"], numbers.state["hidden_gain"]
        low, high = self._axes[1].get_xlim()
        beyond = "" if low <= rate <= high else " (beyond the axis)"
        ends = "; ".join(f"{label} {self._end(label, numbers)}" for label in NORMS)
        return (
            f"Learning rate {rate:g}{beyond}, hidden gain {gain:g}: {ends} "
            f"({self._mean(numbers)}).{self._rest()}"
        )

    def _end(self, label, numbers):
        """Say what becomes of one network, at the picked rate and gain."""
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
        """Say what a final loss is the mean of."""
        steps, at = self.grid.recipe.steps, numbers.rates == numbers.state["learning_rate"]
        seeds = max((~np.isnan(by[:, at])).sum() for by in numbers.finals.values())
        mean = f"mean of the last {self.grid.tail:,} of {steps:,} steps"
        return f"{mean} and of {seeds} seeds" if seeds > 1 else mean

    def _rest(self):
        """Say what the grid lacks."""
        lacking = sum(len(rates) for rates, *_ in self.grid.missing())
        still = "are missing" if self._job is None else "are still to come"
        return f" {lacking} of the grid's {len(self.grid)} runs {still}." if lacking else ""

    def key_numbers(self, numbers: Numbers) -> dict:
        """Give both final losses."""
        return {
            label.replace(" ", "_"): f"{picked:.2f}" for label, picked in numbers.picked.items()
        }

    # training

    def train_here(self):
        """Train both networks at the exact rate and the present gain, with the first seed."""
        rate, gain, seed = self.exact.value, self.state["hidden_gain"], self.grid.seeds[0]
        self._train([([rate], gain, list(NORMS.values()), seed)], offer=rate)

    def _offer(self, rate):
        """Move the slider to a rate, giving it a position where it has none."""
        control, rates = self.controls["learning_rate"], sorted({rate, *self._rates()})
        with self._unnoticed():
            # in two messages: a browser that gets both in one cuts the index to the old range
            with control.hold_sync():
                index = control.index
                control.options = [(f"{r:g}", r) for r in rates]
                control.index = index
            control.value = rate
            self._book = None  # the pages have other numbers now

    def train_grid(self):
        """Train what the grid lacks, at the present gain first."""
        missing = self.grid.missing(self.state["hidden_gain"])
        self._train([(rates, gain, [norm], seed) for rates, gain, norm, seed in missing])

    def cancel(self):
        """End the training. Runs that are complete are kept, and so are the others' losses."""
        if job := self._job:  # read once: it may end at any moment
            job.cancelled = True

    def _train(self, sweeps, *, offer=None):
        runs = sum(len(rates) * len(norms) for rates, _, norms, _ in sweeps)
        with LOCK:
            if self._job is not None:
                return
            if offer is not None:
                self._offer(offer)
            self._job, self._bar.value = _Job(), 0
            self._bar.max = max(1, runs * self.grid.recipe.steps)
            self._show_buttons()
        training = self._train_all(sweeps)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run(training)
        else:
            self.training = loop.create_task(training)
            self.training.add_done_callback(_forget)

    async def _train_all(self, sweeps):
        with self._told_to_the_reader():
            try:
                self.refresh(anew=True)
                for one in sweeps:
                    if not self._job.cancelled:
                        await self._train_one(*one)
            finally:
                with LOCK:
                    self._job.cancelled, self._job, self.grid.growing = True, None, {}
                    self._show_buttons()
                    self.refresh(anew=True)

    async def _train_one(self, rates, gain, norms, seed):
        """Do one sweep in another thread, and show its losses as they come."""
        job, before = self._job, self._bar.value
        values = {"learning_rate": rates, "hidden_gain": [gain], "norm": norms, "seed": [seed]}
        keys = [(rate, gain, norm, seed) for rate in rates for norm in norms]
        work = asyncio.get_running_loop().run_in_executor(
            None, partial(sweep, self._dataset, self.grid.recipe, progress=job.look, **values)
        )
        while not work.done():
            await asyncio.wait([work], timeout=PAUSE if len(rates) == 1 else LONG_PAUSE)
            losses = zip(keys, [watch.loss for watch in job.watches], strict=False)
            with LOCK:
                self.grid.growing = {key: loss.copy() for key, loss in losses if loss is not None}
                self._bar.value = before + sum(watch.done for watch in job.watches)
                self._frames.pop(self.index, None)  # the other pages stay as they are
                self.refresh()
        with LOCK:
            self.grid.growing = {}
            for run in work.result():
                self.grid.keep(run)

    def _next_page(self):
        # pages drawn ahead of a training would be of no use after it
        return super()._next_page() if self._job is None else None

    def _show_buttons(self):
        busy = self._job is not None
        self._train_button.disabled = self.exact.disabled = busy
        self._grid_button.disabled = busy or not self.grid.missing()
        self._cancel_button.disabled = not busy
        self._bar.layout.visibility = "visible" if busy else "hidden"


class _Job:
    """What a training in another thread and the one that follows it tell each other."""

    def __init__(self):
        self.cancelled, self.watches = False, []

    def look(self, watches):
        self.watches = watches
        for watch in watches:
            watch.stop = watch.stop or self.cancelled


def _forget(training):
    """Take an error out of a task, as the reader has been told."""
    if not training.cancelled():
        training.exception()


def _presets(rates):
    positions = {
        "careful": rates[0],
        "the seed recipe's": _nearest(rates, 0.1),
        "bold": _nearest(rates, 3),
        "reckless": rates[-1],
    }
    return {f"{name}: {rate:g}": {"learning_rate": rate} for name, rate in positions.items()}


def _nearest(values, to):
    return min(values, key=lambda value: abs(math.log(value / to)))


def _over_seeds(finals):
    """(seeds, rates) -> mean, least and greatest of those that are there: (rates,)."""
    with np.errstate(invalid="ignore"):  # 0 / 0 where there is none
        mean = np.nansum(finals, axis=0) / (~np.isnan(finals)).sum(axis=0)
    return mean, np.fmin.reduce(finals), np.fmax.reduce(finals)


def _move_bars(bars, rates, mean, low, high):
    """Give the artists of an errorbar their data: ndarrays (rates,)."""
    line, caps, (ranges,) = bars
    line.set_data(rates, mean)
    several = low < high
    for cap, end in zip(caps, (low, high), strict=True):
        cap.set_data(rates[several], end[several])
    low, high = np.stack([rates, low], axis=1), np.stack([rates, high], axis=1)
    ranges.set_segments(np.stack([low, high], axis=1)[several])  # (several, 2 ends, x and y)
