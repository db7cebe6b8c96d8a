"""Loads that the server sends: REST, a real worker, the process it starts, a real engine simulator."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

import controlplane.celery  # noqa: F401  (tasks are sent through this app, as in the web process)
from apps.benchmarks import running, services
from apps.benchmarks.domain.asking import LoadBody
from apps.benchmarks.models import LoadRun
from apps.core import clock
from apps.core.domain.access import Role
from apps.core.domain.refusals import Clash
from apps.pools.models import Pool
from tests.support.engines import run_engine
from tests.support.people import Api, api_of, json_of, person
from tests.support.pools import cluster_document, declare, model_document, pool_document
from tests.support.ports import free_port
from tests.support.wait import wait_until
from tests.support.waiting import somebody_waits
from tests.support.workers import Workers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey_server")]
LOADS = "teams/default/pools/chat/loads"
SHORT = {"rate": 12, "duration": "5s", "promptTokens": 300, "outputTokens": 8, "label": "before the change"}
LONG = {"users": 2, "duration": "10m", "promptTokens": 300, "outputTokens": 8}
SLO = {
    "kind": "SLO",
    "metadata": {"name": "chat"},
    "spec": {
        "targetRef": {"kind": "Pool", "name": "chat"},
        "objectives": [
            {"metric": "ttft", "threshold": "10s", "fraction": "95%"},
            {"metric": "errors", "fraction": "99%"},
        ],
    },
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_engine(
        tmp_path_factory.mktemp("engine"), "--served-model-name", "tiny", "--enable-prompt-tokens-details",
        environment={"LAMPLIGHT_TIME_SCALE": "4"},
    ) as running_engine:  # fmt: skip
        yield running_engine.url


@pytest.fixture
def workers(valkey_server: str, tmp_path: Path) -> Iterator[Workers]:
    started = Workers(valkey_server, tmp_path / "worker.log")
    try:
        yield started
    finally:
        started.stop()


def serving(address: str | None) -> None:
    declare(cluster_document("/nowhere"), model_document(), pool_document(), SLO)
    Pool.objects.update(status={"endpoint": address, "replicas": {"ready": 2, "desired": 2}})


@pytest.fixture
def api() -> Api:
    return api_of(person("erin", default=Role.EDITOR))


def begin(api: Api, body: dict[str, Any], status: int = 202) -> dict[str, Any]:
    answer = api.send("POST", LOADS, body)
    assert answer.status_code == status, answer.content
    found: dict[str, Any] = json_of(answer)
    return found


def played(identity: str) -> None:
    watcher = running.begin(UUID(identity))
    assert watcher is not None
    watcher.join(60)
    assert not watcher.is_alive()


def children_of(pid: int, what: bytes = b"apps.benchmarks.child", *, dead: bool = False) -> list[int]:
    """Children of a process by their command line; with `dead` also those that nobody has waited for."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if stat[1] == str(pid) and (what in command or (dead and stat[0] == "Z")):
            found.append(int(entry.name))
    return found


def alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_load_is_sent_measured_compared_and_told(engine: str, api: Api) -> None:
    serving(engine)
    made = begin(api, SHORT)
    assert (made["status"], made["measured"], made["createdBy"]) == ("queued", None, "erin")
    played(made["id"])
    assert running.begin(UUID(made["id"])) is None, "whoever is late finds it taken"
    done = api.get(f"{LOADS}/{made['id']}")
    assert done["status"] == "done", done["message"]
    got = done["measured"]
    assert got["sent"] == got["ok"] > 30 and got["failed"] == got["shed"] == got["inFlight"] == 0
    assert got["promptTokens"] == got["ok"] * 300 and got["outputTokens"] == got["ok"] * 8
    assert 0 < got["ttft"]["p50"] <= got["ttft"]["p95"] <= got["e2e"]["max"]
    assert got["itl"]["count"] == got["ok"] * 7
    assert [(row["metric"], row["share"], row["verdict"]) for row in got["objectives"]] == [
        ("ttft", 1.0, "met"), ("errors", 1.0, "met")
    ]  # fmt: skip
    assert sum(part["sent"] for part in got["slices"]) == got["sent"]
    assert (done["readyAtStart"], done["readyAtEnd"], done["generation"]) == (2, 2, 1)

    again = begin(api, {**SHORT, "label": "after the change"})
    played(again["id"])
    listed = api.get(f"{LOADS}?limit=1")["items"]
    assert [row["label"] for row in listed] == ["after the change"]
    assert listed[0]["measured"]["slices"] == []
    compared = api.get(f"{LOADS}/{made['id']}/compare/{again['id']}")
    assert compared["comparable"] and compared["sentence"].startswith("TTFT p95 ")
    assert (compared["before"]["label"], compared["after"]["label"]) == ("before the change", "after the change")

    lines = api.get("timeline?kind=Pool&name=chat")["items"]
    (change, *_) = [line for line in lines if line["source"] == "change" and line["reason"] == "before the change"]
    assert change["actor"] == "erin" and "12 requests/s (chat) for 5s" in change["parts"][0]["after"]
    assert {"LoadStarted", "LoadDone"} <= {line["title"] for line in lines}


def test_one_at_a_time_and_stopped_by_who_may_write(engine: str, api: Api) -> None:
    serving(engine)
    made = begin(api, LONG)
    watcher = running.begin(UUID(made["id"]))
    assert watcher is not None
    wait_until(lambda: api.get(f"{LOADS}/{made['id']}")["measured"]["ok"] > 0, message="answers are told")
    assert "under a load already" in begin(api, SHORT, 409)["detail"]
    viewer = api_of(person("vera", default=Role.VIEWER))
    assert viewer.send("POST", LOADS, SHORT).status_code == 403
    assert viewer.send("POST", f"{LOADS}/{made['id']}/stop").status_code == 403
    assert viewer.get(f"{LOADS}/{made['id']}")["status"] == "running"
    assert api_of(person("sam")).send("GET", LOADS).status_code == 404
    assert api.send("POST", f"{LOADS}/{made['id']}/stop").status_code == 202
    watcher.join(60)
    over = api.get(f"{LOADS}/{made['id']}")
    assert over["status"] == "stopped" and over["message"].startswith("The load was stopped:")
    assert "over already" in json_of(api.send("POST", f"{LOADS}/{made['id']}/stop"))["detail"]
    queued = begin(api, SHORT)
    assert json_of(api.send("POST", f"{LOADS}/{queued['id']}/stop"))["status"] == "stopped"
    assert running.begin(UUID(queued["id"])) is None


