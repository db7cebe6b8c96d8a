"""Killing the processes of the embedded cluster: each comes back to where it was, and nothing is done twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import IO, Any

import pytest
import pytest_asyncio

from apps.embedded.client import KubeClient
from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.pods import (
    NAMESPACE,
    client_of,
    deployment,
    fetch,
    is_ready,
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


def processes_of(uid: str) -> list[int]:
    """Processes that carry the mark of a pod."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"LAMPLIGHT_POD_UID={uid}".encode() in environment:
                found.append(int(entry.name))
    return found


async def start(kube: KubeClient, name: str, replicas: int = 2) -> str:
    await kube.create("apps", "v1", "deployments", deployment(name, replicas, "one"))
    address = await make_service(kube, name)
    await settled(kube, name, replicas)
    await until(lambda: fetch(address, 8080), "the service answers")
    return address


async def settled(kube: KubeClient, name: str, replicas: int) -> dict[str, Any]:
    def read() -> Awaitable[dict[str, Any]]:
        return kube.get("apps", "v1", "deployments", name, namespace=NAMESPACE)

    return await until(read, f"{replicas} replicas", rolled_out(replicas))


async def roll(kube: KubeClient, name: str, version: str) -> None:
    template = {"metadata": {"annotations": {"version": version}}}
    await kube.patch("apps", "v1", "deployments", name, {"spec": {"template": template}}, namespace=NAMESPACE)


async def remove(kube: KubeClient, name: str) -> None:
    await kube.delete("apps", "v1", "deployments", name, namespace=NAMESPACE)
    await kube.delete("", "v1", "services", name, namespace=NAMESPACE)
    await until(lambda: pods(kube, name), "no pods", lambda found: found == [])


async def test_a_killed_kubelet_takes_its_processes_and_starts_them_again(
    kube: KubeClient, cluster: EmbeddedCluster
) -> None:
    address = await start(kube, "web")
    before = {pod["metadata"]["uid"]: pod["status"]["podIP"] for pod in await pods(kube, "web")}
    cluster.kill("kubelet")
    for uid in before:
        await until(
            lambda uid=uid: asyncio.to_thread(processes_of, uid), "its processes end", lambda found: found == []
        )
    cluster.start("kubelet")

    async def restarted() -> bool:
        found = await pods(kube, "web")
        return all(is_ready(pod) and main_status(pod)["restartCount"] == 1 for pod in found)

    await until(restarted, "every container runs again")
    found = await pods(kube, "web")
    assert {pod["metadata"]["uid"]: pod["status"]["podIP"] for pod in found} == before
    assert main_status(found[0])["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"
    assert await until(lambda: fetch(address, 8080), "the service answers again")
    assert all(len(processes_of(uid)) == 1 for uid in before)
    await remove(kube, "web")


async def test_pods_deleted_while_the_kubelet_is_away_go_when_it_is_back(
    kube: KubeClient, cluster: EmbeddedCluster
) -> None:
    await make_pod(kube, "doomed", container={"command": ["sleep", "300"]})
    await until(pod_of(kube, "doomed"), "it runs", is_ready)
    cluster.kill("kubelet")
    await kube.delete("", "v1", "pods", "doomed", namespace=NAMESPACE)
    assert len(await pods(kube, "doomed")) == 1
    cluster.start("kubelet")
    await until(lambda: pods(kube, "doomed"), "it is gone", lambda left: left == [])


async def test_controllers_killed_in_a_rollout_finish_it(kube: KubeClient, cluster: EmbeddedCluster) -> None:
    await start(kube, "roll", replicas=3)
    for version in ("two", "three", "four"):
        await roll(kube, "roll", version)
        await asyncio.sleep(0.15)  # somewhere in the middle: where does not matter
        cluster.kill("controllers")
        cluster.start("controllers")
    await settled(kube, "roll", 3)
    found = await pods(kube, "roll")
    assert len(found) == 3
    assert {pod["metadata"]["annotations"]["version"] for pod in found} == {"four"}
    await remove(kube, "roll")


async def test_pods_and_services_live_on_without_the_api_server(kube: KubeClient, cluster: EmbeddedCluster) -> None:
    address = await start(kube, "calm")
    before = {pod["metadata"]["uid"]: main_status(pod)["restartCount"] for pod in await pods(kube, "calm")}
    cluster.kill("apiserver")
    for _ in range(10):
        assert await fetch(address, 8080)
    cluster.start("apiserver")
    await kube.close()
    async with client_of(cluster) as again:
        await again.patch(
            "apps", "v1", "deployments", "calm", {"spec": {"replicas": 3}}, namespace=NAMESPACE, subresource="scale"
        )
        await settled(again, "calm", 3)
        after = {pod["metadata"]["uid"]: main_status(pod)["restartCount"] for pod in await pods(again, "calm")}
        assert before.items() <= after.items()
        await remove(again, "calm")


async def test_a_killed_container_process_is_started_again(kube: KubeClient) -> None:
    address = await start(kube, "solo", replicas=1)
    (pod,) = await pods(kube, "solo")
    (pid,) = processes_of(pod["metadata"]["uid"])
    os.kill(pid, signal.SIGKILL)
    pod = await until(
        pod_of(kube, pod["metadata"]["name"]),
        "a restart",
        lambda p: is_ready(p) and main_status(p)["restartCount"] == 1,
    )
    last = main_status(pod)["lastState"]["terminated"]
    assert (last["exitCode"], last["signal"], last["reason"]) == (137, 9, "Error")
    assert await until(lambda: fetch(address, 8080), "the service answers again")
    await remove(kube, "solo")


async def test_a_deleted_node_object_comes_back(kube: KubeClient, cluster: EmbeddedCluster) -> None:
    await until(lambda: kube.get("", "v1", "nodes", "cpu-a"), "the node is registered")
    await kube.delete("", "v1", "nodes", "cpu-a")
    node = await until(lambda: kube.get("", "v1", "nodes", "cpu-a"), "the node is registered again")
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "cpu-a"


@pytest.mark.parametrize("program", ["controllers", "kubelet"])
def test_a_process_with_nothing_to_talk_to_waits_and_stops_when_told(program: str, tmp_path: Path) -> None:
    """A kubeconfig that is not there yet, and one whose server is not there: both can be interrupted."""
    config = tmp_path / "kubeconfig"
    arguments = ["--kubeconfig", config, *(["--data", tmp_path / "data"] if program == "kubelet" else [])]
    process = subprocess.Popen(
        [sys.executable, "-m", f"apps.embedded.{program}", *arguments, "--log-level", "DEBUG"], stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    assert b"selector" in process.stderr.readline()  # the event loop runs, and with it soon the signal handlers
    partial = tmp_path / "partial"
    partial.write_text(
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
            }
        )
    )
    partial.rename(config)
    wait_for_line(process.stderr, b"Cannot connect")
    process.terminate()
    assert process.wait(60) == 0
    process.stderr.close()


