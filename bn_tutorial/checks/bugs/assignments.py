"""Wrong answers to the assignments' own tasks, each with the sentence that a student reads.

A wrong answer that gives the same numbers as one of these has its name.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch


class Mistake(NamedTuple):
    """A known wrong answer: its name, what to say about it, and the function that makes it."""

    name: str
    sentence: str
    fn: Callable


# --- contexts(words, symbols, block_size) -------------------------------------------------------


def _examples(words, symbols, block, *, pad=".", end=".", window=None, reset=True):
    """Slide a window: what the right answer does, with the places where it can go wrong."""
    contexts, targets, line = [], [], []
    for word in words:
        line = [symbols.index(pad)] * block if reset or not line else line
        for symbol in word + end:
            following = line + [symbols.index(symbol)]
            contexts.append(window(following, block) if window else following[-block - 1 : -1])
            targets.append(following[-1])
            line = following
    return contexts, targets


def right_contexts(words, symbols, block_size):
    """Give the contexts (N, T) and targets (N,), as lists of indices."""
    return _examples(words, symbols, block_size)


def _no_padding(words, symbols, block):
    both = [
        ([symbols.index(s) for s in (w + ".")[i : i + block]], symbols.index((w + ".")[i + block]))
        for w in words
        for i in range(len(w) + 1 - block)
    ]
    return [context for context, _ in both], [target for _, target in both]


def _padding_behind(words, symbols, block):
    contexts, targets = right_contexts(words, symbols, block)
    sizes = [i for word in words for i in range(len(word) + 1)]  # real symbols in each context
    for context, size in zip(contexts, sizes, strict=True):
        real = min(size, block)
        context[:] = context[block - real :] + context[: block - real]
    return contexts, targets


def _own_numbering(words, symbols, block):
    return right_contexts(words, [*sorted(set("".join(words))), "."], block)


def _letters(words, symbols, block):
    contexts, targets = right_contexts(words, symbols, block)
    letters = [[symbols[i] for i in context] for context in contexts]
    return letters, [symbols[i] for i in targets]


def _reversed_contexts(words, symbols, block):
    contexts, targets = right_contexts(words, symbols, block)
    return [context[::-1] for context in contexts], targets


def _swapped(words, symbols, block):
    return right_contexts(words, symbols, block)[::-1]


CONTEXTS = [
    Mistake(
        "end_symbol_forgotten",
        "The last symbol of a word is never followed by the end: `.` has to be a target too, once "
        "for each word",
        lambda words, symbols, block: _examples(words, symbols, block, end=""),
    ),
    Mistake(
        "off_by_one_in_the_context",
        "The context already contains the target: it must end with the symbol before it. Keep the "
        "example first, then move the window",
        lambda words, symbols, block: _examples(
            words, symbols, block, window=lambda line, n: line[-n:]
        ),
    ),
    Mistake(
        "context_one_symbol_behind",
        "The context ends one symbol too early: the symbol right before the target is missing",
        lambda words, symbols, block: _examples(
            words, symbols, block, window=lambda line, n: ([symbols.index(".")] + line)[-n - 2 : -2]
        ),
    ),
    Mistake(
        "padding_forgotten",
        "The first symbols of each word are never targets: fill the empty places of the first "
        "contexts with `.`",
        _no_padding,
    ),
    Mistake(
        "padding_behind",
        "The padding stands on the wrong side: the dots come before the symbols of the word",
        _padding_behind,
    ),
    Mistake(
        "padding_with_index_0",
        "The contexts are padded with index 0, the first symbol: pad with the index of `.`",
        lambda words, symbols, block: _examples(words, symbols, block, pad=symbols[0]),
    ),
    Mistake(
        "context_runs_on_into_the_next_word",
        "The context still holds symbols of the word before: start each word with dots alone",
        lambda words, symbols, block: _examples(words, symbols, block, reset=False),
    ),
    Mistake(
        "context_reversed",
        "The contexts are reversed: the symbol right before the target stands last",
        _reversed_contexts,
    ),
    Mistake(
        "context_one_symbol_too_long",
        "Each context has block_size + 1 symbols",
        lambda words, symbols, block: _examples(
            words, symbols, block + 1, window=lambda line, n: line[-n - 1 : -1]
        ),
    ),
    Mistake(
        "block_size_ignored",
        "Each context has 3 symbols, whatever block_size says",
        lambda words, symbols, block: _examples(words, symbols, 3),
    ),
    Mistake(
        "own_numbering",
        "The indices don't follow `symbols`: a symbol's index is its position there, also where "
        "some symbols occur in no word",
        _own_numbering,
    ),
    Mistake(
        "symbols_instead_of_indices",
        "These are the symbols themselves: give their positions in `symbols`",
        _letters,
    ),
    Mistake(
        "targets_before_contexts",
        "The two are exchanged: contexts come first, then targets",
        _swapped,
    ),
]


# --- uniform_loss(size) and bigram_loss(train, held_out, size, k) -------------------------------


def right_uniform_loss(size):
    """Give the loss of equal probabilities, in nats."""
    return math.log(size)


UNIFORM_LOSS = [
    Mistake("loss_in_bits", "This is in bits: nats need the natural logarithm", math.log2),
    Mistake("logarithm_to_base_10", "This is the logarithm to base 10", math.log10),
    Mistake(
        "sign_of_the_loss", "The sign is wrong: a loss is not negative", lambda n: -math.log(n)
    ),
    Mistake(
        "probability_instead_of_loss",
        "This is the probability of each symbol: the loss is minus its logarithm",
        lambda n: 1 / n,
    ),
    Mistake(
        "perplexity_instead_of_loss",
        "This is the perplexity: the loss is its logarithm",
        lambda n: float(n),
    ),
]


def _counts(pairs, size, k=0.0):
    table = torch.full((size, size), float(k), dtype=torch.float64)
    ones = torch.ones(len(pairs), dtype=torch.float64)
    return table.index_put_((pairs[:, 0], pairs[:, 1]), ones, accumulate=True)


def _look_up(table, pairs):
    return table[pairs[:, 0], pairs[:, 1]]  # (V, V), (M, 2) -> (M,)


def _each(train, held_out, size, k):
    table = _counts(train, size, k)
    return -_look_up(table / table.sum(dim=1, keepdim=True), held_out).log()  # (M,)


def right_bigram_loss(train, held_out, size, k):
    """Give the mean loss of a smoothed bigram table, in nats."""
    return _each(train, held_out, size, k).mean().item()


def _without_smoothing(train, held_out, size, k):
    table = _counts(train, size)
    p = table / table.sum(dim=1, keepdim=True).clamp(min=1)
    return -_look_up(p, held_out).log().mean().item()


def _rows_too_large(train, held_out, size, k):
    rows = _counts(train, size).sum(dim=1, keepdim=True)
    return -_look_up(_counts(train, size, k) / rows, held_out).log().mean().item()


def _k_once(train, held_out, size, k):
    rows = _counts(train, size).sum(dim=1, keepdim=True) + k
    return -_look_up(_counts(train, size, k) / rows, held_out).log().mean().item()


def _columns(train, held_out, size, k):
    table = _counts(train, size, k)
    return -_look_up(table / table.sum(dim=0, keepdim=True), held_out).log().mean().item()


def _joint(train, held_out, size, k):
    table = _counts(train, size, k)
    return -_look_up(table / table.sum(), held_out).log().mean().item()


def _unigram(train, held_out, size, k):
    shares = _counts(train, size).sum(dim=0) + k
    return -(shares / shares.sum())[held_out[:, 1]].log().mean().item()


def _empty_cells_only(train, held_out, size, k):
    table = _counts(train, size)
    table[table == 0] = k
    return -_look_up(table / table.sum(dim=1, keepdim=True), held_out).log().mean().item()


BIGRAM_LOSS = [
    Mistake(
        "loss_in_bits",
        "This is in bits: nats need the natural logarithm",
        lambda *given: right_bigram_loss(*given) / math.log(2),
    ),
    Mistake(
        "counts_not_smoothed",
        "The counts are not smoothed, so a pair that train never shows has probability 0 and an "
        "infinite loss: add k to every count",
        _without_smoothing,
    ),
    Mistake(
        "rows_do_not_sum_to_1",
        "k is added to the counts, but not to what they are divided by: a row must sum to 1",
        _rows_too_large,
    ),
    Mistake(
        "k_added_once_to_a_row_sum",
        "k is added once to a row's sum: each symbol got k, so the sum grows by k times size",
        _k_once,
    ),
    Mistake(
        "k_ignored",
        "Every count gets 1 more, whatever k says",
        lambda train, held_out, size, k: right_bigram_loss(train, held_out, size, 1),
    ),
    Mistake(
        "only_empty_cells_smoothed",
        "k is put only where the count is 0: add it to every count",
        _empty_cells_only,
    ),
    Mistake(
        "loss_on_the_training_pairs",
        "This is the loss on train: count there, but measure on held_out",
        lambda train, held_out, size, k: right_bigram_loss(train, train, size, k),
    ),
    Mistake(
        "held_out_pairs_counted",
        "The held-out pairs were counted too: the table has seen the answers",
        lambda train, held_out, size, k: right_bigram_loss(
            torch.cat([train, held_out]), held_out, size, k
        ),
    ),
    Mistake(
        "columns_for_rows",
        "This is the probability of the symbol before, given the target: rows and columns are "
        "exchanged",
        _columns,
    ),
    Mistake(
        "joint_probability",
        "The whole table sums to 1: each row has to, since the symbol before is known",
        _joint,
    ),
    Mistake(
        "symbol_before_ignored",
        "This is the unigram: look at the symbol before as well",
        _unigram,
    ),
    Mistake(
        "sum_instead_of_mean",
        "This is the sum over the pairs: the loss is their mean",
        lambda *given: _each(*given).sum().item(),
    ),
    Mistake(
        "mean_before_the_logarithm",
        "Take the logarithm first, then the mean",
        lambda *given: -(-_each(*given)).exp().mean().log().item(),
    ),
    Mistake(
        "sign_of_the_loss",
        "The sign is wrong: a loss is not negative",
        lambda *given: -right_bigram_loss(*given),
    ),
    Mistake(
        "perplexity_instead_of_loss",
        "This is the perplexity: the loss is its logarithm",
        lambda *given: math.exp(right_bigram_loss(*given)),
    ),
]


# --- running averages: leftover, momentum_for, batch_weights ------------------------------------


def right_leftover(momentum, steps):
    """Give the weight of a running average's start value after some steps."""
    return (1 - momentum) ** steps


