"""The checks that only the assignments need: contexts, baselines, running averages, a yardstick.

The inputs tell the known bugs apart: symbols that no word uses, pairs that ``train`` never shows,
momenta that are not small, as many seeds as rates. Answers may be plain numbers and lists, tensors
or NumPy arrays; messages name the arguments that they belong to.
"""

import math
import random

import numpy as np
import torch
from torch import Tensor

from bn_tutorial.checks.bugs import averages, baselines, decades
from bn_tutorial.checks.bugs import contexts as cuts
from bn_tutorial.checks.cases import scripted
from bn_tutorial.checks.guard import isolated, one_line
from bn_tutorial.checks.judge import Task, judge
from bn_tutorial.checks.observe import Complaint, kind

SEED = 23  # of the inputs; the tests try many
GRID = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]


@isolated
def contexts(function, *, seed=SEED):
    """Check how words are cut, ``fn(words, symbols, block_size) -> (contexts, targets)``.

    From a list of words, a string with the symbols, ``"."`` last, and the context length T to
    contexts (N, T) and targets (N,): indices, positions in ``symbols``, as lists or tensors. Each
    word begins on T dots, and its end is a target too.
    """
    return judge(CONTEXTS, function, seed)


@isolated
def uniform_loss(function, *, seed=SEED):
    """Check the loss of a model that knows nothing, ``fn(size) -> float``.

    From the number of symbols to the cross-entropy in nats.
    """
    return judge(UNIFORM_LOSS, function, seed)


@isolated
def bigram_loss(function, *, seed=SEED):
    """Check the loss of a smoothed bigram table, ``fn(train, held_out, size, k) -> float``.

    ``train`` (N, 2) and ``held_out`` (M, 2) are int64, with the symbol before and the target in
    each row; ``size`` is the number of symbols, and ``k`` is added to every count of ``train``.
    Asked for is the mean loss on ``held_out``, in nats.
    """
    return judge(BIGRAM_LOSS, function, seed)


@isolated
def leftover(function, *, seed=SEED):
    """Check the weight of the start value in a running average, ``fn(momentum, steps) -> float``.

    The momentum is PyTorch's, the weight of the new batch; ``steps`` is the number of updates.
    """
    return judge(LEFTOVER, function, seed)


@isolated
def batch_weights(function, *, seed=SEED):
    """Check the weight of each batch in a running average, ``fn(momentum, steps) -> list``.

    One number a batch, oldest first, as a list or a tensor (steps,). The momentum is PyTorch's.
    """
    return judge(BATCH_WEIGHTS, function, seed)


@isolated
def momentum_for(function, *, seed=SEED):
    """Check which momentum lets a start value fade as wanted, ``fn(weight, steps) -> float``.

    PyTorch's momentum, exactly, at which the start value has this weight after so many updates.
    """
    return judge(MOMENTUM_FOR, function, seed)


@isolated
def good_decades(function, *, seed=SEED):
    """Check the width of a range of learning rates, ``fn(rates, losses, within) -> float``.

    From a list of n rising rates, a tensor (seeds, n) of final losses and a distance in nats. A
    rate is good if its mean over the seeds is less than ``within`` above the best mean. Asked for
    are the decades from the smallest to the largest good rate.
    """
    return judge(GOOD_DECADES, function, seed)


# --- the inputs ---------------------------------------------------------------------------------


def _words(seed):
    draw = random.Random(seed)
    for block_size in (3, 1, 4):
        letters = draw.sample("abdegm", 5)  # one letter and the hyphen stand in no word
        words = ["".join(letters[:4]), letters[4], "".join(draw.choices(letters, k=3))]
        yield {"words": words, "symbols": "-abdegm.", "block_size": block_size}


def _sizes(seed):
    return [{"size": n} for n in (28, 2, *random.Random(seed).sample(range(3, 1000), 2))]


def _pairs(seed):
    generator, cases = torch.Generator().manual_seed(seed), []
    for size, k in ((5, 0.5), (4, 2.0), (6, 0.1), (5, 0.3)):
        train = torch.randint(size, (14, 2), generator=generator)
        train[:, 0] %= size - 1  # the last symbol never stands before another
        held_out = torch.randint(size, (5, 2), generator=generator)
        held_out[0, 0] = size - 1
        cases.append({"train": train, "held_out": held_out, "size": size, "k": k})
    cases[-1]["held_out"] = cases[-1]["train"][::3].clone()  # nothing new: no loss is infinite
    return cases


def _updates(*pairs):
    def cases(seed):
        draw = random.Random(seed)
        more = [(draw.choice((0.05, 0.3, 0.7, 0.9)), draw.randint(3, 6)) for _ in range(2)]
        return [{"momentum": momentum, "steps": steps} for momentum, steps in [*pairs, *more]]

    return cases


