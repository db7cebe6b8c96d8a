"""Back-off and circuit breaker of the work queue: the pure part."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.reconcile.domain.backoff import BASE_SECONDS, CAP_SECONDS, ceiling, full_jitter
from apps.reconcile.domain.breaker import LONGEST_PAUSE_SECONDS, THRESHOLD, Breaker, after_fault
from apps.reconcile.domain.priority import Priority


def test_backoff_doubles_from_one_second_to_five_minutes() -> None:
    assert [ceiling(n) for n in (1, 2, 3, 9, 10, 11, 1000)] == [1, 2, 4, 256, 300, 300, 300]


@given(attempts=st.integers(0, 10_000), chance=st.floats(0, 1))
def test_jitter_stays_within_its_window(attempts: int, chance: float) -> None:
    delay = full_jitter(attempts, chance)
    assert BASE_SECONDS / 10 <= delay <= max(ceiling(attempts), BASE_SECONDS / 10) <= CAP_SECONDS


@given(attempts=st.integers(1, 60))
def test_jitter_covers_its_whole_window(attempts: int) -> None:
    assert full_jitter(attempts, 1.0) == ceiling(attempts)
    assert full_jitter(attempts, 0.0) == BASE_SECONDS / 10


def test_the_breaker_opens_after_faults_in_a_row_and_one_success_closes_it() -> None:
    failures = 0
    pauses = []
    for _ in range(12):
        breaker = after_fault(failures)
        failures = breaker.failures
        pauses.append(breaker.pause)
    assert pauses[: THRESHOLD - 1] == [0.0] * (THRESHOLD - 1)
    assert pauses[THRESHOLD - 1 : THRESHOLD + 2] == [5.0, 10.0, 20.0]
    assert max(pauses) == LONGEST_PAUSE_SECONDS
    assert after_fault(THRESHOLD - 1).tripped
    assert not Breaker().tripped


def test_people_go_first() -> None:
    assert sorted(Priority) == [
        Priority.PERSON,
        Priority.SCALING,
        Priority.ROLLOUT,
        Priority.DRIFT,
        Priority.RESYNC,
    ]
