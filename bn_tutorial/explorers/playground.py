"""Networks that train anew at every move, side by side."""

from contextlib import suppress
from dataclasses import dataclass, fields
from functools import partial

import ipywidgets

from bn_tutorial._expect import expect_kind
from bn_tutorial.data import Dataset
from bn_tutorial.explorers._playground_networks import bigram_loss, look_into
from bn_tutorial.explorers._playground_panels import PlaygroundPanels
from bn_tutorial.explorers.as_code import arguments_of, code_of
from bn_tutorial.explorers.background import Growing, Latest
from bn_tutorial.explorers.controls import choice, offer, slider
from bn_tutorial.explorers.explorer import Explorer
from bn_tutorial.explorers.picture import LOCK
from bn_tutorial.explorers.probe import NORMS, Probe
from bn_tutorial.recipe import Recipe
from bn_tutorial.threads import one_blas_thread
from bn_tutorial.training import sweep

RECIPE = Recipe(eps=1e-5)  # with pairs a unit's two inputs may be equal
NETWORKS = {
    "plain and batch norm": ("plain", "batch norm"),
    "batch norm and layer norm": ("batch norm", "layer norm"),
    "all three": ("plain", "batch norm", "layer norm"),
}
FIRST_STEPS = 64  # some milliseconds, then the first picture, before all are trained
PAUSE = 0.1  # seconds before the next picture of curves that grow, and between two
STEP_COUNTS = (100, 300, 1_000, 3_000, 10_000)
RATES = [float(f"{10 ** (i / 12):.3g}") for i in range(-36, 19)]  # 0.001 to 31.6
GAINS = (0.02, 0.05, 0.1, 0.2, 0.5, 0.68, 1.0, 2.0, 5.0, 10.0, 20.0)
OUTPUT_GAINS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
MOMENTA = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
SEEDS = range(1, 31)


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

    grows = True

    def __init__(
        self, dataset: Dataset, *, recipe: Recipe | None = None, state: dict | None = None
    ):
        super().__init__()
        self._probe = Probe(dataset, recipe, 256)  # which looks at the kinds of both
        self._dataset, self._recipe, self.bigram = dataset, recipe or RECIPE, bigram_loss(dataset)
        self._trained = None  # what the last complete runs were trained with, and the runs
        self._latest = Latest(self._train)
        self.as_code = ipywidgets.Text(
            description="as code", continuous_update=False, layout=ipywidgets.Layout(width="560px")
        )
        self.as_code.style.description_width = "60px"
        controls = _make_controls()
        self._fields = [f.name for f in fields(Recipe) if f.name in controls]
        presets = {name: DEFAULT | part for name, part in PRESETS.items()}
        extras, size = [self.as_code], (10, 5.6)
        self.set_up(controls, presets=presets, extras=extras, state=state, size=size)
        self.as_code.observe(self._pasted, "value")

    def _set_controls(self, state):
        """Set controls, and give what a slider lacks a position, if a recipe may have it."""
        expect_kind("state", state, dict)
        values = {name: value for name, value in state.items() if name in self._fields}
        self._recipe_of(values)  # it refuses bad ones
        with self._unnoticed():
            for name, value in values.items():
                offer(self.controls[name], value)
        super()._set_controls(state)

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

    @property
    def busy(self):
        """Whether networks are being trained."""
        return self._latest.busy

    def cancel(self):
        """End the training, and show how far it has come."""
        self._latest.stop()

    def wait(self):
        """Wait until the networks are trained and shown."""
        self._latest.wait()

    def _train(self, state, outdated):
        """Train and show, in a thread of its own."""
        with suppress(Exception), self._told_to_the_reader():
            key = self._trained_with(state)
            if self._trained is None or self._trained[0] != key:
                self._show_first_steps(state)
                if self._left(outdated):
                    return
                show = partial(self._show_growing, state)
                growing = Growing(outdated, show, PAUSE, shown=True)
                runs = self._sweep(state, progress=growing)
                self._trained = None if outdated() else key, runs
            if not self._left(outdated):
                self._put(self._read(state, self._trained[1]))

    def _left(self, outdated):
        """Return whether something else is asked for by now."""
        return outdated() and not self._latest.stopped

    def _show_first_steps(self, state):
        """Train some milliseconds, and show that: no training holds up its picture, nor a move."""
        few = state | {"steps": min(FIRST_STEPS, state["steps"])}
        runs = self._sweep(few, progress=_stop_what_has_begun)
        self._put(self._read(state, runs, training=True))

    def _show_growing(self, state, watches):
        """Show runs as far as they have come, and ask for them to be shown next."""
        runs = zip(state["networks"], [watch.run for watch in watches], strict=True)
        runs = {label: run for label, run in runs if run is not None}
        for watch in watches:
            watch.asked = True
        if runs:
            self._put(self._read(state, runs, training=True))
        return bool(runs)

    def _put(self, numbers):
        with LOCK:
            self.numbers, state = numbers, numbers.state
            self._frame = self._draw(state, numbers)
            self._book, self._frames = state, {-1: self._frame}
            self.picture.show(*self._frame, self._stamp(state))

    # reading

    def _read(self, state, runs, training=False):
        """Read what runs have come to, of complete ones the losses and words too: Numbers."""
        look = partial(look_into, self._dataset, self._probe, state, complete=not training)
        with one_blas_thread:  # once for all: each setting starts a thread
            networks = {label: look(run) for label, run in runs.items()}
        return Numbers(state=state, networks=networks, training=training)

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
            f"{label} {_end(numbers.networks.get(label), label, state)}"
            for label in state["networks"]
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
        return code_of(self.recipe(state))

    def _pasted(self, change):
        with LOCK, suppress(Exception), self._told_to_the_reader():
            if not self._quiet:
                self.move(self.read_code(change.new))

    def read_code(self, code: str) -> dict:
        """Return the part of the state that a call of Recipe in plain values stands for.

        Raises
        ------
        ValueError
            If it is no such call, or of a field or value that there is no control for.
        """
        values = arguments_of(code)
        for name, value in values.items():
            if name not in self._fields and value != getattr(self._recipe, name, self):
                known = ", ".join(self._fields)
                raise ValueError(f"as code: expected fields among {known}, got {name}={value!r}")
        recipe = self._recipe_of(values)  # it refuses bad values
        part = {name: getattr(recipe, name) for name in self._fields}
        default = {name: value for name, value in DEFAULT.items() if name not in values}
        return part | {name: value for name, value in default.items() if name in self._fields}


def _stop_what_has_begun(watches):
    for watch in watches:
        watch.stop = watch.done > 0


def _end(network, label, state):
    """Return what became of one network."""
    if network is not None and network.diverged is not None:
        return f"diverges at step {network.diverged:,}"
    if network is None or network.val is None:
        return "is in training"
    if network.done < state["steps"]:
        return f"was stopped after {network.done:,} steps"
    read = f" (read with {state['statistics']} statistics)" if label == "batch norm" else ""
    return f"ends at {network.train:.2f} on train, {network.val:.2f} on val{read}"


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
