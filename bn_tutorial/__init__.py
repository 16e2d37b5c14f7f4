"""A course on batch normalization that runs: the package behind the notebooks.

>>> import bn_tutorial as bn
>>> dataset = bn.Dataset.from_words(bn.load_words())
>>> run = bn.train(dataset, bn.Recipe(steps=1_000))
>>> stats = bn.calibrate(run, dataset.train)
>>> f"{bn.evaluate(run, dataset.val, stats):.1f}"
'2.8'
"""

from bn_tutorial.claim import about, claim
from bn_tutorial.data import Dataset, Split, Vocabulary, WordListError, load_words
from bn_tutorial.diagnostics import (
    dead_units,
    gradient_flow,
    probe,
    saturation,
    smooth,
    update_to_data,
)
from bn_tutorial.evaluation import evaluate, logits
from bn_tutorial.loss_ledger import ledger
from bn_tutorial.recipe import Recipe, StepDecay
from bn_tutorial.run import Record, Run, Snapshot
from bn_tutorial.sampling import sample_words
from bn_tutorial.statistics import Statistics, calibrate, running_statistics
from bn_tutorial.training import sweep, train

__all__ = [
    "Dataset",
    "Recipe",
    "Record",
    "Run",
    "Snapshot",
    "Split",
    "Statistics",
    "StepDecay",
    "Vocabulary",
    "WordListError",
    "about",
    "calibrate",
    "claim",
    "dead_units",
    "evaluate",
    "gradient_flow",
    "ledger",
    "load_words",
    "logits",
    "probe",
    "running_statistics",
    "sample_words",
    "saturation",
    "smooth",
    "sweep",
    "train",
    "update_to_data",
]
