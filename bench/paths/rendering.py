"""How long a pool takes to render: the desired objects of one declaration, as each reconcile makes them."""

from __future__ import annotations

import statistics
import time

from apps.catalog.domain.dialects import dialect
from apps.catalog.domain.latency import latency_grid
from apps.pools.domain.manifests import AcceleratorFacts, Inputs, ModelFacts, PoolIdentity
from apps.pools.domain.paths import render
from apps.pools.domain.spec import PoolSpec

_ROUNDS = 60
_SPEC = {
    "model": "qwen3-32b",
    "cluster": "h100s",
    "namespace": "serving",
    "path": "optimized-baseline",
    "engine": {"image": "vllm/vllm-openai:v0.33.0", "args": ["--max-model-len=16384"]},
    "variants": [
        {"name": "h100", "accelerator": "nvidia-h100", "parallelism": {"tensor": 2}, "replicas": {"min": 2, "max": 8}}
    ],
}


def rendering_ms() -> float:
    """Median milliseconds of rendering a pool of one variant with picker and routes."""
    pool = PoolIdentity("11111111-2222-3333-4444-555555555555", "default", "chat", 3, "serving")
    model = ModelFacts(name="qwen3-32b", source="hf://Qwen/Qwen3-32B", served_name="qwen3-32b", revision="main")
    spec = PoolSpec.from_document(_SPEC)
    families, edges = latency_grid()
    kinds = frozenset({
        "Service.", "ConfigMap.", "ServiceAccount.", "Deployment.apps", "PodDisruptionBudget.policy",
        "InferencePool.inference.networking.k8s.io", "Role.rbac.authorization.k8s.io",
        "RoleBinding.rbac.authorization.k8s.io", "PodMonitor.monitoring.coreos.com",
    })  # fmt: skip
    inputs = Inputs(
        replicas={"h100": 2},
        latency_families=families,
        latency_edges=edges,
        kinds=kinds,
        accelerators={"nvidia-h100": AcceleratorFacts("nvidia-h100", "nvidia", "nvidia.com/gpu")},
    )
    current, times = dialect("current"), []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        render(pool, spec, model, inputs, current)
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1e3
