"""Signal integrity of every pool: probed once a minute, stored as a report and as the pool's condition SignalsFed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.core import clock, outbox
from apps.core.domain.conditions import Condition, format_time
from apps.core.locks import advisory
from apps.core.status import put_condition
from apps.pools import selectors as pools
from apps.pools.models import Pool
from apps.slos.domain.integrity import COUNTERS, LOOPS, RUNNING, Facts, Page, Report, examine, needs_of_slo
from apps.slos.models import IntegrityReport
from apps.slos.probing import Probe, probe_all, probe_through
from apps.slos.selectors import slos_counted_at
from apps.slos.ticking import source_of
from apps.telemetry.scrape import Target
from apps.telemetry.targets import PoolTargets, Prometheus, find_targets

__all__ = ["CONDITION", "run_probe"]

CONDITION = "SignalsFed"
# any number of our own
_LOCK = 0x6C616D70_66656420


def run_probe(find: Callable[[], Sequence[PoolTargets]] = find_targets) -> int | None:
    """Probe all pools; how many, None when another probe runs. No transaction is open while pages are read."""
    with advisory(_LOCK) as held:
        if not held:
            return None
        found = {one.pool: one for one in find()}
        rows = {pool.uid: pool for pool in Pool.objects.living().filter(uid__in=found)}
        slos = slos_counted_at((pool.team, pool.name) for pool in rows.values())
        wanted = {
            uid: _wanted(pool, [spec for _, spec in slos.get((pool.team, pool.name), [])]) for uid, pool in rows.items()
        }
        metrics = {metric for needs in wanted.values() for loop in needs for part in loop.values() for metric in part}
        probes = _probes([found[uid] for uid in rows], metrics)
        now = clock.now()
        memory = {row.pool: row.memory for row in IntegrityReport.objects.filter(pool__in=rows)}
        for uid, pool in rows.items():
            _settle(pool, found[uid], wanted[uid], probes, memory.get(uid, {}), now)
        IntegrityReport.objects.exclude(pool__in=Pool.objects.values("uid")).delete()
        return len(rows)


def _probes(pools: Sequence[PoolTargets], metrics: set[str]) -> dict[str, Probe]:
    """A probe of every target, from where its ticks read it: its own page, or the cluster's Prometheus."""
    through: dict[str, tuple[Prometheus, list[Target]]] = {}
    for one in pools:
        if one.prometheus is not None and one.targets:
            through.setdefault(one.prometheus.key, (one.prometheus, []))[1].extend(one.targets)
    direct = [target for one in pools if one.prometheus is None for target in one.targets]
    probes = asyncio.run(probe_all(direct, metrics))
    for source, targets in through.values():
        probes |= probe_through(source, targets, metrics)
    return probes


Wanted = tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]


def _wanted(pool: Any, specs: Sequence[Any]) -> Wanted:
    """Loop → metrics of engines, and of the picker, for the loops that this pool has."""
    engines = {"dashboard": LOOPS["dashboard"]}
    picker: dict[str, tuple[str, ...]] = {}
    if (pool.spec.get("autoscaling") or {}).get("mode", "off") not in ("off", "external"):
        engines["autoscaler"] = LOOPS["autoscaler"]
    if (pool.spec.get("offload") or {}).get("mode", "off") != "off":
        engines["offload"] = LOOPS["offload"]
    for spec in specs:
        of_engines, of_picker = needs_of_slo(source_of(spec, pool), [one.metric for one in spec.objectives])
        for kept, more in ((engines, of_engines), (picker, of_picker)):
            if more:
                kept["slo"] = tuple(dict.fromkeys((*kept.get("slo", ()), *more)))
    return engines, picker


