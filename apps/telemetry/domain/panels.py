"""The charts of a pool as one table: what each shows, of which names. A new chart is one line of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from apps.telemetry.domain import measures, queries
from apps.telemetry.domain.charts import MIN_WINDOW, Kind, Line, Origin, Panel
from apps.telemetry.domain.gateway import PREFIX
from apps.telemetry.domain.measures import Measure

__all__ = ["PANELS"]


class _How(NamedTuple):
    """A way to make a line of names: `measure` of rows, `query` for Prometheus (None: it has no such series).

    `window`: seconds that a point looks back at least; `cluster`: the cluster tells it, no engine and no picker.
    """

    measure: Callable[..., Measure]
    query: Callable[..., str] | None = None
    window: float = 0.0
    cluster: bool = False


_HOW: Mapping[str, _How] = {
    "rate": _How(measures.rate, queries.rate),
    "ratio": _How(measures.ratio, queries.ratio, MIN_WINDOW),
    # through the Prometheus of many pools what explains comes once a minute, by the first tick of each
    "mean": _How(measures.mean, queries.mean, MIN_WINDOW + 15.0),
    "gauge": _How(measures.gauge, queries.gauge),
    "failed": _How(lambda: measures.failed_at_gateway, queries.failed_at_gateway, MIN_WINDOW),
    "replicas": _How(measures.replicas, queries.replicas, cluster=True),
    "held": _How(measures.gauge, cluster=True),
    "cost": _How(lambda: measures.cost_per_hour, cluster=True),
    "cost_per_million": _How(measures.cost_per_million, window=MIN_WINDOW),
}

# panel, title, family: its quantiles
_LATENCIES = (
    ("ttft", "Time to first token", "ttft"),
    ("itl", "Inter-token latency", "itl"),
    ("tpot", "Time per output token, by request", "tpot"),
    ("e2e", "Request latency, end to end", "e2e"),
    ("gateway_ttft", "Time to first token, at the gateway", "gateway.ttft"),
    ("gateway_itl", "Inter-token latency, at the gateway", "gateway.itl"),
    ("gateway_e2e", "Request latency, at the gateway", "gateway.e2e"),
    ("gateway_hold", "Time held at the gateway", "gateway.hold"),
)
# panel, title, family: its buckets
_HEATMAPS = (
    ("ttft_heatmap", "Time to first token, distribution", "ttft"),
    ("itl_heatmap", "Inter-token latency, distribution", "itl"),
    ("e2e_heatmap", "Request latency, distribution", "e2e"),
)
# panel, title, unit, kind, lines: (key, label, how it is made, of which names)
# fmt: off
_CHARTS: tuple[tuple[str, str, str, Kind, tuple[tuple[str, ...], ...]], ...] = (
    ("breakdown", "Where the time goes, mean of a request", "s", "stacked", (
        ("queue", "waiting", "mean", "queue"),
        ("prefill", "prefill", "mean", "prefill"),
        ("decode", "decode", "mean", "decode"),
    )),
    ("prompt_tokens_by_source", "Prompt tokens by source", "tokens/s", "stacked", (
        ("computed", "computed", "rate", "source_computed"),
        ("device", "device cache", "rate", "source_device"),
        ("host", "host memory", "rate", "source_host"),
        ("disk", "disk", "rate", "source_disk"),
        ("p2p", "other replica", "rate", "source_p2p"),
        ("external", "other external", "rate", "source_external"),
    )),
    ("hit_rate", "Prefix cache hit rate", "1", "line", (
        ("hit_rate", "prompt tokens from cache", "ratio", "cached_tokens", "prompt_tokens"),
    )),
    ("hit_rate_by_tier", "Hit rate by tier", "1", "stacked", (
        ("device", "device cache", "ratio", "source_device", "prompt_tokens"),
        ("host", "host memory", "ratio", "source_host", "prompt_tokens"),
        ("disk", "disk", "ratio", "source_disk", "prompt_tokens"),
        ("p2p", "other replica", "ratio", "source_p2p", "prompt_tokens"),
        ("external", "other external", "ratio", "source_external", "prompt_tokens"),
    )),
    ("queue", "Requests running and waiting", "requests", "line", (
        ("waiting", "waiting", "gauge", "waiting"),
        ("running", "running", "gauge", "running"),
    )),
    ("waiting_by_reason", "Requests waiting, by reason", "requests", "stacked", (
        ("capacity", "for KV blocks", "gauge", "waiting_capacity"),
        ("deferred", "for a slower tier", "gauge", "waiting_deferred"),
    )),
    ("gateway_queue", "Requests at the gateway", "requests", "line", (
        ("queue", "held", "gauge", "gateway.queue"),
        ("running", "in flight", "gauge", "gateway.running"),
    )),
    ("kv_usage", "KV cache in use", "1", "line", (
        ("mean", "mean of replicas", "gauge", "kv_mean"),
        ("max", "fullest replica", "gauge", "kv_max"),
    )),
    ("preemptions", "Preemptions", "requests/s", "line", (
        ("preemptions", "preempted", "rate", "preemptions"),
    )),
    ("requests", "Requests finished", "requests/s", "line", (
        ("requests", "finished", "rate", "requests"),
        ("errors", "failed", "rate", "errors"),
        ("rejections", "rejected", "rate", "rejections"),
    )),
    ("finished_by_reason", "Requests finished, by reason", "requests/s", "stacked", (
        ("stop", "stop", "rate", "finished_stop"),
        ("length", "length", "rate", "finished_length"),
        ("abort", "given up by the client", "rate", "finished_abort"),
        ("error", "failed", "rate", "finished_error"),
    )),
    ("error_rate", "Requests failed", "1", "line", (
        ("gateway", "at the gateway", "failed"),
        ("engine", "at the engines", "ratio", "errors", "requests"),
    )),
    ("throughput", "Throughput", "tokens/s", "line", (
        ("prompt", "prompt tokens", "rate", "prompt_tokens"),
        ("generation", "generated tokens", "rate", "generation_tokens"),
    )),
    ("offload_bandwidth", "KV offload, moved", "B/s", "line", (
        ("load", "loaded to the device", "rate", "offload_load_bytes"),
        ("store", "stored from the device", "rate", "offload_store_bytes"),
    )),
    ("speculation", "Draft tokens accepted", "1", "line", (
        ("accepted", "accepted", "ratio", "spec_accepted_tokens", "spec_draft_tokens"),
    )),
    ("replicas", "Replicas", "replicas", "line", (
        ("desired", "desired", "replicas", "desired"),
        ("ready", "ready", "replicas", "ready"),
        ("starting", "starting", "replicas", "starting"),
        ("asleep", "asleep", "replicas", "asleep"),
    )),
    ("accelerators", "Accelerators held", "accelerators", "line", (
        ("accelerators", "held by pods", "held", "accelerators"),
    )),
    ("cost", "Cost of the accelerators held", "money/h", "line", (
        ("cost", "per hour", "cost"),
    )),
    ("cost_per_mtok", "Cost of a million tokens", "money/Mtok", "line", (
        ("all", "prompt and generated", "cost_per_million", "prompt_tokens", "generation_tokens"),
        ("generated", "generated only", "cost_per_million", "generation_tokens"),
    )),
)
# fmt: on


# why a chart may stay empty although the engines are read
_ABSENT: Mapping[str, str] = {
    "offload_bandwidth": "The engines have no tier below their own memory to move KV blocks to (spec.offload).",
    "speculation": "The engines draft no tokens (spec.speculative).",
}


def _quantiles(name: str, title: str, family: str) -> Panel:
    lines = tuple(
        Line(f"p{p}", f"p{p}", measures.quantile(family, p / 100), queries.quantile(family, p / 100))
        for p in (50, 95, 99)
    )
    return Panel(name, title, "s", "line", lines, _origin(family), family, MIN_WINDOW)


def _heatmap(name: str, title: str, family: str) -> Panel:
    line = Line("buckets", "observations", measures.quantile(family, 0.5), queries.bucket_rate(family))
    return Panel(name, title, "s", "heatmap", (line,), _origin(family), family)


def _chart(name: str, title: str, unit: str, kind: Kind, rows: tuple[tuple[str, ...], ...]) -> Panel:
    ways = [_HOW[how] for _, _, how, *_ in rows]
    lines = tuple(
        Line(key, label, way.measure(*names), way.query(*names) if way.query is not None else "")
        for (key, label, _, *names), way in zip(rows, ways, strict=True)
    )
    more = {"absent": _ABSENT[name]} if name in _ABSENT else {}
    origin: Origin = "cluster" if all(way.cluster for way in ways) else _origin(*(n for row in rows for n in row[3:]))
    return Panel(name, title, unit, kind, lines, origin, min_window=max(way.window for way in ways), **more)


def _origin(*names: str) -> Origin:
    return "gateway" if all(name.startswith(PREFIX) for name in names) else "engine"


PANELS: Mapping[str, Panel] = {
    panel.name: panel
    for panel in (
        *(_quantiles(*row) for row in _LATENCIES),
        *(_heatmap(*row) for row in _HEATMAPS),
        *(_chart(*row) for row in _CHARTS),
    )
}
