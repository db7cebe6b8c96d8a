"""What the picker knows and tells: KV events of real engine simulators, the reason of each choice, a session's pod."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests
import urllib3

from apps.core.domain.access import Role
from apps.gateways import tasks, verifying
from apps.pools.domain.manifests import COMPONENT, POOL_UID
from apps.pools.domain.picker import COMPONENT_PICKER
from apps.pools.models import Pool
from tests.support.engines import EngineProcess, run_engine
from tests.support.gateways import ENGINE_PORT, Cluster, GatewayProcess, loopback_address, run_cluster, run_gateway
from tests.support.people import api_of, person
from tests.support.pools import cluster_document, declare, model_document, pool_document
from tests.support.wait import wait_until

BLOCK = 16
PROMPT = "the quick brown fox jumps over the lazy dog " * 20
EVENTS = {"enable_kv_cache_events": True, "publisher": "zmq", "endpoint": "tcp://*:5557",
          "replay_endpoint": "tcp://*:5558", "topic": "kv@pod@llama"}  # fmt: skip
PRECISE = "precise-prefix-cache-producer"
CONFIG = {
    "apiVersion": "llm-d.ai/v1alpha1",
    "kind": "EndpointPickerConfig",
    "plugins": [
        {
            "type": PRECISE,
            "parameters": {
                "tokenProcessorConfig": {"blockSizeTokens": BLOCK},
                "kvEventsConfig": {
                    "discoverPods": True,
                    "podDiscoveryConfig": {"socketPort": 5557, "replaySocketPort": 5558},
                },
            },
        },
        {"type": "prefix-cache-scorer", "parameters": {"prefixMatchInfoProducerName": PRECISE}},
        {"type": "queue-scorer"},
        {"type": "session-affinity-scorer"},
    ],
    "schedulingProfiles": [
        {
            "name": "default",
            "plugins": [
                {"pluginRef": "prefix-cache-scorer", "weight": 3},
                {"pluginRef": "queue-scorer", "weight": 2},
                {"pluginRef": "session-affinity-scorer", "weight": 10},
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with run_cluster(tmp_path_factory.mktemp("cluster")) as running:
        running.create_pool()
        yield running


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[dict[str, EngineProcess]]:
    directory = tmp_path_factory.mktemp("engines")
    flags = ("--served-model-name", "llama", "--max-model-len", "8192", "--block-size", str(BLOCK),
             "--enable-prompt-tokens-details", "--kv-events-config", json.dumps(EVENTS))  # fmt: skip
    with ExitStack() as stack:
        found = {}
        for name in ("a", "b"):
            address = loopback_address()
            found[name] = stack.enter_context(
                run_engine(directory, *flags, host=address, port=ENGINE_PORT, environment={"VLLM_SERVER_DEV_MODE": "1"})
            )
            cluster.create_pod(name, address)
        yield found


@pytest.fixture(scope="module")
def picker(
    tmp_path_factory: pytest.TempPathFactory, cluster: Cluster, engines: dict[str, EngineProcess]
) -> Iterator[GatewayProcess]:
    with run_gateway(tmp_path_factory.mktemp("picker"), cluster, "--config-text", json.dumps(CONFIG)) as running:
        running.wait_for_endpoints(2)
        yield running


def side(picker: GatewayProcess, path: str) -> Any:
    return requests.get(f"http://{picker.address}:9090/debug/routes{path}", timeout=30).json()


def explain(picker: GatewayProcess, **body: Any) -> dict[str, Any]:
    answer = requests.post(f"http://{picker.address}:9090/debug/routes/explain", json=body, timeout=30)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def held(told: dict[str, Any]) -> dict[str, int]:
    """Pod -> tokens of the prompt that it is known to hold."""
    return {
        row["endpoint"].split("/")[1].split(":")[0]: row["prefix"].get(PRECISE, {}).get("matchedTokens", 0)
        for row in told["profiles"][0]["candidates"]
    }


def body(prompt: str, **more: Any) -> dict[str, Any]:
    return {"model": "llama", "prompt": prompt, "max_tokens": 4, "ignore_eos": True, **more}


def test_what_an_engine_holds_is_known_though_another_door_filled_it(
    picker: GatewayProcess, engines: dict[str, EngineProcess], cluster: Cluster, tmp_path: Path
) -> None:
    assert held(explain(picker, prompt=PROMPT, model="llama")) == {"a": 0, "b": 0}
    assert engines["b"].post("/v1/completions", body(PROMPT)).ok
    wait_until(lambda: held(explain(picker, prompt=PROMPT, model="llama"))["b"] > 0, message="the picker heard of it")
    told = explain(picker, prompt=PROMPT, model="llama")
    whole = told["promptTokens"] // BLOCK * BLOCK
    assert held(told) == {"a": 0, "b": whole}
    assert told["winner"] == f"default/b:{ENGINE_PORT}"
    assert f"It holds {whole} of the prompt's {told['promptTokens']} tokens." in told["reason"]
    assert (told["id"], told["served"], told["outcome"], told["dialect"]) == (None, None, None, "current")

    answer = picker.post("/v1/completions", body(PROMPT, stream=True, stream_options={"include_usage": True}))
    assert answer.ok
    assert answer.headers["x-gateway-destination-endpoint-served"] == engines["b"].url.removeprefix("http://")
    route = side(picker, "/" + answer.headers["x-lamplight-route"])
    assert (route["winner"], route["served"], route["outcome"]["status"]) == (told["winner"], told["winner"], 200)
    assert route["outcome"]["ttftSeconds"] > 0
    assert route["outcome"]["cachedTokens"] > 0
    assert side(picker, "?limit=1")["items"][0]["id"] == route["id"]
    assert route["id"] not in [each["id"] for each in side(picker, "?endpoint=a")["items"]]

    # a picker that comes later is told by replay what happened before
    with run_gateway(tmp_path, cluster, "--config-text", json.dumps(CONFIG)) as later:
        later.wait_for_endpoints(2)
        wait_until(lambda: held(explain(later, prompt=PROMPT, model="llama"))["b"] == whole, message="it caught up")

    assert engines["b"].post("/reset_prefix_cache", {}).ok
    # the engine tells with its next step
    assert engines["b"].post("/v1/completions", body("x")).ok
    wait_until(lambda: held(explain(picker, prompt=PROMPT, model="llama"))["b"] == 0, message="the blocks are gone")


def test_a_session_comes_back_to_its_pod(picker: GatewayProcess) -> None:
    first = picker.post("/v1/completions", body("hello there"))
    token = first.headers["x-session-token"]
    served = first.headers["x-gateway-destination-endpoint-served"]
    for _ in range(3):
        again = picker.post("/v1/completions", body("hello there"), headers={"x-session-token": token})
        assert again.headers["x-gateway-destination-endpoint-served"] == served


def test_questions_that_cannot_be_answered_are_told(picker: GatewayProcess) -> None:
    url = f"http://{picker.address}:9090/debug/routes"
    assert "only the last ones" in requests.get(f"{url}/none", timeout=30).json()["error"]["message"]
    assert requests.get(url, params={"limit": "0"}, timeout=30).status_code == 400
    assert requests.post(f"{url}/explain", data=b"{", timeout=30).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_people_ask_lamplight(picker: GatewayProcess, cluster: Cluster) -> None:
    declare(
        cluster_document(str(cluster.kubeconfig)),
        model_document("llama"),
        pool_document(model="llama", namespace="default"),
    )
    path = "teams/default/pools/chat/routes"
    reader = api_of(person("viewer", default=Role.VIEWER))
    refused = reader.send("GET", path)
    assert (refused.status_code, json.loads(refused.content)["type"]) == (502, "urn:lamplight:problem:no-gateway")

    pool = Pool.objects.get()
    labels = {POOL_UID: str(pool.uid), COMPONENT: COMPONENT_PICKER}
    cluster.create_pod("chat-epp", picker.address, labels=labels)
    sent = picker.post("/v1/completions", body("what is asked for"))
    [newest, *_] = reader.get(path)["items"]
    assert newest["id"] == sent.headers["x-lamplight-route"]
    whole = reader.get(f"{path}/{newest['id']}")
    assert {score["plugin"] for score in whole["profiles"][0]["candidates"][0]["scores"]} == {
        "prefix-cache-scorer", "queue-scorer", "session-affinity-scorer",
    }  # fmt: skip
    assert reader.send("GET", f"{path}/000000-000001").status_code == 404

    token = sent.headers["x-session-token"]
    asked = reader.send(
        "POST", f"{path}/explain", {"prompt": "what is asked for", "headers": {"X-Session-Token": token}}
    )
    assert json.loads(asked.content)["winner"] == newest["winner"]
    nothing = reader.send("POST", f"{path}/explain", {"model": "llama"})
    assert (nothing.status_code, "either prompt or messages" in nothing.content.decode()) == (422, True)


@pytest.mark.django_db(transaction=True)
def test_a_pool_is_verified_after_each_roll_out_and_when_asked(
    picker: GatewayProcess, cluster: Cluster, engines: dict[str, EngineProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(
        cluster_document(str(cluster.kubeconfig)),
        model_document("llama"),
        pool_document(model="llama", namespace="default"),
    )
    pool = Pool.objects.get()
    labels = {POOL_UID: str(pool.uid), COMPONENT: COMPONENT_PICKER}
    cluster.create_pod("verified-epp", picker.address, labels=labels)
    assert verifying.follow_rollouts() == []

    ready = {"type": "Ready", "status": "True", "reason": "Live", "message": "", "observedGeneration": pool.generation,
             "lastTransitionTime": "2026-11-26T10:00:00Z"}  # fmt: skip
    Pool.objects.update(status={"endpoint": picker.url, "variants": [{"name": "a", "ready": 2}]}, conditions=[ready])
    [queued] = verifying.follow_rollouts()
    assert verifying.follow_rollouts() == [queued]
    assert verifying.run(queued) is not None
    assert verifying.run(queued) is None
    assert verifying.follow_rollouts() == []

    reader, writer = api_of(person("viewer", default=Role.VIEWER)), api_of(person("editor", default=Role.EDITOR))
    path = "teams/default/pools/chat/verifications"
    [told] = reader.get(path)["items"]
    assert (told["status"], told["trigger"], [check["name"] for check in told["checks"]]) == (
        "passed", "rollout", ["request", "cache-hit", "selector"],
    )  # fmt: skip
    condition = next(each for each in Pool.objects.get().conditions if each["type"] == "Verified")
    assert (condition["status"], condition["reason"], condition["observedGeneration"]) == (
        "True",
        "Passed",
        pool.generation,
    )

    # an engine that does not tell in its answers tells by its counter
    with urllib3.PoolManager() as manager:
        counts = [verifying._hits(manager, engine.url.removeprefix("http://")) for engine in engines.values()]
    assert None not in counts
    assert sum(counts) > 0

    # nobody listens at the discard port
    Pool.objects.update(status={"endpoint": f"http://{picker.address}:9", "variants": []})
    monkeypatch.setattr(tasks.verify, "apply_async", lambda args, **_: verifying.run(UUID(args[0])))
    assert reader.send("POST", path).status_code == 403
    made = writer.send("POST", path)
    assert made.status_code == 202, made.content
    found = reader.get(f"{path}/{json.loads(made.content)['id']}")
    assert (found["status"], found["createdBy"] is not None) == ("failed", True)
    condition = next(each for each in Pool.objects.get().conditions if each["type"] == "Verified")
    assert (condition["status"], condition["reason"]) == ("False", "RequestFailed")
