"""Two pools that take turns on one accelerator of the embedded cluster, whose memory holds one engine that is awake.

The second engine would fail to start or to wake there ("out of memory"), so that no WakeFailed and no restart in a
whole run mean that no two were ever awake together; the engines' own states are asked all the while, too.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from django.db.models import F

from apps.audit.models import Event
from apps.autoscaling import waking
from apps.clusters.models import Cluster
from apps.clusters.selectors import inventory
from apps.core.services import BundleRefused
from apps.pools import sharing, standby
from apps.pools.domain import turns
from apps.pools.domain.plan import Plan
from apps.pools.models import Pool, SharedTurn
from apps.pools.selectors import cluster_of, spec_of
from apps.reconcile.services import LeaseLost
from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.pools import (
    condition,
    declare,
    declare_on,
    delete,
    drain_until,
    pool,
    pool_document,
    variant_document,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
NAMES = ("chat", "code")


cluster = shared_cluster(nodes=True)


def sharer(name: str, sets: int = 1, **more: Any) -> dict[str, Any]:
    return pool_document(
        name,
        variants=[variant_document(replicas={"min": 0, "max": 1}, resources={"cpu": "2", "memory": "48Gi"})],
        autoscaling={"mode": "active", "idle": "standby", "standby": "shared", "group": "evening", "sets": sets},
        engine={"env": {"LAMPLIGHT_TIME_SCALE": "20"}},
        rollout={"drainDelay": "0s", "shutdownTimeout": "10s"},
        **more,
    )


@pytest.fixture(autouse=True)
def _awake_until_another_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, nobody falls asleep between two requests of a test."""
    monkeypatch.setattr(turns, "REST", 600.0)


@pytest.fixture
def pair(cluster: EmbeddedCluster) -> Iterator[EmbeddedCluster]:
    yield from declared(cluster, NAMES)


@pytest.fixture
def three_on_two_sets(cluster: EmbeddedCluster) -> Iterator[EmbeddedCluster]:
    yield from declared(cluster, (*NAMES, "mail"), sets=2)


def declared(cluster: EmbeddedCluster, names: tuple[str, ...], sets: int = 1) -> Iterator[EmbeddedCluster]:
    declare_on(cluster, *(sharer(name, sets) for name in names))
    drain_until(
        lambda: all(condition(name, "RoutingReady")["status"] == "True" for name in names), message="all have a picker"
    )
    yield cluster
    for name in names:
        delete("Pool", name)
    drain_until(lambda: not Pool.objects.exists(), message="the pools are gone")
    claims = cluster.kube.resource("ResourceClaim", "resource.k8s.io")
    assert cluster.kube.list(claims, "serving") == [], "the claim went with the last of them"
    assert not SharedTurn.objects.exists()


def ask(name: str) -> Any:
    return ask_at(pool(name).status["endpoint"], name, tokens=3)


def ask_at(address: str, name: str, *, tokens: int) -> Any:
    body = {"model": "tiny", "prompt": f"hello {name}", "max_tokens": tokens, "ignore_eos": True}
    return requests.post(address + "/v1/completions", json=body, timeout=90).json()


def engines(cluster: EmbeddedCluster) -> dict[str, list[dict[str, Any]]]:
    labels = {"app.kubernetes.io/component": "engine"}
    found: dict[str, list[dict[str, Any]]] = {}
    for pod in cluster.kube.list(cluster.kube.resource("Pod"), "serving", labels=labels):
        found.setdefault(pod["metadata"]["labels"]["lamplight.dev/pool"], []).append(pod)
    return found


def served(name: str) -> bool:
    """One request is answered while the pools are reconciled as the second-by-second watch has it."""
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(ask, name)
        drain_until(lambda: waking.run_watch() is None or answer.done(), message=f"{name} answers")
        return bool(answer.result()["usage"]["completion_tokens"] == 3)


@contextmanager
def busy(name: str) -> Iterator[None]:
    """One request after the other is sent to a pool, so that it always has work."""
    stop, address = threading.Event(), pool(name).status["endpoint"]

    def send() -> None:
        while not stop.is_set():
            ask_at(address, name, tokens=40)

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        # what waits for its turn is served, so that nobody is left to ask
        drain_until(lambda: waking.run_watch() is None or not any(thread.is_alive() for thread in threads))
        for thread in threads:
            thread.join()


