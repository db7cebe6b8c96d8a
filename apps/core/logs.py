"""Log lines as JSON: one object a line, with the request and the reconcile that they belong to."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from apps.core.middleware import request_id

__all__ = ["ContextFilter", "JsonFormatter", "bound"]

_bound: ContextVar[dict[str, Any] | None] = ContextVar("lamplight_log_fields", default=None)


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Every line that is logged inside carries these fields."""
    token = _bound.set({**(_bound.get() or {}), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


class ContextFilter(logging.Filter):
    """Puts what a line belongs to on its record, before it may cross to another thread."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.context = {**({"requestId": request_id()} if request_id() else {}), **(_bound.get() or {})}
        return True


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "logger", "message", "requestId", "reconcile", …, "exception"}`, without what is not known."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "context", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
