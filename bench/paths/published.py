"""llm-d's published experiment on prefix-cache-aware scheduling: its protocol, and its figures to stand beside ours.

Source: benchmarking/73-capacity/README.md of llm-d/llm-d-kv-cache-manager (a378f5b, 2025-12), the report behind the
post of 2025-09-24: Qwen3-32B on 8 x 2 H100, 307,328 KV tokens a replica, 150 groups x 5 users, 6,000 + 1,200 prompt
and 1,000 output tokens. The load generator (inference-perf) sends each stage's requests as a Poisson process and waits
for all answers before the next stage; the throughput of the summary is the mean of the stages', its TTFT pools all
requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.paths import configs

REPLICAS = 8
WARM_UP = (15.0, 50.0)
LADDER = (
    (3, 20), (10, 20), (15, 20), (20, 38), (22, 34), (25, 30), (30, 25), (35, 21), (40, 38), (43, 36), (46, 33),
    (49, 30), (52, 29), (55, 27), (57, 26), (60, 25),
)  # fmt: skip
"""(requests/s, seconds) of each stage, after the warm-up."""
SCHEDULINGS: Mapping[str, Callable[[], Mapping[str, Any]]] = {
    "precise": lambda: configs.precise((2, 2, 3)),
    "approximate": lambda: configs.approximate(weights=(1, 1, 1)),
    "load-aware": lambda: configs.load_aware(1, 1),
    "random": configs.random_choice,
}
"""With the weights of the report: queue, KV usage, prefix."""


@dataclass(frozen=True, slots=True)
class Published:
    """tokens_per_second: mean of the stages. Latencies in seconds, of all requests. waiting: mean of the engines'
    queues. stages: (tokens/s, TTFT p90) of each stage of LADDER."""

    tokens_per_second: float
    ttft_p90: float
    ttft_mean: float
    waiting: float
    stages: tuple[tuple[float, float], ...]


FIGURES: Mapping[str, Published] = {
    "precise": Published(8730.0, 0.542, 0.298, 0.1, (
        (1219.1, 0.498), (3902.1, 0.6), (5761.1, 0.4), (9184.5, 0.6), (9382.0, 0.5), (9242.2, 0.583), (9221.8, 0.509),
        (9780.6, 0.5), (10270.8, 0.488), (10054.8, 0.5), (10128.7, 0.589), (10296.5, 0.6), (10284.6, 0.507),
        (10140.9, 0.6), (10313.9, 0.6), (10496.9, 0.5),
    )),
    "approximate": Published(6944.4, 31.083, 13.316, 8.1, (
        (1310.9, 0.497), (3842.4, 0.499), (5152.9, 0.4), (8082.6, 0.6), (8415.7, 0.7), (8445.1, 0.609), (8435.9, 0.708),
        (7443.5, 2.459), (8045.9, 43.018), (7969.6, 43.515), (7695.2, 44.93), (7455.9, 46.335), (7452.3, 47.284),
        (7100.7, 50.108), (7013.8, 49.93), (7247.9, 50.226),
    )),
    "load-aware": Published(4266.4, 94.865, 46.987, 28.9, (
        (1274.8, 1.609), (3607.0, 4.124), (3348.4, 7.002), (4902.5, 77.707), (4785.5, 72.972), (4872.8, 85.979),
        (4888.7, 83.806), (4660.7, 88.086), (4946.4, 100.911), (4973.3, 101.524), (4723.6, 105.884), (4004.8, 105.015),
        (3991.0, 108.572), (4671.9, 110.681), (3866.5, 113.278), (4745.1, 110.184),
    )),
    "random": Published(4428.7, 92.551, 45.281, 27.3, (
        (1314.0, 0.82), (3568.5, 1.398), (3791.1, 2.299), (4933.1, 70.273), (4765.4, 78.42), (4781.3, 82.943),
        (4636.3, 86.182), (4332.6, 91.519), (4773.8, 101.272), (4844.6, 101.142), (4969.5, 101.265), (4783.2, 103.514),
        (4845.1, 105.004), (4921.7, 104.321), (4764.2, 106.816), (4835.2, 105.988),
    )),
}  # fmt: skip
"""The post's table gives load-aware the throughput of random; the report's is 4266.4."""
