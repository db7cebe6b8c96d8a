"""The vLLM Deployment of one variant, its PodDisruptionBudget, and the headless Service of all engines of a pool.

Probes, shutdown order and volumes follow the model-server recipes of llm-d; the numbers that differ say why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from apps.catalog.domain.dialects import Dialect
from apps.core.domain.units import format_bytes
from apps.pools.domain.facts import capacity_labels
from apps.pools.domain.manifests import (
    COMPONENT,
    POOL_UID,
    VARIANT,
    AcceleratorFacts,
    Inputs,
    Manifest,
    ModelFacts,
    PlanRefused,
    PoolIdentity,
    labels_of,
    object_meta,
)
from apps.pools.domain.sources import served_from
from apps.pools.domain.spec import PoolSpec, Variant

ENGINE_PORT = 8000
COMPONENT_ENGINE = "engine"
# equal on every engine and wherever blocks are hashed: equal tokens must give equal hashes
HASH_SEED = "42"
# after SIGTERM and the drain an engine still needs about 8 s to go; a margin above it
TEARDOWN_SECONDS = 15
CACHE_PATH = "/var/cache/engine"

RENDERED_ENV = frozenset({"PYTHONHASHSEED", "HF_HOME", "VLLM_CACHE_ROOT", "TRITON_CACHE_DIR", "POD_IP"})
# flags that Lamplight renders, or that would blind or lock out what watches the engine: flag -> why
RESERVED_FLAGS: Mapping[str, str] = {
    "model": "the model comes from spec.model",
    "host": "the engine listens where the Service expects it",
    "port": "the engine listens where the Service expects it",
    "uds": "the engine listens where the Service expects it",
    "served_model_name": "it comes from the Model's servedName, so that router and engine agree",
    "revision": "it comes from the Model's revision",
    "tensor_parallel_size": "set variants[].parallelism.tensor",
    "pipeline_parallel_size": "set variants[].parallelism.pipeline",
    "data_parallel_size": "set variants[].parallelism.data",
    "shutdown_timeout": "set rollout.shutdownTimeout, which the pod's grace period follows",
    "custom_histogram_buckets": "all engines share one bucket grid, so that SLOs can be counted exactly",
    "disable_log_stats": "without metrics nothing can be measured or decided",
    "api_key": "a key on the command line can be read by everybody who sees the pod, and probes would be refused",
    "ssl_keyfile": "TLS ends at the gateway; probes and scrapes speak HTTP to the engine",
    "ssl_certfile": "TLS ends at the gateway; probes and scrapes speak HTTP to the engine",
    "root_path": "probes and the endpoint picker use the paths at the root",
    "headless": "an engine without its API server cannot be probed or routed to",
}


def engine_labels(
    pool: PoolIdentity, spec: PoolSpec, variant: Variant, accelerator: AcceleratorFacts
) -> dict[str, str]:
    """Ours, and those of llm-d that routers, dashboards and autoscalers look for."""
    return {
        **labels_of(pool, COMPONENT_ENGINE, variant.name),
        "llm-d.ai/inference-serving": "true",
        "llm-d.ai/guide": spec.path,
        "llm-d.ai/model": spec.model,
        "llm-d.ai/role": variant.role,
        "llm-d.ai/variant": variant.name,
        "llm-d.ai/accelerator-variant": "gpu" if accelerator.resource else "cpu",
        "llm-d.ai/accelerator-vendor": accelerator.vendor,
    }


def deployment_name(pool: str, variant: str) -> str:
    return f"{pool}-{variant}"


def engine_deployment(
    pool: PoolIdentity, spec: PoolSpec, variant: Variant, model: ModelFacts, inputs: Inputs, dialect: Dialect
) -> Manifest:
    """The Deployment of one variant; `spec.replicas` is the initial count and is left out of later applies."""
    accelerator = inputs.accelerators.get(variant.accelerator)
    if accelerator is None:
        raise PlanRefused(
            "UnknownAccelerator", f"variant {variant.name}: {variant.accelerator} is not an accelerator we know"
        )
    labels = engine_labels(pool, spec, variant, accelerator)
    grace = _seconds(spec.rollout.drain_delay) + _seconds(spec.rollout.shutdown_timeout) + TEARDOWN_SECONDS
    source = served_from(model)
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace,
        "containers": [_container(spec, variant, model, inputs, dialect, accelerator)],
        "volumes": [
            # NCCL and vLLM's processes talk through shared memory; the container default of 64 MiB is too small
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "20Gi"}},
            {"name": "cache", "emptyDir": {}},
            *source.volumes,
        ],
    }
    if accelerator.node_selector:
        pod["nodeSelector"] = dict(accelerator.node_selector)
    marks = capacity_labels(variant.capacity_type)
    if marks:
        pod["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": _any_of(marks)}}
    if accelerator.resource:
        pod["tolerations"] = [{"key": accelerator.resource, "operator": "Exists", "effect": "NoSchedule"}]
    surge, unavailable = inputs.strategies.get(variant.name) or spec.rollout.first_strategy
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": object_meta(pool, deployment_name(pool.name, variant.name), labels),
        "spec": {
            "replicas": inputs.replicas[variant.name],
            "selector": {"matchLabels": _selector(pool, variant)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
            },
            "progressDeadlineSeconds": _seconds(spec.rollout.progress_deadline),
            **({"paused": True} if inputs.paused else {}),
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _container(
    spec: PoolSpec,
    variant: Variant,
    model: ModelFacts,
    inputs: Inputs,
    dialect: Dialect,
    accelerator: AcceleratorFacts,
) -> dict[str, Any]:
    source = served_from(model)
    requests: dict[str, Any] = {"cpu": variant.resources.cpu, "memory": _quantity(variant.resources.memory)}
    limits: dict[str, Any] = {"memory": _quantity(variant.resources.memory)}
    if accelerator.resource:
        requests[accelerator.resource] = limits[accelerator.resource] = str(variant.accelerators_per_pod)
    models = {"path": "/v1/models", "port": dialect.model_server_port_name}
    health = {"path": "/health", "port": dialect.model_server_port_name}
    return {
        "name": "vllm",
        "image": spec.engine.image,
        "command": ["vllm", "serve"],
        "args": engine_args(spec, variant, model, inputs, dialect),
        "env": [
            {"name": "PYTHONHASHSEED", "value": HASH_SEED},
            {"name": "HF_HOME", "value": f"{CACHE_PATH}/huggingface"},
            {"name": "VLLM_CACHE_ROOT", "value": f"{CACHE_PATH}/vllm"},
            {"name": "TRITON_CACHE_DIR", "value": f"{CACHE_PATH}/triton"},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            *source.env,
            *({"name": name, "value": value} for name, value in sorted(spec.engine.env.items())),
        ],
        "ports": [{"name": dialect.model_server_port_name, "containerPort": ENGINE_PORT, "protocol": "TCP"}],
        # /v1/models answers once the model is loaded. Asked often, so that a start of seconds is seen in seconds;
        # an hour in all, because weights may have to be downloaded.
        "startupProbe": {"httpGet": models, "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 1800},
        "livenessProbe": {"httpGet": health, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3},
        "readinessProbe": {"httpGet": models, "periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 3},
        # while it drains, vLLM refuses new requests and still looks healthy: it must have left the routing before
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(_seconds(spec.rollout.drain_delay))]}}},
        "resources": {"requests": requests, "limits": limits},
        "volumeMounts": [
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108  (a path in the container)
            {"name": "cache", "mountPath": CACHE_PATH},
            *source.mounts,
        ],
    }


def engine_args(spec: PoolSpec, variant: Variant, model: ModelFacts, inputs: Inputs, dialect: Dialect) -> list[str]:
    """The command line behind `vllm serve`: what Lamplight renders, then what the pool adds."""
    source = served_from(model)
    args = [source.argument, f"--port={ENGINE_PORT}", f"--served-model-name={model.served_name}", *source.args]
    args.append(f"--tensor-parallel-size={variant.parallelism.tensor}")
    if variant.parallelism.pipeline > 1:
        args.append(f"--pipeline-parallel-size={variant.parallelism.pipeline}")
    if variant.parallelism.data > 1:
        args.append(f"--data-parallel-size={variant.parallelism.data}")
    if dialect.engine_has_shutdown_timeout:
        args.append(f"--shutdown-timeout={_seconds(spec.rollout.shutdown_timeout)}")
    if dialect.engine_has_custom_buckets:
        buckets = {family: list(inputs.latency_edges) for family in inputs.latency_families}
        args.append(f"--custom-histogram-buckets={json.dumps(buckets, separators=(',', ':'))}")
    return [*args, *dialect.engine_quiet_flags, *spec.engine.args]


def engine_disruption_budget(
    pool: PoolIdentity, spec: PoolSpec, variant: Variant, accelerator: AcceleratorFacts
) -> Manifest:
    """One replica at a time may be evicted; a minimum would block draining the node of a single replica."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": object_meta(
            pool, deployment_name(pool.name, variant.name), engine_labels(pool, spec, variant, accelerator)
        ),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _selector(pool, variant)}},
    }


def engines_service(pool: PoolIdentity, spec: PoolSpec, dialect: Dialect) -> Manifest:
    """The headless Service that names every engine of the pool."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": object_meta(pool, f"{pool.name}-engines", labels_of(pool, COMPONENT_ENGINE)),
        "spec": {
            "clusterIP": "None",
            "selector": {POOL_UID: pool.uid, COMPONENT: COMPONENT_ENGINE},
            "ports": [
                {
                    "name": "http",
                    "port": ENGINE_PORT,
                    "protocol": "TCP",
                    "targetPort": dialect.model_server_port_name,
                }
            ],
        },
    }


def _selector(pool: PoolIdentity, variant: Variant) -> dict[str, str]:
    return {POOL_UID: pool.uid, VARIANT: variant.name, COMPONENT: COMPONENT_ENGINE}


def _any_of(labels: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return {
        "nodeSelectorTerms": [
            {"matchExpressions": [{"key": label, "operator": "In", "values": [value]}]} for label, value in labels
        ]
    }


def _seconds(value: Any) -> int:
    return int(value.total_seconds())


def _quantity(size: int) -> str:
    """A byte size as a Kubernetes quantity (`64Gi`; bare bytes have no suffix there)."""
    return format_bytes(size).removesuffix("B")
