"""lora-affinity-scorer: 1.0 where the adapter is active, 0.8 where there is room for one more, 0.6 where it waits to be
loaded, 0 where all places are taken. From `vllm:lora_requests_info`."""

from __future__ import annotations

from collections.abc import Sequence

from apps.physics.routing.plugin import PluginType
from apps.physics.routing.types import Adapters, Candidate, Cycle

ACTIVE, ROOM, WAITING, FULL = 1.0, 0.8, 0.6, 0.0


class LoraAffinity:
    def score(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[float]:
        return [_score(cycle.request.model, each.load.adapters if each.load else None) for each in candidates]


def _score(model: str, adapters: Adapters | None) -> float:
    if adapters is None:
        return FULL
    if model in adapters.running:
        return ACTIVE
    if len(adapters.running) + len(adapters.waiting) < adapters.most:
        return ROOM
    return WAITING if model in adapters.waiting else FULL


PLUGINS = (PluginType("lora-affinity-scorer", "scorer", "The adapter is loaded there", lambda _p, _w: LoraAffinity()),)
