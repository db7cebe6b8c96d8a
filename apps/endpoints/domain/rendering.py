"""The objects of an endpoint: a route of a Gateway with weights, or a data plane of its own with a routing table.

A Gateway chooses by a header that its body-based router fills with the request's model name
(`X-Gateway-Model-Name`); where a pool knows the model under another name, an InferenceModelRewrite tells its picker.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.catalog.domain.dialects import Dialect
from apps.endpoints.domain.gateway_keys import POLICY_API, POLICY_KIND, policy_spec
from apps.endpoints.domain.spec import EndpointSpec, PublicModel
from apps.pools.domain.manifests import GENERATION, SPEC_HASH, Manifest, PlanRefused, spec_hash
from apps.pools.domain.picker import FRONT_PORT
from apps.pools.domain.routes import GATEWAY_GROUP, NO_TIMEOUTS, parent_of, pool_backend

ENDPOINT_UID = "lamplight.dev/endpoint-uid"
COMPONENT = "endpoint-gateway"
IMAGE = "lamplight/endpoint-gateway:1"
MODEL_HEADER = "X-Gateway-Model-Name"
PORT = 8080
FRONT = 80
CONFIG_PATH = "/config"
KEYS_PATH = "/keys"
# an HTTPRoute has at most so many rules, and each public model is one
MOST_RULES = 16
_UNPRIVILEGED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True)
class EndpointIdentity:
    """Whose objects these are."""

    uid: str
    team: str
    name: str
    generation: int
    namespace: str


@dataclass(frozen=True)
class PoolFacts:
    """A pool as an endpoint needs to know it.

    `url`: where it is asked; None: at its Service in the endpoint's own namespace; "": it lives in another cluster and
    has no address outside it.
    """

    name: str
    served_name: str
    url: str | None = None


def render(
    endpoint: EndpointIdentity,
    spec: EndpointSpec,
    pools: Mapping[str, PoolFacts],
    kinds: frozenset[str],
    dialect: Dialect,
    image: str = IMAGE,
) -> tuple[Manifest, ...]:
    """The objects of an endpoint, stamped. `pools`: those that are there. `image`: of a data plane of its own. Raises
    PlanRefused."""
    missing = sorted(set(spec.pools) - pools.keys())
    if missing:
        raise PlanRefused("PoolMissing", f"pool {missing[0]} is not there: declare it, or take it out of spec.models")
    if spec.gateway is not None:
        objects = _routed(endpoint, spec, pools, kinds, dialect)
    else:
        objects = _standalone(endpoint, spec, pools, image)
    return tuple(_stamped(obj, endpoint) for obj in objects)


def table(endpoint: EndpointIdentity, spec: EndpointSpec, pools: Mapping[str, PoolFacts]) -> dict[str, Any]:
    """The routing table of the endpoint's own data plane: public name to pools, with what is asked of each."""

    def target(pool: str, adapter: str | None) -> dict[str, Any]:
        facts = pools[pool]
        if facts.url == "":
            raise PlanRefused(
                "PoolNotOutside",
                f"pool {pool} lives in another cluster and has no address outside it: give it routing.gateway with "
                "hostnames",
            )
        url = facts.url or f"http://{pool}.{endpoint.namespace}.svc:{FRONT_PORT}"
        return {"pool": pool, "url": url, "model": adapter or facts.served_name}

    models = {
        model.name: {
            "backends": [{**target(b.pool, b.adapter), "weight": b.weight} for b in model.backends],
            "failover": [target(pool, None) for pool in model.failover],
        }
        for model in spec.models
    }
    limits = {name: row.to_document() for name, row in spec.keys.limits.items()} if spec.keys else {}
    return {"endpoint": endpoint.name, "models": models, "limits": limits}


def _standalone(
    endpoint: EndpointIdentity, spec: EndpointSpec, pools: Mapping[str, PoolFacts], image: str
) -> tuple[Manifest, ...]:
    name = f"{endpoint.name}-gw"
    text = json.dumps(table(endpoint, spec, pools), indent=1, sort_keys=True)
    selector = {ENDPOINT_UID: endpoint.uid, "app.kubernetes.io/component": COMPONENT}
    volumes: list[dict[str, Any]] = [{"name": "config", "configMap": {"name": name}}]
    mounts: list[dict[str, Any]] = [{"name": "config", "mountPath": CONFIG_PATH, "readOnly": True}]
    args = ["--config-file", f"{CONFIG_PATH}/endpoint.json", "--port", str(PORT)]
    if spec.keys is not None:
        volumes.append({"name": "keys", "secret": {"secretName": spec.keys.secret}})
        mounts.append({"name": "keys", "mountPath": KEYS_PATH, "readOnly": True})
        args += ["--keys", KEYS_PATH]
    container = {
        "name": "gateway",
        "image": image,
        "args": args,
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 2, "failureThreshold": 3},
        "livenessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 10, "failureThreshold": 3},
        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": _UNPRIVILEGED,
        "volumeMounts": mounts,
    }
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return (
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": _meta(endpoint, name),
            "data": {"endpoint.json": text},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": _meta(endpoint, name),
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": selector},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                "template": {
                    "metadata": {
                        "labels": _labels(endpoint),
                        "annotations": {"lamplight.dev/config-hash": digest},
                    },
                    "spec": {
                        "automountServiceAccountToken": False,
                        "enableServiceLinks": False,
                        "terminationGracePeriodSeconds": 60,
                        "containers": [container],
                        "volumes": volumes,
                    },
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": _meta(endpoint, endpoint.name),
            "spec": {
                "type": "ClusterIP",
                "selector": selector,
                "ports": [{"name": "http", "port": FRONT, "protocol": "TCP", "targetPort": "http"}],
            },
        },
    )


