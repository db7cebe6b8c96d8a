"""Which objects the informers watch, and whose reconcile a change asks for. The room that owns them says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Owned:
    """Objects that carry `label` with the uid of an object of `kind`. `resources`: as `Deployment.apps`, `Pod.`"""

    kind: str
    label: str
    resources: tuple[str, ...]


_owned: list[Owned] = []


def register_owned(*, kind: str, label: str, resources: Sequence[str]) -> None:
    """Let the informers watch `resources` with `label`; changes enqueue the object of `kind` that the label names."""
    _owned[:] = [Owned(kind, label, tuple(resources))]


def owned() -> Owned | None:
    return _owned[0] if _owned else None
