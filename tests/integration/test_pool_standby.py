"""A pool with idle: standby on the embedded cluster: drained, put to sleep, woken by the first request alone."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from apps.audit.models import Event
from apps.autoscaling import waking
from apps.autoscaling.models import Decision
from apps.pools import tokens
from apps.pools.models import ReplicaTarget
from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.pools import (
    condition,
    declare_on,
    drain_until,
    engine_pods,
    pool,
    pool_document,
    take_down,
    variant_document,
    want,
)
from tests.support.wait import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]


cluster = shared_cluster(nodes=True)


@pytest.fixture
def standby(cluster: EmbeddedCluster) -> Iterator[str]:
    """A pool with one engine that serves; its address. Its engines live twenty times as fast."""
    document = pool_document(
        variants=[variant_document(replicas={"min": 0, "max": 1})],
        autoscaling={"mode": "active", "idle": "standby"},
        engine={"env": {"LAMPLIGHT_TIME_SCALE": "20"}},
        rollout={"drainDelay": "0s", "shutdownTimeout": "30s"},
    )
    declare_on(cluster, document)
    want(1)
    drain_until(lambda: condition("chat", "Healthy")["status"] == "True", message="the pool serves")
    yield pool().status["endpoint"]
    take_down("chat")


def ask(address: str, tokens_: int = 3) -> Any:
    body = {"model": "tiny", "prompt": "hello there", "max_tokens": tokens_, "ignore_eos": True}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address + "/v1/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def status_of(url: str, *, post: bool = False, headers: dict[str, str] | None = None) -> int:
    try:
        request = urllib.request.Request(url, b"" if post else None, headers or {})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def engine(cluster: EmbeddedCluster) -> dict[str, Any]:
    (pod,) = engine_pods(cluster)
    return pod


def address(pod: dict[str, Any]) -> str:
    return f"http://{pod['status']['podIP']}:8000"


def asleep(cluster: EmbeddedCluster) -> bool:
    with urllib.request.urlopen(address(engine(cluster)) + "/metrics", timeout=30) as answer:
        page = answer.read().decode()
    return any('sleep_state="awake"' in line and line.endswith(" 0.0") for line in page.splitlines())


def running(cluster: EmbeddedCluster) -> bool:
    with urllib.request.urlopen(address(engine(cluster)) + "/metrics", timeout=30) as answer:
        page = answer.read().decode()
    return any(line.startswith("vllm:num_requests_running") and line.endswith(" 1.0") for line in page.splitlines())


def put_to_sleep(cluster: EmbeddedCluster) -> None:
    want(0, asleep=1)
    drain_until(lambda: condition("chat", "Standby")["reason"] == "Asleep", message="the engine sleeps")
    assert asleep(cluster), "what the condition says is what the engine says"


def test_sleep_endpoints_are_closed_to_everybody_else(cluster: EmbeddedCluster, standby: str) -> None:
    direct = address(engine(cluster))
    for front in (direct, standby):
        assert status_of(front + "/sleep?level=1", post=True) == 403
        assert status_of(front + "/wake_up", post=True) == 403
        assert status_of(front + "/collective_rpc", post=True) == 403
        assert status_of(front + "/is_sleeping") == 403
    assert status_of(direct + "/is_sleeping", headers={tokens.HEADER: "0" * 64}) == 403
    digest = next(e["value"] for e in engine(cluster)["spec"]["containers"][0]["env"] if e["name"] == "LAMPLIGHT_GUARD")
    assert status_of(direct + "/is_sleeping", headers={tokens.HEADER: digest}) == 403, (
        "what the pod shows opens nothing"
    )
    assert status_of(direct + "/is_sleeping", headers={tokens.HEADER: tokens.token(pool().uid)}) == 200
    assert status_of(direct + "/v1/models") == 200
    assert not asleep(cluster)


def test_it_sleeps_when_its_work_is_done_and_the_first_request_wakes_it(cluster: EmbeddedCluster, standby: str) -> None:
    before = engine(cluster)["metadata"]["uid"]
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(ask, standby, 10_000)
        wait_until(lambda: running(cluster), message="the request runs")
        put_to_sleep(cluster)
        assert answer.result(timeout=60)["choices"][0]["finish_reason"] == "length", "it was drained first"
    said = condition("chat", "Standby")
    assert "1 engine asleep" in said["message"]
    assert Event.objects.filter(reason="Asleep").exists()
    assert pool().status["variants"][0]["desired"] == 1, "the pod stays"
    assert pool().status["replicas"] == {"desired": 1, "ready": 1, "starting": 0, "asleep": 1}
    assert condition("chat", "Ready")["message"] == "the one replica is asleep; the first request wakes one"

    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(ask, standby)
        drain_until(lambda: waking.run_watch() or answer.done(), message="somebody is seen to wait")
        drain_until(answer.done, message="the request is answered")
        assert answer.result()["usage"]["completion_tokens"] == 3
    decision = Decision.objects.latest("id")
    assert decision.verb == "wake"
    assert "Woken" in decision.sentence
    target = ReplicaTarget.objects.get()
    assert (target.desired, target.asleep, target.source) == (1, 0, "autoscaler")
    assert engine(cluster)["metadata"]["uid"] == before, "woken, not started"
    drain_until(lambda: condition("chat", "Standby")["reason"] == "Awake", message="the condition says so")


def test_an_engine_that_cannot_be_woken_is_started_anew(
    cluster: EmbeddedCluster, standby: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_to_sleep(cluster)
    before = engine(cluster)["metadata"]["uid"]
    with monkeypatch.context() as broken:
        broken.setattr(tokens, "token", lambda _pool: "not it")
        want(1)
        drain_until(lambda: Event.objects.filter(reason="WakeFailed").exists(), message="the wake fails")
    drain_until(lambda: ask_or_none(standby), message="another engine serves")
    # for a while there may be two: the new one before the old one is told to go
    drain_until(
        lambda: [pod["metadata"]["uid"] != before for pod in engine_pods(cluster)] == [True],
        message="the one that could not be woken is gone",
    )
    assert "answered 403" in Event.objects.filter(reason="WakeFailed").latest("id").message


def ask_or_none(address_: str) -> Any:
    try:
        return ask(address_)
    except OSError:
        return None
