"""What the KV events of a pool's engines tell of reuse: for caches of each replica's own, and for one of the pool."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TypeAlias

from apps.offload.domain.admission import depth_of
from apps.offload.domain.events import BlockStored, Cleared, Event
from apps.offload.domain.sketch import Sketch
from apps.offload.domain.stack import FULL, Stack, value_of

__all__ = ["ALL", "COUNTERS", "Counters", "Engine", "Reuse"]

ALL = ""
_OTHER = "other"
# index in its event, block, ghosts above it in the replica's own stack and in the pool's (None: not there)
_Found: TypeAlias = tuple[int, int, int | None, int | None]
# index in its event, ghosts above it, seconds since it was stored before
_Hit: TypeAlias = tuple[int, int, float]
_MOST_CLASSES = 24
_MOST_CHAINS = 2048
# each time that the sample is too large, it loses this part
_SHRINK = 0.9


@dataclass(slots=True)
class Counters:
    """What came since the pool was first collected: events, blocks in them, frames lost for good, gaps (filled or not),
    restarts of engines, payloads that could not be read, events of unknown types."""

    events: int = 0
    blocks: int = 0
    dropped: int = 0
    gaps: int = 0
    restarts: int = 0
    malformed: int = 0
    unknown: int = 0


COUNTERS = frozenset(one.name for one in fields(Counters))


@dataclass(slots=True)
class Engine:
    """One engine (one data-parallel rank): what its device holds of the sample, and its own LRU stack.

    chains: last block of a chain of stores that may go on → (tokens stored in it, tokens of it wanted again, whether
    nothing of its prompt was held before it). tiers: blocks that each tier below the device holds, by medium.
    room: tokens that devices of its pool have room for. full, held_full: how often its own let go of something, and
    what it held then in sum, faded: who lets go has no more room, also when it has been emptied since.
    """

    stack: Stack = field(default_factory=Stack)
    block_size: int = 16
    chains: OrderedDict[int, tuple[float, float, bool]] = field(default_factory=OrderedDict)
    tiers: dict[str, int] = field(default_factory=dict)
    stored: int = 0
    room: float = 0.0
    full: float = 0.0
    held_full: float = 0.0

    def tokens(self, rate: float) -> float:
        """What the device holds, by its sample."""
        return len(self.stack.held) * self.block_size / rate

    def capacity(self, rate: float) -> float:
        """Tokens that the device has room for. A mean, for the sample is now a little more of it, now less."""
        return self.held_full / self.full if self.full > 0 else max(self.room, self.tokens(rate))


class Reuse:
    """Of one pool. At most `most` blocks are sampled in the pool's stack and as many in each engine's; a ghost older
    than `oldest` seconds is forgotten.

    `replica` and `pool`: by class ("" for all) the sketch for caches that each replica has, and for one that all share.
    """

    def __init__(self, *, most: int = 16_384, oldest: float = 6 * 3600.0) -> None:
        self.most, self.oldest = most, oldest
        self.threshold = FULL
        self.engines: dict[str, Engine] = {}
        self.shared = Stack()
        self.replica: dict[str, Sketch] = {ALL: Sketch()}
        self.pool: dict[str, Sketch] = {ALL: Sketch()}
        self.counters = Counters()
        # tokens that a device of the pool has room for, for engines that have just come; and of what all devices hold
        # the part that is not held twice
        self.room, self.distinct = 0.0, 1.0

    @property
    def rate(self) -> float:
        """Share of all blocks that are sampled."""
        return self.threshold / FULL

    def apply(self, name: str, events: Sequence[Event], now: float, *, counted: bool = True) -> None:
        """What an engine told of one step at `now` (seconds); with `counted` false it was in the sketches before,
        and only tells what the engine holds.

        What is evicted in a step makes room for what is stored in it, and was less recently used than all of that. So
        all that is stored is looked for as things were before the step, and removals are taken last.
        """
        engine = self.engines.get(name)
        if engine is None:
            engine = self.engines[name] = Engine(room=self.room)
        # what comes again after a restart of ours was counted before it
        self.counters.events += len(events) if counted else 0
        removed: dict[int, None] = {}
        held = engine.tokens(self.rate)
        looked: list[list[_Found]] = []
        for event in events:
            if not isinstance(event, Cleared):
                self.counters.blocks += len(event.hashes) if counted else 0
                if not event.device:
                    continue
                if isinstance(event, BlockStored):
                    looked.append(self._look(engine, event.hashes))
                else:
                    removed.update((block, None) for block in self._sampled(event.hashes))
        found = iter(looked)
        for event in events:
            if isinstance(event, Cleared):
                self._release_all(engine)
                removed.clear()
            elif not event.device:
                change = len(event.hashes) if isinstance(event, BlockStored) else -len(event.hashes)
                engine.tiers[event.medium] = max(0, engine.tiers.get(event.medium, 0) + change)
            elif isinstance(event, BlockStored):
                self._stored(engine, event, next(found), now, removed, counted)
        for block in removed:
            self._release(engine, block)
        if removed:
            # in between both are held, what comes and what goes
            engine.full += 1
            engine.held_full += max(held, engine.tokens(self.rate))
        if len(engine.stack) > self.most or len(self.shared) > self.most:
            self._shrink()

    def restarted(self, name: str) -> None:
        """An engine began anew: its device and host memory are empty."""
        engine = self.engines.get(name)
        if engine is not None:
            self.counters.restarts += 1
            room = engine.capacity(self.rate)
            self._release_all(engine)
            self.engines[name] = Engine(block_size=engine.block_size, room=room)

    def left(self, name: str) -> None:
        """An engine is gone."""
        engine = self.engines.pop(name, None)
        if engine is not None:
            self._release_all(engine)

    def settle(self, now: float, keep: float) -> None:
        """Once a tick: fade what was seen, count what is held, forget what is too old."""
        rate = self.rate
        for sketches in (self.replica, self.pool):
            for sketch in sketches.values():
                sketch.fade(keep)
        self._settle_held(rate, keep)
        for stack in (self.shared, *(engine.stack for engine in self.engines.values())):
            for block in list(stack.ghosts):
                if now - stack.stored_at.get(block, now) <= self.oldest:
                    break
                stack.forget(block)
            # a device keeps few blocks that long: most of these are removals that were lost
            for block in [b for b in stack.held if now - stack.stored_at.get(b, now) > self.oldest]:
                stack.forget(block)
        for name in [n for n, s in self.replica.items() if n != ALL and s.stored < 1.0]:
            del self.replica[name]
            self.pool.pop(name, None)

    def _settle_held(self, rate: float, keep: float) -> None:
        """A device that has just been emptied has room for as much as before: larger caches are larger than that."""
        now = sum(engine.tokens(rate) for engine in self.engines.values())
        room = sum(engine.capacity(rate) for engine in self.engines.values())
        for engine in self.engines.values():
            engine.full, engine.held_full = engine.full * keep, engine.held_full * keep
        if self.engines:
            self.room = room / len(self.engines)
        if now > 0 and now >= room / 2:
            size = max(engine.block_size for engine in self.engines.values())
            self.distinct = min(len(self.shared.held) * size / rate / now, 1.0)
        self.replica[ALL].held = self.room if self.engines else 0.0
        self.pool[ALL].held = room * self.distinct

    def one_hit_share(self, now: float, after: float) -> float | None:
        """Of the blocks of which it is known, the share that did not come again for `after` seconds; the others were
        stored again."""
        times = self.shared.stored_at
        once = again = 0
        for block, stores in self.shared.stores.items():
            again += stores > 1
            once += stores == 1 and now - times[block] >= after
        return once / (once + again) if once + again else None

    # --- events of the device -----------------------------------------------------------------------------------

    def _sampled(self, hashes: Sequence[int]) -> list[int]:
        threshold = self.threshold
        return [block for block in hashes if value_of(block) < threshold]

    def _look(self, engine: Engine, hashes: Sequence[int]) -> list[_Found]:
        threshold, own, shared = self.threshold, engine.stack, self.shared
        return [
            (index, block, own.above(block), shared.above(block))
            for index, block in enumerate(hashes)
            if value_of(block) < threshold
        ]

    def _stored(
        self,
        engine: Engine,
        event: BlockStored,
        found: list[_Found],
        now: float,
        removed: dict[int, None],
        counted: bool,
    ) -> None:
        size = event.block_size or engine.block_size
        engine.block_size = size
        count = len(event.hashes)
        if not count:
            return
        engine.stored += count
        chain = engine.chains.pop(event.parent, None) if event.parent is not None else None
        generated = count == 1 and chain is not None
        before, run, rooted = chain or (0.0, 0.0, event.parent is None)
        weight, tokens = size * FULL / self.threshold, float(count * size)
        local, shared = (
            self._sketches(event.klass, before if chain or event.parent is None else None) if counted else ([], [])
        )
        for sketch in (*local, *shared):
            sketch.stored += tokens
            sketch.sampled += len(found) * weight
            if generated:
                sketch.generated += tokens
        hits: tuple[list[_Hit], list[_Hit]] = ([], [])
        for index, block, own_above, shared_above in found:
            if block in engine.stack.held:
                if block not in removed:
                    # its removal was lost: how far away it had been nobody knows
                    continue
                del removed[block]
                self._release(engine, block)
            seconds = engine.stack.store(block, now), self.shared.store(block, now)
            for which, above in enumerate((own_above, shared_above)):
                if above is not None:
                    hits[which].append((index, above, seconds[which]))
        for sketches, which in ((local, 0), (shared, 1)):
            again = hits[which]
            # what was wanted again ends between the last sampled block that was and the first that was not; what the
            # steps before stored belongs to it
            length = max(run, before + _end_of(found, which, count) * size) if again else run
            for _, above, ago in again:
                distance = (above + 0.5) * weight if above else 0.0
                for sketch in sketches:
                    sketch.note(distance, length, ago, weight, generated, rooted)
            run = length
        if len(engine.chains) >= _MOST_CHAINS:
            engine.chains.popitem(last=False)
        engine.chains[event.hashes[-1]] = (before + tokens, run, rooted)

    def _release(self, engine: Engine, block: int) -> None:
        if block in engine.stack.held:
            engine.stack.release(block)
            self.shared.release(block)

    def _release_all(self, engine: Engine) -> None:
        engine.chains.clear()
        # children before parents, as they would have been evicted
        for block in reversed(list(engine.stack.held)):
            self._release(engine, block)

    def _shrink(self) -> None:
        stacks = (self.shared, *(engine.stack for engine in self.engines.values()))
        while max(len(stack) for stack in stacks) > self.most and self.threshold > 1:
            self.threshold = max(1, int(self.threshold * _SHRINK))
            for stack in stacks:
                for block in [b for b in stack.blocks() if value_of(b) >= self.threshold]:
                    stack.forget(block)

    def _sketches(self, klass: str, depth: float | None) -> tuple[list[Sketch], list[Sketch]]:
        """Of all, of its class, and of the depth in the prompt where that is known (tokens before it)."""
        names = [ALL]
        if klass != ALL:
            names.append(klass if klass in self.replica or len(self.replica) <= _MOST_CLASSES else _OTHER)
        if depth is not None:
            names.append(depth_of(depth))
        return (
            [self.replica.setdefault(name, Sketch()) for name in names],
            [self.pool.setdefault(name, Sketch()) for name in names],
        )


def _end_of(found: Sequence[_Found], which: int, count: int) -> float:
    """How many blocks of an event of `count` were wanted again, told from those that are sampled."""
    last, after = -1, count
    for index, _, *above in found:
        if above[which] is not None:
            last, after = index, count
        elif after == count:
            after = index
    return (last + 1 + after) / 2
