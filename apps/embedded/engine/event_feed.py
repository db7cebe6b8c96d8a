"""From what the simulated engine says of its blocks to the events that subscribers see."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from apps.embedded.engine import kv_events
from apps.embedded.engine.kv_events import Event, Publisher
from apps.embedded.engine.sequences import Sequence
from apps.physics import BlockEvent, BlocksCleared, BlocksRemoved, BlocksStored


class EventFeed:
    """Publishes one batch for each step that has events.

    Blocks are told with their tokens, so the sequences that they came from are kept until the step after their end.
    """

    def __init__(self, publisher: Publisher, block_size: int) -> None:
        self._publisher, self._block_size = publisher, block_size
        self._known: dict[str, Sequence] = {}
        self._ended: list[str] = []

    def begun(self, sequence: Sequence) -> None:
        self._known[sequence.identity] = sequence

    def ended(self, sequence: Sequence) -> None:
        self._ended.append(sequence.identity)

    def step(self, events: Iterable[BlockEvent]) -> None:
        """A step ended, and this is what happened to blocks since the last one."""
        told = [event for happened in events for event in self._told(happened)]
        if told:
            self._publisher.publish(time.time(), told)
        for identity in self._ended:
            self._known.pop(identity, None)
        self._ended.clear()

    async def close(self) -> None:
        await self._publisher.close()

    def _told(self, event: BlockEvent) -> Iterator[Event]:
        match event:
            case BlocksStored():
                yield self._stored(event)
            case BlocksRemoved(hashes, medium):
                # vLLM tells each evicted block by itself
                for block_hash in hashes:
                    yield kv_events.removed([block_hash], medium)
            case BlocksCleared():
                yield kv_events.cleared()

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
