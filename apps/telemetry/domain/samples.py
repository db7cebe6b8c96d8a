"""What a reading can be: a value with its age, no traffic, or unknown. Unknown is never zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Known", "NoTraffic", "Sample", "Unknown", "value_of"]


@dataclass(frozen=True, slots=True)
class Known:
    """A value in the metric's unit; `age` is seconds since the newest scrape that it rests on."""

    value: float
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class NoTraffic:
    """The engines answered, and nothing happened that the metric could be measured on (0/0)."""

    age: float = 0.0


@dataclass(frozen=True, slots=True)
class Unknown:
    """Could not be read; `reason` is a sentence for people."""

    reason: str


Sample: TypeAlias = Known | NoTraffic | Unknown


def value_of(sample: Sample) -> float | None:
    """The number to draw, or None where there is none."""
    return sample.value if isinstance(sample, Known) else None
