"""What asks for metrics asks for metrics that exist: our readers, and every query in what we ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.catalog.domain.metrics import catalogue, metric_of_series, names_in, picker_metrics, unknown_names
from apps.catalog.domain.vllm.facts import TABLE_VERSIONS, metrics
from apps.embedded.gateway.metrics import PickerMetrics
from apps.telemetry.domain import engine, gateway
from tests.support.shared import ROOT

# what speaks PromQL or names series: code, panels, dashboards, alerts, examples, documentation
_SHIPPED = ("apps", "controlplane", "deploy", "examples", "docs", "bench")
_KINDS = {".py", ".json", ".yaml", ".yml", ".md", ".tpl"}
# an attribute of ours
_NO_METRICS = {"inference_pool_api_version"}
_LEFT_OUT = ("apps/catalog/data", "apps/embedded")


def _files() -> list[Path]:
    return [
        path
        for folder in _SHIPPED
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in _KINDS and not str(path.relative_to(ROOT)).startswith(_LEFT_OUT)
    ]


def test_every_name_in_what_we_ship_is_in_the_catalogue() -> None:
    unknown = {}
    names = set()
    for path in _files():
        text = path.read_text(encoding="utf-8", errors="replace")
        names |= names_in(text)
        missing = {name for name in unknown_names([text]) if not name.endswith("_")} - _NO_METRICS
        if not path.is_relative_to(ROOT / "deploy"):
            # code and prose also speak of families, queries only of series
            missing -= set(catalogue())
        if missing:
            unknown[str(path.relative_to(ROOT))] = sorted(missing)
    assert unknown == {}
    assert len(names) > 30


@pytest.mark.parametrize("table", [engine.TABLE, gateway.TABLE], ids=["engine", "gateway"])
def test_what_is_read_exists_with_its_type_and_label(table) -> None:
    for kind, groups in (("counter", table.counters), ("counter", table.open_counters), ("gauge", table.gauges)):
        for places in groups.values():
            for place in places:
                metric = catalogue()[place.metric]
                assert metric.type == kind, place
                assert place.label is None or place.label in metric.labels, place
    for names in table.families.values():
        for name in names:
            assert catalogue()[name].type == "histogram"


def test_the_embedded_picker_exports_what_the_catalogue_says() -> None:
    for family in PickerMetrics("chat", None).registry.collect():
        if family.name.startswith(("process_", "python_")):
            continue
        name = f"{family.name}_total" if family.type == "counter" else family.name
        metric = picker_metrics()[name]
        assert metric.type == family.type, name


def test_since_and_until() -> None:
    ttft = catalogue()["vllm:time_to_first_token_seconds"]
    assert (ttft.since, ttft.until, ttft.unit) == ("0.14", None, "seconds")
    # the engine of llm-d 0.5 does not tell where prompt tokens came from, why requests wait, nor of tiers
    for later in ("prompt_tokens_by_source_total", "num_requests_waiting_by_reason", "kv_offload_load_bytes_total"):
        assert catalogue()[f"vllm:{later}"].since == "0.32"
    assert catalogue()["vllm:corrupted_requests_total"].until == "0.32"
    assert catalogue()["vllm:kv_offload_config_info"].since == "0.33"
    old = catalogue()["inference_objective_request_total"]
    assert (old.since, old.renamed) == ("0.5", "llm_d_epp_request_total")
    for name, metric in catalogue().items():
        if metric.owner == "engine":
            having = [version for version in TABLE_VERSIONS if name in metrics(version)]
            assert metric.since == having[0]


def test_series_of_a_metric() -> None:
    assert metric_of_series("vllm:time_to_first_token_seconds_bucket") is not None
    assert metric_of_series("vllm:time_to_first_token_seconds") is None
    assert metric_of_series("vllm:num_preemptions") is None
    assert metric_of_series("vllm:num_preemptions_total") is not None


@pytest.mark.parametrize(
    "query",
    [
        "rate(vllm:num_preemptions[5m])",
        "vllm:gpu_cache_usage_perc",
        "sum(vllm:gpu_prefix_cache_hits_total)",
        "histogram_quantile(0.9, sum by (le) (rate(vllm:time_per_output_token_seconds_bucket[1m])))",
        "vllm:num_requests_swapped",
    ],
)
def test_names_that_dashboards_get_wrong_are_found(query: str) -> None:
    assert len(unknown_names([query])) == 1


def test_a_right_query_has_no_unknown_name() -> None:
    query = (
        "sum by (le) (rate(llm_d_epp_request_ttft_seconds_bucket{inference_pool='x'}[5m])) / vllm:kv_cache_usage_perc"
    )
    assert names_in(query) == {"llm_d_epp_request_ttft_seconds_bucket", "vllm:kv_cache_usage_perc"}
    assert unknown_names([query]) == set()
