"""KV cache events as vLLM publishes them over ZeroMQ: one batch for each engine step that changed the cache.

A message has three frames: topic (UTF-8), sequence number (8 bytes, big-endian, from 0), and a msgpack array
`[unix time, [events], data parallel rank]`. Events are maps with the key `type` (vLLM 0.32 and later) or positional
arrays (before). The last `buffer_steps` batches are kept for subscribers that missed some.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec
import zmq
import zmq.asyncio

from apps.embedded.engine.domain.kv_events import Encoding, EventsConfig, binds

log = logging.getLogger(__name__)

END_OF_REPLAY = b"\xff" * 8
# a subscriber that hangs must not hold up the process's end
LINGER_MS = 0
_OLD_FIELDS = {
    "BlockStored": ("block_hashes", "parent_block_hash", "token_ids", "block_size", "lora_id", "medium", "lora_name"),
    "BlockRemoved": ("block_hashes", "medium"),
    "AllBlocksCleared": (),
}
Event = dict[str, Any]


def stored(
    hashes: Sequence[int],
    *,
    parent: int | None,
    tokens: Sequence[int],
    block_size: int,
    medium: str,
    lora: tuple[int, str] | None,
    extra_keys: Sequence[Sequence[str] | None],
) -> Event:
    """BlockStored of consecutive blocks. `lora` is (adapter id, name); `extra_keys` has one entry a block."""
    return {
        "type": "BlockStored",
        "block_hashes": hashes,
        "parent_block_hash": parent,
        "token_ids": tokens,
        "block_size": block_size,
        "lora_id": lora[0] if lora else None,
        "medium": medium,
        "lora_name": lora[1] if lora else None,
        "extra_keys": extra_keys,
        "group_idx": 0,
        "kv_cache_spec_kind": "full_attention",
    }


def stored_unseen(block_hash: int, medium: str, **where: str) -> Event:
    """BlockStored of one block in a slower tier, which says nothing of its tokens unless `self_describing_kv_events`
    is set. `where`: locality and ownership, for tiers that tell."""
    return {
        "type": "BlockStored",
        "block_hashes": [block_hash],
        "parent_block_hash": None,
        "token_ids": [],
        "block_size": 0,
        "lora_id": None,
        "medium": medium,
        "lora_name": None,
        "group_idx": 0,
        **where,
    }


def removed(hashes: Sequence[int], medium: str, **where: str) -> Event:
    """BlockRemoved: these hashes are not in `medium` any more."""
    return {"type": "BlockRemoved", "block_hashes": hashes, "medium": medium, "group_idx": 0, **where}


def cleared() -> Event:
    return {"type": "AllBlocksCleared"}


def encode(at: float, events: Sequence[Event], rank: int, encoding: Encoding) -> bytes:
    """The payload of one batch; `at` in Unix seconds."""
    if encoding == "array":
        listed = [[event["type"], *(event[name] for name in _OLD_FIELDS[event["type"]])] for event in events]
        return msgspec.msgpack.encode([at, listed, rank])
    return msgspec.msgpack.encode([at, events, rank])


class Publisher:
    """Publishes batches and replays them. `host` stands for `*` in endpoints: pods of the embedded cluster share a
    machine, and each has an address of its own. To be made and used in one event loop.

    Raises OSError where an endpoint cannot be taken.
    """

    def __init__(self, config: EventsConfig, *, host: str = "*", encoding: Encoding = "map", rank: int = 0) -> None:
        self.config = config
        self._encoding, self._rank = encoding, rank
        self._topic = config.topic.encode()
        self._sequence = 0
        self._buffer: deque[tuple[int, bytes]] = deque(maxlen=config.buffer_steps)
        self._context = zmq.Context()
        self._publishing = self._context.socket(zmq.PUB)
        self._publishing.set_hwm(config.hwm)
        self._replaying: zmq.asyncio.Socket | None = None
        self._task: asyncio.Task[None] | None = None
        try:
            _open(self._publishing, config.endpoint, host)
            if config.replay_endpoint is not None:
                self._replaying = zmq.asyncio.Context.shadow(self._context).socket(zmq.ROUTER)
                _open(self._replaying, config.replay_endpoint, host, bind=True)
                self._task = asyncio.create_task(self._replay_forever(self._replaying), name="kv-events-replay")
        except zmq.ZMQError as error:
            self._end()
            raise OSError(error.errno, f"KV events: cannot open {config.endpoint}: {error.strerror}") from error

    def publish(self, at: float, events: Sequence[Event]) -> None:
        """Send one batch; never waits. What a slow subscriber cannot take is dropped for it, which it sees by the
        sequence number."""
        payload = encode(at, events, self._rank, self._encoding)
        number, self._sequence = self._sequence, self._sequence + 1
        self._publishing.send_multipart((self._topic, number.to_bytes(8, "big"), payload))
        self._buffer.append((number, payload))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._end()

    def _end(self) -> None:
        # a context waits for ever for a socket that it does not know: those of its shadow are such
        if self._replaying is not None:
            self._replaying.close(LINGER_MS)
        self._context.destroy(LINGER_MS)

    async def _replay_forever(self, socket: zmq.asyncio.Socket) -> None:
        while True:
            frames = await socket.recv_multipart()
            if len(frames) != 3 or len(frames[2]) != 8:
                log.warning("not a request for a replay: %d frames; send an empty one and 8 bytes", len(frames))
                continue
            with contextlib.suppress(zmq.ZMQError):
                await self._replay(socket, frames[0], int.from_bytes(frames[2], "big"))

    async def _replay(self, socket: zmq.asyncio.Socket, client: bytes, start: int) -> None:
        for number, payload in list(self._buffer):
            if number >= start:
                await socket.send_multipart((client, b"", self._topic, number.to_bytes(8, "big"), payload))
        await socket.send_multipart((client, b"", b"", END_OF_REPLAY, b""))


def _open(socket: zmq.Socket[Any], endpoint: str, host: str, *, bind: bool = False) -> None:
    if bind or binds(endpoint):
        socket.bind(endpoint.replace("*", host, 1))
    else:
        socket.connect(endpoint)
