"""What-if through its doors: REST, a real worker's process, `lamp simulate`."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection, transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from apps.core import clock
from apps.core.domain.access import Role
from apps.physics.fleet.fleet import StartUp
from apps.pools.models import Pool
from apps.telemetry.domain.histogram import Histogram
from apps.whatif import services
from apps.whatif.domain.request import SimulateBody
from apps.whatif.models import Simulation
from apps.whatif.planning import plan_of
from controlplane.celery import app
from tests.support.people import Api, api_of, json_of, person, team
from tests.support.signals import minutes, store_minutes
from tests.support.wait import wait_until
from tests.support.waiting import somebody_waits

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey_server")]

SPEC = {
    "model": "m",
    "cluster": "embedded",
    "namespace": "serving",
    "variants": [{"name": "l40s", "accelerator": "nvidia-l40s", "replicas": {"min": 1, "max": 6}}],
}
PATH = "teams/default/pools/chat"


@pytest.fixture
def pool() -> Pool:
    team("default")
    now = clock.now()
    return Pool.objects.create(team="default", name="chat", spec=SPEC, created_at=now, updated_at=now)


@pytest.fixture
def api() -> Api:
    return api_of(person("eve", default=Role.EDITOR))


def trace(count: int = 1200) -> str:
    rows = [{"timestamp": i * 250, "input_length": 1000, "output_length": 100} for i in range(count)]
    return "\n".join(map(json.dumps, rows))


def ask(api: Api, body: dict, status: int = 202) -> dict:
    response = api.send("POST", f"{PATH}/simulate", body)
    assert response.status_code == status, response.content
    return json_of(response)


def test_who_asks_is_not_kept_waiting_while_the_broker_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", waits.append)
    nowhere = f"redis+socket://{tmp_path}/nowhere.sock"
    with app.connection(nowhere, transport_options=app.conf.broker_transport_options) as broker:
        with pytest.raises((OperationalError, OSError, RedisError)):
            _ = broker.default_channel
    assert sum(waits) == 0, "a simulation that was not sent is sent by the tick"


def test_replicas_start_as_they_were_measured_to_where_nobody_says(pool: Pool) -> None:
    source = {"kind": "trace", "format": "mooncake", "content": trace(4)}
    asked = SimulateBody.from_document({"source": source, "startup": {"l40s": {"p50": "30s", "p90": "40s"}}}, at="")
    unasked = SimulateBody.from_document({"source": source}, at="")
    assert plan_of(pool, unasked, now=clock.now()).variants["l40s"].startup.p50 > 60, "the calibrated cold start"
    pool.status["startUp"] = {"l40s": {"p90": 12.0, "starts": [8.0, 9.0, 12.0]}}
    assert plan_of(pool, unasked, now=clock.now()).variants["l40s"].startup == StartUp(9.0, 12.0)
    assert plan_of(pool, asked, now=clock.now()).variants["l40s"].startup == StartUp(30.0, 40.0)


def test_a_trace_is_played_in_a_process_of_its_own_and_told(pool: Pool, api: Api) -> None:
    body = {
        "label": "a trace",
        "source": {"kind": "trace", "format": "mooncake", "content": trace()},
        "policies": [{"kind": "lamplight"}, {"kind": "static", "replicas": 2}],
        "startup": {"l40s": {"p50": "30s", "p90": "40s"}},
        "price": {"l40s": "1.00 USD/h"},
    }
    made = ask(api, body)
    assert (made["status"], made["result"]) == ("queued", None)
    assert made["request"]["source"]["content"]["bytes"] == len(trace())
    assert services.play(UUID(made["id"]))
    assert not services.play(UUID(made["id"]))
    done = api.get(f"{PATH}/simulations/{made['id']}")
    assert (done["status"], done["progress"], done["message"]) == ("done", 1.0, "")
    ours, static = done["result"]["runs"]
    assert done["result"]["requests"] == 1200
    assert static["cost"] == pytest.approx(2 * 300 / 3600, rel=0.01)
    assert 0 < ours["attainment"] <= 1
    (listed,) = api.get(f"{PATH}/simulations")["items"]
    assert "result" not in listed
    assert Simulation.objects.get().trace is None


def test_the_pools_own_history_is_played(pool: Pool, api: Api) -> None:
    start = clock.now() - timedelta(minutes=61)
    counts = {"requests": 120.0, "prompt_tokens": 120_000.0, "cached_tokens": 30_000.0, "generation_tokens": 12_000.0}
    lengths = {
        "prompt_length": Histogram({(500.0, 1500.0): 120.0}),
        "generation_length": Histogram({(50.0, 150.0): 120.0}),
    }
    store_minutes(pool.uid, minutes(start, 60, counts=counts, histograms=lengths))
    made = ask(api, {"source": {"kind": "history", "hours": 4}, "slo": {"ttft": "1s", "tpot": "50ms"}})
    assert services.play(UUID(made["id"]))
    done = api.get(f"{PATH}/simulations/{made['id']}")
    assert done["status"] == "done", done["message"]
    assert done["result"]["requests"] == 7200
    assert done["result"]["slo"] == {"ttft": 1.0, "tpot": 0.05, "fraction": 0.95}


def test_what_cannot_be_played_says_why(pool: Pool, api: Api) -> None:
    made = ask(api, {})
    services.play(UUID(made["id"]))
    done = api.get(f"{PATH}/simulations/{made['id']}")
    assert done["status"] == "failed"
    assert "no signals" in done["message"]


def test_bad_bodies_are_refused_with_their_place(pool: Pool, api: Api) -> None:
    refused = ask(api, {"startup": {"h100": {"p50": "1s", "p90": "2s"}}}, 422)
    assert refused["errors"][0]["pointer"] == "/startup/h100"
    refused = ask(api, {"policies": [{"kind": "lamplight", "autoscaling": {"mode": "wild"}}]}, 422)
    assert refused["errors"][0]["pointer"].startswith("/policies/0")
    assert api.send("POST", f"{PATH}/simulate", b"{").status_code == 400
    viewer = api_of(person("vera", default=Role.VIEWER))
    assert viewer.send("POST", f"{PATH}/simulate", {}).status_code == 403
    assert viewer.send("GET", f"{PATH}/simulations").status_code == 200
    stranger = api_of(person("sam"))
    assert stranger.send("GET", f"{PATH}/simulations").status_code == 404


def test_only_so_many_are_unfinished_and_only_so_many_are_kept(pool: Pool, api: Api, monkeypatch) -> None:
    older = [ask(api, {})["id"] for _ in range(services.MOST_UNFINISHED)]
    assert ask(api, {}, 409)["detail"].startswith("8 simulations of team default")
    Simulation.objects.update(status="failed")
    monkeypatch.setattr(services, "KEPT", 3)
    newest = ask(api, {})
    assert {str(row.id) for row in Simulation.objects.all()} == {*older[-2:], newest["id"]}, "the newest are kept"


@pytest.mark.django_db(transaction=True)
def test_of_two_that_ask_at_the_same_moment_no_more_are_unfinished_than_may(pool: Pool, monkeypatch) -> None:
    monkeypatch.setattr(services, "MOST_UNFINISHED", 1)
    body = SimulateBody.from_document({}, at="")

    def ask_too() -> str:
        try:
            services.ask(pool=pool, body=body, by="user:1")
        except services.Busy as busy:
            return str(busy)
        finally:
            connection.close()
        return "queued"

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            services.ask(pool=pool, body=body, by="user:1")
            other = threads.submit(ask_too)
            wait_until(lambda: other.done() or somebody_waits(), message="the other one asks meanwhile")
        assert "1 simulations of team default are unfinished" in other.result(timeout=60)
    assert Simulation.objects.count() == 1


def test_the_dead_are_given_up_and_the_lost_are_sent_again(pool: Pool, api: Api) -> None:
    dead, lost = UUID(ask(api, {})["id"]), UUID(ask(api, {})["id"])
    past = clock.now() - timedelta(minutes=11)
    Simulation.objects.filter(id=dead).update(status="running", touched_at=past)
    Simulation.objects.filter(id=lost).update(created_at=past)
    assert services.clear_up() == [lost]
    assert Simulation.objects.get(id=dead).message == "Its worker died: ask for it again."


def test_one_that_takes_too_long_is_ended(pool: Pool, api: Api, monkeypatch) -> None:
    made = ask(api, {"source": {"kind": "trace", "format": "mooncake", "content": trace()}})
    monkeypatch.setattr(services, "LONGEST_SECONDS", 0.05)
    services.play(UUID(made["id"]))
    done = api.get(f"{PATH}/simulations/{made['id']}")
    assert done["status"] == "failed"
    assert "fewer hours" in done["message"]
