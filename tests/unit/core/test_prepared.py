"""Statements that are planned once: the same as others to whoever runs and watches them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from apps.core import prepared

pytestmark = pytest.mark.django_db

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
