"""Replicas with devices of their own: who gets which request, what each device tells, and the exact LRU distances."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.offload.domain.events import BlockRemoved, BlockStored, Event
from bench.offload.workloads import BLOCK, Request

Floats = NDArray[np.float64]
_NEVER = 1e18


class Distances:
    """How many distinct blocks were used since a block was: exact, by a Fenwick tree over uses."""

    def __init__(self, uses: int) -> None:
        self.size = uses + 2
        self.tree = [0] * (self.size + 1)
        self.last: dict[int, tuple[int, float]] = {}
        self.clock = self.taken = 0

    def _add(self, position: int, change: int) -> None:
        self.taken += change
        at = position + 1
        while at <= self.size:
            self.tree[at] += change
            at += at & -at

    def of(self, block: int, now: float) -> tuple[float, float]:
        """Distinct blocks in between and seconds ago; never: both huge."""
        found = self.last.get(block)
        if found is None:
            return _NEVER, _NEVER
        at, below = found[0] + 1, 0
        while at:
            below += self.tree[at]
            at &= at - 1
        return float(self.taken - below), now - found[1]

    def use(self, blocks: Sequence[int], now: float) -> None:
        """Of a prompt the end first, so that its beginning is the most recent."""
        for block in reversed(blocks):
            before = self.last.get(block)
            if before is not None:
                self._add(before[0], -1)
            self.last[block] = (self.clock, now)
            self._add(self.clock, 1)
            self.clock += 1


@dataclass(frozen=True)
class Played:
    """One pass over a trace. By request: `at`, `blocks`, `replica`, first access in `starts`; by access: `own` and
    `shared` distance in tokens (before the request), and the seconds since the last use by that replica, and by any.
    `events`: by request (seconds, replica, what its device told)."""

    at: Floats
    blocks: Floats
    replica: NDArray[np.int64]
    starts: NDArray[np.int64]
    own: Floats
    shared: Floats
    own_age: Floats
    shared_age: Floats
    events: list[tuple[float, int, list[Event]]]
    device_tokens: int
    replicas: int
    seconds: float


class _Device:
    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.kept: OrderedDict[int, None] = OrderedDict()

    def prefix(self, blocks: Sequence[int]) -> int:
        held = 0
        while held < len(blocks) and blocks[held] in self.kept:
            held += 1
        return held

    def request(self, blocks: Sequence[int]) -> list[Event]:
        held = self.prefix(blocks)
        for block in blocks[:held]:
            self.kept.move_to_end(block)
        new = [block for block in blocks[held : self.capacity] if block not in self.kept]
        removed = []
        while len(self.kept) + len(new) > self.capacity:
            removed.append(self.kept.popitem(last=False)[0])
        events: list[Event] = []
        if removed:
            events.append(BlockRemoved(removed))
        if new:
            events.append(BlockStored(new, blocks[held - 1] if held else None, BLOCK))
        for block in reversed(blocks[: self.capacity]):
            self.kept[block] = None
            self.kept.move_to_end(block)
        return events


def play(requests: Sequence[Request], *, routing: str, replicas: int, device_tokens: int, seed: int = 1) -> Played:
    """`routing`: random, or prefix (longest prefix on a device, then the least loaded within reason)."""
    devices = [_Device(device_tokens // BLOCK) for _ in range(replicas)]
    uses = sum(len(request.blocks) for request in requests)
    own = [Distances(uses) for _ in range(replicas)]
    shared = Distances(uses)
    choose = _router(routing, devices, random.Random(seed))
    rows: list[tuple[float, float, float, float]] = []
    events, where, starts = [], [], []
    for request in requests:
        replica = choose(request)
        starts.append(len(rows))
        where.append(replica)
        for block in request.blocks:
            near, near_age = own[replica].of(block, request.at)
            far, far_age = shared.of(block, request.at)
            rows.append((near, far, near_age, far_age))
        own[replica].use(request.blocks, request.at)
        shared.use(request.blocks, request.at)
        events.append((request.at, replica, devices[replica].request(request.blocks)))
    table = np.array(rows)
    return Played(
        at=np.array([request.at for request in requests]),
        blocks=np.array([len(request.blocks) for request in requests], dtype=np.float64),
        replica=np.array(where),
        starts=np.array(starts),
        own=table[:, 0] * BLOCK,
        shared=table[:, 1] * BLOCK,
        own_age=table[:, 2],
        shared_age=table[:, 3],
        events=events,
        device_tokens=device_tokens,
        replicas=replicas,
        seconds=requests[-1].at - requests[0].at + 1.0,
    )


def _router(routing: str, devices: list[_Device], draw: random.Random) -> Callable[[Request], int]:
    load = [0.0] * len(devices)
    at = [0.0]

    def choose(request: Request) -> int:
        fade = 0.5 ** ((request.at - at[0]) / 10.0)
        at[0] = request.at
        for index in range(len(load)):
            load[index] *= fade
        if routing == "random":
            replica = draw.randrange(len(devices))
        else:
            # prefix and load weigh as in llm-d's default scorers: 3 to 2
            most = max(max(load), 1.0)
            scores = [
                3 * device.prefix(request.blocks) / len(request.blocks) - 2 * load[index] / most
                for index, device in enumerate(devices)
            ]
            replica = max(range(len(devices)), key=scores.__getitem__)
        load[replica] += len(request.blocks) - devices[replica].prefix(request.blocks)
        return replica

    return choose
