"""Statements that the database parses and plans once per connection: for the few that run again and again.

Django binds parameters on its own side, so that every run of a statement is a new text to the server; planning a large
one costs several times what running it does. Here parameters go beside the text, and the plan is kept. (Through a
pooler that gives each transaction another connection this needs one that knows prepared statements.)

They go to `libpq` without psycopg's cursor, which takes some fifty Python calls and two fifths of a statement's time on
our side. What it does is kept: types of parameters, conversion of results, its exceptions, the beginning of a
transaction. While the server works nothing interrupts the thread.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeAlias
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.utils import CursorWrapper
from psycopg import Connection, DataError, OperationalError, ProgrammingError, errors
from psycopg.adapt import AdaptersMap, Buffer, Loader, PyFormat, Transformer
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

__all__ = ["array", "cursor"]

# statements that one connection keeps planned: each text once for the types that it was given
MOST = 1000

# the type that the server is told, 0 where it is to find out by itself, and the value's text
_Sent: TypeAlias = tuple[int, bytes | None]
# the server has planned it for columns that are others by now, or has forgotten it
_STALE = (errors.FeatureNotSupported, errors.InvalidSqlStatementName)
_BOOL, _INT8, _INT2, _INT4, _FLOAT8, _NUMERIC, _UUID = 16, 20, 21, 23, 701, 1700, 2950
_TIMESTAMP, _TIMESTAMPTZ = 1114, 1184


class _Moment(Loader):
    """psycopg's own reads them by a regular expression, and Django gives each a time zone once more."""

    def load(self, data: Buffer) -> datetime:
        text = str(data, "ascii")
        try:
            at = datetime.fromisoformat(text)
        except ValueError as error:
            raise DataError(f"{text} is no moment that Python knows") from error
        return at if at.tzinfo is UTC else at.astimezone(UTC)


class _Session:
    """What is kept of one connection: names of what it has prepared, and how its results are read."""

    def __init__(self, connection: Connection[Any]) -> None:
        adapters = AdaptersMap(connection.adapters)
        adapters.register_loader("timestamptz", _Moment)
        self.transformer = Transformer(adapters)
        self.prepared: dict[tuple[str, tuple[int, ...]], bytes] = {}
        self._numbers = count()

    def name(self) -> bytes:
        return b"lamplight_%d" % next(self._numbers)


_sessions: WeakKeyDictionary[Connection[Any], _Session] = WeakKeyDictionary()


class _Text:
    """What Django's log of statements reads of a cursor."""

    __slots__ = ("query",)

    def __init__(self, query: bytes) -> None:
        self.query = query


class _Prepared:
    """What Django needs of a cursor, for statements that are prepared."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        session = _sessions.get(connection)
        if session is None:
            session = _sessions[connection] = _Session(connection)
        self._session = session
        self._rows: list[tuple[Any, ...]] = []
        self._next = 0
        self._query: _Text | None = None
        self.rowcount = -1

    def execute(self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> _Prepared:
        text, values = _bound(query, params)
        self._query = _Text(text.encode())
        sent = [self._sent(value) for value in values]
        try:
            self._run(text, sent)
        except _STALE:
            # a migration has changed the type of a column since ("cached plan must not change result type"). Within a
            # transaction nothing more can be done: the next try prepares it anew
            self._session.prepared.clear()
            if self._connection.pgconn.transaction_status != TransactionStatus.IDLE:
                raise
            self._run(text, sent)
        return self

    def _run(self, text: str, sent: Sequence[_Sent]) -> None:
        pgconn, session = self._connection.pgconn, self._session
        if not self._connection.autocommit and pgconn.transaction_status == TransactionStatus.IDLE:
            self._checked(pgconn.exec_(b"BEGIN"))
        types = tuple(oid for oid, _ in sent)
        name = session.prepared.get((text, types))
        if name is None:
            if len(session.prepared) >= MOST:
                self._checked(pgconn.exec_(b"DEALLOCATE ALL"))
                session.prepared.clear()
            name = session.name()
            self._checked(pgconn.prepare(name, text.encode(), types))
            session.prepared[text, types] = name
        values: Any = [value for _, value in sent]  # (psycopg's annotation forgets NULL)
        result = self._checked(pgconn.exec_prepared(name, values))
        self._next = 0
        if result.status == ExecStatus.TUPLES_OK:
            self.rowcount = result.ntuples
            session.transformer.set_pgresult(result)
            self._rows = session.transformer.load_rows(0, result.ntuples, tuple)
        else:
            self.rowcount = result.command_tuples or 0
            self._rows = []

    def _checked(self, result: Any) -> Any:
        if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            return result
        if self._connection.pgconn.status != ConnStatus.OK:
            raise OperationalError(result.get_error_message())
        raise errors.error_from_result(result)

    def _sent(self, value: Any) -> _Sent:
        send = _SENDS.get(type(value))
        if send is not None:
            return send(value)
        dumper = self._session.transformer.get_dumper(value, PyFormat.TEXT)
        data = dumper.dump(value)
        return dumper.oid, None if data is None else bytes(data)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Nothing after a statement that returns nothing."""
        rows, self._rows, self._next = self._rows[self._next :], [], 0
        return rows

    def fetchone(self) -> tuple[Any, ...] | None:
        if self._next == len(self._rows):
            return None
        self._next += 1
        return self._rows[self._next - 1]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.fetchall())

    def close(self) -> None:
        self._rows = []


