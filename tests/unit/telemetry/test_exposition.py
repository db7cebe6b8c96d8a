"""The selective reader of /metrics pages agrees with the official parser."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from apps.catalog.domain.vllm.facts import metrics
from apps.telemetry.domain.engine import FAMILIES, PROMPT_SOURCES, TABLE, read_engine
from apps.telemetry.domain.exposition import ExpositionError, parse
from tests.support.shared import shared_file

PAGES = ("vllm-metrics-0.32.txt", "vllm-metrics-0.32-tiering.txt", "vllm-metrics-0.33.txt")


def _page(name: str) -> str:
    return shared_file(f"reference/{name}").read_text()


def _official(page: str) -> list[tuple[str, tuple, float]]:
    return sorted(
        (sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    )


def _ours(page: str) -> list[tuple[str, tuple, float]]:
    return sorted((s.name, tuple(sorted(s.labels.items())), s.value) for s in parse(page))


@pytest.mark.parametrize("name", PAGES)
def test_recorded_pages_read_as_the_official_parser_reads_them(name: str) -> None:
    page = _page(name)
    ours = _ours(page)
    assert len(ours) > 500
    assert ours == _official(page)


@pytest.mark.parametrize(("name", "version"), list(zip(PAGES, ("0.32", "0.32", "0.33"), strict=True)))
def test_every_metric_we_read_is_on_the_recorded_pages(name: str, version: str) -> None:
    names = {series.name for series in parse(_page(name))}
    plain = {metric for metric, row in metrics(version).items() if row.when is None and metric in TABLE.metrics}
    histograms = {f"{metric}_bucket" for metric in plain & set(FAMILIES.values())}
    expected = plain - set(FAMILIES.values()) | histograms
    if name == "vllm-metrics-0.32-tiering.txt":  # recorded without a queue limit
        expected -= {"vllm:admission_rejections_total"}
    assert len(expected) > 25
    assert expected <= names


def test_a_recorded_engine_reads_as_its_page_says() -> None:
    reading = read_engine(_page("vllm-metrics-0.33.txt"))
    assert reading.found
    assert reading.counters["requests"] == 38
    assert reading.counters["source_computed"] == 15067
    assert reading.counters["source_disk"] == 1664
    assert reading.counters["cached_tokens"] == 1664
    assert reading.counters["prompt_tokens"] == 15067 + 1664
    assert sum(reading.counters[f"source_{source}"] for source in PROMPT_SOURCES) == reading.counters["prompt_tokens"]
    assert reading.cumulative["ttft"][math.inf] == 38
    assert reading.started is not None


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.floats(allow_nan=False), max_size=5))
def test_any_label_value_survives(values: dict[str, float]) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("g", "help", ["label"], registry=registry)
    counter = Counter("c", "help", registry=registry)
    counter.inc(3)
    for label, value in values.items():
        gauge.labels(label).set(value)
    page = generate_latest(registry).decode()
    read = {s.labels["label"]: s.value for s in parse(page, {"g"})}
    assert read == values
    assert [s.value for s in parse(page, {"c_total"})] == [3]


def test_data_parallel_ranks_are_added_up() -> None:
    page = "\n".join(
        f'vllm:num_requests_running{{engine="{rank}"}} {rank + 1}\n'
        f'vllm:kv_cache_usage_perc{{engine="{rank}"}} 0.{rank + 2}\n'
        f'vllm:prompt_tokens_total{{engine="{rank}"}} 10\n'
        f'vllm:time_to_first_token_seconds_bucket{{engine="{rank}",le="+Inf"}} 4'
        for rank in range(2)
    )
    reading = read_engine(page)
    assert (reading.gauges["running"], reading.counters["prompt_tokens"], reading.cumulative["ttft"]) == (
        3,
        20,
        {math.inf: 8},
    )
    assert reading.gauges["kv_mean"] == pytest.approx(0.25)
    assert reading.gauges["kv_max"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    "line",
    [
        "vllm:prompt_tokens_total",
        'vllm:prompt_tokens_total{a="1" 3',
        "vllm:prompt_tokens_total{a=1} 3",
        "vllm:prompt_tokens_total x",
    ],
)
def test_a_broken_line_is_named(line: str) -> None:
    with pytest.raises(ExpositionError, match="Line 2 is not a metric"):
        read_engine("# HELP\n" + line)


def test_too_many_series_are_refused() -> None:
    page = "\n".join(f'vllm:num_requests_running{{engine="{n}"}} 1' for n in range(11))
    with pytest.raises(ExpositionError, match="more than 10 series"):
        read_engine(page, max_series=10)


def test_a_page_of_something_else_is_not_an_engine() -> None:
    assert not read_engine("go_goroutines 7\nprocess_start_time_seconds 1.7e9\n").found
