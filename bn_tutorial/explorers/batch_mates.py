"""How one example's prediction follows the examples that it shares a batch with."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from bn_tutorial._expect import expect_kind
from bn_tutorial.data import Dataset
from bn_tutorial.explorers._batch_mates_panels import PredictionPanel, UnitPanel
from bn_tutorial.explorers.controls import choice, slider
from bn_tutorial.explorers.examples import examples_of
from bn_tutorial.explorers.explorer import Explorer
from bn_tutorial.network import Network
from bn_tutorial.run import Run
from bn_tutorial.statistics import calibrate

BATCH_SIZES = (4, 8, 16, 64)
BATCHES = 50  # batches of mates to choose from
SHIFTS = [step / 4 for step in range(-12, 13)]  # in calibrated standard deviations
SHOWN = 8  # symbols whose probabilities are drawn, at most


@dataclass(frozen=True, eq=False)
class Reading:
    """What a batch makes of one unit, and what the network predicts for the example."""

    mean: float
    std: float  # with the recipe's correction, without eps
    x_hat: np.ndarray  # (B,)
    probabilities: np.ndarray  # (V,)


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the picture shows: one unit over the batch and a prediction, undragged and dragged."""

    state: dict
    dragged: int  # a place in the batch: the example's own is 0
    contexts: list[str]  # of the whole batch
    x: np.ndarray  # (B,), the unit's after the drag
    before: Reading
    after: Reading


