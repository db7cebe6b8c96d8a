"""What a tier that stands has brought: counted by engines, not estimated from reuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.offload.domain.benefit import GIB, recompute_seconds
from apps.offload.domain.types import Policy

__all__ = ["Moved", "Worth", "worth_of"]


@dataclass(frozen=True, slots=True)
class Moved:
    """What engines took from a tier in `seconds`: bytes, and the seconds that their loads took. queries, hits: chunks
    that they looked for there, and found; None: they do not count them."""

    seconds: float
    loaded: float
    loading: float
    queries: float | None = None
    hits: float | None = None


@dataclass(frozen=True, slots=True)
class Worth:
    """Per hour: tokens loaded, seconds of loading, GPU-seconds saved (loading subtracted), money for storage, and what
    is left of both. hit_rate: of the chunks that were looked for."""

    tokens: float
    loading: float
    gpu_seconds: float
    rent: float
    net: float
    currency: str
    hit_rate: float | None
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """As REST shows it: docs/api/offload.md."""
        return {
            "tokensPerHour": self.tokens,
            "loadSecondsPerHour": self.loading,
            "gpuSecondsPerHour": self.gpu_seconds,
            "rentPerHour": {"amount": self.rent, "currency": self.currency},
            "moneyPerHour": {"amount": self.net, "currency": self.currency},
            "hitRate": self.hit_rate,
            "sentence": self.sentence,
        }


def worth_of(policy: Policy, kind: str, size: int, moved: Moved, length: float) -> Worth | None:
    """Of a tier of `size` bytes; `length`: tokens of the prefixes that come again (what lies deep in a prompt takes
    longer to compute). None where nothing was counted."""
    if moved.seconds <= 0:
        return None
    hours = moved.seconds / 3600.0
    tokens = moved.loaded / policy.kv_bytes / hours
    loading = moved.loading / hours
    computing = tokens * recompute_seconds(policy, length) / length
    saved = computing - policy.wait * loading
    declared = next((tier for tier in policy.tiers if tier.kind == kind), None)
    rent = (declared.gib_hour if declared is not None else 0.0) * size / GIB
    net = saved / 3600.0 * policy.price - rent
    rate = moved.hits / moved.queries if moved.queries and moved.hits is not None else None
    if tokens > 0:
        text = (
            f"Engines load {tokens:,.0f} tokens an hour from it: computing them would take {computing:,.0f} s of a "
            f"replica, loading takes {loading:,.0f} s"
        )
    else:
        text = "Engines have loaded nothing from it"
    each = f"{rent:.2f}" if rent >= 0.005 else "less than 0.01"
    paid = f", and the storage costs {each} {policy.currency}/h" if rent > 0 else ""
    return Worth(tokens, loading, saved, rent, net, policy.currency, rate, f"{text}{paid}.")
