"""The checks that only the assignments need: contexts, baselines, running averages, a yardstick.

Each compares an answer with the right one on drawn inputs, and where it is wrong, with the known
mistakes of ``bugs.assignments``. The inputs tell these apart: symbols that no word uses, pairs that
``train`` never shows, momenta that are not small, as many seeds as rates.
"""

import random

import numpy as np
import torch
from torch import Tensor

from bn_tutorial.checks.bugs import assignments as known
from bn_tutorial.checks.guard import call, isolated, one_line
from bn_tutorial.checks.verdict import Verdict, not_attempted

SEED = 23  # of the inputs; the tests try many
GRID = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]


class _UnreadableError(Exception):
    """An answer that is not of the kind that was asked for; the message says what came."""


@isolated
def contexts(function, *, seed=SEED):
    """Check a function that cuts words into examples.

    Parameters
    ----------
    function : callable
        ``fn(words, symbols, block_size) -> (contexts, targets)``: a list of words, a string with
        the symbols, ``"."`` last, and the context length T. Contexts (N, T) and targets (N,) are
        indices, positions in ``symbols``, as lists or tensors. Each word begins on T dots, and its
        end is a target too.
    seed : int
        Of the words that are tried.

    Returns
    -------
    Verdict
    """
    draw, symbols = random.Random(seed), "-abdegm."
    cases = []
    for block_size in (3, 1, 4):
        letters = draw.sample("abdegm", 5)  # one letter and the hyphen stand in no word
        words = ["".join(letters[:4]), letters[4], "".join(draw.choices(letters, k=3))]
        cases.append({"words": words, "symbols": symbols, "block_size": block_size})
    return _judge(function, cases, known.right_contexts, known.CONTEXTS, _examples, "01_dataset")


@isolated
def uniform_loss(function, *, seed=SEED):
    """Check a function for the loss of a model that knows nothing.

    Parameters
    ----------
    function : callable
        ``fn(size) -> float``: from the number of symbols to the cross-entropy in nats.
    seed : int
        Of the sizes that are tried.

    Returns
    -------
    Verdict
    """
    sizes = [28, 2, *random.Random(seed).sample(range(3, 1000), 2)]
    cases = [{"size": size} for size in sizes]
    right, mistakes = known.right_uniform_loss, known.UNIFORM_LOSS
    return _judge(function, cases, right, mistakes, _number, "01_dataset")


@isolated
def bigram_loss(function, *, seed=SEED):
    """Check a function for the loss of a smoothed bigram table.

    Parameters
    ----------
    function : callable
        ``fn(train, held_out, size, k) -> float``: int64 tensors (N, 2) and (M, 2) with the symbol
        before and the target in each row, the number of symbols, and the number that is added to
        every count of ``train``. The mean loss on ``held_out``, in nats.
    seed : int
        Of the pairs that are tried.

    Returns
    -------
    Verdict
    """
    generator, cases = torch.Generator().manual_seed(seed), []
    for size, k in ((5, 0.5), (4, 2.0), (6, 0.1), (5, 0.3)):
        train = torch.randint(size, (14, 2), generator=generator)
        train[:, 0] %= size - 1  # the last symbol never stands before another
        held_out = torch.randint(size, (5, 2), generator=generator)
        held_out[0, 0] = size - 1
        cases.append({"train": train, "held_out": held_out, "size": size, "k": k})
    cases[-1]["held_out"] = cases[-1]["train"][::3].clone()  # nothing new: no loss is infinite
    right, mistakes = known.right_bigram_loss, known.BIGRAM_LOSS
    return _judge(function, cases, right, mistakes, _number, "01_dataset")


@isolated
def leftover(function, *, seed=SEED):
    """Check a function for the weight of the start value in a running average.

    Parameters
    ----------
    function : callable
        ``fn(momentum, steps) -> float``: PyTorch's momentum, the weight of the new batch, and the
        number of updates.
    seed : int
        Of the momenta and steps that are tried.

    Returns
    -------
    Verdict
    """
    return _judge(
        function,
        _updates(seed, [(0.3, 4), (0.001, 700), (0.2, 0), (0.6, 1)]),
        known.right_leftover,
        known.LEFTOVER,
        _number,
        "05_running_statistics",
    )


