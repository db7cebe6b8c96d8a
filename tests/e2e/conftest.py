from __future__ import annotations

from collections.abc import Iterator

import pytest

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
