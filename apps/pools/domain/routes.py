"""How requests reach a pool: its own address, a route of a Gateway, and where its pages are scraped."""

from __future__ import annotations

from typing import Any

from apps.catalog.domain.dialects import Dialect
from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.manifests import COMPONENT, POOL_UID, Manifest, PoolIdentity, labels_of, object_meta
from apps.pools.domain.picker import DATA_PORT, FRONT_PORT, picker_selector
from apps.pools.domain.spec import GatewayRef

GATEWAY_GROUP = "gateway.networking.k8s.io"


def front_service(pool: PoolIdentity, dialect: Dialect, *, picker: bool) -> Manifest:
    """The pool's address: the picker's data plane, or the engines in turn where there is no picker."""
    selector = picker_selector(pool) if picker else {POOL_UID: pool.uid, COMPONENT: COMPONENT_ENGINE}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": object_meta(pool, pool.name, labels_of(pool, "front")),
        "spec": {
            "type": "ClusterIP",
            "selector": selector,
            "ports": [
                {
                    "name": "http",
                    "port": FRONT_PORT,
                    "protocol": "TCP",
                    "targetPort": DATA_PORT if picker else dialect.model_server_port_name,
                }
            ],
        },
    }


NO_TIMEOUTS = {"request": "0s", "backendRequest": "0s"}


def parent_of(gateway: GatewayRef) -> dict[str, Any]:
    """The Gateway as a route names it."""
    parent = {"group": GATEWAY_GROUP, "kind": "Gateway", "name": gateway.name}
    if gateway.namespace:
        parent["namespace"] = gateway.namespace
    if gateway.section_name:
        parent["sectionName"] = gateway.section_name
    return parent


def pool_backend(pool: str, provider: str | None, *, weight: int) -> dict[str, Any]:
    """An InferencePool as a route names it."""
    port = {} if provider == "gke" else {"port": FRONT_PORT}
    return {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": pool, **port, "weight": weight}


def http_route(pool: PoolIdentity, gateway: GatewayRef) -> Manifest:
    """Everything that reaches the gateway under these hostnames goes to the pool; no timeout cuts a stream off.

    GKE's gateways refuse a port on an InferencePool, and timeouts of their own.
    """
    rule: dict[str, Any] = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [pool_backend(pool.name, gateway.provider, weight=1)],
    }
    if gateway.provider != "gke":
        rule["timeouts"] = NO_TIMEOUTS
    hostnames = {"hostnames": list(gateway.hostnames)} if gateway.hostnames else {}
    return {
        "apiVersion": f"{GATEWAY_GROUP}/v1",
        "kind": "HTTPRoute",
        "metadata": object_meta(pool, pool.name, labels_of(pool, "route")),
        "spec": {"parentRefs": [parent_of(gateway)], **hostnames, "rules": [rule]},
    }


def pod_monitor(pool: PoolIdentity, dialect: Dialect, ranks: int = 1) -> Manifest:
    """Where the Prometheus operator runs: engines and picker are scraped by it too, each of the `ranks` of a pod that
    serves on a port of its own."""
    ports = [dialect.model_server_port_name, *(f"rank-{rank}" for rank in range(1, ranks)), "metrics"]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": object_meta(pool, pool.name, labels_of(pool, "monitor")),
        "spec": {
            "selector": {"matchLabels": {POOL_UID: pool.uid}},
            "podTargetLabels": ["llm-d.ai/variant", "llm-d.ai/model"],
            "podMetricsEndpoints": [{"port": port, "path": "/metrics", "interval": "15s"} for port in ports],
        },
    }
