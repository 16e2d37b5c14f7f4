"""Words drawn from a trained network, one symbol after the other."""

import torch

from bn_tutorial.data import Vocabulary
from bn_tutorial.evaluation import logits
from bn_tutorial.statistics import Statistics
from bn_tutorial.training import Run

LONGEST = 30  # symbols; a network that never ends a word is cut off here


def sample_words(
    run: Run,
    vocabulary: Vocabulary,
    statistics: Statistics | None = None,
    *,
    n: int = 20,
    seed: int = 23,
) -> list[str]:
    """Draw words: each symbol from the distribution that the network gives after the T before it.

    Parameters
    ----------
    run : Run
    vocabulary : Vocabulary
        The one that the network was trained with.
    statistics : Statistics, optional
        Required where the network has BatchNorm, and only there.
    n : int
        How many words.
    seed : int
        Of the generator that draws the symbols.

    Returns
    -------
    list of str
        Words end where the network draws the end symbol, at the latest after 30 symbols.

    Raises
    ------
    ValueError
        If the statistics are missing or don't fit the network, or the vocabulary doesn't.

    Examples
    --------
    >>> import bn_tutorial as bn
    >>> dataset = bn.Dataset.from_words(bn.load_words())
    >>> run = bn.train(dataset, bn.Recipe(norm=None, steps=200))
    >>> len(sample_words(run, dataset.vocabulary, n=3))
    3
    """
    symbols, dim = run.parameters["embedding"].shape
    if symbols != len(vocabulary):
        raise ValueError(
            f"vocabulary: expected the {symbols} symbols that the network was trained with, "
            f"got {len(vocabulary)}"
        )
    if not isinstance(n, int) or n < 0:
        raise ValueError(f"n: expected a number of words, got {n!r}")
    block_size = run.parameters["hidden.0.weight"].shape[0] // dim
    generator = torch.Generator().manual_seed(seed)
    end = symbols - 1
    drawn = torch.full((n, block_size), end)  # (n, T), grows by one symbol a turn
    for _ in range(LONGEST):
        probabilities = logits(run, drawn[:, -block_size:], statistics).softmax(dim=1)
        following = torch.multinomial(probabilities, 1, generator=generator)  # (n, 1)
        drawn = torch.cat([drawn, following], dim=1)
    return [
        vocabulary.decode(row).split(vocabulary.symbols[end])[0]
        for row in drawn[:, block_size:].tolist()
    ]
