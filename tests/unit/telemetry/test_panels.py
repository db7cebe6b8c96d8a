"""Rows of signals become charts: windows, steps, and what the chart says when there is nothing to draw."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.telemetry.domain.charts import MAX_POINTS, Threshold, choose_step, draw
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.panels import PANELS
from apps.telemetry.domain.signals import Signals, merge

NOW = 1_000_000.0


def row(ago: float, **changes) -> Signals:
    values = {
        "at": NOW - ago,
        "seconds": 10.0,
        "targets": 2,
        "scraped": 2,
        "counts": {"requests": 10.0, "prompt_tokens": 1000.0, "cached_tokens": 750.0},
        "rates": {"requests": 1.0, "prompt_tokens": 100.0, "source_computed": 25.0, "source_device": 75.0},
        "histograms": {"ttft": Histogram({(0.1, 0.25): 10})},
        "gauges": {"running": 4.0, "waiting": 0.0, "kv_mean": 0.25, "kv_max": 0.5},
        "replicas": {"desired": 2, "ready": 2},
    }
    return Signals(**{**values, **changes})


def chart(name: str, rows: list[Signals], *, seconds: float = 120.0, step: float = 10.0, thresholds=()):
    return draw(
        PANELS[name], rows, start=NOW - seconds, end=NOW, step=step, now=NOW, interval=10.0, thresholds=thresholds
    ).to_json()


def points(answer: dict, key: str) -> list[float | None]:
    return [value for series in answer["series"] if series["key"] == key for _, value in series["points"]]


def history(**changes) -> list[Signals]:
    return [row(ago, **changes) for ago in range(180, -1, -10)]


def test_quantiles_over_the_window_with_the_slo_line() -> None:
    answer = chart("ttft", history(), thresholds=[Threshold("SLO 500 ms", 0.5)])
    assert (answer["state"], answer["unit"], answer["kind"]) == ("ok", "s", "line")
    assert points(answer, "p50") == [pytest.approx(0.175)] * 13
    assert answer["thresholds"] == [{"label": "SLO 500 ms", "value": 0.5}]
    assert answer["lastSampleAt"] == NOW


def test_points_lie_on_multiples_of_the_step() -> None:
    answer = chart("queue", history(), step=30.0)
    times = [time for time, _ in answer["series"][0]["points"]]
    assert all(time % 30 == 0 for time in times)
    assert times == sorted(set(times))


def test_hit_rate_is_of_the_window_not_of_the_lifetime() -> None:
    cold = {"counts": {"prompt_tokens": 1000.0, "cached_tokens": 0.0}}
    rows = [row(ago, **cold) for ago in range(180, 60, -10)] + [row(ago) for ago in range(60, -1, -10)]
    values = points(chart("hit_rate", rows), "hit_rate")
    assert values[0] == 0.0
    assert values[-1] == 0.75


def test_silence_is_no_traffic_and_draws_no_zero_latency() -> None:
    idle = {"counts": {"prompt_tokens": 0.0, "cached_tokens": 0.0}, "rates": {"requests": 0.0}, "histograms": {}}
    for name in ("ttft", "hit_rate"):
        answer = chart(name, history(**idle))
        assert answer["state"] == "no_traffic"
        assert set(points(answer, answer["series"][0]["key"])) == {None}
    assert points(chart("requests", history(**idle)), "requests") == [0.0] * 13


def test_nothing_scraped_is_no_data_with_the_reason() -> None:
    dead = {
        "scraped": 0,
        "counts": {},
        "rates": {},
        "histograms": {},
        "gauges": {},
        "reason": "chat-0 did not answer within 3 s.",
    }
    answer = chart("ttft", history(**dead))
    assert (answer["state"], answer["reason"]) == ("no_data", "chat-0 did not answer within 3 s.")
    assert chart("ttft", [])["state"] == "no_data"
    assert chart("replicas", history(**dead))["state"] == "ok"


def test_what_engines_never_report_is_said_as_such_and_not_promised() -> None:
    answer = chart("offload_bandwidth", history())
    assert answer["state"] == "no_data"
    assert "no tier below their own memory" in answer["reason"]
    assert "Two scrapes" in chart("offload_bandwidth", history()[-1:])["reason"]


def test_an_old_last_sample_is_stale_and_its_values_stay() -> None:
    rows = [row(ago) for ago in range(180, 60, -10)]
    answer = chart("queue", rows)
    assert answer["state"] == "stale"
    assert "70 s old" in answer["reason"]
    assert points(answer, "running")[0] == 4.0
    assert points(answer, "running")[-1] is None


def test_a_range_in_the_past_is_not_stale() -> None:
    rows = [row(ago) for ago in range(3600, 3000, -10)]
    answer = draw(PANELS["queue"], rows, start=NOW - 3600, end=NOW - 3000, step=10, now=NOW, interval=10.0)
    assert answer.state == "ok"


def test_a_missed_tick_is_a_gap_not_a_zero() -> None:
    rows = [row(ago) for ago in range(180, -1, -10) if not 30 <= ago <= 50]
    values = points(chart("queue", rows), "running")
    # each point looks back over two scrapes
    assert values.count(None) == 2
    assert 0.0 not in values


@given(st.floats(600, 14 * 86400))
def test_the_chosen_step_keeps_the_number_of_points_bounded(seconds: float) -> None:
    assert seconds / choose_step(seconds, 10.0) <= MAX_POINTS


counts = st.fixed_dictionaries(
    {"requests": st.integers(0, 100).map(float), "prompt_tokens": st.integers(0, 9999).map(float)}
)


@given(st.lists(counts, min_size=2, max_size=8), st.integers(1, 7))
def test_merging_in_any_grouping_is_the_same(parts: list[dict], split: int) -> None:
    rows = [row(-10.0 * index, counts=part) for index, part in enumerate(parts)]
    split = min(split, len(rows) - 1)
    whole = merge(rows)
    grouped = merge([merge(rows[:split]), merge(rows[split:])])
    assert grouped.counts == whole.counts
    assert grouped.histograms["ttft"].counts == whole.histograms["ttft"].counts
    assert grouped.seconds == whole.seconds
    assert grouped.at == whole.at
    assert {k: pytest.approx(v) for k, v in grouped.gauges.items()} == whole.gauges


def test_a_heatmap_has_the_counts_of_every_bucket() -> None:
    rows = [row(ago, histograms={"ttft": Histogram({(0.1, 0.25): 3, (5.0, float("inf")): 1})}) for ago in (20, 10, 0)]
    answer = chart("ttft_heatmap", rows, seconds=10.0)
    assert (answer["kind"], answer["state"], answer["series"]) == ("heatmap", "ok", [])
    assert answer["heatmap"]["buckets"] == [[0.1, 0.25], [5.0, None]]
    # each column looks back over two scrapes
    assert answer["heatmap"]["columns"] == [[NOW - 10, [6, 2]], [NOW, [6, 2]]]


def test_a_heatmap_without_traffic() -> None:
    answer = chart("ttft_heatmap", [row(ago, histograms={}) for ago in (20, 10, 0)], seconds=10.0)
    assert answer["state"] == "no_traffic"
    assert answer["heatmap"]["buckets"] == []


def test_the_breakdown_is_of_means_over_counts() -> None:
    histograms = {"queue": Histogram({(0.0, 1.0): 4}), "prefill": Histogram({(0.0, 1.0): 4}), "decode": Histogram({})}
    counts = {"queue_sum": 1.0, "prefill_sum": 2.0}
    answer = chart("breakdown", history(histograms=histograms, counts=counts))
    assert points(answer, "queue")[-1] == pytest.approx(0.25)
    assert points(answer, "prefill")[-1] == pytest.approx(0.5)
    assert points(answer, "decode")[-1] is None


def test_failures_at_the_gateway_leave_out_what_clients_did_wrong() -> None:
    counts = {"gateway.requests": 100.0, "gateway.errors": 12.0, "gateway.error:503": 5.0, "gateway.error:400": 7.0}
    assert points(chart("error_rate", history(counts=counts)), "gateway")[-1] == pytest.approx(0.05)


@pytest.mark.parametrize("panel", PANELS.values(), ids=lambda panel: panel.name)
def test_every_panel_draws_of_nothing_and_of_rows_without_names(panel) -> None:
    assert chart(panel.name, [])["state"] == "no_data"
    bare = [row(ago, counts={}, rates={}, histograms={}, gauges={}, replicas={}) for ago in (20, 10, 0)]
    answer = chart(panel.name, bare, seconds=10.0)
    assert answer["state"] in ("no_data", "no_traffic")
    assert all(value is None for series in answer["series"] for _, value in series["points"])


PRICED = {"running": 1.0, "accelerators": 2.0, "cost_per_hour:EUR": 7.2}


def test_money_has_the_currency_of_the_prices() -> None:
    answer = chart("cost", history(gauges=PRICED))
    assert (answer["unit"], points(answer, "cost")[-1]) == ("EUR/h", pytest.approx(7.2))
    assert chart("cost", history(gauges={"accelerators": 0.0}))["unit"] == "money/h"
    two = {**PRICED, "cost_per_hour:USD": 1.0}
    answer = chart("cost", history(gauges=two))
    assert (answer["unit"], points(answer, "cost")[-1]) == ("money/h", None)


def test_the_cost_of_a_million_tokens_is_money_over_tokens_of_the_window() -> None:
    # 7.20 an hour buys 3600 s x 100 tokens: 20 for a million
    rates = {"prompt_tokens": 60.0, "generation_tokens": 40.0}
    answer = chart("cost_per_mtok", history(gauges=PRICED, rates=rates))
    assert answer["unit"] == "EUR/Mtok"
    assert points(answer, "all")[-1] == pytest.approx(20.0)
    assert points(answer, "generated")[-1] == pytest.approx(50.0)
    # paying for nothing is no price of tokens, and without a price there is none either
    idle = chart("cost_per_mtok", history(gauges=PRICED, rates=dict.fromkeys(rates, 0.0)))
    assert (idle["state"], points(idle, "all")[-1]) == ("no_traffic", None)
    unpriced = chart("cost_per_mtok", history(gauges={"accelerators": 2.0}, rates=rates))
    assert points(unpriced, "all")[-1] is None
