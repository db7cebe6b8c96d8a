"""Wait for a condition with a deadline, instead of sleeping for a guess."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# a deadline costs nothing where the condition comes true, and a machine of two busy cores may take this long
PATIENCE = 60.0


def wait_until(
    fn: Callable[[], T], timeout: float = PATIENCE, message: str = "the condition holds", step: float = 0.05
) -> T:
    """The first truthy value of `fn`; after `timeout` seconds AssertionError with what came of the last try.

    While things start and go, doors are closed, rows are missing and assertions do not hold yet: such exceptions count
    as not yet, and the last one is told at the deadline. A mistake of the test (a name that there is not, a call that
    cannot be made) is raised at once.
    """
    deadline = time.monotonic() + timeout
    while True:
        cause: Exception | None = None
        try:
            value = fn()
        except Exception as error:
            if is_mistake(error):
                raise
            cause, last = error, f"raised {error!r}"
        else:
            if value:
                return value
            last = f"gave {value!r}"
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {timeout:.0f} s, but not so: {message}. The last try {last}.") from cause
        time.sleep(step)


def is_mistake(error: Exception) -> bool:
    """Whether an exception can only come from how the test is written. What is None for a while is no mistake."""
    if isinstance(error, TypeError | AttributeError):
        return "NoneType" not in str(error)
    return isinstance(error, NameError | ImportError | NotImplementedError)
