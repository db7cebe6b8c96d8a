"""Attainment from buckets against the load generator's own timings, through the embedded picker and engines.

The load runs first and the SLO is declared afterwards: an objective is counted over the history that is stored.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.benchmarks.domain.outcomes import Outcome
from apps.catalog.domain.latency import latency_grid
from apps.core import clock
from apps.core.domain.access import Role
from apps.pools.models import Pool
from apps.slos import ticking
from apps.slos.models import SLO
from apps.telemetry.collect import run_tick
from apps.telemetry.scrape import Target
from apps.telemetry.targets import PoolTargets
from tests.support.engines import EngineProcess, run_engine
from tests.support.gateways import (
    ENGINE_PORT,
    POOL,
    Cluster,
    GatewayProcess,
    loopback_address,
    run_cluster,
    run_gateway,
)
from tests.support.people import Api, api_of, person, team
from tests.support.traffic import traffic

pytestmark = pytest.mark.django_db

# what the issue asks for: half a point
TOLERANCE = 0.005
# a load generator that is starved measures itself (seconds, 95 % of its requests)
MOST_LATE = 0.05
# half as fast as the hardware, so that the scheduling of this machine is small beside what is measured
SLOWED = {"LAMPLIGHT_TIME_SCALE": "0.5"}
EDGES = latency_grid()[1]


@dataclass
class Stand:
    """A picker with two engines behind it, known to telemetry as a pool."""

    cluster: Cluster
    gateway: GatewayProcess
    engines: list[EngineProcess]
    pool: Pool

    def found(self) -> list[PoolTargets]:
        engines = [Target(f"pod-{n}", f"chat-v-{n}", "v", e.url + "/metrics") for n, e in enumerate(self.engines)]
        picker = Target("pod-epp", "chat-epp", "", f"http://{self.gateway.address}:9090/metrics", "gateway")
        replicas = {"": {"desired": len(engines), "ready": len(engines)}}
        return [PoolTargets(self.pool.uid, ("v",), (*engines, picker), replicas)]

    def readiness(self, ready: bool) -> None:
        for number in range(len(self.engines)):
            self.cluster.set_ready(f"chat-{number}", ready)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    families, edges = latency_grid()
    buckets = json.dumps({family: list(edges) for family in families})
    flags = ("--served-model-name", "llama", "--max-model-len", "16384", "--custom-histogram-buckets", buckets)
    addresses = [loopback_address() for _ in range(2)]
    began = clock.now() - timedelta(hours=1)
    pool = Pool.objects.create(
        team=team("default").name, name="chat", spec={"routing": {"picker": True}}, created_at=began, updated_at=began
    )
    with ExitStack() as stack:
        cluster = stack.enter_context(run_cluster(tmp_path))
        cluster.create_pool()
        with ThreadPoolExecutor(2) as threads:
            engines = list(
                threads.map(
                    lambda host: stack.enter_context(
                        run_engine(tmp_path, *flags, host=host, port=ENGINE_PORT, environment=SLOWED)
                    ),
                    addresses,
                )
            )
        for number, address in enumerate(addresses):
            cluster.create_pod(f"chat-{number}", address, app=POOL)
        gateway = stack.enter_context(run_gateway(tmp_path, cluster))
        gateway.wait_for_endpoints(2)
        yield Stand(cluster, gateway, engines, pool)


def run(stand: Stand, seconds: float, rate: float, *, ticks: Callable[[Future[Any]], datetime]) -> list[Outcome]:
    """Play the load; in the middle of it no replica is ready for a moment, so that requests are shed."""

    def outage() -> None:
        time.sleep(seconds / 2)
        stand.readiness(False)
        time.sleep(min(1.5, seconds / 12))
        stand.readiness(True)

    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes,
        ThreadPoolExecutor(1) as threads,
    ):
        playing = processes.submit(traffic, stand.gateway.url, seconds, rate)
        threads.submit(outage)
        last = ticks(playing)
        outcomes = list(playing.result())
    # what happened since the last tick, and then a minute more so that the last minute is whole
    for moment in (last + timedelta(seconds=10), last + timedelta(seconds=75)):
        with clock.frozen(moment):
            assert run_tick(stand.found) is not None
    return outcomes


def share(values: Sequence[float], edge: float) -> float:
    return sum(value <= edge for value in values) / len(values)


def edge_for(values: Sequence[float]) -> float:
    """The edge of the grid that decides something, and near which the fewest values lie.

    Client and picker look from two sides of one socket: what differs by a millisecond must not decide.
    """
    array = np.asarray(values)
    deciding = [edge for edge in EDGES if 0.5 <= share(values, edge) <= 0.995] or [EDGES[-1]]
    return min(deciding, key=lambda edge: int(((array > edge * 0.8 - 0.01) & (array < edge * 1.25 + 0.01)).sum()))


def judged(stand: Stand, at: datetime, objectives: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The objectives' figures by metric, as the SLO says them once it is declared."""
    team("platform")
    api: Api = api_of(person("eve", default=Role.EDITOR))
    spec = {"targetRef": {"name": "chat"}, "objectives": objectives}
    document = {"apiVersion": "lamplight.dev/v1", "kind": "SLO", "metadata": {"name": "truth"}, "spec": spec}
    assert api.send("POST", "teams/default/slos", document).status_code == 201
    with clock.frozen(at + timedelta(seconds=80)):
        assert ticking.run_tick() == 1
    status = SLO.objects.get().status
    assert status["measuredAt"] == "gateway"
    return {one["metric"]: one for one in status["objectives"]}


