"""The engine's /metrics page: every family of the catalogue's table, in its order, present from the start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    gc_collector,
    generate_latest,
    platform_collector,
    process_collector,
)

from apps.catalog.domain.metrics import catalogue
from apps.catalog.domain.vllm import Metric, metrics
from apps.embedded.engine.domain.buckets import bounds

# vLLM makes these series when there is something to say
_SHOWN_WHEN_SEEN = ("vllm:kv_offload_",)


class _Absent:
    """A series that this version does not have: what happens is not counted."""

    def inc(self, amount: float = 1) -> None: ...
    def dec(self, amount: float = 1) -> None: ...
    def set(self, value: float) -> None: ...
    def observe(self, amount: float) -> None: ...


_ABSENT = _Absent()


class EngineMetrics:
    """All metric families of an engine of one version, by the names of its page.

    `one(name, **labels)` is a series to inc, set or observe; `engine` and `model_name` are filled in.
    """

    def __init__(
        self,
        version: str,
        *,
        model_name: str,
        max_model_len: int,
        custom_buckets: Mapping[str, Sequence[float]],
        features: frozenset[str],
        cache_config: Mapping[str, str],
    ) -> None:
        self.registry = CollectorRegistry()
        gc_collector.GCCollector(registry=self.registry)
        platform_collector.PlatformCollector(registry=self.registry)
        process_collector.ProcessCollector(registry=self.registry)
        self._fixed = {"engine": "0", "model_name": model_name}
        self._families: dict[str, Any] = {}
        for metric in metrics(version).values():
            if metric.name.startswith(("python_", "process_")) or (metric.when and metric.when not in features):
                continue
            family = self._family(metric, bounds(metric, max_model_len, custom_buckets))
            self._families[metric.name] = family
            if metric.name == "vllm:cache_config_info":
                family.labels(engine="0", **_only(cache_config, metric.labels)).set(1)
            else:
                self._show(metric, family)

    def one(self, name: str, **labels: str) -> Any:
        """The series of family `name` with these labels besides engine and model_name. What only other versions have
        takes everything and shows nothing. Raises KeyError for a name that no version has."""
        family = self._families.get(name)
        if family is None:
            catalogue()[name]
            return _ABSENT
        wanted = {label: self._fixed[label] for label in family._labelnames if label in self._fixed}
        return family.labels(**wanted, **labels) if family._labelnames else family

    def page(self, names: Sequence[str] = ()) -> bytes:
        """The page in the Prometheus text format; with `names` (the query's `name[]`) only those series."""
        return generate_latest(self.registry.restricted_registry(names) if names else self.registry)

    def _family(self, metric: Metric, bucket_bounds: tuple[float, ...]) -> Any:
        common: dict[str, Any] = {"labelnames": metric.labels, "registry": self.registry}
        if metric.type == "counter":
            return Counter(metric.name.removesuffix("_total"), metric.help, **common)
        if metric.type == "gauge":
            return Gauge(metric.name, metric.help, **common)
        if metric.type == "summary":
            return Summary(metric.name, metric.help, **common)
        return Histogram(metric.name, metric.help, buckets=bucket_bounds, **common)

    def _show(self, metric: Metric, family: Any) -> None:
        if metric.name.startswith(_SHOWN_WHEN_SEEN) and "transfer_type" not in metric.labels:
            return
        if not set(metric.labels) <= {*self._fixed, *metric.label_values} or not metric.labels:
            return
        for values in _combinations(metric):
            family.labels(**values, **{label: self._fixed[label] for label in metric.labels if label in self._fixed})


def _combinations(metric: Metric) -> Iterable[dict[str, str]]:
    found: list[dict[str, str]] = [{}]
    for label, values in metric.label_values.items():
        found = [{**chosen, label: value} for chosen in found for value in values]
    return found


def _only(values: Mapping[str, str], labels: tuple[str, ...]) -> dict[str, str]:
    return {label: values.get(label, "None") for label in labels if label != "engine"}
