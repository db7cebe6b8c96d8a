"""Looking into a pool and steering its roll-outs, on a cluster with controllers, scheduler and kubelet."""

from __future__ import annotations

import json
import signal
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from apps.audit.models import Event
from apps.core import reasons
from apps.core.domain.access import Role
from apps.pools.models import Rollout
from tests.support import pools
from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.people import Api, api_of, json_of, person
from tests.support.pools import (
    counted_calls,
    declare,
    declare_on,
    drain,
    drain_until,
    healthy,
    pool,
    pool_document,
    take_down,
    variant_document,
    writes,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
NAMESPACE = "serving"
POOL = "teams/default/pools/chat"


cluster = shared_cluster(nodes=True)


@pytest.fixture
def declared(cluster: EmbeddedCluster) -> Iterator[None]:
    declare_on(cluster, pool_document())
    drain_until(healthy, message="two replicas serve")
    yield
    said = [(c["type"], c["reason"]) for c in pool().conditions if not reasons.known("Pool", c["type"], c["reason"])]
    assert said == [], "every reason is registered"
    take_down("chat")


@pytest.fixture
def viewer() -> Api:
    return api_of(person("eve", default=Role.VIEWER))


def by_id(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {node["id"]: node for node in found["items"]}


@pytest.mark.usefixtures("declared")
def test_the_tree_goes_down_to_containers_with_events(viewer: Api) -> None:
    found = viewer.get(f"{POOL}/tree")
    nodes = by_id(found)
    assert found["items"][0]["id"] == "pool"
    deployment = nodes["Deployment/chat-h200"]
    assert (deployment["health"], deployment["sync"], deployment["parent"]) == ("Healthy", "Synced", "pool")
    assert deployment["replicas"] == {"desired": 2, "ready": 2, "updated": 2}
    (replica_set,) = [n for n in found["items"] if n["parent"] == "Deployment/chat-h200"]
    assert (replica_set["kind"], replica_set["revision"]) == ("ReplicaSet", 1)
    pods = [n for n in found["items"] if n["parent"] == replica_set["id"]]
    assert [n["health"] for n in pods] == ["Healthy", "Healthy"]
    (container,) = [n for n in found["items"] if n["parent"] == pods[0]["id"]]
    assert (container["name"], container["state"], container["depth"]) == ("vllm", "running", 4)
    abouts = {event["about"] for event in found["events"]}
    assert pods[0]["id"] in abouts
    assert abouts <= set(nodes)
    assert nodes["Service/chat"]["health"] is None
    assert not found["truncated"]


@pytest.mark.usefixtures("declared")
def test_the_tree_shows_what_differs_and_what_is_missing(cluster: EmbeddedCluster, viewer: Api) -> None:
    kube = cluster.kube
    kube.delete(kube.resource("Service"), "chat", NAMESPACE)
    kube._call(
        "PATCH",
        kube.resource("PodDisruptionBudget", "policy").path(NAMESPACE, "chat-h200"),
        body={"spec": {"maxUnavailable": 2}},
        content_type="application/merge-patch+json",
    )
    nodes = by_id(viewer.get(f"{POOL}/tree"))
    assert (nodes["Service/chat"]["health"], nodes["Service/chat"]["sync"]) == ("Missing", "OutOfSync")
    assert nodes["PodDisruptionBudget/chat-h200"]["sync"] == "OutOfSync"
    assert nodes["Deployment/chat-h200"]["sync"] == "Synced"
    drain_until(healthy, message="it is healed")


@pytest.mark.usefixtures("declared")
def test_logs_of_a_pod_of_the_pool_and_of_no_other(cluster: EmbeddedCluster, viewer: Api) -> None:
    kube = cluster.kube
    name = next(n["name"] for n in viewer.get(f"{POOL}/tree")["items"] if n["kind"] == "Pod" and "h200" in n["name"])
    found = viewer.get(f"{POOL}/pods/{name}/logs?tail=3")
    assert (found["container"], found["containers"], found["previous"]) == ("vllm", ["vllm"], False)
    assert 1 <= len(found["lines"]) <= 3
    assert json_of(viewer.send("GET", f"{POOL}/pods/{name}/logs?container=other"))["status"] == 404
    assert json_of(viewer.send("GET", f"{POOL}/pods/{name}/logs?tail=5000"))["status"] == 400
    never = json_of(viewer.send("GET", f"{POOL}/pods/{name}/logs?previous=true"))
    assert never["status"] == 409
    assert "previous" in never["detail"]
    theirs = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "theirs", "namespace": NAMESPACE},
        "spec": {"containers": [{"name": "a", "image": "lamplight/process", "command": ["sleep", "60"]}]},
    }
    kube.create(theirs, manager="somebody")
    try:
        for pod in ("theirs", "nobody", "..%2Fsecrets"):
            assert viewer.send("GET", f"{POOL}/pods/{pod}/logs").status_code == 404
    finally:
        kube.delete(kube.resource("Pod"), "theirs", NAMESPACE)


