"""Signal integrity over real HTTP and Postgres: each fault gives the right state, its mend, and no wrong number."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from apps.catalog.models import Model
from apps.core import clock
from apps.core.domain.access import Role
from apps.pools.models import Pool
from apps.slos.integrity import run_probe
from apps.telemetry.collect import run_tick
from apps.telemetry.models import Signal
from apps.telemetry.scrape import Target
from apps.telemetry.targets import PoolTargets
from tests.support.engines import run_engine
from tests.support.people import Api, api_of, person, team

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)
FAMILIES = ("time_to_first_token", "inter_token_latency", "request_time_per_output_token", "e2e_request_latency")


class Page:
    """A process whose metrics page the test writes."""

    def __init__(self, name: str) -> None:
        self.name, self.model = name, "llama"
        self.requests, self.running, self.kv = 0, 0.0, "0.25"
        self.left_out: set[str] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = outer.text().encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.httpd.serve_forever, args=(0.02,), daemon=True).start()

    def text(self) -> str:
        labels = f'engine="0",model_name="{self.model}"'
        values: dict[str, Any] = {
            "vllm:num_requests_running": self.running,
            "vllm:num_requests_waiting": 0.0,
            "vllm:kv_cache_usage_perc": self.kv,
            "vllm:request_success_total": self.requests,
            "vllm:prompt_tokens_total": self.requests * 100,
            "vllm:prompt_tokens_cached_total": self.requests * 50,
            "vllm:generation_tokens_total": self.requests * 10,
            "vllm:prefix_cache_queries_total": self.requests * 100,
        }
        lines = [f"{name}{{{labels}}} {value}" for name, value in values.items() if name not in self.left_out]
        for family in FAMILIES:
            name = f"vllm:{family}_seconds"
            if name not in self.left_out:
                lines += [f'{name}_bucket{{{labels},le="{edge}"}} {self.requests}' for edge in ("0.5", "+Inf")]
                lines += [f"{name}_count{{{labels}}} {self.requests}", f"{name}_sum{{{labels}}} {self.requests * 0.1}"]
        return "\n".join(lines) + "\n"

    def target(self) -> Target:
        return Target(self.name, self.name, "v", f"http://127.0.0.1:{self.httpd.server_port}/metrics")


class Picker(Page):
    """A picker's page: how many requests it has sent to each endpoint."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.sent: dict[str, int] = {}

    def text(self) -> str:
        labels = 'status="success",namespace="s",port="8000"'
        lines = [
            f'llm_d_epp_scheduler_attempts_total{{{labels},endpoint_name="{name}"}} {count}'
            for name, count in self.sent.items()
        ]
        return "\n".join([*lines, 'llm_d_epp_ready_endpoints{name="chat"} 2']) + "\n"

    def target(self) -> Target:
        return Target(self.name, self.name, "", f"http://127.0.0.1:{self.httpd.server_port}/metrics", "gateway")


class World:
    """A pool of two engines and a picker, and a clock that the test moves."""

    def __init__(self) -> None:
        for name in ("default", "platform"):
            team(name)
        now = {"created_at": START, "updated_at": START}
        Model.objects.create(team="default", name="llama", spec={"source": "hf://a/b", "servedName": "llama"}, **now)
        spec = {
            "model": "llama",
            "routing": {"picker": True},
            "autoscaling": {"mode": "active"},
            "offload": {"mode": "auto"},
        }
        self.pool = Pool.objects.create(team="default", name="chat", spec=spec, **now)
        self.engines = [Page("chat-0"), Page("chat-1")]
        self.picker = Picker("chat-epp")
        self.now = START
        self.extra: tuple[Target, ...] = ()

    def found(self) -> list[PoolTargets]:
        targets = tuple(page.target() for page in (*self.engines, self.picker))
        replicas = {"": {"desired": len(self.engines), "ready": len(self.engines)}}
        return [PoolTargets(self.pool.uid, ("v",), (*targets, *self.extra), replicas)]

    def step(self, seconds: float = 60.0) -> None:
        """Time passes; a tick of telemetry and a probe see it."""
        self.now += timedelta(seconds=seconds)
        with clock.frozen(self.now):
            assert run_tick(self.found) is not None
            assert run_probe(self.found) == 1

    def serve(self, *numbers: int) -> None:
        for page, count in zip(self.engines, numbers, strict=True):
            page.requests += count
            self.picker.sent[page.name] = self.picker.sent.get(page.name, 0) + count

    @property
    def condition(self) -> tuple[str, str, str]:
        self.pool.refresh_from_db()
        found = next(c for c in self.pool.conditions if c["type"] == "SignalsFed")
        return found["status"], found["reason"], found["message"]

    @property
    def row(self) -> Signal:
        return Signal.objects.filter(pool=self.pool.uid, variant="").latest("at")


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    for page in (*made.engines, made.picker):
        page.httpd.shutdown()
        page.httpd.server_close()


