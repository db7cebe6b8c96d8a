"""What one engine's `/metrics` page says, under our names.

Source of the metric names: vLLM 0.32 and 0.33, `vllm/v1/metrics/loggers.py`; labels and meanings were read off recorded
pages. A test holds every name to the catalogue of the engine versions that we drive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from apps.telemetry.domain.exposition import Series
from apps.telemetry.domain.pages import MAX_LABELS, MAX_SERIES, Page, PageTable, Where, read_page
from apps.telemetry.domain.readings import PageReading

__all__ = [
    "COUNTERS",
    "EXPLANATORY",
    "FAMILIES",
    "FINISHED",
    "GAUGES",
    "OPEN_COUNTERS",
    "PROMPT_SOURCES",
    "TABLE",
    "completed",
    "read_engine",
]

FINISHED = ("stop", "length", "abort", "error", "repetition")
PROMPT_SOURCES = ("computed", "device", "host", "disk", "p2p", "external")

_FINISHED = "vllm:request_success_total"
_CACHED = "vllm:prompt_tokens_cached_by_source_total"
_TIER = "vllm:kv_offload_tiering_"

# our counter <- the series that add up to it
COUNTERS: Mapping[str, Where] = {
    "requests": Where(_FINISHED),
    **{f"finished_{reason}": Where(_FINISHED, "finished_reason", reason) for reason in FINISHED},
    "errors": Where(_FINISHED, "finished_reason", "error"),
    "aborts": Where(_FINISHED, "finished_reason", "abort"),
    "rejections": Where("vllm:admission_rejections_total"),
    "prompt_tokens": Where("vllm:prompt_tokens_total"),
    "cached_tokens": Where("vllm:prompt_tokens_cached_total"),
    "generation_tokens": Where("vllm:generation_tokens_total"),
    "source_computed": Where("vllm:prompt_tokens_by_source_total", "source", "local_compute"),
    "source_device": Where(_CACHED, "source", "device"),
    "source_host": Where(_CACHED, "source", "host"),
    "source_disk": Where(_CACHED, "source", "disk"),
    "source_p2p": Where(_CACHED, "source", "p2p"),
    "source_external": Where(_CACHED, "source", "external_unspecified"),
    "prefix_queries": Where("vllm:prefix_cache_queries_total"),
    "prefix_hits": Where("vllm:prefix_cache_hits_total"),
    "external_queries": Where("vllm:external_prefix_cache_queries_total"),
    "external_hits": Where("vllm:external_prefix_cache_hits_total"),
    "preemptions": Where("vllm:num_preemptions_total"),
    "spec_drafts": Where("vllm:spec_decode_num_drafts_total"),
    "spec_draft_tokens": Where("vllm:spec_decode_num_draft_tokens_total"),
    "spec_accepted_tokens": Where("vllm:spec_decode_num_accepted_tokens_total"),
    "offload_load_bytes": Where("vllm:kv_offload_load_bytes_total"),
    "offload_load_seconds": Where("vllm:kv_offload_load_time_total"),
    "offload_store_bytes": Where("vllm:kv_offload_store_bytes_total"),
    "offload_store_seconds": Where("vllm:kv_offload_store_time_total"),
    "offload_allocation_failures": Where("vllm:kv_offload_allocation_failure_total"),
    "flops": Where("vllm:estimated_flops_per_gpu_total"),
    "read_bytes": Where("vllm:estimated_read_bytes_per_gpu_total"),
    "write_bytes": Where("vllm:estimated_write_bytes_per_gpu_total"),
}

# the same under the names of older versions, which newer pages still have beside the new ones
FALLBACKS: Mapping[str, Where] = {
    "offload_load_bytes": Where("vllm:kv_offload_total_bytes_total", "transfer_type", "CPU_to_GPU"),
    "offload_load_seconds": Where("vllm:kv_offload_total_time_total", "transfer_type", "CPU_to_GPU"),
    "offload_store_bytes": Where("vllm:kv_offload_total_bytes_total", "transfer_type", "GPU_to_CPU"),
    "offload_store_seconds": Where("vllm:kv_offload_total_time_total", "transfer_type", "GPU_to_CPU"),
}

# each value of the label is a counter of its own, `name:value`
OPEN_COUNTERS: Mapping[str, Where] = {
    "spec_accepted_at": Where("vllm:spec_decode_num_accepted_tokens_per_pos_total", "position"),
    "tier_read_bytes": Where(f"{_TIER}read_bytes_total", "tier"),
    "tier_read_seconds": Where(f"{_TIER}read_time_total", "tier"),
    "tier_write_bytes": Where(f"{_TIER}write_bytes_total", "tier"),
    "tier_write_seconds": Where(f"{_TIER}write_time_total", "tier"),
    "tier_queries": Where(f"{_TIER}chunk_queries_total", "tier"),
    "tier_hits": Where(f"{_TIER}chunk_hits_total", "tier"),
    "tier_promotion_failures": Where(f"{_TIER}promotion_job_failures_total", "tier"),
    "tier_cascade_failures": Where(f"{_TIER}cascade_job_failures_total", "tier"),
    "tier_drops": Where(f"{_TIER}backpressure_blocks_dropped_total", "tier"),
}

# our family <- histogram of vLLM: latencies in seconds, lengths and steps in tokens
FAMILIES: Mapping[str, str] = {
    "ttft": "vllm:time_to_first_token_seconds",
    "itl": "vllm:inter_token_latency_seconds",
    "tpot": "vllm:request_time_per_output_token_seconds",
    "e2e": "vllm:e2e_request_latency_seconds",
    "queue": "vllm:request_queue_time_seconds",
    "prefill": "vllm:request_prefill_time_seconds",
    "decode": "vllm:request_decode_time_seconds",
    "inference": "vllm:request_inference_time_seconds",
    "prompt_length": "vllm:request_prompt_tokens",
    "generation_length": "vllm:request_generation_tokens",
    "computed_length": "vllm:request_prefill_kv_computed_tokens",
    "step_tokens": "vllm:iteration_tokens_total",
    "request_preemptions": "vllm:request_num_preemptions",
}

# families that explain others, and that no loop and no promise is made of: enough to know them by the minute
EXPLANATORY = ("queue", "prefill", "decode", "inference", "computed_length", "request_preemptions")

_FETCH = "vllm:num_requests_kv_fetch_by_stage"
_SLEEP = "vllm:engine_sleep_state"

GAUGES: Mapping[str, Where] = {
    "running": Where("vllm:num_requests_running"),
    "waiting": Where("vllm:num_requests_waiting"),
    "waiting_capacity": Where("vllm:num_requests_waiting_by_reason", "reason", "capacity"),
    "waiting_deferred": Where("vllm:num_requests_waiting_by_reason", "reason", "deferred"),
    "kv_mean": Where("vllm:kv_cache_usage_perc", how="mean"),
    "kv_max": Where("vllm:kv_cache_usage_perc", how="max"),
    "kv_fetch_waiting": Where(_FETCH, "stage", "waiting_to_start"),
    "kv_fetch_in_progress": Where(_FETCH, "stage", "in_progress"),
    "kv_fetch_completed": Where(_FETCH, "stage", "completed_waiting"),
    "awake": Where(_SLEEP, "sleep_state", "awake", "max"),
    "asleep_offloaded": Where(_SLEEP, "sleep_state", "weights_offloaded", "max"),
    "asleep_discarded": Where(_SLEEP, "sleep_state", "discard_all", "max"),
}

_CACHE_CONFIG = "vllm:cache_config_info"
_OFFLOAD_CONFIG = "vllm:kv_offload_config_info"
_LORA = "vllm:lora_requests_info"

TABLE = PageTable(
    counters={name: (where, *([FALLBACKS[name]] if name in FALLBACKS else [])) for name, where in COUNTERS.items()},
    open_counters={name: (where,) for name, where in OPEN_COUNTERS.items()},
    families={family: (metric,) for family, metric in FAMILIES.items()},
    gauges={name: (where,) for name, where in GAUGES.items()},
    infos=frozenset({_CACHE_CONFIG, _OFFLOAD_CONFIG, _LORA}),
)


def read_engine(page: str, *, max_series: int = MAX_SERIES) -> PageReading:
    """Parse an engine's page. Raises ExpositionError when it is not the text format or too large.

    Beside what TABLE says: counter `steps`, gauges `kv_capacity_tokens`, `offload_capacity_{bytes,tokens}`, `lora_max`,
    `lora_{running,waiting}:ADAPTER` (1 where it is).
    """
    return completed(read_page(page, TABLE, max_series=max_series))


def completed(page: Page) -> PageReading:
    """The reading of an engine, with what its info metrics say."""
    reading, infos = page
    told = {
        **_cache(infos.get(_CACHE_CONFIG, [])),
        **_host_tier(infos.get(_OFFLOAD_CONFIG, [])),
        **_adapters(infos.get(_LORA, [])),
    }
    steps = reading.cumulative.get("step_tokens", {}).get(math.inf)
    counted = {} if steps is None else {"steps": steps}
    return replace(reading, counters={**reading.counters, **counted}, gauges={**reading.gauges, **told})


def _cache(ranks: list[Series]) -> dict[str, float]:
    """Tokens that fit into the KV cache, all ranks together."""
    tokens = 0.0
    for rank in ranks:
        size = _number(rank.labels.get("kv_cache_size_tokens"))
        if size is None:
            blocks, length = _number(rank.labels.get("num_gpu_blocks")), _number(rank.labels.get("block_size"))
            size = blocks * length if blocks is not None and length is not None else None
        if size is None:
            return {}
        tokens += size
    return {"kv_capacity_tokens": tokens} if ranks else {}


def _host_tier(tiers: list[Series]) -> dict[str, float]:
    found: dict[str, float] = {}
    for tier in tiers:
        for ours, label in (("bytes", "cpu_kv_cache_size_bytes"), ("tokens", "cpu_kv_cache_size_tokens")):
            size = _number(tier.labels.get(label))
            if size is not None:
                found[f"offload_capacity_{ours}"] = found.get(f"offload_capacity_{ours}", 0.0) + size
    return found


def _adapters(series: list[Series]) -> dict[str, float]:
    """What the newest series says (its value is its time; older ones stay on the page)."""
    told = [one for one in series if math.isfinite(one.value)]
    if not told:
        return {}
    labels = max(told, key=lambda one: one.value).labels
    found = {}
    for state in ("running", "waiting"):
        names = [name.strip() for name in labels.get(f"{state}_lora_adapters", "").split(",") if name.strip()]
        found.update({f"lora_{state}:{name}": 1.0 for name in names[:MAX_LABELS]})
    most = _number(labels.get("max_lora"))
    return found if most is None else {**found, "lora_max": most}


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
