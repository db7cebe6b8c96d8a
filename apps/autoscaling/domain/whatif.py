"""The production `decide` at the wheel of a fleet in virtual time: an observation becomes the signals of a tick."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from apps.autoscaling.domain.decide import decide
from apps.autoscaling.domain.types import (
    Decision,
    Distribution,
    Known,
    NoTraffic,
    Objective,
    Observed,
    Pending,
    Policy,
    Replicas,
    Sample,
    Signals,
    State,
    VariantPolicy,
    VariantSignals,
)
from apps.physics.fleet.fleet import COMING, FleetVariant, Observation, Phase, ReplicaView
from apps.physics.fleet.run import Limits
from apps.physics.fleet.types import GAP_BOUNDS
from apps.telemetry.domain.histogram import Histogram

__all__ = ["ASK", "TOKEN_EDGES", "Driver", "limits_of", "signals_of", "variant_policy"]

TOKEN_EDGES = tuple(float(step * 10**power) for power in range(6) for step in (1, 2, 5))
"""vLLM's bucket edges of prompt and output lengths."""
AWAKE = (Phase.READY, Phase.DRAINING)
ASK = 1.0
"""Seconds between looks at who waits while a pool has no replica (apps/autoscaling/waking)."""


@dataclass(slots=True)
class Driver:
    """A `Controller` of `apps.physics.fleet.run`. `edges`: of the latency histograms, seconds; `began`: the Unix second
    of the trace's zero (schedules and freeze windows read it). moves: the decisions that changed a target."""

    policy: Policy
    edges: Sequence[float]
    began: float = 0.0
    state: State = field(default_factory=State)
    moves: list[Decision] = field(default_factory=list)

    def __call__(self, seen: Observation) -> Mapping[str, tuple[int, int]]:
        decision = decide(self.policy, signals_of(seen, self.policy, self.edges), self.state, self.began + seen.now)
        self.state = decision.state
        if decision.targets != decision.before:
            self.moves.append(decision)
        return {target.variant: (target.replicas, target.asleep) for target in decision.targets}


def variant_policy(variant: FleetVariant, minimum: int, maximum: int) -> VariantPolicy:
    """What production would know of a variant of the fleet before it has run."""
    return VariantPolicy(
        name=variant.name,
        minimum=minimum,
        maximum=maximum,
        price=variant.price * variant.accelerators,
        step_time=variant.step_time,
        kv_tokens=variant.engine.kv_tokens,
        accelerators=variant.accelerators,
        max_num_seqs=variant.engine.max_num_seqs,
        max_num_batched_tokens=variant.engine.max_num_batched_tokens,
        startup=variant.startup.p90,
        wake=variant.wake,
    )


def limits_of(objectives: Iterable[Objective], length_factor: float = 0.0) -> Limits:
    """What a single request needs; a metric without an objective has no limit."""
    tightest: dict[str, float] = {}
    for each in objectives:
        tightest[each.metric] = min(each.threshold, tightest.get(each.metric, each.threshold))
    between = min(tightest.get("tpot", float("inf")), tightest.get("itl", float("inf")))
    return Limits(tightest.get("ttft", float("inf")), between, length_factor)


def signals_of(seen: Observation, policy: Policy, edges: Sequence[float]) -> Signals:
    """The signals of one tick: what a scrape of the engines, the endpoint picker and the Kubernetes API tell."""
    by_variant: dict[str, list[ReplicaView]] = {variant.name: [] for variant in policy.variants}
    for each in seen.replicas:
        by_variant[each.variant].append(each)
    variants = tuple(_variant(name, seen, mine, edges) for name, mine in by_variant.items())
    if not seen.readable:
        return Signals(seen.seconds, variants)
    ended = [each for mine in by_variant.values() for one in mine for each in one.ended]
    firsts = [each.ttft for mine in by_variant.values() for one in mine for each in one.load.first_tokens]
    return Signals(
        seconds=seen.seconds,
        variants=variants,
        arrived=Known(float(len(seen.arrived))),
        shed=Known(float(seen.given_up)),
        queued=Known(float(seen.held)),
        queued_tokens=Known(float(seen.held_tokens)),
        oldest=Known(seen.oldest),
        ttft=_distribution(firsts, edges),
        tpot=_distribution([each.tpot for each in ended if each.arrival.output_tokens > 1], edges),
        e2e=_distribution([each.last - each.arrival.time for each in ended], edges),
    )


def _variant(name: str, seen: Observation, mine: Sequence[ReplicaView], edges: Sequence[float]) -> VariantSignals:
    startups = tuple(seconds for variant, seconds in seen.startups if variant == name)
    replicas = Replicas(
        desired=seen.desired[name],
        ready=sum(1 for each in mine if each.phase is Phase.READY),
        pending=tuple(Pending(each.age, each.stuck) for each in mine if each.phase in COMING),
        draining=sum(1 for each in mine if each.phase is Phase.DRAINING),
        asleep=sum(1 for each in mine if each.phase in (Phase.ASLEEP, Phase.FALLING_ASLEEP)),
    )
    if not seen.readable:
        return VariantSignals(name, replicas, startups=startups)
    awake = [each for each in mine if each.phase in AWAKE]
    ended = [each for one in mine for each in one.ended]
    firsts = [each for one in mine for each in one.load.first_tokens]
    gaps = [sum(counts) for counts in zip(*(one.load.gap_counts for one in mine), strict=True)]

    def total(attribute: str) -> Sample:
        return Known(float(sum(getattr(one.load, attribute) for one in mine)))

    return VariantSignals(
        name,
        replicas,
        finished=Known(float(len(ended))),
        prompt_tokens=total("prompt_tokens"),
        cached_tokens=total("cached_tokens"),
        generated_tokens=total("generation_tokens"),
        steps=total("steps"),
        running=Known(float(sum(one.running for one in awake))),
        waiting=Known(float(sum(one.waiting for one in awake))),
        kv_usage=Known(sum(one.kv_usage for one in awake) / len(awake)) if awake else NoTraffic(),
        preemptions=total("preemptions"),
        prompt_lengths=_distribution([each.arrival.prompt_tokens for each in ended], TOKEN_EDGES),
        output_lengths=_distribution([each.arrival.output_tokens for each in ended], TOKEN_EDGES),
        # an engine's clock starts when the request reaches it, and its counters know single tokens
        ttft=_distribution([each.first - each.sent for each in firsts], edges),
        tpot=_distribution([each.tpot for each in ended if each.arrival.output_tokens > 1], edges),
        itl=_counted(gaps),
        e2e=_distribution([each.last - each.sent for each in ended], edges),
        startups=startups,
    )


def _distribution(values: Sequence[float], edges: Sequence[float]) -> Observed:
    if not values:
        return NoTraffic()
    counts = Counter(bisect_left(edges, value) for value in values)
    return Distribution(Histogram({_bucket(edges, at): float(n) for at, n in counts.items()}), float(sum(values)))


def _counted(counts: Sequence[int]) -> Observed:
    if not any(counts):
        return NoTraffic()
    return Distribution(Histogram({_bucket(GAP_BOUNDS, at): float(n) for at, n in enumerate(counts) if n}))


def _bucket(edges: Sequence[float], at: int) -> tuple[float, float]:
    return edges[at - 1] if at else 0.0, edges[at] if at < len(edges) else float("inf")
