"""The inputs that checks send: drawn from a seed, and chosen so that no mistake can hide.

The batches have 4 to 6 examples, so that no correction can hide; one is square, so that a wrong
axis does not show as a shape error alone; one has a tiny variance, so that eps matters; one has a
large mean, so that a difference of large numbers loses its digits. Gain and shift are never
trivial.
"""

from functools import lru_cache

import torch

from bn_tutorial.checks.observe import observe

MORE = {"where", "fragile", "slack"}
LARGE = 1e8  # a mean whose square leaves no digit for the variance in float64


def generator(seed):
    """Return a generator of its own: the global one is left alone."""
    return torch.Generator().manual_seed(seed)


def normal(g, *shape, dtype=torch.float64):
    """Draw standard normal numbers."""
    return torch.randn(*shape, generator=g, dtype=dtype)


def spread(g, *shape, dtype=torch.float64):
    """Draw scales: numbers from 0.5 to 2."""
    return 0.5 + 1.5 * torch.rand(*shape, generator=g, dtype=dtype)


def gains(g, units, dtype=torch.float64):
    """Draw gains: from 0.5 to 2, and every second one negative."""
    sizes = spread(g, units, dtype=dtype)
    sizes[1::2] *= -1
    return sizes


def batch(g, examples, units, *, mean=1.0, scale=1.0, dtype=torch.float64):
    """Draw x (B, H); every unit has a mean and a scale of its own."""
    center = mean * spread(g, units, dtype=dtype)
    return center + scale * spread(g, units, dtype=dtype) * normal(g, examples, units, dtype=dtype)


def scripted(cases, read):
    """Return the script of a ``Task`` that sends each case, and the first one once more.

    ``cases`` goes from a seed to a sequence of dicts: the arguments by name, and ``where``, which
    input it is; where needed, ``fragile`` and ``slack`` of the ``Observation``. ``read`` is as for
    ``observe``.
    """
    cases = lru_cache(maxsize=8)(cases)  # every call gets copies

    def script(function, seed):
        sent = cases(seed)
        for case in (*sent, {**sent[0], "where": "the first input once more"}):
            arguments = {name: case[name] for name in case if name not in MORE}
            more = {name: case[name] for name in case if name in MORE}
            where = f"With {more.pop('where')}"
            seen = observe(where, function, arguments, read, **more)
            yield seen
            if seen.stub or seen.fatal:
                return

    return script
