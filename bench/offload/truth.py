"""What a configuration really does on a trace: every request against exact LRU distances, no sampling, no histogram,
and the service times of an engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.offload.domain.types import Bandwidth, Configuration, Policy
from bench.offload.fleet import Floats, Played
from bench.offload.service import (
    HOST_LATENCY,
    HOST_LOAD,
    STAGING_BYTES,
    VOLUME_LATENCY,
    accepted_share,
    prefill_seconds,
    storing_seconds,
)
from bench.offload.workloads import BLOCK

GIB = 2**30
KV_BYTES = 131_072.0


class Hits:
    """What devices, host memory and volumes of any size have of each prompt of a trace, once for all bandwidths."""

    def __init__(self, played: Played) -> None:
        self.played = played
        self.tokens = played.blocks * BLOCK
        self.on_device = played.own < played.device_tokens
        self.times = np.repeat(played.at, played.blocks.astype(np.int64))
        self.device = self._count(self.on_device)
        self.computing = prefill_seconds(self.device, self.tokens)
        self._found: dict[tuple[int, int, int | None], tuple[Floats, Floats]] = {}
        self._sums: dict[tuple[int, int, int | None, int], Sums] = {}

    def _count(self, there: NDArray[np.bool_]) -> Floats:
        """Tokens up to the first block that is not there."""
        starts, blocks = self.played.starts, self.played.blocks.astype(np.int64)
        missing = np.flatnonzero(~there)
        ends = starts + blocks
        first = np.searchsorted(missing, starts)
        upto = (
            np.where(first < len(missing), missing[np.minimum(first, len(missing) - 1)], len(there))
            if len(missing)
            else ends
        )
        return (np.minimum(upto, ends) - starts).astype(np.float64) * BLOCK

    def of(self, host: int, volume: int, ttl: int | None, since: float = -1.0) -> tuple[Floats, Floats]:
        """Tokens of each prompt that device and host memory (bytes) have, and that the volume (bytes) has as well; of
        what was stored after `since` (seconds into the trace)."""
        key = (host, volume, ttl)
        if since <= 0 and key in self._found:
            return self._found[key]
        played = self.played
        near = self.on_device
        if host:
            near = near | ((played.own < host / KV_BYTES) & ((self.times - played.own_age) >= since))
        of_host = self._count(near)
        of_volume = of_host
        if volume:
            far = (played.shared < volume / KV_BYTES) & ((self.times - played.shared_age) >= since)
            if ttl is not None:
                far &= played.shared_age <= ttl
            of_volume = self._count(near | far)
        if since <= 0:
            self._found[key] = (of_host, of_volume)
        return of_host, of_volume

    def sums(self, configuration: Configuration) -> Sums:
        """Of one pass over the trace."""
        host, volume, ttl = _sizes(configuration)
        key = (host, volume, ttl, configuration.chunk)
        if key not in self._sums:
            self._sums[key] = Sums.of(self.parts(configuration, *self.of(host, volume, ttl)))
        return self._sums[key]

    def parts(self, configuration: Configuration, host: Floats, volume: Floats) -> Parts:
        """Seconds and tokens by request, for hits that may be somebody else's."""
        chunk = float(configuration.chunk)
        host_end = np.maximum(self.device, np.floor(host / chunk) * chunk)
        volume_end = np.maximum(host_end, np.floor(volume / chunk) * chunk)
        return Parts(
            host_saved=prefill_seconds(self.device, host_end),
            host_tokens=host_end - self.device,
            volume_saved=prefill_seconds(host_end, volume_end),
            volume_tokens=volume_end - host_end,
            storing=storing_seconds(self.tokens - volume_end),
        )


@dataclass(frozen=True)
class Parts:
    """By request: seconds of computing that a tier saves, tokens that it loads; seconds that storing takes."""

    host_saved: Floats
    host_tokens: Floats
    volume_saved: Floats
    volume_tokens: Floats
    storing: Floats


@dataclass(frozen=True)
class Sums:
    """Of all requests: `Parts`, and how many load."""

    host_saved: float
    host_tokens: float
    host_loads: float
    volume_saved: float
    volume_tokens: float
    volume_loads: float
    storing: float

    @classmethod
    def of(cls, parts: Parts) -> Sums:
        return cls(
            float(parts.host_saved.sum()),
            float(parts.host_tokens.sum()),
            float((parts.host_tokens > 0).sum()),
            float(parts.volume_saved.sum()),
            float(parts.volume_tokens.sum()),
            float((parts.volume_tokens > 0).sum()),
            float(parts.storing.sum()),
        )


