"""What a reconcile may come to. A controller returns one of these; the queue does the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.reconcile.domain.priority import Priority


@dataclass(frozen=True)
class Done:
    """The object is as declared. `requeue_after` seconds it is looked at again; None: only when somebody asks."""

    requeue_after: float | None = None
    priority: Priority = Priority.RESYNC


@dataclass(frozen=True)
class Retry:
    """It did not work; try again, backing off.

    `after`: seconds that the other side asked for (Retry-After), instead of our own back-off.
    `shard_fault`: the cluster is at fault, not the object: counts against the shard's circuit breaker.
    """

    reason: str
    after: float | None = None
    shard_fault: bool = False


@dataclass(frozen=True)
class Terminal:
    """Trying again cannot help until a person changes something."""

    reason: str


@dataclass(frozen=True)
class Superseded:
    """The object changed while it was being reconciled: start again at once."""


@dataclass(frozen=True)
class Untouched:
    """Nothing was done about it: somebody else may have it at once."""


Plain = Done | Retry | Terminal | Superseded | Untouched


@dataclass(frozen=True)
class Told:
    """An outcome with what is to be written down of the object (`said`: what its kind's recorder takes).

    Both are written in one transaction. Where the object has moved on meanwhile, the outcome is Superseded.
    """

    outcome: Plain
    said: Any


Outcome = Plain | Told
