"""kv-cache-utilization-scorer: 1 - usage of the KV cache."""

from __future__ import annotations

from collections.abc import Sequence

from apps.physics.routing.plugin import PluginType
from apps.physics.routing.types import Candidate, Cycle


class KvUsage:
    def score(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[float]:
        return [1 - each.load.kv_usage if each.load else 0.0 for each in candidates]


PLUGINS = (PluginType("kv-cache-utilization-scorer", "scorer", "Most free KV cache", lambda _p, _w: KvUsage()),)
