"""The tier plan: which tiers a pool's engines are to have, a plain input of rendering beside the declaration."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from apps.pools.domain.tiers.declared import Offload, TierKind

__all__ = ["DEFAULT_CHUNK", "NO_TIERS", "Stands", "Tier", "TierPlan", "fixed_plan", "plan_of"]

DEFAULT_CHUNK = 256
# a canary is one replica more, or takes the place of one; kept: all have its tiers now, and it stays one of them
Stands: TypeAlias = Literal["beside", "instead", "kept"]


@dataclass(frozen=True, slots=True)
class Tier:
    """`bytes`: of host memory per replica, of the others for the pool. The rest as declared; None: has none."""

    kind: TierKind
    bytes: int = 0
    claim: str | None = None
    ttl_seconds: int | None = None
    bucket: str | None = None
    endpoint: str | None = None
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class TierPlan:
    """`tiers` in the order in which they are looked up. `chunk_tokens`: tokens of one offloaded chunk; only whole
    chunks are stored and loaded, so that shorter prefixes are computed. `canary`: the variant of which one
    replica of a Deployment of its own has the tiers, None: all replicas have them, and there is none. `stands`: in what
    relation to the variant's others. `events`: engines publish KV events."""

    tiers: tuple[Tier, ...] = ()
    chunk_tokens: int = DEFAULT_CHUNK
    prompt_only: bool = True
    connector: str = "native"
    canary: str | None = None
    stands: Stands = "beside"
    events: bool = False
    source: str = ""
    reason: str = ""

    @property
    def everywhere(self) -> TierPlan:
        """What replicas other than the canary have."""
        if self.canary is None:
            return self
        return replace(self, tiers=self.tiers if self.stands == "kept" else (), canary=None, stands="beside")

    @property
    def tried(self) -> bool:
        """Whether the canary alone has the tiers."""
        return self.canary is not None and self.stands != "kept"

    def among(self, replicas: int, *, ours: bool) -> TierPlan:
        """What it comes to where the canary's variant has so many replicas in all; `ours`: its Deployment may have one
        fewer. Of one replica none can be given up, and of another's neither: a canary stands beside them then, and one
        that was kept is not needed."""
        if self.canary is None or self.stands == "beside" or (ours and replicas > 1):
            return self
        return self.everywhere if self.stands == "kept" else replace(self, stands="beside")

    def of_deployment(self, variant: str, replicas: int) -> int:
        """Of a variant's replicas those of its own Deployment: all but the one whose place a canary has."""
        return replicas - (1 if self.canary == variant and self.stands != "beside" else 0)

    def tier(self, kind: str) -> Tier | None:
        return next((tier for tier in self.tiers if tier.kind == kind), None)

    def to_json(self) -> dict[str, Any]:
        return {
            "tiers": [
                {
                    "kind": t.kind,
                    "bytes": t.bytes,
                    "claim": t.claim,
                    "ttlSeconds": t.ttl_seconds,
                    "bucket": t.bucket,
                    "endpoint": t.endpoint,
                    "secret": t.secret,
                }
                for t in self.tiers
            ],
            "chunkTokens": self.chunk_tokens,
            "promptOnly": self.prompt_only,
            "connector": self.connector,
            "canary": {"variant": self.canary, "stands": self.stands} if self.canary is not None else None,
            "events": self.events,
            "source": self.source,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TierPlan:
        """Raises KeyError or TypeError for what `to_json` did not write."""
        return cls(
            tiers=tuple(
                Tier(
                    t["kind"],
                    int(t["bytes"]),
                    t.get("claim"),
                    t.get("ttlSeconds"),
                    t.get("bucket"),
                    t.get("endpoint"),
                    t.get("secret"),
                )
                for t in data["tiers"]
            ),
            chunk_tokens=int(data["chunkTokens"]),
            prompt_only=bool(data["promptOnly"]),
            connector=str(data["connector"]),
            canary=data["canary"]["variant"] if data.get("canary") else None,
            stands=data["canary"].get("stands", "beside") if data.get("canary") else "beside",
            events=bool(data.get("events")),
            source=str(data.get("source", "")),
            reason=str(data.get("reason", "")),
        )


NO_TIERS = TierPlan()


def fixed_plan(declared: Offload) -> TierPlan:
    """The plan of mode `fixed`: what is declared, in the order of speed."""
    order = {"host": 0, "peer": 1, "filesystem": 2, "object": 3}
    return TierPlan(
        tiers=tuple(
            Tier(
                tier.kind,
                int(tier.bytes or 0),
                tier.claim,
                math.ceil(tier.ttl.total_seconds()) if tier.ttl is not None else None,
                tier.bucket,
                tier.endpoint,
                tier.secret,
            )
            for tier in sorted(declared.tiers, key=lambda t: order[t.kind])
        ),
        chunk_tokens=max(declared.min_prefix_tokens, 1),
        prompt_only=declared.prompt_only,
        connector=declared.connector,
        source="declaration",
        reason="offload.mode is fixed",
    )


def plan_of(declared: Offload, decided: TierPlan | None) -> TierPlan:
    """What is in force: the declared tiers (fixed), what the offload loop decided (auto), none otherwise. Engines
    publish their KV events while somebody decides or advises."""
    if declared.mode == "fixed":
        return fixed_plan(declared)
    plan = decided if declared.mode == "auto" and decided is not None else NO_TIERS
    events = declared.mode in ("auto", "advisory")
    return plan if plan.events == events else replace(plan, events=events)