@isolated
def batch_weights(function, *, seed=SEED):
    """Check a function for the weight of each batch in a running average.

    Parameters
    ----------
    function : callable
        ``fn(momentum, steps) -> list``: PyTorch's momentum and the number of updates. One number a
        batch, as a list or a tensor (steps,), oldest first.
    seed : int
        Of the momenta and steps that are tried.

    Returns
    -------
    Verdict
    """
    return _judge(
        function,
        _updates(seed, [(0.25, 2), (0.1, 5), (0.6, 1)]),
        known.right_batch_weights,
        known.BATCH_WEIGHTS,
        _numbers,
        "05_running_statistics",
    )


def _updates(seed, pairs):
    draw = random.Random(seed)
    pairs = [*pairs, *((draw.choice((0.05, 0.3, 0.7, 0.9)), draw.randint(3, 6)) for _ in range(2))]
    return [{"momentum": momentum, "steps": steps} for momentum, steps in pairs]


@isolated
def momentum_for(function, *, seed=SEED):
    """Check a function for the momentum at which the start value's weight falls as wanted.

    Parameters
    ----------
    function : callable
        ``fn(weight, steps) -> float``: the weight that the start value is to have after this
        number of updates. PyTorch's momentum, exactly.
    seed : int
        Of the weights and steps that are tried.

    Returns
    -------
    Verdict
    """
    draw = random.Random(seed)
    pairs = [(0.3, 1), (0.5, 7), (0.01, 100), (round(draw.uniform(0.6, 0.9), 2), 700)]
    cases = [{"weight": weight, "steps": steps} for weight, steps in pairs]
    right, mistakes = known.right_momentum_for, known.MOMENTUM_FOR
    return _judge(function, cases, right, mistakes, _number, "05_running_statistics")


@isolated
def good_decades(function, *, seed=SEED):
    """Check a function for the width of the range of good learning rates.

    Parameters
    ----------
    function : callable
        ``fn(rates, losses, within) -> float``: a list of n rising rates, a tensor (seeds, n) of
        final losses, and a distance in nats. A rate is good if its mean over the seeds is less
        than ``within`` above the best mean. The decades from the smallest to the largest good
        rate.
    seed : int
        Of the losses that are tried.

    Returns
    -------
    Verdict
    """
    generator, cases = torch.Generator().manual_seed(seed), []
    for rates, within in ((5, 0.2), (5, 0.4), (7, 0.3), (7, 0.5), (7, 0.7), (9, 0.4), (9, 0.8)):
        valley = torch.linspace(-1.2, 1.5, rates, dtype=torch.float64) ** 2  # (rates,)
        noise = torch.rand((rates, rates), generator=generator, dtype=torch.float64)
        tail = 1.5 * (noise.roll(1) > 0.9)  # a seed that failed moves the mean, not the median
        losses = 2.5 + valley / 2 + noise / 2 + tail
        cases.append({"rates": GRID[:rates], "losses": losses, "within": within})
    right, mistakes = known.right_good_decades, known.GOOD_DECADES
    return _judge(function, cases, right, mistakes, _number, "06_learning_rate")


# --- judging ------------------------------------------------------------------------------------


