"""What a pool's engines moved, and how fast its tiers are: counted by its engines, else probed, else (host memory)
assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.offload.domain.types import Bandwidth
from apps.offload.domain.worth import Moved
from apps.offload.models import Probe
from apps.pools.domain.spec import PoolSpec
from apps.pools.models import Pool
from apps.telemetry.selectors import signals_of

__all__ = ["Counted", "bandwidths_of", "counted"]

# counters of a tier are believed from so many bytes on
_LEAST_BYTES = 64 * 2**20
# a copy to pinned host memory over PCIe 4 x16, until it is measured
_ASSUMED_HOST = Bandwidth(load=20e9, store=20e9, source="assumed")


_MARKS = {"filesystem": "fs", "object": "obj", "peer": "p2p"}


@dataclass(frozen=True)
class Counted:
    """Counters of tiers over the last hour. newest: Unix seconds at which each last grew; seconds: since the first row
    that had any."""

    sums: Mapping[str, float]
    newest: Mapping[str, float]
    seconds: float

    def moved(self, kind: str) -> Moved | None:
        """Out of a tier below host memory; None where no engine counts one."""
        tier = _tier(kind, self.sums)
        if tier is None:
            return None
        read = {
            name: self.sums.get(f"tier_{name}:{tier}") for name in ("read_bytes", "read_seconds", "queries", "hits")
        }
        loaded, loading = read["read_bytes"] or 0.0, read["read_seconds"] or 0.0
        return Moved(self.seconds, loaded, loading, read["queries"], read["hits"])


def counted(pool: UUID, now: datetime) -> Counted:
    """What all engines of a pool counted in the last hour."""
    sums: dict[str, float] = {}
    newest: dict[str, float] = {}
    seconds = 0.0
    for row in signals_of(pool, start=now - timedelta(hours=1), end=now, step=60.0, columns=("counts",)):
        for name, value in row.counts.items():
            if name.startswith(("offload_", "tier_")):
                sums[name] = sums.get(name, 0.0) + value
                if value > 0:
                    newest[name] = row.at
        seconds += row.seconds if any(name.startswith("tier_") for name in sums) else 0.0
    return Counted(sums, newest, seconds)


def bandwidths_of(pool: Pool, spec: PoolSpec, found_by: Counted, now: datetime) -> dict[str, Bandwidth]:
    """Of declared tiers: from the engines' counters of the last hour, else from a probe, else (host memory) assumed."""
    sums, newest = found_by.sums, found_by.newest
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
        tier = _tier(kind, sums)
        if tier is None:
            return None
        names = tuple(f"tier_{n}:{tier}" for n in ("read_bytes", "read_seconds", "write_bytes", "write_seconds"))  # type: ignore[assignment]
    loaded, loading, stored, storing = (sums.get(name, 0.0) for name in names)
    if loaded < _LEAST_BYTES or loading <= 0:
        return None
    store = stored / storing if stored >= _LEAST_BYTES and storing > 0 else loaded / loading
    return Bandwidth(loaded / loading, store, source="measured", age=now - newest[names[0]])


def _tier(kind: str, sums: Mapping[str, float]) -> str | None:
    """As engines name a tier of this kind: a number may stand before its type."""
    names = (name.split(":", 1)[1] for name in sums if name.startswith("tier_read_bytes:"))
    return next((name for name in names if name.endswith(_MARKS[kind])), None)
