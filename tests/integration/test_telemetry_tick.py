"""A tick on a real Postgres: engines over HTTP in, signals, minutes, summaries and charts out."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db import connection

from apps.clusters.domain.spec import PrometheusSpec
from apps.core import clock
from apps.core.domain.access import Role
from apps.pools.models import Pool
from apps.telemetry import partitions, rollups, selectors, services, storing
from apps.telemetry.collect import run_tick
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.samples import Known, NoTraffic
from apps.telemetry.domain.signals import AcceleratorUse
from apps.telemetry.models import (
    BlockMinute,
    PoolSummary,
    Progress,
    ScrapeState,
    Signal,
    SignalHour,
    SignalMinute,
    SignalTen,
)
from apps.telemetry.scrape import Target
from apps.telemetry.targets import PoolTargets, Prometheus
from tests.support.people import Api, api_of, person, team

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)


class Engine:
    """An engine that serves its metrics page over HTTP; the test says what it counted."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests = self.prompt = self.cached = 0
        self.buckets = {0.1: 0, 0.5: 0}
        self.kv = 0.25
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = outer.page().encode()
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.httpd.serve_forever, args=(0.02,), daemon=True).start()

    def serve(self, requests: int, *, prompt: int, cached: int, within: float = 0.1) -> None:
        self.requests += requests
        self.prompt += prompt
        self.cached += cached
        self.buckets[within] += requests

    def page(self) -> str:
        labels = 'engine="0",model_name="llama"'
        total, buckets = 0, ""
        for edge, count in sorted(self.buckets.items()):
            total += count
            buckets += f'vllm:time_to_first_token_seconds_bucket{{{labels},le="{edge}"}} {total}\n'
        buckets += f'vllm:time_to_first_token_seconds_bucket{{{labels},le="+Inf"}} {total}\n'
        return (
            f"vllm:num_requests_running{{{labels}}} 1.0\nvllm:num_requests_waiting{{{labels}}} 0.0\n"
            f"vllm:kv_cache_usage_perc{{{labels}}} {self.kv}\n"
            f'vllm:request_success_total{{{labels},finished_reason="stop"}} {self.requests}\n'
            f"vllm:prompt_tokens_total{{{labels}}} {self.prompt}\n"
            f"vllm:prompt_tokens_cached_total{{{labels}}} {self.cached}\n"
            f'vllm:prompt_tokens_by_source_total{{{labels},source="local_compute"}} {self.prompt - self.cached}\n'
            f'vllm:prompt_tokens_cached_by_source_total{{{labels},source="device"}} {self.cached}\n' + buckets
        )

    def target(self, variant: str) -> Target:
        return Target(self.name, self.name, variant, f"http://127.0.0.1:{self.httpd.server_port}/metrics")

    def stop(self) -> None:
        self.httpd.shutdown()
        self.httpd.server_close()


class Picker(Engine):
    """An endpoint picker in the place of an engine."""

    errors = 0

    def page(self) -> str:
        failed = (
            f'llm_d_epp_request_error_total{{model_name="m",error_code="429"}} {self.errors}\n' if self.errors else ""
        )
        return f'llm_d_epp_request_total{{model_name="m"}} {self.requests}\n{failed}'

    def target(self, variant: str) -> Target:
        return replace(super().target(variant), kind="gateway")


class World:
    """Two variants with one engine each, and a clock that the test moves."""

    def __init__(self) -> None:
        self.pool = uuid.uuid4()
        self.engines = {"fast": Engine("chat-fast-0"), "slow": Engine("chat-slow-0")}
        self.now = START
        self.pickers: tuple[Picker, ...] = ()
        self.roles: dict[str, str] = {}
        self.held: dict[str, AcceleratorUse] | None = None
        self.replicas = {"": {"desired": 2, "ready": 2}, "fast": {"desired": 1, "ready": 1}, "slow": {"desired": 1}}

    def tick(self, seconds: float = 10.0) -> datetime | None:
        self.now += timedelta(seconds=seconds)
        with clock.frozen(self.now):
            return run_tick(lambda: [self.targets()])

    def targets(self) -> PoolTargets:
        targets = tuple(engine.target(variant) for variant, engine in self.engines.items())
        targets += tuple(picker.target("") for picker in self.pickers)
        return PoolTargets(self.pool, ("fast", "slow"), targets, self.replicas, roles=self.roles, held=self.held)

    def rows(self, variant: str = "") -> list[Signal]:
        return list(Signal.objects.filter(pool=self.pool, variant=variant).order_by("at"))


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    for engine in made.engines.values():
        engine.stop()


