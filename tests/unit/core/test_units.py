from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.domain import units
from apps.core.domain.documents import Spec
from apps.core.domain.refusals import Invalid


class Quantities(Spec):
    duration: units.Duration | None = None
    size: units.ByteSize | None = None
    fraction: units.Fraction | None = None
    price: units.MoneyRate | None = None


@given(st.timedeltas(timedelta(0), timedelta(days=36_500)))
def test_a_duration_survives_writing_and_reading(value: timedelta) -> None:
    assert units.parse_duration(units.format_duration(value)) == value


@given(st.integers(0, 2**63 - 1))
def test_a_byte_size_survives_writing_and_reading(value: int) -> None:
    assert units.parse_bytes(units.format_bytes(value)) == value


@given(st.decimals(0, 100, places=6))
def test_a_fraction_survives_writing_and_reading(percent: Decimal) -> None:
    value = units.parse_fraction(f"{percent:f}%")
    assert value == percent / 100
    assert units.parse_fraction(units.format_fraction(value)) == value


@given(st.decimals(0, 10**8, places=4), st.sampled_from(["USD", "EUR"]))
def test_a_price_survives_writing_and_reading(amount: Decimal, currency: str) -> None:
    value = units.parse_price(f"{amount:f} {currency}/h")
    assert (value.amount, value.currency) == (amount, currency)
    assert units.parse_price(str(value)) == value


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("120s", "2m"), ("1h30m", "90m"), ("0.5s", "500ms"), ("0ms", "0s"), ("24h", "1d"), ("90s", "90s")],
)
def test_durations_have_one_spelling(text: str, canonical: str) -> None:
    assert units.format_duration(units.parse_duration(text)) == canonical


@pytest.mark.parametrize(("text", "canonical"), [("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("1000k", "1M"), ("7B", "7B")])
def test_byte_sizes_have_one_spelling(text: str, canonical: str) -> None:
    assert units.format_bytes(units.parse_bytes(text)) == canonical


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("duration", 500, "500 is not a duration: write a number with its unit"),
        ("duration", "500", '"500" is not a duration'),
        ("duration", "-5s", "is not a duration"),
        ("duration", "5 s", "is not a duration"),
        ("duration", "0.0001ms", "finer than a microsecond"),
        ("duration", "999999999d", "longer than a hundred years"),
        ("size", 64, "64 is not a byte size"),
        ("size", "64GB", "is not a byte size"),
        ("size", "99999999999E", "is more than"),
        ("size", "0.3B", "not a whole number of bytes"),
        ("fraction", 0.95, "0.95 is not a fraction: write a percentage"),
        ("fraction", "101%", "more than 100%"),
        ("price", "3.20", "is not a price"),
        ("price", "3.20 usd/h", "is not a price"),
    ],
)
def test_a_wrong_quantity_is_refused_with_a_sentence(field: str, value: object, sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        Quantities.from_document({field: value})
    (fault,) = refused.value.faults
    assert fault.pointer == f"/spec/{field}"
    assert sentence in fault.detail
    assert fault.detail.startswith(f"spec.{field}: ")


def test_quantities_are_written_in_canonical_form() -> None:
    spec = Quantities.from_document(
        {"duration": "1h30m", "size": "65536Mi", "fraction": "99.90%", "price": "3.2 USD/h"}
    )
    assert spec.to_document() == {"duration": "90m", "size": "64Gi", "fraction": "99.9%", "price": "3.20 USD/h"}
    assert Quantities.from_document(spec.to_document()) == spec
