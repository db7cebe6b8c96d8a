"""Pods, Deployments and Services on an embedded cluster, for tests that look at real processes through its API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from apps.embedded.client import KubeClient, KubeError
from tests.support.cluster import EmbeddedCluster

NAMESPACE = "pods"
SERVE = ["python3", "-m", "http.server", "--bind", "$(POD_IP)", "8000"]


@asynccontextmanager
async def client_of(cluster: EmbeddedCluster) -> AsyncIterator[KubeClient]:
    """A client, once the namespace of these tests can hold pods."""
    async with KubeClient.from_kubeconfig(cluster.kubeconfig) as client:
        try:
            await client.create("", "v1", "namespaces", {"metadata": {"name": NAMESPACE}})
        except KubeError as error:
            assert error.status == 409, error
        await until(lambda: client.get("", "v1", "serviceaccounts", "default", namespace=NAMESPACE), "the account")
        yield client


async def until(read: Callable[[], Awaitable[Any]], message: str, check: Any = bool, timeout: float = 90) -> Any:
    """The first answer of ``read`` that ``check`` accepts; refusals and fields that are missing count as not yet."""
    last: Any = None
    try:
        async with asyncio.timeout(timeout):
            while True:
                try:
                    last = await read()
                    if check(last):
                        return last
                except (KubeError, aiohttp.ClientError, OSError, KeyError) as error:
                    last = error
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"waited {timeout:.0f} s for {message}; last: {last}") from None


async def make_pod(kube: KubeClient, name: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "lamplight/process"} | spec.pop("container", {})
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 2, **spec},
    }
    return await kube.create("", "v1", "pods", body)


def pod_of(kube: KubeClient, name: str) -> Callable[[], Awaitable[dict[str, Any]]]:
    return lambda: kube.get("", "v1", "pods", name, namespace=NAMESPACE)


async def pods(kube: KubeClient, app: str) -> list[dict[str, Any]]:
    return (await kube.list("", "v1", "pods", namespace=NAMESPACE, label_selector=f"app={app}"))["items"]


def is_ready(pod: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def main_status(pod: dict[str, Any]) -> dict[str, Any]:
    return pod["status"]["containerStatuses"][0]


async def events_of(kube: KubeClient, name: str) -> dict[str, str]:
    found = await kube.list("", "v1", "events", namespace=NAMESPACE, field_selector=f"involvedObject.name={name}")
    return {event["reason"]: event["message"] for event in found["items"]}


async def logs(kube: KubeClient, name: str, **query: str) -> str:
    session = kube._session()
    url = f"{kube._access.server}/api/v1/namespaces/{NAMESPACE}/pods/{name}/log"
    async with session.get(url, params=query, ssl=kube._ssl()) as response:
        text = await response.text()
        if response.status != 200:
            raise KubeError(response.status, "", text)
        return text


async def fetch(address: str, port: int) -> str:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        async with session.get(f"http://{address}:{port}/") as response:
            return await response.text()


def deployment(name: str, replicas: int, version: str, **container: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": {"version": version}},
                "spec": {
                    "terminationGracePeriodSeconds": 2,
                    "containers": [
                        {
                            "name": "main",
                            "image": "lamplight/process",
                            "command": SERVE,
                            "ports": [{"name": "http", "containerPort": 8000}],
                            "readinessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 1},
                            "lifecycle": {"preStop": {"exec": {"command": ["sleep", "0.7"]}}},
                            **container,
                        }
                    ],
                },
            },
        },
    }


def rolled_out(replicas: int) -> Callable[[dict[str, Any]], bool]:
    def check(found: dict[str, Any]) -> bool:
        status = found.get("status", {})
        return (
            status.get("observedGeneration") == found["metadata"]["generation"]
            and status.get("updatedReplicas", 0) == status.get("availableReplicas", 0) == replicas
            and status.get("replicas", 0) == replicas
            and not status.get("terminatingReplicas")
        )

    return check


async def make_service(kube: KubeClient, name: str) -> str:
    service = await kube.create(
        "",
        "v1",
        "services",
        {
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"selector": {"app": name}, "ports": [{"port": 8080, "targetPort": "http"}]},
        },
    )
    return str(service["spec"]["clusterIP"])
