"""What a fresh cluster holds before anybody asks: the system namespaces and the CRDs that Lamplight's pools use."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from apps.embedded.apiserver.call import Call
from apps.embedded.apiserver.domain.request import ResourcePath
from apps.embedded.apiserver.server import ADMIN, ApiServer

SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
CRDS = Path(__file__).parent.parent / "data" / "crds"


def bootstrap(server: ApiServer, *, install_crds: bool) -> None:
    """Create what is missing; what is there stays as it is."""
    for name in SYSTEM_NAMESPACES:
        create_if_absent(server, "", "v1", "namespaces", {"metadata": {"name": name}})
    if install_crds:
        for path in sorted(CRDS.glob("*.json")):
            definition = orjson.loads(path.read_bytes())
            create_if_absent(server, "apiextensions.k8s.io", "v1", "customresourcedefinitions", definition)


def create_if_absent(server: ApiServer, group: str, version: str, plural: str, obj: dict[str, Any]) -> None:
    """Create an object as the server's own work. ApiError when it is not valid."""
    resource = server.registry.find(group, version, plural)
    assert resource is not None
    namespace, name = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
    if server.store.get(resource.storage, namespace, name) is not None:
        return
    call = Call(
        method="POST",
        path=ResourcePath(group, version, plural, namespace),
        resource=resource,
        query={},
        dry_runs=(),
        content_type="application/json",
        body=orjson.dumps(obj),
        user=ADMIN,
        user_agent="kube-apiserver",
        now=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    server.resources.create(call)