def test_a_tick_stores_what_happened_by_pool_and_variant(world: World) -> None:
    world.engines["fast"].serve(1000, prompt=9, cached=9)  # before anybody looked
    assert world.tick() == world.now
    world.engines["fast"].serve(20, prompt=2000, cached=1500)
    world.engines["slow"].serve(10, prompt=1000, cached=0, within=0.5)
    world.tick()
    first, second = world.rows()
    assert (first.counts, first.rates, first.scraped) == ({}, {}, 2)
    assert second.counts["requests"] == 30
    # rates that counts and seconds tell are not stored
    assert second.rates == {}
    stored = storing.signals_from(second)
    assert stored.rates["requests"] == pytest.approx(3.0)
    assert stored.rates["source_device"] == pytest.approx(150)
    assert second.gauges == {"running": 2, "waiting": 0, "kv_mean": 0.25, "kv_max": 0.25}
    assert second.replicas == {"desired": 2, "ready": 2}
    assert Histogram.from_json(second.histograms["ttft"]).counts == {(0.0, 0.1): 20, (0.1, 0.5): 10}
    assert world.rows("slow")[1].counts["requests"] == 10


def test_canaries_and_those_beside_them_have_rows_of_their_own(world: World) -> None:
    new, old = Engine("chat-fast-1"), world.engines["fast"]

    def tick(*targets: Target) -> None:
        world.now += timedelta(seconds=10)
        found = PoolTargets(world.pool, ("fast", "slow"), targets, world.replicas)
        with clock.frozen(world.now):
            run_tick(lambda: [found])

    canary, others = (
        replace(new.target("fast"), canary=True),
        (old.target("fast"), world.engines["slow"].target("slow")),
    )
    tick(canary, *others)
    new.serve(5, prompt=50, cached=0, within=0.5)
    old.serve(20, prompt=200, cached=0)
    world.engines["slow"].serve(7, prompt=70, cached=0)
    tick(canary, *others)
    # the other variant has no canary: it is no part of the comparison
    assert [world.rows(f"track:{name}")[1].counts["requests"] for name in ("canary", "stable")] == [5, 20]
    assert world.rows("")[1].counts["requests"] == 32
    tick(*others)
    assert len(world.rows("track:canary")) == len(world.rows("track:stable")) == 2
    new.stop()

    Pool.objects.create(
        uid=world.pool, team="default", name="chat", namespace="serving", spec={"variants": [{"name": "fast"}]},
        created_at=START, updated_at=START,
    )  # fmt: skip
    api = api_of(person("ada", superuser=True, default=Role.ADMIN))
    panel = "teams/default/pools/chat/panels/ttft"
    with clock.frozen(world.now):
        drawn = {name: api.get(f"{panel}?track={name}") for name in ("canary", "stable")}
        refused = [api.send("GET", f"{panel}?{query}") for query in ("track=x", "track=canary&variant=fast")]
    p95 = {name: [value for _, value in one["series"][1]["points"] if value is not None] for name, one in drawn.items()}
    assert all(0.1 < value <= 0.5 for value in p95["canary"]) and all(value <= 0.1 for value in p95["stable"])
    assert p95["canary"] and p95["stable"]
    assert [answer.status_code for answer in refused] == [400, 400]


def test_a_message_delivered_twice_makes_one_tick(world: World) -> None:
    assert world.tick() is not None
    assert world.tick(1.0) is None
    assert world.tick(9.0) is not None
    assert len(world.rows()) == 2


@pytest.mark.django_db(transaction=True)
def test_two_ticks_do_not_overlap(world: World) -> None:
    entered, leave, results = threading.Event(), threading.Event(), []

    def slow_find() -> list[PoolTargets]:
        entered.set()
        leave.wait(10)
        return []

    def other() -> None:
        results.append(run_tick(slow_find))
        connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(60)
    assert run_tick(list) is None
    leave.set()
    thread.join(10)
    assert results[0] is not None


