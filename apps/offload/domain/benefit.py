"""What a tier is worth: computing a prefix against loading it, and what a configuration saves in an hour."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from apps.offload.domain.sketch import LENGTH_EDGES, Sketch
from apps.offload.domain.types import Bandwidth, Configuration, Gain, Placed, Policy, Signals
from apps.physics.data import read

__all__ = [
    "GIB",
    "HANDLING",
    "LOSSES",
    "STORED_MOST",
    "STORING",
    "UNSURE",
    "Loss",
    "Measured",
    "break_even",
    "evaluate",
    "evaluate_chunks",
    "hit_rate",
    "load_seconds",
    "recompute_seconds",
    "shortest",
    "to_device",
]

GIB = float(2**30)
_TOLL = read("tiers.json")["host"]
# seconds of computing that storing a byte takes, whatever its way: it is reading the bytes that disturbs; of longer
# prompts no more is charged than of so many tokens
STORING, STORED_MOST = float(_TOLL["storing"]), float(_TOLL["storedMost"])
# seconds of the engine that the connector takes for each prompt, whether anything is found or not: why a tier that
# never hits is no gain
HANDLING = float(_TOLL["handling"])
_LONGEST = 131_072
# what computing takes is known to so much of it, and near break-even that is all that a tier brings
UNSURE = 0.05
# why a tier finds less than a cache of its size that holds all that was wanted, in the order in which it is taken off
Loss: TypeAlias = Literal["ttl", "generated", "dropped", "chunks"]
LOSSES: tuple[Loss, ...] = get_args(Loss)
# until it is measured: a copy to pinned host memory (PCIe 5 x16, measured on the H200: 41.6 GB/s in, 53.6 out)
_HOST = Bandwidth(load=40e9, store=40e9)


def recompute_seconds(policy: Policy, tokens: float, past: float = 0.0) -> float:
    """Seconds of one replica to compute `tokens` of a prompt behind `past` cached ones."""
    return policy.token * tokens + policy.pair * tokens * (past + tokens / 2)


def load_seconds(policy: Policy, tokens: float, bandwidth: Bandwidth) -> float:
    """Seconds until `tokens` are loaded."""
    return bandwidth.latency + tokens * policy.kv_bytes / bandwidth.load


def to_device(kind: str, bandwidths: Mapping[str, Bandwidth]) -> Bandwidth | None:
    """The way from a tier to the accelerator, None where its bandwidth is not known: vLLM promotes what lies on a
    volume, in an object store or with a peer to host memory first, and loads it from there."""
    found = bandwidths.get(kind)
    if found is None or kind == "host":
        return found
    host = bandwidths.get("host", _HOST)
    return replace(found, load=1.0 / (1.0 / found.load + 1.0 / host.load), latency=found.latency + host.latency)


def break_even(policy: Policy, tokens: float) -> float:
    """Bytes per second at which loading a prefix of `tokens` takes as long as computing it: KV bytes of a token times
    prompt tokens per second."""
    return policy.kv_bytes * tokens / recompute_seconds(policy, tokens)


def shortest(policy: Policy, bandwidth: Bandwidth) -> int | None:
    """The shortest prefix (a power of two) that is loaded faster than computed; None: up to 131,072 tokens none is."""
    tokens = 64
    while tokens <= _LONGEST:
        if load_seconds(policy, tokens, bandwidth) * policy.wait < recompute_seconds(policy, tokens):
            return tokens
        tokens *= 2
    return None


@dataclass(frozen=True)
class Measured:
    """The sketches of a pool, read once for all configurations that are looked at."""

    replica: Sketch
    pool: Sketch
    _reached: dict[tuple[bool, float, int | None], NDArray[np.float64]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, signals: Signals) -> Measured:
        return cls(Sketch.from_json(signals.replica), Sketch.from_json(signals.pool))

    @classmethod
    def none(cls) -> Measured:
        """Of a pool whose reuse nobody measures."""
        return cls(Sketch(), Sketch())

    def of_tier(self, kind: str) -> Sketch:
        """Host memory is each replica's own, all else is the pool's."""
        return self.replica if kind == "host" else self.pool

    def reach(self, kind: str, tokens: float, ttl: int | None) -> NDArray[np.float64]:
        """Tokens that a tier of `tokens` has when they are wanted again, by length of their prefix."""
        key = (kind == "host", tokens, ttl)
        if key not in self._reached:
            sketch = self.of_tier(kind)
            found = sketch.lengths_within(tokens - sketch.held)
            self._reached[key] = found * sketch.time_share(float(ttl)) if ttl is not None else found
        return self._reached[key]


def evaluate(policy: Policy, signals: Signals, measured: Measured, configuration: Configuration) -> Gain:
    """What a configuration brings against none. Tiers whose bandwidth is not known bring nothing."""
    return evaluate_chunks(policy, signals, measured, configuration, (configuration.chunk,))[0]


def evaluate_chunks(
    policy: Policy, signals: Signals, measured: Measured, configuration: Configuration, chunks: Sequence[int]
) -> list[Gain]:
    """The same for a configuration with each of these chunks: what tiers have when it is wanted is found out once.

    A tier of `b` bytes keeps what the devices hold as well: it adds b / kv_bytes - held tokens to them.
    """
    hours = signals.window / 3600.0
    whole, usable = _whole(policy, np.array(chunks, dtype=np.float64)[:, None])
    served = np.zeros(len(LENGTH_EDGES))
    saved, computing, loaded = np.zeros(len(chunks)), np.zeros(len(chunks)), np.zeros(len(chunks))
    # what is loaded follows what the device has of the same prompt, where it has any of it
    on_device = signals.device_hits / signals.requests if signals.requests > 0 else 0.0
    cost = 0.0
    for tier in configuration.tiers:
        bandwidth = to_device(tier.kind, signals.bandwidths)
        declared = next((t for t in policy.tiers if t.kind == tier.kind), None)
        each = signals.replicas if tier.kind == "host" else 1.0
        cost += (declared.gib_hour if declared is not None else 0.0) * tier.bytes / GIB * each
        if bandwidth is None or signals.window <= 0:
            continue
        reach = _reach(policy, signals, measured, configuration, tier, bandwidth)
        more = np.maximum(reach - served, 0.0) * usable
        past = on_device * (1.0 - measured.of_tier(tier.kind).rooted_share)
        compute = policy.token * whole + policy.pair * whole * (past + whole / 2)
        loading = np.where(whole > 0, bandwidth.latency + whole * policy.kv_bytes / bandwidth.load, 0.0)
        loads = np.divide(more, whole, out=np.zeros_like(more), where=whole > 0)
        saved += (loads * (compute - policy.wait * loading)).sum(axis=1)
        computing += (loads * compute).sum(axis=1)
        loaded += more.sum(axis=1)
        served = np.maximum(served, reach)
    if configuration.tiers and hours > 0:
        # what is loaded lies in a tier already, and is not stored there again
        stored = np.clip(measured.replica.stored - loaded, 0.0, STORED_MOST * signals.requests)
        saved -= STORING * stored * policy.kv_bytes + HANDLING * signals.requests
    found = (served * usable).sum(axis=1)
    return [
        _gain(policy, signals, cost, *sums)
        for sums in zip(saved.tolist(), computing.tolist(), loaded.tolist(), found.tolist(), strict=True)
    ]


def _gain(
    policy: Policy, signals: Signals, cost: float, saved: float, computing: float, loaded: float, found: float
) -> Gain:
    hours = signals.window / 3600.0
    gpu_seconds, replaced = (saved / hours, computing / hours) if hours > 0 else (0.0, 0.0)
    net = gpu_seconds / 3600.0 * policy.price - cost
    return Gain(
        hit_rate=_rate(signals, found),
        gpu_seconds=gpu_seconds,
        ttft=saved / signals.requests if signals.requests > 0 else 0.0,
        cost=cost,
        net=net,
        each=computing / loaded if loaded > 0 else 0.0,
        computing=replaced,
        sure=net - UNSURE * replaced / 3600.0 * policy.price,
    )


def hit_rate(
    policy: Policy,
    signals: Signals,
    measured: Measured,
    configuration: Configuration,
    losses: Collection[Loss] = LOSSES,
) -> float:
    """Share of prompt tokens that are found. With all losses it is the one of `evaluate`; without any, and with one
    tier, the point of the curve at the tier's size."""
    served = np.zeros(len(LENGTH_EDGES))
    for tier in configuration.tiers:
        bandwidth = to_device(tier.kind, signals.bandwidths)
        if bandwidth is not None and signals.window > 0:
            served = np.maximum(served, _reach(policy, signals, measured, configuration, tier, bandwidth, losses))
    if "chunks" in losses:
        served = served * _whole(policy, np.array(float(configuration.chunk)))[1]
    return _rate(signals, float(served.sum()))


