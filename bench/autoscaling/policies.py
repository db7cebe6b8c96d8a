"""Every policy by name, with the values of its main knob; the first value of a peer is its default or its guide's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.autoscaling.peers import aibrix, hpa, keda, knative, ray, wva
from bench.autoscaling.play import Production, Steering
from bench.autoscaling.scenarios import Scenario


@dataclass(frozen=True)
class Policy:
    """knob: what is swept; coarse: values for a quick run."""

    name: str
    knob: str
    values: tuple[float, ...]
    coarse: tuple[float, ...]
    make: Callable[[Scenario, float], Steering]


def _least(scenario: Scenario) -> int:
    return 0 if scenario.zero else 1


def _one(scenario: Scenario) -> int:
    # HPA and KEDA's 1..N do not go to zero by themselves
    return 1


OURS = "lamplight"
RUNNING = (32.0, 8.0, 12.0, 16.0, 20.0, 24.0, 40.0)
COARSE_RUNNING = (32.0, 12.0, 20.0)
KV = (0.7, 0.15, 0.2, 0.3, 0.4, 0.5)
QUEUE = (5.0, 0.2, 0.5, 1.0, 2.0)

POLICIES = {
    each.name: each
    for each in (
        Policy(
            OURS,
            "fraction of the SLO",
            (0.95, 0.65, 0.75, 0.8, 0.85, 0.9, 0.98),
            (0.95, 0.65, 0.75, 0.83, 0.9, 0.98),
            Production,
        ),
        Policy("hpa-queue", "waiting per replica", QUEUE, (5.0, 0.5), lambda s, k: hpa.on_queue(_one(s), s.most, k)),
        Policy("hpa-kv", "KV use", KV, (0.7, 0.2, 0.3), lambda s, k: hpa.on_kv(_one(s), s.most, k)),
        Policy(
            "hpa-running",
            "requests per replica",
            RUNNING,
            COARSE_RUNNING,
            lambda s, k: hpa.on_running(_one(s), s.most, k),
        ),
        Policy(
            "hpa-epp", "requests per replica", RUNNING, COARSE_RUNNING, lambda s, k: hpa.epp_pair(_one(s), s.most, k)
        ),
        Policy(
            "keda-stack",
            "waiting per replica",
            QUEUE,
            (5.0, 0.5),
            lambda s, k: keda.production_stack(_one(s), s.most, k),
        ),
        Policy(
            "keda-slo",
            "upper band",
            (0.55, 0.4, 0.7, 0.85, 1.0),
            (0.55, 0.85),
            lambda s, k: keda.SloAware(_one(s), s.most, s.ttft, s.tpot, k),
        ),
        Policy(
            "wva-v1", "thresholds", (1.0, 0.2, 0.3, 0.45, 0.7), (1.0, 0.3), lambda s, k: wva.V1(_least(s), s.most, k)
        ),
        Policy(
            "wva-v2",
            "scale-up at",
            (0.85, 0.25, 0.4, 0.55, 0.7),
            (0.85, 0.4),
            lambda s, k: wva.V2(_least(s), s.most, s.variants[0].engine, k),
        ),
        Policy(
            "wva-slo",
            "targets, share of the limits",
            (1.0, 0.5, 0.6, 0.7, 0.85),
            (1.0, 0.6),
            lambda s, k: wva.Slo(_least(s), s.most, s.variants[0].engine, s.variants[0].step_time, s.ttft, s.tpot, k),
        ),
        Policy(
            "knative",
            "target concurrency",
            (100.0, 15.0, 22.0, 30.0, 45.0),
            (100.0, 30.0),
            lambda s, k: knative.Knative(_least(s), s.most, k),
        ),
        Policy(
            "aibrix-apa", "requests per replica", RUNNING, COARSE_RUNNING, lambda s, k: aibrix.Apa(_one(s), s.most, k)
        ),
        Policy(
            "ray-serve",
            "ongoing per replica",
            (2.0, 8.0, 14.0, 20.0, 28.0),
            (2.0, 14.0, 20.0),
            lambda s, k: ray.RayServe(_least(s), s.most, k),
        ),
    )
}
