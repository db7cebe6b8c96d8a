"""The published experiments beside the first: tiers of memory, cold prefixes, predicted latency."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from apps.physics.fleet.types import Arrival
from apps.physics.tiers import OffloadConfig, host_link
from bench.paths import configs
from bench.paths.play import QWEN, closed, play, variant
from bench.paths.published import REPLICAS
from bench.paths.verdict import SAME, Verdict
from bench.paths.workload import BLOCK, Shape, poisson, prompts, trace

SEED = 1


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
        "tokens and a question of 64 are ours: the post gives groups, prompt and clients. Its p90 hardly moves (20.9 "
        "to 20.2 s), so more than a tenth of its prompts were still computed; here the memory of all hosts holds each "
        "prompt twice, and one in seven is computed."
    )
    return {"ttft_less": less, "throughput_more": more}, [Verdict("host memory lowers TTFT under pressure", less > 0)]


def cold() -> tuple[dict[str, Any], list[Verdict]]:
    """no-hit-lru-scorer: 150 prefixes that nobody holds yet, 50 requests a second."""
    shape = Shape(groups=150, users=5, prefix=5504, question=512)
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
    print(
        f"TTFT p99 {ratio:.2f} times lower (published 18.3 s -> 8 s, 2.3 times). Each prefix is cold once, and all of "
        "them together are 7 s of work for the fleet: that is all there is to spread here. Published waits of 18 s "
        "say that theirs were evicted and computed again, which the post does not describe."
    )
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
