"""The transaction that a write of declared objects runs in: its journal, its dry run, its second chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import psycopg
from django.db import OperationalError, connection, transaction

from apps.core.writes import By, Journal

T = TypeVar("T")

# a writer that the database gave up for another one finds the way free at the next attempt
_ATTEMPTS = 4


class _RolledBack(Exception, Generic[T]):
    """Ends the transaction of a dry run."""

    def __init__(self, result: T) -> None:
        super().__init__()
        self.result = result


def run(write: Callable[[Journal], T], *, by: By, dry_run: bool) -> T:
    """`write(journal)` and then its journal in one transaction, rolled back at the end of a dry run.

    Where the database ends it for another writer (a deadlock), all of it is done again; so `write` must change nothing
    outside of the database.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        journal = Journal(by)
        try:
            with transaction.atomic():
                result = write(journal)
                journal.write()
                if dry_run:
                    raise _RolledBack(result)
                return result
        except _RolledBack as rolled_back:
            return rolled_back.result
        except OperationalError as failed:
            if not _lost_to_another(failed) or attempt == _ATTEMPTS or connection.in_atomic_block:
                raise
    raise AssertionError("the last attempt returns or raises")


def _lost_to_another(failed: OperationalError) -> bool:
    return isinstance(failed.__cause__, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure)
