"""Tables of this room: the labels of capacity types."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

from apps.catalog.domain.latency import latency_grid

__all__ = ["capacity_labels", "latency_grid"]


@functools.cache
def capacity_labels(capacity_type: str) -> tuple[tuple[str, str], ...]:
    """Node labels any of which marks a node of this capacity type; empty for `on-demand`, which asks for nothing."""
    return tuple((row["label"], row["value"]) for row in _table("capacity-types.json").get(capacity_type, ()))


def _table(name: str) -> dict[str, Any]:
    return json.loads(resources.files("apps.pools").joinpath("data", name).read_text(encoding="utf-8"))
