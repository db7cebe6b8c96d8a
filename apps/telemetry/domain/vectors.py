"""An answer of Prometheus taken apart without decoding it: what a series is called is said in every tick anew, and is
looked up by its bytes as they came. A thousand pools have a quarter of a million series, each some two hundred bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Memory", "Triple", "triples"]

T = TypeVar("T")
# labels as JSON, time and value as text
Triple = tuple[bytes, bytes, bytes]

_HEAD = b'{"status":"success","data":{"resultType":"vector","result":['
_MARK = b'{"metric":'
_SERIES = re.compile(rb'\{"metric":(\{[^{}]*\}),"value":\[([^,\]"]*),"([^"]*)"\]\}')
_LITTLE = 10_000


def triples(answer: bytes) -> list[Triple] | None:
    """The series of an instant query's answer; None where it does not look as Prometheus writes it, and has to be
    decoded (other spaces, braces in a label, native histograms, an error)."""
    if not answer.startswith(_HEAD):
        return None
    found: list[Triple] = _SERIES.findall(answer)
    return found if len(found) == answer.count(_MARK) else None


class Memory(Generic[T]):
    """What was made of a text the last time; forgets what has not come again."""

    def __init__(self) -> None:
        self._known: dict[bytes, T] = {}

    def recall(self, found: list[Triple], make: Callable[[bytes], T]) -> list[T]:
        """What each text stands for, in their order."""
        known = self._known
        made = []
        for text, _, _ in found:
            thing = known.get(text)
            if thing is None:
                thing = known[text] = make(text)
            made.append(thing)
        if len(known) > 2 * len(found) + _LITTLE:
            self._known = {text: known[text] for text, _, _ in found}
        return made
