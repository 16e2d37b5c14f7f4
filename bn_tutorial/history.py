"""What is kept of a training run: its losses, statistics, snapshots and final parameters."""

from dataclasses import dataclass
from operator import index

import numpy as np
import torch
from torch import Tensor

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
        try:
            object.__setattr__(self, "snapshots", tuple(index(step) for step in self.snapshots))
        except TypeError:
            raise ValueError(f"snapshots: expected steps, got {self.snapshots!r}") from None
        if not isinstance(self.probe, int) or self.probe < 2:
            raise ValueError(f"probe: expected at least 2 examples, got {self.probe!r}")


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
    diverged_at: int | None

    def __repr__(self):
        text = f"Run({len(self.loss)} of {self.recipe.steps} steps"
        if len(self.loss):
            text += f", loss {self.loss[0]:.4f} -> {self.loss[-1]:.4f}"
        return text + ("" if self.diverged_at is None else ", diverged") + ")"


class History:
    """Collects what runs side by side leave behind, and cuts it into Runs.

    Parameters
    ----------
    recipes : list of Recipe
        Those of the runs, alike in structure.
    record : Record
    probe : tuple of integer ndarrays (probe, T) and (probe,)
        Contexts and targets of the probe batch.

    Attributes
    ----------
    numbers : list of int
        Places in ``recipes`` of the runs that go on.
    loss : ndarray (steps, R)
        Of all runs, whether they go on or not. A column means nothing after its first value that
        is not finite.
    """

    def __init__(self, recipes, record, probe):
        recipe, self._record, self._probe = recipes[0], record, probe
        self.recipes, self.numbers = recipes, list(range(len(recipes)))
        self._columns = slice(None)  # of the numbers, in the loss
        dtype = torch.empty(0, dtype=recipe.dtype).numpy().dtype
        self.loss = np.full((recipe.steps, len(recipes)), np.nan, dtype)
        norms = recipe.depth if record.statistics and recipe.norm == "batch" else 0
        shape = recipe.steps, len(recipes), 1, recipe.hidden
        self.mean = [np.empty(shape, dtype) for _ in range(norms)]
        self.std = [np.empty(shape, dtype) for _ in range(norms)]
        self._snapshot_at = frozenset(record.snapshots)
        self._snapshots = [[] for _ in recipes]

    def before(self, step, model):
        """Take the snapshots of a step, if it is one of theirs."""
        if step in self._snapshot_at:
            for kept, snapshot in zip(
                self._snapshots, take_snapshots(model, *self._probe, step), strict=True
            ):
                kept.append(snapshot)

    def after(self, step, loss, norms):
        """Keep the losses and statistics of a step."""
        self.loss[step][self._columns] = loss
        for mean, std, norm in zip(self.mean, self.std, norms, strict=False):
            mean[step], std[step] = norm.mean, norm.std

    def run(self, r, steps, model):
        """Cut out the ``r``-th of the runs that go on, which has done so many steps.

        Returns
        -------
        Run
        """
        number = self.numbers[r]
        loss = self.loss[:steps, number]
        (bad,) = np.nonzero(~np.isfinite(loss))
        diverged_at = int(bad[0]) if bad.size else None
        end = steps if diverged_at is None else diverged_at + 1
        mean, std = (
            [torch.from_numpy(kept[:end, r, 0].copy()) for kept in layers] or None
            for layers in (self.mean, self.std)
        )
        return Run(
            recipe=self.recipes[number],
            loss=torch.from_numpy(loss[:end].copy()),
            parameters=model.tensors(r),
            batch_mean=mean,
            batch_std=std,
            snapshots=[s for s in self._snapshots[r] if s.step < end],
            diverged_at=diverged_at,
        )

    def select(self, keep):
        """Go on with some of the runs that do so now: a list of their places among them."""
        self.numbers = [self.numbers[r] for r in keep]
        self._columns = np.array(self.numbers, dtype=int)
        self._snapshots = [self._snapshots[r] for r in keep]
        self.mean = [mean[:, keep] for mean in self.mean]
        self.std = [std[:, keep] for std in self.std]


def take_snapshots(model, contexts, targets, step):
    """Send one batch through the networks of a model, forward and backward.

    Parameters
    ----------
    model : Model
    contexts, targets : integer ndarrays (B, T) and (B,)
    step : int
        Noted in the snapshots.

    Returns
    -------
    list of Snapshot
        One a run.
    """
    runs = len(model.data)
    x, targets = model.places(
        np.broadcast_to(contexts, (runs, *contexts.shape)),
        np.broadcast_to(targets, (runs, *targets.shape)),
    )
    outputs, output_gradients = {}, {}
    for name, layer in model.layers.items():
        x = layer.forward(x)
        outputs[name] = torch.from_numpy(x.copy())
    loss = model.loss.forward(x, targets)
    dy = model.loss.backward()
    for name, layer in reversed(model.layers.items()):
        output_gradients[name] = torch.from_numpy(dy.copy())
        dy = layer.backward(dy)
    return [
        Snapshot(
            step=step,
            loss=float(loss[r]),
            outputs={name: y[r].clone() for name, y in outputs.items()},
            output_gradients={name: dy[r].clone() for name, dy in output_gradients.items()},
            parameters=model.tensors(r),
            gradients=model.tensors(r, model.grad),
        )
        for r in range(runs)
    ]
