"""Statements that the database parses and plans once per connection: for the few that run again and again.

Django binds parameters on its own side, so that every run of a statement is a new text to the server; planning a large
one costs several times what running it does. Here parameters go beside the text, and the plan is kept. (Through a
pooler that gives each transaction another connection this needs one that knows prepared statements.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.utils import CursorWrapper
from psycopg import Cursor
from psycopg.errors import FeatureNotSupported
from psycopg.pq import TransactionStatus

__all__ = ["cursor"]


class _Prepared(Cursor[Any]):
    def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
        more["prepare"] = True
        params = _with_arrays(params)
        try:
            return super().execute(query, params, **more)
        except FeatureNotSupported:
            # a migration has changed the type of a column since ("cached plan must not change result type"). Within a
            # transaction nothing more can be done: its rollback forgets all plans, and the next try is a new one
            if self.connection.info.transaction_status != TransactionStatus.IDLE:
                raise
            self.connection.execute("DEALLOCATE ALL")
            return super().execute(query, params, **more)


def _with_arrays(params: Any) -> Any:
    if isinstance(params, Mapping):
        return {name: array(value) if isinstance(value, list) else value for name, value in params.items()}
    if params is None:
        return None
    return [array(value) if isinstance(value, list) else value for value in params]


def array(values: Iterable[Any]) -> str:
    """The text of an array of texts, numbers, booleans, moments or UUIDs; of which, the statement says, or what it is
    compared with.

    Psycopg finds out how each element is written, and that costs several times as much.
    """
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: Any) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if value is None:
        return "NULL"
    return f'"{value.isoformat()}"' if isinstance(value, datetime) else str(value)


def cursor() -> CursorWrapper:
    """As `connection.cursor()`: errors are Django's and wrappers see each statement. Texts must be constants."""
    database: Any = connections[DEFAULT_DB_ALIAS]
    database.close_if_health_check_failed()
    database.ensure_connection()
    with database.wrap_database_errors:
        made = _Prepared(database.connection)
    database.validate_thread_sharing()
    wrapped: CursorWrapper = database.make_debug_cursor(made) if database.queries_logged else database.make_cursor(made)
    return wrapped
