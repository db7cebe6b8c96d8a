"""Declaring pools and running their controller in tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from django.db import connection

from apps.clusters import kube as kube_module
from apps.clusters.models import Cluster
from apps.core import services, yamlio
from apps.core.domain.access import SHARED_TEAM, SYSTEM
from apps.core.services import By
from apps.pools import services as pool_services
from apps.pools.models import Pool
from apps.reconcile import worker
from apps.reconcile.models import QueueItem, Shard
from tests.support.cluster import EmbeddedCluster
from tests.support.people import team
from tests.support.wait import wait_until

BY = By(SYSTEM, reason="a test")


def declare(*documents: dict[str, Any]) -> None:
    """Apply documents as an admin would."""
    import json

    for name in ("default", SHARED_TEAM):
        team(name)
    text = "\n---\n".join(json.dumps({"apiVersion": "lamplight.dev/v1", **document}) for document in documents)
    services.apply_documents(yamlio.read(text.encode()), by=BY)


def declare_on(cluster: EmbeddedCluster, *documents: dict[str, Any], model: dict[str, Any] | None = None) -> None:
    """Declare a running cluster, a model (the plain one where none is given) and what stands on them."""
    declare(cluster_document(str(cluster.kubeconfig)), model or model_document(), *documents)


def take_down(*names: str) -> None:
    """Delete pools, and reconcile until no pool is left."""
    for name in names:
        if Pool.objects.filter(name=name, deletion_requested_at=None).exists():
            delete("Pool", name)
    drain_until(lambda: not Pool.objects.exists(), message="the pools are gone")


def cluster_document(kubeconfig: str, **spec: Any) -> dict[str, Any]:
    return {
        "kind": "Cluster",
        "metadata": {"name": "embedded", "team": SHARED_TEAM},
        "spec": {"credentials": {"kubeconfig": kubeconfig}, **spec},
    }


def model_document(name: str = "tiny", source: str = "hf://meta-llama/Llama-3.1-8B-Instruct") -> dict[str, Any]:
    return {"kind": "Model", "metadata": {"name": name}, "spec": {"source": source, "servedName": name}}


def pool_document(name: str = "chat", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "Pool",
        "metadata": {"name": name},
        "spec": {
            "model": "tiny",
            "cluster": "embedded",
            "namespace": "serving",
            "variants": [variant_document()],
            "rollout": {"drainDelay": "0s", "shutdownTimeout": "1s"},
            **spec,
        },
    }


def variant_document(name: str = "h200", **more: Any) -> dict[str, Any]:
    return {"name": name, "accelerator": "nvidia-h200", "replicas": {"min": 2, "max": 4}, **more}


def pool(name: str = "chat") -> Pool:
    return Pool.objects.get(name=name)


def condition(name: str, type_: str) -> dict[str, Any]:
    return next(c for c in pool(name).conditions if c["type"] == type_)


def healthy(name: str = "chat", **replicas: int) -> bool:
    """Whether a pool serves as it is declared now, with these counts of replicas (desired, ready, starting)."""
    found = pool(name)
    return (
        found.status.get("health") == "Healthy"
        and found.status.get("observedGeneration") == found.generation
        and all(found.status["replicas"][key] == count for key, count in replicas.items())
    )


def want(awake: int, asleep: int = 0, *, name: str = "chat", source: str = "autoscaler") -> None:
    """Set the replica target of a pool's variant h200."""
    wanted = pool_services.Wanted("h200", awake, source, asleep=asleep)
    pool_services.set_replica_targets(pool=pool(name), wanted=[wanted], actor="system:test")


def engine_pods(cluster: EmbeddedCluster, name: str = "chat") -> list[dict[str, Any]]:
    """Pods of a pool's engines that are not on their way out."""
    labels = {"lamplight.dev/pool": name, "app.kubernetes.io/component": "engine"}
    pods = cluster.kube.list(cluster.kube.resource("Pod"), "serving", labels=labels)
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def complete(address: str, prompt: str = "hello there", *, tokens: int = 3, timeout: float = 60, **body: Any) -> Any:
    """The answer of a gateway or an engine to a completion. Raises requests.HTTPError."""
    whole = {"model": "tiny", "prompt": prompt, "max_tokens": tokens, "ignore_eos": True, **body}
    answer = requests.post(f"{address}/v1/completions", json=whole, timeout=timeout)
    answer.raise_for_status()
    return answer.json()


LONG_AGO = "2000-01-01T00:00:00Z"


def drain() -> int:
    """Work on everything that is queued, due or not, once."""
    QueueItem.objects.filter(lease_until=None).update(due_at=LONG_AGO)
    Shard.objects.all().delete()
    worked, most = 0, 2 * QueueItem.objects.count()
    # what is worked on comes due at another time, if at all; on a slow machine that may be before the others' turn
    while worked < most and QueueItem.objects.filter(due_at=LONG_AGO).exists():
        done = worker.drain(budget=0.001)
        if not done:
            break
        worked += done
    return worked


def drain_until(settled: Any, timeout: float = 120, message: str = "") -> Any:
    """Reconcile again and again, as the sweep does, until `settled()` is truthy."""
    deadline = time.monotonic() + timeout
    while True:
        drain()
        value = settled()
        if value:
            return value
        if time.monotonic() > deadline:
            rows = [(p.name, p.status, p.conditions) for p in Pool.objects.all()]
            raise AssertionError(f"Waited {timeout:.0f} s: {message}; queue {list(QueueItem.objects.values())}; {rows}")
        time.sleep(0.2)


@contextmanager
def counted_calls() -> Iterator[list[tuple[str, str]]]:
    """Method and path of every call to an API server within the block."""
    calls: list[tuple[str, str]] = []
    plain = kube_module.Kube._send

    def send(self: Any, method: str, path: str, *rest: Any) -> Any:
        calls.append((method, path))
        return plain(self, method, path, *rest)

    kube_module.Kube._send = send  # type: ignore[method-assign]
    try:
        yield calls
    finally:
        kube_module.Kube._send = plain  # type: ignore[method-assign]


def writes(calls: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Calls that change something there; asking about one's rights is a POST and changes nothing."""
    return [(method, path) for method, path in calls if method != "GET" and not path.endswith("accessreviews")]


def install_kind(kube: kube_module.Kube, group: str, version: str, kind: str, plural: str) -> None:
    """A CustomResourceDefinition that takes anything, and wait until its kind is served."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [
                {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}},
            ],
        },
    }
    kube._call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body=definition)
    wait_until(lambda: f"{kind}.{group}" in kube.resources(fresh=True), message=f"{kind} is served")


def delete(kind: str, name: str) -> None:
    from apps.core import kinds

    handler = kinds.get(kind)
    where = SHARED_TEAM if kind == "Cluster" else "default"
    services.delete(handler, team=where, name=name, etags=("*",), by=BY)


def bound_cluster() -> Cluster:
    return Cluster.objects.get()


def close() -> None:
    connection.close()
