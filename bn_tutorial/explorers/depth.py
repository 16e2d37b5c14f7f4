"""What a deep network does to activations and gradients before any training, at any gain."""

from dataclasses import dataclass

import numpy as np

from bn_tutorial import plots
from bn_tutorial.data import Dataset
from bn_tutorial.diagnostics import SATURATED
from bn_tutorial.explorers._depth_panels import DECADES, DEPTHS, DepthPanels
from bn_tutorial.explorers.controls import choice, slider
from bn_tutorial.explorers.explorer import Explorer
from bn_tutorial.explorers.probe import NORMS, Probe
from bn_tutorial.recipe import Recipe
from bn_tutorial.run import Record

LECUN, KAIMING = 1 / 10, 5 / 3 / 10  # 1 and tanh's 5/3, over the root of a fan-in of 100
GAINS = (0.01, 0.0125, 0.016, 0.02, 0.025, 0.032, 0.04, 0.05, 0.063, 0.08, LECUN, 0.125, KAIMING)
GAINS += (0.2, 0.25, 0.32, 0.4, 0.5, 0.63, 0.8, 1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.3, 8.0)
GAINS += (10.0,)
ACTIVATION_BINS, GRADIENT_BINS = 41, 72  # zero stands in the middle of a bin


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
        super().__init__()
        self._probe = Probe(dataset, recipe, probe)
        self.uniform = self._probe.uniform
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
        self.set_up(controls, flip="hidden_gain", presets=presets, state=state, size=(9.6, 4.2))

    def compute(self, state: dict) -> Numbers:
        """Send the batch through the present network and the plain one, and back: Numbers."""
        layer, norm = min(state["layer"], state["depth"]), state["norm"]
        return Numbers(
            state=state,
            layer=layer,
            shown=self._pass(state, layer),
            plain=None if norm == "plain" else self._pass(state | {"norm": "plain"}, layer),
        )

    def _pass(self, state, layer):
        """Draw the network of a state, and send the batch there and back: Pass."""
        there = self._probe.send(self._probe.recipe(state))
        names = [f"tanh.{i}" for i in range(state["depth"])]
        activations = [there.outputs[name].numpy() for name in names]
        gradients = [there.output_gradients[name].numpy() for name in names]
        with np.errstate(all="ignore"):  # of what is inf
            sizes = np.log10(np.abs(gradients[layer - 1]))
            return Pass(
                std=np.array([a.std(ddof=1) for a in activations]),
                unit_std=np.sqrt([a.var(axis=0, ddof=1).mean() for a in activations]),
                saturated=np.array([(np.abs(a) > SATURATED).mean() for a in activations]),
                gradient=np.array([g.std(ddof=1) for g in gradients]),
                activations=plots.bin_shares(
                    activations[layer - 1], limits=(-1, 1), bins=ACTIVATION_BINS
                )[0],
                gradients=plots.bin_shares(sizes, limits=DECADES, bins=GRADIENT_BINS)[0],
                loss=float(there.losses.mean()),
            )

    def build(self, figure, numbers):
        """Draw three profiles over two histograms; the data move in all of them."""
        self._panels = DepthPanels(figure, numbers.shown)
        return self._panels.artists

    def update(self, numbers):
        """Move the profiles and the histograms."""
        self._panels.show(numbers.state["norm"], numbers.layer, numbers.shown, numbers.plain)

    def arrange(self, state):
        """Disable the choice of a layer where there is one."""
        self.controls["layer"].disabled = state["depth"] == 1

    def clicked(self, x, y):
        """Choose the layer next to a click on a profile."""
        layer = self._panels.layer_at(x, y)
        if layer is not None:
            self.state = {"layer": min(layer, self.state["depth"])}

    def describe(self, numbers: Numbers) -> str:
        """Return how large the gradients are, and what becomes of the activations."""
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
        """Return the first gradient over the last, the share of saturated activations, the loss."""
        its, state = numbers.shown, numbers.state
        return {
            "hidden_gain": f"{state['hidden_gain']:.4g}",
            "gradient_ratio": _short(_ratio(its)),
            "saturated": f"{its.saturated[numbers.layer - 1]:.1%}",
            "loss": f"{its.loss:.2f}",
        }


def _tell(label, its, layer):
    """Return what became of one network's gradient and activations."""
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
    """Return the gradient at the first layer over the one at the last."""
    with np.errstate(all="ignore"):
        return its.gradient[0] / its.gradient[-1]


def _short(number):
    """Write a number with two digits that count: 0.0021, 2.1e-09, 2.1, 21, 21,000."""
    if abs(number) >= 10 and np.isfinite(number):
        return f"{float(f'{number:.1e}'):,.0f}"
    return f"{number:.2g}"
