"""Rows that are no longer new go into blocks: apps.telemetry.domain.blocks, a twentieth of the bytes.

A block takes its rows away in one transaction, so that a crash leaves the one or the other; a reader who asks for rows
first and blocks then (apps.telemetry.rows) never misses one. Rows that come later (minutes that were filled in after an
outage, tens that were merged anew) are packed into the block that is there.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from apps.core import clock
from apps.core.locks import advisory
from apps.telemetry import partitions
from apps.telemetry.domain.blocks import pack, unpack
from apps.telemetry.domain.signals import Signals
from apps.telemetry.models import Progress
from apps.telemetry.partitions import BLOCKS, HOURS, MINUTES, RAW, TENS, YOUNGEST_BLOCK, BlockTable, PartitionedTable
from apps.telemetry.rows import fetch_rows

__all__ = ["pack_old"]

_LOCK = 0x6C616D70_7061636B
# of one transaction
_POOLS_AT_ONCE = 20


class _Level(NamedTuple):
    """`mark`: the field of Progress up to which coarser rows have been merged from these; None: nothing is."""

    table: PartitionedTable
    mark: str | None


_LEVELS = (
    _Level(RAW, "minutes_until"),
    _Level(MINUTES, "tens_until"),
    _Level(TENS, "hours_until"),
    _Level(HOURS, None),
)


def pack_old(*, seconds: float = 60.0) -> int:
    """Pack whole spans that are over, the oldest first, for about so many seconds; how many blocks were written."""
    until = time.monotonic() + seconds
    written = 0
    with advisory(_LOCK) as held:
        if not held:
            return 0
        progress = Progress.objects.filter(id=1).first()
        for level in _LEVELS:
            merged: datetime | None = clock.now() if level.mark is None else getattr(progress, level.mark, None)
            if merged is None:
                continue
            blocks = BLOCKS[level.table.name]
            # a row at the very end of a span still belongs to it
            end = blocks.start_of(min(merged, clock.now() - YOUNGEST_BLOCK) + timedelta(microseconds=1))
            while time.monotonic() < until:
                done = _pack_some(level.table, blocks, end)
                written += done
                if not done:
                    partitions.drop_empty(level.table, end)
                    break
    return written


def _pack_some(table: PartitionedTable, blocks: BlockTable, end: datetime) -> int:
    """Pack the oldest span before `end` that has rows, of some pools; how many blocks that made."""
    with connection.cursor() as cursor:
        # names of tables are ours
        cursor.execute(f"SELECT min(at) FROM {table.name} WHERE at <= %s", [end])  # noqa: S608  (our own names)
        row = cursor.fetchone()
        if row is None or row[0] is None:
            return 0
        start = blocks.start_of(row[0])
        cursor.execute(
            f"SELECT DISTINCT pool FROM {table.name} WHERE at > %s AND at <= %s LIMIT %s",  # noqa: S608  (our own names)
            [start, start + blocks.span, _POOLS_AT_ONCE],
        )
        pools = [pool for (pool,) in cursor.fetchall()]
    partitions.ensure(blocks.table, start)
    with transaction.atomic():
        _pack(table, blocks, start, pools)
    return len(pools)


def _pack(table: PartitionedTable, blocks: BlockTable, start: datetime, pools: Sequence[UUID]) -> None:
    end = start + blocks.span
    rows: dict[UUID, dict[str, list[Signals]]] = {pool: {} for pool in pools}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT pool, data FROM {blocks.table.name} WHERE start = %s AND pool = ANY(%s)",  # noqa: S608  (our own names)
            [start, list(pools)],
        )
        for pool, data in cursor.fetchall():
            rows[pool] = unpack(bytes(data))
        for pool, variant, row in fetch_rows(table.name, pools, after=start, until=end):
            # behind what the block had: the later one of a moment wins
            rows[pool].setdefault(variant, []).append(row)
        cursor.executemany(
            f"INSERT INTO {blocks.table.name} (pool, start, data) VALUES (%s, %s, %s) "  # noqa: S608  (our own names)
            "ON CONFLICT (pool, start) DO UPDATE SET data = EXCLUDED.data",
            [(pool, start, pack(found)) for pool, found in rows.items()],
        )
        cursor.execute(
            f"DELETE FROM {table.name} WHERE at > %s AND at <= %s AND pool = ANY(%s)",  # noqa: S608  (our own names)
            [start, end, list(pools)],
        )
