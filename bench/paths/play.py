"""One configuration against one traffic in virtual time, and what it came to."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from apps.physics.catalogue import ModelSize, frontend, step_time_for
from apps.physics.fleet.fleet import Fleet, FleetVariant, StartUp
from apps.physics.fleet.picker import SCRAPE_SECONDS, PickerRouter
from apps.physics.fleet.types import Arrival, Seen
from apps.physics.tiers import OffloadConfig
from apps.physics.types import EngineConfig
from bench.paths.workload import BLOCK, Shape, endless, prompts

QWEN = ModelSize(parameters=32.8e9, layers=64, weight_bytes=65.6e9, kv_bytes_per_token=262_144)
KV_TOKENS = 307_328
"""Of one instance, as published: Qwen3-32B on two H100."""
_SAMPLE = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """What a run came to. Latencies in seconds. waiting: mean over replicas and time while requests came in. hit: share
    of prompt tokens from a cache. wall: seconds that the simulation took."""

    name: str
    requests: int
    tokens_per_second: float
    ttft_mean: float
    ttft_p50: float
    ttft_p90: float
    ttft_p99: float
    tpot_p50: float
    e2e_mean: float
    waiting: float
    hit: float
    wall: float


def variant(
    kv_tokens: int = KV_TOKENS,
    *,
    events: bool = False,
    offload: OffloadConfig | None = None,
    max_model_len: int = 40_960,
) -> FleetVariant:
    """Qwen3-32B on two H100, as the guides run it."""
    engine = EngineConfig(
        num_blocks=kv_tokens // BLOCK + 1,
        block_size=BLOCK,
        max_num_seqs=1024,
        max_model_len=min(max_model_len, kv_tokens // BLOCK * BLOCK),
        kv_events=events,
    )
    timing = step_time_for(QWEN, "nvidia-h100", 2)
    return FleetVariant(
        "h100", engine, timing.step_time, StartUp(60.0, 90.0), frontend(), accelerators=2, offload=offload
    )


def play(
    name: str,
    document: Mapping[str, Any],
    trace: Sequence[Arrival],
    *,
    replicas: int,
    skip: float = 0.0,
    kind: FleetVariant | None = None,
    slo: tuple[float, float] = (0.0, 0.0),
) -> Row:
    """Play an open loop; requests before `skip` seconds warm the caches up and are not counted."""
    begun = time.perf_counter()
    fleet = _fleet(document, replicas, kind, slo)
    waiting: list[float] = []
    ready = list(fleet.replicas)
    at = skip
    for arrival in trace:
        while arrival.time > at:
            fleet.advance(at)
            waiting.append(sum(each.waiting for each in ready) / len(ready))
            at += _SAMPLE
        fleet.send(arrival)
    fleet.close()
    return summary(name, [each for each in fleet.seen if each.arrival.time >= skip], skip, waiting, begun)


@dataclass(frozen=True, slots=True)
class Stage:
    """What a stage of a ladder came to. tokens_per_second: output over the time until its last answer."""

    rate: float
    requests: int
    tokens_per_second: float
    ttft_p90: float
    waiting: float
    hit: float


def staged(
    name: str,
    document: Mapping[str, Any],
    shape: Shape,
    stages: Sequence[tuple[float, float]],
    *,
    replicas: int,
    warm_up: tuple[float, float] | None = None,
    scrape: float = SCRAPE_SECONDS,
    kind: FleetVariant | None = None,
    seed: int = 1,
) -> tuple[Row, list[Stage]]:
    """Play (requests/s, seconds) as inference-perf does: each stage's requests as a Poisson process, the next stage
    when all are answered. The row pools the requests of all stages but the warm-up; its throughput is the stages' mean.
    scrape: how often the picker reads the replicas' load, seconds."""
    begun = time.perf_counter()
    fleet = _fleet(document, replicas, kind, (0.0, 0.0), scrape)
    chance = np.random.default_rng(seed)
    asked = prompts(shape, chance)
    ready, index, start = list(fleet.replicas), 0, 0.0
    queues: list[float] = []
    found: list[Stage] = []
    for rate, seconds in [*([warm_up] if warm_up else []), *stages]:
        waiting: list[float] = []
        before, at = len(fleet.seen), start
        for sent in start + np.cumsum(chance.exponential(1 / rate, int(rate * seconds))):
            while sent > at:
                at = _look(fleet, ready, waiting, at)
            hashes = asked[index % len(asked)]
            fleet.send(Arrival(index, float(sent), shape.prompt, shape.output, block_hashes=hashes))
            index += 1
        mine = fleet.seen[before:]
        while not all(each.last and each.last <= at for each in mine):
            at = _look(fleet, ready, waiting, at)
        end = max(each.last for each in mine)
        ttft = np.array([each.ttft for each in mine])
        hit = sum(each.hit_tokens for each in mine) / (len(mine) * shape.prompt)
        speed = len(mine) * shape.output / (end - start)
        found.append(Stage(rate, len(mine), speed, float(np.quantile(ttft, 0.9)), float(np.mean(waiting)), hit))
        queues += waiting if before or not warm_up else []
        # inference-perf pauses for a second between stages
        start = end + 1.0
    skip = found[0].requests if warm_up else 0
    found = found[1:] if warm_up else found
    row = summary(name, fleet.seen[skip:], 0.0, queues, begun)
    return replace(row, tokens_per_second=float(np.mean([each.tokens_per_second for each in found]))), found


