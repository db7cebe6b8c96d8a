"""KV tiers below the accelerator: host memory, and a store behind it, as vLLM's OffloadingConnector keeps them.

What it does (vLLM 0.32, `kv_offload`): whole chunks of blocks are copied to host memory as soon as they are computed,
and from there to the store, whether or not they will be evicted; host memory forgets the least recently used chunk that
no transfer holds. A prompt's chunks behind its device hit are looked up in order, up to the first miss. What the store
has is first promoted to host memory, which defers the request; then everything is loaded, and the request starts.

How long it takes: each direction is one pipe, transfers follow each other at its bandwidth. What a tier takes of the
engine's own time is in `toll`: the connector's work on the CPU for each prompt, whether anything is found or not, and a
part of storing what is computed. A decode step beside a saturated link lasts 1-5 % longer: that is not modelled.
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Literal, NamedTuple

from apps.physics.data import read
from apps.physics.stores import ChunkStore
from apps.physics.types import BlockEvent, BlocksRemoved, ChunkStored, Source

CPU = "CPU"
STORAGE = "STORAGE"
Direction = Literal["load", "store", "read", "write"]
"""Host to device, device to host, store to host (promotion), host to store (cascade)."""


@dataclass(frozen=True, slots=True)
class StorageLink:
    """The way between host memory and a store: bytes/s in both directions, seconds before the first byte is read."""

    read_bandwidth: float
    write_bandwidth: float
    latency: float = 0.0


@dataclass(frozen=True, slots=True)
class OffloadConfig:
    """The tiers of one engine.

    chunk_blocks: blocks that are moved together. host_chunks: chunks that host memory holds. block_bytes: KV of one
    block, all ranks together. load_bandwidth, store_bandwidth: bytes/s between host and device, all ranks together.
    latency: seconds that a load takes beyond its bytes. prompt_only: generated tokens stay on the device.
    handling: seconds of the engine for each prompt that begins; storing: for each byte of its KV that is computed, of
    no more than its first stored_most tokens.
    """

    chunk_blocks: int
    host_chunks: int
    block_bytes: int
    load_bandwidth: float
    store_bandwidth: float
    latency: float = 0.0
    prompt_only: bool = True
    storage: StorageLink | None = None
    handling: float = 0.0
    storing: float = 0.0
    stored_most: int = 8192

    @property
    def chunk_bytes(self) -> int:
        return self.chunk_blocks * self.block_bytes


def host_link(accelerator: str, ranks: int = 1) -> tuple[float, float, float]:
    """(load bytes/s, store bytes/s, latency in seconds) between host memory and `ranks` accelerators, each with a link
    of its own. An accelerator that is not in the data counts as the measured one."""
    data = read("tiers.json")
    scale = data["links"].get(accelerator, 1.0) * ranks
    return data["host"]["load"] * scale, data["host"]["store"] * scale, data["host"]["latency"]


def host_toll() -> tuple[float, float, int]:
    """(seconds for each prompt, seconds for each byte stored, of at most so many tokens of a prompt), as measured."""
    data = read("tiers.json")["host"]
    return data["handling"], data["storing"], data["storedMost"]


def filesystem_link() -> StorageLink:
    """The filesystem that was measured."""
    data = read("tiers.json")["filesystem"]
    return StorageLink(data["read"], data["write"], data["latency"])


def remote_seconds(size: float) -> float:
    """Seconds that KV of `size` bytes takes from one engine's accelerator to another's over the measured fabric."""
    data = read("tiers.json")["remote"]
    return float(data["latency"] + size / data["bandwidth"])


class Transfer(NamedTuple):
    """One finished copy; `seconds` without waiting for its turn."""

    direction: Direction
    bytes: int
    seconds: float


@dataclass(slots=True)
class Activity:
    """What the tiers did since it was last taken.

    queries, hits: chunks looked up and found by tier number (0 host, 1 store), each chunk of a request once.
    lookups: prompts that were looked up. allocations: chunks asked for by each store. deferred_seconds: how long
    prompts waited for a lookup to be answered. failed_*: jobs that brought nothing; refused_*: for want of room in host
    memory.
    """

    transfers: list[Transfer] = field(default_factory=list)
    lookups: int = 0
    queries: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})
    hits: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})
    allocations: list[int] = field(default_factory=list)
    deferred_seconds: list[float] = field(default_factory=list)
    failed_reads: int = 0
    failed_writes: int = 0
    refused_stores: int = 0
    refused_reads: int = 0


class Lookup(NamedTuple):
    """`chunks` can be loaded now; or, with `wait` (a time), ask again then."""

    chunks: int
    wait: float | None = None


class _Chunk:
    """A chunk in host memory: readable from `ready` on, held by transfers until `held`."""

    __slots__ = ("held", "ready")

    def __init__(self, ready: float) -> None:
        self.ready = ready
        self.held = ready


@dataclass(slots=True)
class _Request:
    """What is remembered of a request until it ends: chunks promoted for it, chunks that could not be read, what was
    counted, when it was first deferred, transfers under way."""

    promoted: set[int] = field(default_factory=set)
    unreadable: set[int] = field(default_factory=set)
    counted: set[tuple[int, int]] = field(default_factory=set)
    deferred: float | None = None
    moving: int = 0
    ended: bool = False


@dataclass(order=True, slots=True)
class _Job:
    """A transfer that ends at `at`; `chunks`: (key, first block of the chunk in its request)."""

    at: float
    number: int
    direction: Direction = field(compare=False)
    request_id: str = field(compare=False)
    chunks: tuple[tuple[int, int], ...] = field(compare=False)
    seconds: float = field(compare=False)


class Tiers:
    """The tiers of one engine. Times in seconds on the caller's clock, never decreasing. `events`: report them."""

    def __init__(self, config: OffloadConfig, store: ChunkStore | None = None, *, events: bool = False) -> None:
        if config.host_chunks < 1:
            raise ValueError(
                f"host memory holds no chunk: one takes {config.chunk_bytes:,} bytes; give it more or smaller chunks"
            )
        if (store is None) != (config.storage is None):
            raise ValueError("a store and the way to it are given together")
        self.config = config
        self.activity = Activity()
        self._store = store
        self._host: OrderedDict[int, _Chunk] = OrderedDict()
        self._requests: defaultdict[str, _Request] = defaultdict(_Request)
        self._jobs: list[_Job] = []
        self._numbers = 0
        self._pipes: dict[Direction, float] = dict.fromkeys(("load", "store", "read", "write"), -math.inf)
        self._events: list[BlockEvent] | None = [] if events else None

    @property
    def next_done(self) -> float:
        """When the next transfer ends; infinity when none is under way."""
        return self._jobs[0].at if self._jobs else math.inf

    def toll(self, begun: int, stored: float) -> float:
        """Seconds that tiers take of a step in which so many prompts begin and so many bytes of KV are computed."""
        return begun * self.config.handling + stored * self.config.storing

    @property
    def host_chunks(self) -> int:
        """Chunks in host memory, those that are still on their way included."""
        return len(self._host)

    def held(self, now: float) -> tuple[int, int]:
        """Chunks of host memory that transfers write to and read from now."""
        writing = sum(1 for chunk in self._host.values() if chunk.ready > now)
        return writing, sum(1 for chunk in self._host.values() if chunk.held > now) - writing

    def active(self, direction: Direction) -> int:
        """Transfers under way."""
        return sum(1 for job in self._jobs if job.direction == direction)

    def moved_chunks(self, direction: Direction) -> int:
        """Chunks of the transfers under way."""
        return sum(len(job.chunks) for job in self._jobs if job.direction == direction)

    def moving(self, request_id: str) -> bool:
        """Whether a transfer of this request is under way."""
        request = self._requests.get(request_id)
        return request is not None and request.moving > 0

    def find(self, request_id: str, keys: Sequence[int], start: int, now: float) -> Lookup:
        """How many chunks of `keys` from `start` on can be loaded for a request; what the store has is promoted."""
        request = self._requests[request_id]
        self.activity.lookups += 1
        found, wait = 0, -math.inf
        promoting: list[tuple[int, int]] = []
        protected = set(keys)
        for index in range(start, len(keys)):
            key = keys[index]
            chunk = self._host.get(key)
            self._count(request, 0, key, chunk is not None)
            if chunk is not None:
                wait = max(wait, chunk.ready)
            elif self._promotable(request, key):
                if not self._make_room(1, protected, now):
                    self.activity.refused_reads += 1
                    break
                self._host[key] = _Chunk(math.inf)
                promoting.append((key, index * self.config.chunk_blocks))
            else:
                break
            found += 1
        if promoting:
            wait = max(wait, self._promote(request_id, promoting, now))
        # the common beginnings of prompts stay longest: what comes first is touched last
        for key in reversed(keys):
            if key in self._host:
                self._host.move_to_end(key)
        if found and wait > now:
            request.deferred = now if request.deferred is None else request.deferred
            return Lookup(0, wait)
        if request.deferred is not None:
            self.activity.deferred_seconds.append(now - request.deferred)
            request.deferred = None
        return Lookup(found)

    def load(
        self, request_id: str, keys: Sequence[int], blocks: int, first_block: int, now: float
    ) -> tuple[float, dict[Source, int]]:
        """Copy the last `blocks` blocks of these chunks to the device: when they are there, and blocks by source."""
        config = self.config
        done = self._move("load", request_id, (), blocks * config.block_bytes, now, config.load_bandwidth)
        promoted = self._requests[request_id].promoted
        sources = {Source.HOST: 0, Source.DISK: 0}
        left = blocks
        for key in reversed(keys):
            self._host[key].held = max(self._host[key].held, done)
            share = min(left, config.chunk_blocks)
            left -= share
            sources[Source.DISK if key in promoted else Source.HOST] += share
        return done + config.latency, sources

    def offer(self, request_id: str, keys: Sequence[int], first_chunk: int, now: float) -> None:
        """A request has computed the chunks `keys`, the first of which is its chunk number `first_chunk`: what host
        memory does not hold is stored, all of it or nothing."""
        missing = []
        for index, key in enumerate(keys):
            if key not in self._host:
                missing.append((key, (first_chunk + index) * self.config.chunk_blocks))
        if not missing:
            return
        self.activity.allocations.append(len(missing))
        if not self._make_room(len(missing), set(keys), now):
            self.activity.refused_stores += 1
            return
        size = len(missing) * self.config.chunk_bytes
        done = self._move("store", request_id, tuple(missing), size, now, self.config.store_bandwidth)
        for key, _first in missing:
            self._host[key] = _Chunk(done)

    def ended(self, request_id: str) -> None:
        """The request is over; what is remembered of it goes with its last transfer."""
        request = self._requests.get(request_id)
        if request is not None:
            request.ended = True
            if not request.moving:
                del self._requests[request_id]

    def advance(self, now: float) -> None:
        """End the transfers that are due."""
        while self._jobs and self._jobs[0].at <= now:
            job = heapq.heappop(self._jobs)
            request = self._requests[job.request_id]
            request.moving -= 1
            self._finish(job, request)
            if request.ended and not request.moving:
                del self._requests[job.request_id]

    def forget(self) -> None:
        """Empty host memory (vLLM resets it when it sleeps). The store keeps what it has; transfers under way bring
        nothing."""
        self._host.clear()
        self._jobs.clear()
        self._requests.clear()
        self._pipes = dict.fromkeys(self._pipes, -math.inf)

    def take_activity(self) -> Activity:
        activity, self.activity = self.activity, Activity()
        return activity

    def take_events(self) -> list[BlockEvent]:
        if not self._events:
            return []
        events, self._events = self._events, []
        return events

    def _finish(self, job: _Job, request: _Request) -> None:
        size = len(job.chunks) * self.config.chunk_bytes
        if job.direction == "store":
            self.activity.transfers.append(Transfer("store", size, job.seconds))
            self._tell(job.request_id, job.chunks, CPU)
            if self.config.storage is not None:
                self._cascade(job)
        elif job.direction == "read":
            assert self._store is not None
            store, whole = self._store, self.config.chunk_bytes
            # reading stops at the first chunk that fails
            read = list(takewhile(lambda chunk: store.read(chunk[0], whole), job.chunks))
            lost = {key for key, _first in job.chunks[len(read) :]}
            for key in lost:
                self._host.pop(key, None)
            request.unreadable |= lost
            request.promoted |= {key for key, _first in read}
            self.activity.failed_reads += bool(lost)
            if read:
                self.activity.transfers.append(Transfer("read", len(read) * self.config.chunk_bytes, job.seconds))
                self._tell(job.request_id, read, CPU)
        elif job.direction == "write":
            assert self._store is not None
            written = [each for each in job.chunks if self._store.write(each[0], self.config.chunk_bytes)]
            if len(written) < len(job.chunks):
                self.activity.failed_writes += 1
            else:
                self.activity.transfers.append(Transfer("write", size, job.seconds))
                self._tell(job.request_id, written, STORAGE)

    def _promotable(self, request: _Request, key: int) -> bool:
        if self._store is None:
            return False
        stored = key not in request.unreadable and self._store.holds(key)
        self._count(request, 1, key, stored)
        return stored

    def _cascade(self, job: _Job) -> None:
        assert self.config.storage is not None
        size = len(job.chunks) * self.config.chunk_bytes
        link = self.config.storage
        done = self._move("write", job.request_id, job.chunks, size, job.at, link.write_bandwidth)
        for key, _first in job.chunks:
            chunk = self._host.get(key)
            if chunk is not None:
                chunk.held = max(chunk.held, done)

    def _promote(self, request_id: str, chunks: Sequence[tuple[int, int]], now: float) -> float:
        link = self.config.storage
        assert link is not None
        size = len(chunks) * self.config.chunk_bytes
        done = self._move("read", request_id, tuple(chunks), size, now, link.read_bandwidth, link.latency)
        for key, _first in chunks:
            self._host[key].ready = self._host[key].held = done
        return done

    def _move(
        self,
        direction: Direction,
        request_id: str,
        chunks: tuple[tuple[int, int], ...],
        size: int,
        now: float,
        bandwidth: float,
        latency: float = 0.0,
    ) -> float:
        """Queue a transfer on its pipe; when it is done."""
        seconds = size / bandwidth
        free = max(self._pipes[direction], now) + seconds
        self._pipes[direction] = free
        if direction == "load":
            self.activity.transfers.append(Transfer("load", size, seconds))
            return free
        self._numbers += 1
        self._requests[request_id].moving += 1
        job = _Job(free + latency, self._numbers, direction, request_id, chunks, seconds + latency)
        heapq.heappush(self._jobs, job)
        return job.at

    def _make_room(self, chunks: int, protected: set[int], now: float) -> bool:
        """Evict what is needed for `chunks` more; nothing is evicted when that is not enough."""
        missing = len(self._host) + chunks - self.config.host_chunks
        if missing <= 0:
            return True
        victims = []
        for key, chunk in self._host.items():
            if chunk.held <= now and key not in protected:
                victims.append(key)
                if len(victims) == missing:
                    break
        if len(victims) < missing:
            return False
        for key in victims:
            del self._host[key]
        if self._events is not None:
            self._events.append(BlocksRemoved(tuple(victims), CPU))
        return True

    def _count(self, request: _Request, tier: int, key: int, hit: bool) -> None:
        if (tier, key) not in request.counted:
            request.counted.add((tier, key))
            self.activity.queries[tier] += 1
            self.activity.hits[tier] += hit

    def _tell(self, request_id: str, chunks: Sequence[tuple[int, int]], medium: str) -> None:
        if self._events is not None:
            count = self.config.chunk_blocks
            self._events += [ChunkStored(request_id, first, count, key, medium) for key, first in chunks]
