"""Quantities with a unit, as fields of documents: durations, byte sizes, fractions, money per hour.

A document never holds a bare number of unknown unit. Each type here reads a string, refuses a bare number with a
sentence, and writes one canonical string back, so that a value survives export and apply:

| field type   | in the document                 | in Python                      |
|--------------|---------------------------------|--------------------------------|
| `Duration`   | `500ms`, `10m`, `1h30m`, `28d`  | `timedelta`, to the microsecond |
| `ByteSize`   | `64Gi`, `500M`, `1024B`         | `int` bytes                    |
| `Fraction`   | `95%`, `99.9%`                  | `Decimal` 0 … 1                |
| `MoneyRate`  | `3.20 USD/h`                    | `HourlyPrice`                  |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, GetPydanticSchema, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

_MICROSECONDS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_DURATION = re.compile(r"(?:[0-9]{1,19}(?:\.[0-9]{1,6})?(?:us|ms|s|m|h|d))+")
_DURATION_PART = re.compile(r"([0-9.]+)(us|ms|s|m|h|d)")
# datetime's own limit: more would overflow a timedelta
_LONGEST = timedelta(days=36_500)

_BYTES = {"B": 1, **{p: 1000**i for i, p in enumerate("kMGTPE", 1)}}
_BYTES |= {f"{p}i": 1024**i for i, p in enumerate("KMGTPE", 1)}
_BYTE_SIZE = re.compile(rf"([0-9]{{1,20}}(?:\.[0-9]{{1,9}})?)({'|'.join(sorted(_BYTES, key=len, reverse=True))})")
_MOST_BYTES = 2**63 - 1

_FRACTION = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?)%")
_PRICE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ([A-Z]{3})/h")


@dataclass(frozen=True, slots=True, order=True)
class HourlyPrice:
    """An amount of money per hour; `currency` is an ISO 4217 code."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        places = max(2, -int(self.amount.as_tuple().exponent))
        return f"{self.amount:.{places}f} {self.currency}/h"


def parse_duration(text: object) -> timedelta:
    """`500ms`, `30s`, `10m`, `1h30m`, `28d` as a timedelta; raises ValueError with a sentence."""
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise ValueError(
            f"{_shown(text)} is not a duration: write a number with its unit, as 500ms, 30s, 10m, 2h or 28d"
        )
    total = sum(Decimal(number) * _MICROSECONDS[unit] for number, unit in _DURATION_PART.findall(text))
    if total != int(total):
        raise ValueError(f"{_shown(text)} is finer than a microsecond")
    if total > _LONGEST // timedelta(microseconds=1):
        raise ValueError(f"{_shown(text)} is longer than a hundred years")
    return timedelta(microseconds=int(total))


def format_duration(value: timedelta) -> str:
    """The canonical string: one whole number in the largest unit that divides the value (`90s`, not `1m30s`)."""
    micros = value // timedelta(microseconds=1)
    if micros == 0:
        return "0s"
    unit, size = next((u, s) for u, s in reversed(_MICROSECONDS.items()) if micros % s == 0)
    return f"{micros // size}{unit}"


def parse_bytes(text: object) -> int:
    """`64Gi`, `1.5Gi`, `500M`, `12B` as bytes; raises ValueError with a sentence."""
    match = _BYTE_SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{_shown(text)} is not a byte size: write a number with its unit, as 512Mi, 64Gi or 2T")
    value = Decimal(match[1]) * _BYTES[match[2]]
    if value != int(value):
        raise ValueError(f"{_shown(text)} is not a whole number of bytes")
    if value > _MOST_BYTES:
        raise ValueError(f"{_shown(text)} is more than {format_bytes(_MOST_BYTES)} bytes")
    return int(value)


def format_bytes(value: int) -> str:
    """The canonical string: one whole number in the largest unit that divides the value."""
    if value == 0:
        return "0B"
    number, unit = min((value // size, unit) for unit, size in _BYTES.items() if value % size == 0)
    return f"{number}{unit}"


def parse_fraction(text: object) -> Decimal:
    """`95%` as Decimal("0.95"); raises ValueError with a sentence."""
    match = _FRACTION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{_shown(text)} is not a fraction: write a percentage, as 95% or 99.9%")
    value = Decimal(match[1]) / 100
    if value > 1:
        raise ValueError(f"{_shown(text)} is more than 100%")
    return value


def format_fraction(value: Decimal) -> str:
    """Decimal("0.95") as `95%`."""
    percent = format((value * 100).normalize(), "f")
    return f"{percent}%"


def parse_price(text: object) -> HourlyPrice:
    """`3.20 USD/h` as an HourlyPrice; raises ValueError with a sentence."""
    match = _PRICE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{_shown(text)} is not a price: write amount, currency and /h, as 3.20 USD/h")
    return HourlyPrice(Decimal(match[1]).normalize(), match[2])


def _shown(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _reader(parse: Any, python_type: type) -> BeforeValidator:
    def read(value: object) -> Any:
        if isinstance(value, python_type) and not isinstance(value, bool) and python_type is not int:
            return value
        try:
            return parse(value)
        except ValueError as refused:
            raise PydanticCustomError("unit", "{sentence}", {"sentence": str(refused)}) from None

    return BeforeValidator(read)


def _python(python_type: type) -> GetPydanticSchema:
    return GetPydanticSchema(lambda _source, _handler: core_schema.is_instance_schema(python_type))


def _string(pattern: re.Pattern[str], description: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "string", "pattern": f"^{pattern.pattern}$", "description": description, "examples": list(examples)}
    )


Duration = Annotated[
    timedelta,
    _python(timedelta),
    _reader(parse_duration, timedelta),
    PlainSerializer(format_duration, return_type=str),
    _string(_DURATION, "A length of time with its unit.", "500ms", "10m", "28d"),
]
ByteSize = Annotated[
    int,
    _python(int),
    _reader(parse_bytes, int),
    PlainSerializer(format_bytes, return_type=str),
    _string(_BYTE_SIZE, "An amount of memory or storage with its unit.", "64Gi"),
]
Fraction = Annotated[
    Decimal,
    _python(Decimal),
    _reader(parse_fraction, Decimal),
    PlainSerializer(format_fraction, return_type=str),
    _string(_FRACTION, "A fraction as a percentage.", "95%"),
]
MoneyRate = Annotated[
    HourlyPrice,
    _python(HourlyPrice),
    _reader(parse_price, HourlyPrice),
    PlainSerializer(str, return_type=str),
    _string(_PRICE, "Money per hour.", "3.20 USD/h"),
]
