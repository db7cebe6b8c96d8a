"""The measurements: a real vLLM 0.25.1 with its defaults on one H200, serving a model of Llama-3.1-8B's shape.

Two sittings. The first (2026-11-23, reference data) did not write down when the requests of its Poisson windows came;
the second (2026-11-26, data/h200-2026-11-26.json, on another H200) did, and replayed the first one's conversation trace
again, so that one sees how far two measurements of the same thing are apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.physics import EngineConfig
from apps.physics.catalogue import ModelSize

MODEL = ModelSize(parameters=8.03e9, layers=32, weight_bytes=16.06e9, kv_bytes_per_token=131072)
ACCELERATOR = "nvidia-h200"
# 57,488 usable blocks is the one count that makes every measured vllm:kv_cache_usage_perc a whole number of blocks, and
# what the second sitting's engine said of itself (919,824 tokens). Prompts were random tokens, so that the prefix cache
# found nothing; the other values are vLLM's defaults there.
ENGINE = EngineConfig(num_blocks=57489, enable_prefix_caching=False)
SECOND = Path(__file__).parent / "data" / "h200-2026-11-26.json"

_GAUGES = {
    "running": "vllm:num_requests_running{}",
    "waiting": "vllm:num_requests_waiting{}",
    "kv_usage": "vllm:kv_cache_usage_perc{}",
}
Lengths = Callable[[str, float, float, float], tuple[NDArray[np.int64], NDArray[np.int64]]]
"""Prompt and output tokens of the requests of a trace file from a second on, so many times faster, for so long."""


@dataclass(frozen=True)
class Replay:
    """Requests that came at known times: `arrival` s, `prompt` and `output` tokens, `ttft` and `tpot` ms, one value a
    request; NaN where a request has no tpot."""

    name: str
    arrival: NDArray[np.float64]
    prompt: NDArray[np.int64]
    output: NDArray[np.int64]
    ttft: NDArray[np.float64]
    tpot: NDArray[np.float64]


@dataclass(frozen=True)
class Measurements:
    """The first sitting. Rows as the files have them (times in ms); `prefill` (nothing cached) and `cached` (the same
    prompt again) by prompt length, `poisson` by rate."""

    prefill: dict[int, float]
    cached: dict[int, float]
    poisson: list[dict[str, Any]]
    closed: list[dict[str, Any]]
    replay: Replay


@dataclass(frozen=True)
class Second:
    """The second sitting. `prefill`, `cached` as in the first; `windows` of Poisson arrivals; `again`: the first one's
    replay once more; `replays` of what the first had not; `closed` loops."""

    prefill: dict[int, float]
    cached: dict[int, float]
    windows: list[Replay]
    again: Replay
    replays: list[Replay]
    closed: list[dict[str, Any]]


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
            "conversation x3",
            column("t"),
            column("n").astype(int),
            column("out").astype(int),
            column("ttft", 1e3),
            column("tpot", 1e3),
        ),
    )


def left(row: Mapping[str, Any]) -> dict[str, float]:
    """How a Poisson window of the first sitting left the engine: its gauges at the last arrival, and seconds from then
    until the last answer was there."""
    return {name: row["end"][gauge] for name, gauge in _GAUGES.items()} | {"drain_s": row["drain_s"]}


def load_windows(text: str) -> list[Replay]:
    """The Poisson windows in the text of SECOND."""
    windows: list[Replay] = []
    for row in json.loads(text)["windows"]:
        name = f"poisson {row['rate']:g}/s"
        if any(window.name == name for window in windows):
            name += " again"
        count = len(row["arrival"])
        windows.append(_replay(name, row, np.full(count, row["inp"]), np.full(count, row["out"])))
    return windows


def load_second(text: str, first: Replay, lengths: Lengths) -> Second:
    """Parse the text of SECOND. The lengths of replayed requests are not in it: they are the traces'."""
    data = json.loads(text)
    alone = data["alone"]
    again, *others = data["replays"]
    return Second(
        prefill=dict(zip(alone["tokens"], alone["cold"], strict=True)),
        cached=dict(zip(alone["tokens"], alone["hot"], strict=True)),
        windows=load_windows(text),
        again=_replay(first.name, again, first.prompt, first.output),
        replays=[
            _replay(
                f"{'conversation' if 'conv' in row['trace'] else 'code'} x{row['faster']:g}",
                row,
                *lengths(row["trace"], row["from_s"], row["faster"], row["seconds"]),
            )
            for row in others
        ],
        closed=data["closed"],
    )


def _replay(name: str, row: Mapping[str, Any], prompt: NDArray[np.int64], output: NDArray[np.int64]) -> Replay:
    arrival, ttft, tpot = (np.array(row[column], dtype=np.float64) for column in ("arrival", "ttft", "tpot"))
    if not len(arrival) == len(ttft) == len(tpot) == len(prompt) == len(output):
        raise ValueError(f"{name}: the trace has {len(prompt)} requests there, {len(arrival)} were measured")
    return Replay(name, arrival, prompt, output, ttft, tpot)
