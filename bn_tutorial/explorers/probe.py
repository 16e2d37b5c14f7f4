"""Networks as drawn, and the batch that explorers send through them."""

import math

import torch

from bn_tutorial.network import Network, draw_parameters
from bn_tutorial.run import Record

NORMS = {"plain": None, "batch norm": "batch", "layer norm": "layer"}


class Probe:
    """Training examples at equal distances, as in a run's snapshots.

    Parameters
    ----------
    dataset : Dataset
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
    ValueError
        If there are no two examples.
    """

    def __init__(self, dataset, examples):
        train = dataset.train
        examples = min(Record(probe=examples).probe, len(train))
        if examples < 2:
            raise ValueError(f"dataset: expected at least 2 training examples, got {examples}")
        places = torch.linspace(0, len(train) - 1, examples).long()
        self.batch = train.contexts[places], train.targets[places]
        self.symbols, self._block_size = len(dataset.vocabulary), dataset.block_size
        self.uniform = math.log(self.symbols)

    def draw(self, recipe):
        """Return a recipe's parameters, drawn from its seed: dict of str to Tensor."""
        generator = torch.Generator().manual_seed(recipe.seed)
        return draw_parameters(recipe, self.symbols, self._block_size, generator)

    def send(self, recipe, parameters):
        """Send the batch through a network, and the gradient of its loss back: Pass."""
        network = Network(recipe, parameters)
        return network.there_and_back(*network.check(*self.batch))
