"""Advisory locks: one tick of a kind at a time in the whole installation, one writer where rows are counted first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import Error, connection

__all__ = ["advisory", "in_turn"]


@contextmanager
def advisory(key: int) -> Iterator[bool]:
    """Try to take the lock `key` (any 64 bit number of one's own); yields whether it is held.

    Gone with the connection when the process dies.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        row = cursor.fetchone()
    held = bool(row and row[0])
    try:
        yield held
    finally:
        # a connection that broke has lost the lock already
        with suppress(Error):
            if held:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def in_turn(key: int) -> None:
    """Wait for the lock `key`, and hold it until the transaction ends: what is counted in it stays so counted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])