def test_an_engine_that_does_not_answer_is_named_and_the_others_count(world: World) -> None:
    world.tick()
    world.engines["slow"].status = 503
    world.engines["fast"].serve(10, prompt=100, cached=50)
    world.tick()
    row = world.rows()[-1]
    assert (row.targets, row.scraped, row.counts["requests"]) == (2, 1, 10)
    assert row.reason == "chat-slow-0 answered 503 instead of its metrics."
    world.engines["slow"].status = 200
    world.engines["slow"].serve(40, prompt=400, cached=0)
    world.tick()
    row = world.rows()[-1]
    # two ticks' worth of work, at the rate at which it happened
    assert row.counts["requests"] == 40
    assert row.rates["requests"] == pytest.approx(2.0)


def test_a_restarted_engine_counts_from_zero(world: World) -> None:
    world.engines["fast"].serve(500, prompt=500, cached=0)
    world.tick()
    world.engines["fast"].stop()
    world.engines["fast"] = Engine("chat-fast-0")
    world.engines["fast"].serve(7, prompt=70, cached=0)
    world.tick()
    assert world.rows()[-1].counts["requests"] == 7


def test_a_cluster_that_cannot_be_asked_is_a_row_with_the_reason_and_no_zeros(world: World) -> None:
    with clock.frozen(START):
        run_tick(
            lambda: [PoolTargets(world.pool, ("fast",), reason="Cluster x cannot be asked for its pods: refused.")]
        )
    row = world.rows()[0]
    assert (row.targets, row.rates, row.gauges, row.replicas) == (0, {}, {}, {})
    assert "cannot be asked" in row.reason
    summary = PoolSummary.objects.get(pool=world.pool)
    assert summary.last_sample_at is None


def test_minutes_add_up_to_the_raw_rows(world: World) -> None:
    for number in range(20):
        world.engines["fast"].serve(number, prompt=100, cached=40, within=0.1 if number % 2 else 0.5)
        world.tick()
    raw, minutes = world.rows(), list(SignalMinute.objects.filter(pool=world.pool, variant="").order_by("at"))
    assert [m.at.second for m in minutes] == [0] * len(minutes)
    assert len(minutes) == 3
    until = minutes[-1].at
    assert sum(m.counts.get("requests", 0) for m in minutes) == sum(
        r.counts.get("requests", 0) for r in raw if r.at <= until
    )
    whole = Histogram.sum(Histogram.from_json(r.histograms.get("ttft", [])) for r in raw if r.at <= until)
    merged = Histogram.sum(Histogram.from_json(m.histograms.get("ttft", [])) for m in minutes)
    assert merged.counts == whole.counts
    # a chart of long steps reads minutes and the raw rest, each moment once
    with clock.frozen(world.now):
        rows = selectors.signals_of(world.pool, start=START, end=world.now, step=60, columns=["counts"])
    assert sum(r.counts.get("requests", 0) for r in rows) == sum(r.counts.get("requests", 0) for r in raw)
    assert len(rows) < len(raw)


def test_hours_are_merged_once_they_are_whole(world: World) -> None:
    sent = 0
    for number in range(200):
        world.engines["fast"].serve(number % 7, prompt=100, cached=40, within=0.1 if number % 2 else 0.5)
        sent += (number % 7) if number else 0
        world.tick(30.0)
    with clock.frozen(world.now):
        rollups.roll_up_longer()
        rollups.roll_up_longer()
    until = Progress.objects.get(id=1).hours_until
    assert until == START.replace(hour=13, minute=0, second=0)
    tens = SignalTen.objects.filter(pool=world.pool, variant="").order_by("at")
    assert [ten.at.minute for ten in tens] == [10, 20, 30, 40, 50, 0, 10, 20, 30, 40]
    (hour,) = SignalHour.objects.filter(pool=world.pool, variant="")
    minutes = SignalMinute.objects.filter(pool=world.pool, variant="", at__lte=until)
    assert hour.at == until
    assert hour.counts["requests"] == sum(minute.counts.get("requests", 0) for minute in minutes) > 0
    whole = Histogram.sum(Histogram.from_json(m.histograms.get("ttft", "")) for m in minutes)
    assert Histogram.from_json(hour.histograms["ttft"]) == whole
    # a long chart reads the hour, the minutes behind it and the raw rest, each moment once
    with clock.frozen(world.now):
        read = {
            step: selectors.signals_of(world.pool, start=START, end=world.now, step=step, columns=["counts"])
            for step in (3600, 1800, 900, 60, 10)
        }
    for rows in read.values():
        assert sum(row.counts.get("requests", 0) for row in rows) == sent
        assert sum(row.seconds for row in rows) == pytest.approx(sum(row.seconds for row in read[10]))
    assert read[3600][0].at == until.timestamp()
    assert len(read[3600]) < len(read[1800]) < len(read[900]) == len(read[60]) < len(read[10])


