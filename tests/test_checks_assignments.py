"""The assignments' own checks: right answers in any style, known mistakes written in another way.

Their known bugs are tested with all others, in ``test_checks.py``.
"""

import math
import random

import numpy as np
import pytest
import torch

from bn_tutorial import checks
from bn_tutorial.checks.bugs import averages, baselines, decades
from bn_tutorial.checks.bugs import contexts as cuts

NAMES = [
    *("contexts", "uniform_loss", "bigram_loss"),
    *("leftover", "batch_weights", "momentum_for", "good_decades"),
]
SEEDS = range(50)


def check(name):
    return getattr(checks, name)


# --- right answers ------------------------------------------------------------------------------


def contexts_by_slices(words, symbols, block_size):
    index = {symbol: i for i, symbol in enumerate(symbols)}
    rows = []
    for word in words:
        line = [index[s] for s in "." * block_size + word + "."]
        rows += [line[i : i + block_size + 1] for i in range(len(word) + 1)]
    return [row[:-1] for row in rows], [row[-1] for row in rows]


def contexts_as_tensors(words, symbols, block_size):
    contexts, targets = contexts_by_slices(words, symbols, block_size)
    return torch.tensor(contexts), torch.tensor(targets)


def contexts_as_arrays(words, symbols, block_size):
    return tuple(np.array(part) for part in contexts_by_slices(words, symbols, block_size))


def contexts_as_tuples(words, symbols, block_size):
    contexts, targets = contexts_by_slices(words, symbols, block_size)
    return [*map(tuple, contexts)], tuple(targets)


def contexts_as_a_list_of_two(words, symbols, block_size):
    pairs = zip(*contexts_as_tensors(words, symbols, block_size), strict=True)
    contexts, targets = zip(*pairs, strict=True)
    return [[*contexts], [*targets]]


def bigram_by_bincount(train, held_out, size, k):
    counts = torch.bincount(train[:, 0] * size + train[:, 1], minlength=size * size)
    p = counts.view(size, size) + k
    return -(p / p.sum(1, keepdim=True))[tuple(held_out.T)].log().mean()


def bigram_by_cross_entropy(train, held_out, size, k):
    table = torch.zeros(size, size) + k
    for before, target in train:
        table[before, target] += 1
    return torch.nn.functional.cross_entropy(table.log()[held_out[:, 0]], held_out[:, 1]).item()


def bigram_in_plain_python(train, held_out, size, k):
    pairs, total = train.tolist(), 0.0
    for before, target in held_out.tolist():
        count = pairs.count([before, target]) + k
        row = sum(first == before for first, _ in pairs) + k * size
        total -= math.log(count / row)
    return total / len(held_out)


def leftover_by_steps(momentum, steps):
    left = 1.0
    for _ in range(steps):
        left *= 1 - momentum
    return left


def weights_by_steps(momentum, steps):
    weights = []
    for _ in range(steps):
        weights = [w * (1 - momentum) for w in weights] + [momentum]
    return weights


def decades_in_numpy(rates, losses, within):
    mean = losses.numpy().mean(axis=0)
    good = np.array(rates)[mean - mean.min() < within]
    return np.log10(good.max() / good.min())


