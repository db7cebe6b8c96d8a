"""The garbage collector of long-lived processes."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["settle", "undisturbed"]

# what a reconcile makes is freed by its last reference; cycles are few, and looked for 30 times less often than Python
# does of itself, which costs a worker some percent of its time
YOUNG_OBJECTS = 20_000


def settle() -> None:
    """Call it after start: what is there by then is never looked at again, and new objects are looked at seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)


@contextmanager
def undisturbed() -> Iterator[None]:
    """For work that makes very many objects all of which are kept until it ends: to look for cycles among them
    meanwhile finds none, and takes a tenth of the time and more. Other threads' cycles wait as well."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
