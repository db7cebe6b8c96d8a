"""Slows down guessing of passwords, across all web processes: failures are counted in the database."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from django.db import connection

from apps.accounts.models import LoginFailure
from apps.core import clock
from apps.core.domain.refusals import TooMany

WINDOW = timedelta(minutes=5)
MOST_BY_NAME = 10
# several people may share an address
MOST_BY_ADDRESS = 50


def check(username: str, address: str) -> None:
    """Raises TooMany, with the seconds to wait, after too many failures for this name or from this address."""
    now = clock.now()
    limits = {_name_key(username): MOST_BY_NAME, _address_key(address): MOST_BY_ADDRESS}
    for row in LoginFailure.objects.filter(key__in=limits, since__gt=now - WINDOW):
        if row.failures >= limits[row.key]:
            wait = int((row.since + WINDOW - now).total_seconds()) + 1
            raise TooMany(
                f"There were too many failed logins: try again in {wait} seconds.", headers={"Retry-After": str(wait)}
            )


def failed(username: str, address: str) -> None:
    """Count a failed login; one statement, so that parallel guesses all count."""
    now = clock.now()
    with connection.cursor() as cursor:
        for key in sorted((_name_key(username), _address_key(address))):
            cursor.execute(
                "INSERT INTO accounts_loginfailure AS f (key, failures, since) VALUES (%s, 1, %s) "
                "ON CONFLICT (key) DO UPDATE SET "
                "failures = CASE WHEN f.since <= %s THEN 1 ELSE f.failures + 1 END, "
                "since = CASE WHEN f.since <= %s THEN EXCLUDED.since ELSE f.since END",
                [key, now, now - WINDOW, now - WINDOW],
            )
    LoginFailure.objects.filter(since__lte=now - 2 * WINDOW).delete()


def succeeded(username: str) -> None:
    """Forget the failures of a name."""
    LoginFailure.objects.filter(key=_name_key(username)).delete()


def _name_key(username: str) -> str:
    # what is typed into the name field by mistake may be a password
    return "name:" + hashlib.sha256(username.lower().encode()).hexdigest()


def _address_key(address: str) -> str:
    return f"address:{address}"[:80]
