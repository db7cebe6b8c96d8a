"""Which replicas go first when a variant gets fewer: those whose prefix cache saves least."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["DELETION_COST", "Candidate", "costs"]

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
"""The annotation by which a ReplicaSet chooses among ready pods: the lowest goes first."""


@dataclass(frozen=True)
class Candidate:
    """One ready replica. `saved`: prompt tokens a second that its prefix cache has saved over its life, None where that
    cannot be read; `busy`: requests that run or wait in it."""

    name: str
    saved: float | None
    busy: float = 0.0


def costs(candidates: Iterable[Candidate]) -> dict[str, int]:
    """A deletion cost for each, by its place: the least valuable has 1. What cannot be read may be worth the most."""
    ordered = sorted(candidates, key=lambda c: (c.saved is None, c.saved or 0.0, c.busy, c.name))
    return {candidate.name: place for place, candidate in enumerate(ordered, 1)}
