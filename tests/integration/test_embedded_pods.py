"""The embedded cluster as people use it: real processes, seen through the Kubernetes API and the service addresses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from apps.embedded.client import KubeClient
from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.pods import (
    NAMESPACE,
    SERVE,
    client_of,
    deployment,
    events_of,
    fetch,
    is_ready,
    logs,
    main_status,
    make_pod,
    make_service,
    pod_of,
    pods,
    rolled_out,
    until,
)

pytestmark = pytest.mark.timeout(400)


cluster = shared_cluster(nodes=True)


@pytest_asyncio.fixture
async def kube(cluster: EmbeddedCluster) -> AsyncIterator[KubeClient]:
    async with client_of(cluster) as client:
        yield client


async def test_a_rolling_update_loses_no_request_and_deletion_leaves_nothing(kube: KubeClient) -> None:
    await kube.create("apps", "v1", "deployments", deployment("web", 2, "one"))
    address = await make_service(kube, "web")

    def read() -> Awaitable[dict[str, Any]]:
        return kube.get("apps", "v1", "deployments", "web", namespace=NAMESPACE)

    await until(read, "two replicas", rolled_out(2))
    await until(lambda: fetch(address, 8080), "the service answers")

    failures: list[BaseException] = []
    answered = 0

    async def ask_forever() -> None:
        nonlocal answered
        while True:
            try:
                await fetch(address, 8080)
                answered += 1
            except (aiohttp.ClientError, TimeoutError) as error:
                failures.append(error)
            await asyncio.sleep(0.02)

    asking = asyncio.create_task(ask_forever())
    before = {pod["metadata"]["uid"] for pod in await pods(kube, "web")}
    await kube.patch(
        "apps",
        "v1",
        "deployments",
        "web",
        {"spec": {"template": {"metadata": {"annotations": {"version": "two"}}}}},
        namespace=NAMESPACE,
    )
    await until(read, "the new version", rolled_out(2))
    asking.cancel()
    assert answered > 5
    assert failures == []
    assert before.isdisjoint(pod["metadata"]["uid"] for pod in await pods(kube, "web"))

    await kube.patch(
        "apps", "v1", "deployments", "web", {"spec": {"replicas": 3}}, namespace=NAMESPACE, subresource="scale"
    )
    await until(read, "three replicas", rolled_out(3))
    assert len({pod["status"]["podIP"] for pod in await pods(kube, "web")}) == 3

    await kube.delete("apps", "v1", "deployments", "web", namespace=NAMESPACE)
    await kube.delete("", "v1", "services", "web", namespace=NAMESPACE)
    await until(lambda: pods(kube, "web"), "no pods", lambda found: found == [])
    sets = await kube.list("apps", "v1", "replicasets", namespace=NAMESPACE)
    assert sets["items"] == []

    async def refused() -> bool:
        try:
            await fetch(address, 8080)
        except aiohttp.ClientConnectionError:
            return True
        return False

    await until(refused, "the address is closed")


async def test_configuration_reaches_the_process(kube: KubeClient) -> None:
    config = {"metadata": {"name": "cfg", "namespace": NAMESPACE}, "data": {"a.txt": "from the map", "KEY": "v"}}
    await kube.create("", "v1", "configmaps", config)
    mounts = [{"name": "cfg", "mountPath": "/etc/cfg"}, {"name": "work", "mountPath": "/scratch"}]
    await make_pod(
        kube,
        "configured",
        volumes=[{"name": "cfg", "configMap": {"name": "cfg"}}, {"name": "work", "emptyDir": {}}],
        initContainers=[
            {"name": "copy", "image": "busybox", "command": ["sh", "-c", "cp /etc/cfg/a.txt /scratch/b.txt"],
             "volumeMounts": mounts},
            {"name": "side", "image": "busybox", "restartPolicy": "Always", "command": ["sleep", "300"]},
        ],
        container={
            "command": ["sh", "-c", "cat /scratch/b.txt; echo; echo $(GREETING); exec sleep 300"],
            "volumeMounts": mounts,
            "env": [
                {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "KEY"}}},
                {"name": "WHERE", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "GREETING", "value": "$(KEY) at $(WHERE)"},
            ],
        },
    )  # fmt: skip
    pod = await until(pod_of(kube, "configured"), "ready", is_ready)
    expected = f"from the map\nv at {pod['status']['podIP']}\n"
    assert await until(lambda: logs(kube, "configured", container="main"), "its lines", lambda t: t == expected)
    assert [entry["name"] for entry in pod["status"]["initContainerStatuses"]] == ["copy", "side"]
    assert pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"
    await kube.delete("", "v1", "pods", "configured", namespace=NAMESPACE)


async def test_a_missing_config_map_is_said_and_mended(kube: KubeClient) -> None:
    env = [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "later", "key": "x"}}}]
    await make_pod(kube, "waiting", container={"command": ["sleep", "300"], "env": env})
    pod = await until(
        pod_of(kube, "waiting"),
        "the reason",
        lambda p: main_status(p)["state"].get("waiting", {}).get("reason") == "CreateContainerConfigError",
    )
    assert main_status(pod)["state"]["waiting"]["message"] == 'configmap "later" not found'
    await kube.create(
        "", "v1", "configmaps", {"metadata": {"name": "later", "namespace": NAMESPACE}, "data": {"x": "1"}}
    )
    await until(pod_of(kube, "waiting"), "it runs", is_ready)
    await kube.delete("", "v1", "pods", "waiting", namespace=NAMESPACE)


async def test_an_unknown_image_names_those_that_exist(kube: KubeClient) -> None:
    await make_pod(kube, "nginx", container={"image": "nginx:1"})
    pod = await until(
        pod_of(kube, "nginx"),
        "back-off",
        lambda p: main_status(p)["state"].get("waiting", {}).get("reason") == "ImagePullBackOff",
    )
    assert "vllm/vllm-openai" in main_status(pod)["state"]["waiting"]["message"]
    assert pod["status"]["phase"] == "Pending"
    found = await until(lambda: events_of(kube, "nginx"), "events", lambda e: {"Failed", "BackOff"} <= set(e))
    assert found["BackOff"] == 'Back-off pulling image "nginx:1"'
    await kube.delete("", "v1", "pods", "nginx", namespace=NAMESPACE)
    await until(lambda: pods(kube, "nginx"), "it is gone", lambda left: left == [])


async def test_a_crash_loop_backs_off_and_keeps_the_last_words(kube: KubeClient) -> None:
    await make_pod(kube, "crash", container={"command": ["sh", "-c", "echo no weights found; exit 3"]})
    pod = await until(
        pod_of(kube, "crash"),
        "crash loop",
        lambda p: (
            main_status(p)["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"
            and main_status(p)["restartCount"] >= 2
        ),
    )
    last = main_status(pod)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"], last["message"]) == (3, "Error", "no weights found")
    assert "back-off" in main_status(pod)["state"]["waiting"]["message"]
    assert not is_ready(pod)
    assert "no weights found" in await logs(kube, "crash", previous="true")
    await until(lambda: events_of(kube, "crash"), "the back-off is told", lambda told: "BackOff" in told)
    await kube.delete("", "v1", "pods", "crash", namespace=NAMESPACE)


async def test_a_failed_liveness_probe_restarts_the_container(kube: KubeClient) -> None:
    probe = {"exec": {"command": ["test", "-e", "/scratch/alive"]}, "periodSeconds": 1, "failureThreshold": 2}
    await make_pod(
        kube,
        "sick",
        volumes=[{"name": "work", "emptyDir": {}}],
        container={
            "command": ["sh", "-c", "touch /scratch/alive; sleep 1; rm /scratch/alive; exec sleep 300"],
            "volumeMounts": [{"name": "work", "mountPath": "/scratch"}],
            "livenessProbe": probe,
        },
    )
    await until(pod_of(kube, "sick"), "a restart", lambda p: main_status(p)["restartCount"] >= 1)
    found = await until(lambda: events_of(kube, "sick"), "events", lambda e: {"Unhealthy", "Killing"} <= set(e))
    assert found["Killing"] == "Container main failed liveness probe, will be restarted"
    assert found["Unhealthy"].startswith("Liveness probe failed: ")
    await kube.delete("", "v1", "pods", "sick", namespace=NAMESPACE)


async def test_a_startup_probe_holds_back_readiness(kube: KubeClient, tmp_path: Path) -> None:
    may_go_on = tmp_path / "go"
    await make_pod(
        kube,
        "slow",
        container={
            "command": ["sh", "-c", f"while [ ! -e {may_go_on} ]; do sleep 0.1; done; exec {' '.join(SERVE)}"],
            "startupProbe": {"httpGet": {"port": 8000}, "periodSeconds": 1, "failureThreshold": 300},
            "readinessProbe": {"httpGet": {"port": 8000}, "periodSeconds": 1},
        },
    )
    pod = await until(pod_of(kube, "slow"), "it runs", lambda p: "running" in main_status(p)["state"])
    assert main_status(pod)["started"] is False
    may_go_on.touch()
    pod = await until(pod_of(kube, "slow"), "it is ready", is_ready)
    assert main_status(pod)["started"] is True
    assert main_status(pod)["restartCount"] == 0
    await kube.delete("", "v1", "pods", "slow", namespace=NAMESPACE)


async def test_the_grace_period_is_kept_and_then_the_process_is_killed(kube: KubeClient, tmp_path: Path) -> None:
    # its log goes with it: what it heard is written where it can be read afterwards
    heard = tmp_path / "heard"
    script = (
        "import pathlib, signal, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: pathlib.Path({str(heard)!r}).touch())\n"
    )
    command = ["python3", "-u", "-c", script + "print('up')\nwhile True: time.sleep(1)"]
    await make_pod(kube, "stubborn", container={"command": command})
    await until(lambda: logs(kube, "stubborn"), "it is up", lambda text: "up" in text)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await kube.delete("", "v1", "pods", "stubborn", namespace=NAMESPACE)
    await until(lambda: pods(kube, "stubborn"), "it is gone", lambda left: left == [])
    assert loop.time() - begun >= 1.8
    assert heard.exists(), "it was asked first"


async def test_pods_that_end_succeed_or_fail(kube: KubeClient) -> None:
    for name, code, phase in (("fine", 0, "Succeeded"), ("broken", 7, "Failed")):
        await make_pod(kube, name, restartPolicy="Never", container={"command": ["sh", "-c", f"exit {code}"]})
        pod = await until(pod_of(kube, name), phase, lambda p, phase=phase: p["status"].get("phase") == phase)
        assert main_status(pod)["state"]["terminated"]["exitCode"] == code
        await kube.delete("", "v1", "pods", name, namespace=NAMESPACE)


async def test_accelerators_run_out_and_come_free(kube: KubeClient) -> None:
    def gpus(count: int) -> dict[str, Any]:
        return {"command": ["sleep", "300"], "resources": {"limits": {"nvidia.com/gpu": str(count)}}}

    for name in ("big-a", "big-b"):
        await make_pod(kube, name, container=gpus(8))
    first = await until(pod_of(kube, "big-a"), "it runs", is_ready)
    second = await until(pod_of(kube, "big-b"), "it runs", is_ready)
    assert {first["spec"]["nodeName"], second["spec"]["nodeName"]} == {"gpu-a", "gpu-b"}
    await make_pod(kube, "third", container=gpus(1))

    def condition(pod: dict[str, Any]) -> dict[str, Any]:
        return next((c for c in pod["status"].get("conditions", []) if c["type"] == "PodScheduled"), {})

    pod = await until(pod_of(kube, "third"), "unschedulable", lambda p: condition(p).get("reason") == "Unschedulable")
    assert condition(pod)["message"].startswith("0/3 nodes are available: 3 Insufficient nvidia.com/gpu.")
    assert "FailedScheduling" in await until(lambda: events_of(kube, "third"), "an event")
    await kube.delete("", "v1", "pods", "big-a", namespace=NAMESPACE)
    pod = await until(pod_of(kube, "third"), "it runs", is_ready)
    assert pod["spec"]["nodeName"] == first["spec"]["nodeName"]
    for name in ("big-b", "third"):
        await kube.delete("", "v1", "pods", name, namespace=NAMESPACE)


async def test_logs_can_be_followed_to_their_end(kube: KubeClient) -> None:
    await make_pod(
        kube,
        "talk",
        restartPolicy="Never",
        container={"command": ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.3; done"]},
    )
    await until(pod_of(kube, "talk"), "it runs", lambda p: "waiting" not in main_status(p)["state"])
    assert await logs(kube, "talk", follow="true") == "1\n2\n3\n"
    assert await logs(kube, "talk", tailLines="1") == "3\n"
    await kube.delete("", "v1", "pods", "talk", namespace=NAMESPACE)


async def test_the_engine_image_runs_the_simulator_on_its_node(kube: KubeClient, cluster: EmbeddedCluster) -> None:
    await make_pod(
        kube,
        "engine",
        nodeSelector={"nvidia.com/gpu.product": "NVIDIA-H200"},
        container={
            "image": "vllm/vllm-openai:v0.33.0",
            "command": ["vllm", "serve", "meta-llama/Llama-3.1-8B-Instruct"],
            "args": ["--port=8000", "--max-model-len=16384"],
            "resources": {"limits": {"nvidia.com/gpu": "1"}},
            "startupProbe": {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 1, "failureThreshold": 60},
        },
    )
    pod = await until(pod_of(kube, "engine"), "the engine serves", is_ready)
    assert "nvidia-h200" in await logs(kube, "engine")
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{pod['status']['podIP']}:8000/v1/models") as response:
            assert (await response.json())["data"][0]["id"] == "meta-llama/Llama-3.1-8B-Instruct"
    await kube.delete("", "v1", "pods", "engine", namespace=NAMESPACE)
    await until(lambda: pods(kube, "engine"), "it is gone", lambda left: left == [])
    files = cluster.directory / "kubelet" / "pods" / pod["metadata"]["uid"]
    await until(lambda: asyncio.to_thread(files.exists), "its files are removed", lambda there: not there)


async def test_a_shell_in_the_engine_image_finds_the_engine(kube: KubeClient) -> None:
    """As the guides of llm-d 0.5 start it: `bash -c "vllm serve ..."`; unknown flags are refused by the engine."""
    serve = "vllm serve meta-llama/Llama-3.1-8B-Instruct --port=8000 --no-such-flag"
    await make_pod(
        kube,
        "shell",
        restartPolicy="Never",
        container={"image": "ghcr.io/llm-d/llm-d-cuda:v0.9.0", "command": ["sh", "-c"], "args": [serve]},
    )
    pod = await until(pod_of(kube, "shell"), "it is refused", lambda p: p["status"].get("phase") == "Failed")
    assert main_status(pod)["state"]["terminated"]["exitCode"] == 2
    assert "--no-such-flag" in main_status(pod)["state"]["terminated"]["message"]
    await kube.delete("", "v1", "pods", "shell", namespace=NAMESPACE)


async def test_a_service_port_that_cannot_be_bound_is_explained(kube: KubeClient, cluster: EmbeddedCluster) -> None:
    taken = await asyncio.start_server(lambda *_: None, f"127.{cluster.network}.200.7", 0)
    port = taken.sockets[0].getsockname()[1]
    spec = {"clusterIP": f"127.{cluster.network}.200.7", "selector": {"app": "x"}, "ports": [{"port": port}]}
    await kube.create("", "v1", "services", {"metadata": {"name": "taken", "namespace": NAMESPACE}, "spec": spec})
    found = await until(lambda: events_of(kube, "taken"), "an event", lambda e: "FailedToBind" in e)
    assert f"127.{cluster.network}.200.7:{port}" in found["FailedToBind"]
    await kube.delete("", "v1", "services", "taken", namespace=NAMESPACE)
    taken.close()
