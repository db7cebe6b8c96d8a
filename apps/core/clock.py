"""The one place that reads the wall clock; tests hold it still with `frozen`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_held: ContextVar[datetime | None] = ContextVar("lamplight_clock", default=None)


def now() -> datetime:
    """The current time, aware, in UTC."""
    return _held.get() or datetime.now(UTC)


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Hold `now()` at `at` (aware) within the block; this context only."""
    if at.tzinfo is None:
        raise ValueError("a frozen clock needs an aware datetime")
    token = _held.set(at.astimezone(UTC))
    try:
        yield
    finally:
        _held.reset(token)
