"""Rows of signals as the tables hold them, and many rows written at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, models

from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.signals import Signals, rates_of
from apps.telemetry.models import SignalColumns

__all__ = ["columns_of", "insert", "signals_from"]

# of one statement
_ROWS_AT_ONCE = 500


def columns_of(pool: UUID, variant: str, at: datetime, row: Signals) -> dict[str, Any]:
    """A row as its columns."""
    return {
        "pool": pool,
        "variant": variant,
        "at": at,
        "seconds": row.seconds,
        "targets": row.targets,
        "scraped": row.scraped,
        "reason": row.reason,
        **row.to_json(),
    }


def signals_from(row: SignalColumns) -> Signals:
    """A stored row as the domain's."""
    return Signals(
        at=row.at.timestamp(),
        seconds=row.seconds,
        targets=row.targets,
        scraped=row.scraped,
        reason=row.reason,
        counts=row.counts,
        rates=rates_of(row.counts, row.seconds, row.rates),
        histograms={family: Histogram.from_json(buckets) for family, buckets in row.histograms.items()},
        gauges=row.gauges,
        replicas=row.replicas,
        sources=row.sources,
    )


def insert(table: type[models.Model], rows: Sequence[Mapping[str, Any]], *, key: Sequence[str] = ()) -> None:
    """Insert rows of the same columns; one whose `key` is there already takes its place, without `key` it is left out.

    Many rows are one text on the way: of arrays of texts, which Django sends, each quotation mark is quoted in Python.
    """
    if not rows:
        return
    fields = {name: table._meta.get_field(name) for name in rows[0]}
    names = ", ".join(fields)
    types = ", ".join(f"{name} {field.db_type(connection)}" for name, field in fields.items())
    conflict = "ON CONFLICT DO NOTHING"
    if key:
        changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in fields if name not in key)
        conflict = f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
    statement = (
        f"INSERT INTO {table._meta.db_table} ({names}) "  # noqa: S608  (our own names)
        f"SELECT {names} FROM jsonb_to_recordset(%s::jsonb) AS row({types}) {conflict}"
    )
    with connection.cursor() as cursor:
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            some = orjson.dumps(rows[first : first + _ROWS_AT_ONCE])
            cursor.execute(statement, [some.decode()])
