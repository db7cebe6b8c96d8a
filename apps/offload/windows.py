"""What a canary and the others did, or a pool before its tiers were changed and since: to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from apps.offload.domain.types import State, Window
from apps.offload.engines import Publishers
from apps.offload.models import PoolState
from apps.pools.domain.tiers.plan import TierPlan
from apps.pools.models import Pool
from apps.telemetry.selectors import signals_of
from apps.telemetry.services import totals_of

__all__ = ["windows_of"]

_CONTROL_SECONDS = 900.0


def windows_of(
    pool: Pool,
    publishers: Publishers | None,
    state: State,
    plan: TierPlan,
    before: PoolState | None,
    rolling: bool,
    now: datetime,
) -> tuple[Window | None, Window | None, dict[str, Any]]:
    """What the others (or the pool before) and what the canary (or the pool since) did; and the totals to compare
    with."""
    baseline = dict(before.baseline) if before is not None else {}
    if plan.tried:
        ready = dict(publishers.ready or {}) if publishers is not None else {}
        named = publishers.canary if publishers is not None else ()
        if not any(name in ready for name in named):
            return None, None, {}
        totals = {uid: found.reading.counters for uid, found in totals_of(ready.values()).items()}
        held = baseline.get("totals")
        if held and state.warm_at is not None and baseline["at"] < state.warm_at:
            # what was done while the tiers were filling is left out
            held = None
        if not held:
            return None, None, {"at": now.timestamp(), "totals": {uid: _kept(c) for uid, c in totals.items()}}
        seconds = now.timestamp() - baseline["at"]
        with_ = [uid for name, uid in ready.items() if name in named]
        canary = _window([(totals[u], held.get(u, {})) for u in with_ if u in totals], seconds)
        control = _window([(c, held[u]) for u, c in totals.items() if u not in with_ and u in held], seconds)
        return control, canary, baseline
    since = (state.warm_at or state.ready_at) if state.phase == "watching" else None
    start = now - timedelta(seconds=_CONTROL_SECONDS)
    rows = signals_of(pool.uid, start=start, end=now, step=10.0, columns=("counts",))
    sums: dict[str, float] = {}
    for row in rows:
        if since is None or row.at > since:
            for name, value in row.counts.items():
                sums[name] = sums.get(name, 0.0) + value
    window = _window([(sums, {})], sum(row.seconds for row in rows)) if sums else None
    if state.phase == "watching":
        return None, None if rolling else window, {}
    return window, None, {}


_KEPT = (
    "prompt_tokens", "source_computed", "source_device", "source_host", "source_disk", "source_p2p", "source_external",
    "offload_load_seconds", "requests", "ttft_sum", "errors",
)  # fmt: skip


def _kept(counters: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in counters.items() if name in _KEPT or name.startswith("tier_read_seconds:")}


def _window(pairs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]], seconds: float) -> Window | None:
    """Sums of what counters grew by; None without any."""
    if not pairs:
        return None
    grown: dict[str, float] = {}
    for now, before in pairs:
        for name, value in _kept(now).items():
            grown[name] = grown.get(name, 0.0) + max(0.0, value - before.get(name, 0.0))
    loaded = sum(grown.get(name, 0.0) for name in ("source_host", "source_disk", "source_p2p", "source_external"))
    prompt = grown.get("prompt_tokens", 0.0)
    device = grown.get("source_device", 0.0)
    waits = grown.get("offload_load_seconds", 0.0)
    waits += sum(value for name, value in grown.items() if name.startswith("tier_read_seconds:"))
    return Window(
        seconds=seconds,
        prompt=prompt,
        computed=grown.get("source_computed", max(0.0, prompt - device - loaded)),
        device=device,
        loaded=loaded,
        load_seconds=waits,
        requests=grown.get("requests", 0.0),
        ttft_sum=grown.get("ttft_sum", 0.0),
        errors=grown.get("errors", 0.0),
    )
