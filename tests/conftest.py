"""Servers that tests share: a real Postgres and a real Valkey, started once per run on Unix sockets."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tests.support.order import InOrder, place
from tests.support.servers import run_postgres, run_valkey

# Tests never gate on time: a loaded machine is no counterexample, and a strategy that is slow there is not ill. The
# same examples each time, so that a change of the code is what turns a test red; HYPOTHESIS_PROFILE=search looks for
# new ones.
_PATIENT = {"deadline": None, "suppress_health_check": (HealthCheck.too_slow,)}
hypothesis_settings.register_profile("lamplight", **_PATIENT, derandomize=True)
hypothesis_settings.register_profile("search", **_PATIENT, max_examples=1000)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "lamplight"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of the test run's Postgres."""
    from django.conf import settings

    with run_postgres(settings.TEST_DIR / "pg", own=settings.OWN_DATABASE) as url:
        yield url


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[str]:
    """Celery broker URL of the test run's Valkey."""
    from django.conf import settings

    with run_valkey(settings.TEST_DIR / "valkey", own=settings.OWN_BROKER) as url:
        yield url


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres_server: str) -> None:
    """pytest-django's hook before the test database is made: the server must run by then."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> InOrder | None:
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return InOrder(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: place(item.nodeid.partition("::")[0]))


def pytest_unconfigure(config: pytest.Config) -> None:
    from django.conf import settings

    if settings.configured and hasattr(settings, "TEST_DIR"):
        shutil.rmtree(settings.TEST_DIR, ignore_errors=True)