def test_a_load_dies_with_its_worker_and_is_said_to_be_lost(
    engine: str, api: Api, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving(engine)
    worker = workers.start()
    wait_until(workers.up, message="the worker is up")
    made = begin(api, LONG)
    address = f"{LOADS}/{made['id']}"
    wait_until(lambda: (api.get(address)["measured"] or {"ok": 0})["ok"] > 0, message="the worker sends it")
    (child,) = children_of(worker.pid)
    assert services.clear_up() == [] and api.get(address)["status"] == "running", "it lives"
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait(60)
    wait_until(lambda: not alive(child), message="the process that sends ends with its worker")
    monkeypatch.setattr(services, "SILENT", timedelta(0))
    services.clear_up()
    lost = api.get(address)
    assert lost["status"] == "lost" and lost["measured"]["ok"] > 0
    assert "the worker that sent it ended before it did" in lost["message"]
    lines = api.get("timeline?kind=Pool&name=chat&type=Warning")["items"]
    assert "LoadLost" in {line["title"] for line in lines}
    begin(api, SHORT)


def test_what_the_pool_refuses_is_counted_by_its_kind(api: Api) -> None:
    serving(f"http://127.0.0.1:{free_port()}")
    made = begin(api, {"rate": 5, "duration": "5s"})
    played(made["id"])
    found = api.get(f"{LOADS}/{made['id']}")
    assert found["status"] == "done" and found["measured"]["ok"] == 0
    (error,) = found["measured"]["errors"]
    assert error["code"] == "connect" and error["count"] == found["measured"]["failed"] > 5
    assert found["measured"]["ttft"] is None


def test_what_cannot_be_loaded_says_why(api: Api) -> None:
    serving(None)
    assert "has no address yet" in begin(api, SHORT, 409)["detail"]
    Pool.objects.update(status={"endpoint": "http://169.254.169.254"})
    assert "link-local" in begin(api, SHORT, 409)["detail"]
    Pool.objects.update(status={"endpoint": "http://127.0.0.1:9"})
    refused = begin(api, {"rate": 50, "duration": "30m"}, 422)
    assert "shorten it or lower the rate" in refused["errors"][0]["detail"]
    assert begin(api, {"rat": 1}, 422)["errors"][0]["pointer"] == "/rat"
    nowhere = f"{LOADS}/00000000-0000-0000-0000-000000000000"
    assert api.send("GET", nowhere).status_code == 404
    assert api.send("POST", f"{nowhere}/stop").status_code == 404


def test_of_two_that_ask_at_the_same_moment_no_more_begin_than_may(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    serving("http://127.0.0.1:9")
    declare(pool_document("other"))
    Pool.objects.update(status={"endpoint": "http://127.0.0.1:9"})
    monkeypatch.setattr(services, "MOST_UNFINISHED", 1)

    def ask_for_another() -> str:
        try:
            services.ask(pool=Pool.objects.get(name="other"), body=body, actor="user:1", request_id="")
        except Clash as refused:
            return str(refused)
        finally:
            connection.close()
        return "begun"

    body = LoadBody.from_document(SHORT, at="")
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            services.ask(pool=Pool.objects.get(name="chat"), body=body, actor="user:1", request_id="")
            other = threads.submit(ask_for_another)
            wait_until(lambda: other.done() or somebody_waits(), message="the other one asks meanwhile")
        assert "1 loads are under way in this installation" in other.result(timeout=60)
    assert LoadRun.objects.count() == 1


def test_a_process_that_does_not_take_its_order_is_not_left_behind(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    serving("http://127.0.0.1:9")
    made = begin(api, SHORT)
    # more than a pipe holds, so that whoever closes it is noticed
    monkeypatch.setattr(running.Order, "to_line", lambda _: b"x" * 2**20)
    monkeypatch.setattr(running, "_COMMAND", ["sh", "-c", "exec 0<&-; exec sleep 613"])
    assert running.begin(UUID(made["id"])) is None
    assert api.get(f"{LOADS}/{made['id']}")["status"] == "failed"
    assert children_of(os.getpid(), b"sleep\x00613", dead=True) == []


def test_what_nobody_takes_is_sent_again_and_then_given_up(api: Api) -> None:
    serving("http://127.0.0.1:9")
    made = begin(api, SHORT)
    assert services.clear_up() == [], "it was sent just now"
    LoadRun.objects.update(created_at=clock.now() - timedelta(seconds=30))
    assert [str(one) for one in services.clear_up()] == [made["id"]]
    LoadRun.objects.update(created_at=clock.now() - timedelta(minutes=3))
    services.clear_up()
    given_up = api.get(f"{LOADS}/{made['id']}")
    assert given_up["status"] == "failed" and "No worker took it" in given_up["message"]


def test_the_newest_are_kept(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    serving("http://127.0.0.1:9")
    for _ in range(3):
        made = begin(api, SHORT)
        api.send("POST", f"{LOADS}/{made['id']}/stop")
    monkeypatch.setattr(services, "KEPT", 2)
    services.forget()
    assert len(api.get(LOADS)["items"]) == 2
    Pool.objects.all().delete()
    services.forget()
    assert not LoadRun.objects.exists()
