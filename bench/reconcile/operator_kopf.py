"""The peer: a minimal operator on Kopf that keeps a Deployment, a Service and a PodDisruptionBudget for each object.

Runs in a virtual environment of its own (`kopf run`), with Kopf's defaults; applies by server-side apply, 32 at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from base64 import b64decode
from pathlib import Path
from typing import Any

import httpx  # type: ignore[import-not-found]
import kopf  # type: ignore[import-not-found]
import yaml

GROUP, VERSION, PLURAL = "bench.lamplight.dev", "v1", "services-of-bench"
_slots = asyncio.Semaphore(32)
_client: Any = None


def client() -> Any:
    global _client
    if _client is None:
        config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        tls = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
        headers = {"Authorization": f"Bearer {user['token']}", "Content-Type": "application/apply-patch+yaml"}
        _client = httpx.AsyncClient(base_url=cluster["server"], verify=tls, headers=headers, timeout=30)
    return _client


@kopf.on.startup()
def configure(settings: Any, **_: Any) -> None:
    settings.posting.enabled = False


@kopf.on.create(GROUP, VERSION, PLURAL)
@kopf.on.update(GROUP, VERSION, PLURAL)
@kopf.on.resume(GROUP, VERSION, PLURAL)
async def bring(name: str, namespace: str, uid: str, spec: Any, **_: Any) -> None:
    owner = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "ServiceOfBench",
        "name": name,
        "uid": uid,
        "controller": True,
    }
    meta = {"name": name, "namespace": namespace, "ownerReferences": [owner], "labels": {"bench": name}}
    pod = {"containers": [{"name": "engine", "image": spec["image"]}]}
    template = {"metadata": {"labels": {"bench": name}}, "spec": pod}
    selector = {"matchLabels": {"bench": name}}
    objects = [
        ("apis/apps/v1", "deployments", "Deployment", {"replicas": 0, "selector": selector, "template": template}),
        ("api/v1", "services", "Service", {"selector": {"bench": name}, "ports": [{"port": 8000}]}),
        ("apis/policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", {"maxUnavailable": 1, "selector": selector}),
    ]
    for base, plural, kind, wanted in objects:
        version = base.partition("/")[2]
        body = {"apiVersion": version, "kind": kind, "metadata": meta, "spec": wanted}
        async with _slots:
            answer = await client().patch(
                f"/{base}/namespaces/{namespace}/{plural}/{name}?fieldManager=bench&force=true",
                content=json.dumps(body),
            )
        answer.raise_for_status()
