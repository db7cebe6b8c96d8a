"""Reads of the room."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from apps.autoscaling.domain.decide import decide
from apps.autoscaling.domain.memory import LAYOUT, POOL, VARIANT
from apps.autoscaling.domain.record import from_json, to_json
from apps.autoscaling.domain.types import Policy, Signals, State
from apps.autoscaling.models import Decision, PoolState
from apps.core.domain.conditions import format_time

__all__ = ["decisions", "last_of", "latest", "memory_of", "replay"]


def decisions(*, pool: UUID | None = None, teams: Iterable[str] | None = None, verbs: Iterable[str] = ()) -> Any:
    """Newest first, as a queryset without what decisions were made from."""
    rows = Decision.objects.order_by("-id").defer("policy", "signals", "state")
    if pool is not None:
        rows = rows.filter(pool=pool)
    if teams is not None:
        rows = rows.filter(team__in=list(teams))
    wanted = list(verbs)
    return rows.filter(verb__in=wanted) if wanted else rows


def latest(pool: UUID) -> Decision | None:
    """The newest decision of a pool."""
    found: Decision | None = decisions(pool=pool).first()
    return found


def last_of(pools: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """What the scaler of each pool decided last, by pool: one query for all."""
    rows = (
        Decision.objects.filter(pool__in=list(pools))
        .order_by("pool", "-id")
        .distinct("pool")
        .values("id", "pool", "first_at", "verb", "sentence", "actuation")
    )
    return {
        row["pool"]: {
            "id": row["id"],
            "at": format_time(row["first_at"]),
            "verb": row["verb"],
            "sentence": row["sentence"],
            "actuation": row["actuation"] or None,
        }
        for row in rows
    }


def replay(row: Decision) -> dict[str, Any] | str:
    """The decision made again from what it was made from, as its record; why it cannot be, where an older Lamplight
    remembered other things."""
    layout = int(row.state.get("layout", 0))
    if row.state.get("pool") and layout != LAYOUT:
        return (
            f"it was made by an older version of Lamplight, which remembered other things (memory layout {layout}; "
            f"this version reads {LAYOUT}): it cannot be made again and compared; what is stored stands"
        )
    at = float(row.record["at"])
    again = to_json(
        decide(from_json(Policy, row.policy), from_json(Signals, row.signals), from_json(State, row.state), at)
    )
    del again["state"]
    return dict(again)


def memory_of(pool: UUID) -> dict[str, Any] | None:
    """What the scaler has learned of a pool, by name; None before its first tick."""
    row = PoolState.objects.filter(pool=pool).first()
    if row is None:
        return None
    state = from_json(State, row.state)
    if len(state.pool) != POOL.size:
        return None
    return {
        "at": row.at,
        "pool": POOL.named(state.pool),
        "variants": {
            name: VARIANT.named(numbers) for name, numbers in state.variants.items() if len(numbers) == VARIANT.size
        },
        "starting": row.starting,
    }
