"""One row per pool: what rooms know of it, side by side; filters, order, totals. Unknown stays null, never zero."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

from apps.core.domain.units import HourlyPrice
from apps.slos.domain.slo import SLOSpec
from apps.telemetry.domain.samples import NoTraffic, Sample, Unknown, value_of

__all__ = ["SORTS", "Facts", "Figures", "attainments", "fleet_row", "matches", "ordered", "totals"]

# what needs a person first, first
_HEALTH = ("Degraded", "Missing", "Progressing", "Unknown", "Suspended", "Healthy")
_SYNC = ("OutOfSync", "Unknown", "Synced")
# states of an objective that say whether it is met
_MET = {"Met": True, "AtRisk": True, "Breached": False}


@dataclass(frozen=True)
class Facts:
    """A pool as its room knows it. `accelerators`: per replica by variant and name; `prices`: of one accelerator."""

    uid: str
    team: str
    name: str
    spec: Mapping[str, Any]
    status: Mapping[str, Any]
    ready_reason: str
    ready_message: str
    updated_at: str
    accelerators: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    prices: Mapping[str, HourlyPrice] = field(default_factory=dict)
    # replicas in warm standby by variant
    asleep: Mapping[str, int] = field(default_factory=dict)
    # since when its condition Ready is not true
    unready_since: str | None = None
    # of a pool that breaches: since when; of one that breaches or burns: what was decided last
    # ({id, at, verb, sentence, actuation})
    breached_since: str | None = None
    decided: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Figures:
    """A pool as telemetry knows it. `state`: ok | stale | no_data."""

    state: str
    reason: str
    samples: Mapping[str, Sample]


_COUNTED = ("desired", "ready", "starting")
_NOTHING = Figures("no_data", "No tick has looked at this pool yet.", {})
# (name, spec, status) of the SLOs of a pool
Slos: TypeAlias = Sequence[tuple[str, SLOSpec, Mapping[str, Any]]]


def fleet_row(facts: Facts, figures: Figures | None, slos: Slos) -> dict[str, Any]:
    """The row over REST: rates per second, latencies in seconds, shares 0..1, cost per hour."""
    known = figures or _NOTHING
    replicas = facts.status.get("replicas") or {}
    counts = {state: replicas.get(state) for state in _COUNTED}
    # left out by pools without warm standby
    counts["asleep"] = replicas.get("asleep", 0) if replicas else None
    accelerators, cost, currency = _cost(facts)
    return {
        "team": facts.team,
        "name": facts.name,
        "uid": facts.uid,
        "sync": facts.status.get("sync") or "Unknown",
        "health": facts.status.get("health") or "Unknown",
        "reason": facts.ready_reason,
        "message": facts.ready_message,
        "model": facts.spec.get("model"),
        "cluster": facts.spec.get("cluster"),
        "path": facts.spec.get("path"),
        "replicas": counts,
        "accelerators": accelerators,
        "acceleratorsAsleep": sum(
            facts.asleep.get(variant, 0) * per_replica for variant, (_, per_replica) in facts.accelerators.items()
        ),
        "acceleratorsPerReplica": max((count for _, count in facts.accelerators.values()), default=None),
        "requestsPerSecond": _value(known, "requests_per_second"),
        "tokensPerSecond": _value(known, "tokens_per_second"),
        "promptTokensPerSecond": _value(known, "prompt_tokens_per_second"),
        "ttftP95": _value(known, "ttft_p95"),
        "itlP95": _value(known, "itl_p95"),
        "hitRate": _value(known, "hit_rate"),
        "running": _value(known, "running"),
        "waiting": _value(known, "waiting"),
        "slo": attainments(slos),
        "unreadySince": facts.unready_since,
        "breachedSince": facts.breached_since,
        "decided": dict(facts.decided) if facts.decided is not None else None,
        "costPerHour": float(cost) if cost is not None else None,
        "costPerMillionTokens": _per_million_tokens(cost, known),
        "currency": currency,
        "updatedAt": facts.updated_at,
        "dataState": data_state(known),
        "dataReason": known.reason,
    }


def _per_million_tokens(cost: Decimal | None, figures: Figures) -> float | None:
    """Cost of a million tokens, prompt and generated, at the present rate; None where nothing is asked or known."""
    rates = (_value(figures, "tokens_per_second"), _value(figures, "prompt_tokens_per_second"))
    known = [rate for rate in rates if rate is not None]
    if cost is None or not sum(known):
        return None
    return float(cost) / (sum(known) * 3600) * 1e6


def _value(figures: Figures, name: str) -> float | None:
    return value_of(figures.samples.get(name, Unknown("")))


def data_state(figures: Figures) -> str:
    """ok | no_traffic | no_data | stale: what the row's figures are worth."""
    if figures.state != "ok":
        return figures.state
    latency = figures.samples.get("ttft_p95")
    return "no_traffic" if isinstance(latency, NoTraffic) else "ok"


