"""What a deep network does to activations and gradients before any training, at any gain."""

import math
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import torch
from matplotlib.lines import Line2D

from bn_tutorial import plots
from bn_tutorial._expect import expect_kind
from bn_tutorial.data import Dataset
from bn_tutorial.diagnostics import SATURATED
from bn_tutorial.explorers.base import Explorer, choice, slider
from bn_tutorial.network import Network, draw_parameters
from bn_tutorial.recipe import Recipe
from bn_tutorial.training import Record

NORMS = {"plain": None, "batch norm": "batch", "layer norm": "layer"}
MARKERS = {"plain": "o", "batch norm": "s", "layer norm": "s"}
LECUN, KAIMING = 1 / 10, 5 / 3 / 10  # 1 and tanh's 5/3, over the root of a fan-in of 100
GAINS = (0.01, 0.0125, 0.016, 0.02, 0.025, 0.032, 0.04, 0.05, 0.063, 0.08, LECUN, 0.125, KAIMING)
GAINS += (0.2, 0.25, 0.32, 0.4, 0.5, 0.63, 0.8, 1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.3, 8.0)
GAINS += (10.0,)
DEPTHS = range(1, 11)
SPREADS = 1e-4, 2  # the axis of the activations' standard deviation
DECADES = -8, 4  # powers of ten: the axes of the gradients
ACTIVATION_BINS, GRADIENT_BINS = 41, 72  # zero stands in the middle of a bin
TOP = 0.2  # of the histograms


