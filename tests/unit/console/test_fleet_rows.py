"""The fleet's rows: what is unknown stays unknown, what is known adds up."""

from __future__ import annotations

from decimal import Decimal

import pytest

from apps.console.domain.fleet import SORTS, Facts, Figures, fleet_row, matches, ordered, totals
from apps.core.domain.units import HourlyPrice
from apps.slos.domain.slo import SLOSpec
from apps.telemetry.domain.samples import Known, NoTraffic, Unknown

USD = HourlyPrice(Decimal("3.20"), "USD")
STATUS = {
    "sync": "Synced",
    "health": "Healthy",
    "replicas": {"desired": 3, "ready": 2, "starting": 1},
    "variants": [{"name": "h200", "desired": 2}, {"name": "l40s", "desired": 1}],
}


def facts(**changes) -> Facts:
    values = {
        "uid": "u",
        "team": "default",
        "name": "chat",
        "spec": {"model": "llama", "cluster": "embedded", "path": "optimized-baseline"},
        "status": STATUS,
        "ready_reason": "",
        "ready_message": "",
        "updated_at": "2026-11-23T20:00:00+00:00",
        "accelerators": {"h200": ("nvidia-h200", 2), "l40s": ("nvidia-l40s", 1)},
        "prices": {"nvidia-h200": USD, "nvidia-l40s": HourlyPrice(Decimal("1.00"), "USD")},
    }
    return Facts(**{**values, **changes})


def figures(**changes) -> Figures:
    samples = {
        "requests_per_second": Known(2.0),
        "tokens_per_second": Known(150.0),
        "ttft_p95": Known(0.4),
        "itl_p95": Known(0.02),
        "hit_rate": Known(0.7),
    }
    values = {"state": "ok", "reason": "", "samples": samples}
    return Figures(**{**values, **changes})


def slo(threshold: str, fraction: str, status: dict | None = None) -> list[tuple[str, SLOSpec, dict]]:
    objectives = [{"metric": "ttft", "threshold": threshold, "fraction": fraction, "window": "28d"}]
    spec = SLOSpec.from_document({"targetRef": {"kind": "Pool", "name": "chat"}, "objectives": objectives})
    return [("fast", spec, status or {})]


def test_a_row_puts_the_rooms_side_by_side() -> None:
    row = fleet_row(facts(), figures(), [])
    assert (row["sync"], row["health"], row["dataState"]) == ("Synced", "Healthy", "ok")
    assert row["accelerators"] == 5
    assert row["costPerHour"] == pytest.approx(4 * 3.20 + 1.00)
    assert row["currency"] == "USD"
    assert (row["requestsPerSecond"], row["ttftP95"], row["hitRate"]) == (2.0, 0.4, 0.7)


def test_accelerators_of_sleepers_are_told_apart() -> None:
    row = fleet_row(facts(asleep={"h200": 1}), figures(), [])
    assert (row["accelerators"], row["acceleratorsAsleep"]) == (5, 2)
    assert totals([row, row])["acceleratorsAsleep"] == 4


def test_replicas_that_sleep_are_told_apart() -> None:
    row = fleet_row(facts(status={"replicas": {"desired": 2, "ready": 2, "starting": 0, "asleep": 1}}), figures(), [])
    assert row["replicas"] == {"desired": 2, "ready": 2, "starting": 0, "asleep": 1}
    assert totals([row, row])["replicas"]["asleep"] == 2
    assert fleet_row(facts(status={}), figures(), [])["replicas"]["asleep"] is None


def test_a_pool_nobody_has_looked_at_has_no_numbers() -> None:
    row = fleet_row(facts(status={}), None, slo("500ms", "95%"))
    assert (row["sync"], row["health"], row["dataState"]) == ("Unknown", "Unknown", "no_data")
    for unknown in ("accelerators", "costPerHour", "requestsPerSecond", "ttftP95", "itlP95", "hitRate"):
        assert row[unknown] is None
    assert row["replicas"] == {"desired": None, "ready": None, "starting": None, "asleep": None}
    assert row["slo"][0]["attained"] is None
    assert row["slo"][0]["met"] is None


