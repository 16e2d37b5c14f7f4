"""Checks of a learner's code, which name the misconception where they know it.

>>> from bn_tutorial import checks
>>> checks.running_update(lambda running, batch, momentum: batch).bug
'overwritten_by_batch'

A check takes the learner's function or class and, as ``seed=``, where its inputs are drawn from,
and returns a ``Verdict``. Nothing else of the package is imported here: what is right is taken
from ``torch.nn`` and autograd, so that a check can't share a bug with ``bn_tutorial.layers``.
Whatever an answer raises becomes a part of the verdict; only the user's interrupt goes through.
"""

from bn_tutorial.checks import clinic
from bn_tutorial.checks.assignments import (
    batch_weights,
    bigram_loss,
    contexts,
    good_decades,
    leftover,
    momentum_for,
    uniform_loss,
)
from bn_tutorial.checks.bugs import BUGS, Bug, bugs_of, find_bug
from bn_tutorial.checks.folding import fold
from bn_tutorial.checks.functions import batch_norm_backward, batch_norm_forward
from bn_tutorial.checks.layer import batch_norm_layer
from bn_tutorial.checks.statistics import calibrate, running_update
from bn_tutorial.checks.verdict import Verdict

__all__ = [
    "BUGS",
    "Bug",
    "Verdict",
    "batch_norm_backward",
    "batch_norm_forward",
    "batch_norm_layer",
    "batch_weights",
    "bigram_loss",
    "bugs_of",
    "calibrate",
    "clinic",
    "contexts",
    "find_bug",
    "fold",
    "good_decades",
    "leftover",
    "momentum_for",
    "running_update",
    "uniform_loss",
]
