"""The endpoint picker of a pool: it chooses the replica of each request by load and prefix cache.

It runs in standalone mode (with a data plane of its own, on port 8081) and serves a Gateway through the same
InferencePool.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.catalog.domain.dialects import Dialect
from apps.pools.domain.dataplane import envoy_config
from apps.pools.domain.engines import ENGINE_PORT
from apps.pools.domain.manifests import COMPONENT, POOL_UID, Manifest, PoolIdentity, labels_of, object_meta

COMPONENT_PICKER = "endpoint-picker"
DATA_PORT = 8081
GRPC_PORT = 9002
HEALTH_PORT = 9003
METRICS_PORT = 9090
FRONT_PORT = 8000
CONFIG_PATH = "/config"
# a picker may hold requests this long while it leaves; the reference recipe's value
GRACE_SECONDS = 130
_UNPRIVILEGED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def picker_name(pool: str) -> str:
    return f"{pool}-epp"


@dataclass(frozen=True)
class PickerParts:
    """What a path adds to the picker's pod. `replicas`: pickers side by side."""

    args: tuple[str, ...] = ()
    env: tuple[Mapping[str, Any], ...] = ()
    containers: tuple[Mapping[str, Any], ...] = ()
    volumes: tuple[Mapping[str, Any], ...] = ()
    replicas: int = 1


def picker_objects(
    pool: PoolIdentity, dialect: Dialect, config: str, parts: PickerParts, *, rbac: bool
) -> list[Manifest]:
    """ServiceAccount (with its Role where the cluster has RBAC), ConfigMap, Service, Deployment.

    `config`: the EndpointPickerConfig as YAML.
    """
    name = picker_name(pool.name)
    labels = labels_of(pool, COMPONENT_PICKER)
    files = {
        "config.yaml": config,
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
        _deployment(pool, name, labels, _digest(files), dialect, parts),
    ]


def _deployment(
    pool: PoolIdentity, name: str, labels: dict[str, str], config_hash: str, dialect: Dialect, parts: PickerParts
) -> Manifest:
    # two pickers at once would each know half of what was routed where, unless each learns all of it from the engines
    alone: dict[str, Any] = {"type": "Recreate"}
    several: dict[str, Any] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": object_meta(pool, name, labels),
        "spec": {
            "replicas": parts.replicas,
            "selector": {"matchLabels": picker_selector(pool)},
            "strategy": alone if parts.replicas == 1 else several,
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {"lamplight.dev/config-hash": config_hash},
                },
                "spec": {
                    "serviceAccountName": name,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": GRACE_SECONDS,
                    "containers": [
                        _container(pool, dialect, parts),
                        _data_plane(dialect),
                        *(dict(container) for container in parts.containers),
                    ],
                    "volumes": [
                        {"name": "config", "configMap": {"name": name}},
                        *(dict(volume) for volume in parts.volumes),
                    ],
                },
            },
        },
    }


def _container(pool: PoolIdentity, dialect: Dialect, parts: PickerParts) -> dict[str, Any]:
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
            *parts.args,
        ],
        **({"env": [dict(variable) for variable in parts.env]} if parts.env else {}),
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


def inference_pool(pool: PoolIdentity, dialect: Dialect, ports: Sequence[int] = (ENGINE_PORT,)) -> Manifest:
    """The set of endpoints that the picker chooses from; each of `ports` of a pod is one. It fails open: without a
    picker, requests still flow."""
    return {
        "apiVersion": dialect.inference_pool_api_version,
        "kind": "InferencePool",
        "metadata": object_meta(pool, pool.name, labels_of(pool, COMPONENT_PICKER)),
        "spec": {
            "selector": {"matchLabels": {POOL_UID: pool.uid, "llm-d.ai/inference-serving": "true"}},
            "targetPorts": [{"number": port} for port in ports],
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
