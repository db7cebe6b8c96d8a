"""The simulator's /metrics page against what a real vLLM's page says, and against what was done."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import EngineProcess, run_engine
from tests.support.shared import shared_file
from tests.support.wait import wait_until

# what other configurations than the plain engine show
OTHER = re.compile(r"vllm:(kv_offload|num_requests_kv_fetch|lora_|spec_decode|kv_block_)")


FLAGS = ("--served-model-name=tiny", "--max-model-len=2048", "--num-gpu-blocks-override=96", "--block-size=32")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with run_engine(
        tmp_path_factory.mktemp("engine"),
        *FLAGS,
    ) as running:  # fmt: skip
        yield running


def types(page: str) -> list[tuple[str, str]]:
    found = re.findall(r"^# TYPE (\S+) (\w+)$", page, re.MULTILINE)
    return [(name, kind) for name, kind in found if not OTHER.match(name)]


def series(page: str) -> set[str]:
    lines = [line.rsplit(" ", 1)[0] for line in page.splitlines() if line and not line.startswith("#")]
    return {line for line in lines if not OTHER.match(line)}


@pytest.mark.parametrize(
    ("version", "name"), [("0.33.0", "vllm-metrics-0.33.txt"), ("0.32.0", "vllm-metrics-0.32.txt")]
)
def test_the_page_is_a_real_engines_page_from_the_start(version: str, name: str, tmp_path: Path) -> None:
    recorded = shared_file(f"reference/{name}").read_text()
    image = {"LAMPLIGHT_IMAGE": f"vllm/vllm-openai:v{version}"}
    with run_engine(tmp_path, *FLAGS, environment=image) as engine:
        assert engine.get("/version").json() == {"version": version}
        page = engine.get("/metrics").text
    real, ours = series(recorded), series(page)
    # these come with the first request, or name the machine
    later = {line for line in real if line.startswith("http_") and "{handler" in line}
    machine = ("python_info", "vllm:cache_config_info")
    assert {line for line in real - later if not line.startswith(machine)} == {
        line for line in ours if not line.startswith(machine)
    }
    expected = dict(types(recorded))
    assert [(name, kind) for name, kind in types(page) if expected.get(name) != kind] == []


def test_cache_config_labels_are_the_real_ones(engine: EngineProcess) -> None:
    recorded = shared_file("reference/vllm-metrics-0.33.txt").read_text()

    def labels(page: str) -> dict[str, str]:
        line = next(line for line in page.splitlines() if line.startswith("vllm:cache_config_info{"))
        return dict(re.findall(r'(\w+)="([^"]*)"', line))

    real, ours = labels(recorded), labels(engine.get("/metrics").text)
    assert set(ours) == set(real)
    for name in ("num_gpu_blocks", "block_size", "kv_cache_size_tokens", "enable_prefix_caching"):
        assert ours[name] == real[name], name


def test_http_metrics_have_the_real_shape(engine: EngineProcess) -> None:
    recorded = shared_file("reference/vllm-metrics-0.33.txt").read_text()
    engine.post("/v1/completions", {"prompt": "a", "max_tokens": 1})
    expected = {line for line in series(recorded) if line.startswith("http_")}

    def missing() -> set[str]:
        return expected - series(engine.get("/metrics").text)

    # an answer is counted once it is sent
    wait_until(lambda: not missing(), message="the request is counted")


def test_counts_are_of_what_was_done(tmp_path: Path) -> None:
    with run_engine(tmp_path, "--max-model-len=4096") as engine:
        prompt = list(range(1000, 1330))
        for _ in range(2):
            engine.post("/v1/completions", {"prompt": prompt, "max_tokens": 11, "ignore_eos": True})
        expected = {
            "vllm:prompt_tokens_total": 660,
            "vllm:generation_tokens_total": 22,
            "vllm:prefix_cache_queries_total": 660,
            "vllm:prefix_cache_hits_total": 320,
            "vllm:prompt_tokens_cached_total": 320,
            "vllm:time_to_first_token_seconds_count": 2,
            "vllm:inter_token_latency_seconds_count": 20,
            "vllm:request_time_per_output_token_seconds_count": 2,
            "vllm:e2e_request_latency_seconds_count": 2,
            "vllm:request_generation_tokens_sum": 22,
            "vllm:request_params_max_tokens_sum": 22,
            "vllm:request_prefill_kv_computed_tokens_sum": 340,
            "vllm:iteration_tokens_total_sum": 340 + 20,
            "vllm:num_requests_running": 0,
            "vllm:num_requests_waiting": 0,
        }
        assert {name: engine.metric(name) for name in expected} == expected
        assert engine.metric("vllm:prompt_tokens_by_source_total", source="local_compute") == 340
        assert engine.metric("vllm:prompt_tokens_by_source_total", source="local_cache_hit") == 320
        assert engine.metric("vllm:prompt_tokens_cached_by_source_total", source="device") == 320
        assert engine.metric("vllm:request_success_total", finished_reason="length") == 2
        assert engine.metric("vllm:engine_sleep_state", sleep_state="awake") == 1
        itl = engine.metric("vllm:inter_token_latency_seconds_sum")
        tpot = engine.metric("vllm:request_time_per_output_token_seconds_sum")
        assert itl == pytest.approx(10 * tpot)
        whole = engine.metric("vllm:e2e_request_latency_seconds_sum")
        first = engine.metric("vllm:time_to_first_token_seconds_sum")
        assert whole == pytest.approx(first + itl, rel=1e-6)


def test_custom_buckets(tmp_path: Path) -> None:
    custom = {"time_to_first_token": [0.01, 0.02, 0.5], "inter_token_latency": [0.004, 0.008]}
    with run_engine(tmp_path, "--custom-histogram-buckets", json.dumps(custom), "--max-model-len=4096") as engine:
        page = engine.get("/metrics").text

    def bounds(name: str) -> list[str]:
        return re.findall(rf'^{name}_bucket\{{.*le="([^"]*)"', page, re.MULTILINE)

    assert bounds("vllm:time_to_first_token_seconds") == ["0.01", "0.02", "0.5", "+Inf"]
    assert bounds("vllm:inter_token_latency_seconds") == ["0.004", "0.008", "+Inf"]
    assert bounds("vllm:request_time_per_output_token_seconds") == ["0.004", "0.008", "+Inf"]
    assert bounds("vllm:e2e_request_latency_seconds")[0] == "0.3"
    assert bounds("vllm:request_prompt_tokens")[-2] == "2000.0"


def test_a_scraper_may_ask_for_some_series_only(engine: EngineProcess) -> None:
    page = engine.get("/metrics", params={"name[]": ["vllm:kv_cache_usage_perc", "vllm:num_requests_waiting"]}).text
    assert {line.partition("{")[0] for line in series(page)} == {
        "vllm:kv_cache_usage_perc", "vllm:num_requests_waiting",
    }  # fmt: skip
