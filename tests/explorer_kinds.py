"""One explorer of each kind, small: how it is made, and what it promises."""

import re
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

import bn_tutorial as bn
from bn_tutorial import explorers
from bn_tutorial.explorers import batch_mates, weight
from bn_tutorial.explorers import batch_size as batch_size_explorer
from bn_tutorial.explorers import calibration as calibration_explorer
from bn_tutorial.explorers.activation import DRAWN, FAN_IN_6, HIDDEN_GAINS, OUTPUT_GAINS
from bn_tutorial.explorers.depth import GAINS, KAIMING
from bn_tutorial.explorers.examples import EXAMPLES
from bn_tutorial.explorers.momentum import MOMENTA
from bn_tutorial.explorers.order import PERCENT
from bn_tutorial.explorers.spiral import LENGTHS, RATES, SHOWN

NORMS = ["plain", "batch norm", "layer norm"]
DEPTHS = [*range(1, 11)]
SMALL = {"hidden": 10, "steps": 200}


def numbers_in(text):
    """List the numbers of a text, in its order."""
    found = re.findall(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]\d+)?", text)
    return [float(number.replace(",", "")) for number in found]


@dataclass(frozen=True)
class Kind:
    """What one kind of explorer promises.

    Attributes
    ----------
    prepare : callable
        From a dataset to a function that makes one, of a state or None.
    values : dict
        What each control may be set to.
    start, presets : dict
        The state that it starts in, as far as it doesn't depend on a run; part of it by button.
    figures : callable
        Key numbers, by name, of an explorer.
    size : tuple
        Of the picture, in pixels.
    full : set
        The controls whose move may cost a full redraw.
    clickable : tuple
        Panels that take clicks.
    busy : dict
        A state in which all controls have a meaning.
    """

    prepare: Callable
    values: dict
    start: dict
    presets: dict
    figures: Callable
    size: tuple
    full: set = frozenset()
    clickable: tuple = ()
    busy: dict = field(default_factory=dict)


