"""`--kv-events-config`: where and how an engine publishes what becomes of its KV blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

Encoding = Literal["map", "array"]
ENCODINGS: tuple[Encoding, ...] = ("map", "array")


@dataclass(frozen=True, slots=True)
class EventsConfig:
    """The keys of `--kv-events-config` that a ZeroMQ publisher reads, with vLLM's defaults.

    buffer_steps: batches kept for replay. hwm: messages that may wait for one subscriber; any more are dropped for it.
    """

    endpoint: str = "tcp://*:5557"
    replay_endpoint: str | None = None
    buffer_steps: int = 10_000
    hwm: int = 100_000
    max_queue_size: int = 100_000
    topic: str = ""


def read_events_config(given: Mapping[str, Any] | None) -> EventsConfig | None:
    """What `--kv-events-config` asks for; None when nothing is published. Raises ValueError."""
    if given is None:
        return None
    values = dict(given)
    enabled = _typed(values.pop("enable_kv_cache_events", False), "enable_kv_cache_events", bool)
    publisher = values.pop("publisher", None) or ("zmq" if enabled else "null")
    if publisher not in ("null", "zmq"):
        raise ValueError(f"kv_events_config: publisher is {publisher!r}; Input should be 'null' or 'zmq'")
    kinds: dict[str, type] = {
        field.name: int if field.name in ("buffer_steps", "hwm", "max_queue_size") else str
        for field in fields(EventsConfig)
    }
    for name, value in values.items():
        if name not in kinds:
            raise ValueError(f"kv_events_config: {name}: Unexpected keyword argument")
        if not (name == "replay_endpoint" and value is None):
            _typed(value, name, kinds[name])
    return EventsConfig(**values) if enabled and publisher == "zmq" else None


def _typed(value: Any, name: str, kind: type) -> Any:
    if type(value) is not kind:
        raise ValueError(f"kv_events_config: {name} is {value!r}; it must be of type {kind.__name__}")
    return value


def binds(endpoint: str) -> bool:
    """Whether the publisher binds this endpoint; it connects to any other, as vLLM's does."""
    return "*" in endpoint or "::" in endpoint or endpoint.startswith(("ipc://", "inproc://"))
