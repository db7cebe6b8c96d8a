"""What is said of a pool whose loops are not fed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.catalog.domain.vllm.facts import metrics
from apps.slos.domain.integrity import (
    GATEWAY,
    LOOPS,
    Facts,
    Finding,
    Page,
    Report,
    SeriesFacts,
    examine,
    needs_of_slo,
)

NOW = 10_000.0
GOOD = {metric: SeriesFacts(frozenset({"llama"}), 5.0) for metrics in LOOPS.values() for metric in metrics}


def page(name: str = "chat-0", **changes) -> Page:
    return Page(name, **{"series": GOOD, "moved_at": NOW - 10, **changes})


def facts(*engines: Page, **changes) -> Facts:
    base = Facts(frozenset({"llama"}), engines, (), dict(LOOPS), desired=len(engines))
    return replace(base, **changes)


def only(report: Report) -> Finding:
    (finding,) = report.findings
    return finding


def test_a_pool_that_is_fed() -> None:
    report = examine(facts(page(), page("chat-1")), NOW)
    assert report.state == "fed"
    assert report.findings == ()
    assert set(report.loops) == {"dashboard", "autoscaler", "offload"}


def test_another_model_name_starves_every_loop() -> None:
    renamed = {metric: SeriesFacts(frozenset({"other"}), 5.0) for metric in GOOD}
    report = examine(facts(page(series=renamed), page("chat-1")), NOW)
    finding = only(report)
    assert (report.state, finding.reason, finding.targets) == ("starved", "ModelMismatch", ("chat-0",))
    assert "Set servedName of the Model to other, or remove --served-model-name" in finding.message


def test_an_adapter_beside_the_model_is_no_mismatch() -> None:
    both = {metric: SeriesFacts(frozenset({"llama", "an-adapter"}), 5.0) for metric in GOOD}
    assert examine(facts(page(series=both)), NOW).state == "fed"


def test_a_removed_metric_starves_the_loops_that_read_it_and_no_other() -> None:
    without = {metric: found for metric, found in GOOD.items() if metric != "vllm:prefix_cache_queries_total"}
    report = examine(facts(page(series=without)), NOW)
    assert report.loops == {"dashboard": "fed", "autoscaler": "fed", "offload": "starved"}
    assert only(report).reason == "MetricMissing"
    assert "engine.image" in only(report).message


def test_metrics_switched_off() -> None:
    report = examine(facts(page(series={})), NOW)
    assert only(report).reason == "NoMetrics"
    assert "remove --disable-log-stats" in only(report).message
    assert set(report.loops.values()) == {"starved"}


def test_not_a_number() -> None:
    broken = {**GOOD, "vllm:kv_cache_usage_perc": SeriesFacts(frozenset({"llama"}), None, finite=False)}
    report = examine(facts(page(series=broken)), NOW)
    assert only(report).reason == "NotFinite"
    assert report.state == "starved"


@pytest.mark.parametrize(
    ("busy", "moved_ago", "state"),
    [(True, 500.0, "starved"), (True, 60.0, "fed"), (False, 5000.0, "fed"), (True, None, "fed")],
)
def test_a_frozen_target_is_a_busy_one_that_counts_nothing(busy: bool, moved_ago: float | None, state: str) -> None:
    moved = NOW - moved_ago if moved_ago is not None else None
    report = examine(facts(page(busy=busy, moved_at=moved), page("chat-1")), NOW)
    assert report.state == state
    if state == "starved":
        assert only(report).reason == "Frozen"
        assert "kubectl delete pod chat-0" in only(report).message


def test_one_silent_target_of_many_is_not_hidden() -> None:
    silent = page("chat-2", series={}, silent="chat-2 did not give its metrics within 3 s.")
    report = examine(facts(page(), page("chat-1"), silent), NOW)
    assert report.state == "starved"
    assert "1 of 3 engines cannot be read: chat-2 did not give" in only(report).message


def test_nothing_that_runs_is_unknown_not_starved() -> None:
    assert examine(facts(desired=0), NOW).state == "unknown"
    assert only(examine(facts(desired=0), NOW)).reason == "NothingRuns"
    assert only(examine(facts(desired=2), NOW)).reason == "NoTargets"
    assert only(examine(facts(unlisted="Cluster east did not answer."), NOW)).reason == "ClusterSilent"


def test_an_slo_at_the_gateway_needs_the_picker() -> None:
    engines, picker = needs_of_slo("gateway", ["ttft", "errors"])
    assert (engines, picker) == ((), ("llm_d_epp_request_ttft_seconds", "llm_d_epp_request_duration_seconds"))
    base = facts(page(), wanted={"dashboard": LOOPS["dashboard"]}, wanted_of_picker={"slo": picker})
    assert examine(base, NOW).loops == {"dashboard": "fed", "slo": "starved"}
    assert only(examine(base, NOW)).reason == "PickerNotReady"
    assert only(examine(replace(base, picker_expected=False), NOW)).reason == "NoPicker"
    answers = Page("chat-epp", {GATEWAY["e2e"]: SeriesFacts()})
    assert examine(replace(base, pickers=(answers,)), NOW).state == "fed"
    silent = Page("chat-epp", silent="chat-epp cannot be reached for its metrics.")
    assert only(examine(replace(base, pickers=(silent,)), NOW)).reason == "TargetSilent"


def test_an_slo_at_the_engines_needs_their_histograms() -> None:
    assert needs_of_slo("engine", ["tpot", "errors"]) == (
        ("vllm:request_time_per_output_token_seconds", "vllm:request_success_total"),
        (),
    )


@pytest.mark.parametrize("version", ["0.32", "0.33"])
@pytest.mark.parametrize("loop", LOOPS)
def test_every_metric_of_a_loop_is_in_the_catalogue(version: str, loop: str) -> None:
    assert set(LOOPS[loop]) <= set(metrics(version))
