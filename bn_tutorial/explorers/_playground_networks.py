"""What the playground reads of its networks, while they train and at the end."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from bn_tutorial import plots
from bn_tutorial.diagnostics import SATURATED, probe, smooth, update_to_data
from bn_tutorial.evaluation import evaluate
from bn_tutorial.explorers.size_grid import read_in_batches
from bn_tutorial.sampling import sample_words
from bn_tutorial.statistics import calibrate, running_statistics

LIMITS = {"into": (-5, 5), "out": (-1, 1)}  # of the histograms
POINTS = 100  # of a smoothed curve
WORDS = 4
ADDED = 0.5  # to the counts of pairs, as notebook 01 finds best


@dataclass(frozen=True, eq=False)
class Network:
    """One network, as far as it has come. Of one that diverged there are the losses alone.

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
    words : tuple of str
    """

    steps: np.ndarray
    losses: np.ndarray
    done: int
    diverged: int | None
    into: np.ndarray | None = None
    out: np.ndarray | None = None
    saturated: float | None = None
    gradient: np.ndarray | None = None
    updates: np.ndarray | None = None
    train: float | None = None
    val: float | None = None
    words: tuple[str, ...] = ()


def look_into(dataset, probe_batch, state, run, *, complete):
    """Read a run, of a complete one the losses and words too.

    Parameters
    ----------
    dataset : Dataset
    probe_batch : Probe
    state : dict
        Of the playground.
    run : Run
    complete : bool

    Returns
    -------
    Network
    """
    window = max(1, run.recipe.steps // POINTS) if state["curve"] == "smoothed" else 1
    steps, losses = smooth(run.loss, window)
    more = {}
    if run.diverged_at is None:
        with np.errstate(all="ignore"):
            more |= _inside(probe_batch, state["layer"], run)
            more |= _ends(dataset, state, run) if complete else {}
    return Network(steps.numpy(), losses.numpy(), len(run.loss), run.diverged_at, **more)


def _inside(probe_batch, layer, run):
    """Send a batch through, forward and back."""
    snapshot, depth = probe(run, *probe_batch.batch), run.recipe.depth
    layer = min(layer, depth) - 1
    names = list(snapshot.outputs)
    out = snapshot.outputs[f"tanh.{layer}"]
    into = snapshot.outputs[names[names.index(f"tanh.{layer}") - 1]]
    gradients = [snapshot.output_gradients[f"tanh.{i}"] for i in range(depth)]
    updates = update_to_data(snapshot, run.recipe.learning_rate)
    return {
        "into": plots.bin_shares(into, limits=LIMITS["into"])[0],
        "out": plots.bin_shares(out, limits=LIMITS["out"])[0],
        "saturated": (out.abs() > SATURATED).float().mean().item(),
        "gradient": np.array([g.std().item() for g in gradients]),
        "updates": np.array([updates[f"hidden.{i}.weight"] for i in range(depth)]),
    }


def _ends(dataset, state, run):
    """Evaluate a trained network, and let it write."""
    train, val, vocabulary = dataset.train, dataset.val, dataset.vocabulary
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


def bigram_loss(dataset):
    """Count pairs in train, and return the loss of that table on val, in nats: float."""
    symbols = len(dataset.vocabulary)
    counts = torch.full((symbols, symbols), ADDED, dtype=torch.float64)
    before, after = dataset.train.contexts[:, -1], dataset.train.targets
    counts.index_put_((before, after), torch.ones(len(after)).double(), accumulate=True)
    table = counts / counts.sum(dim=1, keepdim=True)
    return -table[dataset.val.contexts[:, -1], dataset.val.targets].log().mean().item()
