import math
from fractions import Fraction

import numpy as np
import pytest

from bn_tutorial._expect import expect_integer, expect_kind, expect_number


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (5, list, "x: expected a list, got an int"),
        (None, str, "x: expected a str, got None"),
        (int, str, "x: expected a str, got a type"),
        ([], (np.ndarray, type(None)), "x: expected an ndarray or None, got a list"),
        ("a", (int, float), "x: expected an int or a float, got a str"),
    ],
)
def test_another_kind_of_object_is_a_type_error_that_names_both(value, kind, message):
    with pytest.raises(TypeError) as caught:
        expect_kind("x", value, kind)
    assert str(caught.value) == message


def test_the_right_kind_passes():
    expect_kind("x", 5, int)
    expect_kind("x", None, (str, type(None)))


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_an_integer_becomes_an_int(value):
    assert type(expect_integer("x", value, 3)) is int
    assert expect_integer("x", value) == 3


@pytest.mark.parametrize("value", [True, np.True_, 3.0, "3", None, math.nan, Fraction(3)])
def test_what_is_no_integer_is_refused(value):
    with pytest.raises(ValueError, match=r"^x: expected an integer, got ") as caught:
        expect_integer("x", value)
    assert str(caught.value).endswith(repr(value))


def test_a_small_integer_is_refused_with_the_reason():
    with pytest.raises(ValueError, match=r"^x: expected an integer of at least 2 here, got 1$"):
        expect_integer("x", 1, 2, why=" here")


def test_a_large_integer_is_refused_with_the_bound():
    assert expect_integer("x", 3, most=3) == 3
    with pytest.raises(ValueError, match=r"^x: expected an integer of at most 3, got 4$"):
        expect_integer("x", 4, most=3)


@pytest.mark.parametrize("value", [1, 1.0, Fraction(1), np.float32(1), np.int64(1), np.float64(1)])
def test_a_number_becomes_a_float(value):
    assert type(expect_number("x", value, 1, 1)) is float
    assert expect_number("x", value) == 1


@pytest.mark.parametrize(
    "value", [True, np.True_, math.nan, np.float32("nan"), math.inf, -math.inf, 10**400, 1j, "1"]
)
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(ValueError, match=r"^x: expected a finite number, got ") as caught:
        expect_number("x", value)
    assert str(caught.value).endswith(repr(value))


@pytest.mark.parametrize(
    ("value", "bounds", "words"),
    [
        (-1, (0,), "at least 0"),
        (2, (-math.inf, 1), "at most 1"),
        (2, (0, 1), "at least 0 and at most 1"),
    ],
)
def test_a_number_out_of_bounds_is_refused_with_them(value, bounds, words):
    with pytest.raises(ValueError, match=words) as caught:
        expect_number("x", value, *bounds)
    assert str(caught.value) == f"x: expected a finite number of {words}, got {value}"
