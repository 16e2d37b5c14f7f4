"""What goes into the tanh and what comes out, at any scale of the draws and along training."""

from dataclasses import dataclass

import numpy as np
from matplotlib.colors import to_rgba_array

from bn_tutorial import plots
from bn_tutorial._expect import expect_kind
from bn_tutorial.data import Dataset
from bn_tutorial.diagnostics import SATURATED
from bn_tutorial.explorers.controls import choice, slider
from bn_tutorial.explorers.explorer import Explorer
from bn_tutorial.explorers.marks import CutSteps
from bn_tutorial.explorers.probe import NORMS, Probe, label_of
from bn_tutorial.explorers.runs import check_symbols
from bn_tutorial.recipe import Recipe
from bn_tutorial.run import Record, Run

DRAWN = "step 0, as drawn"  # among the labels of the runs
FAN_IN_6, FAN_IN_100 = (5 / 3) / 6**0.5, (5 / 3) / 10  # tanh's gain for these fan-ins
# ten a decade, and the two gains in the places of their neighbours
HIDDEN_GAINS = (0.05, 0.063, 0.08, 0.1, 0.125, FAN_IN_100, 0.2, 0.25, 0.32, 0.4, 0.5, FAN_IN_6)
HIDDEN_GAINS += (0.8, 1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.3, 8.0, 10.0, 12.5, 16.0, 20.0)
HIDDEN_GAINS += (25.0,)
OUTPUT_GAINS = (0.01, 0.016, 0.025, 0.04, 0.063, 0.1, 0.16, 0.25, 0.4, 0.63, 1.0, 1.6, 2.5, 4.0)
DEPTHS = range(1, 7)
LOSSES = 1, 200  # nats where the loss panel ends
ROWS = 128  # examples in the saturation map


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the picture shows: x and activations (B, H), shares of saturated ones (L,), a loss."""

    state: dict
    recipe: Recipe
    step: int
    layer: int
    x: np.ndarray
    activations: np.ndarray
    saturated: np.ndarray
    loss: float


class ActivationExplorer(Explorer):
    """Move the scale of the draws, and see what goes into the tanh and what comes out.

    Each move draws the parameters anew from the same seed and sends one batch through: training
    examples at equal distances, as in a run's snapshots. A batch norm uses the statistics of this
    batch. Where runs are given, the explorer also shows the snapshots that they recorded. Nothing
    is trained.

    Parameters
    ----------
    dataset : Dataset
    runs : dict of str to Run, optional
        With snapshots: trained with ``record=bn.Record(snapshots=...)``. A label of
        ``plots.LOOK`` has its look, others have that of their norm.
    recipe : Recipe, optional
        What the draws have beside gains, norm and depth: seed, hidden units, eps, ... They go
        through in float64, so that the figures hold on any machine.
    probe : int
        Examples in the batch, as for ``Record``.
    state : dict, optional
        Of ``hidden_gain`` (one of ``HIDDEN_GAINS``), ``output_gain`` (one of ``OUTPUT_GAINS``),
        ``norm`` (one of ``NORMS``), ``depth`` and ``layer``; with runs also of ``source``
        (``DRAWN`` or a run's label) and ``step`` (any that a run has recorded). A layer that the
        network doesn't have leads to its last one, and a step that the run has not recorded to
        the last one before.

    Raises
    ------
    TypeError, ValueError
        If a run has no snapshots or another vocabulary, or there is no example to probe.
    """

    def __init__(
        self,
        dataset: Dataset,
        runs: dict[str, Run] | None = None,
        *,
        recipe: Recipe | None = None,
        probe: int = Record.probe,
        state: dict | None = None,
    ):
        super().__init__()
        self._probe = Probe(dataset, recipe, probe)
        _check_runs(runs, self._probe.symbols)
        self._runs = runs or {}
        self.uniform = self._probe.uniform
        controls, presets = self._make_controls(), self._presets()
        self.set_up(controls, presets=presets, state=state, size=(9.6, 3.7))

    def _make_controls(self):
        runs = self._runs.values()
        layers = range(max([*DEPTHS, *(run.recipe.depth for run in runs)]))
        controls = {
            "hidden_gain": slider("hidden gain", HIDDEN_GAINS, 1.0, "{:.3g}"),
            "output_gain": slider("output gain", OUTPUT_GAINS, 1.0),
            "norm": choice("norm", {norm: norm for norm in NORMS}),
            "depth": slider("depth", DEPTHS, 1, "{}"),
            "layer": slider("layer shown", layers, 0, "{}"),
        }
        if not runs:
            return controls
        steps = sorted({snapshot.step for run in runs for snapshot in run.snapshots})
        return {
            "source": choice("show", {label: label for label in (DRAWN, *self._runs)}),
            "step": slider("step", steps, steps[0], "{:,}"),
        } | controls

    def _presets(self):
        first = {"source": DRAWN} if self._runs else {}
        first |= {"norm": "plain", "depth": 1, "layer": 0, "hidden_gain": 1.0, "output_gain": 1.0}
        by_hand = first | {"hidden_gain": FAN_IN_6, "output_gain": 0.01}
        return {
            "drawn as in the seed recipe": first,
            "repaired by hand": by_hand,
            "repaired by hand, but deep": by_hand | {"depth": 5, "layer": 4},
            "batch norm": first | {"norm": "batch norm"},
            "batch norm, hidden gain 5": first | {"norm": "batch norm", "hidden_gain": 5.0},
        }

    def compute(self, state: dict) -> Numbers:
        """Draw and send the batch through, or look up a run's snapshot: Numbers."""
        recipe, run = self._network(state)
        layer = min(state["layer"], recipe.depth - 1)
        if run is None:
            there = self._probe.send(recipe)
            step, outputs, loss = 0, there.outputs, float(there.losses.mean())
        else:
            before = [s for s in run.snapshots if s.step <= state["step"]]
            shown = before[-1] if before else run.snapshots[0]
            step, outputs, loss = shown.step, shown.outputs, shown.loss
        activations = [outputs[f"tanh.{i}"].numpy() for i in range(recipe.depth)]
        return Numbers(
            state=state,
            recipe=recipe,
            step=step,
            layer=layer,
            x=outputs[_into(recipe, layer)].numpy(),
            activations=activations[layer],
            saturated=np.array([(np.abs(a) > SATURATED).mean() for a in activations]),
            loss=loss,
        )

    def _network(self, state):
        """Return the recipe of a state, and the run if it is one's: Recipe, Run or None."""
        run = self._runs.get(state.get("source", DRAWN))
        return (self._probe.recipe(state) if run is None else run.recipe), run

    def build(self, figure, numbers):
        """Draw five panels; the data move in all of them."""
        three = ["into", "out", "map"]
        axes = figure.subplot_mosaic([[*three, "loss"], [*three, "layers"]])
        self._into = _Histogram(axes["into"], (-10, 10), 60, highest=0.15, edge=10)
        self._out = _Histogram(axes["out"], (-1, 1), 40, highest=0.25, edge=SATURATED)
        axes["into"].set(xlabel="pre-activation")
        axes["out"].set(xlabel="activation", ylabel="")
        self._map = plots.plot_saturation(numbers.activations, ax=axes["map"]).image
        self._axes = axes
        frame = axes["map"].spines.values()  # or the map would cover it
        self._curve, self._mark, self._loss = losses = self._build_loss(axes["loss"])
        self._bars = self._build_layers(axes["layers"])
        histograms = self._into.artists + self._out.artists
        return [*histograms, self._map, *frame, *losses, *self._bars]

    def _build_loss(self, ax):
        levels = {f"ln {self._probe.symbols}": self.uniform}
        curve = plots.plot_loss({"plain": ([], [])}, levels=levels, ax=ax).lines["plain"]
        ax.set(yscale="log", ylim=LOSSES, ylabel="", title="loss (nats)")
        ax.set_yticks([1, 10, 100], ["1", "10", "100"])
        if self._runs:
            _, last = self.controls["step"].options[-1]
            ax.set_xscale("symlog", linthresh=10)
            ax.set_xlim(-2, 2 * max(10, last))
        else:
            ax.set(xlabel="", xticks=[], xlim=(-1, 1))
        (mark,) = ax.plot([], [], color="black", markevery=[1], linewidth=1, clip_on=False)
        return curve, mark, _corner(ax, 0.95, "right")

    def _build_layers(self, ax):
        labels = [text for text, _ in self.controls["layer"].options]
        bars = plots.plot_shares(labels, [0] * len(labels), ax=ax).bars
        ax.set(ylim=(0, 1), xlabel="layer", ylabel="", title="share saturated")
        return bars

    def update(self, numbers):
        """Move the histograms, the map, the loss and the bars."""
        _, run = self._network(numbers.state)
        look = plots.LOOK.get(numbers.state.get("source"))
        look = look or plots.LOOK[label_of(numbers.recipe.norm)]
        self._into.show(numbers.x, look)
        self._out.show(numbers.activations, look)
        rows = np.linspace(0, len(numbers.x) - 1, min(ROWS, len(numbers.x))).astype(int)
        saturated = np.abs(numbers.activations[rows]) > SATURATED
        colors = (255 * to_rgba_array(["white", look["color"]])).astype(np.uint8)
        self._map.set_data(colors[saturated.astype(int)])  # as colours: a third of the time
        shown = np.clip(np.nan_to_num(numbers.loss, nan=np.inf), *LOSSES)
        self._mark.set_data([numbers.step] * 2, [self.uniform, shown])
        self._mark.set_marker("o" if shown == numbers.loss else "v" if shown == LOSSES[0] else "^")
        self._loss.set_text(f"{numbers.loss:.2f}")
        snapshots = run.snapshots if run else []
        self._curve.set(**look, data=([s.step for s in snapshots], [s.loss for s in snapshots]))
        for layer, bar in enumerate(self._bars):
            bar.set_height(numbers.saturated[layer] if layer < numbers.recipe.depth else 0)
            bar.set(color=look["color"], alpha=1 if layer == numbers.layer else 0.4)

    def scene(self, state):
        """Return what titles and the map's size depend on."""
        recipe, run = self._network(state)
        shown = self._probe.batch[1] if run is None else run.snapshots[0].outputs["output"]
        layer = min(state["layer"], recipe.depth - 1)
        return _into(recipe, layer), recipe.hidden, len(shown)

    def set_scene(self, numbers):
        """Say which layer is shown, and give the map its size."""
        examples, units = numbers.x.shape
        rows = min(ROWS, examples)
        self._axes["into"].set_title(f"into the tanh: {_into(numbers.recipe, numbers.layer)}")
        self._axes["out"].set_title(f"out of it: tanh.{numbers.layer}")
        self._map.set_extent((-0.5, units - 0.5, rows - 0.5, -0.5))
        self._axes["map"].set(title="coloured: saturated", ylabel=f"{rows} of {examples} examples")

    def arrange(self, state):
        """Disable what says nothing about what is shown."""
        recipe, run = self._network(state)
        for name in ("hidden_gain", "output_gain", "norm", "depth"):
            self.controls[name].disabled = run is not None
        if self._runs:
            self.controls["step"].disabled = run is None
        self.controls["layer"].disabled = recipe.depth == 1

    def describe(self, numbers: Numbers) -> str:
        """Say what is shown, and the figures to look at."""
        recipe, layer, units = numbers.recipe, numbers.layer, numbers.x.shape[1]
        with np.errstate(all="ignore"):  # of a run that diverged
            spread = numbers.x.std(ddof=1)
        dead = (np.abs(numbers.activations) > SATURATED).all(axis=0).sum()
        by_layer = ", ".join(f"{share:.0%}" for share in numbers.saturated)
        by_layer = f" (by layer: {by_layer})" if recipe.depth > 1 else ""
        return (
            f"{self._missing(numbers)}{self._name(numbers)}, layer {layer} of depth "
            f"{recipe.depth}: the spread of {_into(recipe, layer)} is {spread:.2f}, "
            f"{numbers.saturated[layer]:.1%} of the activations are saturated{by_layer}, {dead} of "
            f"{units} units are dead. The loss is {numbers.loss:.2f} nats, uniform "
            f"{self.uniform:.2f}."
        )

    def _name(self, numbers):
        recipe, source = numbers.recipe, numbers.state.get("source", DRAWN)
        name = f"{label_of(recipe.norm)}, hidden gain {recipe.hidden_gain:.3g}"
        name += f", output gain {recipe.output_gain:.3g}"
        if source == DRAWN:
            return name.capitalize()
        return f'Run "{source}" at step {numbers.step:,} ({name})'

    def _missing(self, numbers):
        state, notes = numbers.state, ""
        if state["layer"] != numbers.layer:
            notes += f"There is no layer {state['layer']} at depth {numbers.recipe.depth}. "
        if state.get("source", DRAWN) != DRAWN and state["step"] != numbers.step:
            notes += f"Nothing was recorded at step {state['step']:,}. "
        return notes

    def key_numbers(self, numbers: Numbers) -> dict:
        """Return the share of saturated activations, the loss, and the gains rounded."""
        return {
            "hidden_gain": f"{numbers.state['hidden_gain']:.4g}",
            "output_gain": f"{numbers.state['output_gain']:.4g}",
            "saturated": f"{numbers.saturated[numbers.layer]:.1%}",
            "loss": f"{numbers.loss:.4f}",
        }


class _Histogram:
    """A histogram that moves, with the shares at both ends and of a bin that is cut off."""

    def __init__(self, ax, limits, bins, *, highest, edge):
        self._limits, self._bins, self._edge = limits, bins, edge
        drawn = plots.plot_histograms({"plain": np.zeros(1)}, limits=limits, bins=bins, ax=ax)
        ax.set_ylim(0, highest)
        _corner(ax, 0.04, "left").set_text(f"below \N{MINUS SIGN}{edge}")
        _corner(ax, 0.96, "right").set_text(f"above {edge}")
        self._low, self._high = _corner(ax, 0.04, "left", 0.91), _corner(ax, 0.96, "right", 0.91)
        inner = [(1, bins - 1)]  # the ends have their text anyway
        self._steps = CutSteps(drawn.steps["plain"], inner, y=0.8, margin=0.15)
        self.artists = [*self._steps.artists, self._low, self._high]

    def show(self, values, look):
        shares, _ = plots.bin_shares(values, limits=self._limits, bins=self._bins)
        self._steps.show(shares, look)
        self._low.set_text(f"{(values < -self._edge).mean():.1%}")
        self._high.set_text(f"{(values > self._edge).mean():.1%}")


def _corner(ax, x, align, y=0.97):
    """Put a text near the upper edge of a panel."""
    return ax.text(x, y, "", ha=align, va="top", fontsize="small", transform=ax.transAxes)


def _into(recipe, layer):
    """Name the layer whose output goes into a tanh."""
    normed = recipe.norm and recipe.placement == "before"
    return f"norm.{layer}" if normed else f"hidden.{layer}"


def _check_runs(runs, symbols):
    """Raise an error that says so where runs are not what the explorer needs."""
    expect_kind("runs", runs, (dict, type(None)))
    for label, run in (runs or {}).items():
        if not isinstance(label, str) or label == DRAWN:
            raise ValueError(f"runs: expected labels that are text, not {DRAWN!r}, got {label!r}")
        check_symbols(f"runs[{label!r}]", run, symbols)
        if not run.snapshots:
            raise ValueError(
                f"runs[{label!r}]: expected a run with snapshots, trained with "
                f"record=bn.Record(snapshots=...), got {run!r}"
            )
