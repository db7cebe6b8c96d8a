"""One tick: read what is known of all pools that decide on tiers, decide, write plans."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.autoscaling.domain.record import from_json
from apps.autoscaling.policies import Facts
from apps.autoscaling.selectors import memory_of
from apps.autoscaling.ticking import facts_of
from apps.core import clock
from apps.core.domain.refusals import Refusal
from apps.core.locks import advisory
from apps.offload import services
from apps.offload.bandwidths import Counted, bandwidths_of, counted
from apps.offload.domain.admission import uses_of
from apps.offload.domain.benefit import Measured
from apps.offload.domain.decide import decide
from apps.offload.domain.sentences import typical_length
from apps.offload.domain.sketch import Sketch
from apps.offload.domain.store import Fault, StorePage, fault_of
from apps.offload.domain.types import Configuration, Decision, Placed, Policy, Signals, State
from apps.offload.domain.worth import Worth, worth_of
from apps.offload.engines import Publishers, find_publishers
from apps.offload.models import PoolState, ReuseState
from apps.offload.nodes import find_nodes
from apps.offload.policies import policy_of, serving_variant
from apps.offload.stores import find_stores
from apps.offload.windows import windows_of
from apps.pools.desired import may_stand_instead, tiers_and_replicas
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.tiers.budget import NodeMemory, slept_bytes
from apps.pools.domain.tiers.plan import Stands, TierPlan, plan_of
from apps.pools.models import Pool, Rollout
from apps.pools.selectors import spec_of, tier_plan
from apps.telemetry.domain.signals import Signals as Row
from apps.telemetry.selectors import recent, signals_of

__all__ = ["BLIND_AFTER", "Entry", "entry_of", "run_tick"]

log = logging.getLogger(__name__)

_LOCK = 0x6C616D70_6F66666C
_MODES = ("auto", "advisory")
# as the collector fades
_FADE_SECONDS = 3600.0
# a collector that has not written for so long is not there
BLIND_AFTER = timedelta(seconds=60)
# engines that have told nothing for so long tell nothing
_SILENT_AFTER = 300.0
_ROLLING = ("Progressing", "Paused", "Stopped")
# engines of the roll-out before end what they have begun
_SETTLING = timedelta(minutes=5)
_COUNTS = ("device_hits", "wanted", "requests")


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
    window: float
    counts: dict[str, float]
    baseline: dict[str, Any]
    worth: Worth | None = None
    stands: Stands = "beside"


def run_tick() -> int | None:
    """Decide for all pools whose mode is auto or advisory; how many, None when another tick runs."""
    with advisory(_LOCK) as held:
        if not held:
            return None
        now = clock.now()
        pools = list(Pool.objects.living().filter(spec__offload__mode__in=_MODES).order_by("uid"))
        # whose tiers nobody decides on, and whose volume is watched all the same
        fixed = list(Pool.objects.living().filter(spec__offload__mode="fixed").order_by("uid"))
        fixed = [pool for pool in fixed if _standing(pool).tier("filesystem") is not None]
        services.forget_conditions([*pools, *fixed])
        stores = find_stores([*pools, *fixed]) if pools or fixed else {}
        for pool in fixed:
            store = stores.get(pool.uid)
            plan = _standing(pool)
            tier = plan.tier("filesystem")
            faults = _faults(plan, store, settled=_settled(pool, now))
            worth = _worth_of_fixed(pool, plan, now) if store is not None else None
            services.record_volume(pool, faults, store, tier.claim if tier is not None else None, worth)
        if not pools:
            return 0
        publishers = {one.pool: one for one in find_publishers(pools)}
        nodes = find_nodes(pools)
        entries = []
        for pool in pools:
            _probe(pool)
            entries.append(entry_of(pool, publishers.get(pool.uid), now, stores.get(pool.uid), nodes.get(pool.uid, ())))
        decisions = [decide(e.policy, e.signals, e.state, now.timestamp()) for e in entries]
        outcomes = {e.pool.uid: _act(e, d) for e, d in zip(entries, decisions, strict=True)}
        services.record(entries, decisions, outcomes, now)
        return len(entries)


def _standing(pool: Pool) -> TierPlan:
    """What a pool's engines are to have, by its declaration and what was decided."""
    return plan_of(spec_of(pool).offload, tier_plan(pool))


def _probe(pool: Pool) -> None:
    """A volume that nobody has measured yet is measured."""
    try:
        services.ask_for_probe(pool=pool)
    except Refusal:
        return


def _act(entry: Entry, decision: Decision) -> str:
    if decision.verb == "advise":
        return "Advice only: offload.mode is advisory."
    stands = _stands(entry, decision)
    if (decision.plan, decision.canary) == (entry.signals.standing, entry.signals.canaried) and (
        not decision.canary or stands == entry.stands
    ):
        return ""
    if entry.mode != "auto":
        return "Advice only: offload.mode is advisory."
    try:
        services.write_plan(entry.pool, decision, entry.policy.variant, stands)
    except Refusal as refused:
        return f"Not written: {refused.detail}"
    except Exception:
        log.exception("writing the tier plan of pool %s", entry.pool.uid)
        return "Not written; the worker's log says why."
    return "Plan written."


