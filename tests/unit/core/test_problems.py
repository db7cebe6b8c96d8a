"""What a database that refuses is said to be ill of."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, InternalError, OperationalError
from psycopg import errors

from apps.core.api.problems import problem_handler


def raised(kind: type[DatabaseError], cause: Exception) -> DatabaseError:
    """As Django raises it from what the driver raised."""
    error = kind(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (raised(OperationalError, errors.DiskFull("could not extend file")), "The database's disk is full"),
        (raised(InternalError, errors.ReadOnlySqlTransaction("cannot execute INSERT")), "takes no changes"),
        (raised(OperationalError, errors.AdminShutdown("terminating connection")), "cannot be reached now"),
        (OperationalError("couldn't get a connection after 10.00 sec"), "has no connection left"),
    ],
)
def test_it_is_said_and_that_nothing_was_changed(error: DatabaseError, said: str) -> None:
    answer = problem_handler(error, {})
    assert answer is not None
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert said in answer.data["detail"]
    assert "nothing was changed. Try again." in answer.data["detail"]


def test_what_the_program_asked_wrongly_stays_a_failure_of_the_program() -> None:
    assert problem_handler(raised(InternalError, errors.InvalidCursorName("no")), {}) is None