@pytest.mark.usefixtures("declared")
def test_conditions_are_a_tree_whose_parts_agree_with_the_whole() -> None:
    conditions = {c["type"]: c for c in pool().conditions}
    parents = {entry.type: entry.parent for entry in reasons.condition_types() if entry.kind == "Pool"}
    below = {type_ for type_, parent in parents.items() if parent is not None}
    assert below | {"Ready", "Progressing"} <= set(conditions)
    for type_ in set(parents.values()) - {None}:
        parts = [conditions[part]["status"] for part, parent in parents.items() if parent == type_]
        assert (conditions[type_]["status"] == "True") == (set(parts) == {"True"})


# --- roll-outs --------------------------------------------------------------------------------------------------
@pytest.fixture
def editor() -> Api:
    return api_of(person("ed", default=Role.EDITOR))


def rollout(api: Api) -> dict[str, Any]:
    return api.get(f"{POOL}/rollout")


def is_in(state: str, reason: str | None = None) -> Any:
    def check() -> bool:
        found = Rollout.objects.filter(pool=pool()).first()
        return found is not None and found.state == state and reason in (None, found.reason)

    return check


def argument(flag: str, **more: Any) -> dict[str, Any]:
    return pool_document(engine={"args": [flag], **more})


def engine_pods(cluster: EmbeddedCluster) -> dict[str, Any]:
    return {pod["metadata"]["name"]: pod for pod in pools.engine_pods(cluster)}