def test_one_read_for_all_pools(world: World) -> None:
    for _ in range(3):
        world.engines["fast"].serve(10, prompt=1000, cached=800)
        world.tick()
    with clock.frozen(world.now):
        found = selectors.recent([world.pool, uuid.uuid4()], seconds=15)
    assert set(found) == {world.pool}
    assert {variant: len(rows) for variant, rows in found[world.pool].items()} == {"": 2, "fast": 2, "slow": 2}
    newest = found[world.pool]["fast"][-1]
    assert (newest.counts["requests"], newest.rates["requests"]) == (10, pytest.approx(1.0))
    assert newest.histograms["ttft"].total == 10


def test_what_a_picker_says_is_in_the_pools_row_only(world: World) -> None:
    picker = Picker("chat-epp")
    try:
        world.pickers = (picker,)
        world.tick()
        picker.requests, picker.errors = 20, 3
        world.tick()
        row = storing.signals_from(world.rows()[-1])
        assert (row.counts["gateway.requests"], row.counts["gateway.error:429"]) == (20, 3)
        assert row.rates["gateway.requests"] == pytest.approx(2.0)
        assert row.sources["gateway"] == {"targets": 1, "scraped": 1, "reason": ""}
        assert (row.targets, row.scraped) == (2, 2)
        assert not any(name.startswith("gateway") for name in world.rows("fast")[-1].counts)
        picker.status = 503
        world.tick()
        silent = storing.signals_from(world.rows()[-1])
        assert silent.sources["gateway"]["reason"] == "chat-epp answered 503 instead of its metrics."
        assert silent.reason == ""
        assert "gateway.requests" not in silent.counts
    finally:
        picker.stop()


def test_roles_have_rows_of_their_own(world: World) -> None:
    world.roles = {"fast": "prefill", "slow": "decode"}
    world.tick()
    world.engines["slow"].serve(5, prompt=50, cached=0)
    world.tick()
    assert world.rows("role:decode")[-1].counts["requests"] == 5
    assert world.rows("role:prefill")[-1].counts["requests"] == 0
    assert world.rows("")[-1].counts["requests"] == 5


def test_summaries_hold_the_newest_figures_and_the_last_hour(world: World) -> None:
    for _ in range(14):
        world.engines["fast"].serve(10, prompt=1000, cached=800)
        world.tick()
    with clock.frozen(world.now):
        summary = selectors.summaries([world.pool])[world.pool]
    assert summary.state == "ok"
    assert summary.figures["requests_per_second"] == Known(pytest.approx(1.0), 0.0)
    assert summary.figures["hit_rate"].value == pytest.approx(0.8)
    assert summary.figures["ttft_p95"].value == pytest.approx(0.095)
    assert summary.hour["ttft"].fraction_within(0.1).low == 1.0
    with clock.frozen(world.now + timedelta(minutes=5)):
        old = selectors.summaries([world.pool])[world.pool]
    assert old.state == "stale"
    assert "300 s old" in old.reason
    assert not isinstance(old.figures["requests_per_second"], Known)


def test_silence_is_no_traffic(world: World) -> None:
    for _ in range(3):
        world.tick()
    with clock.frozen(world.now):
        figures = selectors.summaries([world.pool])[world.pool].figures
    assert isinstance(figures["ttft_p95"], NoTraffic)
    assert isinstance(figures["hit_rate"], NoTraffic)
    assert figures["requests_per_second"] == Known(0.0, 0.0)


def test_old_partitions_and_totals_go(world: World) -> None:
    world.tick()
    names = partitions._partitions(partitions.RAW)
    assert {"telemetry_signal_2026112312", "telemetry_signal_2026112313"} <= set(names), "others may have made others"
    with clock.frozen(world.now + timedelta(hours=5, minutes=50)):
        services.retire()
    assert Signal.objects.filter(pool=world.pool).exists()
    with clock.frozen(world.now + timedelta(hours=8)):
        services.retire()
    assert "telemetry_signal_2026112312" not in partitions._partitions(partitions.RAW)
    assert not Signal.objects.filter(pool=world.pool).exists()
    assert not ScrapeState.objects.exists()


