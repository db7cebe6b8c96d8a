"""The same measures as PromQL, for people who look at a pool with Prometheus and Grafana: made from the same tables.

`$S` stands for the selector of a pool's series and `$w` for the window; `filled` puts them in. The forms are those that
do not lie: ratios are of rates, quantiles of buckets added up over replicas by `le`, and nothing over nothing is no
series instead of 0.
"""

from __future__ import annotations

from apps.telemetry.domain.engine import COUNTERS, FAMILIES, GAUGES
from apps.telemetry.domain.failures import CLIENT_CODES
from apps.telemetry.domain.gateway import COUNTERS as GATEWAY_COUNTERS
from apps.telemetry.domain.gateway import FAMILIES as GATEWAY_FAMILIES
from apps.telemetry.domain.gateway import GAUGES as GATEWAY_GAUGES
from apps.telemetry.domain.gateway import PREFIX
from apps.telemetry.domain.pages import Where

__all__ = [
    "bucket_rate", "counter", "failed_at_gateway", "filled", "gauge", "mean", "metric_of", "quantile", "rate", "ratio",
    "replicas",
]  # fmt: skip

_AGGREGATIONS = {"sum": "sum", "mean": "avg", "max": "max"}


def filled(template: str, *, selector: str, window: str) -> str:
    """The query with its selector (`job="serving/chat"`) and window (`5m`)."""
    return template.replace("$S", selector).replace("$w", window)


def counter(name: str) -> str:
    """The counter's own series: `vllm:request_success_total{$S,finished_reason="error"}`."""
    return _series(_place(name))


def rate(name: str) -> str:
    return f"sum(rate({counter(name)}[$w]))"


def ratio(part: str, whole: str) -> str:
    return f"{rate(part)} / ({rate(whole)} > 0)"


def failed_at_gateway() -> str:
    """Share of requests that were shed, failed or timed out at the picker (apps.telemetry.domain.failures).

    A counter with labels has no series before its first event: where requests are counted, that is none of them.
    """
    errors = counter("gateway.errors").replace("$S", f'$S,error_code!~"{CLIENT_CODES}"')
    requests = rate("gateway.requests")
    return f"(sum(rate({errors}[$w])) or {requests} * 0) / ({requests} > 0)"


def metric_of(family: str) -> str:
    """The histogram of a family."""
    return GATEWAY_FAMILIES[family][0] if family.startswith(PREFIX) else FAMILIES[family]


def bucket_rate(family: str) -> str:
    return f"sum by (le) (rate({metric_of(family)}_bucket{{$S}}[$w]))"


def quantile(family: str, q: float) -> str:
    return f"histogram_quantile({q:g}, {bucket_rate(family)})"


def mean(family: str) -> str:
    metric = metric_of(family)
    return f"sum(rate({metric}_sum{{$S}}[$w])) / (sum(rate({metric}_count{{$S}}[$w])) > 0)"


def gauge(name: str) -> str:
    place = _first(GATEWAY_GAUGES[name]) if name.startswith(PREFIX) else GAUGES[name]
    return f"{_AGGREGATIONS[place.how]}({_series(place)})"


def replicas(state: str) -> str:
    """Engines that Prometheus scrapes are the ready ones; it knows of no others."""
    return f"count({counter('requests')})" if state == "ready" else ""


def _place(name: str) -> Where:
    return _first(GATEWAY_COUNTERS[name]) if name.startswith(PREFIX) else COUNTERS[name]


def _first(places: tuple[Where, ...]) -> Where:
    # the newest spelling: pickers of today have it
    return places[0]


def _series(place: Where) -> str:
    label = f',{place.label}="{place.value}"' if place.label is not None and place.value is not None else ""
    return f"{place.metric}{{$S{label}}}"
