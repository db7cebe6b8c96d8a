"""Rows of signals out of Postgres: whole ones, or only the names that somebody reads.

A row holds some sixty names; a chart of a day reads 1,440 rows for the sake of three.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.signals import Signals, rates_of

__all__ = ["COLUMNS", "Wanted", "fetch", "wanted"]

COLUMNS = ("counts", "rates", "histograms", "gauges", "replicas", "sources")
# column -> names, or None for the whole of it; columns that are not there are not read
Wanted = Mapping[str, Sequence[str] | None]

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
    where = "pool = %s" if len(pools) == 1 else "pool = ANY(%s)"
    of_variant = "" if variant is None else "AND variant = %s"
    with connection.cursor() as cursor:
        # names of tables and columns are ours, everything else is a parameter
        cursor.execute(
            f"SELECT {', '.join(selected)} FROM {table} "  # noqa: S608
            f"WHERE {where} {of_variant} AND at > %s AND at <= %s ORDER BY at",
            [
                *parameters,
                pools[0] if len(pools) == 1 else list(pools),
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
