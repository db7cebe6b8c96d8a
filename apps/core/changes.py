"""Change records: core says what changed, the audit room writes it down. A mutation that is not recorded fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

Action = Literal["create", "update", "delete-requested", "delete"]


@dataclass(frozen=True, slots=True)
class Change:
    """One mutation: who (opaque id) did what to which object, in which request, and why.

    `before` and `after` are what people declared (metadata and spec as JSON values), None where there is none.
    """

    actor: str
    request_id: str
    action: Action
    kind: str
    uid: UUID
    team: str
    name: str
    generation: int | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    reason: str = ""


Recorder = Callable[[Sequence[Change]], None]
_recorders: list[Recorder] = []


def register_recorder(recorder: Recorder) -> None:
    """Have `recorder` called with the changes of a transaction, inside of it, in their order. Called at start-up."""
    if recorder not in _recorders:
        _recorders.append(recorder)


def record(change: Change) -> None:
    """As `record_all`, of one change."""
    record_all([change])


def record_all(changes: Sequence[Change]) -> None:
    """Write changes down; call it last in the transaction. What the recorder raises undoes everything."""
    if not _recorders:
        raise RuntimeError("no recorder of changes is registered: is apps.audit installed?")
    for recorder in _recorders:
        recorder(changes)
