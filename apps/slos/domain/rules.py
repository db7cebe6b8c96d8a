"""An SLO as rules of Prometheus: the same counts, windows and factors as Lamplight's own, for people who alert there.

Recorded: the share of bad events in each window. Alerts: both windows of a pair burn too fast; and one that fires when
the buckets that the others count are not there, because a rule on nothing is silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from apps.core.domain.units import format_duration
from apps.slos.domain.burn import Pair, pairs_of
from apps.slos.domain.slo import Objective, Source, TargetRef, Traffic
from apps.telemetry.domain import queries
from apps.telemetry.domain.failures import CLIENT_CODES

__all__ = ["RECORD", "bad_share", "rule_groups"]

RECORD = "lamplight:slo_bad_events:ratio_rate"
_NAMES = {300.0: "5m", 1800.0: "30m", 3600.0: "1h", 21_600.0: "6h", 259_200.0: "3d"}


def rule_groups(
    *,
    slo: str,
    team: str,
    target: TargetRef,
    pools: Sequence[str],
    namespace: str,
    objectives: Sequence[Objective],
    source: Source,
    edges: Sequence[float],
    traffic: Traffic | None = None,
) -> list[dict[str, Any]]:
    """The group of one SLO; none where no objective can be told from buckets. `pools`: whose counts are added up;
    `edges`: the rendered bucket grid; `traffic`: whose requests count, None for all."""
    # PodMonitors of Lamplight are named as the pool: the operator's job label is namespace/name
    jobs = [f"{namespace}/{pool}" for pool in pools]
    selector = f'job="{jobs[0]}"' if len(jobs) == 1 else f'job=~"{"|".join(jobs)}"'
    labels = {"slo": slo, "team": team, target.kind.lower(): target.name}
    if traffic is not None:
        selector += "".join(f',{label}="{value}"' for label, value in traffic.requests.labels)
        labels["traffic"] = traffic.requests.key
    rules = [
        rule
        for objective in objectives
        for rule in _rules(objective, source, edges, selector, labels, objective.sentence(traffic))
    ]
    return [{"name": f"lamplight-slo-{slo}", "interval": "30s", "rules": rules}] if rules else []


def _rules(
    objective: Objective, source: Source, edges: Sequence[float], selector: str, labels: dict[str, str], promise: str
) -> Iterator[dict[str, Any]]:
    share = bad_share(objective, source, edges)
    if share is None:
        return
    labels = {**labels, "objective": objective.key}
    pairs = pairs_of(objective.window.total_seconds())
    for seconds in sorted({w for pair in pairs for w in (pair.short, pair.long)}):
        window = _name(seconds)
        yield {
            "record": f"{RECORD}{window}",
            "expr": queries.filled(share, selector=selector, window=window),
            "labels": labels,
        }
    for pair in pairs:
        yield _burning(objective, pair, labels, promise)
    counted = _buckets(objective, source, edges)
    if counted is not None:
        metric, bucket = counted
        yield {
            "alert": "LamplightSLONotMeasured",
            "expr": f"sum(rate({metric}_count{{{selector}}}[10m])) > 0 "
            f"unless on () count({metric}_bucket{{{selector},{bucket}}})",
            "for": "10m",
            "labels": {**labels, "severity": "ticket"},
            "annotations": {
                "summary": f"SLO {labels['slo']} of {_whose(labels)} is not counted: no bucket at its threshold.",
                "description": f"Promised: {promise}. The histogram has no bucket with {bucket}. Choose a threshold "
                "that is a bucket's edge, or measure it at the engine, whose grid Lamplight renders.",
            },
        }


def _burning(objective: Objective, pair: Pair, labels: dict[str, str], promise: str) -> dict[str, Any]:
    limit = pair.factor * (1.0 - float(objective.fraction))
    chosen = ",".join(f'{name}="{value}"' for name, value in labels.items())
    short, long = (f"{RECORD}{_name(seconds)}{{{chosen}}} >= {limit:.6g}" for seconds in (pair.short, pair.long))
    return {
        "alert": "LamplightErrorBudgetBurn",
        "expr": f"{short} and {long}",
        "labels": {**labels, "severity": pair.severity, "window": pair.name},
        "annotations": {
            "summary": f"The error budget of SLO {labels['slo']} ({_whose(labels)}) burns "
            f"{pair.factor:.3g} times too fast.",
            "description": f"Promised: {promise}. Over {pair.name} the share of bad events is "
            "{{ $value | humanizePercentage }}. lamp describe slo shows attainment and budget.",
        },
    }


def _whose(labels: Mapping[str, str]) -> str:
    return next(f"{kind} {labels[kind]}" for kind in ("pool", "endpoint") if kind in labels)


def bad_share(objective: Objective, source: Source, edges: Sequence[float]) -> str | None:
    """The share of bad events as a query template ($S, $w); None where the grid has no edge to count at.

    A threshold between two edges is counted at the lower one: an upper bound of what is bad.
    """
    failed, answered = _failed(source)
    if objective.metric == "errors":
        return f"({failed}) / (({answered}) + ({failed}) > 0)"
    counted = _buckets(objective, source, edges)
    if counted is None:
        return None
    metric, bucket = counted
    good = f"sum(rate({metric}_bucket{{$S,{bucket}}}[$w]))"
    total = f"sum(rate({metric}_count{{$S}}[$w]))"
    if objective.metric != "itl":
        lost = failed if source == "gateway" else _optional(queries.rate("rejections"))
        total = f"{total} + ({lost})"
    return f"1 - {good} / ({total} > 0)"


def _failed(source: Source) -> tuple[str, str]:
    """Requests that failed, and those that were answered."""
    if source == "gateway":
        errors = queries.counter("gateway.errors").replace("$S", f'$S,error_code!~"{CLIENT_CODES}"')
        whole = queries.metric_of("gateway.e2e")
        return _optional(f"sum(rate({errors}[$w]))"), f"sum(rate({whole}_count{{$S}}[$w]))"
    errors = queries.rate("errors")
    answered = f"{queries.rate('requests')} - {queries.rate('aborts')} - {errors}"
    return f"{errors} + ({_optional(queries.rate('rejections'))})", answered


def _optional(query: str) -> str:
    # a labelled counter has no series before its first event: as an addend that is nothing, not unknown
    return f"{query} or vector(0)"


def _buckets(objective: Objective, source: Source, edges: Sequence[float]) -> tuple[str, str] | None:
    """(histogram, matcher of the bucket that holds what is good)."""
    threshold = objective.seconds
    if threshold is None:
        return None
    edge = max((edge for edge in edges if edge <= threshold), default=None)
    if edge is None:
        return None
    prefix = "gateway." if source == "gateway" else ""
    text = f"{edge:g}"
    # Go prints 1, Python 1.0
    matcher = f'le=~"{text}|{text}\\\\.0"' if edge == int(edge) else f'le="{text}"'
    return queries.metric_of(f"{prefix}{objective.metric}"), matcher


def _name(seconds: float) -> str:
    return _NAMES.get(seconds) or format_duration(timedelta(seconds=seconds))
