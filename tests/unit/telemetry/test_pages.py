"""Whole pages into our names: by the block and by the line with the same result, and what must not mislead."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from apps.embedded.gateway.metrics import PickerMetrics
from apps.telemetry.domain import engine, gateway
from apps.telemetry.domain.engine import TABLE, read_engine
from apps.telemetry.domain.gateway import read_gateway
from apps.telemetry.domain.pages import MAX_LABELS, read_page
from tests.support.shared import shared_file

PAGES = ("vllm-metrics-0.32.txt", "vllm-metrics-0.32-tiering.txt", "vllm-metrics-0.33.txt")
TTFT = "vllm:time_to_first_token_seconds"


def by_the_line(page: str) -> str:
    """Without its TYPE lines nothing of a page can be taken by the block."""
    return "\n".join(line for line in page.split("\n") if not line.startswith("#"))


def official(page: str) -> dict[str, float]:
    """Totals and buckets of the table by prometheus_client's parser, as `name` or `family le`."""
    found: dict[str, float] = {}
    for sample in (s for family in text_string_to_metric_families(page) for s in family.samples):
        for name, places in TABLE.counters.items():
            place = places[0]
            if sample.name == place.metric and (place.label is None or sample.labels[place.label] == place.value):
                found[name] = found.get(name, 0.0) + sample.value
        for name, places in TABLE.open_counters.items():
            if sample.name == places[0].metric:
                key = f"{name}:{sample.labels[places[0].label]}"
                found[key] = found.get(key, 0.0) + sample.value
        for family, metrics in TABLE.families.items():
            if sample.name == f"{metrics[0]}_bucket":
                key = f"{family} {float(sample.labels['le'])}"
                found[key] = found.get(key, 0.0) + sample.value
            elif sample.name == f"{metrics[0]}_sum":
                found[f"{family}_sum"] = found.get(f"{family}_sum", 0.0) + sample.value
    return found


@pytest.mark.parametrize("name", PAGES)
def test_recorded_pages_read_the_same_by_block_by_line_and_by_the_official_parser(name: str) -> None:
    page = shared_file(f"reference/{name}").read_text()
    reading = read_engine(page)
    assert reading == read_engine(by_the_line(page))
    ours = dict(reading.counters)
    ours |= {f"{family} {edge}": count for family, edges in reading.cumulative.items() for edge, count in edges.items()}
    theirs = official(page)
    theirs["steps"] = theirs["step_tokens inf"]
    assert len(theirs) > 200
    assert ours == theirs
    assert reading.gauges["awake"] == 1
    assert reading.gauges["kv_capacity_tokens"] == (3072 if 'tokens="3072"' in page else 2097152)
    assert {"waiting_capacity", "waiting_deferred"} <= set(reading.gauges)


def test_adapters_are_those_of_the_newest_series() -> None:
    page = shared_file("reference/vllm-metrics-0.32.txt").read_text()
    reading = read_engine(page)
    assert {name: value for name, value in reading.gauges.items() if name.startswith("lora")} == {"lora_max": 2}
    newest = 'vllm:lora_requests_info{max_lora="2",running_lora_adapters="a,b",waiting_lora_adapters="b"} 1.9e9\n'
    reading = read_engine(page + newest)
    assert {name: value for name, value in reading.gauges.items() if name.startswith("lora")} == {
        "lora_max": 2, "lora_running:a": 1, "lora_running:b": 1, "lora_waiting:b": 1,
    }  # fmt: skip


observations = st.lists(st.floats(0, 1e4), max_size=20)


@given(
    st.dictionaries(st.text(max_size=6), observations, max_size=3),
    st.dictionaries(st.text(max_size=6), st.integers(0, 10**6), max_size=4),
)
def test_any_labels_and_any_number_of_ranks(histograms: dict[str, list[float]], tokens: dict[str, int]) -> None:
    registry = CollectorRegistry()
    latency = Histogram(TTFT, "help", ["model_name"], registry=registry, buckets=(0.1, 1, 10))
    counter = Counter("vllm:prompt_tokens", "help", ["model_name"], registry=registry)
    usage = Gauge("vllm:kv_cache_usage_perc", "help", ["model_name"], registry=registry)
    for model, seen in histograms.items():
        for value in seen:
            latency.labels(model).observe(value)
    for model, count in tokens.items():
        counter.labels(model).inc(count)
        usage.labels(model).set(count / 10**6)
    page = generate_latest(registry).decode()
    reading = read_engine(page)
    assert reading == read_engine(by_the_line(page))
    everything = [value for seen in histograms.values() for value in seen]
    assert reading.cumulative.get("ttft", {}).get(math.inf, 0) == len(everything)
    assert reading.cumulative.get("ttft", {}).get(1.0, 0) == sum(value <= 1 for value in everything)
    assert reading.counters.get("ttft_sum", 0.0) == pytest.approx(sum(everything))
    assert reading.counters.get("prompt_tokens", 0) == sum(tokens.values())
    assert reading.gauges.get("kv_max") == (max(tokens.values()) / 10**6 if tokens else None)


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
def test_what_is_no_number_is_unknown(value: str) -> None:
    buckets = f'{TTFT}_bucket{{le="1"}} {value}\n{TTFT}_bucket{{le="+Inf"}} 3\n{TTFT}_sum 2\n'
    page = (
        f"vllm:prompt_tokens_total {value}\nvllm:num_requests_running {value}\nvllm:num_requests_waiting 2\n"
        f"# TYPE {TTFT} histogram\n{buckets}"
    )
    reading = read_engine(page)
    assert reading.counters == {"ttft_sum": 2}
    assert reading.gauges == {"waiting": 2}
    assert reading.cumulative == {}
    assert reading.unreadable == {"prompt_tokens", "ttft"}


