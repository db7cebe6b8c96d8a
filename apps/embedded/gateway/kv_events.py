"""Listening to the KV events of the replicas over ZeroMQ, for the precise prefix index.

With pod discovery the picker subscribes to each pod; else it binds a socket that engines publish to. Messages that were
missed (a gap in the sequence numbers) are asked for again where a replay port is known; elsewhere the replica's blocks
are forgotten: an index that knows too little costs a hit, one that knows too much costs a hot spot.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field

import msgspec
import zmq
import zmq.asyncio

from apps.embedded.gateway.domain.kv_events import adapter_of, address_of, apply, events_of
from apps.physics.routing import Endpoint
from apps.physics.routing.plugins.precise import PrecisePrefix

log = logging.getLogger(__name__)

REPLAY_TIMEOUT_S = 2.0
END_OF_REPLAY = b"\xff" * 8
_DECODE = msgspec.msgpack.Decoder().decode


@dataclass
class _Stream:
    """What is known of one replica's events. next: the sequence number that is due. replayed: what comes below it was
    replayed already."""

    endpoint: Endpoint
    next: int | None = None
    replayed: int = 0
    task: asyncio.Task[None] | None = None


@dataclass
class KvEventListener:
    """Feeds the index of one precise prefix plugin. `host`: where a socket is bound that engines publish to."""

    plugin: PrecisePrefix
    host: str = "*"
    batches: int = 0
    gaps: int = 0
    adapters: set[str] = field(default_factory=set)
    """Names of LoRA adapters that blocks were stored for."""

    def __post_init__(self) -> None:
        self._context = zmq.asyncio.Context()
        self._streams: dict[str, _Stream] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen where engines publish to; with pod discovery nothing happens before `follow`."""
        if not self.plugin.events.discover:
            self._task = asyncio.create_task(self._listen_central(), name="kv-events")

    def follow(self, endpoints: tuple[Endpoint, ...]) -> None:
        """These are the replicas now."""
        wanted = {endpoint.key: endpoint for endpoint in endpoints}
        for key in self._streams.keys() - wanted.keys():
            self._drop(key)
        for key, endpoint in wanted.items():
            known = self._streams.get(key)
            if known is not None and known.endpoint.address == endpoint.address:
                continue
            if known is not None:
                self._drop(key)
            stream = self._streams[key] = _Stream(endpoint)
            if self.plugin.events.discover:
                stream.task = asyncio.create_task(self._subscribe(stream), name=f"kv-events:{key}")

    async def close(self) -> None:
        tasks = [stream.task for stream in self._streams.values() if stream.task]
        tasks += [self._task] if self._task else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._context.destroy(linger=0)

    def _drop(self, key: str) -> None:
        stream = self._streams.pop(key)
        if stream.task:
            stream.task.cancel()
        self.plugin.index.forget(key)

    async def _subscribe(self, stream: _Stream) -> None:
        host = stream.endpoint.address.rpartition(":")[0]
        socket = self._context.socket(zmq.SUB)
        try:
            socket.setsockopt(zmq.RECONNECT_IVL_MAX, 2000)
            socket.subscribe(self.plugin.events.topic)
            socket.connect(f"tcp://{host}:{self.plugin.events.port}")
            await self._catch_up(stream, 0, None)
            while True:
                _topic, number, payload = await _message(socket)
                await self._take(stream, number, payload)
        finally:
            socket.close(linger=0)

    async def _listen_central(self) -> None:
        socket = self._context.socket(zmq.SUB)
        address = self.plugin.events.endpoint.replace("*", self.host)
        try:
            socket.subscribe(self.plugin.events.topic)
            socket.bind(address)
            while True:
                topic, number, payload = await _message(socket)
                stream = self._named(address_of(topic))
                if stream is not None:
                    await self._take(stream, number, payload)
        except zmq.ZMQError as error:
            log.error("KV events cannot be listened for at %s: %s", address, error)
        finally:
            socket.close(linger=0)

    def _named(self, address: str) -> _Stream | None:
        for stream in self._streams.values():
            own = stream.endpoint.address
            if address in (own, own.rpartition(":")[0], stream.endpoint.pod, stream.endpoint.pod.partition("/")[2]):
                return stream
        return None

    async def _take(self, stream: _Stream, number: int, payload: bytes) -> None:
        if 0 < number < stream.replayed:
            return
        due = stream.next
        stream.replayed = 0
        if due is not None and number < due:
            # a new engine under the old address counts from 0 again
            self.plugin.index.forget(stream.endpoint.key)
            if number:
                await self._catch_up(stream, 0, number)
        elif due is None and number:
            await self._catch_up(stream, 0, number)
        elif due is not None and number > due:
            self.gaps += 1
            if not await self._catch_up(stream, due, number):
                self.plugin.index.forget(stream.endpoint.key)
        self._apply(stream, payload)
        stream.next = number + 1

    async def _catch_up(self, stream: _Stream, start: int, end: int | None) -> bool:
        """Replay the batches from `start` up to `end` (None: all); False where some of them are gone."""
        port = self.plugin.events.replay_port
        if not port:
            return False
        host = stream.endpoint.address.rpartition(":")[0]
        socket = self._context.socket(zmq.DEALER)
        whole, due = True, start
        try:
            socket.connect(f"tcp://{host}:{port}")
            async with asyncio.timeout(REPLAY_TIMEOUT_S):
                await socket.send_multipart([b"", start.to_bytes(8, "big")])
                while True:
                    frames = await socket.recv_multipart()
                    if len(frames) < 2 or frames[-2] == END_OF_REPLAY:
                        break
                    number = int.from_bytes(frames[-2], "big")
                    if end is not None and number >= end:
                        continue
                    whole = whole and number == due
                    self._apply(stream, frames[-1])
                    due = number + 1
        except (TimeoutError, zmq.ZMQError) as error:
            log.info("KV events of %s were not replayed: %s", stream.endpoint.key, error or "no answer in time")
            return False
        finally:
            socket.close(linger=0)
        if end is None and due > start:
            stream.next = stream.replayed = due
        return whole and end in (None, due)

    def _apply(self, stream: _Stream, payload: bytes) -> None:
        try:
            batch = _DECODE(payload)
        except msgspec.DecodeError as error:
            log.warning("a KV event batch of %s cannot be read: %s", stream.endpoint.key, error)
            return
        self.batches += 1
        for event in events_of(batch):
            if name := adapter_of(event):
                self.adapters.add(name)
            with contextlib.suppress(TypeError, ValueError):
                apply(self.plugin.index, stream.endpoint.key, event)


async def _message(socket: zmq.asyncio.Socket) -> tuple[str, int, bytes]:
    while True:
        frames = await socket.recv_multipart()
        if len(frames) == 3:
            return frames[0].decode(errors="replace"), int.from_bytes(frames[1], "big"), frames[2]
