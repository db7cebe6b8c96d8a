"""What a configuration really does on a trace: every request against exact LRU distances, no sampling, no histogram."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from apps.offload.domain.benefit import GIB, STORE_WEIGHT
from apps.offload.domain.types import Bandwidth, Configuration, Policy
from bench.offload.fleet import Floats, Played
from bench.offload.workloads import BLOCK

HOST_STORE = 53.6e9


class Truth:
    """Seconds of a replica by request. A load counts as long as it takes, as if the replica waited for it."""

    def __init__(self, played: Played, policy: Policy, bandwidths: dict[str, Bandwidth]) -> None:
        self.played, self.policy, self.bandwidths = played, policy, bandwidths
        self.tokens = played.blocks * BLOCK
        self.device = self._count(played.own < played.device_tokens) * BLOCK
        self._host: dict[int, Floats] = {}
        self._volume: dict[tuple[int, int, int | None], Floats] = {}
        # of a volume: what is written in time; all replicas write what they compute
        written = float((self.tokens - self.device).sum()) * policy.kv_bytes / played.seconds / played.replicas
        self.kept = {kind: min(1.0, b.store / written) if written > 0 else 1.0 for kind, b in bandwidths.items()}

    def _count(self, hits: NDArray[np.bool_]) -> Floats:
        return np.add.reduceat(hits.astype(np.float64), self.played.starts)

    def compute(self, start: Floats, end: Floats) -> Floats:
        """Seconds to compute the tokens from `start` to `end` of each prompt."""
        tokens = end - start
        return self.policy.token * tokens + self.policy.pair * tokens * (start + tokens / 2)

    @property
    def work(self) -> float:
        """Seconds of all replicas to compute what devices do not hold."""
        return float(self.compute(self.device, self.tokens).sum())

    def hits(self, configuration: Configuration, since: float = -1.0) -> tuple[Floats, Floats]:
        """Tokens of each prompt that device and host memory have, and that the volume has as well; of what was stored
        after `since` (seconds into the trace)."""
        played, kv = self.played, self.policy.kv_bytes
        host_bytes = configuration.bytes_of("host")
        tier = next((t for t in configuration.tiers if t.kind == "filesystem"), None)
        on_device = played.own < played.device_tokens
        times = np.repeat(played.at, played.blocks.astype(np.int64))
        key = host_bytes
        if key not in self._host or since > 0:
            fresh = (times - played.own_age) >= since
            near = on_device | ((played.own < host_bytes / kv) & fresh) if host_bytes else on_device
            host = self._count(near) * BLOCK
            if since <= 0:
                self._host[key] = host
        else:
            host = self._host[key]
        if tier is None:
            return host, host
        wide = (host_bytes, tier.bytes, tier.ttl)
        if wide in self._volume and since <= 0:
            return host, self._volume[wide]
        fresh = (times - played.shared_age) >= since
        far = (played.shared < tier.bytes / kv) & fresh
        if tier.ttl is not None:
            far &= played.shared_age <= tier.ttl
        near = on_device | (played.own < host_bytes / kv) if host_bytes else on_device
        volume = self._count(near | far) * BLOCK
        if since <= 0:
            self._volume[wide] = volume
        return host, volume

    def saved(self, configuration: Configuration, since: float = -1.0) -> Floats:
        """Seconds of a replica that each request takes less than without tiers (storing subtracted)."""
        if not configuration.tiers:
            return np.zeros(len(self.tokens))
        return self.saved_by(configuration, *self.hits(configuration, since))

    def saved_by(self, configuration: Configuration, host: Floats, volume: Floats) -> Floats:
        """The same for hits that somebody else's eviction gives."""
        policy, chunk = self.policy, float(configuration.chunk)
        host_end = np.maximum(self.device, np.floor(host / chunk) * chunk)
        volume_end = np.maximum(host_end, np.floor(volume / chunk) * chunk)
        total = np.zeros(len(self.tokens))
        for kind, start, end in (("host", self.device, host_end), ("filesystem", host_end, volume_end)):
            bandwidth = self.bandwidths.get(kind)
            if bandwidth is None:
                continue
            tokens = end - start
            loading = np.where(tokens > 0, bandwidth.latency + tokens * policy.kv_bytes / bandwidth.load, 0.0)
            total += self.kept[kind] * (self.compute(start, end) - policy.wait * loading)
        return total - STORE_WEIGHT * (self.tokens - self.device) * policy.kv_bytes / HOST_STORE

    def rent(self, configuration: Configuration) -> float:
        """Seconds of a replica per second that memory and storage cost."""
        cost = 0.0
        for tier in configuration.tiers:
            declared = next(t for t in self.policy.tiers if t.kind == tier.kind)
            each = self.played.replicas if tier.kind == "host" else 1
            cost += declared.gib_hour * tier.bytes / GIB * each
        return cost / self.policy.price

    def benefit(self, configuration: Configuration) -> float:
        """Seconds of a replica that one pass over the trace takes less, rent subtracted; restarts are the caller's."""
        return float(self.saved(configuration).sum()) - self.rent(configuration) * self.played.seconds