def _text(value: str) -> _Sent:
    data = value.encode()
    if b"\0" in data:
        raise DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return 0, data


def _int(value: int) -> _Sent:
    bits = value.bit_length() if value >= 0 else (-value - 1).bit_length()
    return _INT2 if bits < 16 else _INT4 if bits < 32 else _INT8 if bits < 64 else _NUMERIC, b"%d" % value


def _moment(value: datetime) -> _Sent:
    return _TIMESTAMP if value.tzinfo is None else _TIMESTAMPTZ, value.isoformat(" ").encode()


# types as psycopg tells them to the server
_SENDS: dict[type, Callable[[Any], _Sent]] = {
    type(None): lambda value: (0, None),
    str: _text,
    list: lambda value: _text(array(value)),
    bool: lambda value: (_BOOL, b"t" if value else b"f"),
    int: _int,
    float: lambda value: (_FLOAT8, repr(value).encode()),
    UUID: lambda value: (_UUID, value.hex.encode()),
    datetime: _moment,
}

_PLACE = re.compile(r"%(?:%|s|\((\w+)\)s)")


def _bound(query: str, params: Sequence[Any] | Mapping[str, Any] | None) -> tuple[str, Sequence[Any]]:
    """The text as the server reads it, and its parameters in order."""
    if params is None:
        return query, ()
    text, places = _parsed(query)
    if isinstance(params, Mapping):
        return text, [params[name] for name in places]
    if len(params) != len(places):
        raise ProgrammingError(f"the statement has {len(places)} places, and there are {len(params)} parameters")
    return text, params


@functools.lru_cache(maxsize=1024)
def _parsed(query: str) -> tuple[str, tuple[str, ...]]:
    """The text with `$1`, and for each of these the name of its parameter, "" where it has none."""
    places: list[str] = []

    def place(found: re.Match[str]) -> str:
        name = found[1]
        if found[0] == "%%":
            return "%"
        if name is None or name not in places:
            places.append(name or "")
            return f"${len(places)}"
        return f"${places.index(name) + 1}"

    return _PLACE.sub(place, query), tuple(places)


def array(values: Iterable[Any]) -> str:
    """The text of an array of texts, numbers, booleans, moments or UUIDs; of which, the statement says, or what it is
    compared with.

    Psycopg finds out how each element is written, and that costs several times as much.
    """
    values = list(values)
    kinds = set(map(type, values))
    if kinds == {UUID}:
        return "{" + ",".join([value.hex for value in values]) + "}"
    if kinds == {int}:
        return "{" + ",".join(map(str, values)) + "}"
    if kinds == {str} and not _needs_escape("".join(values)):
        return '{"' + '","'.join(values) + '"}'
    return "{" + ",".join(map(_element, values)) + "}"


def _needs_escape(text: str) -> bool:
    return '"' in text or "\\" in text


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
    if database.connection is None:
        database.ensure_connection()
    database.validate_thread_sharing()
    made = _Prepared(database.connection)
    wrapped: CursorWrapper = database.make_debug_cursor(made) if database.queries_logged else database.make_cursor(made)
    return wrapped