def _settle(
    pool: Any,
    found: PoolTargets,
    wanted: Wanted,
    probes: Mapping[str, Probe],
    memory: Mapping[str, Any],
    now: datetime,
) -> None:
    served = _served(pool)
    sent = _sent(found, probes)
    remembered = {}
    pages: dict[str, list[Page]] = {"engine": [], "gateway": []}
    for target in found.targets:
        if target.key in found.leaving:
            continue
        probe, before = probes[target.key], memory.get(target.key, {})
        remembered[target.key] = after = _remember(before, probe, sent.get(target.name), now.timestamp())
        busy = _running(probe) > 0 or after["asked_at"] > (after["moved_at"] or 0.0)
        pages[target.kind].append(Page(target.name, probe.series, probe.silent, after["moved_at"], busy))
    facts = Facts(
        served=served,
        engines=pages["engine"],
        pickers=pages["gateway"],
        wanted=wanted[0],
        wanted_of_picker=wanted[1],
        picker_expected=(pool.spec.get("routing") or {}).get("picker", True),
        desired=found.replicas.get("", {}).get("desired"),
        unlisted=found.reason,
    )
    report = examine(facts, now.timestamp())
    _store(pool.uid, report, facts, remembered, now)


def _served(pool: Any) -> frozenset[str]:
    model = pools.model_of(pool)
    names = {pool.status.get("servedName"), pools.model_facts(model).served_name if model is not None else None}
    return frozenset(name for name in names if name)


def _running(probe: Probe) -> float:
    running = probe.series.get(RUNNING)
    return running.total or 0.0 if running is not None else 0.0


def _sent(found: PoolTargets, probes: Mapping[str, Probe]) -> dict[str, float]:
    """Requests sent to each engine, by all pickers. A picker names an endpoint by its pod, or by that and a rank."""
    counts = [probes[target.key].sent for target in found.targets if target.kind == "gateway"]
    return {
        target.name: sum(
            count
            for sent in counts
            for name, count in sent.items()
            if name == target.name or name.startswith(f"{target.name}-rank-")
        )
        for target in found.targets
        if target.kind == "engine" and counts
    }


def _remember(before: Mapping[str, Any], probe: Probe, sent: float | None, now: float) -> dict[str, Any]:
    """What the next probe is compared with. `moved_at`: when counters last moved; `asked_at`: when requests were last
    seen to be sent here (0: never)."""
    counted = {metric: probe.series[metric].total for metric in COUNTERS if metric in probe.series}
    moved = not before or counted != before.get("counted")
    asked = sent is not None and before.get("sent") is not None and sent > before["sent"]
    return {
        "counted": before.get("counted") if probe.silent else counted,
        "moved_at": now if moved and not probe.silent else before.get("moved_at"),
        "sent": sent,
        "asked_at": now if asked else before.get("asked_at", 0.0),
    }


def _store(uid: UUID, report: Report, facts: Facts, memory: dict[str, Any], now: datetime) -> None:
    told = {
        "checkedAt": format_time(now),
        "state": report.state,
        "servedNames": sorted(facts.served),
        "loops": [{"loop": loop, "state": state} for loop, state in report.loops.items()],
        "findings": [finding.to_json() for finding in report.findings],
        "targets": [
            {
                "name": page.name,
                "kind": kind,
                "answers": not page.silent,
                "reason": page.silent,
                "models": sorted({model for series in page.series.values() for model in series.models}),
                "busy": page.busy,
                "movedAt": page.moved_at,
            }
            for kind, several in (("engine", facts.engines), ("picker", facts.pickers))
            for page in several[:200]
        ],
    }
    with transaction.atomic():
        IntegrityReport.objects.update_or_create(
            pool=uid, defaults={"at": now, "state": report.state, "report": told, "memory": memory}
        )
        pool = Pool.objects.select_for_update().filter(uid=uid, deletion_requested_at=None).first()
        if pool is not None and put_condition(pool, _condition(report, facts, pool.generation)):
            outbox.publish(
                kind="Pool",
                uid=pool.uid,
                team=pool.team,
                name=pool.name,
                verb="status",
                generation=pool.generation,
                fields=["conditions"],
            )


def _condition(report: Report, facts: Facts, generation: int) -> Condition:
    loops = ", ".join(report.loops)
    if report.state == "fed":
        count = len(facts.engines)
        who = "one engine answers" if count == 1 else f"{count} engines answer"
        sentence = f"{who} with the pool's model; fed: {loops}."
        return Condition(CONDITION, "True", "Fed", sentence, generation)
    first = report.findings[0]
    more = f" {len(report.findings) - 1} more findings." if len(report.findings) > 1 else ""
    status: Any = "False" if report.state == "starved" else "Unknown"
    # a time that moves each minute would be a change each minute
    return Condition(CONDITION, status, first.reason, first.message + more, generation)
