"""The measurements: a real vLLM 0.25.1 with its defaults on one H200, serving a model of Llama-3.1-8B's shape."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.physics import EngineConfig
from apps.physics.catalogue import ModelSize

MODEL = ModelSize(parameters=8.03e9, layers=32, weight_bytes=16.06e9, kv_bytes_per_token=131072)
ACCELERATOR = "nvidia-h200"
# 57,488 usable blocks is the one count that makes every measured vllm:kv_cache_usage_perc a whole number of blocks.
# Prompts were random tokens, so that the prefix cache found nothing; the other values are vLLM's defaults there.
ENGINE = EngineConfig(num_blocks=57489, enable_prefix_caching=False)


@dataclass(frozen=True)
class Replay:
    """An open-loop replay: `arrival` s, `prompt` and `output` tokens, `ttft` and `tpot` ms, one value a request."""

    arrival: NDArray[np.float64]
    prompt: NDArray[np.int64]
    output: NDArray[np.int64]
    ttft: NDArray[np.float64]
    tpot: NDArray[np.float64]


@dataclass(frozen=True)
class Measurements:
    """Rows as the files have them (times in ms); `prefill` (nothing cached) and `cached` (the same prompt again) by
    prompt length, `poisson` by rate."""

    prefill: dict[int, float]
    cached: dict[int, float]
    poisson: list[dict[str, Any]]
    closed: list[dict[str, Any]]
    replay: Replay


def load(rows: str, replay: str) -> Measurements:
    """Parse the texts of vllm-0.25.1-h200-llama-8b.jsonl and replay-azure-conv-x3.json."""
    events = [json.loads(line) for line in rows.splitlines()]
    requests = sorted(json.loads(replay)["requests"], key=lambda request: request["t"])

    def column(name: str, scale: float = 1.0) -> NDArray[np.float64]:
        return np.array([np.nan if request[name] is None else request[name] * scale for request in requests])

    alone = [row for row in events if row["ev"] == "prefill" and row["run"] == "base"]
    return Measurements(
        prefill={row["n"]: row["cold_ms"] for row in alone},
        cached={row["n"]: row["hot_ms"] for row in alone},
        poisson=sorted((row for row in events if row["ev"] == "poisson"), key=lambda row: row["rate"]),
        closed=[row for row in events if row["ev"] == "closed"],
        replay=Replay(
            column("t"), column("n").astype(int), column("out").astype(int), column("ttft", 1e3), column("tpot", 1e3)
        ),
    )