LEFTOVER = [
    Mistake(
        "momentum_reversed",
        "The momentum is reversed: in PyTorch it is the weight of the new batch, so the old value "
        "is multiplied by 1 - momentum",
        lambda m, n: m**n,
    ),
    Mistake(
        "one_step_too_many",
        "This is the weight after steps + 1 updates",
        lambda m, n: (1 - m) ** (n + 1),
    ),
    Mistake(
        "one_step_too_few",
        "This is the weight after steps - 1 updates",
        lambda m, n: (1 - m) ** (n - 1),
    ),
    Mistake(
        "weight_of_the_batches",
        "This is the weight of all batches together: the start value has the rest",
        lambda m, n: 1 - (1 - m) ** n,
    ),
    Mistake(
        "weight_of_the_first_batch",
        "This is the weight of the first batch, not of the value before it",
        lambda m, n: m * (1 - m) ** (n - 1),
    ),
    Mistake(
        "weights_subtracted",
        "Each update multiplies the old weight by 1 - momentum: it does not subtract momentum",
        lambda m, n: 1 - m * n,
    ),
    Mistake(
        "weights_subtracted",
        "Each update multiplies the old weight by 1 - momentum: it does not subtract momentum",
        lambda m, n: max(0.0, 1 - m * n),
    ),
    Mistake(
        "only_for_small_momentum",
        "exp(-momentum * steps) is close for a small momentum, but not exact",
        lambda m, n: math.exp(-m * n),
    ),
]


