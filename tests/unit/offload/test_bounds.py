"""What a collector keeps of an engine is bounded, however many blocks that stores."""

from __future__ import annotations

import gc
import tracemalloc

from apps.offload.domain.events import BlockRemoved, BlockStored, Cleared
from apps.offload.domain.reuse import ALL, Reuse

MOST = 16_384
# as docs/concepts/offload.md states it
STATED = 5e6


def grown(engines: int, blocks: int) -> tuple[float, Reuse]:
    """Bytes that are held after each engine stored so many blocks of its own, and let go of half of them."""
    gc.collect()
    tracemalloc.start()
    try:
        reuse = Reuse(most=MOST)
        for engine in range(engines):
            for begin in range(0, blocks, 500):
                names = [hash((engine, number)) & (2**64 - 1) for number in range(begin, begin + 500)]
                reuse.apply(str(engine), [BlockStored(names, None, 16)], float(begin))
                reuse.apply(str(engine), [BlockRemoved(names[::2])], float(begin) + 1)
        gc.collect()
        return float(tracemalloc.get_traced_memory()[0]), reuse
    finally:
        tracemalloc.stop()


def test_an_engine_takes_no_more_memory_than_is_stated() -> None:
    few, _ = grown(1, 24_000)
    more, reuse = grown(2, 24_000)
    assert more - few < STATED
    assert few < 2.4 * STATED, "the stack of the pool beside the engine's own"
    assert all(len(engine.stack) <= MOST for engine in reuse.engines.values())
    assert len(reuse.shared) <= MOST


def test_a_device_that_was_just_emptied_still_has_room_for_what_it_had() -> None:
    """Or whatever it stored again in the minutes after would look as if a cache a little larger had held it."""
    reuse = Reuse()
    for name in ("a", "b"):
        reuse.apply(name, [BlockStored(list(range(1, 1001)), None, 16)], 1.0)
    reuse.settle(10.0, 1.0)
    assert (reuse.replica[ALL].held, reuse.pool[ALL].held) == (16_000, 16_000), "what both hold counts once"
    reuse.apply("a", [Cleared()], 11.0)
    reuse.apply("a", [BlockStored(list(range(1001, 2001)), None, 16)], 12.0)
    reuse.apply("a", [BlockRemoved(list(range(1001, 1801))), BlockStored(list(range(2001, 2801)), None, 16)], 13.0)
    reuse.restarted("b")
    reuse.apply("a", [Cleared()], 14.0)
    reuse.settle(20.0, 0.9)
    assert reuse.engines["a"].capacity(1.0) == 16_000, "what goes in a step is not held beside what comes in it"
    assert (reuse.replica[ALL].held, reuse.pool[ALL].held) == (16_000, 16_000)
    reuse.left("b")
    reuse.apply("c", [BlockStored([1, 2, 3], None, 16)], 21.0)
    reuse.settle(30.0, 1.0)
    assert reuse.replica[ALL].held == 16_000, "one that has just come has room for as much as the others"
