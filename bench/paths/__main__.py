"""What scheduling is worth: llm-d's published experiments replayed in virtual time, our ratios beside theirs.

`--quick` plays the post's four schedulings only; it takes seconds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.physics.fleet.types import Arrival
from apps.physics.tiers import OffloadConfig, host_link
from bench.common import finish
from bench.paths import configs
from bench.paths.play import KV_TOKENS, QWEN, Row, closed, play, variant
from bench.paths.rendering import rendering_ms
from bench.paths.workload import BLOCK, LADDER, WARM_UP, Shape, poisson, prompts, trace

REPLICAS = 8
SEED = 1
PUBLISHED = {
    "precise": (8730.0, 0.542, 0.298, 0.1),
    "approximate": (6944.4, 31.083, 13.316, 8.1),
    "load-aware": (4428.7, 94.865, 46.987, 28.9),
    "random": (4428.7, 92.551, 45.281, 27.3),
}
"""Output tokens/s, TTFT p90 s, TTFT mean s, mean of the engines' wait queues."""
EVEN = (1.0, 1.0, 1.0)
SCHEDULINGS: Mapping[str, Callable[[], Mapping[str, Any]]] = {
    "precise": lambda: configs.precise(EVEN),
    "approximate": lambda: configs.approximate(weights=EVEN),
    "load-aware": configs.load_aware,
    "random": configs.random_choice,
    "precise 2:2:3": configs.precise,
    "sticky filter": lambda: configs.precise_now(filtered=True),
}
PUBLISHED_SHARE = 0.15
"""Of the ladder's times: with it the load-aware row is the published one."""
# two rows of the published table are equal to one decimal: what lies closer than this is not ordered
SAME = 0.1


@dataclass(frozen=True)
class Verdict:
    """A claim and whether it held."""

    claim: str
    held: bool


def ladder(share: float, names: Sequence[str], title: str) -> dict[str, Row]:
    """Play the ladder of rates, each step for `share` of its time, under some of the schedulings."""
    stages = [WARM_UP, *((rate, seconds * share) for rate, seconds in LADDER)]
    arrivals = trace(Shape(), stages, SEED)
    print(f"\n{title}: {len(arrivals)} requests, after {WARM_UP[1]:.0f} s of warm-up")
    print(
        f"{'':14} {'tok/s':>7} {'TTFT p90':>9} {'mean':>8} {'p99':>8} {'TPOT ms':>8} {'waiting':>8} {'hit':>6}"
        "  published"
    )
    rows = {}
    for name in names:
        row = rows[name] = play(name, SCHEDULINGS[name](), arrivals, replicas=REPLICAS, skip=WARM_UP[1])
        told, beside = PUBLISHED.get(name), ""
        if told and share == PUBLISHED_SHARE:
            beside = f"{told[0]:7.1f} tok/s, p90 {told[1]:6.3f} s, mean {told[2]:6.3f} s, waiting {told[3]:4.1f}"
        print(
            f"{name:14} {row.tokens_per_second:7.0f} {row.ttft_p90:8.3f}s {row.ttft_mean:7.3f}s {row.ttft_p99:7.2f}s "
            f"{row.tpot_p50 * 1e3:8.1f} {row.waiting:8.2f} {row.hit:6.1%}  {beside}"
        )
    return rows


def published() -> tuple[dict[str, Row], list[Verdict]]:
    """The four schedulings of the post."""
    shape = Shape()
    print(
        f"8 replicas of Qwen3-32B on 2 H100 each, {KV_TOKENS} KV tokens a replica; {shape.groups} groups x "
        f"{shape.users} users, {shape.prefix} + {shape.question} prompt and {shape.output} output tokens: a working "
        f"set of {shape.working_set / (REPLICAS * KV_TOKENS):.0%} of the caches (published: 73 %), "
        f"{shape.working_set / KV_TOKENS:.1f} times one of them"
    )
    rows = ladder(PUBLISHED_SHARE, list(PUBLISHED), "3 to 60 requests/s, about as long as the post's")
    precise, guess, load, chance = (rows[name] for name in PUBLISHED)
    print(
        f"TTFT p90: approximate / precise {guess.ttft_p90 / precise.ttft_p90:.2f} (published 57), random / precise "
        f"{chance.ttft_p90 / precise.ttft_p90:.0f} (170); throughput: precise / random "
        f"{precise.tokens_per_second / chance.tokens_per_second:.2f} (1.97), precise / approximate "
        f"{precise.tokens_per_second / guess.tokens_per_second:.2f} (1.26)"
    )
    alike = 1 + SAME
    return rows, [
        Verdict("precise before or like approximate", precise.ttft_p90 <= guess.ttft_p90 * alike),
        Verdict("approximate before load-aware", guess.ttft_p90 < load.ttft_p90),
        Verdict("load-aware like random", chance.ttft_p90 / alike <= load.ttft_p90 <= chance.ttft_p90 * alike),
        Verdict("TTFT p90 random / precise at least 170", chance.ttft_p90 >= 170 * precise.ttft_p90),
        Verdict("throughput precise / random at least 1.97",
                precise.tokens_per_second >= 1.97 * chance.tokens_per_second),
    ]  # fmt: skip


