"""The picker's own metrics: names of llm-d's endpoint picker."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, process_collector

from apps.catalog.domain.latency import latency_grid
from apps.embedded.gateway.flow_metrics import FlowMetrics
from apps.physics.routing.flow import FlowControl

PREFIX = "llm_d_epp_"
MOST_MODELS = 1000
# the bounds of llm-d's picker, and those of the grid of the engines: a threshold on it is counted exactly here too
_GRID = latency_grid()[1]
_LATENCY = tuple(
    sorted({
        0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5,
        3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0, 180.0, 240.0, 300.0, 600.0, *_GRID,
    })
)  # fmt: skip
_BETWEEN = tuple(
    sorted({
        0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08,
        0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, *_GRID,
    })
)  # fmt: skip
_QUICK = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
_TOKENS = tuple(float(2**power) for power in range(21))
_BYTES = tuple(float(4**power) for power in range(3, 13))
_MODEL = ("model_name", "target_model_name")
_REQUEST = (*_MODEL, "fairness_id", "priority")
_ENDPOINT = ("endpoint_name", "namespace", "producer_name", "fairness_id", "priority")


class PickerMetrics:
    """All families, each an attribute. `model` bounds the model names that become labels.

    pool: the InferencePool's name. flow: the bounds of what is held.
    """

    def __init__(self, pool: str, flow: FlowControl | None) -> None:
        self.registry = CollectorRegistry()
        self.flow = FlowMetrics(self.registry, pool, flow)
        process_collector.ProcessCollector(registry=self.registry)
        self._models: set[str] = set()
        self.requests = self._counter("request", "Requests", _REQUEST)
        self.errors = self._counter("request_error", "Requests that failed, by code", (*_REQUEST, "error_code"))
        self.duration = self._histogram(
            "request_duration_seconds", "Request to the end of its answer", _REQUEST, _LATENCY
        )
        self.request_bytes = self._histogram("request_size_bytes", "Size of requests", _MODEL, _BYTES)
        self.response_bytes = self._histogram("response_size_bytes", "Size of answers", _MODEL, _BYTES)
        self.input_tokens = self._histogram("request_input_tokens", "Prompt tokens", _MODEL, _TOKENS)
        self.output_tokens = self._histogram("request_output_tokens", "Generated tokens", _MODEL, _TOKENS)
        self.cached_tokens = self._histogram("request_cached_tokens", "Prompt tokens from a cache", _MODEL, _TOKENS)
        self.running = self._gauge("request_running", "Requests in flight", ("model_name",))
        self.ntpot = self._histogram("request_ntpot_seconds", "Duration per generated token", _MODEL, _BETWEEN)
        streamed = (*_MODEL, "streaming")
        self.ttft = self._histogram("request_ttft_seconds", "Time to first token", streamed, _LATENCY)
        self.tpot = self._histogram("request_streaming_tpot_seconds", "Time per output token", _MODEL, _BETWEEN)
        self.itl = self._histogram("request_streaming_itl_seconds", "Time between tokens", _MODEL, _BETWEEN)
        for kind, what in (("average", "Mean"), ("std_dev", "Standard deviation")):
            for measure in ("kv_cache_utilization", "queue_size", "running_requests"):
                gauge = self._gauge(f"{kind}_{measure}", f"{what} over the ready endpoints", ("name",))
                setattr(self, f"{kind}_{measure}", gauge)
        self.ready_endpoints = self._gauge("ready_endpoints", "Endpoints that may serve", ("name",))
        self.endpoint_queue = self._gauge(
            "per_endpoint_queue_size", "Waiting requests of an endpoint", ("name", "model_server_endpoint")
        )
        self.scheduling = self._histogram("scheduler_e2e_duration_seconds", "Time to choose an endpoint", (), _QUICK)
        self.attempts = self._counter(
            "scheduler_attempts",
            "Choices of an endpoint",
            ("status", "target_model_name", "endpoint_name", "namespace", "port"),
        )
        self.poll_errors = self._counter(
            "datalayer_poll_errors", "Metrics pages that could not be read", ("source_type",)
        )
        self.index_size = self._gauge("prefix_indexer_size", "Block hashes in the prefix index", ())
        self.hit_ratio = self._histogram(
            "prefix_indexer_hit_ratio", "Matched share of a prompt", (), tuple(step / 10 for step in range(11))
        )
        self.hit_bytes = self._histogram("prefix_indexer_hit_bytes", "Matched bytes of a prompt", (), _BYTES)
        self.inflight_requests = self._gauge("inflight_requests", "Requests in flight per endpoint", _ENDPOINT)
        self.inflight_tokens = self._gauge("inflight_tokens", "Prompt tokens in flight per endpoint", _ENDPOINT)
        self.info = self._gauge("info", "Build of the picker", ("commit", "build_ref"))
        self.info.labels(commit="embedded", build_ref="lamplight").set(1)

    def model(self, name: str) -> str:
        """`name` as a label value: names beyond the first thousand are counted as `other`."""
        if name not in self._models:
            if len(self._models) >= MOST_MODELS:
                return "other"
            self._models.add(name)
        return name

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: tuple[str, ...]) -> Gauge:
        return Gauge(PREFIX + name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
        return Histogram(PREFIX + name, text, labels, buckets=buckets, registry=self.registry)
