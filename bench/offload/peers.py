"""What others do with the same tiers: vLLM's ARC, and llm-d's PVC evictor.

Ports of the published rules, ours. ARC: Megiddo and Modha (FAST 2003), as `eviction_policy: arc` of vLLM's CPU tier
names it. PVC evictor (llm-d-kv-cache `kv_connectors/pvc_evictor`): at 85 % of the volume files are deleted in the
order of discovery until 70 %, but none that was accessed within the last hour; a full volume takes nothing more.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from bench.offload.fleet import Floats, Played
from bench.offload.workloads import BLOCK, Request

CLEAN_UP, TARGET, HOT_SECONDS = 0.85, 0.70, 3600.0


class Arc:
    """Adaptive replacement cache of `size` blocks."""

    def __init__(self, size: int) -> None:
        self.size, self.wish = size, 0
        self.recent: OrderedDict[int, None] = OrderedDict()
        self.often: OrderedDict[int, None] = OrderedDict()
        self.gone_recent: OrderedDict[int, None] = OrderedDict()
        self.gone_often: OrderedDict[int, None] = OrderedDict()

    def __contains__(self, block: int) -> bool:
        return block in self.recent or block in self.often

    def use(self, block: int) -> None:
        if block in self.recent:
            del self.recent[block]
            self.often[block] = None
        elif block in self.often:
            self.often.move_to_end(block)
        elif block in self.gone_recent:
            more = max(1, len(self.gone_often) // max(len(self.gone_recent), 1))
            self.wish = min(self.size, self.wish + more)
            self._replace(False)
            del self.gone_recent[block]
            self.often[block] = None
        elif block in self.gone_often:
            less = max(1, len(self.gone_recent) // max(len(self.gone_often), 1))
            self.wish = max(0, self.wish - less)
            self._replace(True)
            del self.gone_often[block]
            self.often[block] = None
        else:
            self._make_room()
            self.recent[block] = None

    def _make_room(self) -> None:
        first = len(self.recent) + len(self.gone_recent)
        total = first + len(self.often) + len(self.gone_often)
        if first >= self.size:
            if len(self.recent) < self.size and self.gone_recent:
                self.gone_recent.popitem(last=False)
                self._replace(False)
            else:
                self.recent.popitem(last=False)
        elif total >= self.size:
            if total >= 2 * self.size and self.gone_often:
                self.gone_often.popitem(last=False)
            self._replace(False)

    def _replace(self, from_often: bool) -> None:
        if len(self.recent) + len(self.often) < self.size:
            return
        if self.recent and (len(self.recent) > self.wish or (from_often and len(self.recent) == self.wish)):
            self.gone_recent[self.recent.popitem(last=False)[0]] = None
        elif self.often:
            self.gone_often[self.often.popitem(last=False)[0]] = None
        elif self.recent:
            self.gone_recent[self.recent.popitem(last=False)[0]] = None


def arc_hits(requests: Sequence[Request], played: Played, host_tokens: int) -> Floats:
    """Tokens of each prompt that device and a host tier under ARC have; the second of two passes, with fresh ids."""
    caches = [Arc(max(host_tokens // BLOCK, 1)) for _ in range(played.replicas)]
    on_device = played.own < played.device_tokens
    found = np.zeros(len(requests))
    for again in (1, 2):
        at = 0
        for index, request in enumerate(requests):
            cache, hits, whole = caches[played.replica[index]], 0, True
            for offset, block in enumerate(request.blocks):
                name = block * 2 + again
                whole = whole and (bool(on_device[at + offset]) or name in cache)
                hits += whole
            for block in reversed(request.blocks):
                cache.use(block * 2 + again)
            at += len(request.blocks)
            found[index] = hits * BLOCK
    return found


def pvc_evictor_hits(
    requests: Sequence[Request], played: Played, volume_tokens: int, host: Floats, passes: int
) -> list[Floats]:
    """Tokens of each prompt that device, host and the volume have, by pass (fresh ids in each)."""
    room = max(volume_tokens // BLOCK, 1)
    accessed: dict[int, float] = {}
    found, checked = [], 0.0
    on_device = played.own < played.device_tokens
    for again in range(passes):
        hits_of = np.zeros(len(requests))
        at, base = 0, again * played.seconds
        for index, request in enumerate(requests):
            now = base + request.at
            if now - checked >= 60.0:
                checked = now
                _evict(accessed, room, now)
            hits, whole = 0, True
            for offset, block in enumerate(request.blocks):
                name = block * 64 + again
                there = name in accessed
                whole = whole and (bool(on_device[at + offset]) or there)
                hits += whole
                if there or len(accessed) < room:
                    accessed[name] = now
            at += len(request.blocks)
            hits_of[index] = max(hits * BLOCK, host[index])
        found.append(hits_of)
    return found


def _evict(accessed: dict[int, float], room: int, now: float) -> None:
    if len(accessed) < CLEAN_UP * room:
        return
    cold = [block for block, at in accessed.items() if now - at > HOT_SECONDS]
    # discovery goes through folders named by the hash
    cold.sort(key=lambda block: hashlib.blake2b(block.to_bytes(8, "big"), digest_size=4).digest())
    for block in cold[: max(0, len(accessed) - int(TARGET * room))]:
        del accessed[block]
