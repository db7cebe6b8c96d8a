"""How readings become a row: engines, pickers, sleepers, money."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.telemetry.domain import measures
from apps.telemetry.domain.deltas import Delta
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.readings import PageReading
from apps.telemetry.domain.samples import Known, NoTraffic, Unknown
from apps.telemetry.domain.signals import AcceleratorUse, Reading, Signals, combine, merge


def engine(**gauges: float) -> Reading:
    return Reading(PageReading(gauges=gauges))


def test_gauges_add_up_over_replicas_unless_their_name_says_otherwise() -> None:
    row = combine(0, 10, [engine(running=2, kv_mean=0.2, kv_max=0.9), engine(running=3, kv_mean=0.4, kv_max=0.5)], {})
    assert row.gauges == {"running": 5, "kv_mean": pytest.approx(0.3), "kv_max": 0.9}


def test_sleepers_are_counted_as_replicas() -> None:
    up, down, gone = (
        engine(awake=a, asleep_offloaded=b, asleep_discarded=c) for a, b, c in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    )
    row = combine(0, 10, [up, down, gone, Reading(None, reason="x")], {"ready": 4})
    assert row.replicas == {"ready": 4, "awake": 1, "asleep": 2, "discarded": 1}
    assert row.gauges == {}
    assert "awake" not in combine(0, 10, [engine(running=1)], {}).replicas


def test_a_picker_is_in_the_same_row_and_its_silence_is_its_own() -> None:
    change = Delta(10, {"gateway.requests": 20}, {"gateway.ttft": Histogram({(0.0, 0.1): 20})})
    row = combine(0, 10, [engine(running=1)], {}, gateways=[Reading(PageReading(), change)])
    assert (row.targets, row.scraped) == (1, 1)
    assert row.rates == {"gateway.requests": 2}
    assert row.sources == {"gateway": {"targets": 1, "scraped": 1, "reason": ""}}
    assert measures.quantile("gateway.ttft", 0.5)(row) == Known(0.05)
    # what the picker saw says nothing of the engines
    assert isinstance(measures.quantile("ttft", 0.5)(row), Unknown)
    silent = combine(0, 10, [engine(running=1)], {}, gateways=[Reading(None, reason="chat-epp was not reached")])
    assert silent.sources["gateway"]["reason"] == "chat-epp was not reached"
    assert silent.reason == ""


def test_money_is_known_only_when_every_price_is() -> None:
    priced, free = AcceleratorUse(4, 3.0, "USD"), AcceleratorUse(2)
    row = combine(0, 10, [], {}, held=[priced])
    assert row.counts == {"accelerator_seconds": 40, "cost:USD": pytest.approx(4 * 3 * 10 / 3600)}
    assert row.gauges == {"accelerators": 4, "cost_per_hour:USD": 12}
    assert measures.cost_per_hour(row) == Known(12)
    row = combine(0, 10, [], {}, held=[priced, free])
    assert row.counts["unpriced_accelerator_seconds"] == 20
    assert "cost_per_hour:USD" not in row.gauges
    assert isinstance(measures.cost_per_hour(row), Unknown)
    mixed = combine(0, 10, [], {}, held=[priced, AcceleratorUse(1, 2.0, "EUR")])
    assert isinstance(measures.cost_per_hour(mixed), Unknown)
    assert measures.cost_per_hour(combine(0, 10, [], {}, held=[AcceleratorUse(0)])) == Known(0)
    assert isinstance(measures.cost_per_hour(combine(0, 10, [], {}, held=None)), Unknown)


def test_means_are_sums_over_counts() -> None:
    change = Delta(10, {"queue_sum": 3.0}, {"queue": Histogram({(0.0, 1.0): 2})})
    row = combine(0, 10, [Reading(PageReading(), change)], {})
    assert measures.mean("queue")(row) == Known(1.5)
    quiet = Signals(0, 10, counts={"queue_sum": 0.0}, rates={"queue_sum": 0.0})
    assert isinstance(measures.mean("queue")(quiet), NoTraffic)
    assert isinstance(measures.mean("queue")(Signals(0, 10)), Unknown)


edges = st.floats(0.001, 100)
histograms = st.dictionaries(
    st.tuples(edges, edges).map(sorted).filter(lambda pair: pair[0] < pair[1]).map(tuple), st.integers(1, 10**6)
)


@given(histograms, histograms)
def test_packed_histograms_come_back(left: dict, right: dict) -> None:
    for counts in (left, {**left, (-float("inf"), 0.5): 2, (100.0, float("inf")): 3}):
        histogram = Histogram(counts)
        assert Histogram.from_json(histogram.pack()) == histogram
        assert Histogram.from_json(histogram.to_json()) == histogram
    both = Histogram(left) + Histogram(right)
    assert both - Histogram(right) == Histogram(left)


def test_a_packed_histogram_is_short() -> None:
    histogram = Histogram({(0.1, 0.12): 5, (0.12, 0.15): 7, (0.2, 0.25): 1})
    assert histogram.pack() == "0.1 0.12 0.15 0.2 0.25|5 7 0 1"


def test_rows_of_a_minute_merge() -> None:
    rows = [
        combine(
            at, 10, [engine(running=at / 10, kv_max=0.1 * at)], {"ready": at}, held=[AcceleratorUse(1, 36.0, "USD")]
        )
        for at in (10, 20)
    ]
    row = merge(rows)
    assert row.counts["cost:USD"] == pytest.approx(0.2)
    assert row.gauges == {"running": 1.5, "kv_max": 2, "accelerators": 1, "cost_per_hour:USD": 36}
    assert row.replicas == {"ready": 20}
