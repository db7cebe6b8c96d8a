"""Reading recorded traffic: Mooncake JSON lines and Azure CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from apps.benchmarks.domain.workloads import PlannedRequest, Segment

MOONCAKE_BLOCK = 512
MOST_TOKENS = 10_000_000
# segments of requests without block ids get ids of their own, above those of any trace
_UNSHARED = 1 << 40


class TraceError(ValueError):
    """A trace that cannot be read: which line, what is wrong."""


def read_trace(lines: Iterable[str]) -> list[PlannedRequest]:
    """The requests of a trace in either format (told by its first line), by arrival, the first at 0 s."""
    iterator = iter(lines)
    first = next((line for line in iterator if line.strip()), "")
    if not first:
        raise TraceError("the trace is empty")
    rest = _chained(first, iterator)
    plan = mooncake(rest) if first.lstrip().startswith("{") else azure(rest)
    plan.sort(key=lambda request: request.at)
    origin = plan[0].at if plan else 0.0
    return [PlannedRequest(request.at - origin, request.prompt, request.output_tokens) for request in plan]


def mooncake(lines: Iterable[str]) -> list[PlannedRequest]:
    """`timestamp` ms, `input_length`, `output_length` tokens, and optionally `hash_ids`: an id for each 512 prompt
    tokens; equal ids in equal positions are equal prefixes."""
    plan = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise TraceError(f"line {number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise TraceError(f"line {number}: expected an object with timestamp, input_length and output_length")
        at = _number(row, "timestamp", number) / 1000
        prompt_tokens = _count(row, "input_length", number)
        output_tokens = _count(row, "output_length", number, missing=1)
        plan.append(PlannedRequest(at, _blocks(row.get("hash_ids"), prompt_tokens, number), max(output_tokens, 1)))
    return plan


def azure(lines: Iterable[str]) -> list[PlannedRequest]:
    """CSV with the columns TIMESTAMP (UTC), ContextTokens, GeneratedTokens."""
    reader = csv.DictReader(lines)
    missing = {"TIMESTAMP", "ContextTokens", "GeneratedTokens"} - set(reader.fieldnames or ())
    if missing:
        raise TraceError(f"line 1: the header lacks {', '.join(sorted(missing))}")
    plan = []
    for number, row in enumerate(reader, 2):
        try:
            # Azure writes seven decimals, one more than datetime reads
            at = datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp()
            prompt_tokens, output_tokens = int(row["ContextTokens"]), int(row["GeneratedTokens"])
        except (TypeError, ValueError) as error:
            raise TraceError(f"line {number}: {error}") from error
        segment = Segment(_UNSHARED + number, _bounded(prompt_tokens, number))
        plan.append(PlannedRequest(at, (segment,), max(_bounded(output_tokens, number), 1)))
    return plan


def _blocks(ids: Any, prompt_tokens: int, number: int) -> tuple[Segment, ...]:
    if not ids:
        return (Segment(_UNSHARED + number, max(prompt_tokens, 1)),)
    if not isinstance(ids, list) or not all(type(one) is int and one >= 0 for one in ids):
        raise TraceError(f"line {number}: hash_ids must be a list of numbers that are not negative")
    segments = []
    left = prompt_tokens
    for one in ids:
        if left <= 0:
            break
        segments.append(Segment(one, min(MOONCAKE_BLOCK, left)))
        left -= MOONCAKE_BLOCK
    if left > 0:
        segments.append(Segment(_UNSHARED + number, left))
    return tuple(segments)


def _number(row: dict[str, Any], name: str, number: int) -> float:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise TraceError(f"line {number}: {name} must be a number, not {value!r}")
    return float(value)


def _count(row: dict[str, Any], name: str, number: int, missing: int | None = None) -> int:
    value = row.get(name)
    if value is None and missing is not None:
        return missing
    return _bounded(int(_number(row, name, number)), number)


def _bounded(value: int, number: int) -> int:
    if not 0 <= value <= MOST_TOKENS:
        raise TraceError(f"line {number}: {value} tokens is out of range")
    return value


def _chained(first: str, rest: Iterable[str]) -> Iterable[str]:
    yield first
    yield from rest
