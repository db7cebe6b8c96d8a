"""What people who use Prometheus and Grafana get of Lamplight: a dashboard of the panels, and alert rules.

Both are made from the catalogue of panels and the tables of metrics that Lamplight itself reads, so that the two say
the same. `deploy/grafana` and `deploy/alerts` hold what `manage.py render_observability` writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.telemetry.domain import queries
from apps.telemetry.domain.charts import Panel
from apps.telemetry.domain.failures import CLIENT_CODES
from apps.telemetry.domain.panels import PANELS
from apps.telemetry.domain.queries import filled

__all__ = ["DASHBOARD_UID", "alert_rules", "dashboard", "panel_queries"]

DASHBOARD_UID = "lamplight-pool"
# PodMonitors of Lamplight are named as the pool: the operator's job label is namespace/name
_SELECTOR = 'job=~"$pool"'
_WINDOW = "$__rate_interval"
_UNITS = {
    "s": "s",
    "1": "percentunit",
    "requests": "none",
    "requests/s": "reqps",
    "tokens/s": "suffix: tok/s",
    "replicas": "none",
    "B/s": "Bps",
}
# rows of the dashboard, in order; a panel that is in none fails the test
_ROWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Requests", ("requests", "finished_by_reason", "error_rate", "throughput", "queue", "waiting_by_reason")),
    ("Latency at the gateway", ("gateway_ttft", "gateway_itl", "gateway_e2e", "gateway_hold", "gateway_queue")),
    (
        "Latency at the engines",
        ("ttft", "itl", "tpot", "e2e", "breakdown", "ttft_heatmap", "itl_heatmap", "e2e_heatmap"),
    ),
    (
        "Cache",
        ("prompt_tokens_by_source", "hit_rate", "hit_rate_by_tier", "kv_usage", "preemptions", "offload_bandwidth"),
    ),
    ("Replicas", ("replicas", "speculation")),
)
_WIDTH, _HEIGHT, _ACROSS = 8, 8, 3


def panel_queries(panel: Panel) -> tuple[tuple[str, str], ...]:
    """(label, query template) of the lines that Prometheus has; none for what only Lamplight knows (cost)."""
    return tuple((line.label, line.promql) for line in panel.lines if line.promql)


def dashboard() -> dict[str, Any]:
    """The Grafana dashboard of one pool (schema version 39, Grafana 11 and later)."""
    panels: list[dict[str, Any]] = []
    for title, row in _placed():
        panels.append(_row(len(panels) + 1, title, row[0][1]))
        panels += [_chart(len(panels) + 1 + n, PANELS[name], x, y) for n, (name, y, x) in enumerate(row)]
    return {
        "uid": DASHBOARD_UID,
        "title": "Lamplight: pool",
        "tags": ["lamplight", "vllm"],
        "schemaVersion": 39,
        "editable": False,
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [_datasource(), _pools()]},
        "panels": panels,
    }


def _placed() -> Iterator[tuple[str, list[tuple[str, int, int]]]]:
    """Each row's title and its panels as (name, y, x)."""
    y = 0
    for title, names in _ROWS:
        places = [(name, y + 1 + n // _ACROSS * _HEIGHT, n % _ACROSS * _WIDTH) for n, name in enumerate(names)]
        yield title, places
        y = places[-1][1] + _HEIGHT


def _row(number: int, title: str, y: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": "row",
        "title": title,
        "collapsed": False,
        "panels": [],
        "gridPos": {"h": 1, "w": 24, "x": 0, "y": y - 1},
    }


def _chart(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    heat = panel.kind == "heatmap"
    defaults: dict[str, Any] = {"unit": _UNITS[panel.unit]}
    if not heat:
        stacking = {"mode": "normal" if panel.kind == "stacked" else "none", "group": "A"}
        defaults["custom"] = {"stacking": stacking, "fillOpacity": 30 if panel.kind == "stacked" else 0}
    return {
        "id": number,
        "type": "heatmap" if heat else "timeseries",
        "title": panel.title,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"h": _HEIGHT, "w": _WIDTH, "x": x, "y": y},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + n),
                "expr": filled(query, selector=_SELECTOR, window=_WINDOW),
                "legendFormat": "{{le}}" if heat else label,
                **({"format": "heatmap"} if heat else {}),
            }
            for n, (label, query) in enumerate(panel_queries(panel))
        ],
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}