def _stands(entry: Entry, decision: Decision) -> Stands | None:
    """How a canary is to stand among the others, None: there is to be none. Where an accelerator is free it is started
    beside them, and takes the place of one once it is ready; else it begins there. Kept, it stays one of them."""
    if not decision.canary:
        kept = decision.verb == "keep" and entry.signals.canaried and entry.stands == "instead"
        return "kept" if kept and entry.policy.in_place else None
    if not entry.policy.in_place or decision.state.phase == "leaving":
        return "beside"
    waits = entry.policy.spare if not entry.signals.canaried else entry.stands == "beside"
    return "beside" if waits and decision.state.ready_at is None else "instead"


def entry_of(
    pool: Pool,
    publishers: Publishers | None,
    now: datetime,
    store: StorePage | None = None,
    nodes: Sequence[NodeMemory] = (),
) -> Entry:
    """All that the decision of one pool rests on."""
    before = PoolState.objects.filter(pool=pool.uid).first()
    reuse = ReuseState.objects.filter(pool=pool.uid).first()
    rows = recent([pool.uid], seconds=60.0).get(pool.uid, {})
    spec, facts = facts_of([pool], {pool.uid: rows})[pool.uid]
    since = before.row_at if before is not None and before.row_at is not None else now - timedelta(minutes=15)
    fresh = [row for row in _pool_rows(pool.uid, since, now) if row.at > since.timestamp() + 1e-3]
    window, counts = _fold(before, fresh)
    state = _state(before)
    plan = plan_of(spec.offload, tier_plan(pool))
    policy = _policy(pool, spec, facts, nodes)
    rolling = Rollout.objects.filter(pool_id=pool.uid, state__in=_ROLLING).exists()
    control, canary, baseline = windows_of(pool, publishers, state, plan, before, rolling, now)
    sketches = reuse.sketches if reuse is not None else {}
    events = reuse.window if reuse is not None else 0.0
    ready = len(publishers.ready) if publishers is not None and publishers.ready is not None else 0
    scale = events / window if window > 0 else 0.0
    tiers = counted(pool.uid, now)
    signals = Signals(
        window=events,
        replica=sketches.get("replica", {}).get("") or Sketch().to_json(),
        pool=sketches.get("pool", {}).get("") or Sketch().to_json(),
        device_hits=counts["device_hits"] * scale,
        wanted=counts["wanted"] * scale,
        requests=counts["requests"] * scale,
        replicas=float(max(ready, 1)),
        bandwidths=bandwidths_of(pool, spec, tiers, now),
        standing=configuration_of(plan),
        canaried=plan.tried,
        rolling=rolling,
        short=_short(pool, spec, policy.variant, publishers) if plan.tried else 0.0,
        canary=canary,
        control=control,
        blind=_blind(reuse, publishers, fresh, now),
        one_hit=reuse.one_hit if reuse is not None else None,
        faults=_faults(plan, store, settled=_settled(pool, now)),
        store=store,
        classes=uses_of({name: Sketch.from_json(one) for name, one in sketches.get("pool", {}).items()}),
    )
    newest = fresh[-1].at if fresh else None
    return Entry(
        pool=pool,
        mode=spec.offload.mode,
        policy=policy,
        signals=signals,
        state=state,
        before=before,
        row_at=datetime.fromtimestamp(newest, now.tzinfo) if newest is not None else before.row_at if before else None,
        window=window,
        counts=counts,
        baseline=baseline,
        worth=_worth(policy, plan, tiers, typical_length(Measured.of(signals))) if store is not None else None,
        stands=plan.stands,
    )


def _short(pool: Pool, spec: PoolSpec, variant: str, publishers: Publishers | None) -> float:
    """Replicas of the Deployment beside a canary that do not serve yet."""
    serving = publishers.others if publishers is not None else None
    return float(max(tiers_and_replicas(pool, spec)[1].get(variant, 0) - (serving or {}).get(variant, 0), 0))


def _worth(policy: Policy, plan: TierPlan, tiers: Counted, length: float) -> Worth | None:
    """What engines had from the volume that stands."""
    tier, moved = plan.tier("filesystem"), tiers.moved("filesystem")
    return worth_of(policy, "filesystem", tier.bytes, moved, length) if tier is not None and moved is not None else None


def _worth_of_fixed(pool: Pool, plan: TierPlan, now: datetime) -> Worth | None:
    """Of a pool on which nobody decides, so that nobody measures the length of what comes again."""
    spec, facts = facts_of([pool], {pool.uid: {}})[pool.uid]
    return _worth(_policy(pool, spec, facts, ()), plan, counted(pool.uid, now), typical_length(Measured.none()))