def test_a_long_stop_is_caught_up_without_a_spike(world: World) -> None:
    world.tick()
    world.engines["fast"].serve(600, prompt=6000, cached=0)
    world.tick(600.0)
    row = world.rows()[-1]
    assert row.counts["requests"] == 600
    assert row.rates["requests"] == pytest.approx(1.0)
    assert row.seconds == 60.0
    progress = Progress.objects.get(id=1)
    assert progress.last_tick_at == world.now


def test_after_a_stop_of_days_minutes_go_on_at_once(world: World) -> None:
    for _ in range(8):
        world.engines["fast"].serve(5, prompt=50, cached=0)
        world.tick()
    world.tick(3 * 86400.0)
    for _ in range(14):
        world.engines["fast"].serve(5, prompt=50, cached=0)
        world.tick()
    until = Progress.objects.get(id=1).minutes_until
    assert until is not None
    assert world.now - until < timedelta(minutes=1)
    with clock.frozen(world.now):
        assert selectors.summaries([world.pool])[world.pool].hour["ttft"].total > 0


@pytest.fixture
def pool(world: World) -> Pool:
    team("default")
    now = START
    spec = {"model": "llama", "cluster": "embedded", "variants": [{"name": "fast"}, {"name": "slow"}]}
    return Pool.objects.create(
        uid=world.pool, team="default", name="chat", spec=spec, created_at=now, updated_at=now, namespace="serving"
    )


@pytest.fixture
def api() -> Api:
    return api_of(person("ada", default=Role.VIEWER))


def test_charts_over_rest(world: World, pool: Pool, api: Api) -> None:
    for _ in range(12):
        world.engines["fast"].serve(10, prompt=1000, cached=750)
        world.tick()
    base = "teams/default/pools/chat/panels"
    with clock.frozen(world.now):
        names = [entry["name"] for entry in api.get(base)["items"]]
        assert {"ttft", "itl", "prompt_tokens_by_source", "hit_rate", "queue", "kv_usage", "throughput"} <= set(names)
        charts = {name: api.get(f"{base}/{name}") for name in names}
        one = api.get(f"{base}/kv_usage?variant=slow")
        explicit = api.get(
            f"{base}/queue?from={(START + timedelta(seconds=60)).isoformat().replace('+00:00', 'Z')}&step=30s"
        )
    # of what the engine's page has
    drawn = {"ttft", "prompt_tokens_by_source", "hit_rate", "queue", "kv_usage", "throughput", "requests", "replicas"}
    assert {name for name in drawn if charts[name]["state"] != "ok"} == set()
    assert charts["itl"]["state"] == "no_traffic"
    last = {s["key"]: s["points"][-1][1] for s in charts["prompt_tokens_by_source"]["series"]}
    assert last["computed"] == pytest.approx(25)
    assert last["device"] == pytest.approx(75)
    assert charts["hit_rate"]["series"][0]["points"][-1][1] == pytest.approx(0.75)
    assert len(charts["ttft"]["series"][0]["points"]) <= 100
    assert charts["ttft"]["lastSampleAt"] == world.now.timestamp()
    assert one["series"][0]["points"][-1][1] == 0.25
    assert explicit["step"] == 30
    assert [time - START.timestamp() for time, _ in explicit["series"][0]["points"]] == [85, 115]