def longer() -> tuple[dict[str, Any], list[Verdict]]:
    """Longer, so that what a guess gets wrong adds up; and other weights."""
    names = ["precise", "approximate", "precise 2:2:3", "sticky filter"]
    rows = ladder(0.5, names, "The same, longer")
    precise, guess = rows["precise"], rows["approximate"]
    ratio = guess.ttft_mean / precise.ttft_mean
    print(
        f"approximate / precise: TTFT p90 {guess.ttft_p90 / precise.ttft_p90:.2f}, mean {ratio:.1f} (published 45), "
        f"p99 {guess.ttft_p99 / precise.ttft_p99:.0f}"
    )
    tail = guess.ttft_p99 / precise.ttft_p99
    return {"approximate_to_precise_ttft_mean": ratio, "approximate_to_precise_ttft_p99": tail}, [
        Verdict("precise before approximate when it lasts", precise.ttft_p90 < guess.ttft_p90
                and precise.ttft_mean < guess.ttft_mean),
    ]  # fmt: skip


DIFFERENCES = """
Where we differ from the post, and why:
- Neither the length of answers nor that of the run is published. 330 output tokens make the published throughput at the
  ladder's mean rate; an overloaded fleet's TTFT grows with the length of the run, and the length played here gives the
  published row of load-aware. These two are fitted; precise, approximate and random are what follows.
- random / precise is larger here: precise scheduling has half of the published TTFT, as nothing but the engine takes
  time (no proxy, tokenizer, network), and its step times come from kernel tables (good to a factor of about 1.5).
- approximate / precise is far smaller here: one picker sees every request, never restarts, and reads metrics that are
  50 ms old at most; the engines evict the least recently used as its guess assumes. So the guess is right until load
  breaks affinity: then it believes in copies that are gone, which shows in the mean and the tail when the run lasts.
  What made the published one lose more than that is not in the physics (text hashed in characters, several pickers,
  late metrics are candidates).
- The post does not say its weights. Even ones (what the picker takes where none are given) are used above for precise
  and approximate alike: under the guide's 2:2:3 both decide the same over the short run. 2:2:3 and today's sticky
  filter hold on to a replica longer: replicas that the warm-up gave more groups keep them, and their requests
  wait, so that precise at 2:2:3 is slower than approximate at even weights in the longer run.
"""


def tiers() -> tuple[dict[str, Any], list[Verdict]]:
    """0.4's CPU cache under pressure: 45 groups of 30k tokens, 45 clients, GPU memory at 0.65."""
    kv = 130_048
    shape = Shape(groups=45, users=1, prefix=29_952, question=64, output=250)
    block = BLOCK * QWEN.kv_bytes_per_token
    load, store, latency = host_link("nvidia-h100", 2)
    offload = OffloadConfig(1, int(100e9 / block), int(block), load, store, latency)
    found = {}
    print("\nTiered prefix cache: 45 prompts of 30k tokens asked by 45 clients, 130k KV tokens a replica")
    for name, kind, document in (
        ("device only", variant(kv), configs.approximate(capacity=None, most=None)),
        ("100 GB host", variant(kv, offload=offload), configs.tiers(cpu_blocks=int(100e9 / block))),
    ):
        row = found[name] = closed(
            name, document, shape, replicas=REPLICAS, clients=45, requests=360, skip=90, kind=kind, seed=SEED, tick=0.1
        )
        total = row.tokens_per_second * (shape.prompt + shape.output) / shape.output
        print(f"{name:14} TTFT mean {row.ttft_mean:6.2f} s  p90 {row.ttft_p90:6.2f} s  E2E mean {row.e2e_mean:6.2f} s  "
              f"{total:8.0f} tok/s  hit {row.hit:.1%}")  # fmt: skip
    less = 1 - found["100 GB host"].ttft_mean / found["device only"].ttft_mean
    more = found["100 GB host"].tokens_per_second / found["device only"].tokens_per_second - 1
    print(
        f"TTFT mean {-less:+.0%} (published -25.6 %), throughput {more:+.0%} (published +21.3 %). Answers of 250 "
        "tokens and a question of 64 are ours: the post gives groups, prompt and clients."
    )
    return {"ttft_less": less, "throughput_more": more}, [Verdict("host memory lowers TTFT under pressure", less > 0)]