def right_momentum_for(weight, steps):
    """Give the momentum at which the start value's weight after some steps is as wanted."""
    return 1 - weight ** (1 / steps)


MOMENTUM_FOR = [
    Mistake(
        "momentum_reversed",
        "This is the weight of the old value, as Keras calls its momentum: PyTorch's is the weight "
        "of the new batch",
        lambda w, n: w ** (1 / n),
    ),
    Mistake(
        "only_for_small_momentum",
        "-ln(weight) / steps is close for many steps, but not exact: solve the equation",
        lambda w, n: -math.log(w) / n,
    ),
    Mistake(
        "weight_of_the_batches",
        "At this momentum the batches have this weight together, and the start value the rest",
        lambda w, n: 1 - (1 - w) ** (1 / n),
    ),
    Mistake(
        "power_for_root",
        "This raises the weight to the power of steps: you need the root",
        lambda w, n: 1 - w**n,
    ),
    Mistake(
        "weights_subtracted",
        "Each update multiplies the old weight by 1 - momentum: it does not subtract momentum",
        lambda w, n: (1 - w) / n,
    ),
    Mistake(
        "one_step_too_many",
        "At this momentum the start value has that weight after steps + 1 updates",
        lambda w, n: 1 - w ** (1 / (n + 1)),
    ),
]


def right_batch_weights(momentum, steps):
    """Give the weight of each batch in a running average, oldest first."""
    return [momentum * (1 - momentum) ** (steps - 1 - t) for t in range(steps)]


