"""From what the simulated engine says of its blocks to the events that subscribers see."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from apps.embedded.engine import kv_events
from apps.embedded.engine.domain.offload import OffloadSettings
from apps.embedded.engine.kv_events import Event, Publisher
from apps.embedded.engine.sequences import Sequence
from apps.physics import BlockEvent, BlocksCleared, BlocksRemoved, BlocksStored, ChunkStored
from apps.physics.tiers import CPU, STORAGE


class EventFeed:
    """Publishes one batch for each step that has events.

    Blocks are told with their tokens, so the sequences that they came from are kept until the step after their end,
    and longer while chunks of theirs are on the way to a slower tier.
    """

    def __init__(self, publisher: Publisher, block_size: int, offload: OffloadSettings | None = None) -> None:
        self._publisher, self._block_size, self._offload = publisher, block_size, offload
        self._known: dict[str, Sequence] = {}
        self._ended: list[str] = []
        self._chunks: dict[int, tuple[int, ...]] = {}

    def begun(self, sequence: Sequence) -> None:
        self._known[sequence.identity] = sequence

    def ended(self, sequence: Sequence) -> None:
        self._ended.append(sequence.identity)

    def step(self, events: Iterable[BlockEvent], moving: Callable[[str], bool] = lambda identity: False) -> None:
        """A step ended, and this is what happened to blocks since the last one. `moving`: whether chunks of a sequence
        are still on their way."""
        told = [event for happened in events for event in self._told(happened)]
        if told:
            self._publisher.publish(time.time(), told)
        still = [identity for identity in self._ended if moving(identity)]
        for identity in set(self._ended).difference(still):
            self._known.pop(identity, None)
        self._ended = still

    async def close(self) -> None:
        await self._publisher.close()

    def _told(self, event: BlockEvent) -> Iterator[Event]:
        match event:
            case BlocksStored():
                yield self._stored(event)
            case ChunkStored():
                yield from self._chunk(event)
            case BlocksRemoved(hashes, medium) if medium != "GPU":
                yield kv_events.removed(self._hashes_of(hashes), medium)
            case BlocksRemoved(hashes, medium):
                # vLLM tells each evicted block by itself
                for block_hash in hashes:
                    yield kv_events.removed([block_hash], medium)
            case BlocksCleared():
                yield kv_events.cleared()

    def _chunk(self, event: ChunkStored) -> Iterator[Event]:
        offload = self._offload
        assert offload is not None
        if event.medium == STORAGE and not offload.tells_storage:
            return
        where = {"locality": offload.locality} if event.medium == STORAGE and offload.locality else {}
        sequence = self._known.get(event.request_id)
        if not offload.self_describing or sequence is None:
            yield kv_events.stored_unseen(event.key, event.medium, **where)
            return
        hashes = sequence.block_hashes[event.first_block : event.first_block + event.blocks]
        if event.medium == CPU:
            self._chunks[event.key] = hashes
        yield {
            **self._stored(BlocksStored(event.request_id, event.first_block, hashes, event.medium)),
            **where,
            "extra_keys": None,
        }

    def _hashes_of(self, keys: Iterable[int]) -> list[int]:
        """The blocks of removed chunks, where they were told; their keys otherwise."""
        return [block for key in keys for block in self._chunks.pop(key, (key,))]

    def _stored(self, event: BlocksStored) -> Event:
        sequence, size = self._known[event.request_id], self._block_size
        first, count = event.first_block, len(event.hashes)
        adapter = [sequence.lora[1]] if sequence.lora else []
        salt = [sequence.cache_salt] if sequence.cache_salt else []
        return kv_events.stored(
            event.hashes,
            parent=sequence.block_hashes[first - 1] if first else None,
            tokens=sequence.tokens[first * size : (first + count) * size].tolist(),
            block_size=size,
            medium=event.medium,
            lora=sequence.lora,
            # the salt is a key of the first block only: the others have it through their parents
            extra_keys=[adapter + (salt if not block else []) or None for block in range(first, first + count)],
        )