def _falls(seed):
    last = round(random.Random(seed).uniform(0.6, 0.9), 2), 700
    pairs = (0.3, 1), (0.5, 7), (0.01, 100), last
    return [{"weight": weight, "steps": steps} for weight, steps in pairs]


def _valleys(seed):
    generator = torch.Generator().manual_seed(seed)
    for rates, within in ((5, 0.2), (5, 0.4), (7, 0.3), (7, 0.5), (7, 0.7), (9, 0.4), (9, 0.8)):
        valley = torch.linspace(-1.2, 1.5, rates, dtype=torch.float64) ** 2  # (rates,)
        noise = torch.rand((rates, rates), generator=generator, dtype=torch.float64)
        tail = 1.5 * (noise.roll(1) > 0.9)  # a seed that failed moves the mean, not the median
        losses = 2.5 + valley / 2 + noise / 2 + tail
        yield {"rates": GRID[:rates], "losses": losses, "within": within}


def _shown(arguments):
    """Name the arguments: numbers and words as they are, tensors by their shape."""
    return ", ".join(
        f"{name} of shape {tuple(value.shape)}"
        if isinstance(value, Tensor)
        else f"{name}={value!r}"
        for name, value in arguments.items()
    )


# --- reading an answer, and comparing it --------------------------------------------------------


def _number(value):
    value = _plain(value)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]  # a tensor of shape (1,)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Complaint(f"expected a number, came {_kind(value)}")
    return np.array(math.inf if math.isnan(value) else float(value))


def _numbers(value):
    value = _plain(value)
    if not isinstance(value, list | tuple):
        return Complaint(f"expected a list of numbers, came {_kind(value)}")
    numbers = [_number(each) for each in value]
    wrong = [number for number in numbers if isinstance(number, Complaint)]
    return wrong[0] if wrong else np.array(numbers)


def _examples(value):
    pair = _plain(value)
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        return Complaint(f"expected the pair (contexts, targets), came {_kind(pair)}")
    parts = [_plain(part) for part in pair]
    for part in parts:
        if not isinstance(part, list | tuple):
            return Complaint(f"expected two lists or tensors, came {_kind(part)}")
    return [_row(context) for context in parts[0]], [_plain(target) for target in parts[1]]


def _row(value):
    value = list(value) if isinstance(value, str) else _plain(value)
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _plain(value):
    """Turn a tensor or an array into a number or lists of them."""
    return value.tolist() if isinstance(value, Tensor | np.ndarray | np.generic) else value


def _kind(value):
    size = f" of length {len(value)}" if isinstance(value, list | tuple | str) else ""
    return f"{kind(value)}{size}"


def _difference(seen, expected, tolerance):
    """Return what came and what was expected where an answer first differs, or None."""
    if seen.problem:
        return seen.problem
    got, want = seen.values[""], expected.values[""]
    if not isinstance(want, np.ndarray):
        return _first_example(got, want)
    if got.shape != want.shape:
        return f"expected {len(want)} numbers, came {len(got)}"
    wrong = ~np.isclose(got, want, rtol=tolerance, atol=1e-9)
    if not wrong.any():
        return None
    at = tuple(np.argwhere(wrong)[0])
    return f"{f'[{at[0]}]: ' if at else ''}expected {want[at]:.6g}, came {got[at]:.6g}"


def _first_example(answer, truth):
    sizes = [len(part) for part in answer]
    if sizes != [len(part) for part in truth]:
        return (
            f"expected {len(truth[0])} contexts and as many targets, "
            f"came {sizes[0]} contexts and {sizes[1]} targets"
        )
    for number, (*came, context, target) in enumerate(zip(*answer, *truth, strict=True)):
        if came != [context, target]:
            due = f"expected {context} -> {target}"
            return one_line(f"example {number}: {due}, came {came[0]} -> {came[1]}")
    return None


def _task(right, cases, read):
    def shown(seed):
        return tuple({**case, "where": _shown(case)} for case in cases(seed))

    def result(value):
        answer = read(value)
        return answer if isinstance(answer, Complaint) else {"": answer}

    return Task(
        right.__name__,
        scripted(shown, result),
        (right,),
        1e-4,
        f"it gives what it should on all {len(shown(SEED))} inputs",
        difference=_difference,
        graded=True,
    )


CONTEXTS = _task(cuts.contexts, _words, _examples)
UNIFORM_LOSS = _task(baselines.uniform_loss, _sizes, _number)
BIGRAM_LOSS = _task(baselines.bigram_loss, _pairs, _number)
LEFTOVER = _task(averages.leftover, _updates((0.3, 4), (0.001, 700), (0.2, 0), (0.6, 1)), _number)
BATCH_WEIGHTS = _task(averages.batch_weights, _updates((0.25, 2), (0.1, 5), (0.6, 1)), _numbers)
MOMENTUM_FOR = _task(averages.momentum_for, _falls, _number)
GOOD_DECADES = _task(decades.good_decades, _valleys, _number)
