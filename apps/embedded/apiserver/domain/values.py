"""Equality of JSON values as Go has it, where Python takes true for 1, and how Go writes whole numbers down."""

from __future__ import annotations

from typing import Any

_MOST_WHOLE = 2.0**63


def same(one: Any, other: Any) -> bool:
    """Equal for ownership and for the store: a number is its value however it is written, a boolean is no number."""
    return bool(one == other) and _alike(one, other, bool)


def identical(one: Any, other: Any) -> bool:
    """As ``same``, but 1 and 1.0 differ, too: as in what a client sent and what was stored."""
    return bool(one == other) and _alike(one, other, (bool, float))


def _alike(one: Any, other: Any, kinds: type | tuple[type, ...]) -> bool:
    """Of two that are equal for Python: is the one of ``kinds`` wherever the other is?"""
    if isinstance(one, dict):
        return all(_alike(value, other[key], kinds) for key, value in one.items())
    if isinstance(one, list):
        return all(_alike(value, beside, kinds) for value, beside in zip(one, other, strict=True))
    return isinstance(one, kinds) is isinstance(other, kinds)


def written(value: Any) -> Any:
    """``value`` as it is read back: 2.0 is written as 2. Changes it in place."""
    if isinstance(value, dict):
        for key, child in value.items():
            if isinstance(child, (dict, list, float)):
                value[key] = written(child)
    elif isinstance(value, list):
        value[:] = map(written, value)
    elif isinstance(value, float) and value.is_integer() and abs(value) < _MOST_WHOLE:
        return int(value)
    return value
