"""What is kept of one pool while its events come in: batches in their turn, counted and faded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from apps.offload.domain.events import Malformed, read_batch
from apps.offload.domain.feed import Delivery
from apps.offload.domain.reuse import Reuse

if TYPE_CHECKING:
    from apps.offload.engines import Publishers

__all__ = ["FADE_SECONDS", "PoolFeed"]

log = logging.getLogger(__name__)

# what was seen this long ago counts half
FADE_SECONDS = 3600.0


@dataclass
class PoolFeed:
    """What is kept of one pool. window: seconds of events that the sketches stand for."""

    pool: UUID
    reuse: Reuse = field(default_factory=Reuse)
    window: float = 0.0
    settled_at: float | None = None
    sequences: dict[str, int] = field(default_factory=dict)
    malformed: int = 0
    publishers: Publishers | None = None

    def take(self, name: str, delivery: Delivery, now: float, decode: Callable[[bytes], Any]) -> None:
        """One batch of an engine, in its turn."""
        if delivery.restarted:
            self.reuse.restarted(name)
        self.sequences[name] = delivery.sequence
        try:
            batch = read_batch(decode(delivery.payload))
        except (Malformed, msgspec.DecodeError) as error:
            self.malformed += 1
            log.debug("a batch of %s cannot be read: %s", name, error)
            return
        self.reuse.counters.unknown += batch.unknown
        # a clock that runs ahead of ours is not believed
        self.reuse.apply(name, batch.events, min(batch.at, now), counted=not delivery.seen)

    def settle(self, now: float) -> None:
        """Fade, and let time go on; time without any engine that tells counts for nothing."""
        seconds = now - self.settled_at if self.settled_at is not None else 0.0
        self.settled_at = now
        keep = 0.5 ** (seconds / FADE_SECONDS)
        self.reuse.settle(now, keep)
        self.window = (self.window + (seconds if self.reuse.engines else 0.0)) * keep
