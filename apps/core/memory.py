"""The garbage collector of long-lived processes."""

from __future__ import annotations

import gc

__all__ = ["settle"]

# what a reconcile makes is freed by its last reference; cycles are few, and looked for 30 times less often than Python
# does of itself, which costs a worker some percent of its time
YOUNG_OBJECTS = 20_000


def settle() -> None:
    """Call it after start: what is there by then is never looked at again, and new objects are looked at seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)