def test_an_unpriced_accelerator_makes_the_cost_unknown_only_when_it_is_used() -> None:
    assert fleet_row(facts(prices={"nvidia-h200": USD}), None, [])["costPerHour"] is None
    status = {**STATUS, "variants": [{"name": "h200", "desired": 1}, {"name": "l40s", "desired": 0}]}
    assert fleet_row(facts(prices={"nvidia-h200": USD}, status=status), None, [])["costPerHour"] == pytest.approx(6.4)
    mixed = {"nvidia-h200": USD, "nvidia-l40s": HourlyPrice(Decimal(1), "EUR")}
    assert fleet_row(facts(prices=mixed), None, [])["costPerHour"] is None


def test_silence_and_staleness_are_said() -> None:
    quiet = figures(samples={"requests_per_second": Known(0.0), "ttft_p95": NoTraffic()})
    row = fleet_row(facts(), quiet, [])
    assert (row["dataState"], row["requestsPerSecond"], row["ttftP95"]) == ("no_traffic", 0.0, None)
    stale = figures(state="stale", samples={"requests_per_second": Unknown("old")})
    assert fleet_row(facts(), stale, [])["dataState"] == "stale"


@pytest.mark.parametrize(
    ("state", "met"), [("Met", True), ("AtRisk", True), ("Breached", False), ("Undecided", None), ("NoData", None)]
)
def test_objectives_as_their_slo_was_judged(state: str, met: bool | None) -> None:
    judged = {"key": "ttft-500ms-28d", "state": state, "attained": 0.95, "exact": True, "budgetLeft": 0.2}
    objective = fleet_row(facts(), figures(), slo("500ms", "90%", {"objectives": [judged]}))["slo"][0]
    assert (objective["attained"], objective["exact"], objective["met"]) == (0.95, True, met)
    assert (objective["slo"], objective["threshold"], objective["window"]) == ("fast", 0.5, 28 * 86400)
    assert objective["budgetLeft"] == 0.2


def test_what_was_judged_of_another_threshold_is_not_shown() -> None:
    judged = {"key": "ttft-250ms-28d", "state": "Met", "attained": 0.95}
    objective = fleet_row(facts(), figures(), slo("500ms", "90%", {"objectives": [judged]}))["slo"][0]
    assert (objective["attained"], objective["state"]) == (None, "NoData")


def rows() -> list[dict]:
    named = []
    for name, ttft, health in (("b", 0.2, "Healthy"), ("a", None, "Degraded"), ("c", 0.1, "Progressing")):
        samples = {} if ttft is None else {"ttft_p95": Known(ttft)}
        named.append(fleet_row(facts(name=name, status={**STATUS, "health": health}), figures(samples=samples), []))
    return named


def test_unknown_values_come_last_in_either_order() -> None:
    assert [row["name"] for row in ordered(rows(), "ttft", descending=False)] == ["c", "b", "a"]
    assert [row["name"] for row in ordered(rows(), "ttft", descending=True)] == ["b", "c", "a"]
    assert [row["name"] for row in ordered(rows(), "health", descending=False)] == ["a", "c", "b"]


@pytest.mark.parametrize("sort", SORTS)
def test_every_order_takes_rows_without_figures(sort: str) -> None:
    mixed = [*rows(), fleet_row(facts(name="z", status={}), None, [])]
    assert len(ordered(mixed, sort, descending=True)) == 4


def test_filters() -> None:
    row = rows()[0]
    assert matches(row, text="LLA", team="default")
    assert not matches(row, text="nothing")
    assert not matches(row, health="Degraded")


def test_totals_leave_out_what_is_unknown() -> None:
    summed = totals([*rows(), fleet_row(facts(name="z", status={}), None, [])])
    assert summed["pools"] == 4
    assert summed["healthy"] == 1
    assert summed["replicas"]["desired"] == 9
    assert summed["costPerHour"] == pytest.approx(3 * 13.8)
    assert totals([])["costPerHour"] is None


def test_the_price_of_tokens_counts_prompt_and_generated_ones_and_is_unknown_in_silence() -> None:
    samples = {"tokens_per_second": Known(100.0), "prompt_tokens_per_second": Known(900.0)}
    row = fleet_row(facts(), figures(samples=samples), [])
    # 13.80 USD an hour for 3.6 million tokens
    assert row["costPerHour"] == pytest.approx(13.8)
    assert row["costPerMillionTokens"] == pytest.approx(13.8 / 3.6)
    assert row["acceleratorsPerReplica"] == 2
    assert fleet_row(facts(), figures(samples={"tokens_per_second": Known(0.0)}), [])["costPerMillionTokens"] is None
    assert fleet_row(facts(status={}), figures(samples=samples), [])["costPerMillionTokens"] is None