def _pools() -> dict[str, Any]:
    return {
        "name": "pool",
        "label": "Pool (namespace/name)",
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "query": f"label_values({queries.counter('requests').partition('{')[0]}, job)",
        "refresh": 2,
        "includeAll": False,
        "multi": False,
    }


def alert_rules() -> dict[str, Any]:
    """A rule file of Prometheus: what is wrong with any pool, whatever its SLOs (those have rules of their own)."""
    return {"groups": [{"name": "lamplight-pools", "rules": [*_rules()]}]}


def _rules() -> Iterator[dict[str, Any]]:
    by = "by (job)"
    requests, errors = (queries.counter(name).partition("{")[0] for name in ("gateway.requests", "gateway.errors"))
    running, kv = (queries.gauge(name).partition("(")[2].partition("{")[0] for name in ("running", "kv_mean"))
    waiting = queries.gauge("waiting").partition("(")[2].partition("{")[0]
    ready = queries.gauge("gateway.ready").partition("(")[2].partition("{")[0]
    for name, share, minutes, severity in (("High", 0.05, 10, "ticket"), ("Critical", 0.2, 5, "page")):
        yield _alert(
            f"LamplightErrorRatio{name}",
            f'sum {by} (rate({errors}{{error_code!~"{CLIENT_CODES}"}}[5m]))'
            + f" / (sum {by} (rate({requests}[5m])) > 0) > {share}",
            f"{minutes}m",
            severity,
            f"More than {share:.0%} of the requests of pool {{{{ $labels.job }}}} fail at its gateway.",
            "Error codes are in the label error_code; lamp describe pool shows health and events.",
        )
    yield _alert(
        "LamplightNoReadyEndpoints",
        f"max {by} ({ready}) == 0 and on (job) sum {by} (rate({requests}[5m])) > 0",
        "2m",
        "page",
        "Pool {{ $labels.job }} is asked and has no ready replica.",
        "lamp describe pool shows why replicas do not start.",
    )
    yield _alert(
        "LamplightQueueStands",
        f"min_over_time(sum {by} ({waiting})[10m:1m]) > 0",
        "10m",
        "ticket",
        "Requests of pool {{ $labels.job }} have been waiting without a break for ten minutes.",
        "It has too few replicas for its load: see its autoscaling decisions.",
    )
    yield _alert(
        "LamplightKVCacheFull",
        f"avg {by} ({kv}) > 0.95",
        "15m",
        "ticket",
        "The KV cache of pool {{ $labels.job }} has been full for a quarter of an hour.",
        "Requests are preempted and computed again; more replicas or an offload tier help.",
    )
    yield _alert(
        "LamplightTargetVanished",
        f"{running} offset 15m unless {running}",
        "5m",
        "ticket",
        "A replica of pool {{ $labels.job }} that reported a quarter of an hour ago reports no more.",
        "A scale-down ends this by itself after 15 minutes; lamp integrity pool shows which target is silent.",
    )
    yield _alert(
        "LamplightTargetDown",
        'up{job=~".+/.+"} == 0 and on (job) ' + f"group {by} ({running} offset 1h)",
        "5m",
        "ticket",
        "A target of pool {{ $labels.job }} cannot be scraped.",
        "lamp integrity pool shows which one, and why.",
    )


def _alert(name: str, expr: str, for_: str, severity: str, summary: str, description: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expr,
        "for": for_,
        "labels": {"severity": severity},
        "annotations": {"summary": summary, "description": description},
    }
