"""The control plane's own `/metrics`: what its processes counted, and what the database knows of all of them.

For whoever holds the token of LAMPLIGHT_METRICS_TOKEN; without one, for callers on the same machine only.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from ipaddress import ip_address

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from apps.autoscaling.publishing import DesiredReplicas
from apps.core import clock, instruments
from apps.reconcile.selectors import queue_state
from apps.telemetry.selectors import last_tick_at, scraped_now

__all__ = ["desired_replicas", "metrics"]


def metrics(request: HttpRequest) -> HttpResponse:
    """The text format for a Prometheus; 403 for whoever may not read it."""
    if not _may_read(request):
        return _refused()
    return HttpResponse(instruments.page([_Background()]), content_type=CONTENT_TYPE_LATEST)


def desired_replicas(request: HttpRequest) -> HttpResponse:
    """What HPA and KEDA follow, for a Prometheus: in a page of its own, since its labels name objects."""
    if not _may_read(request):
        return _refused()
    registry = CollectorRegistry()
    registry.register(DesiredReplicas())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _refused() -> HttpResponse:
    return HttpResponse(
        "These metrics are for callers on this machine, or with the token of LAMPLIGHT_METRICS_TOKEN.\n",
        status=403,
        content_type="text/plain; charset=utf-8",
    )


def _may_read(request: HttpRequest) -> bool:
    token = settings.METRICS_TOKEN
    if token:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), token.encode())
    # behind a proxy everybody comes from its address
    if any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip")):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


class _Background(Collector):
    """Asked when the page is: how far behind the queue and the ticks are."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("lamplight_database_up", "Whether the database answered")
        try:
            found = list(_of_database())
        except DatabaseError:
            found = []
        up.add_metric([], 1.0 if found else 0.0)
        yield up
        yield from found

    def describe(self) -> list[Metric]:
        return []


def _of_database() -> Iterator[Metric]:
    queue = queue_state()
    keys = GaugeMetricFamily("lamplight_queue_keys", "Keys in the work queue", labels=["state"])
    for state, count in (("due", queue.due), ("leased", queue.leased), ("retrying", queue.retrying)):
        keys.add_metric([state], count)
    yield keys
    yield _gauge("lamplight_queue_total", "Keys in the work queue, all states", queue.total)
    yield _gauge(
        "lamplight_queue_oldest_due_seconds", "Since when the longest overdue key is due", queue.oldest_due_seconds
    )
    tick = last_tick_at()
    if tick is not None:
        age = (clock.now() - tick).total_seconds()
        yield _gauge("lamplight_telemetry_tick_age_seconds", "Since the last tick of telemetry was stored", age)
    targets, scraped = scraped_now()
    yield _gauge("lamplight_scrape_targets", "Engines that the last tick meant to read", targets)
    yield _gauge("lamplight_scrape_targets_answered", "Engines whose page the last tick read", scraped)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
