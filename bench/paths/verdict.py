"""A claim of the benchmark and whether it held."""

from __future__ import annotations

from dataclasses import dataclass

SAME = 0.1
"""What lies closer than this share is not ordered."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A claim and whether it held."""

    claim: str
    held: bool
