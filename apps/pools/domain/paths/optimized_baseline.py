"""Well-lit path `optimized-baseline`: aggregated vLLM replicas behind an endpoint picker that scores queue, KV-cache
usage and prefix affinity (llm-d: inference scheduling, section B.1 of the reference)."""

from __future__ import annotations

from apps.catalog.domain.dialects import Dialect
from apps.pools.domain.engines import (
    COMPONENT_ENGINE,
    engine_deployment,
    engine_disruption_budget,
    engines_service,
)
from apps.pools.domain.manifests import (
    COMPONENT,
    POOL_UID,
    Inputs,
    Manifest,
    ModelFacts,
    PlanRefused,
    PoolIdentity,
    labels_of,
    object_meta,
)
from apps.pools.domain.picker import (
    DATA_PORT,
    FRONT_PORT,
    inference_pool,
    picker_objects,
    picker_selector,
)
from apps.pools.domain.spec import GatewayRef, PoolSpec

NAME = "optimized-baseline"
_GATEWAY_GROUP = "gateway.networking.k8s.io"


def render(
    pool: PoolIdentity, spec: PoolSpec, model: ModelFacts, inputs: Inputs, dialect: Dialect
) -> tuple[Manifest, ...]:
    """The objects of the path, in the order in which they are applied. Raises PlanRefused on a broken invariant."""
    check(spec)
    picker = picks(spec, inputs, dialect)
    objects: list[Manifest] = [engines_service(pool, spec, dialect)]
    for variant in spec.variants:
        deployment = engine_deployment(pool, spec, variant, model, inputs, dialect)
        objects.append(deployment)
        objects.append(engine_disruption_budget(pool, spec, variant, inputs.accelerators[variant.accelerator]))
    if picker:
        objects.append(inference_pool(pool, dialect))
        objects += picker_objects(pool, spec, dialect, rbac=inputs.has("Role", "rbac.authorization.k8s.io"))
    objects.append(front_service(pool, dialect, picker=picker))
    if spec.routing.gateway is not None:
        if not inputs.has("HTTPRoute", _GATEWAY_GROUP) or not picker:
            raise PlanRefused(
                "GatewayNotAvailable",
                "routing.gateway needs the HTTPRoute and InferencePool kinds, which this cluster does not have: "
                "install the Gateway API and its inference extension there, or leave routing.gateway out",
            )
        objects.append(http_route(pool, spec.routing.gateway))
    if inputs.has("PodMonitor", "monitoring.coreos.com"):
        objects.append(pod_monitor(pool, dialect))
    return tuple(objects)


def check(spec: PoolSpec) -> None:
    """The path's invariants. Raises PlanRefused with the first that is broken."""
    for variant in spec.variants:
        if variant.role != "both":
            raise PlanRefused(
                "RoleNotInPath",
                f"variant {variant.name} has role {variant.role}, but every replica of {NAME} does prefill and decode: "
                "set role to both",
            )
        if variant.group_size != 1:
            raise PlanRefused(
                "GroupNotInPath",
                f"variant {variant.name} has groupSize {variant.group_size}, but a replica of {NAME} is one pod: "
                "set groupSize to 1",
            )


def picks(spec: PoolSpec, inputs: Inputs, dialect: Dialect) -> bool:
    """Whether there is an endpoint picker: asked for, and the cluster has InferencePool."""
    return spec.routing.picker and inputs.has("InferencePool", dialect.inference_pool_api_version.partition("/")[0])


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


def http_route(pool: PoolIdentity, gateway: GatewayRef) -> Manifest:
    """Everything that reaches the gateway under these hostnames goes to the pool; no timeout cuts a stream off."""
    parent = {"group": _GATEWAY_GROUP, "kind": "Gateway", "name": gateway.name}
    if gateway.namespace:
        parent["namespace"] = gateway.namespace
    if gateway.section_name:
        parent["sectionName"] = gateway.section_name
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [
            {
                "group": "inference.networking.k8s.io",
                "kind": "InferencePool",
                "name": pool.name,
                "port": FRONT_PORT,
                "weight": 1,
            }
        ],
        "timeouts": {"request": "0s", "backendRequest": "0s"},
    }
    hostnames = {"hostnames": list(gateway.hostnames)} if gateway.hostnames else {}
    return {
        "apiVersion": f"{_GATEWAY_GROUP}/v1",
        "kind": "HTTPRoute",
        "metadata": object_meta(pool, pool.name, labels_of(pool, "route")),
        "spec": {"parentRefs": [parent], **hostnames, "rules": [rule]},
    }


def pod_monitor(pool: PoolIdentity, dialect: Dialect) -> Manifest:
    """Where the Prometheus operator runs: engines and picker are scraped by it too."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": object_meta(pool, pool.name, labels_of(pool, "monitor")),
        "spec": {
            "selector": {"matchLabels": {POOL_UID: pool.uid}},
            "podTargetLabels": ["llm-d.ai/variant", "llm-d.ai/model"],
            "podMetricsEndpoints": [
                {"port": dialect.model_server_port_name, "path": "/metrics", "interval": "15s"},
                {"port": "metrics", "path": "/metrics", "interval": "15s"},
            ],
        },
    }