@dataclass(frozen=True, eq=False)
class Pass:
    """What one network did to the probe batch, there and back.

    Attributes
    ----------
    std, unit_std : ndarray (L,)
        Standard deviation of each layer's activations over examples and units; and over the
        examples alone, as root mean square over the units.
    saturated : ndarray (L,)
        Share of each layer's activations.
    gradient : ndarray (L,)
        Standard deviation of the loss's gradient with respect to the activations.
    activations, gradients : ndarray (bins,)
        Histograms of one layer: shares of its activations, and of the gradients by their size.
    loss : float
        In nats.
    """

    std: np.ndarray
    unit_std: np.ndarray
    saturated: np.ndarray
    gradient: np.ndarray
    activations: np.ndarray
    gradients: np.ndarray
    loss: float


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the picture shows: the present network, and the plain one (or None if it is that)."""

    state: dict
    layer: int
    shown: Pass
    plain: Pass | None


class DepthExplorer(Explorer):
    """Move the hidden gain of a deep network, and see what its layers make of a batch.

    Each move draws the parameters from the same seed, sends one batch forward and the gradient of
    its loss back: training examples at equal distances, as in a run's snapshots. Nothing is
    trained. A norm stands beside the plain network with the same draws. One gain multiplies all
    hidden weights and biases, though the first layer's fan-in is 6 and the others' 100.

    Layers count from 1, so the activations of layer 1 are ``"tanh.0"`` of a snapshot, and the
    gradient is that of the loss with respect to them. A click on an upper panel chooses a layer.

    Parameters
    ----------
    dataset : Dataset
        The batch is of ``dataset.train``.
    recipe : Recipe, optional
        What the draws have beside hidden gain, depth and norm: seed, hidden units, output gain,
        placement of the norm, ... All is computed in float64, so that the figures hold on any
        machine; but for a deep plain network at gains of 1 and more, where the last bit of what
        is drawn, which CPUs differ in, already changes them.
    probe : int
        Examples in the batch, as for ``Record``.
    state : dict, optional
        Of ``hidden_gain`` (one of ``GAINS``), ``depth`` and ``layer`` (1 to 10) and ``norm`` (one
        of ``NORMS``). A layer that the network doesn't have leads to its last one.

    Raises
    ------
    TypeError, ValueError
        If there are no two examples to probe.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        recipe: Recipe | None = None,
        probe: int = Record.probe,
        state: dict | None = None,
    ):
        expect_kind("dataset", dataset, Dataset)
        expect_kind("recipe", recipe, (Recipe, type(None)))
        probe = min(Record(probe=probe).probe, len(dataset.train))
        if probe < 2:
            raise ValueError(f"dataset: expected at least 2 training examples, got {probe}")
        places = torch.linspace(0, len(dataset.train) - 1, probe).long()
        recipe = replace(recipe or Recipe(), dtype=torch.float64)
        self._sources = {
            label: _Source(replace(recipe, norm=norm), dataset, places)
            for label, norm in NORMS.items()
        }
        self.uniform = math.log(len(dataset.vocabulary))
        controls = {
            "hidden_gain": slider("hidden gain", GAINS, 1.0, "{:.3g}"),
            "depth": slider("depth", DEPTHS, 5, "{}"),
            "norm": choice("norm", {norm: norm for norm in NORMS}),
            "layer": slider("layer shown", DEPTHS, 1, "{}"),
        }
        controls["norm"].value = "batch norm"
        presets = {
            "LeCun: 0.1": {"hidden_gain": LECUN},
            "Kaiming: 5/3/10": {"hidden_gain": KAIMING},
            "drawn with std 1": {"hidden_gain": 1.0},
            "vanishing: 0.02": {"hidden_gain": 0.02},
            "ten layers": {"depth": 10},
        }
        super().__init__(
            controls, flip="hidden_gain", presets=presets, state=state, size=(9.6, 4.2)
        )

    def compute(self, state: dict) -> Numbers:
        """Send the batch through the present network and the plain one, and back: Numbers."""
        layer, norm = min(state["layer"], state["depth"]), state["norm"]
        return Numbers(
            state=state,
            layer=layer,
            shown=self._pass(state, layer, norm),
            plain=None if norm == "plain" else self._pass(state, layer, "plain"),
        )

    def _pass(self, state, layer, label):
        gain, depth = state["hidden_gain"], state["depth"]
        with np.errstate(all="ignore"):  # of what is inf
            return _summarize(*self._sources[label].there_and_back(gain, depth), layer)

    def build(self, figure, numbers):
        """Draw three profiles over two histograms; the data move in all of them."""
        upper, lower = ("std", "saturated", "gradient"), ("activations", "gradients")
        axes = figure.subplot_mosaic([np.repeat(upper, 2).tolist(), np.repeat(lower, 3).tolist()])
        ends = tuple(10.0**power for power in DECADES)
        limits = dict(zip(upper, (SPREADS, (-0.03, 1.03), ends), strict=True))
        self._profiles = {name: _Profile(axes[name], limits[name]) for name in upper}
        self._unit = _Profile(axes["std"], SPREADS, markersize=0, linewidth=1)
        self._histograms = {
            "activations": _Histogram(axes["activations"], (-1, 1), ACTIVATION_BINS),
            "gradients": _Histogram(axes["gradients"], DECADES, GRADIENT_BINS),
        }
        axes["std"].set(title="std of the activations", yscale="log")
        axes["std"].set_yticks([1e-4, 0.01, 1], ["0.0001", "0.01", "1"])
        axes["saturated"].set(title=f"saturated: beyond \N{PLUS-MINUS SIGN}{SATURATED}")
        axes["gradient"].set(title="std of the gradient", yscale="log")
        axes["gradient"].set_yticks([10.0**power for power in range(*DECADES, 4)] + [ends[1]])
        for name in upper:
            axes[name].minorticks_off()
            axes[name].grid(axis="y", alpha=0.3)
        axes["activations"].set(title="activations of the layer shown", xlabel="activation")
        powers = range(DECADES[0], DECADES[1] + 1, 2)
        axes["gradients"].set_xticks(powers, [f"$10^{{{power}}}$" for power in powers])
        axes["gradients"].set(
            title="gradient at the layer shown",
            xlabel="size (log scale; what is beyond counts at the ends)",
            ylabel="",
        )
        figure.legend(handles=_handles(), loc="outside upper center", ncols=6, frameon=False)
        self._chosen = [axes[name].axvline(1, color="black", linewidth=0.8) for name in upper]
        panels = self._unit, *self._profiles.values(), *self._histograms.values()
        return [*self._chosen, *chain(*(panel.artists for panel in panels))]

    def update(self, numbers):
        """Move the profiles and the histograms."""
        norm, shown, plain = numbers.state["norm"], numbers.shown, numbers.plain
        for panels in (self._profiles, {"unit_std": self._unit}, self._histograms):
            for name, panel in panels.items():
                panel.show(norm, getattr(shown, name), getattr(plain, name, None))
        for line in self._chosen:
            line.set_xdata([numbers.layer] * 2)

    def arrange(self, state):
        """Disable the choice of a layer where there is one."""
        self.controls["layer"].disabled = state["depth"] == 1

    def clicked(self, x, y):
        """Choose the layer next to a click on a profile."""
        for profile in self._profiles.values():
            if profile.ax.bbox.contains(x, y):
                layer, _ = profile.ax.transData.inverted().transform((x, y))
                self.state = {"layer": int(np.clip(round(layer), 1, self.state["depth"]))}

    def describe(self, numbers: Numbers) -> str:
        """Say how large the gradients are, and what becomes of the activations."""
        state, layer = numbers.state, numbers.layer
        missing = f"There is no layer {state['layer']}. " if layer != state["layer"] else ""
        told = _tell(state["norm"], numbers.shown, layer)
        if numbers.plain:
            told += f" {_tell('plain', numbers.plain, layer)}"
        return (
            f"{missing}Hidden gain {state['hidden_gain']:.3g}, depth {state['depth']}. {told} "
            f"Uniform guessing: loss {self.uniform:.2f} nats."
        )

    def key_numbers(self, numbers: Numbers) -> dict:
        """Give the first gradient over the last, the share of saturated activations, the loss."""
        its, state = numbers.shown, numbers.state
        return {
            "hidden_gain": f"{state['hidden_gain']:.4g}",
            "gradient_ratio": _short(_ratio(its)),
            "saturated": f"{its.saturated[numbers.layer - 1]:.1%}",
            "loss": f"{its.loss:.2f}",
        }