def attainments(slos: Slos) -> list[dict[str, Any]]:
    """Each objective of (name, spec, status) as its SLO's last tick judged it, over the objective's window.

    `attained` counts the bucket that the threshold falls into as broken: exact where the threshold is a bucket's edge
    (`exact`), a lower bound elsewhere. Null where nothing was observed, or no tick has judged it yet.
    """
    rows = []
    for name, spec, status in slos:
        judged = {one["key"]: one for one in status.get("objectives", [])}
        for objective in spec.objectives:
            one = judged.get(objective.key, {})
            rows.append(
                {
                    "slo": name,
                    "key": objective.key,
                    "metric": objective.metric,
                    "threshold": objective.seconds,
                    "fraction": float(objective.fraction),
                    "window": objective.window.total_seconds(),
                    **{key: one.get(key) for key in ("attained", "exact", "budgetLeft", "burnRate", "firing")},
                    "state": one.get("state", "NoData"),
                    "message": one.get("message", "No tick has judged this objective yet."),
                    "met": _MET.get(one.get("state", "")),
                }
            )
    return rows


def _cost(facts: Facts) -> tuple[int | None, Decimal | None, str | None]:
    """Accelerators that are asked for now, what they cost per hour, and in which currency (None: mixed or unpriced)."""
    desired = {v.get("name"): v.get("desired") for v in facts.status.get("variants") or []}
    if not desired:
        return None, None, None
    count, cost, currencies, priced = 0, Decimal(0), set(), True
    for variant, (accelerator, per_replica) in facts.accelerators.items():
        wanted = (desired.get(variant) or 0) * per_replica
        count += wanted
        price = facts.prices.get(accelerator)
        if price is None:
            priced = priced and not wanted
        else:
            cost += price.amount * wanted
            currencies.add(price.currency)
    if not priced or len(currencies) > 1:
        return count, None, None
    return count, cost, next(iter(currencies), None)


def matches(
    row: Mapping[str, Any], *, text: str = "", team: str = "", health: str = "", sync: str = "", model: str = ""
) -> bool:
    """Whether a row passes the filters; `text` is looked for in what identifies the pool."""
    if not (text or team or health or sync or model):
        return True
    if text and not any(text.lower() in str(row[key] or "").lower() for key in ("name", "team", "model", "cluster")):
        return False
    return all(not wanted or row[key] == wanted for key, wanted in _equal(team, health, sync, model))


def _equal(team: str, health: str, sync: str, model: str) -> Iterable[tuple[str, str]]:
    return (("team", team), ("health", health), ("sync", sync), ("model", model))


SORTS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "name": lambda row: row["name"],
    "team": lambda row: row["team"],
    "sync": lambda row: _SYNC.index(row["sync"]) if row["sync"] in _SYNC else len(_SYNC),
    "health": lambda row: _HEALTH.index(row["health"]) if row["health"] in _HEALTH else len(_HEALTH),
    "model": lambda row: row["model"],
    "cluster": lambda row: row["cluster"],
    "replicas": lambda row: row["replicas"]["desired"],
    "requests": lambda row: row["requestsPerSecond"],
    "tokens": lambda row: row["tokensPerSecond"],
    "ttft": lambda row: row["ttftP95"],
    "itl": lambda row: row["itlP95"],
    "hits": lambda row: row["hitRate"],
    "cost": lambda row: row["costPerHour"],
    "accelerators": lambda row: row["accelerators"],
    "changed": lambda row: row["updatedAt"],
}


def ordered(rows: Iterable[dict[str, Any]], sort: str, *, descending: bool) -> list[dict[str, Any]]:
    """Rows in order; unknown values come last either way, equal ones by team and name."""
    key = SORTS[sort]
    named = sorted(rows, key=lambda row: (row["team"], row["name"]))
    known = [row for row in named if key(row) is not None]
    return sorted(known, key=key, reverse=descending) + [row for row in named if key(row) is None]


def totals(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sums over rows; null where no row knows the figure."""
    currencies = {row["currency"] for row in rows if row["costPerHour"] is not None and row["currency"]}
    return {
        "pools": len(rows),
        "healthy": sum(row["health"] == "Healthy" for row in rows),
        "synced": sum(row["sync"] == "Synced" for row in rows),
        "replicas": {state: _sum(row["replicas"][state] for row in rows) for state in (*_COUNTED, "asleep")},
        "accelerators": _sum(row["accelerators"] for row in rows),
        "acceleratorsAsleep": sum(row["acceleratorsAsleep"] for row in rows),
        "requestsPerSecond": _sum(row["requestsPerSecond"] for row in rows),
        "tokensPerSecond": _sum(row["tokensPerSecond"] for row in rows),
        "costPerHour": _sum(row["costPerHour"] for row in rows) if len(currencies) <= 1 else None,
        "currency": next(iter(currencies)) if len(currencies) == 1 else None,
    }


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
