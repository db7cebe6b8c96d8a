"""Reads of the audit room."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Q, QuerySet

from apps.audit.domain.chain import GENESIS, first_break
from apps.audit.models import ChangeRecord, Event
from apps.audit.services import chained_fields


def events(
    *, teams: frozenset[str] | None, kind: str | None = None, team: str | None = None, name: str | None = None
) -> QuerySet[Event]:
    """Events of these teams (None: all), narrowed, newest first."""
    return _narrowed(Event.objects.all(), teams, kind, team, name).order_by("-last_at", "-id")


def changes(
    *, teams: frozenset[str] | None, kind: str | None = None, team: str | None = None, name: str | None = None
) -> QuerySet[ChangeRecord]:
    """Change records of these teams (None: all), narrowed, newest first."""
    return _narrowed(ChangeRecord.objects.all(), teams, kind, team, name).order_by("-id")


def _narrowed(
    rows: QuerySet[Any], teams: frozenset[str] | None, kind: str | None, team: str | None, name: str | None
) -> QuerySet[Any]:
    wanted = {"kind": kind, "team": team, "name": name}
    query = Q(**{field: value for field, value in wanted.items() if value})
    return rows.filter(query) if teams is None else rows.filter(query, team__in=teams)


def first_broken_change() -> int | None:
    """The id of the first change record that was edited, or that follows a removed one; None for a whole chain."""

    def links() -> Iterator[tuple[int, str, str, dict[str, object]]]:
        for record in ChangeRecord.objects.order_by("id").iterator(chunk_size=500):
            yield record.id, record.previous_digest, record.digest, chained_fields(record)

    return first_break(links(), GENESIS)
