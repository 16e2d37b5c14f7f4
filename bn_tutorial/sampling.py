"""Words drawn from a trained network, one symbol after the other."""

import torch

from bn_tutorial._expect import expect_integer, expect_kind
from bn_tutorial.data import Vocabulary
from bn_tutorial.evaluation import network_of
from bn_tutorial.run import Run
from bn_tutorial.statistics import Statistics
from bn_tutorial.threads import one_blas_thread

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
    n, seed : int
        How many words, and the seed of the generator that draws them.

    Returns
    -------
    list of str
        Each ends where the network draws the end symbol, at the latest after 30 symbols.

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
    n = expect_integer("n", n, 0)
    generator = torch.Generator().manual_seed(expect_integer("seed", seed, 0, 2**64 - 1))
    _expect_to_fit(run, vocabulary)
    rows = _draw(run, statistics, n, len(vocabulary) - 1, generator).tolist()
    return [vocabulary.decode(row).split(vocabulary.symbols[-1])[0] for row in rows]


def _expect_to_fit(run, vocabulary):
    if (symbols := len(run.parameters["embedding"])) != len(vocabulary):
        raise ValueError(
            f"vocabulary: expected the {symbols} symbols that the network was trained with, "
            f"got {len(vocabulary)}"
        )
    finite = all(tensor.isfinite().all() for tensor in run.parameters.values())
    if run.diverged_at is not None or not finite:
        raise ValueError(f"run: expected one that has not diverged, got {run!r}")


def _draw(run, statistics, n, end, generator):
    """Draw symbols after contexts of ends, until each row has one: Tensor (n, at most LONGEST)."""
    fan_in, dim = len(run.parameters["hidden.0.weight"]), run.recipe.embedding
    drawn = torch.full((n, block_size := fan_in // dim), end)  # (n, T), grows by one a turn
    network = network_of(run, statistics)
    with one_blas_thread:  # once for all symbols: each setting starts a thread
        for _ in range(LONGEST):
            [contexts] = network.check(drawn[:, -block_size:])
            probabilities = torch.from_numpy(network.logits(contexts)).softmax(dim=1)
            following = torch.multinomial(probabilities, 1, generator=generator)  # (n, 1)
            drawn = torch.cat([drawn, following], dim=1)
            if (drawn[:, block_size:] == end).any(dim=1).all():
                break
    return drawn[:, block_size:]
