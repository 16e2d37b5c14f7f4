"""The checks of what measures and remembers statistics: running averages, calibration."""

import torch

from bn_tutorial.checks.bugs import calibration, running
from bn_tutorial.checks.cases import LARGE, batch, generator, normal, scripted, spread
from bn_tutorial.checks.guard import isolated
from bn_tutorial.checks.judge import SEED, Task, judge
from bn_tutorial.checks.observe import tensors


def _running_cases(seed):
    g = generator(seed)

    def case(where, units, momentum):
        old, new = 3 * normal(g, units), spread(g, units)
        return {"where": where, "running": old, "batch": new, "momentum": momentum}

    return (
        case("momentum 0.1", 4, 0.1),
        case("momentum 0.001", 3, 0.001),
        case("momentum 0.7", 2, 0.7),
        case("momentum 0, which keeps the old value", 3, 0.0),
        case("momentum 1, which takes the new value", 3, 1.0),
    )


RUNNING = Task(
    "running_update",
    scripted(_running_cases, tensors("running")),
    (running.update,),
    1e-5,
    "it moves as the buffers of torch.nn.BatchNorm1d do, with every momentum",
)


@isolated
def running_update(function, *, seed=SEED):
    """Check one step of a running average, ``fn(running, batch, momentum) -> running``.

    ``new = (1 - momentum) * running + momentum * batch``: PyTorch's convention, the ``momentum``
    of ``torch.nn.BatchNorm1d``, in which it is the weight of the new batch.

    The old and the new value and the batch's statistic are (H,), float64; momentum is a float.
    The function must not change its inputs.

    Examples
    --------
    >>> running_update(lambda running, batch, m: running + m * (batch - running))
    right: it moves as the buffers of torch.nn.BatchNorm1d do, with every momentum
    >>> running_update(lambda running, batch, m: m * running + (1 - m) * batch).bug
    'momentum_reversed'
    """
    return judge(RUNNING, function, seed)


def _calibrate_cases(seed):
    g = generator(seed)
    drifting = batch(g, 150, 2) + 3 * torch.linspace(0, 1, 150, dtype=torch.float64)[:, None]
    return (
        {"where": "5 examples of 3 units", "x": batch(g, 5, 3)},
        {"where": "a square split, N = H = 4", "x": batch(g, 4, 4)},
        {"where": "6 examples of 2 units", "x": batch(g, 6, 2, mean=-2)},
        {"where": "a tiny standard deviation", "x": batch(g, 4, 3, scale=1e-3), "slack": 0.1},
        {"where": "150 examples that drift", "x": drifting},
        {"where": "a large mean", "x": batch(g, 5, 2, mean=LARGE), "fragile": True},
    )


def _correction_0(x):
    return x.mean(dim=0), x.std(dim=0, correction=0)


CALIBRATE = Task(
    "calibrate",
    scripted(_calibrate_cases, tensors("mean", "std")),
    (calibration.measure, _correction_0),
    1e-5,
    "the mean and the standard deviation of every unit, over all examples",
)


@isolated
def calibrate(function, *, seed=SEED):
    """Check the statistics of a split, ``fn(x) -> (mean, std)``.

    Each unit's mean and standard deviation over all examples, without eps. The standard deviation
    may have correction 1 (the course's recipe) or correction 0, but always the same one: over a
    whole split the two hardly differ.

    x is (N, H), float64; mean and std are (H,) or (1, H). The function must not change its input.

    References
    ----------
    Ioffe and Szegedy 2015, "Batch Normalization", arXiv:1502.03167, algorithm 2, which measures
    after training; Wu and Johnson 2021, "Rethinking 'Batch' in BatchNorm", arXiv:2105.07576.

    Examples
    --------
    >>> calibrate(lambda x: (x.mean(dim=0), x.std(dim=0)))
    right: the mean and the standard deviation of every unit, over all examples
    >>> calibrate(lambda x: (x.mean(dim=0), x.var(dim=0))).bug
    'variance_for_std'
    """
    return judge(CALIBRATE, function, seed)