@pytest.fixture
def api() -> Api:
    return api_of(person("vic", default=Role.VIEWER))


def test_a_pool_that_is_fed_says_so(world: World, api: Api) -> None:
    assert api.get("teams/default/pools/chat/integrity")["checkedAt"] is None
    world.step()
    world.serve(5, 5)
    world.step()
    assert world.condition[:2] == ("True", "Fed")
    assert "dashboard, autoscaler, offload" in world.condition[2]
    report = api.get("teams/default/pools/chat/integrity")
    assert (report["state"], report["findings"], report["servedNames"]) == ("fed", [], ["llama"])
    assert [(t["name"], t["kind"], t["models"]) for t in report["targets"]] == [
        ("chat-0", "engine", ["llama"]),
        ("chat-1", "engine", ["llama"]),
        ("chat-epp", "picker", []),
    ]


def test_a_renamed_model_is_told_with_its_mend(world: World, api: Api) -> None:
    world.engines[1].model = "llama-v2"
    world.step()
    status, reason, message = world.condition
    assert (status, reason) == ("False", "ModelMismatch")
    assert "chat-1 reports model_name llama-v2, but the pool serves llama" in message
    assert "Set servedName of the Model to llama-v2" in message
    (finding,) = api.get("teams/default/pools/chat/integrity")["findings"]
    assert finding["targets"] == ["chat-1"]
    world.engines[1].model = "llama"
    world.step()
    assert world.condition[:2] == ("True", "Fed")


def test_a_frozen_target_is_found_by_what_the_picker_sent_it(world: World) -> None:
    world.step()
    frozen = world.engines[1]
    for _ in range(4):
        world.serve(3, 3)
        frozen.requests = 0  # its page goes on saying what it said
        world.step()
    status, reason, message = world.condition
    assert (status, reason) == ("False", "Frozen")
    assert message.startswith("chat-1 has requests, but none of its counters has moved for 4 min")
    # nothing is made up for it: what the pool counted is what the other one did
    assert world.row.counts["requests"] == 3
    assert Signal.objects.filter(pool=world.pool.uid, variant="").count() == 5


def test_an_idle_target_is_not_frozen(world: World) -> None:
    for _ in range(6):
        world.serve(3, 0)
        world.step()
    assert world.condition[:2] == ("True", "Fed")


def test_not_a_number_is_left_out_and_told(world: World) -> None:
    world.step()
    world.serve(2, 2)
    for page in world.engines:
        page.kv = "NaN"
    world.step()
    status, reason, message = world.condition
    assert (status, reason) == ("False", "NotFinite")
    assert "vllm:kv_cache_usage_perc of chat-0 is not a number" in message
    assert "kv_mean" not in world.row.gauges
    assert world.row.counts["requests"] == 4


def test_a_removed_metric_is_unknown_not_zero(world: World) -> None:
    world.step()
    world.serve(2, 2)
    for page in world.engines:
        page.left_out = {"vllm:generation_tokens_total"}
    world.step()
    status, reason, message = world.condition
    assert (status, reason) == ("False", "MetricMissing")
    assert "vllm:generation_tokens_total is not on the page of 2 engines" in message
    assert "generation_tokens" not in world.row.counts
    assert world.row.counts["requests"] == 4


def test_a_silent_target_beside_one_that_answers(world: World) -> None:
    world.step()
    gone = Target("pod-2", "chat-2", "v", "http://127.0.0.1:1/metrics")
    world.extra = (gone,)
    world.step()
    status, reason, message = world.condition
    assert (status, reason) == ("False", "TargetSilent")
    assert "1 of 3 engines cannot be read: chat-2" in message


def test_a_real_engine_with_another_name(world: World, tmp_path: Path) -> None:
    with run_engine(tmp_path, "--served-model-name", "renamed") as engine:
        real = Target("pod-9", "chat-9", "v", engine.url + "/metrics")

        def found() -> list[PoolTargets]:
            return [PoolTargets(world.pool.uid, ("v",), (real,), {"": {"desired": 1, "ready": 1}})]

        assert run_probe(found) == 1
        status, reason, message = world.condition
        assert (status, reason) == ("False", "ModelMismatch")
        assert "chat-9 reports model_name renamed" in message
        Model.objects.update(spec={"source": "hf://a/b", "servedName": "renamed"})
        assert run_probe(found) == 1
        assert world.condition[:2] == ("True", "Fed")
