"""How signals count for a promise, and that the ledger loses nothing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.slos.domain.ledger import Point, fold, thinned
from apps.slos.domain.tally import Promise, Tally, count
from apps.telemetry.domain.failures import kind_of
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.signals import Signals, merge

TTFT = Promise("engine", "ttft", 0.5)


def row(at: float = 60.0, seconds: float = 60.0, **changes) -> Signals:
    values = {
        "targets": 2,
        "scraped": 2,
        "counts": {"requests": 10.0, "errors": 0.0, "aborts": 0.0},
        "histograms": {"ttft": Histogram({(0.2, 0.25): 8, (0.4, 0.5): 1, (0.5, 0.6): 1})},
    }
    return Signals(at=at, seconds=seconds, **{**values, **changes})


def test_a_threshold_on_the_grid_is_counted_exactly_another_has_its_bracket() -> None:
    assert count(row(), TTFT) == Tally(10, 9, 9, 60, 0)
    assert count(row(), Promise("engine", "ttft", 0.45)) == Tally(10, 8, 9, 60, 0)


def test_rejected_and_failed_requests_are_never_good() -> None:
    shed = count(row(counts={"requests": 10.0, "rejections": 5.0}), TTFT)
    assert (shed.total, shed.good, shed.good_most) == (15, 9, 9)
    # which of the ten the two errors were is not told: they may all have been fast, or slow as far as there are slow
    failed = count(row(counts={"requests": 10.0, "errors": 2.0}), TTFT)
    assert (failed.total, failed.good, failed.good_most) == (10, 7, 8)


def test_error_rate_leaves_out_what_clients_gave_up() -> None:
    errors = Promise("engine", "errors", None)
    tally = count(row(counts={"requests": 20.0, "errors": 1.0, "aborts": 4.0, "rejections": 3.0}), errors)
    assert (tally.total, tally.good, tally.good_most) == (19, 15, 15)


def test_the_gateway_counts_what_never_reached_an_engine() -> None:
    gateway = {
        "counts": {
            "gateway.errors": 20.0,
            "gateway.error:503": 2.0,
            "gateway.error:InferencePoolResourceExhausted": 1.0,
            "gateway.error:UpstreamReset": 1.0,
            "gateway.error:504": 1.0,
            "gateway.error:400": 9.0,
            "gateway.error:ClientDisconnected": 6.0,
        },
        "histograms": {
            "gateway.ttft": Histogram({(0.2, 0.25): 20}),
            "gateway.e2e": Histogram({(1.0, 2.0): 24}),
            "gateway.itl": Histogram({(0.01, 0.02): 100}),
        },
        "sources": {"gateway": {"targets": 1, "scraped": 1, "reason": ""}},
    }
    assert count(row(**gateway), Promise("gateway", "ttft", 0.25)) == Tally(25, 20, 20, 60, 0)
    assert count(row(**gateway), Promise("gateway", "errors", None)) == Tally(29, 24, 24, 60, 0)
    assert count(row(**gateway), Promise("gateway", "itl", 0.02)) == Tally(100, 100, 100, 60, 0)


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({"scraped": 1}, 30.0),
        ({"scraped": 0}, 0.0),
        ({"targets": 0, "scraped": 0}, 0.0),
        ({"targets": 0, "scraped": 0, "replicas": {"desired": 0}}, 60.0),
        ({"targets": 0, "scraped": 0, "replicas": {"desired": 2}}, 0.0),
    ],
)
def test_time_that_was_not_measured_is_unknown_not_good(changes: dict, known: float) -> None:
    tally = count(row(counts={}, histograms={}, **changes), TTFT)
    assert (tally.total, tally.known, tally.idle) == (0, known, known)


def test_without_a_picker_that_answers_the_gateway_is_unknown() -> None:
    assert count(row(), Promise("gateway", "ttft", 0.5)).known == 0.0
    half = {"gateway": {"targets": 2, "scraped": 1, "reason": "chat-epp-0 does not answer."}}
    assert count(row(sources=half), Promise("gateway", "ttft", 0.5)).known == 30.0


@pytest.mark.parametrize(
    ("code", "kind"),
    [("429", "shed"), ("503", "shed"), ("504", "timed_out"), ("500", "failed"), ("502", "failed"), ("404", "client"),
     ("UpstreamReset", "failed"), ("ModelServerError", "failed"), ("BadRequest", "client"), ("Surprise", "failed")],
)  # fmt: skip
def test_what_error_codes_mean(code: str, kind: str) -> None:
    assert kind_of(code) == kind


_COUNTS = st.dictionaries(
    st.sampled_from([(0.0, 0.1), (0.1, 0.5), (0.3, 0.7), (0.5, math.inf)]), st.integers(0, 50), max_size=4
)
_ROWS = st.lists(
    st.builds(
        lambda buckets, errors, shed, targets, scraped: {
            "histograms": {"ttft": Histogram({k: float(v) for k, v in buckets.items() if v})},
            "counts": {"requests": float(sum(buckets.values())), "errors": float(errors), "rejections": float(shed)},
            "targets": targets,
            "scraped": min(scraped, targets),
        },
        _COUNTS,
        st.integers(0, 5),
        st.integers(0, 5),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=30,
)


@given(_ROWS)
def test_a_tally_is_always_in_order(rows: list[dict]) -> None:
    for one in rows:
        tally = count(row(**one), TTFT)
        assert 0 <= tally.good <= tally.good_most <= tally.total
        assert 0 <= tally.idle <= tally.known <= 60


@given(_ROWS, st.integers(0, 30))
def test_a_window_is_the_difference_of_two_points(rows: list[dict], cut: int) -> None:
    signals = [row(at=60.0 * (n + 1), **one) for n, one in enumerate(rows)]
    points = fold(Point(0.0), signals, TTFT)
    start = 60.0 * cut
    before = max((p for p in points if p.at <= start), key=lambda p: p.at, default=Point(0.0))
    inside = [count(one, TTFT) for one in signals if one.at > start]
    last = points[-1] if points else Point(0.0)
    window = last.sums - before.sums
    assert window.total == pytest.approx(sum(t.total for t in inside))
    assert window.good == pytest.approx(sum(t.good for t in inside))
    assert window.known == pytest.approx(sum(t.known for t in inside))


@given(_ROWS)
def test_the_same_rows_twice_count_once(rows: list[dict]) -> None:
    signals = [row(at=60.0 * (n + 1), **one) for n, one in enumerate(rows)]
    points = fold(Point(0.0), signals, TTFT)
    last = points[-1] if points else Point(0.0)
    assert fold(last, signals, TTFT) == []


@given(_ROWS)
def test_minutes_and_what_they_merge_to_count_the_same(rows: list[dict]) -> None:
    if not rows:
        return
    signals = [
        row(at=60.0 * (n + 1), **{**one, "targets": 2, "scraped": 2, "counts": {}}) for n, one in enumerate(rows)
    ]
    fine = fold(Point(0.0), signals, TTFT)[-1]
    coarse = fold(Point(0.0), [merge(signals)], TTFT)[-1]
    assert (coarse.sums.total, coarse.sums.good) == (fine.sums.total, fine.sums.good)
    assert coarse.sums.known == pytest.approx(fine.sums.known)


def test_known_time_never_exceeds_time() -> None:
    (point,) = fold(Point(50.0), [row(at=60.0, seconds=60.0)], TTFT)
    assert point.sums.known == 10.0


def test_thinning_keeps_the_sums_at_whole_hours() -> None:
    points = fold(Point(0.0), [row(at=60.0 * n) for n in range(1, 181)], TTFT)
    kept = thinned(points, before=7200.0)
    assert [p.at for p in kept if p.at <= 7200] == [3600.0, 7200.0]
    assert [p for p in kept if p.at > 7200] == [p for p in points if p.at > 7200]
    assert kept[0].sums == next(p for p in points if p.at == 3600.0).sums


def test_a_class_of_requests_is_counted_on_its_own() -> None:
    key = "tenant=acme,priority=10"
    counts = {
        "gateway.requests": 100.0, "gateway.error:503": 20.0,
        f"gateway.requests@{key}": 12.0, f"gateway.error@{key}:503": 2.0, f"gateway.error@{key}:400": 1.0,
    }  # fmt: skip
    histograms = {
        "gateway.e2e": Histogram({(0.0, 9.0): 80}),
        f"gateway.e2e@{key}": Histogram({(0.0, 1.0): 6, (1.0, 9.0): 4}),
    }
    sources = {"gateway": {"targets": 1, "scraped": 1}}
    mine = row(counts=counts, histograms=histograms, sources=sources)
    assert count(mine, Promise("gateway", "e2e", 1.0, key)) == Tally(12, 6, 6, 60, 0)
    assert count(mine, Promise("gateway", "errors", None, key)) == Tally(12, 10, 10, 60, 0)
    # before it was counted nothing of it is known, neither good nor idle
    before = row(counts={"gateway.requests": 100.0}, histograms={}, sources=sources)
    assert count(before, Promise("gateway", "e2e", 1.0, key)) == Tally()
    idle = row(counts={f"gateway.requests@{key}": 0.0}, histograms={}, sources=sources)
    assert count(idle, Promise("gateway", "e2e", 1.0, key)) == Tally(0, 0, 0, 60, 60)
