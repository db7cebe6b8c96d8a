"""The vLLM Deployment of one variant, its PodDisruptionBudget, and the headless Service of all engines of a pool.

Probes, shutdown order and volumes follow the model-server recipes of llm-d; the numbers that differ say why.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from apps.catalog.domain.dialects import Dialect
from apps.catalog.domain.vllm import flags, version_of_image
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
from apps.pools.domain.parts import EVENT_PORTS, NOTHING, EngineParts, event_args, transfer_args
from apps.pools.domain.sources import served_from
from apps.pools.domain.spec import DEFAULT_IMAGE, PoolSpec, Variant

ENGINE_PORT = 8000
COMPONENT_ENGINE = "engine"
# equal on every engine and wherever blocks are hashed: equal tokens must give equal hashes
HASH_SEED = "42"
# after SIGTERM and the drain an engine still needs about 8 s to go; a margin above it
TEARDOWN_SECONDS = 15
CACHE_PATH = "/var/cache/engine"
SHARED_MEMORY = 20 * 2**30
CLAIM = "accelerators"
TPU_TOPOLOGY = "cloud.google.com/gke-tpu-topology"

CUSTOM_BUCKETS = "--custom-histogram-buckets"
# what an engine is taken for whose image does not say its version
NEWEST_ENGINE = "99.0"
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
    queue = {"kueue.x-k8s.io/queue-name": variant.queue} if variant.queue else {}
    return {
        **labels_of(pool, COMPONENT_ENGINE, variant.name),
        **queue,
        "llm-d.ai/inference-serving": "true",
        "llm-d.ai/guide": spec.path,
        "llm-d.ai/model": spec.model,
        "llm-d.ai/role": variant.role,
        "llm-d.ai/variant": variant.name,
        "llm-d.ai/accelerator-variant": accelerator.variant if accelerator.resource else "cpu",
        "llm-d.ai/accelerator-vendor": accelerator.vendor,
    }


def deployment_name(pool: str, variant: str) -> str:
    return f"{pool}-{variant}"


def engine_deployment(
    pool: PoolIdentity,
    spec: PoolSpec,
    variant: Variant,
    model: ModelFacts,
    inputs: Inputs,
    dialect: Dialect,
    parts: EngineParts = NOTHING,
) -> Manifest:
    """The Deployment of one variant; `spec.replicas` is the initial count and is left out of later applies."""
    labels = engine_labels(pool, spec, variant, _accelerator(variant, inputs))
    surge, unavailable = inputs.strategies.get(variant.name) or spec.rollout.first_strategy
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": object_meta(pool, deployment_name(pool.name, variant.name), labels),
        "spec": {
            "replicas": inputs.replicas[variant.name],
            "selector": {"matchLabels": engine_selector(pool, variant)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
            },
            "progressDeadlineSeconds": seconds(spec.rollout.progress_deadline),
            **({"paused": True} if inputs.paused else {}),
            "template": engine_template(pool, spec, variant, model, inputs, dialect, parts),
        },
    }


def engine_template(
    pool: PoolIdentity,
    spec: PoolSpec,
    variant: Variant,
    model: ModelFacts,
    inputs: Inputs,
    dialect: Dialect,
    parts: EngineParts,
) -> dict[str, Any]:
    """The pod template of one variant: what a Deployment or a LeaderWorkerSet makes pods of."""
    accelerator = _accelerator(variant, inputs)
    grace = seconds(spec.rollout.drain_delay) + seconds(spec.rollout.shutdown_timeout) + TEARDOWN_SECONDS
    source = served_from(model)
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace,
        **({"initContainers": [dict(one) for one in parts.init_containers]} if parts.init_containers else {}),
        "containers": [_container(spec, variant, model, inputs, dialect, accelerator, parts)],
        "volumes": [
            # NCCL and vLLM's processes talk through shared memory; the container default of 64 MiB is too small
            {
                "name": "shm",
                "emptyDir": {"medium": "Memory", "sizeLimit": quantity(SHARED_MEMORY + parts.shared_memory)},
            },
            {"name": "cache", "emptyDir": {}},
            *source.volumes,
            *(dict(volume) for volume in parts.volumes),
        ],
    }
    claims = [(CLAIM, deployment_name(pool.name, variant.name))] if variant.devices == "claim" else []
    claims += parts.claims
    if claims:
        pod["resourceClaims"] = [{"name": name, "resourceClaimTemplateName": template} for name, template in claims]
    if accelerator.node_selector:
        topology = accelerator.topologies.get(str(variant.accelerators_per_pod))
        shape = {TPU_TOPOLOGY: topology} if topology else {}
        pod["nodeSelector"] = {**accelerator.node_selector, **shape}
    affinity: dict[str, Any] = {}
    marks = capacity_labels(variant.capacity_type)
    if marks:
        affinity["nodeAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": _any_of(marks)}
    if parts.affinity:
        near = [dict(term) for term in parts.affinity]
        affinity["podAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": near}
    if affinity:
        pod["affinity"] = affinity
    taints = [accelerator.resource, *accelerator.taints] if accelerator.resource else list(accelerator.taints)
    if taints:
        pod["tolerations"] = [{"key": taint, "operator": "Exists", "effect": "NoSchedule"} for taint in taints]
    metadata: dict[str, Any] = {"labels": engine_labels(pool, spec, variant, accelerator)}
    if parts.annotations:
        metadata["annotations"] = dict(parts.annotations)
    return {"metadata": metadata, "spec": pod}


def _accelerator(variant: Variant, inputs: Inputs) -> AcceleratorFacts:
    accelerator = inputs.accelerators.get(variant.accelerator)
    if accelerator is None:
        raise PlanRefused(
            "UnknownAccelerator", f"variant {variant.name}: {variant.accelerator} is not an accelerator we know"
        )
    return accelerator


def _container(
    spec: PoolSpec,
    variant: Variant,
    model: ModelFacts,
    inputs: Inputs,
    dialect: Dialect,
    accelerator: AcceleratorFacts,
    parts: EngineParts,
) -> dict[str, Any]:
    source = served_from(model)
    memory = quantity(variant.resources.memory + parts.memory)
    requests: dict[str, Any] = {"cpu": variant.resources.cpu, "memory": memory}
    limits: dict[str, Any] = {"memory": memory}
    if accelerator.resource and variant.devices != "claim":
        requests[accelerator.resource] = limits[accelerator.resource] = str(variant.accelerators_per_pod)
    for resource in parts.resources:
        requests[resource] = limits[resource] = "1"
    names = [*([CLAIM] if variant.devices == "claim" else []), *(name for name, _ in parts.claims)]
    claims = {"claims": [{"name": name} for name in names]} if names else {}
    # behind a routing sidecar the engine has a port of its own, and probes ask the engine, not the sidecar
    port_name = dialect.model_server_port_name if parts.port is None else "engine"
    models = {"path": "/v1/models", "port": port_name}
    health = {"path": "/health", "port": port_name}
    ports = [{"name": port_name, "containerPort": parts.port or ENGINE_PORT, "protocol": "TCP"}, *parts.ports]
    started = models
    if parts.supervisor is not None:
        ports.append({"name": "supervisor", "containerPort": parts.supervisor, "protocol": "TCP"})
        started = health = {"path": "/health", "port": "supervisor"}
        models = {"path": "/readyz", "port": "supervisor"}
    return {
        "name": "vllm",
        "image": engine_image(spec, variant, accelerator, dialect),
        **_command(engine_args(spec, variant, model, inputs, dialect, parts), parts.first_rank),
        "env": _last_of_each(
            [
                {"name": "PYTHONHASHSEED", "value": HASH_SEED},
                {"name": "HF_HOME", "value": f"{CACHE_PATH}/huggingface"},
                {"name": "VLLM_CACHE_ROOT", "value": f"{CACHE_PATH}/vllm"},
                {"name": "TRITON_CACHE_DIR", "value": f"{CACHE_PATH}/triton"},
                {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                *source.env,
                *({"name": name, "value": value} for name, value in sorted(accelerator.env.items())),
                *(dict(variable) for variable in parts.env),
                *({"name": name, "value": value} for name, value in sorted(spec.engine.env.items())),
            ]
        ),
        "ports": [dict(port) for port in (*ports, *(EVENT_PORTS if parts.kv_events else ()))],
        # /v1/models answers once the model is loaded. Asked often, so that a start of seconds is seen in seconds;
        # an hour in all, because weights may have to be downloaded.
        "startupProbe": {"httpGet": started, "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 1800},
        "livenessProbe": {"httpGet": health, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3},
        "readinessProbe": {"httpGet": models, "periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 3},
        # while it drains, vLLM refuses new requests and still looks healthy: it must have left the routing before
        "lifecycle": {
            **_swept(parts),
            "preStop": {"exec": {"command": ["sleep", str(seconds(spec.rollout.drain_delay))]}},
        },
        "resources": {"requests": requests, "limits": limits, **claims},
        **(
            {"securityContext": {"capabilities": {"add": sorted(set(parts.capabilities))}}}
            if parts.capabilities
            else {}
        ),
        "volumeMounts": [
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108  (a path in the container)
            {"name": "cache", "mountPath": CACHE_PATH},
            *source.mounts,
            *(dict(mount) for mount in parts.mounts),
        ],
    }


def engine_args(
    spec: PoolSpec,
    variant: Variant,
    model: ModelFacts,
    inputs: Inputs,
    dialect: Dialect,
    parts: EngineParts = NOTHING,
) -> list[str]:
    """The command line behind `vllm serve`: what Lamplight renders, then what the pool adds."""
    source = served_from(model)
    port = parts.port or ENGINE_PORT
    args = [source.argument, f"--port={port}", f"--served-model-name={model.served_name}", *source.args]
    args.append(f"--tensor-parallel-size={variant.parallelism.tensor}")
    if variant.parallelism.pipeline > 1:
        args.append(f"--pipeline-parallel-size={variant.parallelism.pipeline}")
    if variant.parallelism.data > 1 and not parts.own_data_parallelism:
        args.append(f"--data-parallel-size={variant.parallelism.data}")
    if dialect.engine_has_shutdown_timeout:
        args.append(f"--shutdown-timeout={seconds(spec.rollout.shutdown_timeout)}")
    version = engine_version(spec, variant, _accelerator(variant, inputs), dialect)
    if dialect.engine_has_custom_buckets and CUSTOM_BUCKETS in flags(version):
        args.append(_buckets(tuple(inputs.latency_families), tuple(inputs.latency_edges)))
    if parts.kv_events:
        args += event_args(model.served_name, topic_has_port=dialect.kv_topic_has_port, port=ENGINE_PORT)
    args += [*transfer_args(parts.connectors), *parts.args]
    # what the guides set for the accelerator gives way to what the path or the pool says
    said = {flag_of(word) for word in (*args, *spec.engine.args)}
    usual = [word for word in _accelerator(variant, inputs).args if flag_of(word) not in said]
    return [*args, *usual, *dialect.engine_quiet_flags, *spec.engine.args]


@functools.lru_cache(maxsize=16)
def _buckets(families: tuple[str, ...], edges: tuple[float, ...]) -> str:
    """The same for all pools: thousands of characters."""
    buckets = {family: list(edges) for family in families}
    return f"{CUSTOM_BUCKETS}={json.dumps(buckets, separators=(',', ':'))}"


def flag_of(word: str) -> str:
    """The flag of a word of a command line, as vLLM reads it: `--max_model_len=1` is `--max-model-len`."""
    return word.partition("=")[0].replace("_", "-")


def given(args: Sequence[str], flag: str) -> str | None:
    """The value of a flag among arguments (`--flag=value` or `--flag value`), "" for a switch, None when absent."""
    for i, word in enumerate(args):
        if flag_of(word) == flag:
            _, equals, value = word.partition("=")
            follows = args[i + 1] if i + 1 < len(args) and not args[i + 1].startswith("-") else ""
            return value if equals else follows
    return None


def _swept(parts: EngineParts) -> dict[str, Any]:
    """Shared memory outlives a container that crashed, and with it the mapped file of its host tier and what ranks talk
    through: what is older than this container's first process is taken away, or memory runs out at the second crash."""
    names = ["vllm_offload_*"] if parts.shared_memory else []
    names += ["nccl-*", "nvshmem*", "psm_*"] if parts.first_rank is not None else []
    if not names:
        return {}
    either = " -o ".join(f"-name '{name}'" for name in names)
    grouped = f"\\( {either} \\)" if len(names) > 1 else either
    sweep = f"find /dev/shm -maxdepth 1 {grouped} ! -newer /proc/1 -delete || true"
    return {"postStart": {"exec": {"command": ["sh", "-c", sweep]}}}


