"""A made-up week of traffic: what pools would have measured, as a smooth function of time. No chance in it."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.special import ndtr

from apps.catalog.domain.latency import latency_grid
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.signals import Signals

__all__ = ["STORIES", "Incident", "Story", "load", "needed", "row"]

HOUR, DAY = 3600.0, 86400.0
_LENGTHS = (0.0, *(float(2**n) for n in range(4, 16)))
_TARGET = 0.7


@dataclass(frozen=True)
class Incident:
    """From `start` for `seconds`, both counted from the end of the week backwards: what was different then.

    `load`: factor on requests; `speed`: factor on what a replica carries; `hits`: factor on the cache's share;
    `silent`: engines do not answer; `errors`: share of requests that fail.
    """

    start: float
    seconds: float
    load: float = 1.0
    speed: float = 1.0
    hits: float = 1.0
    errors: float = 0.0
    silent: bool = False

    def holds(self, before_end: float) -> bool:
        return self.start - self.seconds < before_end <= self.start


@dataclass(frozen=True)
class Story:
    """One pool of the week. `peak`: requests/s at noon of a working day; `night`: share of it that is left at night;
    `carries`: requests/s of one replica; `ttft`, `tpot`: seconds on an empty replica; `hits`: share of prompt tokens
    from the cache; `host`: share of the hits that came from the host's memory; `price`: of a replica per hour; `shift`:
    how many seconds later than UTC its clocks are; `tiers`: host memory that may be used where Lamplight decides."""

    team: str
    name: str
    model: str
    variant: str
    accelerator: str
    peak: float
    carries: float
    minimum: int
    maximum: int
    price: float
    accelerators: int = 1
    night: float = 0.25
    weekend: float = 0.5
    shift: float = 0.0
    prompt: float = 900.0
    output: float = 180.0
    ttft: float = 0.07
    tpot: float = 0.011
    hits: float = 0.45
    host: float = 0.0
    mode: str = "off"
    tiers: str = ""
    incidents: tuple[Incident, ...] = field(default=())


# --- the fleet of the week ------------------------------------------------------------------------------------------
STORIES: tuple[Story, ...] = (
    Story(
        "default", "chat", "llama-3-1-8b", "h200", "nvidia-h200", 92.0, 30.0, 2, 6, 4.0, mode="active", host=0.2,
        incidents=(Incident(2.30 * DAY, 50 * 60, load=1.9), Incident(35 * 60, 35 * 60, load=1.35)),
    ),
    Story(
        "default", "code", "qwen-2-5-coder-32b", "h100", "nvidia-h100", 9.0, 4.2, 2, 4, 6.0, accelerators=2,
        prompt=2600.0, output=240.0, ttft=0.32, tpot=0.019, hits=0.62, mode="advisory",
        tiers="128Gi",
        incidents=(Incident(4.2 * DAY, 95 * 60, hits=0.15, speed=0.55),),
    ),
    Story(
        "search", "summaries", "llama-3-1-8b", "h100", "nvidia-h100", 30.0, 11.0, 2, 3, 3.0, shift=2 * HOUR,
        prompt=5200.0, output=130.0, ttft=0.26, tpot=0.013, hits=0.18, mode="active",
        incidents=(Incident(40 * 60, 40 * 60, load=1.75),),
    ),
    Story(
        "search", "answers", "qwen-2-5-coder-32b", "h200", "nvidia-h200", 12.0, 8.0, 1, 3, 4.0,
        prompt=1800.0, output=320.0, ttft=0.21, tpot=0.016, hits=0.55, host=0.35,
    ),
    Story(
        "search", "nightly-batch", "llama-3-1-8b", "l40s", "nvidia-l40s", 0.0, 4.0, 1, 2, 1.0,
        night=0.0, prompt=3000.0, output=60.0, ttft=0.4, tpot=0.03, hits=0.05,
    ),
    Story(
        "default", "vision", "llama-3-1-8b", "h100", "nvidia-h100", 6.0, 10.0, 1, 2, 3.0,
        incidents=(Incident(25 * 60, 25 * 60, silent=True),),
    ),
)  # fmt: skip


def load(story: Story, at: float, end: float) -> float:
    """Requests/s at `at` (Unix seconds): two humps a day, quieter at the weekend, with a slow ripple."""
    local = at + story.shift
    ripple = 1 + 0.05 * math.sin(local / 411) + 0.03 * math.sin(local / 97) + 0.02 * math.sin(local / 31)
    return _trend(story, at, end) * ripple


def _trend(story: Story, at: float, end: float) -> float:
    local = at + story.shift
    hour = (local % DAY) / HOUR
    hump = 0.62 * math.exp(-(((hour - 10.5) / 2.6) ** 2)) + 0.55 * math.exp(-(((hour - 15.5) / 3.2) ** 2))
    # the first of January 1970 was a Thursday
    weekday = int(local // DAY + 3) % 7
    busy = story.weekend if weekday >= 5 else 1.0
    factor = math.prod(one.load for one in story.incidents if one.holds(end - at))
    return max(0.0, story.peak * (story.night + (1 - story.night) * min(1.0, hump)) * busy * factor)


def needed(story: Story, at: float, end: float) -> int:
    """Replicas that carry the load of a moment with some room, within the bounds."""
    return min(story.maximum, max(story.minimum, math.ceil(_trend(story, at, end) / (story.carries * _TARGET))))


def row(story: Story, at: float, seconds: float, *, end: float, ready: int, desired: int) -> Signals:
    """What was measured in the `seconds` up to `at` with so many replicas ready."""
    middle = at - seconds / 2
    held = [one for one in story.incidents if one.holds(end - middle)]
    starting = max(0, desired - ready)
    states = {"desired": desired, "ready": ready, "starting": starting, "terminating": 0}
    states |= {"awake": ready, "asleep": 0, "discarded": 0}
    spent = {
        "accelerator_seconds": desired * story.accelerators * seconds,
        "cost:USD": desired * story.price * seconds / HOUR,
    }
    held_now = {"accelerators": float(desired * story.accelerators), "cost_per_hour:USD": desired * story.price}
    if any(one.silent for one in held):
        states |= {"ready": 0, "awake": 0, "starting": desired}
        said = f"{story.name}-{story.variant}-0: connection refused."
        return Signals(
            at, seconds, targets=desired, scraped=0, reason=said, counts=spent, gauges=held_now, replicas=states
        )
    speed = math.prod(one.speed for one in held)
    hits = story.hits * math.prod(one.hits for one in held)
    rate = load(story, middle, end)
    requests = round(rate * seconds)
    use = rate / max(1e-9, ready * story.carries * speed)
    counts, histograms, gauges = _measured(story, requests, seconds, use, hits, max(1, ready))
    counts["gateway.errors"] = float(round(requests * sum(one.errors for one in held)))
    return Signals(
        at,
        seconds,
        targets=ready,
        scraped=ready,
        counts={**counts, **spent},
        rates={name: count / seconds for name, count in counts.items()},
        histograms=histograms,
        gauges={**gauges, **held_now},
        replicas=states,
        sources={"gateway": {"targets": 1, "scraped": 1, "reason": ""}},
    )


def _measured(
    story: Story, requests: int, seconds: float, use: float, hits: float, ready: int
) -> tuple[dict[str, float], dict[str, Histogram], dict[str, float]]:
    # a queue grows without bound at full use; people give up long before, so it is cut there
    crowd = min(use, 0.97) / (1 - min(use, 0.97)) + max(0.0, use - 0.97) * 40
    wait = 0.004 + 0.02 * max(0.0, crowd - 1) ** 1.3
    prefill = story.ttft * (1 + 0.35 * use) * (1.25 - hits)
    tpot = story.tpot * (0.75 + 0.6 * use)
    prompt, output = requests * story.prompt, requests * story.output
    cached = prompt * hits
    generated = round(output)
    waiting = max(0.0, (use - 0.85) * 30 * ready)
    counts = {
        "requests": float(requests), "finished_stop": requests * 0.86, "finished_length": requests * 0.14,
        "finished_abort": 0.0, "finished_error": 0.0, "errors": 0.0, "aborts": 0.0, "rejections": 0.0,
        "prompt_tokens": prompt, "cached_tokens": cached, "generation_tokens": output,
        "source_computed": prompt - cached, "source_device": cached * (1 - story.host),
        "source_host": cached * story.host, "source_disk": 0.0, "source_p2p": 0.0, "source_external": 0.0,
        "prefix_queries": prompt, "prefix_hits": cached * (1 - story.host),
        "external_queries": prompt - cached * (1 - story.host), "external_hits": cached * story.host,
        "preemptions": float(round(max(0.0, use - 0.95) * 20 * ready * seconds / 60)),
        "offload_load_bytes": cached * story.host * 131072, "offload_store_bytes": prompt * story.host * 131072 * 0.4,
        "steps": seconds * ready / max(tpot, 1e-3),
        "gateway.requests": float(requests), "gateway.errors": 0.0,
    }  # fmt: skip
    e2e = wait + prefill + tpot * story.output
    latencies = {
        "queue": (wait, 0.9, requests), "prefill": (prefill, 0.5, requests),
        "decode": (tpot * story.output, 0.6, requests),
        "ttft": (wait + prefill, 0.55, requests), "e2e": (e2e, 0.6, requests), "tpot": (tpot, 0.3, requests),
        "itl": (tpot, 0.45, generated),
        "gateway.ttft": ((wait + prefill) * 1.02 + 0.002, 0.55, requests), "gateway.e2e": (e2e + 0.003, 0.6, requests),
        "gateway.itl": (tpot, 0.45, generated),
        "gateway.hold": (0.0005, 0.6, requests),
    }  # fmt: skip
    histograms = {
        family: _spread(centre, sigma, number, latency_grid()[1])
        for family, (centre, sigma, number) in latencies.items()
    }
    for family, (centre, sigma, number) in latencies.items():
        # the mean of a log-normal: exp(mu + sigma^2/2)
        counts[f"{family}_sum"] = number * centre * math.exp(sigma**2 / 2)
    for family, mean in (("prompt_length", story.prompt), ("generation_length", story.output)):
        histograms[family] = _spread(mean * 0.82, 0.63, requests, _LENGTHS[1:])
        counts[f"{family}_sum"] = requests * mean
    running = requests / seconds * e2e
    kv = min(0.98, running * (story.prompt + story.output) / (ready * 420_000.0))
    gauges = {
        "running": running, "waiting": waiting, "waiting_capacity": waiting, "waiting_deferred": 0.0,
        "kv_mean": kv, "kv_max": min(1.0, kv * 1.12), "kv_capacity_tokens": 420_000.0 * ready,
        "gateway.running": running, "gateway.queue": 0.0, "gateway.queue_bytes": 0.0, "gateway.ready": float(ready),
    }  # fmt: skip
    return counts, {name: one for name, one in histograms.items() if one.counts}, gauges


def _spread(centre: float, sigma: float, number: float, edges: tuple[float, ...]) -> Histogram:
    """`number` whole observations of a log-normal with this median, in the buckets of a grid."""
    if number <= 0:
        return Histogram()
    low, logs = _grid(edges)
    cumulative = np.rint(number * ndtr((logs - math.log(centre)) / sigma))
    counts = np.diff(cumulative, prepend=0.0, append=float(number))
    return Histogram({low[at]: float(counts[at]) for at in np.flatnonzero(counts)})


@functools.cache
def _grid(edges: tuple[float, ...]) -> tuple[list[tuple[float, float]], np.ndarray]:
    return [*pairwise((0.0, *edges, math.inf))], np.log(np.array(edges))
