"""Before and after, and the sentence about it."""

from __future__ import annotations

from typing import Any

from apps.benchmarks.domain.comparing import Load, compare
from apps.benchmarks.domain.outcomes import Outcome
from apps.benchmarks.domain.tally import Promise, Tally
from apps.benchmarks.domain.telling import ending

ASKED = {"rate": 5.0, "shape": "chat", "label": "one", "duration": "1m"}


def side(generation: int, ttft: float, count: int = 40, **asked: Any) -> Load:
    tally = Tally((Promise("s", "ttft-500ms-28d", "ttft", 0.5, 0.95),), 60)
    for n in range(count):
        tally.sent(float(n))
        tally.ended(Outcome(float(n), float(n), 10, None, n + ttft + 0.1, [n + ttft, n + ttft + 0.1], 2))
    return Load(generation, {**ASKED, **asked}, tally.to_json(60.0, over=True))


def test_what_users_got_before_and_after() -> None:
    found = compare(side(2, 1.2), side(4, 0.3, label="two", seed=3))
    assert found["comparable"] and found["differs"] == []
    assert found["sentence"] == (
        "TTFT p95 fell from 1.2 s to 300 ms; within 500 ms were 0 % before and 100 % after, 95 % are promised. "
        "Between them the pool went from generation 2 to 4."
    )
    p95 = next(row for row in found["figures"] if row["key"] == "ttft-p95")
    assert round(p95["change"], 2) == -0.75
    (kept,) = found["objectives"]
    assert (kept["verdictBefore"], kept["verdictAfter"]) == ("missed", "met")


def test_small_moves_are_not_told_as_moves() -> None:
    assert "stayed at about" in compare(side(1, 0.300), side(1, 0.305))["sentence"]


def test_other_loads_and_few_answers_are_no_comparison() -> None:
    other = compare(side(1, 0.3), side(1, 0.9, rate=9.0))
    assert not other["comparable"]
    assert other["differs"] == [{"field": "rate", "before": 5.0, "after": 9.0}]
    assert "not the same" in other["sentence"]
    few = compare(side(1, 0.3, count=3), side(1, 0.9))
    assert not few["comparable"] and "too few" in few["sentence"]


def test_nothing_measured_is_not_zero() -> None:
    found = compare(Load(1, ASKED, None), side(1, 0.3))
    assert not found["comparable"]
    assert all(row["before"] is None and row["change"] is None for row in found["figures"])
    assert found["objectives"][0]["before"] is None


def test_how_a_load_ended() -> None:
    measured = side(1, 0.3).measured
    assert ending("done", measured) == "The load ended: 40 of 40 requests succeeded, TTFT p95 300 ms."
    assert ending("stopped", None) == "The load was stopped; nothing was sent."
    assert ending("failed", None, "the pool is gone.") == "The load failed: the pool is gone."
    assert ending("lost", measured).startswith(
        "The load was lost: the worker that sent it ended before it did; 40 of 40"
    )
    tally = Tally((), 60)
    tally.sent(0.0)
    tally.ended(Outcome(0.0, 0.0, 1, "HTTP 503: busy"))
    assert ending("done", tally.to_json(1.0)) == "The load ended: 0 of 1 requests succeeded, 1 x HTTP 503."
