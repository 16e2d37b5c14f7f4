"""Networks that train anew at every move, side by side."""

import ast
import math
from contextlib import suppress
from dataclasses import dataclass, fields

import ipywidgets
import numpy as np
import torch

from bn_tutorial import plots
from bn_tutorial._expect import expect_kind
from bn_tutorial.data import Dataset
from bn_tutorial.diagnostics import SATURATED, probe, smooth, update_to_data
from bn_tutorial.evaluation import evaluate
from bn_tutorial.explorers._playground_panels import LIMITS, PlaygroundPanels
from bn_tutorial.explorers.background import Latest
from bn_tutorial.explorers.controls import choice, offer, slider
from bn_tutorial.explorers.explorer import Explorer
from bn_tutorial.explorers.picture import LOCK
from bn_tutorial.explorers.probe import NORMS, Probe
from bn_tutorial.explorers.size_grid import read_in_batches
from bn_tutorial.recipe import Recipe
from bn_tutorial.sampling import sample_words
from bn_tutorial.statistics import calibrate, running_statistics
from bn_tutorial.training import sweep

RECIPE = Recipe(eps=1e-5)  # with pairs a unit's two inputs may be equal
NETWORKS = {
    "plain and batch norm": ("plain", "batch norm"),
    "batch norm and layer norm": ("batch norm", "layer norm"),
    "all three": ("plain", "batch norm", "layer norm"),
}
STEP_COUNTS = (100, 300, 1_000, 3_000, 10_000)
RATES = [float(f"{10 ** (i / 12):.3g}") for i in range(-36, 19)]  # 0.001 to 31.6
GAINS = (0.02, 0.05, 0.1, 0.2, 0.5, 0.68, 1.0, 2.0, 5.0, 10.0, 20.0)
OUTPUT_GAINS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
MOMENTA = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
SEEDS = range(1, 31)
POINTS = 100  # of a smoothed curve
WORDS = 4
ADDED = 0.1  # to the counts of pairs, as notebook 01 finds best