@contextmanager
def watched(cluster: EmbeddedCluster) -> Iterator[list[set[str]]]:
    """Which pools have an engine that says it is awake, asked again and again; `name@2`: on the second set."""
    seen: list[set[str]] = []
    stop = threading.Event()

    def look() -> set[str]:
        awake = set()
        for name, pods in engines(cluster).items():
            for pod in pods:
                try:
                    page = requests.get(f"http://{pod['status']['podIP']}:8000/metrics", timeout=1).text
                except (requests.RequestException, KeyError):
                    continue
                if any('sleep_state="awake"' in line and line.endswith(" 1.0") for line in page.splitlines()):
                    number = pod["metadata"]["labels"].get("lamplight.dev/shared-set")
                    awake.add(f"{name}@{number}" if number else name)
        return awake

    def watch() -> None:
        while not stop.wait(0.05):
            # engines are asked one after the other: those that were awake at once are so in two rounds
            seen.append(look() & look())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def test_two_pools_take_turns_on_one_accelerator(pair: EmbeddedCluster) -> None:
    cluster_row = cluster_of(pool("chat"))
    assert cluster_row is not None
    before = sum(row.used for row in inventory(cluster_row))
    with watched(pair) as seen:
        assert served("chat"), "the first start"
        assert served("code"), "chat gives way, once it has nothing to do"
        nodes = {pod["spec"]["nodeName"] for pods in engines(pair).values() for pod in pods}
        assert len(nodes) == 1, "a claim has one place"
        assert sum(row.used for row in inventory(cluster_row)) == before + 1, "counted once"
        pods = {name: [pod["metadata"]["uid"] for pod in found] for name, found in engines(pair).items()}
        assert served("chat")
        assert served("code")
    assert {frozenset(one) for one in seen} >= {frozenset({"chat"}), frozenset({"code"})}
    assert all(len(one) <= 1 for one in seen)
    again = {name: [pod["metadata"]["uid"] for pod in found] for name, found in engines(pair).items()}
    assert again == pods, "woken, not started"
    restarts = [
        status["restartCount"]
        for found in engines(pair).values()
        for pod in found
        for status in pod["status"]["containerStatuses"]
    ]
    assert restarts == [0, 0], "none met memory that another one had"
    assert not Event.objects.filter(reason="WakeFailed").exists()
    assert "it is the turn of chat on the accelerators of group evening, which code had" in {
        event.message for event in Event.objects.filter(reason="TurnTaken")
    }
    drain_until(lambda: condition("chat", "Standby")["reason"] == "Asleep", message="chat says that it sleeps")
    said = condition("chat", "Standby")
    assert "code has the accelerators of group evening" in said["message"]


def test_an_engine_without_work_falls_asleep_before_anybody_asks(
    pair: EmbeddedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "REST", 1.0)
    assert served("chat")
    drain_until(lambda: not SharedTurn.objects.get().turn["holder"], message="nobody has the turn")
    assert "chat has nothing to do and leaves the accelerators of group evening to whoever is asked next" in {
        event.message for event in Event.objects.filter(reason="GivesWay")
    }
    drain_until(lambda: condition("chat", "Standby")["reason"] == "Asleep", message="chat says that it sleeps")
    assert "nobody has the accelerators" in condition("chat", "Standby")["message"]
    assert served("chat"), "its target stands, and the next request wakes it"


def test_three_pools_take_turns_on_two_accelerators_and_two_are_awake_at_once(
    three_on_two_sets: EmbeddedCluster,
) -> None:
    cluster = three_on_two_sets
    of = cluster_of(pool("chat"))
    assert of is not None
    before = sum(row.used for row in inventory(of))
    with watched(cluster) as seen:
        assert served("chat"), "the first start"
        assert served("code"), "on the other accelerator"
        drain_until(lambda: any(len(one) == 2 for one in seen), message="both are awake")
        assert sum(row.used for row in inventory(of)) == before + 2
        assert served("mail"), "one of them gives way, once it has nothing to do"
        for name in ("chat", "code", "mail"):
            assert served(name)
    on = [[{name for name in one if ("@" in name) is second} for one in seen] for second in (False, True)]
    assert all(len(names) <= 1 for names in (*on[0], *on[1])), "at most one on each"
    assert {name.partition("@")[0] for one in seen for name in one} == {"chat", "code", "mail"}
    restarts = [
        status["restartCount"]
        for found in engines(cluster).values()
        for pod in found
        for status in pod["status"]["containerStatuses"]
    ]
    assert not any(restarts), "none met memory that another one had"
    assert not Event.objects.filter(reason="WakeFailed").exists()
    assert {row.place for row in SharedTurn.objects.all()} == {0, 1}
    drain_until(
        lambda: all(one in condition("mail", "Standby")["message"] for one in ("set 1", "set 2")),
        message="mail tells of both sets",
    )