class BatchMatesExplorer(Explorer):
    """Drag one example of a batch in one unit, and see all the others follow.

    The trained network reads an example together with others from the training split, and
    normalizes with the statistics of this batch, as in training. A drag changes the x of one of
    them in one unit, and by the unit's mean and standard deviation the x_hat of all. x stands
    where x_hat would with the calibrated statistics, so a line that is not vertical is the batch's
    doing.

    Beside it stand the probabilities of the next symbol: with these mates dragged and undragged,
    in all batches to choose from, and with the calibrated statistics. A click on a dot takes it to
    be dragged.

    Parameters
    ----------
    run : Run
        With one BatchNorm. It starts at the unit in which a drag changes the prediction most.
    dataset : Dataset
        The mates are drawn from ``dataset.train``, on which it calibrates too.
    examples : dict of str to str, optional
        Contexts, each with the symbol that came next. Without them those of ``examples_of``.
    state : dict, optional
        Of ``dragged`` (0 is the example itself, 1 its first mate; where the batch is too small,
        its last), ``shift`` (one of ``SHIFTS``: calibrated standard deviations of the unit),
        ``unit``, ``example`` (a context), ``batch_size`` (one of ``BATCH_SIZES``) and ``mates``
        (number of the batch, from 1 to ``BATCHES``).

    Raises
    ------
    TypeError, ValueError
        If the run has not one BatchNorm, before the tanh, or diverged, or the dataset or an example
        doesn't fit it.
    """

    def __init__(
        self,
        run: Run,
        dataset: Dataset,
        *,
        examples: Mapping[str, str] | None = None,
        state: dict | None = None,
    ):
        super().__init__()
        examples = examples_of(dataset) if examples is None else examples
        _check(run, dataset, examples)
        self._recipe, self._vocabulary = run.recipe, dataset.vocabulary
        self._parameters = {name: p.double().numpy() for name, p in run.parameters.items()}
        statistics = calibrate(run, dataset.train)
        self._mean, self._std = (s[0].double().numpy() for s in (statistics.mean, statistics.std))
        self._scale = np.sqrt(self._std**2 + run.recipe.eps)  # (H,)
        self._train, generator = dataset.train.contexts, torch.Generator().manual_seed(23)
        self._train_x = self._preactivations(self._train)  # (N, H)
        shape = BATCHES, max(BATCH_SIZES) - 1
        self._mates = torch.randint(len(self._train), shape, generator=generator).numpy()
        encode = self._vocabulary.encode
        self._targets = {c: encode(t).item() for c, t in examples.items()}
        self._example_x = {c: self._preactivations(encode(c)[None])[0] for c in examples}
        self.calibrated = {
            c: self._predict(x, self._mean, self._std) for c, x in self._example_x.items()
        }
        self.ranges = {(c, b): self._range(c, b) for c in examples for b in BATCH_SIZES}
        self._shown = {c: self._likeliest(c) for c in examples}
        far_left = {"dragged": 1, "shift": -3.0}
        presets = {
            "drag a mate far to the left": far_left | {"batch_size": 8},
            "the same in a batch of 64": far_left | {"batch_size": 64},
            "let go": {"shift": 0.0},
        }
        controls = self._make_controls()
        self.set_up(controls, flip="shift", presets=presets, state=state, size=(9, 3.9))

    def _make_controls(self):
        places = {"the example": 0} | {f"mate {i}": i for i in range(1, max(BATCH_SIZES))}
        examples = {f"{c} → {self._vocabulary.symbols[t]}": c for c, t in self._targets.items()}
        controls = {
            "dragged": choice("drag", places),
            "shift": slider("drag by (std)", SHIFTS, 0.0),
            "unit": slider("unit", range(len(self._mean)), 0, "{}"),
            "example": choice("example", examples),
            "batch_size": choice("batch size B", {str(b): b for b in BATCH_SIZES}),
            "mates": slider("batch of mates", range(1, BATCHES + 1), 1, "{}"),
        }
        controls["dragged"].value, controls["batch_size"].value = 1, 8
        state = {name: control.value for name, control in controls.items()}
        controls["unit"].value = self._liveliest(state)
        return controls

    def _liveliest(self, state):
        """Find the unit in which a drag changes the prediction most."""
        target = self._targets[state["example"]]

        def change(unit):
            drags = [self.compute(state | {"unit": unit, "shift": s}) for s in (-3.0, 3.0)]
            changes = [n.after.probabilities - n.before.probabilities for n in drags]
            return np.nan_to_num(np.abs(changes)[:, target].max())

        return max(range(len(self._mean)), key=change)

    def _likeliest(self, context):
        """Choose the symbols to show, the target among them, with the calibrated statistics."""
        p, target = self.calibrated[context], self._targets[context]
        others = [symbol for symbol in np.argsort(-p, kind="stable") if symbol != target]
        return sorted([target, *others[: SHOWN - 1]], key=lambda symbol: -p[symbol])

    # the network

    def _preactivations(self, contexts):
        """Contexts (N, T) -> x (N, H)."""
        p = self._parameters
        embedded = p["embedding"][contexts.numpy()].reshape(len(contexts), -1)
        return embedded @ p["hidden.0.weight"] + p.get("hidden.0.bias", 0.0)

    def _measure(self, x):
        """Batches (..., B, H) -> mean and std (..., H)."""
        return x.mean(axis=-2), x.std(axis=-2, ddof=self._recipe.correction)

    def _normalize(self, x, mean, std):
        # equal numbers and eps 0 give 0/0: the picture is as empty as the answer
        with np.errstate(divide="ignore", invalid="ignore"):
            return (x - mean) / np.sqrt(std**2 + self._recipe.eps)

    def _predict(self, x, mean, std):
        """Examples, mean and std (..., H) -> probabilities (..., V)."""
        p = self._parameters
        y = p["norm.0.weight"] * self._normalize(x, mean, std) + p["norm.0.bias"]
        logits = np.tanh(y) @ p["output.weight"] + p["output.bias"]
        e = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def _range(self, context, batch_size):
        """Return the smallest and the largest probabilities in all batches: ndarray (2, V)."""
        x = self._example_x[context]
        mates = self._train_x[self._mates[:, : batch_size - 1]]  # (BATCHES, B - 1, H)
        own = np.broadcast_to(x, (BATCHES, 1, len(x)))
        p = self._predict(x, *self._measure(np.concatenate([own, mates], axis=1)))
        return np.stack([np.fmin.reduce(p), np.fmax.reduce(p)])

    def _read(self, x, unit):
        """Read a batch (B, H), the example first: Reading."""
        mean, std = self._measure(x)
        return Reading(
            mean=mean[unit].item(),
            std=std[unit].item(),
            x_hat=self._normalize(x[:, unit], mean[unit], std[unit]),
            probabilities=self._predict(x[0], mean, std),
        )

    def compute(self, state: dict) -> Numbers:
        """Send the batch through the network, undragged and dragged: Numbers."""
        mates = self._mates[state["mates"] - 1, : state["batch_size"] - 1]
        x = np.vstack([self._example_x[state["example"]], self._train_x[mates]])  # (B, H)
        unit, dragged = state["unit"], min(state["dragged"], len(x) - 1)
        before = self._read(x, unit)
        x[dragged, unit] += state["shift"] * self._std[unit]
        contexts = [self._vocabulary.decode(context) for context in self._train[mates].tolist()]
        return Numbers(
            state=state,
            dragged=dragged,
            contexts=[state["example"], *contexts],
            x=x[:, unit],
            before=before,
            after=self._read(x, unit),
        )

    # the picture

    def build(self, figure, numbers):
        """Draw both panels. All of it moves but axes, rows and the calibrated mean and std."""
        left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.75, 1]})
        reach = np.abs((self._train_x - self._mean) / self._scale).max() + max(SHIFTS) + 0.2
        self._unit = UnitPanel(left, reach)
        self._prediction = PredictionPanel(right, min(SHOWN, len(self._vocabulary)), BATCHES)
        return [*self._unit.artists, *self._prediction.artists]

    def joins(self, numbers):
        """Return the two ends of each example's line in the left panel: ndarray (B, 2, 2)."""
        unit = numbers.state["unit"]
        z = (numbers.x - self._mean[unit]) / self._scale[unit]
        places = np.stack([z, numbers.after.x_hat], axis=1)  # (B, 2)
        return np.stack([places, np.broadcast_to([1.0, 0.0], places.shape)], axis=2)

    def update(self, numbers):
        """Move the dots, and give bars and marks their heights."""
        unit, context = numbers.state["unit"], numbers.state["example"]
        self._unit.show(numbers, self.joins(numbers), self._mean[unit], self._scale[unit])
        shown = self._shown[context]
        self._prediction.show(
            numbers.after.probabilities[shown],
            self.ranges[context, numbers.state["batch_size"]][:, shown],
            calibrated=self.calibrated[context][shown],
            undragged=numbers.before.probabilities[shown],
        )

    def scene(self, state):
        """Return what the still parts depend on: the example, whose likeliest symbols are shown."""
        return state["example"]

    def set_scene(self, numbers):
        """Name the symbols, with the one that really came next in bold."""
        context = numbers.state["example"]
        symbols, target = self._vocabulary.symbols, self._targets[context]
        self._prediction.name([symbols[k] for k in self._shown[context]], symbols[target], context)

    def arrange(self, state):
        """Take the last mate where the batch is too small for the one that was chosen."""
        self.controls["dragged"].value = min(state["dragged"], state["batch_size"] - 1)

    def clicked(self, x, y):
        """Take the example whose dot is nearest, to drag it from where it stands."""
        left = self._unit.ax
        if not left.bbox.contains(x, y):
            return
        dots = left.transData.transform(self.joins(self.numbers).reshape(-1, 2))  # (2 B, 2)
        nearest = int(np.hypot(*(dots - [x, y]).T).argmin()) // 2
        if nearest != self.numbers.dragged:
            self.state = {"dragged": nearest, "shift": 0.0}

    # in words

    def describe(self, numbers: Numbers) -> str:
        """Return what the batch, and a drag, do to the example and to its prediction."""
        context = numbers.state["example"]
        target = self._targets[context]
        before, after = (r.probabilities[target] for r in (numbers.before, numbers.after))
        undragged = f" ({before:.2f} undragged)" if numbers.state["shift"] else ""
        return (
            f"Unit {numbers.state['unit']} in a batch of {len(numbers.x)}. "
            f"{self._describe_unit(numbers)} "
            f"Probability of '{self._vocabulary.symbols[target]}' after '{context}': {after:.2f} "
            f"with these mates{undragged}, {self.calibrated[context][target]:.2f} calibrated."
        )

    def _describe_unit(self, numbers):
        before, after, shift = numbers.before, numbers.after, numbers.state["shift"]
        correction, context = self._recipe.correction, numbers.contexts[0]
        if not shift:
            calibrated = self.joins(numbers)[0, 0, 0]
            return (
                f"Mean {after.mean:.2f}, std {after.std:.2f} (correction {correction}). x_hat of "
                f"'{context}' is {after.x_hat[0]:.2f}; calibrated it would be {calibrated:.2f}."
            )
        who = f"mate {numbers.dragged}" if numbers.dragged else "the example"
        furthest = np.abs(np.delete(after.x_hat - before.x_hat, numbers.dragged)).max()
        return (
            f"Dragging {who}, '{numbers.contexts[numbers.dragged]}', by {shift:g} std moves the "
            f"mean from {before.mean:.2f} to {after.mean:.2f}, the std (correction {correction}) "
            f"from {before.std:.2f} to {after.std:.2f}, x_hat of '{context}' from "
            f"{before.x_hat[0]:.2f} to {after.x_hat[0]:.2f}, and those of the others by up to "
            f"{furthest:.2f}."
        )

    def key_numbers(self, numbers: Numbers) -> dict:
        """Return the unit's statistics, and the probability of the symbol that really came next."""
        context = numbers.state["example"]
        target = self._targets[context]
        return {
            "mean": f"{numbers.after.mean:.2f}",
            "std": f"{numbers.after.std:.2f}",
            "p": f"{numbers.after.probabilities[target]:.2f}",
            "calibrated": f"{self.calibrated[context][target]:.2f}",
        }