@dataclass(frozen=True, eq=False)
class Network:
    """One network, as far as it has come.

    Attributes
    ----------
    steps, losses : ndarray (points,)
        Of the curve.
    done : int
        Steps of the training.
    diverged : int or None
        The step whose loss is not finite.
    into, out : ndarray (bins,)
        Shares of what goes into a layer's tanh, and comes out.
    saturated : float
        Share of its activations.
    gradient, updates : ndarray (L,)
        By hidden layer: standard deviation of the gradient at what tanh gives, and log10 of the
        ratio of an update to the weights.
    train, val : float or None
        Losses at the end of the training, in nats.
    words : list of str
    """

    steps: np.ndarray
    losses: np.ndarray
    done: int
    diverged: int | None
    into: np.ndarray
    out: np.ndarray
    saturated: float
    gradient: np.ndarray
    updates: np.ndarray
    train: float | None = None
    val: float | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the picture shows: the networks by label, some of them still in training."""

    state: dict
    networks: dict
    training: bool


class Playground(Explorer):
    """Train two or three networks with one recipe, anew at every move.

    The picture shows how they learn, what goes into the tanh of one layer and comes out, gradients
    and updates by layer, and at the end the losses on train and val and words that each network
    writes. The curves grow while the networks train in the background; a move begins anew. So
    ``state`` may be ahead of ``numbers``: ``wait`` waits for them.

    The field *as code* holds the recipe as a call, to be copied; paste another one there.

    Parameters
    ----------
    dataset : Dataset
    recipe : Recipe, optional
        What the networks have beside the fields that there are controls for, by default ``RECIPE``.
    state : dict, optional
        Of ``networks`` (one of the tuples of ``NETWORKS``), of the fields of a Recipe that have a
        control, of ``statistics`` ("calibrated", "running" or "batch") and ``momentum``, with which
        batch norm is read, and of ``layer``, ``curve`` ("smoothed" or "each batch's") and ``scale``
        ("log" or "linear"). What a slider lacks is given a position.

    Examples
    --------
    >>> import bn_tutorial as bn
    >>> dataset = bn.Dataset.from_words(bn.load_words())
    >>> playground = Playground(dataset, state={"steps": 100, "learning_rate": 0.3})
    >>> playground.code
    'bn.Recipe(eps=1e-05, steps=100, learning_rate=0.3)'
    """

    def __init__(
        self, dataset: Dataset, *, recipe: Recipe | None = None, state: dict | None = None
    ):
        super().__init__()
        expect_kind("dataset", dataset, Dataset)
        expect_kind("recipe", recipe, (Recipe, type(None)))
        self._dataset, self._recipe = dataset, recipe or RECIPE
        self._probe, self.bigram = Probe(dataset, 256), _bigram_loss(dataset)
        self._trained = None  # what the last complete runs were trained with, and the runs
        self._latest = Latest(self._train)
        self.as_code = ipywidgets.Text(
            description="as code", continuous_update=False, layout=ipywidgets.Layout(width="560px")
        )
        self.as_code.style.description_width = "60px"
        controls = _make_controls()
        self._fields = [f.name for f in fields(Recipe) if f.name in controls]
        for name, value in (state or {}).items():
            if name in self._fields:
                offer(controls[name], value)
        presets = {name: DEFAULT | part for name, part in PRESETS.items()}
        extras, size = [self.as_code], (10, 5.6)
        self.set_up(controls, presets=presets, extras=extras, state=state, size=size)
        self.as_code.observe(self._pasted, "value")

    # training

    def compute(self, state: dict) -> Numbers:
        """Train the networks to the end, and read them: Numbers."""
        return self._read(state, self._sweep(state))

    def recipe(self, state: dict) -> Recipe:
        """Return the recipe of a state, without its norm."""
        return self._recipe_of({name: state[name] for name in self._fields})

    def _recipe_of(self, values):
        base = {f.name: getattr(self._recipe, f.name) for f in fields(Recipe)}
        return Recipe(**base | values)

    def _sweep(self, state, **options):
        norms = [NORMS[label] for label in state["networks"]]
        record = "statistics" if state["statistics"] == "running" else None
        runs = sweep(self._dataset, self.recipe(state), norm=norms, record=record, **options)
        return dict(zip(state["networks"], runs, strict=True))

    def _trained_with(self, state):
        needed = "networks", *self._fields
        return [state[name] for name in needed] + [state["statistics"] == "running"]

    def _show(self, state, anew):
        self.error = None
        self._latest.ask(state)

    def wait(self):
        """Wait until the networks are trained and shown."""
        self._latest.wait()

    def _train(self, state, outdated):
        """Train and show, in a thread of its own."""
        with suppress(Exception), self._told_to_the_reader():
            key = self._trained_with(state)
            if self._trained is not None and self._trained[0] == key:
                runs = self._trained[1]
            else:
                runs = self._sweep(state, progress=_Growing(self, state, outdated))
            if not outdated():
                self._trained = key, runs
                self._put(self._read(state, runs))

    def _put(self, numbers):
        with LOCK:
            self.numbers, state = numbers, numbers.state
            self._frame = self._draw(state, numbers)
            self._book, self._frames = state, {-1: self._frame}
            self.picture.show(*self._frame, self._stamp(state))

    # reading

    def _read(self, state, runs, training=False):
        """Read what runs have come to, of complete ones the losses and words too: Numbers."""
        networks = {label: self._look_into(state, run, training) for label, run in runs.items()}
        return Numbers(state=state, networks=networks, training=training)

    def _look_into(self, state, run, training):
        diverged = run.diverged_at
        losses, done = run.loss, len(run.loss)
        window = max(1, run.recipe.steps // POINTS) if state["curve"] == "smoothed" else 1
        steps, losses = smooth(losses, window)
        inside = dict.fromkeys(("into", "out", "gradient", "updates"), np.full(1, math.nan))
        inside |= {"saturated": math.nan}
        ends = {}
        if diverged is None:
            with np.errstate(all="ignore"):
                inside = self._inside(state, run)
                ends = {} if training else self._ends(state, run)
        curve = {"steps": steps.numpy(), "losses": losses.numpy()}
        return Network(**curve, done=done, diverged=diverged, **inside, **ends)

    def _inside(self, state, run):
        """Send a batch through, forward and back."""
        snapshot, depth = probe(run, *self._probe.batch), run.recipe.depth
        layer = min(state["layer"], depth) - 1
        names = list(snapshot.outputs)
        out = snapshot.outputs[f"tanh.{layer}"]
        into = snapshot.outputs[names[names.index(f"tanh.{layer}") - 1]]
        gradients = [snapshot.output_gradients[f"tanh.{i}"] for i in range(depth)]
        rate = run.recipe.learning_rates()[-1]
        updates = update_to_data(snapshot, rate)
        return {
            "into": plots.bin_shares(into, limits=LIMITS["into"])[0],
            "out": plots.bin_shares(out, limits=LIMITS["out"])[0],
            "saturated": (out.abs() > SATURATED).float().mean().item(),
            "gradient": np.array([g.std().item() for g in gradients]),
            "updates": np.array([updates[f"hidden.{i}.weight"] for i in range(depth)]),
        }

    def _ends(self, state, run):
        """Evaluate a trained network, and let it write."""
        train, val, vocabulary = self._dataset.train, self._dataset.val, self._dataset.vocabulary
        statistics, batch = None, run.recipe.norm == "batch"
        if batch and state["statistics"] == "running":
            statistics = running_statistics(run, momentum=state["momentum"])
        elif batch:
            statistics = calibrate(run, train)
        if batch and state["statistics"] == "batch":
            losses = [read_in_batches(run, split) for split in (train, val)]
        else:
            losses = [evaluate(run, split, statistics) for split in (train, val)]
        words = ()
        if math.isfinite(losses[1]):
            words = sample_words(run, vocabulary, statistics, n=WORDS, seed=state["seed"])
        return {"train": losses[0], "val": losses[1], "words": tuple(words)}

    # drawing

    def build(self, figure, numbers):
        """Draw the panels; what moves: all that is of a network."""
        levels = {"uniform": self._probe.uniform, "pairs counted": self.bigram}
        self._panels = PlaygroundPanels(figure, NORMS, levels)
        return self._panels.artists

    def update(self, numbers):
        """Move all that is of a network."""
        self._panels.show(numbers)

    def scene(self, state):
        """Return what the axes depend on."""
        depth = state["depth"]
        layer = min(state["layer"], depth)
        return state["networks"], state["steps"], depth, layer, state["scale"]

    def set_scene(self, numbers):
        """Set limits and titles."""
        self._panels.set_axes(*self.scene(numbers.state))

    def arrange(self, state):
        """Offer the momentum where it is used, and say the state as code."""
        self.controls["momentum"].disabled = state["statistics"] != "running"
        self.controls["layer"].disabled = state["depth"] == 1
        self.as_code.value = self._code_of(state)

    def describe(self, numbers: Numbers) -> str:
        """Return what became of each network."""
        state = numbers.state
        told = "; ".join(
            f"{label} {_end(network, state['statistics'] if label == 'batch norm' else None)}"
            for label, network in numbers.networks.items()
        )
        return (
            f"Learning rate {state['learning_rate']:g}, hidden gain {state['hidden_gain']:g}, "
            f"batches of {state['batch_size']}, depth {state['depth']}, {state['steps']:,} steps, "
            f"one run each, seed {state['seed']}: {told}."
        )

    def key_numbers(self, numbers: Numbers) -> dict:
        """Return the losses on val."""
        return {
            label.replace(" ", "_"): "none" if one.val is None else f"{one.val:.2f}"
            for label, one in numbers.networks.items()
        }

    # the state as code

    @property
    def code(self) -> str:
        """The recipe of the present state, as the call that makes it."""
        return self._code_of(self._values())

    def _code_of(self, state):
        default = Recipe()
        recipe = self.recipe(state)
        changed = [
            f"{f.name}={getattr(recipe, f.name)!r}"
            for f in fields(Recipe)
            if f.name != "norm" and getattr(recipe, f.name) != getattr(default, f.name)
        ]
        return f"bn.Recipe({', '.join(changed)})"

    def _pasted(self, change):
        with LOCK, self._told_to_the_reader():
            if not self._quiet:
                self.move(self.read_code(change.new))

    def read_code(self, code: str) -> dict:
        """Return the part of the state that a call of Recipe in plain values stands for.

        Raises
        ------
        ValueError
            If it is no such call, or of a field or value that there is no control for.
        """
        values = _arguments(code)
        for name in values:
            if name not in self._fields:
                known = ", ".join(self._fields)
                raise ValueError(f"as code: expected fields among {known}, got {name}")
        recipe = self._recipe_of(values)  # it refuses bad values
        part = {name: getattr(recipe, name) for name in self._fields}
        default = {name: value for name, value in DEFAULT.items() if name not in values}
        part |= {name: value for name, value in default.items() if name in self._fields}
        with self._unnoticed():
            for name, value in part.items():
                offer(self.controls[name], value)
        return part


def _arguments(code):
    """Return the keyword arguments of a call of Recipe: dict."""
    wanted = "as code: expected bn.Recipe(...) with numbers by name"
    try:
        call = ast.parse(code.strip(), mode="eval").body
        name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
        if name != "Recipe" or call.args:
            raise ValueError
        return {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError, AttributeError, TypeError):
        raise ValueError(f"{wanted}, got {code!r}") from None


class _Growing:
    """Shows runs while they are trained, and ends them where something else is asked for."""

    def __init__(self, playground, state, outdated):
        self._playground, self._state, self._outdated = playground, state, outdated
        self._shown = False

    def __call__(self, watches):
        if self._outdated() and self._shown:
            for watch in watches:
                watch.stop = True
            return
        if any(watch.run is None for watch in watches):
            return
        runs = dict(zip(self._state["networks"], [watch.run for watch in watches], strict=True))
        for watch in watches:
            watch.asked = True
        playground = self._playground
        playground._put(playground._read(self._state, runs, training=True))
        self._shown = True


def _end(network, statistics):
    """Return what became of one network."""
    if network.diverged is not None:
        return f"diverges at step {network.diverged:,}"
    if network.val is None:
        return "is in training"
    read = "" if statistics is None else f" (read with {statistics} statistics)"
    return f"ends at {network.train:.2f} on train, {network.val:.2f} on val{read}"


def _bigram_loss(dataset):
    """Count pairs in train, and return the loss of that table on val, in nats: float."""
    symbols = len(dataset.vocabulary)
    counts = torch.full((symbols, symbols), ADDED, dtype=torch.float64)
    before, after = dataset.train.contexts[:, -1], dataset.train.targets
    counts.index_put_((before, after), torch.ones(len(after)).double(), accumulate=True)
    table = counts / counts.sum(dim=1, keepdim=True)
    return -table[dataset.val.contexts[:, -1], dataset.val.targets].log().mean().item()


def _make_controls():
    statistics = {name: name for name in ("calibrated", "running", "batch")}
    return {
        "learning_rate": slider("learning rate", RATES, 0.1),
        "networks": choice("networks", NETWORKS),
        "hidden_gain": slider("hidden gain", GAINS, 1.0),
        "output_gain": slider("output gain", OUTPUT_GAINS, 1.0),
        "batch_size": slider("batch size", [2**k for k in range(1, 10)], 64, "{}"),
        "depth": slider("depth", range(1, 11), 1, "{}"),
        "hidden": slider("hidden units", (10, 25, 50, 100, 200), 100, "{}"),
        "steps": slider("steps", STEP_COUNTS, 1_000, "{:,}"),
        "seed": slider("seed", SEEDS, 23, "{}"),
        "statistics": choice("batch norm with", statistics),
        "momentum": slider("momentum", MOMENTA, 0.1),
        "layer": slider("layer shown", range(1, 11), 1, "{}"),
        "curve": choice("curve", {name: name for name in ("smoothed", "each batch's")}),
        "scale": choice("loss axis", {name: name for name in ("log", "linear")}),
    }


DEFAULT = {name: control.value for name, control in _make_controls().items()}
PRESETS = {
    "the seed's recipe": {},
    "too fast for plain": {"learning_rate": 3.16},
    "a bad start": {"learning_rate": 0.316, "hidden_gain": 5.0},
    "a good start": {"learning_rate": 0.316, "output_gain": 0.01, "steps": 3_000},
    "pairs": {"batch_size": 2, "steps": 10_000, "learning_rate": 0.01},
    "ten layers": {"depth": 10, "layer": 10},
}
