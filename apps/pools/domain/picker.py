"""The endpoint picker of a pool: it chooses the replica of each request by load and prefix cache.

It runs in standalone mode (with a data plane of its own, on port 8081) and serves a Gateway through the same
InferencePool.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from typing import Any

import yaml

from apps.catalog.domain.dialects import Dialect
from apps.catalog.domain.picker_config import misfits
from apps.pools.domain.dataplane import envoy_config
from apps.pools.domain.engines import ENGINE_PORT
from apps.pools.domain.manifests import COMPONENT, POOL_UID, Manifest, PlanRefused, PoolIdentity, labels_of, object_meta
from apps.pools.domain.spec import PoolSpec, Weights

COMPONENT_PICKER = "endpoint-picker"
DATA_PORT = 8081
GRPC_PORT = 9002
HEALTH_PORT = 9003
METRICS_PORT = 9090
FRONT_PORT = 8000
CONFIG_PATH = "/config"
# a picker may hold requests this long while it leaves; the reference recipe's value
GRACE_SECONDS = 130
# a request is held so long for a replica where a pool may have none: a cold start takes one to seven minutes
HOLD_SECONDS = 900
_UNPRIVILEGED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def picker_name(pool: str) -> str:
    return f"{pool}-epp"


def holds(spec: PoolSpec, dialect: Dialect) -> bool:
    """Whether requests are held while no replica can serve: in a pool that may be without replicas, where the picker's
    configuration can say so (llm-d 0.5 has flow control behind an environment variable, as an experiment)."""
    return dialect.picker_flow_control and all(variant.replicas.min == 0 for variant in spec.variants)


def picker_config(weights: Weights, dialect: Dialect, *, hold: bool = False) -> str:
    """The EndpointPickerConfig as YAML: load and prefix affinity, weighted; with `hold`, flow control.

    Raises PlanRefused for what the picker of the dialect would refuse or overlook.
    """
    scorers = [
        ("queue-scorer", weights.queue),
        ("kv-cache-utilization-scorer", weights.kv_cache_utilization),
        ("prefix-cache-scorer", weights.prefix_cache),
    ]
    names = [*dialect.picker_plugins, *(name for name, _ in scorers), "max-score-picker"]
    document: dict[str, Any] = {
        "apiVersion": dialect.picker_config_api_version,
        "kind": "EndpointPickerConfig",
        "plugins": [{"type": name} for name in names],
        "schedulingProfiles": [
            {
                "name": "default",
                "plugins": [
                    *({"pluginRef": name, "weight": _number(weight)} for name, weight in scorers),
                    {"pluginRef": "max-score-picker"},
                ],
            }
        ],
    }
    if hold:
        document["featureGates"] = ["flowControl"]
        document["flowControl"] = {
            "maxRequests": "1k",
            "maxBytes": "1Gi",
            "defaultRequestTTL": f"{HOLD_SECONDS}s",
            "noEndpointRequestTTL": f"{HOLD_SECONDS}s",
        }
    text = yaml.dump(document, Dumper=_DUMPER, sort_keys=False)
    for said in _misfits(text, dialect.name):
        raise PlanRefused(
            "PickerConfigInvalid", f"the endpoint picker would not read its configuration as meant: {said}"
        )
    return text


_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@functools.lru_cache(maxsize=1024)
def _misfits(text: str, dialect: str) -> tuple[str, ...]:
    document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  (a safe loader)
    return tuple(f"{misfit.sentence} ({misfit.pointer})" for misfit in misfits(document, dialect))


def picker_objects(pool: PoolIdentity, spec: PoolSpec, dialect: Dialect, *, rbac: bool) -> list[Manifest]:
    """ServiceAccount (with its Role where the cluster has RBAC), ConfigMap, Service, Deployment."""
    name = picker_name(pool.name)
    labels = labels_of(pool, COMPONENT_PICKER)
    files = {
        "config.yaml": picker_config(spec.routing.weights, dialect, hold=holds(spec, dialect)),
        "envoy.yaml": envoy_config(port=DATA_PORT, picker_port=GRPC_PORT),
    }
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": object_meta(pool, name, labels)},
        *(_rights(pool, name, labels, dialect) if rbac else []),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": object_meta(pool, name, labels),
            "data": files,
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": object_meta(pool, name, labels),
            "spec": {
                "selector": picker_selector(pool),
                "ports": [
                    {"name": "grpc-ext-proc", "port": GRPC_PORT, "protocol": "TCP", "appProtocol": "http2"},
                    {"name": "metrics", "port": METRICS_PORT, "protocol": "TCP"},
                ],
            },
        },
        _deployment(pool, name, labels, _digest(files), dialect),
    ]


def _deployment(pool: PoolIdentity, name: str, labels: dict[str, str], config_hash: str, dialect: Dialect) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": object_meta(pool, name, labels),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": picker_selector(pool)},
            # two pickers at once would each know half of what was routed where
            "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {"lamplight.dev/config-hash": config_hash},
                },
                "spec": {
                    "serviceAccountName": name,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": GRACE_SECONDS,
                    "containers": [_container(pool, dialect), _data_plane(dialect)],
                    "volumes": [{"name": "config", "configMap": {"name": name}}],
                },
            },
        },
    }


def _container(pool: PoolIdentity, dialect: Dialect) -> dict[str, Any]:
    health = {"tcpSocket": {"port": "grpc-health"}}
    return {
        "name": "epp",
        "image": dialect.picker_image,
        "args": [
            "--pool-name",
            pool.name,
            "--pool-namespace",
            pool.namespace,
            "--config-file",
            f"{CONFIG_PATH}/config.yaml",
            "--kv-cache-usage-percentage-metric",
            "vllm:kv_cache_usage_perc",
            "--metrics-endpoint-auth=false",
            "--zap-encoder",
            "json",
            "--v",
            "2",
            "--tracing=false",
        ],
        "ports": [
            {"name": "grpc-ext-proc", "containerPort": GRPC_PORT, "protocol": "TCP"},
            {"name": "grpc-health", "containerPort": HEALTH_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        "livenessProbe": {**health, "periodSeconds": 10, "failureThreshold": 3},
        "readinessProbe": {**health, "periodSeconds": 2, "failureThreshold": 3},
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "4Gi"}},
        "securityContext": _UNPRIVILEGED,
        "volumeMounts": [{"name": "config", "mountPath": CONFIG_PATH, "readOnly": True}],
    }


def _data_plane(dialect: Dialect) -> dict[str, Any]:
    return {
        "name": "envoy",
        "image": dialect.proxy_image,
        "command": ["envoy"],
        "args": ["-c", f"{CONFIG_PATH}/envoy.yaml", "--log-level", "warn", "--drain-time-s", "30"],
        "ports": [{"name": "http", "containerPort": DATA_PORT, "protocol": "TCP"}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 2, "failureThreshold": 3},
        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": _UNPRIVILEGED,
        "volumeMounts": [{"name": "config", "mountPath": CONFIG_PATH, "readOnly": True}],
    }


def _rights(pool: PoolIdentity, name: str, labels: dict[str, str], dialect: Dialect) -> list[Manifest]:
    watch = ["get", "list", "watch"]
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": object_meta(pool, name, labels),
            "rules": [
                {"apiGroups": [""], "resources": ["pods"], "verbs": watch},
                {
                    "apiGroups": list(dialect.picker_api_groups),
                    "resources": ["inferencepools", "inferenceobjectives", "inferencemodelrewrites"],
                    "verbs": watch,
                },
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": object_meta(pool, name, labels),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": pool.namespace}],
        },
    ]


def inference_pool(pool: PoolIdentity, dialect: Dialect) -> Manifest:
    """The set of endpoints that the picker chooses from. It fails open: without a picker, requests still flow."""
    return {
        "apiVersion": dialect.inference_pool_api_version,
        "kind": "InferencePool",
        "metadata": object_meta(pool, pool.name, labels_of(pool, COMPONENT_PICKER)),
        "spec": {
            "selector": {"matchLabels": {POOL_UID: pool.uid, "llm-d.ai/inference-serving": "true"}},
            "targetPorts": [{"number": ENGINE_PORT}],
            "endpointPickerRef": {
                "group": "",
                "kind": "Service",
                "name": picker_name(pool.name),
                "port": {"number": GRPC_PORT},
                "failureMode": "FailOpen",
            },
        },
    }


def picker_selector(pool: PoolIdentity) -> dict[str, str]:
    return {POOL_UID: pool.uid, COMPONENT: COMPONENT_PICKER}


def _digest(files: Mapping[str, str]) -> str:
    return hashlib.sha256("\n".join(files.values()).encode()).hexdigest()[:16]


def _number(weight: float) -> float | int:
    return int(weight) if weight == int(weight) else weight
