"""How long an engine takes from launch to its first healthy answer."""

from __future__ import annotations

from typing import Literal

from apps.physics.data import read

CompileCache = Literal["cold", "warm"]


def cold_start_seconds(
    *, compile_cache: CompileCache = "cold", eager: bool = False, weight_bytes: float = 0.0, read_bandwidth: float = 0.0
) -> float:
    """Seconds from launch to a healthy `/health`.

    The measured parts are the launch itself, CUDA graph capture, and compilation; `eager` (`--enforce-eager`) has
    neither of the last two, a warm compile cache saves the last. Reading weights comes on top: `weight_bytes` (of all
    ranks together, bytes) at `read_bandwidth` (bytes/s); it counts nothing when no bandwidth is given.
    """
    parts = read("cold-start.json")
    seconds = float(parts["launch"])
    if not eager:
        seconds += parts["capture"]
        if compile_cache == "cold":
            seconds += parts["compile"]
    if read_bandwidth > 0:
        seconds += weight_bytes / read_bandwidth
    return seconds
