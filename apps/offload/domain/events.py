"""KV events of vLLM as they come over the wire, in either encoding, as records.

A payload is `[ts, [event, …], data_parallel_rank]`. vLLM 0.32 and later write each event as a map with its `type`;
older ones as a positional array whose first item is the type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = ["Batch", "BlockRemoved", "BlockStored", "Cleared", "Event", "Malformed", "read_batch"]

_STORED = ("block_hashes", "parent_block_hash", "token_ids", "block_size", "lora_id", "medium", "lora_name")
_REMOVED = ("block_hashes", "medium")


class Malformed(ValueError):
    """A payload that is none of vLLM's; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class BlockStored:
    """Blocks that follow `parent` (None: they begin a prompt), in order, of `block_size` tokens each (0: not told).
    `klass`: what tells them from others' (adapter, cache salt), "" for plain ones. `device`: in the accelerator's
    memory, else in the tier `medium`."""

    hashes: Sequence[int]
    parent: int | None
    block_size: int
    klass: str = ""
    medium: str = "GPU"

    @property
    def device(self) -> bool:
        return self.medium == "GPU"


@dataclass(frozen=True, slots=True)
class BlockRemoved:
    """Blocks that `medium` holds no more."""

    hashes: Sequence[int]
    medium: str = "GPU"

    @property
    def device(self) -> bool:
        return self.medium == "GPU"


@dataclass(frozen=True, slots=True)
class Cleared:
    """The engine forgot all its blocks."""


Event: TypeAlias = BlockStored | BlockRemoved | Cleared


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step of an engine told. `at`: Unix seconds by the engine's clock. `unknown`: events of no known type."""

    at: float
    events: tuple[Event, ...]
    rank: int = 0
    unknown: int = 0


def read_batch(payload: Any) -> Batch:
    """A decoded payload. Raises Malformed; an event of a type that we do not know is counted and left out."""
    if not isinstance(payload, list | tuple) or len(payload) < 2 or not isinstance(payload[1], list | tuple):
        raise Malformed("a payload is [time, events, rank]")
    at, raw = payload[0], payload[1]
    rank = payload[2] if len(payload) > 2 else 0
    if not isinstance(at, int | float) or (rank is not None and not isinstance(rank, int)):
        raise Malformed("time or rank is no number")
    events = []
    unknown = 0
    for item in raw:
        event = _event(item)
        if event is None:
            unknown += 1
        else:
            events.append(event)
    return Batch(float(at), tuple(events), rank or 0, unknown)


def _event(item: Any) -> Event | None:
    if isinstance(item, Mapping):
        kind, fields = item.get("type"), item
    elif isinstance(item, list | tuple) and item:
        kind = item[0]
        names = _STORED if kind == "BlockStored" else _REMOVED
        fields = dict(zip(names, item[1:], strict=False))
    else:
        raise Malformed("an event is a map or an array")
    if kind == "BlockStored":
        size = fields.get("block_size")
        return BlockStored(
            _hashes(fields.get("block_hashes")),
            _hash(parent) if (parent := fields.get("parent_block_hash")) is not None else None,
            size if isinstance(size, int) and size > 0 else 0,
            _class(fields),
            fields.get("medium") or "GPU",
        )
    if kind == "BlockRemoved":
        return BlockRemoved(_hashes(fields.get("block_hashes")), fields.get("medium") or "GPU")
    return Cleared() if kind == "AllBlocksCleared" else None


def _hashes(value: Any) -> Sequence[int]:
    if not isinstance(value, list | tuple):
        raise Malformed("block_hashes is no list")
    if value and type(value[0]) is int:
        return value
    return [_hash(one) for one in value]


def _hash(value: Any) -> int:
    """Whole digests stand for the low 64 bits that other engines send."""
    if isinstance(value, int):
        return value
    if isinstance(value, bytes) and value:
        return int.from_bytes(value[-8:], "big")
    raise Malformed("a block hash is a number or bytes")


def _class(fields: Mapping[str, Any]) -> str:
    adapter = fields.get("lora_name")
    if adapter:
        return f"adapter:{str(adapter)[:80]}"
    if (number := fields.get("lora_id")) is not None:
        return f"adapter:{number}"
    for keys in fields.get("extra_keys") or ():
        for key in keys or ():
            if isinstance(key, str):
                return f"tenant:{key[:80]}"
    return ""
