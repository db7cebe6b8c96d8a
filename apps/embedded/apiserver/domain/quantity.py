"""Resource quantities such as ``500m``, ``64Gi`` or ``1e3``: reading them, and the form that the server writes.

Rules of k8s.io/apimachinery/pkg/api/resource: the suffix family is kept (binary stays binary if the value is a whole
number of it), the mantissa has no decimals, and the largest suffix that allows this is taken.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

PATTERN = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_QUANTITY = re.compile(r"([+-]?)([0-9]+\.?[0-9]*|\.[0-9]+)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?[0-9]+)?")
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
NANO = Decimal("1e-9")


class QuantityError(ValueError):
    def __init__(self) -> None:
        super().__init__(f"quantities must match the regular expression '{PATTERN}'")


def parse(text: str | int | float) -> Decimal:
    """The value as a number, rounded up to a whole number of 1e-9. QuantityError when it cannot be read."""
    value, _ = _read(str(text))
    return value


def canonical(text: str | int | float) -> str:
    """The form that the server stores and shows. QuantityError when it cannot be read."""
    value, suffix = _read(str(text))
    if value == 0:
        return "0"
    if suffix in _BINARY and (abs(value) >= 1024 or value != value.to_integral_value()):
        if value == value.to_integral_value():
            return _scaled_binary(int(value))
        suffix = ""
    if suffix[:1] in ("e", "E") and suffix != "E":
        return _exponent(value)
    for letter, power in reversed(_DECIMAL.items()):
        scaled = value.scaleb(-power)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}{letter}"
    raise QuantityError


def _read(text: str) -> tuple[Decimal, str]:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise QuantityError
    sign, digits, suffix = match[1], match[2], match[3] or ""
    value = Decimal(sign + digits)
    if suffix in _BINARY:
        value *= 1024 ** _BINARY[suffix]
    elif suffix in _DECIMAL:
        value = value.scaleb(_DECIMAL[suffix])
    elif suffix:
        value = value.scaleb(int(suffix[1:]))
    if value != value.quantize(NANO) if abs(value) < Decimal("1e18") else False:
        value = value.quantize(NANO, rounding=ROUND_CEILING)
    return value, suffix


def _scaled_binary(value: int) -> str:
    for suffix, power in reversed(_BINARY.items()):
        if value % 1024**power == 0:
            return f"{value // 1024**power}{suffix}"
    return str(value)


def _exponent(value: Decimal) -> str:
    for power in (18, 15, 12, 9, 6, 3, 0, -3, -6, -9):
        scaled = value.scaleb(-power)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}e{power}" if power else str(int(scaled))
    raise QuantityError