def test_a_replica_that_is_not_as_its_peers(world: World, pool: Pool, api: Api) -> None:
    engines = [Engine(f"chat-fast-{n}") for n in range(4)]
    try:
        targets = tuple(engine.target("fast") for engine in engines)
        for tick in range(8):
            for engine in engines:
                engine.serve(20, prompt=1000, cached=750, within=0.5 if engine is engines[0] else 0.1)
            if tick == 7:
                engines[3].status = 500
            world.now += timedelta(seconds=10)
            with clock.frozen(world.now):
                run_tick(lambda: [PoolTargets(world.pool, ("fast",), targets)])
    finally:
        for engine in engines:
            engine.stop()
    with clock.frozen(world.now):
        found = api.get("teams/default/pools/chat/replica-signals")
    assert found["summary"] == {"replicas": 4, "outliers": 1, "silent": 1}
    assert [(item["name"], item["state"]) for item in found["items"]] == [
        ("chat-fast-0", "outlier"), ("chat-fast-3", "silent"), ("chat-fast-1", "ok"), ("chat-fast-2", "ok"),
    ]  # fmt: skip
    assert found["items"][0]["figures"]["ttft_p95"]["outlier"] is True
    assert found["items"][0]["findings"] == ["Time to first token (p95) is 480 ms; its 2 peers have 95 ms."]
    assert "answered 500" in found["items"][1]["reason"]
    with clock.frozen(world.now + timedelta(minutes=10)):
        assert api.get("teams/default/pools/chat/replica-signals")["items"] == []


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("from=100&to=50", "must lie before"),
        ("from=0", "days apart"),
        ("step=0.1", "one second or more"),
        ("from=1000&to=200000&step=10", "more than 1000 points"),
        ("from=yesterday", "is a moment in Unix seconds or ISO 8601, not yesterday"),
        ("to=nan", "is a moment in Unix seconds or ISO 8601, not nan"),
        ("to=99999999999999", "ISO 8601, not 99999999999999"),
        ("step=often", "is a number of seconds, not often"),
    ],
)
def test_a_wrong_range_is_explained(pool: Pool, api: Api, query: str, sentence: str) -> None:
    answer = api.send("GET", f"teams/default/pools/chat/panels/ttft?{query}")
    assert answer.status_code == 400
    assert sentence in answer.json()["detail"]


def test_charts_are_for_members_only(pool: Pool) -> None:
    stranger = api_of(person("eve", search=Role.ADMIN))
    for path in ("panels", "panels/ttft"):
        assert stranger.send("GET", f"teams/default/pools/chat/{path}").status_code == 404
        assert Api().send("GET", f"teams/default/pools/chat/{path}").status_code == 401
    member = api_of(person("ada", default=Role.VIEWER))
    for path in ("pools/none/panels", "pools/chat/panels/none", "pools/chat/panels/ttft?variant=none"):
        assert member.send("GET", f"teams/default/{path}").status_code == 404


PANELS_OF_CHAT = "teams/default/pools/chat/panels"


def state_of(api: Api, panel: str, now: datetime) -> tuple[str, str | None, str]:
    with clock.frozen(now):
        drawn = api.get(f"{PANELS_OF_CHAT}/{panel}")
    return drawn["state"], drawn["cause"], drawn["reason"]


def test_a_chart_says_why_there_is_nothing_to_draw(world: World, pool: Pool, api: Api) -> None:
    assert state_of(api, "ttft", START)[:2] == ("no_data", None)
    for _ in range(3):
        world.tick()
    assert state_of(api, "ttft", world.now)[:2] == ("no_traffic", None)
    for _ in range(3):
        world.engines["fast"].serve(10, prompt=1000, cached=750)
        world.tick()
    assert state_of(api, "ttft", world.now) == ("ok", None, "")
    # nobody ticks
    state, cause, reason = state_of(api, "ttft", world.now + timedelta(seconds=45))
    assert (state, cause) == ("stale", None)
    assert reason == "The last measurement is 45 s old. No replica is ready."
    # the engines fall silent one by one, which is theirs to tell: no source has failed
    for engine in world.engines.values():
        engine.status = 500
    for _ in range(4):
        world.tick()
    state, cause, reason = state_of(api, "ttft", world.now)
    assert (state, cause) == ("stale", None)
    assert "chat-fast-0 answered 500" in reason
    assert state_of(api, "replicas", world.now) == ("ok", None, "")


def test_what_the_cluster_tells_is_drawn_whatever_the_engines_do(world: World, pool: Pool, api: Api) -> None:
    world.held = {"fast": AcceleratorUse(2.0, 3.0, "USD"), "slow": AcceleratorUse(1.0, 2.0, "USD")}
    for engine in world.engines.values():
        engine.status = 500
    for _ in range(3):
        world.tick()
    drawn = {}
    for panel in ("replicas", "accelerators", "cost"):
        assert state_of(api, panel, world.now) == ("ok", None, "")
        with clock.frozen(world.now):
            drawn[panel] = api.get(f"{PANELS_OF_CHAT}/{panel}")
    assert drawn["accelerators"]["series"][0]["points"][-1][1] == 3
    assert (drawn["cost"]["series"][0]["points"][-1][1], drawn["cost"]["unit"]) == (8, "USD/h")
    assert drawn["cost"]["lastSampleAt"] == world.now.timestamp()