def cold() -> tuple[dict[str, Any], list[Verdict]]:
    """no-hit-lru-scorer: 150 prefixes that nobody holds yet, 50 requests a second."""
    shape = Shape(groups=150, users=5, prefix=5504, question=512, output=100)
    arrivals = trace(shape, [(50, 30)], SEED)
    found = {}
    print("\nCold prefixes: 150 of 5,500 tokens at 50 requests/s from empty caches")
    for name, document in (
        ("prefix, load", configs.approximate(capacity=None, most=None)),
        ("and no-hit-LRU", configs.no_hit_lru()),
    ):
        row = found[name] = play(name, document, arrivals, replicas=REPLICAS)
        print(
            f"{name:14} TTFT mean {row.ttft_mean:6.2f} s  p90 {row.ttft_p90:6.2f} s  p99 {row.ttft_p99:6.2f} s  "
            f"hit {row.hit:.1%}"
        )
    ratio = found["prefix, load"].ttft_p99 / found["and no-hit-LRU"].ttft_p99
    print(f"TTFT p99 {ratio:.2f} times lower (published 18.3 s -> 8 s, 2.3 times; with answers of 1,000 tokens)")
    return {"p99_ratio": ratio}, [Verdict("no-hit-LRU does not worsen TTFT p99", ratio >= 1 - SAME)]


def predicted() -> tuple[dict[str, Any], list[Verdict]]:
    """Predicted latency against weights, on a mix of long unique prompts and short shared ones."""
    chance = np.random.default_rng(SEED)
    short = prompts(Shape(groups=40, users=20, prefix=1024, question=256), chance)
    long = prompts(Shape(groups=400, users=1, prefix=16_384, question=512), chance)
    arrivals = []
    for index, at in enumerate(poisson([(22, 150)], chance)):
        if chance.random() < 0.2:
            arrivals.append(Arrival(index, at, 16_896, 100, block_hashes=long[index % len(long)]))
        else:
            arrivals.append(Arrival(index, at, 1280, 400, block_hashes=short[index % len(short)]))
    found = {}
    print(
        "\nPredicted latency: every fifth prompt long and new (16.9k tokens), the rest short and shared; 22 requests/s"
    )
    compared: dict[str, Callable[[], dict[str, Any]]] = {
        "random": configs.random_choice,
        "weights 1:1:1": lambda: configs.load_and_prefix(1, 1, 1),
        "weights 3:2:2": lambda: configs.load_and_prefix(3, 2, 2),
        "predicted": configs.predicted_latency,
    }
    for name, document in compared.items():
        row = found[name] = play(name, document(), arrivals, replicas=REPLICAS, skip=30.0)
        print(
            f"{name:14} TTFT p50 {row.ttft_p50:6.3f} s  p90 {row.ttft_p90:6.3f} s  TPOT p50 "
            f"{row.tpot_p50 * 1e3:5.1f} ms  E2E mean {row.e2e_mean:6.2f} s"
        )
    best = min(found["weights 1:1:1"].ttft_p90, found["weights 3:2:2"].ttft_p90)
    ratio = best / found["predicted"].ttft_p90
    print(
        f"TTFT p90 {ratio:.2f} times lower than the better weights (published: p50 0.97 against 2.86 s, p95 11.34 "
        "against 16.78 s on another model and fleet; the predictor there is trees, here a line fitted online)"
    )
    return {"p90_ratio": ratio}, [
        Verdict("predicted latency beats random", found["predicted"].ttft_p90 < found["random"].ttft_p90)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the post's four schedulings only; seconds")
    quick = parser.parse_args().quick
    begun = time.perf_counter()
    rows, verdicts = published()
    figures: dict[str, Any] = {}
    for part in () if quick else (longer, tiers, cold, predicted):
        told, held = part()
        figures |= {f"{part.__name__}_{name}": round(value, 3) for name, value in told.items()}
        verdicts += held
    print(DIFFERENCES)
    milliseconds = rendering_ms()
    print(f"rendering a pool: {milliseconds:.2f} ms (limit 5)")
    verdicts.append(Verdict("rendering a pool under 5 ms", milliseconds < 5))
    for verdict in verdicts:
        print(f"{'ok  ' if verdict.held else 'MISS'} {verdict.claim}")
    precise, guess, chance = rows["precise"], rows["approximate"], rows["random"]
    finish(
        "paths",
        figures={
            **{f"{name.replace(' ', '_')}_ttft_p90_s": round(row.ttft_p90, 3) for name, row in rows.items()},
            **{f"{name.replace(' ', '_')}_tokens_per_s": round(row.tokens_per_second) for name, row in rows.items()},
            **figures,
            "rendering_ms": round(milliseconds, 2),
            "seconds": round(time.perf_counter() - begun, 1),
        },
        ratios={
            "ttft_p90_approximate_to_precise": round(guess.ttft_p90 / precise.ttft_p90, 2),
            "ttft_p90_random_to_precise": round(chance.ttft_p90 / precise.ttft_p90, 1),
            "throughput_precise_to_random": round(precise.tokens_per_second / chance.tokens_per_second, 2),
            "rendering_to_limit": round(milliseconds / 5, 3),
        },
        peer="llm-d's published experiment (57, 170 and 1.97); rendering: 5 ms",
        ok=all(verdict.held for verdict in verdicts),
    )


if __name__ == "__main__":
    main()
