"""Quantities: the canonical form is what a real server answers, and it never changes the value."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.embedded.apiserver.domain import quantity


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("0.5", "500m"),
        ("1024Mi", "1Gi"),
        ("1000Mi", "1000Mi"),
        (1, "1"),
        (0.25, "250m"),
        ("1000m", "1"),
        ("1000", "1k"),
        ("0", "0"),
        ("0Gi", "0"),
        ("1.5Gi", "1536Mi"),
        ("64Gi", "64Gi"),
        ("2048", "2048"),
        ("-500m", "-500m"),
        ("1e3", "1e3"),
        ("12E", "12E"),
    ],
)
def test_canonical_form(given_text: str, shown: str) -> None:
    assert quantity.canonical(given_text) == shown


@pytest.mark.parametrize("text", ["", "lots", "1 Gi", "Gi", "1.2.3", "0x10", "1KB", "--1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(quantity.QuantityError, match="quantities must match"):
        quantity.canonical(text)


SUFFIXES = st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "Ti"])


@given(st.integers(-10_000, 10_000), SUFFIXES)
def test_the_canonical_form_keeps_the_value_and_is_final(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    shown = quantity.canonical(text)
    assert quantity.parse(shown) == quantity.parse(text)
    assert quantity.canonical(shown) == shown


def test_finer_than_a_billionth_is_rounded_up() -> None:
    assert quantity.parse("0.0000000001") == Decimal("1e-9")