def _routed(
    endpoint: EndpointIdentity,
    spec: EndpointSpec,
    pools: Mapping[str, PoolFacts],
    kinds: frozenset[str],
    dialect: Dialect,
) -> tuple[Manifest, ...]:
    gateway = spec.gateway
    assert gateway is not None
    _insist(spec, kinds, dialect)
    away = sorted(name for name in spec.pools if pools[name].url is not None)
    if away:
        raise PlanRefused(
            "PoolElsewhere",
            f"pool {away[0]} lives in another namespace or cluster, where a route of a Gateway does not reach: leave "
            "gateway out, or the pool",
        )
    rules: list[dict[str, Any]] = []
    for model in spec.models:
        rule: dict[str, Any] = {
            "matches": [_match(model, alone=len(spec.models) == 1)],
            "backendRefs": [
                pool_backend(pool, gateway.provider, weight=weight) for pool, weight in _weights(model).items()
            ],
        }
        if gateway.provider != "gke":
            rule["timeouts"] = NO_TIMEOUTS
        rules.append(rule)
    hostnames = {"hostnames": list(gateway.hostnames)} if gateway.hostnames else {}
    route = {
        "apiVersion": f"{GATEWAY_GROUP}/v1",
        "kind": "HTTPRoute",
        "metadata": _meta(endpoint, endpoint.name),
        "spec": {"parentRefs": [parent_of(gateway)], **hostnames, "rules": rules},
    }
    rewrites = [
        _rewrite(endpoint, pool, rules, dialect) for pool, rules in sorted(_renamed(spec, pools).items()) if rules
    ]
    policy = policy_spec(spec, endpoint.name, kinds)
    policies = (
        [{"apiVersion": POLICY_API, "kind": POLICY_KIND, "metadata": _meta(endpoint, endpoint.name), "spec": policy}]
        if policy is not None
        else []
    )
    # who may ask is settled before there is a way in
    return (*policies, route, *rewrites)


def _insist(spec: EndpointSpec, kinds: frozenset[str], dialect: Dialect) -> None:
    group = dialect.rewrite_api_version.partition("/")[0]
    for kind in (f"HTTPRoute.{GATEWAY_GROUP}", f"InferenceModelRewrite.{group}"):
        if kind not in kinds:
            raise PlanRefused(
                "GatewayNotAvailable",
                f"spec.gateway needs the kind {kind.partition('.')[0]} of {kind.partition('.')[2]}, which this cluster "
                "does not have: install it there, or leave gateway out",
            )
    if len(spec.models) > MOST_RULES:
        raise PlanRefused(
            "TooManyModels", f"a route of a Gateway has at most {MOST_RULES} models, not {len(spec.models)}: make two"
        )
    if any(model.failover for model in spec.models):
        raise PlanRefused(
            "FailoverNotInGateway",
            "routes of the Gateway API cannot fail over between pools: leave failover out, or gateway",
        )
    for model in spec.models:
        names = [b.pool for b in model.backends]
        if len(set(names)) < len(names):
            raise PlanRefused(
                "AdaptersShareAPool",
                f"two backends of {model.name} are adapters of one pool: split them by routing.rewrites of that pool",
            )


def _match(model: PublicModel, *, alone: bool) -> dict[str, Any]:
    match: dict[str, Any] = {"path": {"type": "PathPrefix", "value": "/"}}
    if not alone:
        match["headers"] = [{"type": "Exact", "name": MODEL_HEADER, "value": model.name}]
    return match


def _weights(model: PublicModel) -> dict[str, int]:
    return {backend.pool: backend.weight for backend in model.backends}


def _renamed(spec: EndpointSpec, pools: Mapping[str, PoolFacts]) -> dict[str, list[tuple[str, str]]]:
    """By pool, the public names that it knows as something else."""
    found: dict[str, list[tuple[str, str]]] = {}
    for model in spec.models:
        for backend in model.backends:
            asked = backend.adapter or pools[backend.pool].served_name
            if asked != model.name:
                found.setdefault(backend.pool, []).append((model.name, asked))
    return found


def _rewrite(endpoint: EndpointIdentity, pool: str, rules: list[tuple[str, str]], dialect: Dialect) -> Manifest:
    return {
        "apiVersion": dialect.rewrite_api_version,
        "kind": "InferenceModelRewrite",
        "metadata": _meta(endpoint, f"{endpoint.name}-{pool}"),
        "spec": {
            "poolRef": {"name": pool},
            "rules": [
                {
                    "matches": [{"model": {"type": "Exact", "value": public}}],
                    "targets": [{"modelRewrite": asked, "weight": 1}],
                }
                for public, asked in rules
            ],
        },
    }


def _labels(endpoint: EndpointIdentity) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "lamplight-endpoint",
        "app.kubernetes.io/instance": endpoint.name,
        "app.kubernetes.io/component": COMPONENT,
        "app.kubernetes.io/managed-by": "lamplight",
        "lamplight.dev/endpoint": endpoint.name,
        "lamplight.dev/team": endpoint.team,
        ENDPOINT_UID: endpoint.uid,
    }


def _meta(endpoint: EndpointIdentity, name: str) -> dict[str, Any]:
    return {"name": name, "namespace": endpoint.namespace, "labels": _labels(endpoint)}


def _stamped(manifest: Manifest, endpoint: EndpointIdentity) -> Manifest:
    metadata = {**manifest["metadata"]}
    stamp = {SPEC_HASH: spec_hash(manifest), GENERATION: str(endpoint.generation)}
    metadata["labels"] = {**metadata["labels"], **stamp}
    return {**manifest, "metadata": metadata}