def compare(stand: Stand, outcomes: list[Outcome], last: datetime, window: str) -> dict[str, tuple[float, float]]:
    """Metric -> (share by the client's own timings, attainment from buckets); asserts that they agree."""
    late, later = np.percentile([one.sent_at - one.planned_at for one in outcomes], [95, 99])
    if late > MOST_LATE:
        pytest.skip(f"this machine is too busy: the load generator itself was {late * 1000:.0f} ms late")
    whole = [one for one in outcomes if one.error is None]
    failed = len(outcomes) - len(whole)
    assert failed > 0, "the outage shed nothing"
    per_request = {
        "ttft": [one.ttft for one in whole if one.ttft is not None],
        "e2e": [one.e2e for one in whole if one.e2e is not None],
        "tpot": [one.tpot for one in whole if one.tpot is not None],
    }
    tokens = [gap for one in whole for gap in one.itl]
    edges = {metric: edge_for(values) for metric, values in {**per_request, "itl": tokens}.items()}
    objectives = [
        {"metric": metric, "threshold": f"{edge * 1000:g}ms", "fraction": "90%", "window": window}
        for metric, edge in edges.items()
    ]
    objectives.append({"metric": "errors", "fraction": "90%", "window": window})
    figures = judged(stand, last, objectives)
    truth = {
        metric: sum(value <= edges[metric] for value in values) / (len(values) + failed)
        for metric, values in per_request.items()
    }
    truth["itl"] = share(tokens, edges["itl"])
    truth["errors"] = len(whole) / len(outcomes)
    found = {metric: (truth[metric], float(figures[metric]["attained"])) for metric in truth}
    # what is nearer to its edge than this machine is punctual may be seen on the other side of it from the picker
    near = {
        metric: float(np.mean(np.abs(np.asarray(values) - edges[metric]) <= later))
        for metric, values in {**per_request, "itl": tokens}.items()
    }
    print({metric: (edges.get(metric), *pair) for metric, pair in found.items()}, len(outcomes), failed)
    for metric, (client, buckets) in found.items():
        assert figures[metric]["exact"] is True, metric
        allowed = TOLERANCE + near.get(metric, 0.0)
        assert buckets == pytest.approx(client, abs=allowed), (metric, edges.get(metric), len(outcomes), failed)
    assert figures["errors"]["events"] == len(outcomes)
    assert figures["errors"]["bad"] == failed
    return found


def test_attainment_is_what_clients_saw(stand: Stand) -> None:
    start = datetime.now(UTC)

    def ticks(playing: Future[Any]) -> datetime:
        with clock.frozen(start):
            assert run_tick(stand.found) is not None
        playing.result()
        return start

    outcomes = run(stand, 24.0, 5.0, ticks=ticks)
    compare(stand, outcomes, start, "5m")


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_attainment_is_what_clients_saw_over_ten_minutes(stand: Stand) -> None:
    """As in production: a tick every ten seconds, all the time."""

    def ticks(playing: Future[Any]) -> datetime:
        last = datetime.now(UTC)
        while True:
            last = run_tick(stand.found) or last
            try:
                playing.result(timeout=10)
            except TimeoutError:
                continue
            return last

    outcomes = run(stand, 600.0, 3.0, ticks=ticks)
    last = clock.now()
    compare(stand, outcomes, last, "1h")
