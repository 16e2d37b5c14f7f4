"""How long a check takes: a right answer, known bugs, and what no known bug explains.

``python -m benchmarks.checks [--repeats N]``. The first call of each kind counts apart: known bugs
are run when they are first needed, and what they do is kept.
"""

import argparse
import statistics
import time

from torch import nn
from torch.nn.functional import batch_norm
from torch.nn.utils.fusion import fuse_linear_bn_eval

from bn_tutorial import checks
from bn_tutorial.checks.judge import recorded


def forward(x, weight, bias, eps):
    return batch_norm(x, None, None, weight, bias, True, 0.1, eps)


def backward(dy, x, weight, eps):
    n, inv_std = len(x), (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias, dweight = dy.sum(dim=0), (dy * x_hat).sum(dim=0)
    return weight * inv_std * (dy - dbias / n - x_hat * dweight / n), dweight, dbias


RIGHT = {
    "batch_norm_forward": forward,
    "batch_norm_backward": backward,
    "running_update": lambda running, batch, momentum: running + momentum * (batch - running),
    "calibrate": lambda x: (x.mean(dim=0), x.std(dim=0)),
    "fold": fuse_linear_bn_eval,
    "batch_norm_layer": nn.BatchNorm1d,
}


def milliseconds(check, answer, *, fresh=False):
    if fresh:
        recorded.cache_clear()
    start = time.perf_counter()
    check(answer)
    return 1000 * (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    print("median milliseconds     right answer   known bug   known bug, first call (worst)")
    for name, answer in RIGHT.items():
        check, bugs = getattr(checks, name), checks.bugs_of(name)
        right = [milliseconds(check, answer) for _ in range(repeats)]
        # the median of a few: the worst bug is meant, not the worst moment of the machine
        first = [
            statistics.median(milliseconds(check, bug.code, fresh=True) for _ in range(5))
            for bug in bugs
        ]
        known = [milliseconds(check, bug.code) for bug in bugs for _ in range(repeats // 4 + 1)]
        medians = map(statistics.median, (right, known, first))
        shown = "".join(f"{median:14.1f}" for median in medians)
        print(f"{name:20}{shown} ({max(first):.1f})")


if __name__ == "__main__":
    main()