def wait_for_line(stream: IO[bytes], words: bytes) -> None:
    """Reads until a line has the words; the test's own timeout is the deadline."""
    for line in stream:
        if words in line:
            return
    raise AssertionError(f"it ended without saying {words!r}")


async def test_another_node_table_moves_the_pods(kube: KubeClient, cluster: EmbeddedCluster) -> None:
    await start(kube, "mover", replicas=1)
    (before,) = await pods(kube, "mover")
    cluster.kill("kubelet")
    table = cluster.directory / "nodes.json"
    capacity = {"cpu": "8", "memory": "16Gi", "pods": "20"}
    table.write_text(json.dumps({"nodes": [{"name": "other", "capacity": capacity}]}))
    arguments = [
        *("--kubeconfig", cluster.kubeconfig, "--data", cluster.directory / "kubelet", "--nodes", table),
        *("--pod-cidr", f"127.{cluster.network}.0.0/17"),
    ]
    with (cluster.directory / "other.log").open("wb") as log:
        kubelet = subprocess.Popen([sys.executable, "-m", "apps.embedded.kubelet", *arguments], stdout=log, stderr=log)
    try:
        await until(
            lambda: pods(kube, "mover"),
            "a pod on the new node",
            lambda found: len(found) == 1 and is_ready(found[0]) and found[0]["spec"]["nodeName"] == "other",
        )
        nodes = (await kube.list("", "v1", "nodes"))["items"]
        assert [node["metadata"]["name"] for node in nodes] == ["other"]
        assert processes_of(before["metadata"]["uid"]) == []
    finally:
        kubelet.terminate()
        kubelet.wait(60)
    cluster.start("kubelet")
    await until(
        lambda: pods(kube, "mover"),
        "it is back",
        lambda found: len(found) == 1 and is_ready(found[0]) and found[0]["spec"]["nodeName"] == "cpu-a",
    )
    await remove(kube, "mover")


def test_the_processes_are_small(cluster: EmbeddedCluster) -> None:
    """A laptop carries the cluster beside everything else: resident memory in MiB, after all the tests above."""
    sizes = {}
    for name, process in cluster.processes.items():
        fields = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        sizes[name] = next(int(line.split()[1]) for line in fields if line.startswith("VmRSS")) // 1024
    assert all(size < 120 for size in sizes.values()), sizes
