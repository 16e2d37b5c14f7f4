"""How what answers did is compared: with what is right, and with each other."""

import numpy as np

from bn_tutorial.checks.observe import Complaint

FLOOR = 1e-3  # below this size of the largest number a tolerance stops shrinking


def difference(seen, expected, tolerance):
    """Return what is wrong with one observation, in words, or None.

    The tolerance is relative to the largest expected number of an output.
    """
    if seen.problem:
        return seen.problem
    tolerance *= seen.slack
    for name, want in expected.values.items():
        got = seen.values.get(name, Complaint("is missing"))
        if isinstance(got, Complaint):
            return f"{name}: {got}"
        if wrong := _array_difference(name, got, want, tolerance, seen.fragile):
            return wrong
    return None


def _array_difference(name, got, want, tolerance, fragile):
    got = _fit(got, want)
    if got.shape != want.shape:
        return f"{name} has shape {got.shape}, expected {want.shape}"
    apart = np.abs(got - want)
    if not np.isfinite(got).all():
        apart = np.where(np.isfinite(got), 0.0, 1.0)
    elif (apart <= _allowed(want, tolerance)).all():
        return None
    if fragile:  # what rounding makes of a wrong formula differs between machines
        return f"{name} is far from what was expected"
    # the first of the worst: which of them is the very worst may be a matter of rounding
    at = np.unravel_index(np.argmax(apart > 0.9 * apart.max()), want.shape)
    place = f"{name}[{', '.join(map(str, at))}]" if at else name
    return f"{place} is {got[at]:.5g}, expected {want[at]:.5g}"


def _fit(got, want):
    """Let a row (1, H) stand for (H,)."""
    row = want.ndim == 1 and got.shape == (1, *want.shape)
    return got.reshape(want.shape) if row else got


def _allowed(want, tolerance):
    return tolerance * max(np.abs(want).max(initial=0.0), FLOOR)


def alike(seen, other, expected, tolerance):
    """Return whether two observations of the same input show the same behaviour.

    ``expected`` is a list of what right answers do with it.
    """
    if seen.fragile:  # difference() knows of slack
        right = [any(not difference(o, e, tolerance) for e in expected) for o in (seen, other)]
        return right[0] == right[1]
    if (seen.error_type, seen.stub) != (other.error_type, other.stub):
        return False
    if seen.error_type is None and seen.problem != other.problem:
        return False
    tolerance *= seen.slack
    return seen.values.keys() == other.values.keys() and all(
        _alike_arrays(value, other.values[name], tolerance) for name, value in seen.values.items()
    )


def _alike_arrays(a, b, tolerance):
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
        return type(a) is type(b) and a == b
    a, b = _fit(a, b), _fit(b, a)
    if a.shape != b.shape:
        return False
    with np.errstate(invalid="ignore"):  # the distance of two infinities
        close = np.abs(a - b) <= _allowed(b[np.isfinite(b)], tolerance)
    return bool((close | (a == b) | np.isnan(a) & np.isnan(b)).all())
