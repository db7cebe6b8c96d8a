"""What one engine's `/metrics` page says, under our names.

Source of the metric names: vLLM 0.32 and 0.33, `vllm/v1/metrics/loggers.py`; labels and meanings were read off recorded
pages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.telemetry.domain.exposition import parse

__all__ = ["COUNTERS", "FAMILIES", "PROMPT_SOURCES", "EngineReading", "read_engine"]

# our counter <- (metric, label, value of the label); label None: all series of the metric are added up
COUNTERS: Mapping[str, tuple[str, str | None, str | None]] = {
    "requests": ("vllm:request_success_total", None, None),
    "errors": ("vllm:request_success_total", "finished_reason", "error"),
    "aborts": ("vllm:request_success_total", "finished_reason", "abort"),
    "rejections": ("vllm:admission_rejections_total", None, None),
    "prompt_tokens": ("vllm:prompt_tokens_total", None, None),
    "cached_tokens": ("vllm:prompt_tokens_cached_total", None, None),
    "generation_tokens": ("vllm:generation_tokens_total", None, None),
    "source_computed": ("vllm:prompt_tokens_by_source_total", "source", "local_compute"),
    "source_device": ("vllm:prompt_tokens_cached_by_source_total", "source", "device"),
    "source_host": ("vllm:prompt_tokens_cached_by_source_total", "source", "host"),
    "source_disk": ("vllm:prompt_tokens_cached_by_source_total", "source", "disk"),
    "source_p2p": ("vllm:prompt_tokens_cached_by_source_total", "source", "p2p"),
    "source_external": ("vllm:prompt_tokens_cached_by_source_total", "source", "external_unspecified"),
    "prefix_queries": ("vllm:prefix_cache_queries_total", None, None),
    "prefix_hits": ("vllm:prefix_cache_hits_total", None, None),
    "preemptions": ("vllm:num_preemptions_total", None, None),
}
PROMPT_SOURCES = ("computed", "device", "host", "disk", "p2p", "external")

# our family <- histogram of vLLM; all in seconds
FAMILIES: Mapping[str, str] = {
    "ttft": "vllm:time_to_first_token_seconds",
    "itl": "vllm:inter_token_latency_seconds",
    "tpot": "vllm:request_time_per_output_token_seconds",
    "e2e": "vllm:e2e_request_latency_seconds",
    "queue": "vllm:request_queue_time_seconds",
}

_GAUGES = {
    "vllm:num_requests_running": "running",
    "vllm:num_requests_waiting": "waiting",
    "vllm:kv_cache_usage_perc": "kv",
}
_STARTED = "process_start_time_seconds"
_BUCKETS = {f"{metric}_bucket": family for family, metric in FAMILIES.items()}
_WANTED = frozenset({metric for metric, _, _ in COUNTERS.values()} | _GAUGES.keys() | _BUCKETS.keys() | {_STARTED})
_BY_METRIC: dict[str, list[tuple[str, str | None, str | None]]] = {}
for _name, (_metric, _label, _value) in COUNTERS.items():
    _BY_METRIC.setdefault(_metric, []).append((_name, _label, _value))


@dataclass(frozen=True, slots=True)
class EngineReading:
    """One scrape of one engine. All data-parallel ranks of the page are added up.

    counters: totals since the process started; cumulative: family -> {upper edge (s): observations at or below it};
    running, waiting: requests; kv_mean, kv_max: share of KV blocks in use 0..1, None where the page has no such gauge;
    started: Unix seconds at which the process started, where the page tells.
    """

    counters: Mapping[str, float] = field(default_factory=dict)
    cumulative: Mapping[str, Mapping[float, float]] = field(default_factory=dict)
    running: float | None = None
    waiting: float | None = None
    kv_mean: float | None = None
    kv_max: float | None = None
    started: float | None = None

    @property
    def is_engine(self) -> bool:
        """Whether the page is an engine's at all, or that of something else listening on the port."""
        return self.running is not None or bool(self.counters)

    def state(self) -> dict[str, Any]:
        """What the next scrape is compared with, as JSON."""
        return {
            "started": self.started,
            "counters": dict(self.counters),
            "cumulative": {
                family: [[None if math.isinf(edge) else edge, count] for edge, count in sorted(edges.items())]
                for family, edges in self.cumulative.items()
            },
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> EngineReading:
        return cls(
            counters=dict(state.get("counters", {})),
            cumulative={
                family: {math.inf if edge is None else float(edge): count for edge, count in edges}
                for family, edges in state.get("cumulative", {}).items()
            },
            started=state.get("started"),
        )


def read_engine(page: str, *, max_series: int = 20_000) -> EngineReading:
    """Parse an engine's page. Raises ExpositionError when it is not the text format or too large."""
    counters: dict[str, float] = {}
    cumulative: dict[str, dict[float, float]] = {}
    gauges: dict[str, list[float]] = {"running": [], "waiting": [], "kv": []}
    started: float | None = None
    for series in parse(page, _WANTED, max_series=max_series):
        value = series.value
        if not math.isfinite(value):
            continue
        if series.name in _BUCKETS:
            edges = cumulative.setdefault(_BUCKETS[series.name], {})
            edge = float(series.labels.get("le", "nan"))
            if not math.isnan(edge):
                edges[edge] = edges.get(edge, 0.0) + value
        elif series.name in _GAUGES:
            gauges[_GAUGES[series.name]].append(value)
        elif series.name == _STARTED:
            started = value if started is None else max(started, value)
        else:
            for name, label, wanted in _BY_METRIC[series.name]:
                if label is None or series.labels.get(label) == wanted:
                    counters[name] = counters.get(name, 0.0) + value
    kv = gauges["kv"]
    return EngineReading(
        counters=counters,
        cumulative=cumulative,
        running=sum(gauges["running"]) if gauges["running"] else None,
        waiting=sum(gauges["waiting"]) if gauges["waiting"] else None,
        kv_mean=sum(kv) / len(kv) if kv else None,
        kv_max=max(kv) if kv else None,
        started=started,
    )
