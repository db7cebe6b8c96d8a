"""Cursor paging: the next page starts behind the last object of this one, whatever came or went meanwhile."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q
from rest_framework.request import Request

from apps.core.domain.refusals import Refusal

DEFAULT_LIMIT = 100
MAX_LIMIT = 500


def limit_of(request: Request, *, default: int = DEFAULT_LIMIT, most: int = MAX_LIMIT) -> int:
    """`?limit=`, between 1 and `most`. Raises Refusal (400)."""
    text = request.query_params.get("limit", str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not 1 <= int(text) <= most:
        raise Refusal(f"limit is a number from 1 to {most}, not {text[:40]}.")
    return int(text)


def encode_cursor(*position: Any) -> str:
    """An opaque cursor of the sort key of a page's last row."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def decode_cursor(text: str, *types: type) -> tuple[Any, ...]:
    """The inverse, checked against the types of the sort key. Raises Refusal (400)."""
    try:
        raw = base64.urlsafe_b64decode(text[:500] + "=" * (-len(text) % 4))
        position = json.loads(raw)
    except (ValueError, binascii.Error):
        position = None
    if not isinstance(position, list) or [type(p) for p in position] != list(types):
        raise Refusal("This cursor is not one that a list has given out: start again without it.")
    return tuple(position)


def page_of_objects(rows: Any, request: Request) -> tuple[Sequence[Any], str | None]:
    """One page of a DeclaredObject queryset in the order of team and name, and the cursor of the next, if any."""
    limit = limit_of(request)
    if cursor := request.query_params.get("cursor"):
        team, name = decode_cursor(cursor, str, str)
        rows = rows.filter(Q(team__gt=team) | Q(team=team, name__gt=name))
    found = list(rows.order_by("team", "name")[: limit + 1])
    if len(found) <= limit:
        return found, None
    return found[:limit], encode_cursor(found[limit - 1].team, found[limit - 1].name)


def to_micros(at: datetime) -> int:
    """A time in a cursor: microseconds since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The inverse of `to_micros`. Raises Refusal (400) for what is no time."""
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        raise Refusal("This cursor is not one that a list has given out: start again without it.") from None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
