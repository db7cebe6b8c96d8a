"""The bucket grid of latency histograms: what every engine is rendered with, and what the embedded picker counts in."""

from __future__ import annotations

import functools
import json
from importlib import resources

__all__ = ["latency_grid"]


@functools.cache
def latency_grid() -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Histogram families and bucket bounds (seconds, rising) rendered into every engine."""
    text = resources.files("apps.catalog").joinpath("data", "latency-grid.json").read_text(encoding="utf-8")
    table = json.loads(text)
    return tuple(table["families"]), tuple(table["edges"])
