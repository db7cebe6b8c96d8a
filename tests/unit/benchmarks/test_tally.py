"""What a load has measured so far, in bounded memory."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.benchmarks.domain.digest import Digest
from apps.benchmarks.domain.outcomes import SHED, Outcome
from apps.benchmarks.domain.tally import SLICES, Promise, Tally, code_of

PROMISES = (
    Promise("fast", "ttft-500ms-28d", "ttft", 0.5, 0.9),
    Promise("fast", "itl-100ms-28d", "itl", 0.1, 0.9),
    Promise("sure", "errors-28d", "errors", None, 0.9),
)


def whole(sent: float, ttft: float, gaps: int = 3, gap: float = 0.05) -> Outcome:
    times = [sent + ttft + n * gap for n in range(gaps + 1)]
    return Outcome(sent, sent, 100, None, times[-1], times, gaps + 1, 60)


@given(st.lists(st.floats(1e-4, 1e3), min_size=1, max_size=300))
def test_quantiles_are_within_one_per_cent(values: list[float]) -> None:
    digest = Digest()
    for value in values:
        digest.add(value)
    found = digest.to_json()
    assert found is not None
    assert (found["count"], found["max"]) == (len(values), round(max(values), 6))
    for share, key in ((50, "p50"), (90, "p90"), (95, "p95"), (99, "p99")):
        exact = float(np.percentile(values, share, method="inverted_cdf"))
        assert found[key] == pytest.approx(exact, rel=0.011, abs=2e-6)


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_what_is_no_length_of_time_is_not_counted(wrong: float) -> None:
    with pytest.raises(ValueError, match="no length of time"):
        Digest().add(wrong)


def test_nothing_is_unknown_and_not_zero() -> None:
    found = Tally(PROMISES, 60).to_json(0.0)
    assert (found["sent"], found["ok"], found["ttft"], found["sentRate"]) == (0, 0, None, None)
    assert [(row["share"], row["verdict"]) for row in found["objectives"]] == [(None, "unknown")] * 3
    assert found["cachedTokens"] is None


def test_promises_are_judged_by_what_was_answered_whole() -> None:
    tally = Tally(PROMISES, 60)
    for n in range(9):
        tally.sent(float(n))
        tally.ended(whole(float(n), 0.2))
    tally.sent(9.0)
    tally.ended(whole(9.0, 0.9))
    tally.sent(10.0)
    tally.ended(Outcome(10.0, 10.0, 100, "HTTP 503: busy", token_times=[10.01]))
    found = tally.to_json(20.0)
    ttft, itl, errors = found["objectives"]
    assert (ttft["good"], ttft["total"], ttft["verdict"]) == (9, 10, "met")
    assert (itl["good"], itl["total"]) == (30, 30)
    assert (errors["good"], errors["total"], errors["verdict"]) == (10, 11, "met")
    assert found["ttft"]["max"] == pytest.approx(0.9), "what failed is never fast"
    assert (found["sent"], found["ok"], found["failed"], found["inFlight"]) == (11, 10, 1, 0)
    assert found["errors"] == [{"code": "503", "count": 1, "message": "HTTP 503: busy"}]
    assert (found["sentRate"], found["okRate"], found["cachedTokens"]) == (0.55, 0.5, 600)


def test_what_was_not_sent_is_no_error_of_the_pool() -> None:
    tally = Tally(PROMISES, 60)
    tally.ended(Outcome(0.0, 0.0, 100, SHED))
    found = tally.to_json(1.0)
    assert (found["shed"], found["sent"], found["failed"]) == (1, 0, 0)
    assert found["objectives"][2]["total"] == 0


def test_what_nobody_waits_for_any_more_is_cut_off() -> None:
    tally = Tally((), 60)
    tally.sent(0.0)
    assert (tally.to_json(1.0)["inFlight"], tally.to_json(1.0)["cutOff"]) == (1, 0)
    over = tally.to_json(1.0, over=True)
    assert (over["inFlight"], over["cutOff"]) == (0, 1)


def test_kinds_of_failures_are_bounded() -> None:
    tally = Tally((), 60)
    for status in range(400, 440):
        tally.sent(0.0)
        tally.ended(Outcome(0.0, 0.0, 1, f"HTTP {status}: no"))
    rows = tally.to_json(1.0)["errors"]
    assert len(rows) == 17 and rows[-1]["code"] == "other"
    assert sum(row["count"] for row in rows) == 40
    assert code_of("no whole answer within 5 s") == "timeout"
    assert code_of("cannot connect: Connection refused") == "connect"
    assert code_of("the stream ended without [DONE]") == "cut"


def test_the_course_is_bounded_and_by_when_a_request_was_sent() -> None:
    tally = Tally((), 1800)
    for n in range(3600):
        at = n / 2
        tally.sent(at)
        tally.ended(whole(at, 0.1 if at < 900 else 0.4, gaps=1))
    found = tally.to_json(1800)
    assert len(found["slices"]) == SLICES and found["sliceSeconds"] == 15
    assert sum(part["sent"] for part in found["slices"]) == 3600
    assert found["slices"][0]["ttftP95"] == pytest.approx(0.1, rel=0.01)
    assert found["slices"][-1]["ttftP95"] == pytest.approx(0.4, rel=0.01)
    assert len(json.dumps(found)) < 30_000
