"""How long an engine takes to fall asleep and to wake (`--enable-sleep-mode`)."""

from __future__ import annotations

from apps.physics.data import read


def sleep_seconds(weight_bytes: float) -> float:
    """Seconds until an engine sleeps whose weights take `weight_bytes` on each accelerator.

    Level 1 copies the weights to host memory, so the measured time is scaled by their size. Level 2 was not measured
    and counts the same, which is too long for it: it copies nothing.
    """
    measured = read("sleep.json")
    return float(max(measured["pause"], measured["sleep"] * weight_bytes / measured["weight_bytes"]))


def wake_seconds(weight_bytes: float) -> float:
    """Seconds until a sleeper with so many bytes of weights on each accelerator serves again; scaled likewise."""
    measured = read("sleep.json")
    return float(max(measured["pause"], measured["wake"] * weight_bytes / measured["weight_bytes"]))


def pause_seconds() -> float:
    """Seconds to pause or resume scheduling alone: level 0, or an engine without sleep mode."""
    return float(read("sleep.json")["pause"])
