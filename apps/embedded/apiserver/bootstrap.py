"""What a fresh cluster holds before anybody asks: the system namespaces and the CRDs that Lamplight's pools use."""

from __future__ import annotations

import orjson

from apps.embedded.apiserver.call import Call
from apps.embedded.apiserver.domain.request import ResourcePath
from apps.embedded.apiserver.server import ADMIN, ApiServer

SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
EPOCH_OF = "%Y-%m-%dT%H:%M:%SZ"


def bootstrap(server: ApiServer, *, install_crds: bool) -> None:
    """Create what is missing; what is there stays as it is."""
    for name in SYSTEM_NAMESPACES:
        create_if_absent(server, "", "v1", "namespaces", {"metadata": {"name": name}})


def create_if_absent(server: ApiServer, group: str, version: str, plural: str, obj: dict) -> None:
    from datetime import UTC, datetime

    resource = server.registry.find(group, version, plural)
    assert resource is not None
    if server.store.get(resource.storage, obj["metadata"].get("namespace", ""), obj["metadata"]["name"]):
        return
    server.resources.create(
        Call(
            method="POST",
            path=ResourcePath(group, version, plural, obj["metadata"].get("namespace", "")),
            resource=resource,
            query={},
            dry_runs=(),
            content_type="application/json",
            body=orjson.dumps(obj),
            user=ADMIN,
            user_agent="kube-apiserver",
            now=datetime.now(UTC).strftime(EPOCH_OF),
        )
    )
