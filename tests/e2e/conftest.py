from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stack import RunningStack, run_stack


@pytest.fixture(scope="session")
def running_stack() -> Iterator[RunningStack]:
    """One whole instance for all end-to-end tests of a run: a healthy pool of two replicas, even traffic."""
    with run_stack(demo=True) as stack:
        yield stack
