"""The scorers: each gives every candidate a number from 0 to 1. Formulas of llm-d's endpoint picker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apps.embedded.gateway.domain.endpoints import Candidate

Parameters = Mapping[str, Any]
Scores = list[float]
Scorer = Callable[[Sequence[Candidate], int, Parameters], Scores]
"""(candidates, blocks of the prompt, parameters of the plugin) -> one score a candidate."""


def queue(candidates: Sequence[Candidate], blocks: int, parameters: Parameters) -> Scores:
    """(max - x) / (max - min) over waiting requests; 1 where all are equal."""
    return _fewest([each.load.waiting if each.load else None for each in candidates])


def running_requests(candidates: Sequence[Candidate], blocks: int, parameters: Parameters) -> Scores:
    """(max - x) / (max - min) over running requests; 1 where all are equal."""
    return _fewest([each.load.running if each.load else None for each in candidates])


def kv_cache_utilization(candidates: Sequence[Candidate], blocks: int, parameters: Parameters) -> Scores:
    """1 - usage."""
    return [1 - each.load.kv_usage if each.load else 0.0 for each in candidates]


def prefix_cache(candidates: Sequence[Candidate], blocks: int, parameters: Parameters) -> Scores:
    """Matched blocks / blocks of the prompt."""
    return [each.matched_blocks / blocks if blocks else 0.0 for each in candidates]


def load_aware(candidates: Sequence[Candidate], blocks: int, parameters: Parameters) -> Scores:
    """0.5 (1 - waiting / threshold), threshold 128: between 0 and 0.5."""
    threshold = float(parameters.get("threshold", 128))
    return [0.5 * (1 - min(1.0, each.load.waiting / threshold)) if each.load else 0.0 for each in candidates]


def token_load(candidates: Sequence[Candidate], blocks: int, parameters: Parameters) -> Scores:
    """1 - min(1, tokens in flight / threshold), threshold 4,194,304."""
    threshold = float(parameters.get("queueThresholdTokens", 4_194_304))
    return [1 - min(1.0, each.inflight_tokens / threshold) for each in candidates]


def active_request(candidates: Sequence[Candidate], blocks: int, parameters: Parameters) -> Scores:
    """1 up to `idleThreshold` requests in flight, else (max - c) / max times `maxBusyScore`."""
    idle, busiest = int(parameters.get("idleThreshold", 0)), float(parameters.get("maxBusyScore", 1.0))
    counts = [each.inflight_requests for each in candidates]
    most = max(counts, default=0)
    return [1.0 if count <= idle else (most - count) / most * busiest for count in counts]


def _fewest(values: Sequence[int | None]) -> Scores:
    known = [value for value in values if value is not None]
    if not known:
        return [0.0] * len(values)
    least, most = min(known), max(known)
    if least == most:
        return [0.0 if value is None else 1.0 for value in values]
    return [0.0 if value is None else (most - value) / (most - least) for value in values]


SCORERS: Mapping[str, Scorer] = {
    "queue-scorer": queue,
    "running-requests-scorer": running_requests,
    "kv-cache-utilization-scorer": kv_cache_utilization,
    "prefix-cache-scorer": prefix_cache,
    "load-aware-scorer": load_aware,
    "token-load-scorer": token_load,
    "active-request-scorer": active_request,
}
