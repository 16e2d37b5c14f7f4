"""The assignments' own checks: known mistakes written in another way, and what is said of others.

Their right answers, known bugs and other wrong answers are tested with those of all checks.
"""

import math

import torch
from right_answers import contexts_as_tensors

from bn_tutorial import checks
from bn_tutorial.checks.bugs import contexts as cuts
from bn_tutorial.checks.bugs import decades


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
