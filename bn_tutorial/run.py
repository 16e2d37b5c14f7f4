"""What is kept of a training: Record says how much, Run and its Snapshots have it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bn_tutorial._expect import expect_integer, expect_kind
from bn_tutorial.network import NUMPY, Network, copied
from bn_tutorial.recipe import Recipe


@dataclass(frozen=True)
class Record:
    """What a run keeps beside its losses.

    Parameters
    ----------
    statistics : bool
        Every batch's mean and standard deviation, for each BatchNorm: ``2 * steps * H`` numbers,
        40 MB for the seed recipe.
    snapshots : iterable of int
        Steps at which a fixed probe batch goes through the network, forward and backward, before
        that step's update. A Snapshot holds two arrays (probe, H) for every Linear, norm and tanh,
        two (probe, V) for the logits, and all parameters and gradients: 0.7 MB for the seed recipe.
    probe : int
        Examples in the probe batch, taken at equal distances from the training split.

    Examples
    --------
    >>> Record(snapshots=range(0, 300, 100)).snapshots
    (0, 100, 200)
    """

    statistics: bool = False
    snapshots: tuple[int, ...] = ()
    probe: int = 256

    def __post_init__(self):
        expect_kind("statistics", self.statistics, bool)
        expect_kind("snapshots", self.snapshots, Iterable)
        steps = tuple(expect_integer("snapshots", step, 0) for step in self.snapshots)
        object.__setattr__(self, "snapshots", steps)
        object.__setattr__(self, "probe", expect_integer("probe", self.probe, 2, why=" examples"))


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A batch on its way through a network, and the gradients on their way back.

    Attributes
    ----------
    step : int
        Updates that the network had seen.
    loss : float
        Of the batch, in nats.
    outputs : dict of str to Tensor (B, ...)
        What each layer gave: ``"hidden.0"`` (the pre-activations), ``"norm.0"``, ``"tanh.0"``
        (the activations), ..., ``"output"`` (the logits).
    output_gradients : dict of str to Tensor (B, ...)
        Gradient of the loss with respect to each of these.
    parameters, gradients : dict of str to Tensor
        The parameters, and the gradient of the loss with respect to them.
    """

    step: int
    loss: float
    outputs: dict[str, Tensor]
    output_gradients: dict[str, Tensor]
    parameters: dict[str, Tensor]
    gradients: dict[str, Tensor]

    def __repr__(self):
        return f"Snapshot(step {self.step}, loss {self.loss:.4f})"


@dataclass(frozen=True, eq=False)
class Run:
    """A training run: its recipe and what came of it. All tensors are detached, on the CPU.

    Attributes
    ----------
    recipe : Recipe
    loss : Tensor (steps,)
        Of each step's batch before its update, in nats; shorter where the run ended early.
    parameters : dict of str to Tensor
        After the last step. Of a run that diverged they mean nothing.
    batch_mean, batch_std : list of Tensor (steps, H), or None
        Statistics of every batch, one Tensor a BatchNorm, where recorded. ``batch_std`` is the
        root of the variance with the recipe's correction, without eps.
    snapshots : list of Snapshot
    diverged_at : int or None
        The first step whose loss is not finite; ``loss`` ends with it.
    """

    recipe: Recipe
    loss: Tensor
    parameters: dict[str, Tensor]
    batch_mean: list[Tensor] | None
    batch_std: list[Tensor] | None
    snapshots: list[Snapshot]

    @property
    def diverged_at(self) -> int | None:
        last = len(self.loss) - 1
        return None if last < 0 or math.isfinite(self.loss[last]) else last

    def __repr__(self):
        text = f"Run({len(self.loss)} of {self.recipe.steps} steps"
        if len(self.loss):
            text += f", loss {self.loss[0]:.4f} -> {self.loss[-1]:.4f}"
        return text + ("" if self.diverged_at is None else ", diverged") + ")"


class History:
    """Collects what a run leaves behind."""

    def __init__(self, recipe, record, split):
        self.recipe, self.done, self.diverged, self.snapshots = recipe, 0, False, []
        self.statistics = record.statistics and recipe.norm == "batch"
        dtype, norms = NUMPY[recipe.dtype], recipe.depth if self.statistics else 0
        self.loss = np.empty(recipe.steps, dtype)
        self.mean, self.std = (
            [np.empty((recipe.steps, recipe.hidden), dtype) for _ in range(norms)] for _ in "ms"
        )
        self._snapshot_at = sorted(set(record.snapshots))
        probe = np.linspace(0, len(split) - 1, min(record.probe, len(split))).astype(int)
        self._probe = split.contexts.numpy()[probe], split.targets.numpy()[probe]

    def before(self, network):
        """Take the snapshot of a step, if it is one of theirs; return the steps until the next."""
        if self._snapshot_at[:1] == [self.done]:
            del self._snapshot_at[0]
            self.snapshots.append(take_snapshot(network, *self._probe, self.done))
        return (self._snapshot_at or [self.recipe.steps])[0] - self.done

    def after(self, loss, mean, std):
        """Keep the losses (S,) and statistics (L, S, H) of the next steps."""
        steps = slice(self.done, self.done + len(loss))
        self.loss[steps] = loss
        for i in range(len(mean)):
            self.mean[i][steps], self.std[i][steps] = mean[i], std[i]
        self.done, self.diverged = steps.stop, not np.isfinite(loss[-1])

    def run(self, network):
        """Return what there is as a Run."""
        arrays = (self.loss, *self.mean, *self.std)
        if self.done < len(self.loss):
            arrays = (array[: self.done].copy() for array in arrays)
        loss, *kept = map(torch.from_numpy, arrays)
        norms = len(self.mean)
        return Run(
            recipe=self.recipe,
            loss=loss,
            parameters=network.parameters(),
            batch_mean=kept[:norms] or None,
            batch_std=kept[norms:] or None,
            snapshots=self.snapshots,
        )


def take_snapshot(network: Network, contexts, targets, step: int) -> Snapshot:
    """Send a batch, ndarrays (B, T) and (B,), through a network, forward and backward."""
    there = network.there_and_back(contexts, targets)
    return Snapshot(
        step=step,
        loss=float(there.losses.mean()),
        outputs=copied(there.outputs),
        output_gradients=copied(there.output_gradients),
        parameters=network.parameters(),
        gradients=there.gradients,
    )
