"""From what the client saw to the report."""

from __future__ import annotations

import pytest

from apps.benchmarks.domain.outcomes import SHED, Outcome, distribution, report


def whole(sent: float, times: list[float], tokens: int | None = None) -> Outcome:
    return Outcome(sent, sent, 10, ended_at=times[-1] + 0.1, token_times=times, output_tokens=tokens or len(times))


def test_times_of_one_request() -> None:
    outcome = whole(1.0, [1.5, 1.6, 1.9])
    assert outcome.ttft == pytest.approx(0.5)
    assert outcome.tpot == pytest.approx(0.2)
    assert outcome.itl == pytest.approx([0.1, 0.3])
    assert outcome.e2e == pytest.approx(1.0)


def test_one_token_has_no_time_between() -> None:
    outcome = whole(0.0, [0.2])
    assert outcome.tpot is None
    assert outcome.itl == []


def test_more_tokens_than_events() -> None:
    assert whole(0.0, [1.0, 2.0], tokens=11).tpot == pytest.approx(0.1)


def test_distribution() -> None:
    found = distribution([float(value) for value in range(1, 101)])
    assert found is not None
    assert (found.count, found.mean, found.p50, found.max) == (100, 50.5, 50.5, 100.0)
    assert found.p90 == pytest.approx(90.1)
    assert distribution([]) is None


def test_failures_are_counted_and_do_not_count_as_fast() -> None:
    failed = Outcome(0.0, 0.0, 10, error="HTTP 503: busy", token_times=[0.001])
    shed = Outcome(0.0, 99.0, 10, error=SHED)
    found = report([whole(0.0, [0.5, 0.6]), failed, failed, shed], duration=2.0)
    assert (found.requests, found.succeeded) == (4, 1)
    assert found.errors == {"HTTP 503: busy": 2, SHED: 1}
    assert found.ttft is not None
    assert found.ttft.max == pytest.approx(0.5)
    assert found.lateness is not None
    assert found.lateness.max == 0.0
    assert (found.request_rate, found.output_token_rate) == (0.5, 1.0)


def test_nothing_succeeded() -> None:
    found = report([Outcome(0.0, 0.0, 10, error="cannot connect")], duration=1.0)
    assert found.ttft is None
    assert found.as_json()["errors"] == {"cannot connect": 1}