def test_a_turn_ends_in_time_for_what_an_slo_promises_to_who_waits(
    pair: EmbeddedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = {"metric": "ttft", "fraction": "95%", "threshold": "12s"}
    spec = {"targetRef": {"name": "code"}, "objectives": [objective]}
    declare({"kind": "SLO", "metadata": {"name": "code-fast"}, "spec": spec})
    assert served("chat")
    assert served("code")
    with busy("chat"):
        drain_until(
            lambda: waking.run_watch() is None or condition("chat", "Standby")["reason"] == "Awake",
            message="it is the turn of chat, which has work all the time",
        )
        assert served("code")
    assert pool("code").first_token_within == 12.0
    assert any(
        event.message.startswith("chat gives way on the accelerators of group evening after ")
        and event.message.endswith(": code waits; code is to have its first tokens within 12 s")
        for event in Event.objects.filter(reason="GivesWay")
    ), [event.message for event in Event.objects.filter(reason="GivesWay")]
    delete("SLO", "code-fast")


class Killed(LeaseLost):
    """The worker ends here."""


@pytest.mark.parametrize(
    "at", ["wake", "sleep", *(pytest.param(at, marks=pytest.mark.soak) for at in ("promise", "kept"))]
)
def test_a_worker_killed_in_the_middle_of_a_hand_over(
    pair: EmbeddedCluster, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with watched(pair) as seen:
        assert served("chat")
        assert served("code")
        happened: list[str] = []

        def die(*_: Any) -> Any:
            happened.append(at)
            raise Killed(at)

        def wakes_and_dies(_kube: Any, of: Pool, pod: Any) -> str:
            standby._post(of, pod, "/wake_up", (1.0, 20.0))
            return die()

        def sleeps_and_dies(of: Pool, pod: Any, mode: str) -> str:
            standby._post(of, pod, f"/sleep?level=1&mode={mode}", (1.0, 60.0))
            return die()

        broken = {
            "promise": (sharing.SetShare, "promise", die),
            "kept": (sharing.SetShare, "kept", die),
            "wake": (standby, "_wake", wakes_and_dies),
            "sleep": (standby, "_put_to_sleep", sleeps_and_dies),
        }[at]
        monkeypatch.setattr(sharing, "_WORD_SECONDS", 2.0)
        with monkeypatch.context() as dying, ThreadPoolExecutor(1) as threads:
            dying.setattr(*broken)
            answer = threads.submit(ask, "chat")
            drain_until(lambda: waking.run_watch() is None or happened, message=f"it dies at {at}")
            dying.undo()
            drain_until(lambda: waking.run_watch() is None or answer.done(), message="the next worker goes on")
            assert answer.result()["usage"]["completion_tokens"] == 3
        assert served("code")
    assert all(len(one) <= 1 for one in seen)


def test_a_look_that_is_older_than_a_word_rules_nothing(pair: EmbeddedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    assert served("chat")
    assert SharedTurn.objects.get().turn["holder"] == str(pool("chat").uid)
    seen = sharing._sightings

    def meanwhile(*args: Any) -> Any:
        found = seen(*args)
        SharedTurn.objects.update(version=F("version") + 1)
        return found

    with monkeypatch.context() as slow:
        slow.setattr(sharing, "_sightings", meanwhile)
        of, kube = pool("code"), pair.kube
        share = sharing.look(kube, of, spec_of(of), Plan((), ()))
    assert not share.sets[0].may_serve
    assert SharedTurn.objects.get().turn["holder"] == str(pool("chat").uid)


def test_what_cannot_share_is_refused_with_its_mend(pair: EmbeddedCluster) -> None:
    def refused(document: dict[str, Any]) -> str:
        with pytest.raises(BundleRefused) as faults:
            declare(document)
        return str(faults.value)

    other = sharer("other")
    other["spec"]["variants"][0]["accelerator"] = "nvidia-h100"
    assert "pool chat of group evening runs on 1 nvidia-h200, this one on 1 nvidia-h100" in refused(other)
    big = sharer("big")
    big["spec"]["variants"][0]["resources"]["memory"] = "4Ti"
    drain_until(lambda: Cluster.objects.get().status.get("accelerators"), message="the nodes were looked at")
    assert "lower resources.memory, or name another group" in refused(big)
    two = sharer("two")
    two["spec"]["variants"][0]["replicas"] = {"min": 0, "max": 2}
    assert "set replicas to {min: 0, max: 1}" in refused(two)
