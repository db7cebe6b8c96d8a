"""Rows of signals out of Postgres: whole ones, or only the names that somebody reads.

A row holds some two hundred names, and a chart reads three of them. New rows stand in tables of rows, older ones in
blocks (apps.telemetry.packing).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction

from apps.core import clock, prepared
from apps.telemetry.domain.blocks import FIELDS, Wanted, unpack
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.signals import Signals, rates_of
from apps.telemetry.partitions import BLOCKS, YOUNGEST_BLOCK

__all__ = ["COLUMNS", "Wanted", "fetch", "fetch_rows", "oldest_row", "pools_with_rows", "statement_deadline", "wanted"]

COLUMNS = FIELDS

_PLAIN = "pool, variant, extract(epoch from at)::float8, seconds, targets, scraped, reason"
_NUMBERS = {"counts": "float8", "rates": "float8", "gauges": "float8", "replicas": "int"}


def wanted(names: Iterable[str]) -> dict[str, list[str] | None]:
    """`column:name`, … by column."""
    found: dict[str, list[str] | None] = {}
    for name in sorted(names):
        column, _, key = name.partition(":")
        of_column = found.setdefault(column, [])
        if key.endswith("*"):
            # an open set: the whole column, names are known only when it is there
            found[column] = None
        elif of_column is not None:
            of_column.append(key)
    return found


@contextmanager
def statement_deadline(seconds: float) -> Iterator[None]:
    """No statement inside takes longer: the database ends it with an OperationalError."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {round(seconds * 1000)}")
        yield


def fetch(
    table: str,
    pools: Sequence[UUID],
    *,
    after: datetime,
    until: datetime,
    variant: str | None = None,
    want: Wanted | None = None,
) -> Iterator[tuple[UUID, str, Signals]]:
    """(pool, variant, row) in (after, until] in the order of time; of one `variant`, or of all. `want` None: all.

    `table`: the name of one of the signals tables, never from outside.
    """
    if table not in BLOCKS or after >= clock.now() - YOUNGEST_BLOCK:
        yield from fetch_rows(table, pools, after=after, until=until, variant=variant, want=want)
        return
    # rows first: what is packed between the two questions is found twice, never missed
    rows = list(fetch_rows(table, pools, after=after, until=until, variant=variant, want=want))
    packed = list(_fetch_blocks(table, pools, after=after, until=until, variant=variant, want=want))
    if packed:
        seen = {(pool, of, row.at) for pool, of, row in rows}
        rows += [found for found in packed if (found[0], found[1], found[2].at) not in seen]
        rows.sort(key=lambda found: found[2].at)
    yield from rows


def pools_with_rows(table: str, *, after: datetime, until: datetime) -> list[UUID]:
    """Pools that have rows in (after, until], in a fixed order; those of a block that only may have some, too."""
    blocks = BLOCKS[table]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT pool FROM {table} WHERE at > %s AND at <= %s "  # noqa: S608  (our own names)
            f"UNION SELECT pool FROM {blocks.table.name} WHERE start > %s AND start < %s ORDER BY pool",
            [after, until, after - blocks.span, until],
        )
        return [pool for (pool,) in cursor.fetchall()]


def oldest_row(table: str) -> datetime | None:
    """When the oldest row that is not packed was."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT min(at) FROM {table}")  # noqa: S608  (our own names)
        row = cursor.fetchone()
    return row[0] if row else None


def _fetch_blocks(
    table: str, pools: Sequence[UUID], *, after: datetime, until: datetime, variant: str | None, want: Wanted | None
) -> Iterator[tuple[UUID, str, Signals]]:
    if not pools:
        return
    blocks = BLOCKS[table]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT pool, data FROM {blocks.table.name} "  # noqa: S608  (our own names)
            "WHERE pool = ANY(%s) AND start > %s AND start < %s ORDER BY start",
            [list(pools), after - blocks.span, until],
        )
        while found := cursor.fetchmany(50):
            for pool, data in found:
                several = unpack(data, variant=variant, want=want, after=after.timestamp(), until=until.timestamp())
                for name, rows in several.items():
                    for row in rows:
                        yield pool, name, row


def fetch_rows(
    table: str,
    pools: Sequence[UUID],
    *,
    after: datetime,
    until: datetime,
    variant: str | None = None,
    want: Wanted | None = None,
) -> Iterator[tuple[UUID, str, Signals]]:
    """As `fetch`, of what is not packed yet."""
    if not pools:
        return
    columns = dict.fromkeys(COLUMNS) if want is None else dict(want)
    if "rates" in columns and "counts" not in columns:
        columns["counts"] = columns["rates"]
    fields: list[tuple[str, str | None]] = []
    selected, parameters = [_PLAIN], []
    for column, names in columns.items():
        if column not in COLUMNS:
            raise ValueError(f"There is no column {column}.")
        if names is None:
            fields.append((column, None))
            selected.append(column)
            continue
        for name in names:
            fields.append((column, name))
            kind = _NUMBERS.get(column, "text")
            selected.append(f"({column}->>%s)::{kind}")
            parameters.append(name)
    where = "pool = %s" if len(pools) == 1 else "pool = ANY(%s::uuid[])"
    of_variant = "" if variant is None else "AND variant = %s"
    with connection.cursor() as cursor:
        # names of tables and columns are ours, everything else is a parameter
        cursor.execute(
            f"SELECT {', '.join(selected)} FROM {table} "  # noqa: S608  (our own names)
            f"WHERE {where} {of_variant} AND at > %s AND at <= %s ORDER BY at",
            [
                *parameters,
                pools[0] if len(pools) == 1 else prepared.array(pools),
                *([] if variant is None else [variant]),
                after,
                until,
            ],
        )
        while found := cursor.fetchmany(2000):
            for values in found:
                yield values[0], values[1], _signals(values, fields)


def _signals(values: Sequence[Any], fields: Sequence[tuple[str, str | None]]) -> Signals:
    read: dict[str, dict[str, Any]] = {}
    for (column, name), value in zip(fields, values[7:], strict=True):
        if name is None:
            read[column] = value if isinstance(value, dict) else orjson.loads(value)
        elif value is not None:
            read.setdefault(column, {})[name] = value
    histograms = {
        # as text where it was picked out: packed text as it is, the nested lists of old rows as JSON
        name: Histogram.from_json(orjson.loads(packed) if isinstance(packed, str) and packed[:1] == "[" else packed)
        for name, packed in read.get("histograms", {}).items()
        if packed
    }
    _, _, at, seconds, targets, scraped, reason = values[:7]
    counts = read.get("counts", {})
    return Signals(
        at=at,
        seconds=seconds,
        targets=targets,
        scraped=scraped,
        reason=reason,
        counts=counts,
        rates=rates_of(counts, seconds, read.get("rates", {})),
        histograms=histograms,
        gauges=read.get("gauges", {}),
        replicas=read.get("replicas", {}),
        sources=read.get("sources", {}),
    )