def _settled(pool: Pool, now: datetime) -> bool:
    """Whether no engine of an older roll-out writes any more."""
    rollout = Rollout.objects.filter(pool_id=pool.uid).first()
    if rollout is None:
        return True
    done = rollout.finished_at
    return rollout.state not in _ROLLING and (done is None or now - done > _SETTLING)


def _faults(plan: TierPlan, store: StorePage | None, *, settled: bool) -> dict[str, Fault]:
    """What the owner of the pool's folder found wrong with its volume. One that does not answer tells nothing."""
    tier = plan.tier("filesystem")
    fault = fault_of(store, tier.claim or "", settled=settled) if tier is not None and store is not None else None
    return {"filesystem": fault} if fault is not None else {}


def configuration_of(plan: TierPlan) -> Configuration:
    """What the engines have, as the domain knows it."""
    return (
        Configuration(
            tuple(Placed(t.kind, t.bytes, t.claim, t.ttl_seconds) for t in plan.tiers),
            plan.chunk_tokens,
            plan.prompt_only,
        )
        if plan.tiers
        else Configuration(prompt_only=plan.prompt_only)
    )


def _pool_rows(pool: UUID, since: datetime, now: datetime) -> list[Row]:
    start = max(since, now - timedelta(hours=1))
    return signals_of(pool, start=start, end=now, step=10.0, columns=("counts",))


def _fold(before: PoolState | None, rows: Sequence[Row]) -> tuple[float, dict[str, float]]:
    """Counters as the collector's sketches are kept: faded sums, and the seconds that they stand for."""
    window = before.window if before is not None else 0.0
    counts = {name: float((before.counts if before is not None else {}).get(name, 0.0)) for name in _COUNTS}
    for row in rows:
        found = _counts(row)
        if found is None:
            continue
        keep = 0.5 ** (row.seconds / _FADE_SECONDS)
        window = window * keep + row.seconds
        counts = {name: counts[name] * keep + found[name] for name in _COUNTS}
    return window, counts


def _counts(row: Row) -> dict[str, float] | None:
    """Tokens found on devices and looked up, requests; None where the engines did not tell."""
    counts = row.counts
    wanted = counts.get("prefix_queries", counts.get("prompt_tokens"))
    hits = counts.get("prefix_hits", counts.get("source_device"))
    if wanted is None or hits is None:
        return None
    return {"device_hits": hits, "wanted": wanted, "requests": counts.get("requests", 0.0)}


def _state(before: PoolState | None) -> State:
    if before is None:
        return State()
    try:
        return from_json(State, before.state)
    except (KeyError, TypeError, ValueError, AttributeError):
        log.warning("the offload memory of pool %s cannot be read; it starts anew", before.pool)
        return State()


def _policy(pool: Pool, spec: PoolSpec, facts: Facts, nodes: Sequence[NodeMemory]) -> Policy:
    shape = facts.model.shape if facts.model is not None else None
    return policy_of(
        spec,
        facts,
        learned=memory_of(pool.uid),
        nodes=nodes,
        slept=slept_bytes(spec, serving_variant(spec), shape.parameters if shape is not None else None),
        in_place=may_stand_instead(pool, spec, serving_variant(spec).name),
        pace=settings.OFFLOAD_PACE,
    )


def _blind(reuse: ReuseState | None, publishers: Publishers | None, fresh: Sequence[Row], now: datetime) -> str:
    if publishers is not None and publishers.problem:
        return publishers.problem
    if publishers is not None and publishers.silent and not publishers.endpoints:
        return (
            f"No engine publishes KV events ({publishers.silent[0]} has no --kv-events-config): they come with the "
            "next roll-out of a pool whose offload.mode is auto or advisory."
        )
    if reuse is None or now - reuse.at > BLIND_AFTER:
        age = "never" if reuse is None else f"not for {(now - reuse.at).total_seconds():.0f} s"
        return f"The collector of KV events has {age} written: is `manage.py kvevents` running?"
    heard = [e.get("heard_at") for e in reuse.engines.values()]
    if publishers is not None and publishers.endpoints and not any(heard) and reuse.window > _SILENT_AFTER:
        return "Engines publish KV events, but none has arrived: are their ports (5557, 5558) reachable from here?"
    last = max((at for at in heard if at), default=None)
    computing = any(row.counts.get("source_computed", 0.0) > 0 for row in fresh)
    if last is not None and computing and now.timestamp() - last > _SILENT_AFTER:
        since = datetime.fromtimestamp(last, now.tzinfo)
        return (
            f"Engines compute prompts, but since {since:%H:%M} UTC none of them has told of a block: their KV events "
            "are frozen, or do not get here any more (ports 5557, 5558)."
        )
    return ""