def _judge(function, cases, right, mistakes, read, chapter):
    """Compare an answer with the right one, then with the known mistakes, on all cases."""
    given = []
    for arguments in cases:
        outcome = call(function, arguments)
        if outcome.stub:
            return not_attempted(outcome.stub)
        if outcome.error:
            return Verdict(False, None, f"{_shown(arguments)}: it raises {outcome.error}")
        if outcome.changed:
            names = " and ".join(outcome.changed)
            return Verdict(False, None, f"it changes its argument {names}: work on a copy")
        try:
            given.append(read(outcome.value))
        except _UnreadableError as error:
            return Verdict(False, None, f"{_shown(arguments)}: {error}")
    due = _answers(right, cases, read)
    if _all_same(given, due):
        return Verdict(True, None, f"it gives what it should on all {len(cases)} inputs")
    arguments, answer, truth = next(
        case for case in zip(cases, given, due, strict=True) if not _same(*case[1:])
    )
    evidence = f"{_shown(arguments)}: {_difference(answer, truth)}"
    for mistake in mistakes:
        if _all_same(given, _answers(mistake.fn, cases, read)):
            message = f"{mistake.sentence}. (Notebook {chapter}.) {evidence}."
            return Verdict(False, mistake.name, message)
    return Verdict(False, None, f"{evidence}.")


def _answers(function, cases, read):
    return [read(function(*arguments.values())) for arguments in cases]


def _all_same(these, those):
    return all(map(_same, these, those))


def _same(one, other):
    if isinstance(one, Tensor):
        return one.shape == other.shape and torch.allclose(one, other, rtol=1e-4, atol=1e-9)
    return one == other


def _difference(answer, truth):
    """Say what came and what was expected, at the first place where they differ."""
    if isinstance(truth, Tensor):
        if answer.shape != truth.shape:
            return f"expected {len(truth)} numbers, came {len(answer)}"
        if truth.ndim == 0:
            return f"expected {truth.item():.6g}, came {answer.item():.6g}"
        place = int(((answer - truth).abs() > 1e-9 + 1e-4 * truth.abs()).nonzero()[0])
        return f"[{place}]: expected {truth[place].item():.6g}, came {answer[place].item():.6g}"
    sizes = [len(part) for part in answer]
    if sizes != [len(part) for part in truth]:
        return (
            f"expected {len(truth[0])} contexts and as many targets, "
            f"came {sizes[0]} contexts and {sizes[1]} targets"
        )
    places = zip(*answer, *truth, strict=True)
    number, (context, target, *due) = next(
        (i, place) for i, place in enumerate(places) if place[:2] != place[2:]
    )
    return one_line(f"example {number}: expected {due[0]} -> {due[1]}, came {context} -> {target}")


def _shown(arguments):
    """Name the arguments: numbers and words as they are, tensors by their shape."""
    texts = (
        f"{name} of shape {tuple(value.shape)}"
        if isinstance(value, Tensor)
        else f"{name}={value!r}"
        for name, value in arguments.items()
    )
    return "With " + ", ".join(texts)


# --- reading an answer --------------------------------------------------------------------------


def _number(value):
    value = _plain(value)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]  # a tensor of shape (1,)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _UnreadableError(f"expected a number, came {_kind(value)}")
    number = torch.tensor(float(value), dtype=torch.float64)
    return number.nan_to_num(nan=torch.inf, posinf=torch.inf, neginf=-torch.inf)


def _numbers(value):
    numbers = [_number(each) for each in _listed(value, "a list of numbers")]
    return torch.stack(numbers) if numbers else torch.empty(0, dtype=torch.float64)


def _examples(value):
    pair = _listed(value, "the pair (contexts, targets)")
    if len(pair) != 2:
        raise _UnreadableError(f"expected the pair (contexts, targets), came {_kind(pair)}")
    contexts, targets = (_listed(part, "two lists or tensors") for part in pair)
    return [_row(context) for context in contexts], [_plain(target) for target in targets]


def _row(value):
    value = list(value) if isinstance(value, str) else _plain(value)
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _listed(value, wanted):
    value = _plain(value)
    if not isinstance(value, list | tuple):
        raise _UnreadableError(f"expected {wanted}, came {_kind(value)}")
    return value


def _plain(value):
    """Turn a tensor or an array into a number or lists of them."""
    return value.tolist() if isinstance(value, Tensor | np.ndarray | np.generic) else value


def _kind(value):
    size = f" of length {len(value)}" if isinstance(value, list | tuple | str) else ""
    return f"{type(value).__name__}{size}"
