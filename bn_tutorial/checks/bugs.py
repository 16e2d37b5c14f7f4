"""The library of known bugs: deliberately wrong batch norms, and what they mean.

It is used three times. A learner's wrong answer that behaves like one of them gets its
explanation; the bug clinic hands them out as patients; and the tests demand that every check
rejects all of its bugs and tells each from all others.

>>> find_bug("momentum_reversed").chapter
'05_running_statistics'
>>> len(bugs_of("batch_norm_layer")) >= 12
True
"""

from bn_tutorial.checks.library import (
    backward_dx,
    backward_sums,
    calibration,
    folding,
    forward_formula,
    forward_statistics,
    layer_formula,
    layer_memory,
    layer_modes,
    layer_start,
    layer_state,
    layer_statistics,
    running,
)

_MODULES = (
    forward_statistics,
    forward_formula,
    backward_dx,
    backward_sums,
    running,
    calibration,
    folding,
    layer_statistics,
    layer_formula,
    layer_modes,
    layer_memory,
    layer_start,
    layer_state,
)

BUGS = tuple(bug for module in _MODULES for bug in module.BUGS)


def bugs_of(check):
    """Give the bugs that belong to a check.

    Parameters
    ----------
    check : str
        As ``"batch_norm_forward"``.

    Returns
    -------
    list of Bug
    """
    return [bug for bug in BUGS if bug.check == check]


def find_bug(name):
    """Give the bug of a name.

    Parameters
    ----------
    name : str
        As in ``Verdict.bug``.

    Returns
    -------
    Bug

    Raises
    ------
    KeyError
        If no bug is called that.
    """
    for bug in BUGS:
        if bug.name == name:
            return bug
    raise KeyError(f"expected the name of a known bug, got {name!r}")
