"""Moves of pools, and how soon they were taken back: what makes the next one more careful."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import anywhere, faded, larger, listed
from apps.autoscaling.domain.draft import Draft
from apps.autoscaling.domain.memory import Memory

__all__ = ["Moves", "note", "observe"]

Floats = NDArray[np.float64]

# seconds over which reversals are forgotten
_FADE = 3600.0


@dataclass(slots=True)
class Moves:
    """Of each pool: replica-seconds a second of its first group in the last minute (`load`); and as they stood before
    this tick its reversals and the highest load since the last move up."""

    load: list[float]
    reversals: list[float]
    up_load: list[float]


def observe(memory: Memory, work: Floats, seconds: Floats) -> Moves:
    """Let reversals fade, and follow the load. work: of a request of each pool's first group; figures of pools."""
    load = memory.figure("near") / larger(memory.figure("weight_near"), 1e-9) * work
    reversals, up_load = memory.figure("reversals"), memory.figure("up_load")
    before = listed(reversals), listed(up_load)
    if anywhere(reversals):
        memory["reversals"] = reversals * faded(seconds, _FADE)
    memory["up_load"] = larger(up_load, load)
    return Moves(listed(load), *before)


def note(pool: Draft, load: float) -> None:
    """What a move teaches."""
    before, after = sum(pool.before), sum(pool.target)
    window = pool.policy.limits.reversal
    up_at, down_at = pool.get("up_at"), pool.get("down_at")
    if after > before:
        if down_at > up_at and pool.now - down_at < window:
            pool.put("reversals", pool.get("reversals") + 1)
        pool.put("up_at", pool.now)
        pool.put("up_load", load)
    elif after < before:
        if up_at > down_at and pool.now - up_at < window:
            pool.put("reversals", pool.get("reversals") + 1)
        pool.put("down_at", pool.now)
    moved = pool.target != pool.before or pool.asleep != pool.asleep_before
    if pool.verb in ("zero", "from-zero", "sleep", "wake") or (pool.verb == "frozen" and not moved):
        return
    pool.verb = "up" if after > before else "down" if after < before else "mix" if moved else "hold"
