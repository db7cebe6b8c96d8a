"""Shares and times of an SLO as people say them: 99.5 %, 500 ms, 28 d."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from apps.core.domain.units import format_duration, format_fraction

__all__ = ["duration_in_words", "fraction_in_words", "share_in_words", "time_in_words", "windows_in_words"]

_UNIT = re.compile(r"(?<=\d)(?=[a-z])")
_SPOKEN = {"m": "min"}
_WINDOWS = {"5m": "5 min", "30m": "30 min", "1h": "1 h", "6h": "6 h", "3d": "3 d"}


def fraction_in_words(fraction: Decimal) -> str:
    """A declared fraction: 99.5 %."""
    return format_fraction(fraction).replace("%", " %")


def share_in_words(share: float) -> str:
    """A measured share to a hundredth of a percent; what is not all is never called 100 %."""
    text = fraction_in_words(Decimal(f"{share:.4f}"))
    return "more than 99.99 %" if text == "100 %" and share < 1 else text


def duration_in_words(duration: timedelta) -> str:
    """A declared duration, exactly: 500 ms, 90 min, 28 d."""
    number, unit = _UNIT.split(format_duration(duration))
    return f"{number} {_SPOKEN.get(unit, unit)}"


def time_in_words(seconds: float) -> str:
    """About how long: 40 min, 5.2 h, 12 d."""
    if seconds < 5400:
        return f"{max(1, round(seconds / 60))} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.2g} h"
    return f"{seconds / 86_400:.2g} d"


def windows_in_words(pair: str) -> tuple[str, ...]:
    """The windows of a pair of burn rates by its name: 5 min and 1 h of 5m/1h."""
    return tuple(_WINDOWS.get(name, name) for name in pair.split("/"))