def test_a_bad_flag_stops_the_roll_out_with_a_sentence_and_an_abort_goes_back(
    cluster: EmbeddedCluster, declared: None, editor: Api
) -> None:
    assert rollout(editor)["state"] == "Complete"
    assert rollout(editor)["can"] == {"pause": False, "resume": False, "abort": False}
    running = set(engine_pods(cluster))
    declare(argument("--max-model-len=999999999"))
    drain_until(is_in("Stopped"), message="it stops by itself")
    found = rollout(editor)
    assert found["reason"] == "BadFlag"
    assert "max_model_len" in found["message"]
    assert found["abortsTo"] == 1
    # a container that has been started anew is in no trouble for a moment
    drain_until(lambda: bool(blamed(editor).get("lastLine")), message="the last line of the one that fails is shown")
    drain_until(lambda: deployment(cluster)["spec"].get("paused"), message="the Deployment stands still")
    assert pool().status["replicas"]["ready"] == 2
    assert running <= set(engine_pods(cluster)), "the replicas of the older spec stay"
    progressing = next(c for c in pool().conditions if c["type"] == "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("False", "RolloutStopped")
    assert Event.objects.filter(reason="RolloutStopped", type="Warning").exists()

    refused = editor.send("POST", f"{POOL}/rollout", {"action": "pause"})
    assert refused.status_code == 409
    rehearsed = json_of(editor.send("POST", f"{POOL}/rollout?dry_run=true", {"action": "abort"}))
    assert (rehearsed["state"], pool().generation) == ("Stopped", 2), "a dry run changes nothing"
    done = editor.send("POST", f"{POOL}/rollout", {"action": "abort", "reason": "typo"})
    assert done.status_code == 200, done.content
    assert pool().generation == 3
    drain_until(lambda: healthy() and is_in("Complete")(), message="the older spec serves")
    assert pool().spec["engine"]["args"] == []
    assert not deployment(cluster)["spec"].get("paused")
    assert running <= set(engine_pods(cluster)), "no replica of the older spec was restarted"
    assert Event.objects.filter(reason="RolloutAborted").exists()


def blamed(editor: Api) -> dict[str, Any]:
    """What the roll-out's first variant says of the replica that is in trouble, {} while none is."""
    return rollout(editor)["variants"][0]["blamed"] or {}


def deployment(cluster: EmbeddedCluster) -> Any:
    return cluster.objects(NAMESPACE, kinds=("Deployment.apps",))["Deployment/chat-h200"]


def test_a_missing_image_stops_it_and_a_corrected_spec_goes_on_by_itself(
    cluster: EmbeddedCluster, declared: None, editor: Api
) -> None:
    declare(argument("--max-model-len=8192", image="nobody/nothing:v0.33.0"))
    drain_until(is_in("Stopped", "ImagePull"), message="it stops by itself")
    assert "nobody/nothing" in rollout(editor)["message"]
    declare(argument("--max-model-len=8192"))
    drain_until(lambda: healthy() and is_in("Complete")(), message="the corrected spec is rolled out")
    assert all("--max-model-len=8192" in p["spec"]["containers"][0]["args"] for p in engine_pods(cluster).values())
    assert rollout(editor)["lastHealthyGeneration"] == 3


def test_the_replicas_of_a_spec_that_is_given_up_do_not_stop_the_way_back(
    cluster: EmbeddedCluster, declared: None, editor: Api
) -> None:
    declare(argument("--max-model-len=8192", image="nobody/nothing:v0.33.0"))
    drain_until(is_in("Stopped", "ImagePull"), message="it stops by itself")
    # however late the cluster's controllers look, the failed replica is of the spec that is given up
    cluster.processes["controllers"].send_signal(signal.SIGSTOP)
    try:
        done = editor.send("POST", f"{POOL}/rollout", {"action": "abort", "reason": "typo"})
        assert done.status_code == 200, done.content
        for _ in range(3):
            drain()
            assert rollout(editor)["state"] == "Progressing"
            assert "nobody/nothing" not in rollout(editor)["message"]
    finally:
        cluster.processes["controllers"].send_signal(signal.SIGCONT)
    drain_until(lambda: healthy() and is_in("Complete")(), message="the older spec serves")


def test_pause_and_resume(cluster: EmbeddedCluster, declared: None, editor: Api) -> None:
    declare(argument("--max-model-len=4096"))
    drain_until(is_in("Progressing"), message="it is on its way")
    # however slow this test is, the roll-out does not get to its end meanwhile
    cluster.processes["controllers"].send_signal(signal.SIGSTOP)
    try:
        answer = editor.send("POST", f"{POOL}/rollout", {"action": "pause", "reason": "lunch"})
        assert answer.status_code == 200, answer.content
        paused = json_of(answer)
        assert (paused["state"], paused["can"]["resume"]) == ("Paused", True)
        assert paused["pausedBy"]
        drain_until(lambda: deployment(cluster)["spec"].get("paused"), message="the Deployment stands still")
    finally:
        cluster.processes["controllers"].send_signal(signal.SIGCONT)
    assert pool().generation == 2, "a pause is no revision"
    held = deployment(cluster)["status"].get("updatedReplicas", 0)
    assert held < 2, "there is something left to roll"
    for _ in range(3):
        drain()
    assert deployment(cluster)["status"].get("updatedReplicas", 0) <= held + 1
    assert not healthy()
    editor.send("POST", f"{POOL}/rollout", {"action": "resume"})
    drain_until(lambda: healthy() and is_in("Complete")(), message="it goes on to the end")
    assert {"RolloutPaused", "RolloutResumed", "RolloutComplete"} <= set(Event.objects.values_list("reason", flat=True))


def test_a_pool_that_fills_its_nodes_still_rolls(cluster: EmbeddedCluster, editor: Api) -> None:
    # two nodes of eight accelerators, two replicas of eight: no room for a third beside them
    full = variant_document(parallelism={"tensor": 8}, replicas={"min": 2, "max": 2})
    declare_on(cluster, pool_document(variants=[full]))
    try:
        drain_until(healthy, message="two replicas fill the nodes")
        declare(pool_document(variants=[full], engine={"args": ["--max-model-len=8192"]}))
        drain_until(lambda: healthy() and is_in("Complete")(), message="it is rolled out")
        strategy = rollout(editor)["variants"][0]["strategy"]
        assert (strategy["maxSurge"], strategy["maxUnavailable"]) == (0, 1)
        assert "no accelerator is free" in strategy["why"]
        assert all("--max-model-len=8192" in p["spec"]["containers"][0]["args"] for p in engine_pods(cluster).values())
        drain()
        with counted_calls() as calls:
            drain()
        assert writes(calls) == [], "the strategy stays: a steady pool is not written because the stock moved"
    finally:
        take_down("chat")


def test_a_roll_out_under_traffic_loses_no_request(cluster: EmbeddedCluster) -> None:
    drained = {"drainDelay": "2s", "shutdownTimeout": "5s"}
    declare_on(cluster, pool_document(rollout=drained))
    try:
        drain_until(healthy, message="two replicas serve")
        endpoint = pool().status["endpoint"]
        stop, answered, failed = threading.Event(), [], []

        def ask_on() -> None:
            while not stop.is_set():
                try:
                    answered.append(ask(endpoint))
                except Exception as error:
                    failed.append(repr(error))

        askers = [threading.Thread(target=ask_on) for _ in range(3)]
        for asker in askers:
            asker.start()
        try:
            declare(pool_document(rollout=drained, engine={"args": ["--max-model-len=8192"]}))
            drain_until(lambda: healthy() and is_in("Complete")(), message="it is rolled out")
        finally:
            stop.set()
            for asker in askers:
                asker.join(70)
        assert len(answered) > 20
        assert failed == []
    finally:
        take_down("chat")


def ask(endpoint: str) -> int:
    body = {"model": "tiny", "prompt": "hello there", "max_tokens": 3, "ignore_eos": True}
    request = urllib.request.Request(
        endpoint + "/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return int(json.loads(answer.read())["usage"]["completion_tokens"])
