"""What a notebook says of its measurements, held against them where it is run."""

import math
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
import torch

from bn_tutorial._expect import expect_kind

OTHERWISE = (
    "With another recipe, seed or word list that can happen;"
    " the text then tells of the course's runs, not of yours."
)


def claim(
    sentence: str,
    holds: bool | np.bool_ | torch.Tensor,
    *,
    measured: str | Mapping[str, float] | None = None,
) -> None:
    """Print a claim, what was measured, and whether the claim holds; go on either way.

    Whoever tries another recipe or other words is told where that changes a result, and nothing
    stops. In the course's own notebooks a claim that breaks is noticed all the same: the tests
    compare what is printed. What has to be equal (ours and PyTorch's, say) is asserted instead.

    Parameters
    ----------
    sentence : str
    holds : bool
        Or a NumPy or torch scalar of bools, such as what ``.all()`` gives.
    measured : str or dict of str to number, optional
        The numbers that the claim is about. Those of a dict are rounded by ``in_words``; for other
        digits give the text.

    Raises
    ------
    TypeError
        If an argument is of another kind; never because the claim does not hold.

    Examples
    --------
    >>> claim("Batch norm ends lower in every seed", True, measured={"smallest lead": 0.0712})
    Claim: Batch norm ends lower in every seed. It holds.
      measured: smallest lead 0.071
    """
    expect_kind("sentence", sentence, str)
    verdict = "It holds." if _truth(holds) else "It does not hold here."
    lines = [f"Claim: {sentence.rstrip('.')}. {verdict}"]
    if measured is not None:
        lines.append(f"  measured: {_listed(measured)}")
    if not _truth(holds):
        lines.append(f"  {OTHERWISE}")
    print("\n".join(lines))


def in_words(number: float) -> str:
    """Return a number as it is told: with three digits, or two below 0.1.

    >>> [in_words(number) for number in (17.2191, 0.0712, 2e-7, 50_000)]
    ['17.2', '0.071', '2e-07', '50,000']
    """
    if isinstance(number, Integral) or abs(number) >= 999.5:
        return f"{number:,.0f}"
    return f"{number:.2g}" if abs(number) < 0.1 else f"{number:.3g}"


def about(number: float, *, parts: int = 2) -> str:
    """Return a number so coarsely that chaos can't be seen in it.

    Some networks are chaotic: rounding, which is not the same on all processors, changes all their
    digits, though hardly their size. Such a number is told by the nearest of 1, 3, 10, 30, ...

    Parameters
    ----------
    number : float
        Or a scalar of NumPy or torch.
    parts : int
        Of a power of ten: 1 stands for the nearest of 1, 10, 100, ...

    Examples
    --------
    >>> about(8.473), about(43.27), about(0.224, parts=1)
    ('about 10', 'about 30', 'about 0.1')
    """
    number = as_number("number", number)
    if not (number and math.isfinite(number)):
        return f"{number:g}"
    power = round(parts * math.log10(abs(number))) / parts
    return f"about {math.copysign(float(f'{10**power:.0e}'), number):g}"


def as_number(name: str, value: object) -> int | float:
    """Return a number, Python's or a scalar of NumPy or torch, as an int or float.

    Raises
    ------
    TypeError
        For anything else. It may be infinite or nan: that is a result too.
    """
    value = _scalar(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number, got {_found(value)}")
    return int(value) if isinstance(value, Integral) else float(value)


def _truth(holds):
    value = _scalar(holds)
    if not isinstance(value, bool):
        raise TypeError(f"holds: expected True or False, got {_found(value)}")
    return value


def _scalar(value):
    """Return Python's own number for a scalar of NumPy or torch, and anything else as it is."""
    is_scalar = isinstance(value, np.generic | np.ndarray | torch.Tensor) and value.ndim == 0
    return value.item() if is_scalar else value


def _found(value):
    if isinstance(value, np.ndarray | torch.Tensor):
        kind = "an ndarray" if isinstance(value, np.ndarray) else "a Tensor"
        return f"{kind} of shape {tuple(value.shape)}: take .all() or one element"
    return repr(value)


def _listed(measured):
    expect_kind("measured", measured, (str, Mapping))
    if isinstance(measured, str):
        return measured
    numbers = {name: as_number(f"measured[{name!r}]", value) for name, value in measured.items()}
    return ", ".join(f"{name} {in_words(number)}" for name, number in numbers.items())
