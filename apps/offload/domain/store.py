"""What the owner of a pool's folder on a volume says of it, and what is wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

__all__ = ["EvictorState", "Fault", "FaultReason", "StorePage", "fault_of", "read_page", "told"]

FaultReason: TypeAlias = Literal["VolumeUnreadable", "VolumeCorrupt", "VolumeFull", "FolderShared", "QuotaTooSmall"]
EvictorState: TypeAlias = Literal["keeping", "blind", "behind", "unreadable"]
_LINE = re.compile(r"^lamplight_kv_store_([a-z_]+)(?:\{[^}]*\})? ([0-9.eE+-]+)$", re.MULTILINE)
# a chunk of somebody else's that came so lately says that somebody writes
_FOREIGN_FOR = 120.0
# of a volume, and at least: engines write chunks of some MiB
_LEAST_FREE, _LEAST_FREE_BYTES = 0.01, 256 * 2**20


@dataclass(frozen=True, slots=True)
class StorePage:
    """The evictor's page. Bytes, bytes per second, seconds; None: it does not say. up: it can read the folder.
    least_quota: the smallest quota that it could keep at the growth of late. canary_ok: what it wrote came back as it
    was. foreign_age: since a chunk last came into a folder that no engine of the pool uses. blind: it hears nobody's
    events; watched: the kernel tells it of each chunk; behind: more is held than the quota. reserve: bytes kept free;
    reuse: p95 of the time between uses. removed, removed_bytes, forced (within that time), failures: since it began."""

    up: bool
    used: float | None = None
    files: float | None = None
    quota: float | None = None
    volume: float | None = None
    free: float | None = None
    growth: float | None = None
    least_quota: float | None = None
    full_in: float | None = None
    duplicates: float | None = None
    canary_ok: bool | None = None
    blind: bool | None = None
    foreign_age: float | None = None
    watched: bool | None = None
    behind: bool | None = None
    reserve: float | None = None
    reuse: float | None = None
    removed: float | None = None
    removed_bytes: float | None = None
    forced: float | None = None
    failures: float | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a tier should not be used, or is not what it was meant to be."""

    reason: FaultReason
    sentence: str

    @property
    def unusable(self) -> bool:
        """Whether engines should be without the tier; a full or a small one still gives back what it has."""
        return self.reason in ("VolumeUnreadable", "VolumeCorrupt")


def read_page(text: str) -> StorePage | None:
    """None for a page that is none of the evictor's."""
    found: dict[str, float] = {}
    for name, value in _LINE.findall(text):
        # of a counter all reasons together
        found[name] = found.get(name, 0.0) + float(value) if name.endswith("_total") else float(value)
    if "up" not in found:
        return None

    def told_of(name: str) -> bool | None:
        return found[name] > 0 if name in found else None

    return StorePage(
        up=found["up"] > 0,
        used=found.get("used_bytes"),
        files=found.get("files"),
        quota=found.get("quota_bytes"),
        volume=found.get("volume_bytes"),
        free=found.get("volume_free_bytes"),
        growth=found.get("growth_bytes_per_second"),
        least_quota=found.get("least_quota_bytes"),
        full_in=found.get("full_in_seconds"),
        duplicates=found.get("duplicates"),
        canary_ok=told_of("canary_ok"),
        blind=told_of("blind"),
        foreign_age=found.get("foreign_age_seconds"),
        watched=told_of("watched"),
        behind=told_of("behind"),
        reserve=found.get("reserve_bytes"),
        reuse=found.get("reuse_seconds"),
        removed=found.get("removed_files_total"),
        removed_bytes=found.get("removed_bytes_total"),
        forced=found.get("forced_total"),
        failures=found.get("remove_failures_total"),
    )


def fault_of(page: StorePage, claim: str, *, settled: bool = True) -> Fault | None:
    """The first thing that is wrong with a volume; its sentence carries no number that moves. `settled`: no roll-out
    was under way lately, whose older engines would still write where they always did."""
    if not page.up:
        return Fault(
            "VolumeUnreadable",
            f"The pool's folder on volume {claim} cannot be read: is it still mounted? Engines compute what they "
            "cannot load.",
        )
    if page.canary_ok is False:
        return Fault(
            "VolumeCorrupt",
            f"Volume {claim} does not give back what is written to it (a file is tried once a minute): chunks on it "
            "are not to be trusted.",
        )
    if page.free is not None and page.volume and page.free < _room(page.volume):
        return Fault(
            "VolumeFull",
            f"Volume {claim} is full: nothing new is stored, what is there is still loaded. Lower the tier's bytes or "
            "enlarge the volume.",
        )
    if settled and page.foreign_age is not None and page.foreign_age < _FOREIGN_FOR:
        return Fault(
            "FolderShared",
            f"Somebody writes chunks of other weights or of another engine into the pool's folder on volume {claim}: "
            "engines that are not this pool's were given its directory. Nobody reads the other's chunks, each has a "
            "folder of its own by weights, engine and accelerator, but these take the pool's quota. Give those "
            "engines a directory of their own; what they left goes a quarter of an hour after their last chunk.",
        )
    if page.quota and page.least_quota is not None and page.least_quota > page.quota:
        return Fault(
            "QuotaTooSmall",
            f"Engines write to volume {claim} faster than its quota can be kept: it is written anew before what comes "
            "can be noticed and removed. Raise the tier's bytes, or leave room on the volume beside it.",
        )
    return None


def told(page: StorePage | None, fault: Fault | None, claim: str | None) -> dict[str, Any]:
    """The folder for people, as REST shows it; {} where nobody answers for it."""
    if page is None:
        return {}
    return {
        "claim": claim,
        "readable": page.up,
        "intact": page.canary_ok,
        "usedBytes": page.used,
        "quotaBytes": page.quota,
        "leastQuotaBytes": page.least_quota,
        "chunks": page.files,
        "duplicates": page.duplicates,
        "growthBytesPerSecond": page.growth,
        "fullInSeconds": page.full_in,
        "volumeBytes": page.volume,
        "volumeFreeBytes": page.free,
        "problem": fault.sentence if fault is not None else None,
        "evictor": {
            "state": _state(page),
            "reserveBytes": page.reserve,
            "reuseSeconds": page.reuse,
            "removedChunks": page.removed,
            "removedBytes": page.removed_bytes,
            "forced": page.forced,
            "failures": page.failures,
            "sentence": _of_evictor(page),
        },
    }


def _state(page: StorePage) -> EvictorState:
    if not page.up:
        return "unreadable"
    return "behind" if page.behind else "blind" if page.blind else "keeping"


def _of_evictor(page: StorePage) -> str:
    match _state(page):
        case "unreadable":
            return "Its evictor cannot read the folder, and removes nothing."
        case "behind":
            return "More is held than the quota: engines write faster than chunks can be removed."
        case "blind":
            return "Its evictor hears no engine's KV events: chunks go by their age, the oldest first."
    why = "" if page.watched is not False else " The kernel does not tell it of new chunks here, so it looks for them."
    forced = (
        f", {page.forced:,.0f} of them sooner than they come again, for the quota left no choice" if page.forced else ""
    )
    done = f" {page.removed:,.0f} chunks went since it began{forced}." if page.removed else " Nothing had to go yet."
    return f"Its evictor hears the engines: what was not used for longest goes first.{done}{why}"


def _room(volume: float) -> float:
    """Bytes below which a volume counts as full."""
    return max(_LEAST_FREE * volume, min(_LEAST_FREE_BYTES, 0.05 * volume))
