"""What an argument must be: the checks that every public entrance shares, and their one wording."""

import math
import re
from numbers import Integral, Real

# spoken with a vowel first: "an int", "an ndarray", but "a Unit"
VOWEL = re.compile(r"[aeio]|u(?!ni|se)|ndarray", re.IGNORECASE)


def expect_kind(name: str, value: object, kind: type | tuple[type, ...]) -> None:
    """Refuse an object of another kind.

    Parameters
    ----------
    name : str
        Of the argument.
    value : object
    kind : type or tuple of types

    Raises
    ------
    TypeError

    Examples
    --------
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
    name: str, value: object, least: int | None = None, most: int | None = None, *, why: str = ""
) -> int:
    """Return an integer, Python's or NumPy's, as an int.

    Parameters
    ----------
    name : str
        Of the argument.
    value : object
    least, most : int, optional
    why : str
        Follows them in the message, such as ``" with batch norm"``.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        Also for a bool.

    Examples
    --------
    >>> expect_integer("batch_size", 1, 2, why=" with batch norm")
    Traceback (most recent call last):
    ...
    ValueError: batch_size: expected an integer of at least 2 with batch norm, got 1
    """
    is_integer = isinstance(value, Integral) and not isinstance(value, bool)
    if is_integer and (least is None or value >= least) and (most is None or value <= most):
        return int(value)
    raise ValueError(f"{name}: expected an integer{_within(least, most)}{why}, got {value!r}")


def expect_number(
    name: str, value: object, least: float | None = None, most: float | None = None
) -> float:
    """Return a finite number, such as an int, a fraction or one of NumPy's, as a float.

    Parameters
    ----------
    name : str
        Of the argument.
    value : object
    least, most : float, optional

    Returns
    -------
    float

    Raises
    ------
    ValueError
        Also for a bool.

    Examples
    --------
    >>> expect_number("momentum", 1.5, 0, 1)
    Traceback (most recent call last):
    ...
    ValueError: momentum: expected a finite number of at least 0 and at most 1, got 1.5
    """
    low, high = -math.inf if least is None else least, math.inf if most is None else most
    if isinstance(value, Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # an integer too large for a float
            number = math.inf
        if math.isfinite(number) and low <= number <= high:
            return number
    raise ValueError(f"{name}: expected a finite number{_within(least, most)}, got {value!r}")


def _within(least, most):
    bounds = [f"at {end} {x}" for end, x in (("least", least), ("most", most)) if x is not None]
    return f" of {' and '.join(bounds)}" if bounds else ""


def _one(kind):
    if kind is type(None):
        return "None"
    return f"{'an' if VOWEL.match(kind.__name__) else 'a'} {kind.__name__}"
