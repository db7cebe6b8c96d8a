"""How fast a pool's tiers are: counted by its engines, else probed, else (host memory) assumed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from apps.offload.domain.types import Bandwidth
from apps.offload.models import Probe
from apps.pools.domain.spec import PoolSpec
from apps.pools.models import Pool
from apps.telemetry.selectors import signals_of

__all__ = ["bandwidths_of"]

# counters of a tier are believed from so many bytes on
_LEAST_BYTES = 64 * 2**20
# a copy to pinned host memory over PCIe 4 x16, until it is measured
_ASSUMED_HOST = Bandwidth(load=20e9, store=20e9, source="assumed")


def bandwidths_of(pool: Pool, spec: PoolSpec, now: datetime) -> dict[str, Bandwidth]:
    """Of declared tiers: from the engines' counters of the last hour, else from a probe, else (host memory) assumed."""
    rows = signals_of(pool.uid, start=now - timedelta(hours=1), end=now, step=60.0, columns=("counts",))
    sums: dict[str, float] = {}
    newest: dict[str, float] = {}
    for row in rows:
        for name, value in row.counts.items():
            if name.startswith(("offload_", "tier_")) and value > 0:
                sums[name] = sums.get(name, 0.0) + value
                newest[name] = row.at
    probes = {probe.kind: probe for probe in Probe.objects.filter(pool=pool.uid)}
    found: dict[str, Bandwidth] = {}
    for tier in spec.offload.tiers:
        measured = _measured(tier.kind, sums, newest, now.timestamp())
        if measured is not None:
            found[tier.kind] = measured
        elif (probe := probes.get(tier.kind)) is not None and probe.result.get("load"):
            age = (now - (probe.finished_at or probe.asked_at)).total_seconds()
            found[tier.kind] = Bandwidth(
                probe.result["load"], probe.result["store"], probe.result.get("latency", 0.005), "probe", age
            )
        elif tier.kind == "host":
            found[tier.kind] = _ASSUMED_HOST
    return found


def _measured(kind: str, sums: Mapping[str, float], newest: Mapping[str, float], now: float) -> Bandwidth | None:
    if kind == "host":
        names = ("offload_load_bytes", "offload_load_seconds", "offload_store_bytes", "offload_store_seconds")
    else:
        mark = {"filesystem": "fs", "object": "obj", "peer": "p2p"}[kind]
        tier = next((n.split(":", 1)[1] for n in sums if n.startswith("tier_read_bytes:") and n.endswith(mark)), None)
        if tier is None:
            return None
        names = tuple(f"tier_{n}:{tier}" for n in ("read_bytes", "read_seconds", "write_bytes", "write_seconds"))  # type: ignore[assignment]
    loaded, loading, stored, storing = (sums.get(name, 0.0) for name in names)
    if loaded < _LEAST_BYTES or loading <= 0:
        return None
    store = stored / storing if stored >= _LEAST_BYTES and storing > 0 else loaded / loading
    return Bandwidth(loaded / loading, store, source="measured", age=now - newest[names[0]])
