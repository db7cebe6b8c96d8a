"""Time partitions of the signals tables: made ahead of the rows, dropped as a whole when they are old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection

from apps.telemetry.models import Signal, SignalHour, SignalMinute, SignalTen

__all__ = ["ALL", "HOURS", "MINUTES", "RAW", "TENS", "PartitionedTable", "drop_old", "ensure"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class PartitionedTable:
    """A table, the length of its partitions, and how long rows are kept."""

    name: str
    span: timedelta
    kept: timedelta
    stamp: str

    def start_of(self, at: datetime) -> datetime:
        """Start of the partition that holds `at`."""
        return _EPOCH + (at - _EPOCH) // self.span * self.span

    def partition(self, start: datetime) -> str:
        return f"{self.name}_{start.strftime(self.stamp)}"


RAW = PartitionedTable(Signal._meta.db_table, timedelta(hours=1), timedelta(hours=6), "%Y%m%d%H")
MINUTES = PartitionedTable(SignalMinute._meta.db_table, timedelta(days=1), timedelta(days=14), "%Y%m%d")
TENS = PartitionedTable(SignalTen._meta.db_table, timedelta(days=1), timedelta(days=14), "%Y%m%d")
HOURS = PartitionedTable(SignalHour._meta.db_table, timedelta(days=10), timedelta(days=400), "%Y%m%d")
ALL = (RAW, MINUTES, TENS, HOURS)


def ensure(table: PartitionedTable, at: datetime) -> None:
    """Make the partitions that hold `at` and what comes after it, where they are missing."""
    existing = set(_partitions(table))
    first = table.start_of(at)
    for start in (first, first + table.span):
        name = table.partition(start)
        if name in existing:
            continue
        with connection.cursor() as cursor:
            # names and times are computed here, never taken from outside
            cursor.execute(
                f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table.name} "
                f"FOR VALUES FROM ('{start.isoformat()}') TO ('{(start + table.span).isoformat()}') "
                # a row stays in its page: histograms in a side table would cost a second read for each of them
                "WITH (toast_tuple_target = 8160)"
            )


def drop_old(table: PartitionedTable, now: datetime) -> list[str]:
    """Drop partitions of which every row is older than is kept; the names of what went."""
    oldest = table.partition(table.start_of(now - table.kept))
    gone = [name for name in _partitions(table) if name < oldest]
    for name in gone:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {name}")
    return gone


def _partitions(table: PartitionedTable) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
            "WHERE inhparent = %s::regclass ORDER BY 1",
            [table.name],
        )
        return [name for (name,) in cursor.fetchall()]
