"""Statements that are planned once: the same as others to whoever runs and watches them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import DataError, IntegrityError, NotSupportedError, connection, transaction
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
