"""The simulator's prefix routing and the gateway's: one index, and the choice of the configuration that we render."""

from __future__ import annotations

import random
from dataclasses import dataclass

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.catalog.domain.dialects import dialect
from apps.physics.fleet.picker import Blocks
from apps.physics.fleet.router import Router
from apps.physics.fleet.types import Arrival
from apps.physics.routing import Candidate, Decision, Endpoint, Load, Request, Scheduler, read_config
from apps.pools.domain.paths import render
from apps.pools.domain.spec import PoolSpec
from tests.unit.pools.paths import inputs_for, model_of, path_document
from tests.unit.pools.rendering import POOL, by_name

WIDTH = 64


@dataclass
class Replica:
    number: int
    waiting: int = 0
    in_flight: int = 0
    kv_usage: float = 0.0


def rendered(release: str) -> Scheduler:
    spec = PoolSpec.from_document(path_document("optimized-baseline"))
    objects = by_name(render(POOL, spec, model_of(spec), inputs_for(spec), dialect(release)))
    return Scheduler(read_config(yaml.safe_load(objects["ConfigMap/chat-epp"]["data"]["config.yaml"])))


REQUEST = st.tuples(st.integers(0, 4), st.integers(1, 6), st.lists(st.integers(0, 9), min_size=3, max_size=3))


@settings(max_examples=30, deadline=None)
@given(st.lists(REQUEST, min_size=1, max_size=25), st.sampled_from(["0.5", "current"]))
def test_the_simulator_chooses_what_the_rendered_configuration_scores_highest(
    requests: list[tuple[int, int, list[int]]], release: str
) -> None:
    router, scheduler, chance = Router("prefix"), rendered(release), random.Random(1)
    for index, (group, blocks, loads) in enumerate(requests):
        # prompts of a group begin alike, and differ in how long they go on
        hashes = tuple(hash((group, i)) for i in range(blocks))
        arrival = Arrival(index, 0.0, blocks * WIDTH, 1, block_hashes=hashes)
        replicas = [Replica(n, waiting, waiting, waiting / 10) for n, waiting in enumerate(loads)]
        seen = [
            Candidate(Endpoint(str(r.number), str(r.number)), Load(r.waiting, 0, r.kv_usage), r.in_flight, 0)
            for r in replicas
        ]
        decision = scheduler.schedule(Request(Blocks(arrival, WIDTH)), seen, chance, 0.0)
        assert isinstance(decision, Decision)
        chosen = router.choose(arrival, replicas)
        scores = decision.scores
        assert scores[str(chosen.number)] >= max(scores.values()) - 1e-9
        scheduler.sent(decision, seen[chosen.number].endpoint)
    assert [router.cached_blocks(n) for n in range(3)] == [scheduler.remembered(str(n)) for n in range(3)]
