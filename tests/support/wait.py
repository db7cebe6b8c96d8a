"""Wait for a condition with a deadline, instead of sleeping for a guess."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    fn: Callable[[], T], timeout: float = 10.0, message: str = "the condition holds", step: float = 0.05
) -> T:
    """The first truthy value of `fn`. Exceptions of `fn` count as not yet; after `timeout` seconds AssertionError."""
    deadline = time.monotonic() + timeout
    last: BaseException | None = None
    while True:
        try:
            value = fn()
        except Exception as error:
            last = error
        else:
            last = None
            if value:
                return value
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {timeout:.0f} s, but not so: {message}. Last error: {last!r}") from last
        time.sleep(step)
