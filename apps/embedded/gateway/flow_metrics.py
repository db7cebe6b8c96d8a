"""Metrics of flow control: llm-d's names, labels and outcomes. A series appears with the first request that is held."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from apps.physics.routing.flow import FlowControl, Outcome

_PREFIX = "llm_d_epp_flow_control_"
_HELD = ("fairness_id", "priority", "inference_pool", "model_name", "target_model_name")
_SECONDS = (
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300,
    450, 600, 900,
)  # fmt: skip


class FlowMetrics:
    """The families of one picker. `pool` is the InferencePool's name."""

    def __init__(self, registry: CollectorRegistry, pool: str, limits: FlowControl | None) -> None:
        self._pool = pool
        self._limits = limits
        self._size = Gauge(_PREFIX + "queue_size", "Requests held", _HELD, registry=registry)
        self._bytes = Gauge(_PREFIX + "queue_bytes", "Bytes of the requests held", _HELD, registry=registry)
        self._duration = Histogram(
            _PREFIX + "request_queue_duration_seconds", "Time that requests were held, by how it ended",
            (*_HELD, "outcome"), buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._requests = Counter(
            _PREFIX + "requests", "Requests that were held or refused", ("outcome", "priority"), registry=registry
        )
        self._full = {
            unit: Gauge(
                f"{_PREFIX}capacity_utilization_{unit}", "Share of the queue's bound in use", ("priority",),
                registry=registry,
            )
            for unit in ("requests", "bytes")
        }  # fmt: skip
        self._saturation = Gauge(
            _PREFIX + "pool_saturation", "How full the serving endpoints are; 1 is full", ("inference_pool", "stage"),
            registry=registry,
        )  # fmt: skip
        self._awake = Gauge(
            "lamplight_epp_awake_endpoints", "Ready endpoints that do not sleep", ("name",), registry=registry
        )

    def held(self, fairness: str, priority: str, model: str, requests: int, size: int) -> None:
        """`requests` more of `size` bytes are held now; negative when they leave."""
        labels = (fairness, priority, self._pool, model, model)
        self._size.labels(*labels).inc(requests)
        self._bytes.labels(*labels).inc(size)

    def left(self, fairness: str, priority: str, model: str, outcome: Outcome, seconds: float) -> None:
        """A request left the queue after `seconds`, or was refused by it after none."""
        self._duration.labels(fairness, priority, self._pool, model, model, outcome.value).observe(seconds)
        self._requests.labels(outcome.value, priority).inc()

    def queue(self, requests: int, size: int, priority: str) -> None:
        """What the whole queue holds now."""
        if self._limits is not None:
            self._full["requests"].labels(priority).set(requests / self._limits.max_requests)
            self._full["bytes"].labels(priority).set(size / self._limits.max_bytes)

    def fleet(self, awake: int, saturation: float) -> None:
        self._awake.labels(self._pool).set(awake)
        self._saturation.labels(self._pool, "effective").set(saturation)