def _rate(signals: Signals, found: float) -> float:
    hits = signals.device_hits + found
    return min(hits / signals.wanted, 1.0) if signals.wanted > 0 else 0.0


def _whole(policy: Policy, chunk: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each chunk, of prefixes by length (the last axis): the tokens that whole chunks hold, and their share of all
    that come again. Where a prompt's hits end has nothing to do with where chunks do: half a chunk is lost, and of
    prefixes shorter than one the part that no chunk ends in."""
    lengths = LENGTH_EDGES * 0.75
    whole = np.where(lengths >= chunk, lengths - np.maximum(chunk - policy.block, 0.0) / 2, lengths / 2)
    return whole, np.minimum(lengths / chunk, 1.0) * whole / lengths


def _reach(
    policy: Policy,
    signals: Signals,
    measured: Measured,
    configuration: Configuration,
    tier: Placed,
    bandwidth: Bandwidth,
    losses: Collection[Loss] = LOSSES,
) -> NDArray[np.float64]:
    """Tokens that a tier has when they are wanted again, by length of their prefix; whole chunks are not looked at."""
    sketch = measured.of_tier(tier.kind)
    reach = measured.reach(tier.kind, tier.bytes / policy.kv_bytes, tier.ttl if "ttl" in losses else None)
    if configuration.prompt_only and "generated" in losses:
        # what is generated is not stored then, and not found again
        reach = reach * (1.0 - _share(sketch.generated_again * sketch.correction, sketch.total_again))
    if "dropped" in losses:
        reach = reach * _stored_share(policy, signals, sketch, bandwidth)
    return reach


def _stored_share(policy: Policy, signals: Signals, sketch: Sketch, bandwidth: Bandwidth) -> float:
    """Of what is computed, the share that the tier can take in: engines drop what they cannot write in time."""
    if sketch.stored <= 0 or signals.window <= 0:
        return 1.0
    rate = sketch.stored * policy.kv_bytes / signals.window / max(signals.replicas, 1.0)
    return min(1.0, bandwidth.store / rate)


def _share(part: float, whole: float) -> float:
    return min(part / whole, 1.0) if whole > 0 else 0.0