def test_a_picker_that_is_not_read_is_told_by_its_charts_alone(world: World, pool: Pool, api: Api) -> None:
    picker = Picker("chat-epp-0")
    world.pickers = (picker,)
    try:
        for _ in range(3):
            picker.serve(5, prompt=0, cached=0)
            world.tick()
        assert state_of(api, "gateway_ttft", world.now)[0] == "no_traffic"
        picker.status = 500
        for _ in range(4):
            world.tick()
    finally:
        picker.stop()
    state, _, reason = state_of(api, "gateway_ttft", world.now)
    assert (state, "chat-epp-0 answered 500" in reason) == ("stale", True)
    assert state_of(api, "kv_usage", world.now) == ("ok", None, "")


@pytest.mark.parametrize("failing", ["cluster", "prometheus"])
def test_a_source_that_fails_as_a_whole_is_an_error(world: World, pool: Pool, api: Api, failing: str) -> None:
    for _ in range(3):
        world.engines["fast"].serve(10, prompt=1000, cached=750)
        world.tick()
    well = world.targets()
    if failing == "cluster":
        sentence = "Cluster east cannot be asked for its pods: refused."
        broken = PoolTargets(world.pool, well.variants, reason=sentence)
    else:
        # nobody listens on port 1: a real refusal
        sentence = "Prometheus of cluster east cannot be reached: the connection was refused."
        broken = replace(well, prometheus=Prometheus("c", "east", PrometheusSpec(url="http://127.0.0.1:1")))

    def broken_tick() -> None:
        world.now += timedelta(seconds=10)
        with clock.frozen(world.now):
            run_tick(lambda: [broken])

    broken_tick()
    # one tick that fails is a gap, no alarm
    assert state_of(api, "ttft", world.now)[0] == "ok"
    for _ in range(3):
        broken_tick()
    assert state_of(api, "ttft", world.now) == ("error", "source", sentence)
    # what was known stays drawn
    with clock.frozen(world.now):
        series = api.get(f"{PANELS_OF_CHAT}/ttft")["series"][0]["points"]
    assert any(value is not None for _, value in series)
    # the cluster tells of replicas, whatever its Prometheus does
    expected = ("error", "source", sentence) if failing == "cluster" else ("ok", None, "")
    assert state_of(api, "replicas", world.now) == expected
    # the past is what it was
    with clock.frozen(world.now):
        past = api.get(f"{PANELS_OF_CHAT}/ttft?to={(START + timedelta(seconds=30)).timestamp()}")
    assert past["state"] == "ok"
    world.tick()
    world.tick()
    assert state_of(api, "ttft", world.now)[:2] == ("ok", None)


def test_a_query_that_does_not_come_back_is_an_error(
    world: World, pool: Pool, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.telemetry.api.QUERY_SECONDS", 0.2)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            other.set_autocommit(False)
            cursor.execute("LOCK TABLE telemetry_signal IN ACCESS EXCLUSIVE MODE")
        state, cause, reason = state_of(api, "ttft", START)
    finally:
        other.close()
    assert (state, cause) == ("error", "query")
    assert reason.startswith("The signals of this pool could not be read within 0.2 s")
    monkeypatch.undo()
    assert state_of(api, "ttft", START)[0] == "no_data"


def test_a_stored_block_that_is_broken_is_an_error_not_a_zero(world: World, pool: Pool, api: Api) -> None:
    start = partitions.BLOCKS[partitions.MINUTES.name].start_of(START - timedelta(hours=9))
    partitions.ensure(partitions.BLOCKS[partitions.MINUTES.name].table, start)
    BlockMinute.objects.create(pool=pool.uid, start=start, data=b"\x05\x00\x00\x00nonsense")
    Progress.objects.update_or_create(id=1, defaults={"minutes_until": START})
    day = f"from={(START - timedelta(days=1)).timestamp()}&step=300"
    with clock.frozen(START):
        drawn = api.get(f"{PANELS_OF_CHAT}/ttft?{day}")
        heat = api.get(f"{PANELS_OF_CHAT}/ttft_heatmap?{day}")
    assert (drawn["state"], drawn["cause"]) == ("error", "query")
    assert "This is no block of signals" in drawn["reason"]
    assert [series["points"] for series in drawn["series"]] == [[], [], []]
    assert (heat["state"], heat["heatmap"]) == ("error", {"buckets": [], "columns": []})
