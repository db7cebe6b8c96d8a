"""The configurations that are looked at: sizes, volumes and shortest prefixes within what may be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from apps.offload.domain.benefit import GIB, Measured, evaluate, evaluate_chunks
from apps.offload.domain.types import Configuration, Option, Placed, Policy, Signals, TierPolicy

__all__ = ["CHUNKS", "best_of", "options", "ttl_of"]

CHUNKS = (256, 1024, 2048, 4096, 8192, 16384, 32768)
_SHARES = (0.125, 0.25, 0.5, 0.75, 1.0)
_VOLUME_SHARES = (0.125, 0.25, 0.5, 0.75, 1.0)
# smaller ones that lose no more than this share of the best one's gain are preferred: the knee of the curve
_KNEE = 0.005
# estimates of two sets of tiers are as far from each other: a tier more has to bring more than that
_FURTHER = 0.05
_LEAST_TTL = 60


def options(policy: Policy, signals: Signals, measured: Measured) -> tuple[Option, ...]:
    """All that can be had with tiers whose bandwidth is known, and nothing at all as the first."""
    hosts: list[Placed | None] = [None, *_sizes(policy, "host", _SHARES, signals, measured)]
    volumes: list[Placed | None] = [None]
    for kind in ("filesystem", "object", "peer"):
        volumes += _sizes(policy, kind, _VOLUME_SHARES, signals, measured)
    nothing = Configuration(prompt_only=policy.prompt_only)
    found = [Option(nothing, evaluate(policy, signals, measured, nothing))]
    chunks = [chunk for chunk in CHUNKS if chunk % policy.block == 0]
    for host in hosts:
        for volume in volumes:
            tiers = tuple(tier for tier in (host, volume) if tier is not None)
            if tiers and chunks:
                placed = Configuration(tiers, prompt_only=policy.prompt_only)
                gains = evaluate_chunks(policy, signals, measured, placed, chunks)
                found += [Option(replace(placed, chunk=chunk), gain) for chunk, gain in zip(chunks, gains, strict=True)]
    return tuple(found)


def best_of(found: Sequence[Option]) -> Option:
    """The one that gains most where computing takes less than it is thought to: what more room loads close to
    break-even is worth nothing for sure. A tier more only where that brings `_FURTHER` of the gain, and more in this
    way, too; among those that gain nearly as much the smallest, fastest, finest one."""
    best = found[0]
    for count in sorted({len(option.configuration.tiers) for option in found} - {0}):
        some = [option for option in found if len(option.configuration.tiers) == count]
        most = max(option.gain.sure for option in some)
        chosen = min((o for o in some if o.gain.sure >= most - _KNEE * abs(most)), key=_size_and_loss)
        if chosen.gain.net > max(best.gain.net, 0.0) * (1 + _FURTHER) and (
            not best.configuration.tiers or chosen.gain.sure > best.gain.sure
        ):
            best = chosen
    return best


def _size_and_loss(option: Option) -> tuple[int, int, float]:
    tiers, chunk = option.configuration.tiers, option.configuration.chunk
    return sum(tier.bytes for tier in tiers), chunk, -option.gain.net


def ttl_of(measured: Measured) -> int | None:
    """Seconds within which nearly all that comes again comes: twice the 95th percentile; None where nothing did."""
    late = measured.pool.time_quantile(0.95)
    return max(_LEAST_TTL, round(2 * late)) if late is not None else None


def _sizes(
    policy: Policy, kind: str, shares: Sequence[float], signals: Signals, measured: Measured
) -> list[Placed | None]:
    tier = next((one for one in policy.tiers if one.kind == kind), None)
    fault = signals.faults.get(kind)
    if tier is None or signals.bandwidths.get(kind) is None or (fault is not None and fault.unusable):
        return []
    held = (measured.replica if kind == "host" else measured.pool).held * policy.kv_bytes
    found: list[Placed | None] = []
    for share in shares:
        size = int(tier.most * share / GIB) * int(GIB) if tier.most >= GIB else int(tier.most * share)
        # what is no larger than the device holds nothing that the device does not
        if size > held:
            found.append(_placed(tier, size, measured))
    return found


def _placed(tier: TierPolicy, size: int, measured: Measured) -> Placed:
    ttl = None
    if tier.kind in ("filesystem", "object"):
        ttl = tier.ttl if tier.ttl is not None else ttl_of(measured)
    return Placed(tier.kind, size, tier.claim, ttl)