def _check(run, dataset, examples):
    """Raise an error that says so where these don't fit together."""
    expect_kind("run", run, Run)
    expect_kind("dataset", dataset, Dataset)
    expect_kind("examples", examples, Mapping)
    recipe, symbols = run.recipe, len(run.parameters["embedding"])
    structure = recipe.norm, recipe.placement, recipe.depth
    if structure != ("batch", "before", 1) or run.diverged_at is not None:
        raise ValueError(
            "run: expected one with one BatchNorm, before the tanh (depth=1, norm='batch', "
            f"placement='before'), that did not diverge, got {run!r} with depth={recipe.depth}, "
            f"norm={recipe.norm!r}, placement={recipe.placement!r}"
        )
    if len(dataset.vocabulary) != symbols:
        raise ValueError(
            f"dataset: expected the {symbols} symbols that the run was trained with, "
            f"got {len(dataset.vocabulary)}"
        )
    if not examples:
        raise ValueError("examples: expected at least one context with its next symbol, got none")
    network = Network(run.recipe, run.parameters)
    for context, target in examples.items():
        expect_kind("examples", context, str)
        expect_kind(f"examples[{context!r}]", target, str)
        network.check(dataset.vocabulary.encode(context)[None])
        if len(target) != 1:
            raise ValueError(f"examples[{context!r}]: expected one symbol, got {target!r}")
