"""`from`, `to` and `step` of a request's query."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from rest_framework.request import Request

from apps.core.domain.refusals import Refusal

__all__ = ["Range", "range_of"]


_MOMENT = "a moment in Unix seconds or ISO 8601"
_FORMS = {"from": _MOMENT, "to": _MOMENT, "step": "a number of seconds"}


@dataclass(frozen=True, slots=True)
class Range:
    """A span of time in Unix seconds; `step` (seconds) is None where the caller is to choose."""

    start: float
    end: float
    step: float | None


def range_of(request: Request, *, now: float, default: float, longest: float) -> Range:
    """The range that a query asks for: `default` seconds up to `now` when it says nothing. Raises Refusal."""
    end = _instant(request, "to", now)
    start = _instant(request, "from", end - default)
    if start >= end:
        raise Refusal("`from` must lie before `to`.")
    if end - start > longest:
        raise Refusal(f"`from` and `to` lie more than {longest / 86400:g} days apart; ask for a shorter range.")
    text = request.query_params.get("step", "")
    if not text:
        return Range(start, end, None)
    step = _number("step", text.removesuffix("s"))
    if step < 1:
        raise Refusal("`step` must be one second or more.")
    return Range(start, end, step)


def _instant(request: Request, name: str, default: float) -> float:
    text = request.query_params.get(name, "")
    if not text:
        return default
    # a number first: some numbers are also a date of ISO 8601 without its hyphens
    try:
        seconds = float(text)
    except ValueError:
        seconds = _iso(text)
    if not 0 <= seconds < 4e9:
        raise Refusal(f"`{name}` is {_FORMS[name]}, not {text[:40]}.")
    return seconds


def _iso(text: str) -> float:
    """Unix seconds; NaN for what is no moment."""
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return math.nan
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Refusal(f"`{name}` is {_FORMS[name]}, not {text[:40]}.")
    return value