RIGHT = [
    ("contexts", cuts.contexts),
    ("contexts", contexts_by_slices),
    ("contexts", contexts_as_tensors),
    ("contexts", contexts_as_arrays),
    ("contexts", contexts_as_tuples),
    ("contexts", contexts_as_a_list_of_two),
    ("uniform_loss", math.log),
    ("uniform_loss", lambda size: -math.log(1 / size)),
    ("uniform_loss", lambda size: torch.tensor(float(size)).log()),
    ("uniform_loss", lambda size: np.log(size)),
    ("bigram_loss", baselines.bigram_loss),
    ("bigram_loss", bigram_by_bincount),
    ("bigram_loss", bigram_by_cross_entropy),
    ("bigram_loss", bigram_in_plain_python),
    ("leftover", averages.leftover),
    ("leftover", leftover_by_steps),
    ("leftover", lambda m, n: torch.tensor([1.0 - m]) ** n),
    ("leftover", lambda m, n: 1 - sum(weights_by_steps(m, n))),
    ("batch_weights", averages.batch_weights),
    ("batch_weights", weights_by_steps),
    ("batch_weights", lambda m, n: m * (1 - m) ** torch.arange(n - 1, -1, -1)),
    ("batch_weights", lambda m, n: tuple(np.array(weights_by_steps(m, n)))),
    ("momentum_for", averages.momentum_for),
    ("momentum_for", lambda w, n: 1 - math.exp(math.log(w) / n)),
    ("momentum_for", lambda w, n: -math.expm1(math.log(w) / n)),
    ("good_decades", decades.good_decades),
    ("good_decades", decades_in_numpy),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_right_answers_pass(name, answer):
    for seed in SEEDS[:20]:
        verdict = check(name)(answer, seed=seed)
        assert verdict.passed, verdict
        assert verdict.bug is None


# --- known mistakes -----------------------------------------------------------------------------


def test_the_same_mistake_written_in_another_way_has_the_same_name():
    def without_end(words, symbols, block_size):
        contexts, targets = contexts_as_tensors(words, symbols, block_size)
        inside = targets != len(symbols) - 1
        return contexts[inside], targets[inside]

    def strings(words, symbols, block_size):
        contexts, targets = cuts.contexts(words, symbols, block_size)
        return ["".join(symbols[i] for i in c) for c in contexts], [symbols[i] for i in targets]

    def unsmoothed(train, held_out, size, k):
        table = torch.zeros(size, size)
        for before, target in train:
            table[before, target] += 1
        p = table / table.sum(dim=1, keepdim=True)  # 0 / 0 where a row is empty
        return -p[held_out[:, 0], held_out[:, 1]].log().mean()

    def infinite(train, held_out, size, k):
        loss = unsmoothed(train, held_out, size, k)
        return math.inf if loss.isnan() else loss

    assert checks.contexts(without_end).bug == "end_symbol_forgotten"
    assert checks.contexts(strings).bug == "symbols_instead_of_indices"
    assert checks.bigram_loss(unsmoothed).bug == "counts_not_smoothed"
    assert checks.bigram_loss(infinite).bug == "counts_not_smoothed"
    assert checks.leftover(lambda m, n: float(m) ** n).bug == "momentum_reversed"


# --- everything else ----------------------------------------------------------------------------

WRONG_IN_OTHER_WAYS = [
    ("contexts", lambda w, s, b: ([[0] * b], [0])),
    ("contexts", lambda w, s, b: [c[::2] for c in cuts.contexts(w, s, b)]),
    ("contexts", lambda w, s, b: cuts.contexts(sorted(w)[::-1], s, b)),
    ("contexts", lambda w, s, b: ([0], [[1], [2]])),
    ("contexts", lambda w, s, b: ("abc", 3)),
    ("contexts", lambda w, s, b: {"contexts": 1}),
    ("contexts", lambda w, s, b: torch.zeros(3)),
    ("contexts", lambda w, s, b: 7),
    ("uniform_loss", lambda size: math.log(size) * 1.001),
    ("uniform_loss", lambda size: 3.3322),
    ("uniform_loss", lambda size: True),
    ("uniform_loss", lambda size: "3.33"),
    ("bigram_loss", lambda *given: baselines.bigram_loss(*given) + 0.001),
    ("bigram_loss", lambda *given: torch.zeros(3)),
    ("bigram_loss", lambda *given: math.nan),
    ("leftover", lambda m, n: 0.5),
    ("leftover", lambda m, n: [1, 2]),
    ("batch_weights", lambda m, n: averages.batch_weights(m, n)[1:]),
    ("batch_weights", lambda m, n: [[0.5], [0.5, 0.5]]),
    ("batch_weights", lambda m, n: 0.5),
    ("batch_weights", lambda m, n: ["a"] * n),
    ("batch_weights", lambda m, n: []),
    ("momentum_for", lambda w, n: 0.1),
    ("momentum_for", lambda w, n: 1 - w ** (1 / n) + 1e-3),
    ("good_decades", lambda rates, losses, within: 2.0),
    ("good_decades", lambda rates, losses, within: math.inf),
]


@pytest.mark.parametrize(("name", "answer"), WRONG_IN_OTHER_WAYS)
def test_other_wrong_answers_are_rejected_without_a_name(name, answer):
    verdict = check(name)(answer)
    assert not verdict.passed
    assert verdict.attempted
    assert verdict.bug is None
    assert verdict.message.startswith("With ")


def stops(*_):
    raise NotImplementedError


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stub", [lambda *_: None, lambda *_: ..., stops])
def test_a_stub_was_not_attempted(name, stub):
    verdict = check(name)(stub)
    assert not verdict.passed
    assert not verdict.attempted


def exits(*_):
    raise SystemExit(3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", [lambda *_: 1 / 0, exits, lambda: 1, lambda *_: object()])
def test_nothing_is_raised(name, answer):
    verdict = check(name)(answer)
    assert not verdict.passed
    assert verdict.bug is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", [3, "a", None, ...])
def test_what_can_not_be_called_is_no_answer(name, answer):
    assert not check(name)(answer).passed


def test_arguments_must_not_be_changed():
    def contexts(words, symbols, block_size):
        found = cuts.contexts(words, symbols, block_size)
        words.clear()
        return found

    def width(rates, losses, within):
        found = decades.good_decades(rates, losses, within)
        losses -= losses.min()
        return found

    assert "it changes its input words in place" in checks.contexts(contexts).message
    assert "it changes its input losses in place" in checks.good_decades(width).message


def test_a_message_shows_a_case_that_differs():
    verdict = checks.leftover(lambda m, n: 0.5)
    assert verdict.message == "With momentum=0.3, steps=4: expected 0.2401, came 0.5."
    verdict = checks.batch_weights(lambda m, n: [0.1] * n)
    assert "[0]: expected" in verdict.message
    verdict = checks.contexts(lambda *given: [part[:-1] for part in cuts.contexts(*given)])
    assert verdict.message.endswith(
        ": expected 11 contexts and as many targets, came 10 contexts and 10 targets."
    )


@pytest.mark.parametrize("name", NAMES)
def test_few_calls_and_no_trace(name):
    calls, before = [], (torch.get_rng_state(), random.getstate())
    right = next(answer for check_name, answer in RIGHT if check_name == name)

    def counted(*arguments):
        calls.append(arguments)
        torch.rand(1)
        random.random()
        return right(*arguments)

    assert check(name)(counted).passed
    assert len(calls) <= 10
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
