"""Time partitions of the signals tables: made ahead of the rows, dropped as a whole when they are old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from apps.telemetry.models import (
    BlockHour,
    BlockMinute,
    BlockTen,
    BlockTick,
    Signal,
    SignalHour,
    SignalMinute,
    SignalTen,
)

__all__ = [
    "ALL",
    "BLOCKS",
    "HOURS",
    "MINUTES",
    "RAW",
    "TENS",
    "YOUNGEST_BLOCK",
    "BlockTable",
    "PartitionedTable",
    "drop_empty",
    "drop_old",
    "ensure",
]

# a span is packed when it has been over for so long: what is asked for most is still there as rows
YOUNGEST_BLOCK = timedelta(hours=1)
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


@dataclass(frozen=True)
class BlockTable:
    """Where the rows of a table go when they are no longer new. `span`: of one block, which begins at a multiple."""

    table: PartitionedTable
    span: timedelta

    def start_of(self, at: datetime) -> datetime:
        """Start of the block that a row of `at` is in: a row at the very end of a span still belongs to it."""
        return _EPOCH + (at - timedelta(microseconds=1) - _EPOCH) // self.span * self.span


def _blocks(name: str, like: PartitionedTable, span: timedelta) -> BlockTable:
    return BlockTable(PartitionedTable(name, like.span, like.kept, like.stamp), span)


# name of the table of rows -> its blocks
BLOCKS = {
    RAW.name: _blocks(BlockTick._meta.db_table, RAW, timedelta(hours=1)),
    MINUTES.name: _blocks(BlockMinute._meta.db_table, MINUTES, timedelta(hours=4)),
    TENS.name: _blocks(BlockTen._meta.db_table, TENS, timedelta(hours=4)),
    HOURS.name: _blocks(BlockHour._meta.db_table, HOURS, timedelta(days=4)),
}
ALL = (RAW, MINUTES, TENS, HOURS, *(block.table for block in BLOCKS.values()))


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


def drop_empty(table: PartitionedTable, before: datetime) -> list[str]:
    """Drop partitions that end before a moment and have no row left; the names of what went."""
    newest = table.partition(table.start_of(before))
    gone = []
    for name in _partitions(table):
        if name >= newest:
            continue
        if _empty(name):
            with transaction.atomic(), connection.cursor() as cursor:
                # nobody puts a row in while it is looked at; the parent first, as everybody else locks them
                cursor.execute(f"LOCK TABLE ONLY {table.name} IN ACCESS EXCLUSIVE MODE")
                cursor.execute(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
                if _empty(name):
                    cursor.execute(f"DROP TABLE {name}")
                    gone.append(name)
    return gone


def _empty(partition: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {partition})")  # noqa: S608  (our own names)
        row = cursor.fetchone()
    return row is not None and not row[0]


def _partitions(table: PartitionedTable) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
            "WHERE inhparent = %s::regclass ORDER BY 1",
            [table.name],
        )
        return [name for (name,) in cursor.fetchall()]