def test_a_series_that_stands_twice_counts_once() -> None:
    head = 'vllm:prompt_tokens_total{engine="0"}'
    edge = f'{TTFT}_bucket{{engine="0",le="+Inf"}}'
    page = f"{head} 5\n{head} 5\n# TYPE {TTFT} histogram\n{edge} 7\n{edge} 7\n{TTFT}_sum 1\n"
    reading = read_engine(page)
    assert reading.counters["prompt_tokens"] == 5
    assert reading.cumulative["ttft"] == {math.inf: 7}


def test_labels_that_look_like_something_else() -> None:
    value = r"x,le=\"9\",y} 3"
    page = (
        f"# TYPE {TTFT} histogram\n"
        f'{TTFT}_bucket{{model_name="a,le=",le="0.5"}} 1\n{TTFT}_bucket{{model_name="a,le=",le="+Inf"}} 2\n'
        f'{TTFT}_bucket{{model_name="{value}",le="+Inf"}} 4\n{TTFT}_sum{{model_name="{value}"}} 1.5\n'
    )
    reading = read_engine(page)
    assert reading.cumulative["ttft"] == {0.5: 1, math.inf: 6}
    assert reading.counters["ttft_sum"] == 1.5


def test_open_sets_are_bounded() -> None:
    lines = [f'vllm:spec_decode_num_accepted_tokens_per_pos_total{{position="{n}"}} 1' for n in range(MAX_LABELS + 50)]
    counters = read_engine("\n".join(lines)).counters
    assert len(counters) == MAX_LABELS + 1
    assert counters["spec_accepted_at:other"] == 50


def test_a_name_of_an_older_version_is_read_where_the_new_one_is_missing() -> None:
    old = 'vllm:kv_offload_total_bytes_total{transfer_type="CPU_to_GPU"} 10\n'
    assert read_engine(old).counters == {"offload_load_bytes": 10}
    assert read_engine(old + "vllm:kv_offload_load_bytes_total 12\n").counters == {"offload_load_bytes": 12}


def test_the_embedded_picker_reads_as_it_counted() -> None:
    metrics = PickerMetrics("chat", None)
    for priority in ("0", "1"):
        metrics.requests.labels("m", "m", "tenant", priority).inc(3)
        metrics.duration.labels("m", "m", "tenant", priority).observe(0.2)
    metrics.errors.labels("m", "m", "tenant", "0", "429").inc(2)
    metrics.errors.labels("m", "m", "tenant", "0", "503").inc()
    metrics.ttft.labels("m", "m", "true").observe(0.07)
    metrics.running.labels("m").set(4)
    page = generate_latest(metrics.registry).decode()
    reading = read_gateway(page)
    assert reading == read_gateway(by_the_line(page))
    assert reading.counters["gateway.requests"] == 6
    assert reading.counters["gateway.errors"] == 3
    assert (reading.counters["gateway.error:429"], reading.counters["gateway.error:503"]) == (2, 1)
    assert reading.cumulative["gateway.e2e"][math.inf] == 2
    assert reading.cumulative["gateway.ttft"][math.inf] == 1
    assert reading.gauges["gateway.running"] == 4
    assert reading.started is not None


def test_pickers_that_emit_both_names_count_once() -> None:
    old, new = "inference_objective_request_total 5\n", "llm_d_epp_request_total 5\n"
    for page in (old, new, old + new, new + old):
        assert read_gateway(page).counters == {"gateway.requests": 5}


def test_names_are_one_namespace() -> None:
    """Engine and gateway go into one row: no name may mean two things."""
    ours = [*engine.TABLE.counters, *engine.TABLE.open_counters, *engine.TABLE.families, *engine.TABLE.gauges]
    theirs = [*gateway.TABLE.counters, *gateway.TABLE.open_counters, *gateway.TABLE.families, *gateway.TABLE.gauges]
    assert all(name.startswith(gateway.PREFIX) for name in theirs)
    assert not any(name.startswith(gateway.PREFIX) for name in ours)


def test_a_page_without_a_last_newline() -> None:
    assert read_page("# TYPE vllm:prompt_tokens_total counter\nvllm:prompt_tokens_total 3", TABLE).reading.counters == {
        "prompt_tokens": 3
    }
