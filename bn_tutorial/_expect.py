"""What an argument must be: the checks that every public entrance shares, and their one wording."""

import re
from math import inf, isfinite
from numbers import Integral, Real

# spoken with a vowel first: "an int", "an ndarray", but "a Unit"
VOWEL = re.compile(r"[aeio]|u(?!ni|se)|ndarray", re.IGNORECASE)


def expect_kind(name: str, value: object, kind: type | tuple[type, ...]) -> None:
    """Raise a TypeError for an object of another kind.

    >>> expect_kind("words", 5, list)
    Traceback (most recent call last):
    ...
    TypeError: words: expected a list, got an int
    """
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        wanted = " or ".join(_one(kind) for kind in kinds)
        raise TypeError(f"{name}: expected {wanted}, got {_one(type(value))}")


def expect_integer(
    name: str, value: object, least: float = -inf, most: float = inf, *, why: str = ""
) -> int:
    """Return an integer, Python's or NumPy's, as an int; raise a ValueError for anything else.

    >>> expect_integer("batch_size", 1, 2, why=" with batch norm")
    Traceback (most recent call last):
    ...
    ValueError: batch_size: expected an integer of at least 2 with batch norm, got 1
    """
    is_integer = isinstance(value, Integral) and not isinstance(value, bool)
    if is_integer and least <= value <= most:
        return int(value)
    raise ValueError(f"{name}: expected an integer{_within(least, most)}{why}, got {value!r}")


def expect_number(name: str, value: object, least: float = -inf, most: float = inf) -> float:
    """Return an int, a fraction or one of NumPy's as a float; raise a ValueError for anything else.

    >>> expect_number("momentum", 1.5, 0, 1)
    Traceback (most recent call last):
    ...
    ValueError: momentum: expected a finite number of at least 0 and at most 1, got 1.5
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # an integer too large for a float
            number = inf
        if isfinite(number) and least <= number <= most:
            return number
    raise ValueError(f"{name}: expected a finite number{_within(least, most)}, got {value!r}")


def _within(least, most):
    bounds = [f"at {end} {x}" for end, x in (("least", least), ("most", most)) if isfinite(x)]
    return f" of {' and '.join(bounds)}" if bounds else ""


def _one(kind):
    if kind is type(None):
        return "None"
    return f"{'an' if VOWEL.match(kind.__name__) else 'a'} {kind.__name__}"
