"""Declaring pools and running their controller in tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from apps.clusters import kube as kube_module
from apps.clusters.models import Cluster
from apps.core import services, yamlio
from apps.core.domain.access import SHARED_TEAM, SYSTEM
from apps.core.services import By
from apps.pools.models import Pool
from apps.reconcile import worker
from apps.reconcile.models import QueueItem, Shard
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


def drain_until(settled: Any, timeout: float = 60, message: str = "") -> Any:
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
    wait_until(lambda: f"{kind}.{group}" in kube.resources(fresh=True), timeout=10, message=f"{kind} is served")


def delete(kind: str, name: str) -> None:
    from apps.core import kinds

    handler = kinds.get(kind)
    where = SHARED_TEAM if kind == "Cluster" else "default"
    services.delete(handler, team=where, name=name, etags=("*",), by=BY)


def bound_cluster() -> Cluster:
    return Cluster.objects.get()


def close() -> None:
    connection.close()
