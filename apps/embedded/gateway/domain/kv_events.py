"""KV events of an engine into the precise index.

A batch is `[unix time, [events], rank]`. Events are maps with the key `type` (vLLM 0.32 and later) or positional arrays
(before); both are understood. What is not understood changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.embedded.gateway.domain.prompt import extra_of
from apps.physics.routing.blocks import BlockIndex

_POSITIONS = {
    "BlockStored": ("block_hashes", "parent_block_hash", "token_ids", "block_size", "lora_id", "medium", "lora_name"),
    "BlockRemoved": ("block_hashes", "medium"),
    "AllBlocksCleared": (),
}


def events_of(batch: object) -> list[Mapping[str, Any]]:
    """The events of a decoded batch as maps."""
    if not isinstance(batch, Sequence) or len(batch) < 2 or not isinstance(batch[1], Sequence):
        return []
    return [event for event in map(_as_map, batch[1]) if event is not None]


def apply(index: BlockIndex, endpoint: str, event: Mapping[str, Any]) -> None:
    """What one event says of a replica."""
    kind, medium = event.get("type"), event.get("medium") or "GPU"
    if kind == "AllBlocksCleared":
        index.forget(endpoint)
        return
    names = [_name(each) for each in event.get("block_hashes") or ()]
    if kind == "BlockRemoved":
        index.removed(endpoint, medium, names)
    elif kind == "BlockStored":
        parent = event.get("parent_block_hash")
        told = event.get("extra_keys")
        extra = [extra_of(each) for each in told] if isinstance(told, Sequence) else event.get("lora_name") or ""
        index.stored(
            endpoint,
            medium,
            names,
            parent=None if parent is None else _name(parent),
            tokens=event.get("token_ids") or (),
            block_size=event.get("block_size") or 0,
            extra=extra,
        )


def adapter_of(event: Mapping[str, Any]) -> str:
    """The adapter that a stored block belongs to; empty: none."""
    return str(event.get("lora_name") or "")


def address_of(topic: str) -> str:
    """host or host:port of the replica that a topic `kv@<host[:port]>@<model>` names; empty where it names none."""
    parts = topic.split("@")
    return parts[1] if len(parts) > 2 else ""


def _as_map(event: object) -> Mapping[str, Any] | None:
    if isinstance(event, Mapping):
        return event
    if isinstance(event, Sequence) and event and event[0] in _POSITIONS:
        return {"type": event[0], **dict(zip(_POSITIONS[event[0]], event[1:], strict=False))}
    return None


def _name(value: object) -> int:
    """A block hash is an integer, or bytes where VLLM_KV_EVENTS_USE_INT_BLOCK_HASHES is 0."""
    return int.from_bytes(value[-8:], "big") if isinstance(value, bytes) else int(value)  # type: ignore[call-overload]