@contextmanager
def prepared(kind, dataset):
    """Yield a function that makes explorers of a kind, which draw less than the reader's do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration_explorer, "DRAWS", 4_096)
        patch.setattr(batch_size_explorer, "DRAWN", 300)
        yield kind.prepare(dataset)


def momentum(dataset):
    run = bn.train(dataset, bn.Recipe(**SMALL))
    return lambda state=None: explorers.MomentumExplorer(run, dataset, state=state)


def mates(dataset):
    run = bn.train(dataset, bn.Recipe(**SMALL))
    return lambda state=None: explorers.BatchMatesExplorer(run, dataset, state=state)


def calibration(dataset):
    run = bn.train(dataset, bn.Recipe(**SMALL))
    return lambda state=None: explorers.CalibrationExplorer(run, dataset, state=state)


def batch_size(dataset):
    grid = {"norm": ["batch", "layer", None], "seed": [5]}
    recipe = bn.Recipe(hidden=10, eps=1e-5, output_gain=0.1)
    runs = [
        run
        for n in (2, 64, 256)
        for run in bn.sweep(dataset, recipe, steps=[2_048 // n], batch_size=[n], **grid)
    ]
    return lambda state=None: explorers.BatchSizeExplorer(runs, dataset, state=state)


def depth(dataset):
    return lambda state=None: explorers.DepthExplorer(dataset, probe=64, state=state)


def activation(dataset):
    late, plain = bn.Record(snapshots=(5, 20), probe=40), bn.Record(snapshots=(0, 39))
    deep = bn.Recipe(depth=7, steps=21, batch_size=32, hidden=30, hidden_gain=5.0)
    runs = {
        "repaired": bn.train(dataset, bn.Recipe(norm=None, steps=40), record=plain),
        "deep": bn.train(dataset, deep, record=late),
    }
    return lambda state=None: explorers.ActivationExplorer(dataset, runs, state=state)


def learning_rate(dataset):
    grid = {"hidden_gain": [1.0, 5.0], "norm": [None, "batch"]}
    recipe = bn.Recipe(**SMALL)
    runs = bn.sweep(dataset, recipe, learning_rate=[0.01, 0.1, 1.0, 3e38], **grid)
    return lambda state=None: explorers.LearningRateExplorer(dataset, runs, state=state)


def the_map(dataset):
    losses = {"plain": np.arange(2.4, 3.8, 0.1)[:12], "batch norm": np.linspace(40, 2.5, 12)}
    losses = {label: values.reshape(3, 4) for label, values in losses.items()}
    rates, gains = [0.01, 0.1, 1, 10], [0.2, 1, 5]
    return lambda state=None: explorers.MapExplorer(rates, gains, losses, level=3.33, state=state)


def spiral(dataset):
    return lambda state=None: explorers.SpiralExplorer(state=state)


def order(dataset):
    run = bn.train(dataset, bn.Recipe(**SMALL))
    return lambda state=None: explorers.OrderExplorer(run, dataset, state=state)


def one_weight(dataset):
    run = bn.train(dataset, bn.Recipe(**SMALL))
    return lambda state=None: explorers.WeightExplorer(run, unit=3, state=state)


def mates_figures(explorer):
    symbol, after = explorer._targets[explorer.state["example"]], explorer.numbers.after
    return {
        "mean": after.mean,
        "std": after.std,
        "p": after.probabilities[symbol],
        "calibrated": explorer.calibrated[explorer.state["example"]][symbol],
    }


def depth_figures(explorer):
    its, layer = explorer.numbers.shown, explorer.numbers.layer
    ratio = its.gradient[0] / its.gradient[-1]
    return {"gradient_ratio": ratio, "saturated": its.saturated[layer - 1], "loss": its.loss}


def activation_figures(explorer):
    numbers = explorer.numbers
    return {"saturated": numbers.saturated[numbers.layer], "loss": numbers.loss}


def spiral_figures(explorer):
    numbers = explorer.numbers
    lengths, effective = numbers.lengths[numbers.shown], numbers.effective[numbers.shown]
    return {"grown_to": lengths, "effective_rate": effective, "turned": numbers.turned}


SEED = {"norm": "plain", "depth": 1, "layer": 0, "hidden_gain": 1.0, "output_gain": 1.0}
AS_DRAWN = {"source": DRAWN} | SEED
BY_HAND = AS_DRAWN | {"hidden_gain": FAN_IN_6, "output_gain": 0.01}

MOMENTUM_PRESETS = {
    "the seed recipe's 0.001": 0.001,
    "PyTorch's default 0.1": 0.1,
    "too slow: 1e-5": 1e-5,
    "last batch only: 1": 1.0,
}
KINDS = {
    "momentum": Kind(
        momentum,
        values={
            "momentum": MOMENTA,
            "unit": [*range(10)],
            "average": ["exponential", "cumulative"],
            "track": ["std", "variance"],
            "convention": ["PyTorch", "Keras"],
        },
        start={"momentum": 0.001, "unit": 0, "average": "exponential", "track": "std"}
        | {"convention": "PyTorch"},
        presets={
            name: {"momentum": momentum, "average": "exponential"}
            for name, momentum in MOMENTUM_PRESETS.items()
        },
        figures=lambda e: {"running": e.numbers.running, "calibrated": e.calibrated},
        size=(900, 500),
        full={"unit", "track"},
    ),
    "batch mates": Kind(
        mates,
        values={
            "dragged": [*range(64)],
            "shift": batch_mates.SHIFTS,
            "unit": [*range(10)],
            "example": [*EXAMPLES],
            "batch_size": [4, 8, 16, 64],
            "mates": [*range(1, 51)],
        },
        start={"dragged": 1, "shift": 0.0, "example": "inm", "batch_size": 8, "mates": 1},
        presets={
            "drag a mate far to the left": {"dragged": 1, "shift": -3.0, "batch_size": 8},
            "the same in a batch of 64": {"dragged": 1, "shift": -3.0, "batch_size": 64},
            "let go": {"shift": 0.0},
        },
        figures=mates_figures,
        size=(900, 390),
        full={"example"},
        clickable=(0,),
        busy={"shift": 3.0, "batch_size": 64},
    ),
    "calibration": Kind(
        calibration,
        values={
            "statistics": ["batch", "running", "calibrated"],
            "split": ["train", "val", "test"],
            "size": [2**k for k in range(1, 11)],
        },
        start={"statistics": "batch", "split": "val", "size": 8},
        presets={
            "pairs": {"statistics": "batch", "size": 2},
            "as in training: 64": {"statistics": "batch", "size": 64},
            "pairs, calibrated": {"statistics": "calibrated", "size": 2},
        },
        figures=lambda e: {
            "mean": e.numbers.now[0],
            "range": e.numbers.now[1:3],
            "calibrated": e.numbers.level,
        },
        size=(900, 380),
    ),
    "batch size": Kind(
        batch_size,
        values={
            "size": [2, 64, 256],
            "norm": ["batch norm", "layer norm", "plain"],
            "statistics": ["calibrated", "batch"],
            "split": ["train", "val"],
            "unit": [*range(10)],
            "measure": ["mean", "std"],
        },
        start={"size": 64, "norm": "batch norm", "statistics": "calibrated", "split": "train"}
        | {"unit": 0, "measure": "mean"},
        presets={"batches of 2": {"size": 2}, "the seed's 64": {"size": 64}, "256": {"size": 256}},
        figures=lambda e: {
            **{label.replace(" ", "_"): now.mean() for label, now in e.numbers.now.items()},
            "spread": e.numbers.spread[e.sizes.index(e.state["size"])],
        },
        size=(900, 480),
        full={"measure"},
        clickable=(1, 3),
    ),
    "depth": Kind(
        depth,
        values={"hidden_gain": GAINS, "depth": DEPTHS, "norm": NORMS, "layer": DEPTHS},
        start={"hidden_gain": 1.0, "depth": 5, "norm": "batch norm", "layer": 1},
        presets={
            "LeCun: 0.1": {"hidden_gain": 0.1},
            "Kaiming: 5/3/10": {"hidden_gain": KAIMING},
            "drawn with std 1": {"hidden_gain": 1.0},
            "vanishing: 0.02": {"hidden_gain": 0.02},
            "ten layers": {"depth": 10},
        },
        figures=depth_figures,
        size=(960, 420),
        clickable=(0, 1, 2),
        busy={"depth": 10},
    ),
    "activation": Kind(
        activation,
        values={
            "source": [DRAWN, "repaired", "deep"],
            "step": [0, 5, 20, 39],
            "hidden_gain": HIDDEN_GAINS,
            "output_gain": OUTPUT_GAINS,
            "norm": NORMS,
            "depth": [1, 2, 3, 4, 5, 6],
            "layer": [*range(7)],
        },
        start={"step": 0} | AS_DRAWN,
        presets={
            "drawn as in the seed recipe": AS_DRAWN,
            "repaired by hand": BY_HAND,
            "repaired by hand, but deep": BY_HAND | {"depth": 5, "layer": 4},
            "batch norm": AS_DRAWN | {"norm": "batch norm"},
            "batch norm, hidden gain 5": AS_DRAWN | {"norm": "batch norm", "hidden_gain": 5.0},
        },
        figures=activation_figures,
        size=(960, 370),
        full={"source", "norm", "layer"},
        busy={"depth": 6},
    ),
    "learning rate": Kind(
        learning_rate,
        values={"learning_rate": [0.01, 0.1, 1.0, 3e38], "hidden_gain": [1.0, 5.0]},
        start={"learning_rate": 0.1, "hidden_gain": 1.0},
        presets={
            name: {"learning_rate": float(name.rpartition(" ")[2])}
            for name in ("careful: 0.01", "the seed recipe's: 0.1", "bold: 1", "reckless: 3e+38")
        },
        figures=lambda e: {k.replace(" ", "_"): loss for k, loss in e.numbers.picked.items()},
        size=(900, 380),
        clickable=(1,),
    ),
    "map": Kind(
        the_map,
        values={"learning_rate": [0.01, 0.1, 1.0, 10.0], "hidden_gain": [0.2, 1.0, 5.0]},
        start={"learning_rate": 1.0, "hidden_gain": 1.0},
        presets={
            "best of plain": {"learning_rate": 0.01, "hidden_gain": 0.2},
            "best of batch norm": {"learning_rate": 10.0, "hidden_gain": 5.0},
        },
        figures=lambda e: {k.replace(" ", "_"): loss for k, loss in e.numbers.losses.items()},
        size=(970, 380),
        clickable=(0, 1),
    ),
    "spiral": Kind(
        spiral,
        values={"learning_rate": RATES, "steps": SHOWN, "length": LENGTHS},
        start={"learning_rate": 0.32, "steps": 200, "length": 1.0},
        presets={
            "one step too large": {"learning_rate": 2.56, "length": 0.25, "steps": 1},
            "and all after it": {"learning_rate": 2.56, "length": 0.25, "steps": 200},
            "too long to turn": {"learning_rate": 0.08, "length": 4.0, "steps": 200},
            "rate 0.16, length 1": {"learning_rate": 0.16, "length": 1.0, "steps": 200},
            "rate 0.64, length 2": {"learning_rate": 0.64, "length": 2.0, "steps": 200},
        },
        figures=spiral_figures,
        size=(900, 420),
        full={"learning_rate", "steps", "length"},  # each rate has limits of its own
        busy={"steps": 50},
    ),
    "order": Kind(
        order,
        values={"percent": PERCENT, "sorted_by": ["last symbol", "target"]},
        start={"percent": 0, "sorted_by": "last symbol"},
        presets={"shuffled": {"percent": 0}, "half": {"percent": 50}, "sorted": {"percent": 100}},
        figures=lambda e: {"own": e.numbers.mean, "calibrated": e.level},
        size=(960, 380),
    ),
    "weight": Kind(
        one_weight,
        values={"batch": [*range(1, 61)], "moved": weight.MOVES, "momentum": [*weight.MOMENTA]},
        start={"batch": 10, "moved": 0.0, "momentum": 0.1},
        presets={
            "an outlier": {"moved": 5.0, "momentum": 0.1},
            "the same at 0.01": {"moved": 5.0, "momentum": 0.01},
            "only the last counts": {"moved": 5.0, "momentum": 1.0},
        },
        figures=lambda e: {"weight": e.numbers.weights[-1], "running": e.numbers.running[-1]},
        size=(900, 440),
        clickable=(0,),
        busy={"moved": 5.0},
    ),
}