def _look(fleet: Fleet, ready: Sequence[Any], waiting: list[float], at: float) -> float:
    """Let everything happen until `at`, note the queues, and say when to look next."""
    fleet.advance(at)
    for each in ready:
        each.engine.advance(at)
    waiting.append(sum(each.waiting for each in ready) / len(ready))
    return at + _SAMPLE


def closed(
    name: str,
    document: Mapping[str, Any],
    shape: Shape,
    *,
    replicas: int,
    clients: int,
    requests: int,
    kind: FleetVariant | None = None,
    seed: int = 1,
    skip: int = 0,
    tick: float = 0.05,
) -> Row:
    """Play `clients` that each send one request after the other, `requests` in all; the first `skip` are not counted.
    An end is seen at the next tick, so a client pauses for half a tick on average."""
    begun = time.perf_counter()
    fleet = _fleet(document, replicas, kind, (0.0, 0.0))
    asked = endless(shape, seed)
    waiting: list[float] = []
    ready = list(fleet.replicas)
    sent, busy, at = 0, 0, 0.0
    open_ones: list[Seen] = []
    while sent < requests or open_ones:
        fleet.advance(at)
        for each in ready:
            each.engine.advance(at)
        open_ones = [each for each in open_ones if not each.last or each.last > at]
        busy = len(open_ones)
        for _ in range(min(clients - busy, requests - sent)):
            index, hashes = next(asked)
            fleet.send(Arrival(index, at, shape.prompt, shape.output, block_hashes=hashes))
            open_ones.append(fleet.seen[-1])
            sent += 1
        waiting.append(sum(each.waiting for each in ready) / len(ready))
        at += tick
    fleet.close()
    counted = fleet.seen[skip:]
    return summary(name, counted, counted[0].arrival.time, waiting, begun)


def summary(name: str, seen: Sequence[Seen], start: float, waiting: Sequence[float], begun: float) -> Row:
    if not all(each.finished for each in seen):
        raise RuntimeError(f"{name}: {sum(not each.finished for each in seen)} requests were never answered")
    ttft = np.array([each.ttft for each in seen])
    tpot = np.array([each.tpot for each in seen])
    e2e = np.array([each.last - each.arrival.time for each in seen])
    end = max(each.last for each in seen)
    prompt = sum(each.arrival.prompt_tokens for each in seen)
    p50, p90, p99 = (float(value) for value in np.quantile(ttft, (0.5, 0.9, 0.99)))
    return Row(
        name,
        len(seen),
        sum(each.arrival.output_tokens for each in seen) / (end - start),
        float(ttft.mean()),
        p50,
        p90,
        p99,
        float(np.quantile(tpot, 0.5)),
        float(e2e.mean()),
        float(np.mean(waiting)) if waiting else 0.0,
        sum(each.hit_tokens for each in seen) / prompt,
        time.perf_counter() - begun,
    )


def _fleet(
    document: Mapping[str, Any],
    replicas: int,
    kind: FleetVariant | None,
    slo: tuple[float, float],
    scrape: float = SCRAPE_SECONDS,
) -> Fleet:
    precise = "precise" in str(document)
    kind = kind or variant(events=precise)
    router = PickerRouter(document, random.Random(7), block_tokens=BLOCK, slo=slo, scrape=scrape)
    return Fleet(
        [kind], initial={kind.name: replicas}, chance=np.random.default_rng(7), routing=router, exact=True, hold=1e9
    )
