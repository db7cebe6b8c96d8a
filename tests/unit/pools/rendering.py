"""Inputs that the rendering tests share."""

from __future__ import annotations

from typing import Any

from apps.catalog.domain.latency import latency_grid
from apps.pools.domain.manifests import AcceleratorFacts, Inputs, Manifest, ModelFacts, PoolIdentity
from apps.pools.domain.spec import PoolSpec

POOL = PoolIdentity(
    uid="11111111-2222-3333-4444-555555555555", team="default", name="chat", generation=3, namespace="serving"
)
MODEL = ModelFacts(
    name="llama-3-1-8b", source="hf://meta-llama/Llama-3.1-8B-Instruct", served_name="llama-3.1-8b", revision="main"
)
ACCELERATORS = {
    "nvidia-h200": AcceleratorFacts(
        "nvidia-h200", "nvidia", "nvidia.com/gpu", {"nvidia.com/gpu.product": "NVIDIA-H200"}
    ),
    "cpu": AcceleratorFacts("cpu", "intel", None),
}
CORE = frozenset({"Service.", "ConfigMap.", "ServiceAccount.", "Deployment.apps", "PodDisruptionBudget.policy"})
EXTENSIONS = frozenset({"InferencePool.inference.networking.k8s.io"})
EVERYTHING = (
    CORE
    | EXTENSIONS
    | {
        "HTTPRoute.gateway.networking.k8s.io",
        "PodMonitor.monitoring.coreos.com",
        "Role.rbac.authorization.k8s.io",
        "RoleBinding.rbac.authorization.k8s.io",
    }
)


def spec_of(**changes: Any) -> PoolSpec:
    document = {
        "model": "llama-3-1-8b",
        "cluster": "embedded",
        "namespace": "serving",
        "engine": {
            "image": "vllm/vllm-openai:v0.33.0",
            "args": ["--max-model-len=16384"],
            "env": {"VLLM_LOGGING": "1"},
        },
        "variants": [variant()],
        **changes,
    }
    return PoolSpec.from_document(document)


def variant(**changes: Any) -> dict[str, Any]:
    return {"name": "h200", "accelerator": "nvidia-h200", "replicas": {"min": 2, "max": 4}, **changes}


def inputs_of(spec: PoolSpec, kinds: frozenset[str] = CORE | EXTENSIONS, **replicas: int) -> Inputs:
    families, edges = latency_grid()
    return Inputs(
        replicas={v.name: replicas.get(v.name, v.replicas.min) for v in spec.variants},
        accelerators=ACCELERATORS,
        latency_edges=edges,
        latency_families=families,
        kinds=kinds,
    )


def by_name(objects: tuple[Manifest, ...]) -> dict[str, Manifest]:
    return {f"{o['kind']}/{o['metadata']['name']}": o for o in objects}