def engine_image(spec: PoolSpec, variant: Variant, accelerator: AcceleratorFacts, dialect: Dialect) -> str:
    """The image of a variant's engines: its own, the pool's, or where nobody chose one, the build of the release for
    the accelerator's family."""
    if variant.image is not None:
        return variant.image
    chosen = spec.engine.image != DEFAULT_IMAGE
    if chosen or (accelerator.family in ("nvidia", "cpu") and dialect.name == "current"):
        return spec.engine.image
    return dialect.engine_images.get(accelerator.family, spec.engine.image)


def engine_version(spec: PoolSpec, variant: Variant, accelerator: AcceleratorFacts, dialect: Dialect) -> str:
    """vLLM's version in a variant's image; the newest where the image's tag does not say it."""
    return version_of_image(engine_image(spec, variant, accelerator, dialect)) or NEWEST_ENGINE


def device_claims(pool: PoolIdentity, spec: PoolSpec, variant: Variant, accelerator: AcceleratorFacts) -> Manifest:
    """The template of the claim by which each pod of a variant asks for its accelerators."""
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": object_meta(
            pool, deployment_name(pool.name, variant.name), engine_labels(pool, spec, variant, accelerator)
        ),
        "spec": {
            "spec": {
                "devices": {
                    "requests": [
                        {
                            "name": "accelerators",
                            "exactly": {
                                "deviceClassName": accelerator.device_class,
                                "allocationMode": "ExactCount",
                                "count": variant.accelerators_per_pod,
                            },
                        }
                    ]
                }
            }
        },
    }


