"""A real Prometheus scrapes embedded engines: both sources say the same; what breaks in between is said."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from apps.clusters.domain.spec import PrometheusSpec
from apps.core import clock
from apps.telemetry.collect import run_tick
from apps.telemetry.domain.engine import EXPLANATORY
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.models import Signal
from apps.telemetry.reading import read_all
from apps.telemetry.scrape import Target
from apps.telemetry.storing import signals_from
from apps.telemetry.targets import PoolTargets, Prometheus
from tests.support.engines import MODEL, EngineProcess, run_engine
from tests.support.prometheus import PrometheusProcess, StaticTarget, prometheus_binary, run_prometheus
from tests.support.wait import wait_until

pytestmark = pytest.mark.django_db

# Counts and buckets of the two sources are equal once Prometheus has scraped what was done; rates of a window differ by
# no more than the part of a scrape interval that one has and the other not.
RATE_TOLERANCE = 0.2


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[EngineProcess]]:
    prometheus_binary()
    directory = tmp_path_factory.mktemp("engines")
    with run_engine(directory) as first, run_engine(directory) as second:
        yield [first, second]


@pytest.fixture
def prometheus(engines: list[EngineProcess], tmp_path: Path) -> Iterator[PrometheusProcess]:
    pages = [StaticTarget(f"{engine.url}/metrics", "serving", f"chat-v-{n}") for n, engine in enumerate(engines)]
    # a second job finds the first pod too: it must not be counted twice
    again = StaticTarget(pages[0].url, "serving", "chat-v-0", job="annotations")
    # a scrape that takes longer than its interval has failed
    with run_prometheus(tmp_path / "prometheus", [*pages, again], every="2s") as running:
        yield running


class Pools:
    """Two pools of the same engines, one read directly, one through Prometheus."""

    def __init__(self, engines: list[EngineProcess], url: str) -> None:
        self.direct, self.through = uuid.uuid4(), uuid.uuid4()
        self.url = url
        self.targets = {
            pool: tuple(
                Target(f"{pool}-{n}", f"chat-v-{n}", "v", f"{engine.url}/metrics", namespace="serving")
                for n, engine in enumerate(engines)
            )
            for pool in (self.direct, self.through)
        }
        self.now = clock.now()

    def find(self) -> list[PoolTargets]:
        source = Prometheus("c", "east", PrometheusSpec(url=self.url))
        return [
            PoolTargets(self.direct, ("v",), self.targets[self.direct]),
            PoolTargets(self.through, ("v",), self.targets[self.through], prometheus=source),
        ]

    def tick(self, seconds: float = 10.0) -> dict[str, Signal]:
        self.now += timedelta(seconds=seconds)
        with clock.frozen(self.now):
            assert run_tick(self.find) is not None
        rows = Signal.objects.filter(variant="", at=self.now)
        return {"direct": rows.get(pool=self.direct), "through": rows.get(pool=self.through)}


def _load(engine: EngineProcess, count: int) -> None:
    for number in range(count):
        body = {"model": MODEL, "prompt": f"Tell me about number {number} " * 20, "max_tokens": 6}
        assert engine.post("/v1/completions", body).status_code == 200


def _settled(prometheus: PrometheusProcess, engines: list[EngineProcess]) -> None:
    """Until Prometheus has the engines' newest totals."""
    query = 'sum(vllm:request_success_total{job="pods"})'
    served = sum(
        engine.metric("vllm:request_success_total", finished_reason=reason)
        for engine in engines
        for reason in ("stop", "length")
    )
    wait_until(
        lambda: float(prometheus.query(query)[0]["value"][1]) == served, message="Prometheus has what was served"
    )


def test_both_sources_agree(engines: list[EngineProcess], prometheus: PrometheusProcess) -> None:
    pools = Pools(engines, prometheus.url)
    pools.tick()
    _load(engines[0], 7)
    _load(engines[1], 3)
    _settled(prometheus, engines)
    rows = pools.tick()
    direct, through = rows["direct"], rows["through"]
    assert (through.targets, through.scraped, through.reason) == (2, 2, "")
    assert through.sources == {"engine": {"kind": "prometheus"}}
    assert direct.counts["requests"] == 10
    whole = {name: count for name, count in direct.counts.items() if not name.endswith("_sum")}
    assert {name: through.counts[name] for name in whole} == whole
    for family in ("ttft", "itl", "e2e", "prompt_length", "step_tokens"):
        assert Histogram.from_json(through.histograms[family]) == Histogram.from_json(direct.histograms[family])
        assert through.counts[f"{family}_sum"] == pytest.approx(direct.counts[f"{family}_sum"])
    known, told = signals_from(direct).rates["requests"], signals_from(through).rates["requests"]
    assert known > 0
    assert told == pytest.approx(known, rel=RATE_TOLERANCE)
    assert through.gauges == direct.gauges
    assert through.replicas == direct.replicas


def test_a_page_that_nobody_has_scraped_since_counts_once(
    engines: list[EngineProcess], prometheus: PrometheusProcess
) -> None:
    pools = Pools(engines, prometheus.url)
    pools.tick()
    _load(engines[0], 4)
    _settled(prometheus, engines)
    first = pools.tick()["through"]
    assert first.counts["requests"] == 4
    quiet = pools.tick()["through"]
    assert quiet.counts.get("requests", 0) == 0


def test_of_many_pods_what_only_explains_is_asked_once_a_minute(
    engines: list[EngineProcess], prometheus: PrometheusProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.telemetry.prometheus._PODS_OF_ONE_QUERY", 1)
    pools = Pools(engines, prometheus.url)
    pools.tick()
    rows = []
    for number in range(6):
        _load(engines[number % 2], 2)
        _settled(prometheus, engines)
        rows.append(signals_from(pools.tick()["through"]).histograms)
    _settled(prometheus, engines)
    rows += [signals_from(pools.tick()["through"]).histograms for _ in range(12)]
    totals = {
        family: [found[family].total for found in rows if family in found and found[family].total]
        for family in ("ttft", *EXPLANATORY)
    }
    # whatever a turn could not tell, because a scrape was just under way, the next one tells: nothing is lost or twice
    assert {family: sum(found) for family, found in totals.items()} == dict.fromkeys(totals, 12)
    # the eighteen ticks are three minutes
    assert len(totals["ttft"]) > 3 >= max(len(totals[family]) for family in EXPLANATORY)


def test_what_breaks_is_said_and_nothing_is_counted(
    engines: list[EngineProcess], prometheus: PrometheusProcess
) -> None:
    pools = Pools(engines, prometheus.url)
    pools.tick()
    os.kill(engines[1].process.pid, signal.SIGSTOP)
    try:
        # Prometheus marks the series of a target that does not answer as gone
        wait_until(lambda: len(prometheus.query("vllm:num_requests_running")) == 2, message="the frozen engine is gone")
        source = pools.find()[1]
        answers = read_all([source])
        frozen = answers[source.targets[1].key]
        assert frozen.reading is None
        assert "has no series of pod serving/chat-v-1" in frozen.reason
        assert answers[source.targets[0].key].reading is not None
    finally:
        os.kill(engines[1].process.pid, signal.SIGCONT)
    prometheus.process.kill()
    prometheus.process.wait()
    down = pools.tick()["through"]
    assert (down.scraped, down.counts, down.gauges, down.histograms) == (0, {}, {}, {})
    assert down.reason == "Prometheus of cluster east cannot be reached: the connection was refused."