def _sizes(configuration: Configuration) -> tuple[int, int, int | None]:
    tier = next((t for t in configuration.tiers if t.kind == "filesystem"), None)
    return configuration.bytes_of("host"), tier.bytes if tier else 0, tier.ttl if tier else None


class Truth:
    """Seconds of a replica by request, with tiers of these bandwidths. A load counts as long as it takes, as if the
    replica waited for it."""

    def __init__(self, hits: Hits, policy: Policy, bandwidths: dict[str, Bandwidth]) -> None:
        self.found, self.policy, self.bandwidths = hits, policy, bandwidths
        self.played, self.tokens, self.device = hits.played, hits.tokens, hits.device
        host, volume = bandwidths.get("host"), bandwidths.get("filesystem")
        self.host_each = KV_BYTES / (host.load if host is not None else HOST_LOAD)
        self.volume_each = KV_BYTES / volume.load + self.host_each if volume is not None else 0.0
        self.volume_wait = VOLUME_LATENCY + HOST_LATENCY
        self._saved: dict[Configuration, Floats] = {}
        self.kept = {kind: self._kept(b.store) for kind, b in bandwidths.items()}

    def _kept(self, bandwidth: float) -> float:
        written = (self.tokens - self.device) * KV_BYTES
        return accepted_share(self.played.at, self.played.replica, written, bandwidth, STAGING_BYTES)

    @property
    def work(self) -> float:
        """Seconds of all replicas to compute what devices do not hold."""
        return float(self.found.computing.sum())

    def saved(self, configuration: Configuration, since: float = -1.0) -> Floats:
        """Seconds of a replica that each request takes less than without tiers (storing subtracted)."""
        if not configuration.tiers:
            return np.zeros(len(self.tokens))
        # tiers that were there before the trace began do the same in every pass
        if since <= 0 and configuration in self._saved:
            return self._saved[configuration]
        found = self.saved_by(configuration, *self.found.of(*_sizes(configuration), since))
        if since <= 0:
            self._saved[configuration] = found
        return found

    def saved_by(self, configuration: Configuration, host: Floats, volume: Floats) -> Floats:
        """The same for hits that somebody else's eviction gives."""
        parts = self.found.parts(configuration, host, volume)
        near = parts.host_saved - np.where(parts.host_tokens > 0, HOST_LATENCY + parts.host_tokens * self.host_each, 0)
        far = parts.volume_saved - np.where(
            parts.volume_tokens > 0, self.volume_wait + parts.volume_tokens * self.volume_each, 0
        )
        return self.kept.get("host", 1.0) * near + self.kept.get("filesystem", 1.0) * far - parts.storing

    def counted(self, configuration: Configuration, since: float) -> tuple[Floats, Floats, Floats, Floats]:
        """By request, as an engine's counters have it: tokens computed, tokens loaded, seconds of loading, TTFT."""
        host, volume = self.found.of(*_sizes(configuration), since)
        parts = self.found.parts(configuration, host, volume)
        near, far = self.kept.get("host", 1.0), self.kept.get("filesystem", 1.0)
        loaded = near * parts.host_tokens + far * parts.volume_tokens
        loading = near * (parts.host_tokens > 0) * HOST_LATENCY + near * parts.host_tokens * self.host_each
        loading = loading + far * (
            (parts.volume_tokens > 0) * self.volume_wait + parts.volume_tokens * self.volume_each
        )
        took = self.found.computing - self.saved(configuration, since)
        return self.tokens - self.device - loaded, loaded, loading, took

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
        if not configuration.tiers:
            return 0.0
        s = self.found.sums(configuration)
        near = s.host_saved - s.host_loads * HOST_LATENCY - s.host_tokens * self.host_each
        far = s.volume_saved - s.volume_loads * self.volume_wait - s.volume_tokens * self.volume_each
        saved = self.kept.get("host", 1.0) * near + self.kept.get("filesystem", 1.0) * far - s.storing
        return saved - self.rent(configuration) * self.played.seconds
