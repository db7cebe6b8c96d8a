"""Traces as arrivals: readers of the published formats, and slices drawn from published rates. All seeded."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from apps.physics.fleet.types import Arrival
from bench.common import shared

MOONCAKE_BLOCK = 512


def azure(name: str) -> list[Arrival]:
    """`code` or `conv` of the Azure LLM inference trace 2023 (CC-BY 4.0, Patel et al., ISCA 2024)."""
    with shared("traces", "azure2023", f"AzureLLMInferenceTrace_{name}.csv").open(encoding="utf-8") as file:
        rows = [
            (_seconds(row["TIMESTAMP"]), int(row["ContextTokens"]), int(row["GeneratedTokens"]))
            for row in csv.DictReader(file)
        ]
    first = rows[0][0]
    return _arrivals([(at - first, prompt, output) for at, prompt, output in rows])


def mooncake(path: Path, block_size: int = 16) -> list[Arrival]:
    """Mooncake JSON lines (Apache-2.0, Qin et al., FAST 2025), their 512-token blocks as chained blocks of ours."""
    parts = MOONCAKE_BLOCK // block_size
    arrivals = []
    for index, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        full = row["input_length"] // block_size
        hashes = tuple(block * parts + part for block in row.get("hash_ids", ()) for part in range(parts))[:full]
        arrivals.append(
            Arrival(index, row["timestamp"] / 1000, row["input_length"], row["output_length"] or 1, 0, hashes)
        )
    return arrivals


def rates(name: str) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """ServeGen's production rates in windows of 10 minutes (Apache-2.0, Xiang et al. 2025): start s, rate/s, CV."""
    with shared("traces", "servegen", f"{name}_rate_10min.csv").open(encoding="utf-8") as file:
        rows = [[float(row[key] or 0) for key in ("t_s", "rps", "rate_weighted_cv")] for row in csv.DictReader(file)]
    table = np.array(rows)
    return table[:, 0], table[:, 1], table[:, 2]


def servegen_slice(
    name: str,
    *,
    start: float,
    hours: float,
    mean_rate: float,
    lengths: Sequence[tuple[int, int]],
    chance: Generator,
) -> list[Arrival]:
    """Arrivals of a stretch of production rates, scaled to `mean_rate` requests/s.

    A gamma renewal process whose rate is interpolated between the windows and whose CV is the window's (0.8 to 4);
    (prompt, output) tokens are drawn from `lengths` in pairs.
    """
    at, rate, cv = rates(name)
    inside = (at >= start - 600) & (at <= start + hours * 3600 + 600)
    at, rate, cv = at[inside] - start, rate[inside], np.clip(cv[inside], 0.8, 4.0)
    grid = np.arange(0.0, hours * 3600, 10.0)
    curve = np.interp(grid, at, rate)
    scale = mean_rate / curve.mean()
    return renewal(grid, curve * scale, np.interp(grid, at, cv), hours * 3600, lengths, chance)


def renewal(
    grid: NDArray[np.float64],
    rate: NDArray[np.float64],
    cv: NDArray[np.float64],
    seconds: float,
    lengths: Sequence[tuple[int, int]],
    chance: Generator,
) -> list[Arrival]:
    """Arrivals with the given rate and CV over time: a gamma renewal process in operational time."""
    step = grid[1] - grid[0]
    cumulative = np.concatenate(([0.0], np.cumsum(rate * step)))
    edges = np.concatenate((grid, [grid[-1] + step]))
    times: list[float] = []
    done, count = 0.0, cumulative[-1]
    while done < count:
        shape = 1.0 / float(np.interp(np.interp(done, cumulative, edges), grid, cv)) ** 2
        done += float(chance.gamma(shape, 1.0 / shape))
        times.append(float(np.interp(done, cumulative, edges)))
    chosen = chance.integers(len(lengths), size=len(times))
    rows = [(at, *lengths[pick]) for at, pick in zip(times, chosen, strict=True) if at < seconds]
    return _arrivals(rows)


def lengths_of(trace: Sequence[Arrival]) -> list[tuple[int, int]]:
    """Its (prompt, output) tokens."""
    return [(each.prompt_tokens, each.output_tokens) for each in trace]


def part(trace: Sequence[Arrival], start: float, seconds: float) -> list[Arrival]:
    """A stretch of a trace, its time beginning at zero."""
    chosen = [each for each in trace if start <= each.time < start + seconds]
    return [replace(each, index=index, time=each.time - start) for index, each in enumerate(chosen)]


def overlaid(trace: Sequence[Arrival], copies: int, span: float, chance: Generator) -> list[Arrival]:
    """`copies` of a trace on top of each other: arrivals jittered by up to 2 s, each copy's lengths drawn anew among
    those of the same minute, so that bursts and mix stay and no request is there twice."""
    rows: list[tuple[float, int, int]] = []
    minutes: dict[int, list[tuple[int, int]]] = {}
    for each in trace:
        minutes.setdefault(int(each.time // 60), []).append((each.prompt_tokens, each.output_tokens))
    for _ in range(copies):
        for each in trace:
            pool = minutes[int(each.time // 60)]
            at = min(max(0.0, each.time + float(chance.uniform(-2, 2))), span)
            rows.append((at, *pool[int(chance.integers(len(pool)))]))
    return _arrivals(sorted(rows))


def shifted(trace: Sequence[Arrival], by: float, span: float) -> list[Arrival]:
    """The trace turned by `by` seconds within `span`."""
    rows = sorted(((each.time + by) % span, each.prompt_tokens, each.output_tokens) for each in trace)
    return _arrivals(rows)


def _arrivals(rows: Sequence[tuple[float, int, int]]) -> list[Arrival]:
    return [Arrival(index, at, prompt, max(1, output)) for index, (at, prompt, output) in enumerate(rows)]


def _seconds(text: str) -> float:
    day, _, fraction = text.partition(".")
    return datetime.fromisoformat(day).timestamp() + float("0." + fraction[:7])
