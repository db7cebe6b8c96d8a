"""One tick: read what is new of all pools of a shard in a few queries, decide for all at once, write targets."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.autoscaling import seasons, services
from apps.autoscaling.domain.decide import decide_many
from apps.autoscaling.domain.observed import BYTES_PER_TOKEN, signals_from
from apps.autoscaling.domain.record import from_json
from apps.autoscaling.domain.season import Earlier, expected_at, horizon_of
from apps.autoscaling.domain.starts import follow
from apps.autoscaling.domain.types import Decision, Known, Pending, Policy, Signals, State, Unknown
from apps.autoscaling.models import PoolState
from apps.autoscaling.policies import Facts, policy_of
from apps.autoscaling.publishing import HANDED_OVER
from apps.catalog.domain.model import ModelSpec
from apps.clusters.models import Cluster
from apps.clusters.selectors import spec_of as cluster_spec
from apps.core import clock, memory
from apps.core.domain.access import SHARED_TEAM
from apps.core.domain.shards import bounds
from apps.core.kinds import get
from apps.core.locks import advisory
from apps.pools.domain.spec import PoolSpec
from apps.pools.models import Pool
from apps.pools.selectors import accelerators, asleep_wanted, effective_replicas
from apps.pools.services import record_starts
from apps.pools.standby import Held
from apps.slos.selectors import slos_of_pools
from apps.telemetry.domain.signals import Signals as Row
from apps.telemetry.selectors import INTERVAL, recent

__all__ = ["Entry", "facts_of", "run_now", "run_tick"]

log = logging.getLogger(__name__)

# any number of our own; the shard is added
_LOCK = 0x6C616D70_61757400
# what a tick looks back for: what came before is not caught up
_LOOK_BACK = 6 * INTERVAL
# a pool whose newest signals were decided on within these seconds is up to date
_LATELY = 2.5 * INTERVAL
# without new signals a pool is decided this often, to say that they are missing
_SILENCE = 3 * INTERVAL
_MODES = ("active", "advisory")


@dataclass(frozen=True)
class Entry:
    """One pool in a tick, before and after the decision."""

    pool: Pool
    mode: str
    policy: Policy
    signals: Signals
    state: State
    before: PoolState | None
    row_at: datetime | None
    starting: dict[str, list[float]]
    ready: dict[str, int]


def run_tick(*, shard: int = 0, shards: int = 1) -> int | None:
    """Decide for the pools of a shard that have new signals; how many, None when another tick of the shard runs.

    Never catches up: what happened since the last tick is one tick, and what is older than a minute is left out.
    """
    with advisory(_LOCK + shard) as held, memory.undisturbed():
        if not held:
            return None
        now = clock.now()
        entries = _entries(now, shard, shards)
        if not entries:
            return 0
        at = now.timestamp()
        decisions = decide_many(
            [e.policy for e in entries], [e.signals for e in entries], [e.state for e in entries], [at] * len(entries)
        )
        _act(entries, decisions, now)
        return len(entries)


def run_now(held: Mapping[UUID, Held], *, shard: int = 0) -> int | None:
    """Decide at once for pools without a replica at whose picker requests wait; how many, None while a tick runs.

    The same decision as a tick's, from what the picker says now: telemetry would tell it up to a tick later.
    """
    with advisory(_LOCK + shard) as got:
        if not got:
            return None
        now = clock.now()
        pools = list(Pool.objects.living().filter(uid__in=list(held)).prefetch_related("targets").order_by("uid"))
        states = {row.pool: row for row in PoolState.objects.filter(pool__in=[pool.uid for pool in pools])}
        facts = facts_of(pools, {})
        entries = []
        for pool in pools:
            entry = _entry(pool, states.get(pool.uid), {}, facts[pool.uid], now)
            waits = held[pool.uid]
            queued = replace(
                entry.signals,
                seconds=1.0,
                queued=Known(waits.requests, 0.0),
                queued_tokens=Known(waits.size / BYTES_PER_TOKEN, 0.0),
            )
            entries.append(replace(entry, signals=queued))
        at = now.timestamp()
        decisions = decide_many(
            [e.policy for e in entries], [e.signals for e in entries], [e.state for e in entries], [at] * len(entries)
        )
        _act(entries, decisions, now)
        return len(entries)


def _act(entries: Sequence[Entry], decisions: Sequence[Decision], now: datetime) -> None:
    record_starts(
        {
            entry.pool.uid: took
            for entry in entries
            if (took := {seen.name: seen.startups for seen in entry.signals.variants if seen.startups})
        }
    )
    decided = list(zip(entries, decisions, strict=True))
    outcomes = services.write_targets(
        [(e.pool, decision) for e, decision in decided if e.mode == "active" and decision.targets != decision.before]
    )
    published = "Published; the scaler that it is handed over to acts on it."
    outcomes |= {entry.pool.uid: published for entry in entries if entry.mode == "external"}
    services.record(entries, decisions, outcomes, now)


def _entries(now: datetime, shard: int, shards: int) -> list[Entry]:
    pools = list(
        Pool.objects.living()
        .filter(Q(spec__autoscaling__mode__in=_MODES) | Q(**HANDED_OVER), uid__range=bounds(shard, shards))
        .prefetch_related("targets")
        .order_by("uid")
    )
    if not pools:
        return []
    states = {row.pool: row for row in PoolState.objects.filter(pool__in=[pool.uid for pool in pools])}
    rows = _new_signals(pools, states, now)
    due = []
    for pool in pools:
        state = states.get(pool.uid)
        fresh = _fresh(rows.get(pool.uid, {}), state)
        silent = state is None or (now - state.at).total_seconds() >= _SILENCE
        if fresh or silent:
            due.append((pool, state, fresh))
    facts = facts_of([pool for pool, _, _ in due], rows)
    earlier = seasons.earlier([pool.uid for pool, _, _ in due], now)
    entries = [_entry(pool, state, fresh, facts[pool.uid], now) for pool, state, fresh in due]
    return [_with_season(entry, earlier.get(entry.pool.uid), now) for entry in entries]


def _new_signals(
    pools: Sequence[Pool], states: Mapping[UUID, PoolState], now: datetime
) -> dict[UUID, dict[str, list[Row]]]:
    """Signals of pools by variant since each one's last decision. Nearly all pools were decided a tick ago: the whole
    look-back, six times as many rows, is read of the others only."""
    ages = {uid: (now - state.row_at).total_seconds() for uid, state in states.items() if state.row_at is not None}
    lately = {uid: age for uid, age in ages.items() if age <= _LATELY}
    found = recent(list(lately), seconds=max(lately.values())) if lately else {}
    others = [pool.uid for pool in pools if pool.uid not in lately]
    return found | recent(others, seconds=_LOOK_BACK) if others else found


def _with_season(entry: Entry, earlier: Earlier | None, now: datetime) -> Entry:
    if earlier is None:
        return entry
    expected = expected_at(earlier, now.timestamp() + horizon_of(entry.policy, entry.state))
    season = Known(expected, 0.0) if expected is not None else Unknown("The pool has no history of this time of day.")
    return replace(entry, signals=replace(entry.signals, season=season))


def _fresh(rows: Mapping[str, Sequence[Row]], state: PoolState | None) -> dict[str, list[Row]]:
    since = state.row_at.timestamp() if state is not None and state.row_at is not None else None
    fresh = {
        variant: [row for row in found if since is None or row.at > since + 1e-3]
        for variant, found in rows.items()
        if not variant.startswith("role:")
    }
    if since is None:
        # of the time before the first look only the newest tick counts
        fresh = {variant: found[-1:] for variant, found in fresh.items()}
    return {variant: found for variant, found in fresh.items() if found}


def _entry(
    pool: Pool,
    before: PoolState | None,
    rows: Mapping[str, Sequence[Row]],
    facts: tuple[PoolSpec, Facts],
    now: datetime,
) -> Entry:
    spec, known = facts
    at = now.timestamp()
    targets = {target.variant: target for target in pool.targets.all()}
    desired = {v.name: effective_replicas(v, targets.get(v.name)) for v in spec.variants}
    if spec.autoscaling.mode == "external":
        # what stands is what the other scaler has written; the offload loop's trial stands beside it
        desired |= {
            row["name"]: row["desired"] - row.get("onTrial", 0)
            for row in pool.status.get("variants") or []
            if row["name"] in desired
        }
    starting = dict(before.starting) if before is not None else {}
    ready = dict(before.ready) if before is not None else {}
    pending: dict[str, list[Pending]] = {}
    startups: dict[str, tuple[float, ...]] = {}
    for name, count in desired.items():
        newest = rows[name][-1] if rows.get(name) else None
        if newest is not None and "ready" in newest.replicas:
            is_ready = int(newest.replicas["ready"])
            # what was asked for and has no pod yet starts as well
            begins = max(int(newest.replicas.get("starting", 0)), count - is_ready, 0)
            waiting, took = follow(
                starting.get(name, []), ready_before=ready.get(name), ready=is_ready, starting=begins, now=at
            )
            starting[name], startups[name], ready[name] = list(waiting), took, is_ready
        pending[name] = [Pending(max(0.0, at - since)) for since in starting.get(name, [])]
    tick = INTERVAL
    signals = signals_from(
        rows,
        now=at,
        desired=desired,
        asleep={v.name: asleep_wanted(targets.get(v.name)) for v in spec.variants},
        pending=pending,
        startups=startups,
        rollout=(pool.status or {}).get("observedGeneration", pool.generation) != pool.generation,
        tick=tick,
    )
    newest_at = max((row.at for found in rows.values() for row in found), default=None)
    return Entry(
        pool=pool,
        mode=spec.autoscaling.mode,
        policy=policy_of(spec, known, tick=tick),
        signals=signals,
        state=_state(before),
        before=before,
        row_at=datetime.fromtimestamp(newest_at, UTC) if newest_at is not None else before.row_at if before else None,
        starting={name: starting.get(name, []) for name in desired},
        ready={name: ready[name] for name in desired if name in ready},
    )


def _state(before: PoolState | None) -> State:
    if before is None:
        return State()
    try:
        return from_json(State, before.state)
    except (KeyError, TypeError, ValueError, AttributeError):
        log.warning("the memory of pool %s cannot be read; it starts anew", before.pool)
        return State()


def facts_of(
    pools: Sequence[Pool], rows: Mapping[UUID, Mapping[str, Sequence[Row]]]
) -> dict[UUID, tuple[PoolSpec, Facts]]:
    """In one query each: SLOs, models, clusters."""
    slos = slos_of_pools([(pool.team, pool.name) for pool in pools])
    clusters = Cluster.objects.in_bulk({pool.cluster_uid for pool in pools if pool.cluster_uid is not None})
    models = _models(pools)
    found = {}
    for pool in pools:
        spec = PoolSpec.from_stored(pool.spec)
        cluster: Any = clusters.get(pool.cluster_uid) if pool.cluster_uid is not None else None
        model = models.get((pool.team, spec.model)) or models.get((SHARED_TEAM, spec.model))
        newest = {name: found_rows[-1] for name, found_rows in rows.get(pool.uid, {}).items() if found_rows}
        found[pool.uid] = (
            spec,
            Facts(
                model=ModelSpec.from_stored(model.spec) if model is not None else None,
                cluster=cluster_spec(cluster) if cluster is not None else None,
                slos=[slo for _, slo in slos.get((pool.team, pool.name), [])],
                kv_tokens={name: _kv_tokens(row) for name, row in newest.items() if _kv_tokens(row)},
                free=_free(cluster, spec),
            ),
        )
    return found


def _models(pools: Sequence[Pool]) -> dict[tuple[str, str], Any]:
    names = {pool.spec["model"] for pool in pools}
    teams = {pool.team for pool in pools} | {SHARED_TEAM}
    model = get("Model").model
    return {(m.team, m.name): m for m in model.objects.living().filter(team__in=teams, name__in=names)}


def _kv_tokens(row: Row) -> float:
    """Of one replica."""
    tokens = row.gauges.get("kv_capacity_tokens", 0.0)
    return tokens / row.scraped if row.scraped else 0.0


def _free(cluster: Any, spec: PoolSpec) -> dict[str, int]:
    """Free accelerators by name, of those whose product the cluster was last seen to have; others are not known."""
    seen = (cluster.status or {}).get("accelerators") if cluster is not None else None
    if seen is None:
        return {}
    known = accelerators()
    free: dict[str, int] = {}
    for name in {variant.accelerator for variant in spec.variants}:
        facts = known.get(name)
        if facts is None or facts.resource is None:
            continue
        product = next(iter(facts.node_selector.values()), None)
        rows = [row for row in seen if row["resource"] == facts.resource and product in (None, row["product"])]
        if rows:
            free[name] = sum(int(row["free"]) for row in rows)
    return free
