"""Reads of the room: decisions and their replay, and what the console shows of a pool's tiers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.autoscaling.domain.record import from_json, to_json
from apps.offload.domain.benefit import Measured
from apps.offload.domain.decide import decide
from apps.offload.domain.sketch import Sketch
from apps.offload.domain.types import Policy, Signals, State
from apps.offload.models import OffloadDecision, PoolState, Probe, ReuseState
from apps.pools.models import Pool

__all__ = [
    "Standing",
    "beside_on_volume",
    "decisions",
    "latest",
    "probes_of",
    "replay",
    "reuse_of",
    "sketches_of",
    "standing_of",
    "store_of",
]

_MOST_POOLS = 500


@dataclass(frozen=True)
class Standing:
    """A pool's tiers as they are looked at now: what a decision would rest on, and what was decided last."""

    policy: Policy
    signals: Signals
    state: State
    measured: Measured
    reuse: ReuseState | None


def decisions(pool: UUID, *, verbs: Iterable[str] = ()) -> Any:
    """Newest first, as a queryset without what decisions were made from."""
    rows = OffloadDecision.objects.filter(pool=pool).order_by("-id").defer("policy", "signals", "state")
    wanted = list(verbs)
    return rows.filter(verb__in=wanted) if wanted else rows


def latest(pool: UUID) -> OffloadDecision | None:
    """The newest decision of a pool."""
    found: OffloadDecision | None = decisions(pool).first()
    return found


def replay(row: OffloadDecision) -> dict[str, Any]:
    """The decision made again from what it was made from, as its record."""
    at = float(row.record["at"])
    again = to_json(
        decide(from_json(Policy, row.policy), from_json(Signals, row.signals), from_json(State, row.state), at)
    )
    del again["state"]
    return dict(again)


def reuse_of(pool: UUID) -> ReuseState | None:
    return ReuseState.objects.filter(pool=pool).first()


def sketches_of(reuse: ReuseState | None, scope: str) -> dict[str, Sketch]:
    """By class ("" for all)."""
    found = (reuse.sketches.get(scope) or {}) if reuse is not None else {}
    return {name: Sketch.from_json(data) for name, data in found.items()}


def probes_of(pool: UUID) -> dict[str, Probe]:
    return {probe.kind: probe for probe in Probe.objects.filter(pool=pool)}


def store_of(pool: UUID) -> dict[str, Any] | None:
    """What the owner of the pool's folder on a volume said last; None where nobody answers for it."""
    memory = PoolState.objects.filter(pool=pool).only("store").first()
    return dict(memory.store) if memory is not None and memory.store else None


def beside_on_volume(pool: Pool) -> dict[UUID, tuple[str, str, dict[str, Any]]]:
    """Of pools whose folders lie on the same volume as this one's, itself included: team, name, and what is told of the
    folder."""
    own = store_of(pool.uid)
    if own is None:
        return {}
    names = {pool.uid: (pool.team, pool.name)}
    if pool.cluster_uid is not None:
        near = Pool.objects.living().filter(cluster_uid=pool.cluster_uid, namespace=pool.namespace)
        rows = near.order_by("team", "name").values_list("uid", "team", "name")
        names |= {uid: (team, name) for uid, team, name in rows[:_MOST_POOLS]}
    states = {state.pool: state.store for state in PoolState.objects.filter(pool__in=names, store__claim=own["claim"])}
    return {uid: (*name, dict(states[uid])) for uid, name in names.items() if uid in states}


def standing_of(pool: Pool) -> Standing | None:
    """From the newest decision: what people see is what was decided on. None before the first one."""
    row = OffloadDecision.objects.filter(pool=pool.uid).order_by("-id").first()
    if row is None:
        return None
    memory = PoolState.objects.filter(pool=pool.uid).first()
    signals = from_json(Signals, row.signals)
    return Standing(
        policy=from_json(Policy, row.policy),
        signals=signals,
        state=from_json(State, memory.state if memory is not None else row.state),
        measured=Measured.of(signals),
        reuse=reuse_of(pool.uid),
    )
