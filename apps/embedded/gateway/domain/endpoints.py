"""What the picker knows of a replica when it decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A replica that may serve. `key` is its pod as namespace/name:port, `address` its host:port."""

    key: str
    address: str
    labels: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)


@dataclass(frozen=True, slots=True)
class Load:
    """What a replica's metrics page said last. Unknown is not zero: a replica without a Load scores 0 where its load
    counts."""

    waiting: int
    running: int
    kv_usage: float
    """Share of KV blocks in use, 0 to 1."""
    kv_blocks: int | None = None
    block_size: int | None = None
    """Tokens in an engine's block."""
    awake: bool = True
    """False when the engine says that it sleeps: it would keep a request waiting until somebody wakes it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A replica as the scorers see it for one request."""

    endpoint: Endpoint
    load: Load | None
    inflight_requests: int
    inflight_tokens: int
    matched_blocks: int
    """Blocks of this request's prompt that the prefix index believes to be there, from the start without a gap."""
