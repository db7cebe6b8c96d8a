"""The quickstart's own declarations and demo traffic through the production decision, in virtual time.

What `make up` shows in ten minutes of the clock (tests/e2e/test_quickstart_demo.py watches that, in `make soak`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from apps.autoscaling.domain.types import Decision
from apps.autoscaling.domain.whatif import Driver, limits_of
from apps.autoscaling.policies import Facts, policy_of
from apps.benchmarks.domain.workloads import varying
from apps.catalog.domain.latency import latency_grid
from apps.catalog.domain.model import ModelSpec
from apps.physics.fleet.fleet import Fleet, FleetVariant, StartUp
from apps.physics.fleet.run import Outcome, run
from apps.physics.fleet.types import Arrival
from apps.physics.types import EngineConfig
from apps.pools.domain.spec import PoolSpec
from apps.slos.domain.slo import SLOSpec
from controlplane.cli.load import _points
from controlplane.supervisor.stack import DEMO_CURVE

FOLDER = Path(__file__).parents[3] / "examples" / "quickstart"
ROUND = 600.0


def document(name: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load((FOLDER / name).read_text())["spec"]
    return found


def played(rounds: int = 2, startup: float = 15.0, assumed: float = 15.0) -> tuple[list[Decision], Outcome]:
    """startup: seconds that a replica takes; assumed: what the policy takes it for until one was measured."""
    spec = PoolSpec.from_document(document("pool.yaml"))
    model = ModelSpec.from_document(document("model.yaml"))
    slo = SLOSpec.from_document(document("slo.yaml"))
    facts = Facts(model, None, [slo], {}, {})
    policy = policy_of(spec, facts, tick=10.0)
    (told,) = policy.variants
    policy = replace(policy, variants=(replace(told, startup=assumed, wake=2.0),))
    engine = EngineConfig(num_blocks=told.kv_tokens // 16, max_num_seqs=told.max_num_seqs, max_model_len=16384)
    kind = FleetVariant(told.name, engine, told.step_time, StartUp(startup, startup), price=told.price, wake=2.0)
    chance = np.random.default_rng(1)
    fleet = Fleet((kind,), initial={}, asleep={kind.name: 1}, chance=chance, routing="least-loaded", hold=900.0)
    times = [ROUND * turn + at for turn in range(rounds) for at in varying(_points(DEMO_CURVE), turn)]
    trace = [Arrival(index, at, 1024, 256) for index, at in enumerate(times)]
    driver = Driver(policy, latency_grid()[1])
    outcome = run(fleet, trace, driver, limits_of(policy.objectives), horizon=rounds * ROUND)
    return driver.moves, outcome


@pytest.mark.parametrize(("startup", "assumed"), [(15.0, 15.0), (19.0, 105.0), (105.0, 105.0)])
def test_the_demo_is_woken_leads_its_ramp_sleeps_and_is_woken_again(startup: float, assumed: float) -> None:
    """On a fast machine, on one whose starts are not known yet, and on one as slow as is assumed."""
    moves, outcome = played(startup=startup, assumed=assumed)
    verbs = [move.verb for move in moves]
    assert verbs[0] == "wake"
    first = verbs.index("sleep")
    assert verbs[:first].count("up") >= 2
    assert 351.0 + 50.0 <= moves[first].at <= ROUND - 20.0, "asleep in the silence, and long enough to be seen"
    assert verbs[first + 1] == "wake"
    assert ROUND <= moves[first + 1].at <= ROUND + 20.0
    assert "sleep" in verbs[first + 1 :]
    # ahead of the ramp: what is asked for at its top is there before it
    top = max(move.total for move in moves[:first])
    assert top >= 3
    assert next(move.at for move in moves if move.total == top) <= 310.0
    assert all(move.sentence for move in moves)
    assert outcome.attainment > 0.75
    assert not outcome.failed
