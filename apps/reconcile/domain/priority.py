"""How urgent a key of the work queue is."""

from __future__ import annotations

from enum import IntEnum


class Priority(IntEnum):
    """Smaller is more urgent: what a person asked for goes before everything that the loops want."""

    PERSON = 10
    SCALING = 20
    ROLLOUT = 30
    DRIFT = 40
    RESYNC = 50