class _Source:
    """A network that takes on any gain and depth, and the batch that goes through it."""

    def __init__(self, recipe, dataset, places):
        sizes = len(dataset.vocabulary), dataset.block_size
        self._recipe, self._drawn = recipe, {}
        for depth in DEPTHS:  # the hidden layers are the same at any, the output is not
            generator = torch.Generator().manual_seed(recipe.seed)
            as_drawn = replace(recipe, depth=depth, hidden_gain=1.0, dtype=torch.float32)
            self._drawn[depth] = draw_parameters(as_drawn, *sizes, generator)
        self._batch = dataset.train.contexts[places], dataset.train.targets[places]

    def there_and_back(self, gain, depth):
        """Send the batch forward and the gradient of its loss back.

        Returns
        -------
        list of ndarray (B, H), list of ndarray (B, H), float
            Each layer's activations and their gradients; the loss.
        """
        parameters = {
            name: drawn * gain if name.startswith("hidden.") else drawn
            for name, drawn in self._drawn[depth].items()
        }
        network = Network(replace(self._recipe, depth=depth), parameters)
        there = network.there_and_back(*network.check(*self._batch))
        of_each = (
            [values[f"tanh.{i}"].numpy() for i in range(depth)]
            for values in (there.outputs, there.output_gradients)
        )
        return *of_each, float(there.losses.mean())


class _Profile:
    """A number of each layer, for the present network and the plain one."""

    def __init__(self, ax, limits, **look):
        self.ax, self._limits = ax, limits
        before = len(ax.lines)
        plots.plot_by_layer({"plain": [], "batch norm": []}, ax=ax)
        ax.get_legend().remove()
        ax.set(xlim=(0.5, len(DEPTHS) + 0.5), xticks=DEPTHS, ylim=limits)
        self._plain, self._shown = ax.lines[before:]
        for line in (self._plain, self._shown):
            line.set(**look)
        marks = {"color": "black", "linestyle": "none", "markersize": 5, "zorder": 4}
        (self._low,), (self._high,) = (ax.plot([], [], marker=m, **marks) for m in (7, 6))
        self.artists = [self._plain, self._shown, self._low, self._high]

    def show(self, norm, values, plain):
        """Values of the present network and of the plain one, (L,); what is off, at the edge."""
        low, high = self._limits
        layers, both = np.arange(1, len(values) + 1), [values, values if plain is None else plain]
        shown, plainly = np.clip(both, low, high)
        self._shown.set(**plots.LOOK[norm], marker=MARKERS[norm], data=(layers, shown))
        self._plain.set(visible=plain is not None, data=(layers, plainly))
        for mark, edge, off in (
            (self._low, low, np.less(both, low)),
            (self._high, high, np.greater(both, high)),
        ):
            there = layers[off.any(axis=0)]
            mark.set_data(there, np.full(len(there), edge))


