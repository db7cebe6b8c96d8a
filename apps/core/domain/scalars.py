"""What a plain (unquoted) YAML scalar means here: the core schema of YAML 1.2, made stricter.

`no`, `on`, `yes` and dates are text, as in YAML 1.2 and JSON. Numbers that readers disagree about (`010` is 8 to some
and 10 to others), NaN and infinities are refused rather than guessed.
"""

from __future__ import annotations

import math
import re

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("true", "True", "TRUE"))
_FALSE = frozenset(("false", "False", "FALSE"))
_INTEGER = re.compile(r"[-+]?[0-9]+")
_HEX_OR_OCTAL = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")
_LARGEST = 2**63 - 1

Scalar = None | bool | int | float | str


def resolve(text: str) -> Scalar:
    """The value of a plain scalar. Raises ValueError with a sentence for what is refused."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not a number that can be stored; put it in quotes if it is meant as text")
    if _HEX_OR_OCTAL.fullmatch(text) and len(text) <= 24:
        return _bounded(int(text, 0), text)
    if _FLOAT.fullmatch(text):
        if _LEADING_ZERO.match(text):
            raise ValueError(
                f"{text} is octal to some readers and decimal to others: "
                "write it without the leading zero, or in quotes if it is text"
            )
        return number(text)
    return text


def number(text: str) -> int | float:
    """A decimal number, an int where it has neither fraction nor exponent; raises ValueError out of range."""
    if _INTEGER.fullmatch(text):
        if len(text) > 20:
            raise ValueError(f"{text[:20]}… is larger than 2^63-1")
        return _bounded(int(text), text)
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:30]} is out of the range of numbers")
    return value


def is_text(text: str) -> bool:
    """Whether a plain scalar of these characters would be read back as this very text."""
    try:
        return resolve(text) == text
    except ValueError:
        return False


def _bounded(value: int, text: str) -> int:
    if abs(value) > _LARGEST:
        raise ValueError(f"{text} is larger than 2^63-1")
    return value