BATCH_WEIGHTS = [
    Mistake(
        "newest_first",
        "The order is reversed: the oldest batch comes first, and it weighs the least",
        lambda m, n: right_batch_weights(m, n)[::-1],
    ),
    Mistake(
        "momentum_reversed",
        "The momentum is reversed: in PyTorch it is the weight of the new batch",
        lambda m, n: right_batch_weights(1 - m, n),
    ),
    Mistake(
        "newest_batch_factor_forgotten",
        "The newest batch has the weight 1 here: it enters with the weight momentum",
        lambda m, n: [w / m for w in right_batch_weights(m, n)],
    ),
    Mistake(
        "one_update_too_many",
        "All weights are too small by the factor 1 - momentum: no update comes after the newest "
        "batch",
        lambda m, n: [w * (1 - m) for w in right_batch_weights(m, n)],
    ),
    Mistake(
        "start_value_included",
        "There is one weight too many: the start value is not a batch",
        lambda m, n: [(1 - m) ** n, *right_batch_weights(m, n)],
    ),
    Mistake(
        "scaled_to_sum_to_1",
        "The batches' weights don't sum to 1: the start value keeps the rest",
        lambda m, n: [w / (1 - (1 - m) ** n) for w in right_batch_weights(m, n)],
    ),
    Mistake(
        "all_alike",
        "All batches have the same weight here: an old batch is multiplied by 1 - momentum with "
        "each update",
        lambda m, n: [1 / n] * n,
    ),
]


# --- good_decades(rates, losses, within) --------------------------------------------------------


def _decades(rates, good):
    good = [rate for rate, ok in zip(rates, good, strict=True) if ok]
    return math.log10(good[-1] / good[0]) if good else 0.0


def _near(scores, within):
    return (scores < scores.min() + within).tolist()


def right_good_decades(rates, losses, within):
    """Give the decades between the smallest and the largest rate that is good on average."""
    return _decades(rates, _near(losses.mean(dim=0), within))


def _good_rates(rates, losses, within):
    good = _near(losses.mean(dim=0), within)
    return [rate for rate, ok in zip(rates, good, strict=True) if ok]


GOOD_DECADES = [
    Mistake(
        "natural_logarithm",
        "A decade is a factor of 10: take the logarithm to base 10",
        lambda *given: right_good_decades(*given) * math.log(10),
    ),
    Mistake(
        "factor_instead_of_decades",
        "This is the factor between the largest and the smallest good rate: its logarithm to base "
        "10 gives the decades",
        lambda *given: 10 ** right_good_decades(*given),
    ),
    Mistake(
        "difference_of_rates",
        "This is the difference of the two rates: decades are about their ratio",
        lambda *given: _good_rates(*given)[-1] - _good_rates(*given)[0],
    ),
    Mistake(
        "number_of_good_rates",
        "This counts the good rates: how far apart are the smallest and the largest?",
        lambda *given: float(len(_good_rates(*given))),
    ),
    Mistake(
        "mean_over_the_rates",
        "The mean was taken over the rates: take it over the seeds, which are the rows",
        lambda rates, losses, within: _decades(rates, _near(losses.mean(dim=1), within)),
    ),
    Mistake(
        "best_seed_only",
        "This takes the best seed of each rate: take the mean over the seeds",
        lambda rates, losses, within: _decades(rates, _near(losses.amin(dim=0), within)),
    ),
    Mistake(
        "worst_seed_only",
        "This takes the worst seed of each rate: take the mean over the seeds",
        lambda rates, losses, within: _decades(rates, _near(losses.amax(dim=0), within)),
    ),
    Mistake(
        "median_for_mean",
        "This takes the median over the seeds: take the mean",
        lambda rates, losses, within: _decades(rates, _near(losses.quantile(0.5, dim=0), within)),
    ),
    Mistake(
        "best_single_run",
        "The rates are compared with the best single run: compare them with the best mean",
        lambda rates, losses, within: _decades(
            rates, (losses.mean(dim=0) < losses.min() + within).tolist()
        ),
    ),
    Mistake(
        "within_as_a_share",
        "`within` is a difference in nats: it is not a share of the best loss",
        lambda rates, losses, within: _decades(
            rates, (losses.mean(dim=0) < losses.mean(dim=0).min() * (1 + within)).tolist()
        ),
    ),
    Mistake(
        "level_instead_of_distance",
        "`within` is the distance from the best mean: here it was taken as the loss itself",
        lambda rates, losses, within: _decades(rates, (losses.mean(dim=0) < within).tolist()),
    ),
]
