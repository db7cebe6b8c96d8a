"""`text/event-stream` (WHATWG HTML, 9.2): what is written for one event of the outbox, and around them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["Changed", "encode", "heartbeat", "opening", "parse_last_id", "reset"]

_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Changed:
    """One line of the outbox: something about an object changed."""

    id: int
    kind: str
    uid: str
    team: str
    name: str
    verb: str
    generation: int | None
    fields: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "uid": self.uid,
            "team": self.team,
            "name": self.name,
            "verb": self.verb,
            "generation": self.generation,
            "fields": list(self.fields),
        }


def opening(position: int, *, retry_ms: int) -> bytes:
    """The first bytes: how long to wait before coming back, and the id to come back with."""
    return f"retry: {retry_ms}\nid: {position}\n: connected\n\n".encode()


def encode(event: Changed) -> bytes:
    return f"id: {event.id}\ndata: {json.dumps(event.to_json(), separators=(',', ':'))}\n\n".encode()


def reset(position: int) -> bytes:
    """What was missed cannot be given: everything that the reader holds may be stale."""
    return f"id: {position}\nevent: reset\ndata: {{}}\n\n".encode()


def heartbeat(position: int) -> bytes:
    """Keeps proxies from closing a quiet stream, and the reader's id from growing too old."""
    return f"id: {position}\n: heartbeat\n\n".encode()


def parse_last_id(text: str | None) -> int | None:
    """A `Last-Event-ID`: a number that this server gave out; -1 for one that it cannot have given; None for none."""
    if text is None or not text.strip():
        return None
    text = text.strip()
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > _LARGEST_ID:
        return -1
    return int(text)