def _command(args: list[str], first_rank: str | None) -> dict[str, Any]:
    """What the container runs. A first rank is computed by a shell: Kubernetes replaces variables and cannot count."""
    if first_rank is None:
        return {"command": ["vllm", "serve"], "args": args}
    script = f'exec vllm serve "$@" --data-parallel-start-rank={first_rank}'
    return {"command": ["/bin/sh", "-c", script, "vllm"], "args": args}


def _last_of_each(env: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Variables by name, each as the last one has it: the API server refuses two of a name when it merges them."""
    by_name = {variable["name"]: variable for variable in env}
    return list(by_name.values())


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
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": engine_selector(pool, variant)}},
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


def engine_selector(pool: PoolIdentity, variant: Variant) -> dict[str, str]:
    return {POOL_UID: pool.uid, VARIANT: variant.name, COMPONENT: COMPONENT_ENGINE}


def _any_of(labels: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return {
        "nodeSelectorTerms": [
            {"matchExpressions": [{"key": label, "operator": "In", "values": [value]}]} for label, value in labels
        ]
    }


def seconds(value: Any) -> int:
    return int(value.total_seconds())


def quantity(size: int) -> str:
    """A byte size as a Kubernetes quantity (`64Gi`; bare bytes have no suffix there)."""
    return format_bytes(size).removesuffix("B")
