from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e.browsing import chromium
from tests.support.seeded import SeededConsole, seeded_console
from tests.support.stack import RunningStack, run_stack


# until something else than these tests runs: a process that goes on to other files does not keep it running beside them
@pytest.fixture(scope="package")
def running_stack() -> Iterator[RunningStack]:
    """One whole instance for all end-to-end tests of a run: a healthy pool of two replicas, even traffic."""
    with run_stack(demo=True) as stack:
        yield stack


@pytest.fixture(scope="package")
def week() -> Iterator[SeededConsole]:
    """A console on a seeded week, of which two days are enough, for all browser tests of a run."""
    with seeded_console("--days", "2") as console:
        yield console


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium as it comes; files that look at each pixel start one of their own."""
    with chromium() as started:
        yield started
