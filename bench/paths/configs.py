"""The endpoint picker's configurations that are compared: documents, as they would be rendered."""

from __future__ import annotations

from typing import Any

from bench.paths.workload import BLOCK

OLD, NEW = "inference.networking.x-k8s.io/v1alpha1", "llm-d.ai/v1alpha1"
EVENTS = {"discoverPods": True, "podDiscoveryConfig": {"socketPort": 5557}}


def document(version: str, plugins: list[dict[str, Any]], profile: list[tuple[str, float]]) -> dict[str, Any]:
    return {
        "apiVersion": version,
        "kind": "EndpointPickerConfig",
        "plugins": plugins,
        "schedulingProfiles": [
            {"name": "default", "plugins": [{"pluginRef": name, "weight": weight} for name, weight in profile]}
        ],
    }


_LOAD = [{"type": "queue-scorer"}, {"type": "kv-cache-utilization-scorer"}]


def load(queue: float = 2, kv: float = 2) -> list[tuple[str, float]]:
    """A profile's scorers of load."""
    return [("queue-scorer", queue), ("kv-cache-utilization-scorer", kv)]


def random_choice() -> dict[str, Any]:
    return document(OLD, [{"type": "random-picker"}], [("random-picker", 1)])


def load_aware(queue: float = 2, kv: float = 2) -> dict[str, Any]:
    return document(OLD, _LOAD, load(queue, kv))


def approximate(
    *,
    capacity: int | None = 31_250 * 16 // BLOCK,
    most: int | None = 256 * 16 // BLOCK,
    weights: tuple[float, float, float] = (1, 1, 1),
) -> dict[str, Any]:
    """The defaults of the release of the post: 31,250 hashes a pod and 256 blocks of a prompt, of 64 characters each,
    which are 16 tokens; here by blocks of `BLOCK` tokens. None: as large as the cache, and the whole prompt."""
    parameters: dict[str, Any] = {"blockSizeTokens": BLOCK}
    if capacity:
        parameters |= {"autoTune": False, "lruCapacityPerServer": capacity}
    if most:
        parameters["maxPrefixBlocksToMatch"] = most
    scorer = {"type": "prefix-cache-scorer", "parameters": parameters}
    queue, kv, prefix = weights
    return document(OLD, [*_LOAD, scorer], [*load(queue, kv), ("prefix-cache-scorer", prefix)])


def precise(weights: tuple[float, float, float] = (2, 2, 3)) -> dict[str, Any]:
    parameters = {"tokenProcessorConfig": {"blockSize": BLOCK}, "kvEventsConfig": EVENTS}
    scorer = {"type": "precise-prefix-cache-scorer", "parameters": parameters}
    queue, kv, prefix = weights
    return document(OLD, [*_LOAD, scorer], [*load(queue, kv), ("precise-prefix-cache-scorer", prefix)])


def precise_now(*, filtered: bool) -> dict[str, Any]:
    """The current release: matched share as score, or sticky until saturated."""
    name = "precise-prefix-cache-producer"
    parameters = {
        "tokenProcessorConfig": {"blockSizeTokens": BLOCK}, "kvEventsConfig": EVENTS, "speculativeIndexing": True,
    }  # fmt: skip
    source = {"prefixMatchInfoProducerName": name}
    plugins: list[dict[str, Any]] = [
        {"type": name, "parameters": parameters},
        {"type": "inflight-load-producer", "parameters": source},
    ]
    if filtered:
        plugins += [
            {"type": "prefix-cache-affinity-filter", "parameters": {**source, "peakPrefillThroughput": 15926}},
            {"type": "token-load-scorer"},
        ]
        return document(NEW, plugins, [("prefix-cache-affinity-filter", 1), ("token-load-scorer", 1)])
    plugins += [*_LOAD, {"type": "prefix-cache-scorer", "parameters": source}]
    return document(NEW, plugins, [*load(), ("prefix-cache-scorer", 3)])


def no_hit_lru() -> dict[str, Any]:
    found = approximate(capacity=None, most=None)
    found["plugins"].append({"type": "no-hit-lru-scorer"})
    found["schedulingProfiles"][0]["plugins"].append({"pluginRef": "no-hit-lru-scorer", "weight": 2})
    return found


def load_and_prefix(queue: float, kv: float, prefix: float) -> dict[str, Any]:
    scorer = {"type": "prefix-cache-scorer", "parameters": {"blockSizeTokens": BLOCK}}
    return document(OLD, [*_LOAD, scorer], [*load(queue, kv), ("prefix-cache-scorer", prefix)])


def predicted_latency() -> dict[str, Any]:
    plugins: list[dict[str, Any]] = [
        {"type": "approx-prefix-cache-producer", "parameters": {"blockSizeTokens": BLOCK}},
        {"type": "inflight-load-producer"},
        {"type": "predicted-latency-producer"},
        {"type": "prefix-cache-affinity-filter", "parameters": {
            "explorationProbability": 0.01, "maxTTFTPenaltyMs": 5000, "ttftSource": "latencyPredictor"}},
        {"type": "latency-scorer"},
        {"type": "weighted-random-picker"},
    ]  # fmt: skip
    return document(
        NEW, plugins, [("prefix-cache-affinity-filter", 1), ("latency-scorer", 1), ("weighted-random-picker", 1)]
    )


def tiers(*, cpu_blocks: int) -> dict[str, Any]:
    """Two indexes of one scorer each: what is on the device, and what host memory holds."""
    gpu = {"type": "prefix-cache-scorer", "name": "gpu-prefix-cache-scorer", "parameters": {"blockSizeTokens": BLOCK}}
    cpu = {"type": "prefix-cache-scorer", "name": "cpu-prefix-cache-scorer", "parameters": {
        "blockSizeTokens": BLOCK, "autoTune": False, "lruCapacityPerServer": cpu_blocks}}  # fmt: skip
    return document(OLD, [*_LOAD, gpu, cpu], [*load(), (gpu["name"], 1), (cpu["name"], 1)])  # type: ignore[list-item]
