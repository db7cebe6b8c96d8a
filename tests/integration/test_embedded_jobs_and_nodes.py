"""Jobs run as real processes, and a kubelet that falls silent: its node and pods stop counting as ready."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio

from apps.embedded.client import KubeClient, KubeError
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.pods import NAMESPACE, SERVE, client_of, events_of, is_ready, make_pod, pod_of, pods, until

pytestmark = pytest.mark.timeout(400)
JOBS = ("batch", "v1", "jobs")


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    silence = {"controllers": ["--node-monitor-grace-period", "6"], "kubelet": ["--heartbeat", "1"]}
    with run_cluster(nodes=True, options=silence) as running:
        yield running


@pytest_asyncio.fixture
async def kube(cluster: EmbeddedCluster) -> AsyncIterator[KubeClient]:
    async with client_of(cluster) as client:
        yield client


async def make_job(kube: KubeClient, name: str, *command: str, **spec: Any) -> None:
    container = {"name": "main", "image": "lamplight/process", "command": list(command)}
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"restartPolicy": "Never", "containers": [container], "terminationGracePeriodSeconds": 1},
    }
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": NAMESPACE}}
    await kube.create(*JOBS, {**body, "spec": {"template": template, **spec}})


def job_of(kube: KubeClient, name: str) -> Callable[[], Awaitable[dict[str, Any]]]:
    return lambda: kube.get(*JOBS, name, namespace=NAMESPACE)


def has(condition: str) -> Callable[[dict[str, Any]], bool]:
    return lambda obj: any(
        each["type"] == condition and each["status"] == "True" for each in obj["status"].get("conditions", [])
    )


async def test_a_job_runs_to_its_completions(kube: KubeClient) -> None:
    await make_job(
        kube, "count", "sh", "-c", "echo index $JOB_COMPLETION_INDEX",
        completions=3, parallelism=2, completionMode="Indexed",
    )  # fmt: skip
    done = await until(job_of(kube, "count"), "the job completes", has("Complete"))
    assert done["status"]["succeeded"] == 3
    assert done["status"]["completedIndexes"] == "0-2"
    ended = await pods(kube, "count")
    assert [pod["status"]["phase"] for pod in ended] == ["Succeeded"] * 3
    assert not any(pod["metadata"].get("finalizers") for pod in ended)
    await kube.delete(*JOBS, "count", namespace=NAMESPACE, propagation_policy="Background")
    await until(lambda: pods(kube, "count"), "its pods are gone", lambda found: not found)


async def test_a_job_that_fails_says_so(kube: KubeClient) -> None:
    await make_job(kube, "broken", "sh", "-c", "exit 3", backoffLimit=0)
    failed = await until(job_of(kube, "broken"), "the job fails", has("Failed"))
    assert failed["status"]["failed"] == 1
    await until(lambda: events_of(kube, "broken"), "it is told", lambda told: "BackoffLimitExceeded" in told)


async def test_a_finished_job_goes_when_its_time_is_over(kube: KubeClient) -> None:
    await make_job(kube, "short", "true", ttlSecondsAfterFinished=0)

    async def gone() -> bool:
        try:
            await job_of(kube, "short")()
        except KubeError as error:
            return error.status == 404
        return False

    await until(gone, "the job is gone")
    await until(lambda: pods(kube, "short"), "its pods are gone", lambda found: not found)


async def test_a_silent_kubelets_pods_are_not_ready_until_it_is_back(
    cluster: EmbeddedCluster, kube: KubeClient
) -> None:
    await make_pod(
        kube, "watched",
        container={"command": SERVE, "readinessProbe": {"httpGet": {"port": 8000}, "periodSeconds": 1}},
    )  # fmt: skip
    before = await until(pod_of(kube, "watched"), "the pod is ready", is_ready)
    node = before["spec"]["nodeName"]
    read = lambda: kube.get("", "v1", "nodes", node)  # noqa: E731
    kubelet = cluster.processes["kubelet"]
    kubelet.send_signal(signal.SIGSTOP)
    try:
        await until(pod_of(kube, "watched"), "the pod is not ready", lambda pod: not is_ready(pod))
        silent = await until(read, "the node is unreachable", lambda found: found["spec"].get("taints"))
        unknown = next(each for each in silent["status"]["conditions"] if each["type"] == "Ready")
        assert (unknown["status"], unknown["reason"]) == ("Unknown", "NodeStatusUnknown")
        assert {taint["effect"] for taint in silent["spec"]["taints"]} == {"NoSchedule", "NoExecute"}
    finally:
        kubelet.send_signal(signal.SIGCONT)
    after = await until(pod_of(kube, "watched"), "the pod is ready again", is_ready)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    await until(read, "the node is back", lambda found: is_ready(found) and not found["spec"].get("taints"))


async def test_pods_bound_to_a_node_that_is_no_more_go_and_others_stay(kube: KubeClient) -> None:
    """As when a scheduler binds a pod in the moment in which its node is removed."""
    await make_pod(kube, "stays", container={"command": SERVE})
    stays = await until(pod_of(kube, "stays"), "a pod that runs", is_ready)
    await make_pod(kube, "stranded", nodeName="gone")
    assert (await kube.get("", "v1", "pods", "stranded", namespace=NAMESPACE))["spec"]["nodeName"] == "gone"
    await until(lambda: named(kube, "stranded"), "the stranded pod is gone", lambda found: not found)
    assert (await pod_of(kube, "stays")())["metadata"]["uid"] == stays["metadata"]["uid"]


async def named(kube: KubeClient, name: str) -> list[dict[str, Any]]:
    found = await kube.list("", "v1", "pods", namespace=NAMESPACE, field_selector=f"metadata.name={name}")
    return list(found["items"])
