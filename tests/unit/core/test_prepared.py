"""Statements that are planned once: the same as others to whoever runs and watches them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import (
    DataError,
    IntegrityError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    connection,
    transaction,
)
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from apps.core import prepared

pytestmark = pytest.mark.django_db

_UID = uuid4()
_SQL = "SELECT %s::uuid, %s::text[], %s::int + 1"


def test_a_statement_is_prepared_once_and_takes_other_parameters() -> None:
    with prepared.cursor() as cursor:
        for number in range(3):
            uid = uuid4()
            cursor.execute(_SQL, [uid, ["a", "b"], number])
            assert cursor.fetchall() == [(uid, ["a", "b"], number + 1)]
        cursor.execute(
            "SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE statement LIKE %s", ["%$3::int%"]
        )
        assert cursor.fetchall() == [(3,)]


def test_wrappers_see_its_statements_and_errors_are_those_of_django() -> None:
    seen: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch), pytest.raises(IntegrityError), transaction.atomic():
        with prepared.cursor() as cursor:
            cursor.execute("INSERT INTO reconcile_shard_limit (name, concurrency) VALUES (%s, NULL)", ["x"])
    assert len([sql for sql in seen if sql.startswith("INSERT INTO reconcile_shard_limit")]) == 1


def test_it_is_of_the_transaction_that_it_runs_in() -> None:
    with transaction.atomic():
        with prepared.cursor() as cursor:
            cursor.execute("INSERT INTO reconcile_shard_limit (name, concurrency) VALUES (%s, %s)", ["x", 1])
        transaction.set_rollback(True)
    with prepared.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM reconcile_shard_limit WHERE name = %s", ["x"])
        assert cursor.fetchone() == (0,)


@pytest.mark.django_db(transaction=True)
def test_a_column_that_a_migration_gave_another_type_is_read_as_it_is_then() -> None:
    def migrate(sql: str) -> None:
        # as another process does: this one is not told
        with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
            other.execute(sql)

    def read() -> Any:
        with prepared.cursor() as cursor:
            cursor.execute("SELECT value FROM prepared_before")
            return cursor.fetchone()[0]

    migrate("CREATE TABLE prepared_before AS SELECT 1 AS value")
    try:
        assert read() == 1
        migrate("ALTER TABLE prepared_before ALTER value TYPE text")
        assert read() == "1", "at once, outside of a transaction"
        migrate("ALTER TABLE prepared_before ALTER value TYPE int USING value::int")
        with pytest.raises(NotSupportedError), transaction.atomic():
            read()
        with transaction.atomic():
            assert read() == 1, "in the next transaction"
    finally:
        migrate("DROP TABLE prepared_before")


def test_statements_are_seen_in_djangos_log_of_them() -> None:
    with CaptureQueriesContext(connection) as seen, prepared.cursor() as cursor:
        cursor.execute("SELECT %s + 1", [1])
        assert cursor.fetchone() == (2,)
    assert [query["sql"] for query in seen] == ["SELECT $1 + 1"]


def test_a_connection_keeps_so_many_plans_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "MOST", 3)
    with prepared.cursor() as cursor:
        for number in range(10):
            cursor.execute(f"SELECT {number} + %s", [number])
            assert cursor.fetchone() == (2 * number,)
            cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE %s", ["lamplight%"])
            assert cursor.fetchone()[0] <= 3
        cursor.execute("SELECT 0 + %s", [7])
        assert cursor.fetchone() == (7,), "what was forgotten is planned anew"


# what Postgres has no text for is refused either way: NUL, halves of surrogate pairs
_TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)
_ROWS = st.lists(
    st.tuples(
        st.none() | _TEXTS | st.sampled_from(["NULL", "null", '"', "\\", '\\"', "{}", ",", " ", ""]),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.booleans(),
        st.floats(allow_nan=False),
        st.none() | st.uuids(),
        st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    ),
    max_size=5,
)


@given(_ROWS)
def test_lists_arrive_as_they_are_whatever_is_in_them(rows: list[tuple[Any, ...]]) -> None:
    columns = [[row[place] for row in rows] for place in range(6)]
    with prepared.cursor() as cursor:
        cursor.execute(
            "SELECT a, b, c, d, e, f FROM unnest(%s::text[], %s::bigint[], %s::bool[], %s::float8[], %s::uuid[],"
            " %s::timestamptz[]) WITH ORDINALITY AS l(a, b, c, d, e, f, place) ORDER BY place",
            columns,
        )
        assert cursor.fetchall() == rows


def test_a_list_has_the_type_of_what_it_is_compared_with() -> None:
    with prepared.cursor() as cursor:
        cursor.execute("SELECT %s::uuid = ANY(%s), 'a' = ANY(%s)", [_UID, [uuid4(), _UID], ["b"]])
        assert cursor.fetchone() == (True, False)
        with pytest.raises(DataError), transaction.atomic():
            cursor.execute("SELECT %s::text[]", [["a\0b"]])


@given(
    st.integers(-(2**80), 2**80)
    | st.sampled_from([sign * 2**bits + more for bits in (15, 31, 63) for sign in (-1, 1) for more in (-1, 0, 1)])
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.uuids()
    | st.datetimes(
        datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC) | st.just(timezone(timedelta(hours=5)))
    )
    | st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1))
    | st.dates(date(2, 1, 1))
    | st.decimals(allow_nan=False, allow_infinity=False, places=3)
    | st.binary(max_size=4)
)
def test_a_value_has_the_type_and_comes_back_as_with_psycopg(value: Any) -> None:
    statement = "SELECT pg_typeof(%s)::text, %s"
    with psycopg.Cursor(connection.connection) as raw, prepared.cursor() as cursor:
        raw.execute(statement, [value, value])
        cursor.execute(statement, [value, value])
        assert cursor.fetchall() == raw.fetchall()


def test_texts_and_nothing_are_what_the_statement_makes_of_them() -> None:
    with prepared.cursor() as cursor:
        cursor.execute("SELECT %s::int, %s::text, %s::jsonb ->> 'a', %s::timestamptz", ["7", None, '{"a": "%s"}', None])
        assert cursor.fetchone() == (7, None, "%s", None)
        assert cursor.fetchone() is None
        cursor.execute("SELECT %s::numeric", ["1.50"])
        assert list(cursor) == [(Decimal("1.50"),)]


def test_names_may_come_again_and_percent_signs_are_written_twice() -> None:
    with prepared.cursor() as cursor:
        cursor.execute("SELECT %(b)s::int, 7 %% 4, %(a)s::int, %(b)s::int", {"a": 1, "b": 2})
        assert cursor.fetchall() == [(2, 3, 1, 2)]
        cursor.execute("SELECT 7 % 4")
        assert cursor.fetchall() == [(3,)]
        with pytest.raises(ProgrammingError):
            cursor.execute("SELECT %s::int", [1, 2])


def test_rows_are_counted() -> None:
    with prepared.cursor() as cursor:
        cursor.execute("INSERT INTO reconcile_shard_limit (name, concurrency) VALUES ('x', 1), ('y', 1)")
        assert (cursor.rowcount, cursor.fetchall()) == (2, [])
        cursor.execute("SELECT name FROM reconcile_shard_limit ORDER BY name")
        assert cursor.rowcount == 2
        assert cursor.fetchone() == ("x",)
        assert cursor.fetchall() == [("y",)]


def test_what_is_no_moment_of_ours_is_refused() -> None:
    with prepared.cursor() as cursor, pytest.raises(DataError), transaction.atomic():
        cursor.execute("SELECT 'infinity'::timestamptz")


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_lost_says_so_and_another_one_goes_on() -> None:
    with prepared.cursor() as cursor:
        cursor.execute(_SQL, [_UID, [], 1])
        with pytest.raises(OperationalError):
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        with pytest.raises(OperationalError):
            cursor.execute(_SQL, [_UID, [], 1])
    connection.close()
    with prepared.cursor() as cursor:
        cursor.execute(_SQL, [_UID, [], 1])
        assert cursor.fetchall() == [(_UID, [], 2)]


@pytest.mark.django_db(transaction=True)
def test_what_the_server_has_forgotten_is_prepared_anew() -> None:
    with prepared.cursor() as cursor:
        cursor.execute(_SQL, [_UID, [], 1])
        with connection.cursor() as other:
            other.execute("DEALLOCATE ALL")
        cursor.execute(_SQL, [_UID, [], 1])
        assert cursor.fetchall() == [(_UID, [], 2)]
