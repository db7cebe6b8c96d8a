"""Formulas that go through plain numbers where a batch has one row give the bits that arrays give."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.autoscaling.domain import arrays

numbers = st.floats(-1e6, 1e6) | st.sampled_from([0.0, math.nan, math.inf, -math.inf])
positive = st.floats(1e-9, 1e6)


def bits(value: Any) -> bytes:
    assert type(value) in (float, bool), f"{value!r} is not plain"
    number = float(value)
    return b"nan" if math.isnan(number) else struct.pack("d", number + 0.0)


@pytest.mark.parametrize("name", ["larger", "smaller"])
@given(numbers, numbers)
def test_of_two_numbers_as_of_two_arrays(name: str, left: float, right: float) -> None:
    function: Callable[..., Any] = getattr(arrays, name)
    many = function(np.array([left, 1.0]), np.array([right, 1.0]))
    assert bits(function(left, right)) == bits(many[0].item())


@pytest.mark.parametrize("name", ["exp", "log", "log1p", "expm1", "sqrt", "floor", "ceil", "finite", "known"])
@given(positive.filter(lambda value: value < 700))
def test_of_a_number_as_of_an_array(name: str, value: float) -> None:
    function: Callable[..., Any] = getattr(arrays, name)
    many = function(np.array([value] * 9))
    assert {bits(function(value))} == {bits(item) for item in many.tolist()}


@pytest.mark.parametrize("name", ["exp", "floor", "ceil", "finite", "known"])
@given(numbers.filter(lambda value: not 700 < value < math.inf))
def test_of_any_number_as_of_an_array(name: str, value: float) -> None:
    """What is not known (NaN) or without bounds stays so, and raises nothing."""
    function: Callable[..., Any] = getattr(arrays, name)
    assert bits(function(value)) == bits(function(np.array([value] * 9))[0].item())


@given(numbers, st.floats(-10, 0), st.floats(1, 10))
def test_clipped(value: float, low: float, high: float) -> None:
    assert bits(arrays.clipped(value, low, high)) == bits(arrays.clipped(np.array([value, value]), low, high)[1].item())  # type: ignore[arg-type]


@given(st.booleans(), numbers, numbers)
def test_where_and_only(these: bool, left: float, right: float) -> None:
    several = np.array([these, these])
    assert bits(arrays.where(these, left, right)) == bits(np.where(several, left, right)[0].item())
    assert arrays.no(these) is not these
    assert arrays.anywhere(these) == arrays.anywhere(several) == these
    table = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert (arrays.only(several, table) == (table if these else 0 * table)).all()
    assert (arrays.only(these, table[:1]) == (table[:1] if these else 0 * table[:1])).all()


def test_figures_are_plain_for_one_row_only() -> None:
    one, two = np.array([2.5]), np.array([2.5, 3.5])
    assert type(arrays.lone(one)) is float
    assert arrays.lone(two) is two
    assert (arrays.rows_of(arrays.lone(one)) == one).all()
    assert arrays.table(arrays.columns(np.array([[1.0, 2.0]]))).tolist() == [[1.0, 2.0]]
    assert arrays.table(arrays.columns(np.array([[1.0, 2.0], [3.0, 4.0]]))).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert (arrays.column(one) * np.array([[1.0, 2.0]])).tolist() == [[2.5, 5.0]]
    assert (arrays.column(two) * np.array([[1.0], [2.0]])).tolist() == [[2.5], [7.0]]