class _Histogram:
    """A layer's histograms: of the present network, and as an outline of the plain one."""

    def __init__(self, ax, limits, bins):
        nothing = {"batch norm": np.full(1, np.nan), "plain": np.full(1, np.nan)}
        plots.plot_histograms(nothing, limits=limits, bins=bins, ax=ax)
        ax.get_legend().remove()
        ax.set_ylim(0, TOP)
        self._shown, self._plain = ax.patches
        self._plain.set(fill=False, alpha=1, linewidth=1.2)
        white = {"color": "white", "pad": 1}
        self._cuts = [  # a left, a middle and a right one for each network
            [_text(ax, 0.5, y, size="small", va="top", bbox=white) for _ in range(3)]
            for y in (0.97, 0.8)
        ]
        self.artists = [self._shown, self._plain, *chain(*self._cuts)]

    def show(self, norm, shares, plain):
        """Shares (bins,) of the present network and of the plain one, if it is another."""
        self._plain.set_visible(plain is not None)
        plain = np.zeros_like(shares) if plain is None else plain
        for steps, cuts, one, label in (
            (self._shown, self._cuts[0], shares, norm),
            (self._plain, self._cuts[1], plain, "plain"),
        ):
            look = plots.LOOK[label]
            steps.set(**look, facecolor=look["color"])
            steps.set_data(one)
            starts = np.linspace(0, len(one), len(cuts) + 1).astype(int)
            for cut, start, part in zip(cuts, starts, np.split(one, starts[1:-1]), strict=False):
                tallest = start + part.argmax()
                cut.set_text(f"▲ {one[tallest]:.0%}" if one[tallest] > TOP else "")
                cut.set(x=np.clip((tallest + 0.5) / len(one), 0.06, 0.94), color=look["color"])


def _text(ax, x, y, **look):
    return ax.text(x, y, "", transform=ax.transAxes, ha="center", **look)


def _handles():
    """Make the entries of the legend."""
    networks = [
        Line2D([], [], label=label, marker=MARKERS[label], **plots.LOOK[label]) for label in NORMS
    ]
    unit = Line2D([], [], color=plots.GREY, linewidth=1, label="std of one unit")
    look = {"color": "black", "linestyle": "none"}
    chosen = Line2D([], [], label="layer shown", marker="|", markersize=12, **look)
    off = Line2D([], [], label="off the axis", marker=7, **look)
    return [*networks, unit, chosen, off]


def _tell(label, its, layer):
    """Say what became of one network's gradient and activations."""
    first, depth = its.gradient[0], len(its.gradient)
    low, high = (10.0**power for power in DECADES)
    off = " (below the axis)" if first < low else " (above the axis)" if first > high else ""
    ratio = f", {_short(_ratio(its))} times that at layer {depth}" if depth > 1 else ""
    return (
        f"{label.capitalize()}: at layer 1 the gradient has std {_short(first)}{off}{ratio}; at "
        f"layer {layer} the activations have std {_short(its.std[layer - 1])}, one unit's "
        f"{_short(its.unit_std[layer - 1])}, {its.saturated[layer - 1]:.1%} are saturated; "
        f"loss {its.loss:.2f} nats."
    )


def _ratio(its):
    """Give the gradient at the first layer over the one at the last."""
    with np.errstate(all="ignore"):
        return its.gradient[0] / its.gradient[-1]


def _summarize(activations, gradients, loss, layer):
    """Activations and gradients by layer, (B, H), loss, the layer of the histograms -> Pass."""
    spread, sizes = activations[layer - 1], np.log10(np.abs(gradients[layer - 1]))
    return Pass(
        std=np.array([a.std(ddof=1) for a in activations]),
        unit_std=np.array([math.sqrt(a.var(axis=0, ddof=1).mean()) for a in activations]),
        saturated=np.array([(np.abs(a) > SATURATED).mean() for a in activations]),
        gradient=np.array([g.std(ddof=1) for g in gradients]),
        activations=plots.bin_shares(spread, limits=(-1, 1), bins=ACTIVATION_BINS)[0],
        gradients=plots.bin_shares(sizes, limits=DECADES, bins=GRADIENT_BINS)[0],
        loss=loss,
    )


def _short(number):
    """Write a number with two digits that count: 0.0021, 2.1e-09, 2.1, 21, 21,000."""
    if abs(number) >= 10 and np.isfinite(number):
        return f"{float(f'{number:.1e}'):,.0f}"
    return f"{number:.2g}"
