"""The library of known bugs: deliberately wrong batch norms, and what they mean.

It is used three times. A learner's wrong answer that behaves like one of them gets its
explanation; the bug clinic hands them out as patients; and the tests demand that every check
rejects all of its bugs and tells each from all others. Each is a few edits of right code.

>>> find_bug("momentum_reversed", "running_update").chapter
'05_running_statistics'
>>> len(bugs_of("batch_norm_layer")) >= 12
True
"""

from bn_tutorial.checks.bugs import (
    averages,
    backward,
    baselines,
    calibration,
    contexts,
    decades,
    folding,
    forward,
    layer,
    layer_memory,
    running,
)
from bn_tutorial.checks.bugs.bug import Bug

__all__ = ["BUGS", "Bug", "bugs_of", "find_bug"]

_MODULES = (
    *(forward, backward, running, calibration, folding, layer, layer_memory),
    *(contexts, baselines, averages, decades),  # of the assignments
)

BUGS = tuple(bug for module in _MODULES for bug in module.BUGS)


def bugs_of(check):
    """Return the list of bugs that belong to a check, as ``"batch_norm_forward"``."""
    return [bug for bug in BUGS if bug.check == check]


def find_bug(name, check=None):
    """Return the bug of a name.

    Parameters
    ----------
    name : str
        As in ``Verdict.bug``.
    check : str, optional
        The check that it belongs to. May be left out where only one check has a bug of that name.

    Raises
    ------
    KeyError
        If no bug is called that, or bugs of several checks are.
    """
    found = [bug for bug in BUGS if bug.name == name and check in (None, bug.check)]
    if len(found) > 1:
        checks = ", ".join(bug.check for bug in found)
        raise KeyError(f"check: expected one of {checks} with the name {name!r}")
    if not found:
        of = "" if check is None else f" of {check}"
        raise KeyError(f"expected the name of a known bug{of}, got {name!r}")
    return found[0]
