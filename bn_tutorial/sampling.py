"""Words drawn from a trained network, one symbol after the other."""

import torch

from bn_tutorial._expect import expect_integer, expect_kind
from bn_tutorial.data import Vocabulary
from bn_tutorial.evaluation import logits
from bn_tutorial.run import Run
from bn_tutorial.statistics import Statistics

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
    TypeError, ValueError
        If the run diverged, or statistics are missing, or they or the vocabulary don't fit it.

    Examples
    --------
    >>> import bn_tutorial as bn
    >>> dataset = bn.Dataset.from_words(bn.load_words())
    >>> run = bn.train(dataset, bn.Recipe(norm=None, steps=200))
    >>> len(sample_words(run, dataset.vocabulary, n=3))
    3
    """
    expect_kind("run", run, Run)
    expect_kind("vocabulary", vocabulary, Vocabulary)
    symbols, dim = run.parameters["embedding"].shape
    if symbols != len(vocabulary):
        raise ValueError(
            f"vocabulary: expected the {symbols} symbols that the network was trained with, "
            f"got {len(vocabulary)}"
        )
    block_size = run.parameters["hidden.0.weight"].shape[0] // dim
    generator = torch.Generator().manual_seed(expect_integer("seed", seed, 0, 2**64 - 1))
    end = symbols - 1
    n = expect_integer("n", n, 0)
    drawn = torch.full((n, block_size), end)  # (n, T), grows by one symbol a turn
    for _ in range(LONGEST):
        probabilities = logits(run, drawn[:, -block_size:], statistics).softmax(dim=1)
        if run.diverged_at is not None or not probabilities.isfinite().all():
            raise ValueError(f"run: expected one that has not diverged, got {run!r}")
        following = torch.multinomial(probabilities, 1, generator=generator)  # (n, 1)
        drawn = torch.cat([drawn, following], dim=1)
    return [
        vocabulary.decode(row).split(vocabulary.symbols[end])[0]
        for row in drawn[:, block_size:].tolist()
    ]
