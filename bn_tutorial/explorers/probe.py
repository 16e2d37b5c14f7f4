"""Networks as drawn, and the batch that explorers send through them."""

import math
from dataclasses import replace

import torch

from bn_tutorial._expect import expect_kind
from bn_tutorial.data import Dataset
from bn_tutorial.network import Network, Pass, draw_parameters
from bn_tutorial.recipe import Recipe
from bn_tutorial.run import Record

NORMS = {"plain": None, "batch norm": "batch", "layer norm": "layer"}


def label_of(norm):
    """Return the label of a recipe's norm."""
    return next(label for label, its in NORMS.items() if its == norm)


class Probe:
    """Training examples at equal distances, as in a run's snapshots.

    Parameters
    ----------
    dataset : Dataset
    recipe : Recipe or None
        What all networks have in common. They compute in float64, so that figures hold on any
        machine.
    examples : int

    Attributes
    ----------
    batch : (Tensor (B, T), Tensor (B,))
        Contexts and targets.
    symbols : int
    uniform : float
        Loss of uniform guessing, in nats.

    Raises
    ------
    TypeError, ValueError
        If dataset or recipe are something else, or there are no two examples.
    """

    def __init__(self, dataset, recipe, examples):
        expect_kind("dataset", dataset, Dataset)
        expect_kind("recipe", recipe, (Recipe, type(None)))
        train = dataset.train
        examples = min(Record(probe=examples).probe, len(train))
        if examples < 2:
            raise ValueError(f"dataset: expected at least 2 training examples, got {examples}")
        places = torch.linspace(0, len(train) - 1, examples).long()
        self.batch = train.contexts[places], train.targets[places]
        self.symbols, self._block_size = len(dataset.vocabulary), dataset.block_size
        self.uniform = math.log(self.symbols)
        self._recipe = replace(recipe or Recipe(), dtype=torch.float64)

    def recipe(self, state) -> Recipe:
        """Return the recipe of a state: fields of the recipe, and of the norm its label."""
        names = {"hidden_gain", "output_gain", "depth"} & set(state)
        fields = {name: state[name] for name in names}
        return replace(self._recipe, norm=NORMS[state["norm"]], **fields)

    def send(self, recipe) -> Pass:
        """Draw a network, and send the batch forward and the gradient of its loss back."""
        generator = torch.Generator().manual_seed(recipe.seed)
        drawn = draw_parameters(recipe, self.symbols, self._block_size, generator)
        network = Network(recipe, drawn)
        return network.there_and_back(*network.check(*self.batch))
