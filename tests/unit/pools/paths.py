"""One pool of every well-lit path, and what options and accelerators change of it."""

from __future__ import annotations

import dataclasses
from typing import Any

from apps.catalog.domain.model import Shape
from apps.pools import selectors
from apps.pools.domain.manifests import AdapterFacts, Inputs, ModelFacts
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.tiers.plan import plan_of
from tests.unit.pools.rendering import EVERYTHING, MODEL, inputs_of, variant

KINDS = EVERYTHING | {
    "Job.batch",
    "PersistentVolumeClaim.",
    "LeaderWorkerSet.leaderworkerset.x-k8s.io",
    "InferenceObjective.llm-d.ai",
    "InferenceModelRewrite.llm-d.ai",
    "InferenceObjective.inference.networking.x-k8s.io",
    "InferenceModelRewrite.inference.networking.x-k8s.io",
    "ResourceClaimTemplate.resource.k8s.io",
}
LLAMA = dataclasses.replace(MODEL, shape=Shape(layers=32, kv_heads=8, head_dim=128, heads=32, parameters=8_030_000_000))
EXPERTS = ModelFacts(
    name="moe",
    source="hf://example/moe-64x1b",
    served_name="moe",
    revision="main",
    shape=Shape(layers=32, kv_heads=8, head_dim=128, heads=32, parameters=30_000_000_000, experts=64),
)
ADAPTED = (AdapterFacts("sql", "hf://example/sql-lora", 16), AdapterFacts("law", "pvc://adapters/law", 8))
HOST_TIER = {"mode": "fixed", "tiers": [{"kind": "host", "bytes": "64Gi"}]}


def path_document(path: str, accelerator: str = "nvidia-h200", **changes: Any) -> dict[str, Any]:
    """The spec of a pool on a path, as people write it."""
    tensor = {"google-tpu-v5e": 4, "google-tpu-v7x": 4}.get(accelerator, 1)
    one = variant(accelerator=accelerator, parallelism={"tensor": tensor})
    document: dict[str, Any] = {
        "model": "llama-3-1-8b",
        "cluster": "embedded",
        "namespace": "serving",
        "path": path,
        "engine": {"args": ["--max-model-len=16384"]},
        "variants": [one],
        "routing": {},
    }
    match path:
        case "pd-disaggregation":
            document["variants"] = [
                {**one, "name": "prefill", "role": "prefill", "replicas": {"min": 4, "max": 8}},
                {**one, "name": "decode", "role": "decode", "replicas": {"min": 1, "max": 2}},
            ]
            document["routing"]["disaggregation"] = {
                "connector": "tpu" if accelerator.startswith("google") else "nixl",
                "decider": {"nonCachedTokens": 1024},
            }
        case "wide-ep":
            wide = {"parallelism": {"tensor": 1, "data": 8}, "groupSize": 2, "replicas": {"min": 1, "max": 2}}
            document["model"] = "moe"
            document["variants"] = [
                {**one, **wide, "name": "prefill", "role": "prefill"},
                {**one, **wide, "name": "decode", "role": "decode"},
            ]
            nvidia = accelerator.startswith("nvidia")
            document["routing"] = {
                "disaggregation": {"connector": "tpu" if accelerator.startswith("google") else "nixl"},
                "expertParallel": {"backend": "auto" if nvidia else "allgather_reducescatter"},
            }
        case "tiered-prefix-cache":
            document["offload"] = HOST_TIER
        case "flow-control":
            document["routing"]["flowControl"] = {
                "bands": [{"name": "premium", "priority": 100}, {"name": "batch", "priority": -10}]
            }
        case "scale-to-zero":
            document["variants"] = [{**one, "replicas": {"min": 0, "max": 2}}]
            document["autoscaling"] = {"mode": "active", "idle": "zero"}
    return merged(document, changes)


def merged(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A document with changes: objects are merged, everything else is replaced."""
    result = dict(document)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def model_of(spec: PoolSpec) -> ModelFacts:
    model = EXPERTS if spec.model == "moe" else LLAMA
    return dataclasses.replace(model, adapters=ADAPTED) if spec.adapters is not None else model


def inputs_for(spec: PoolSpec, kinds: frozenset[str] = KINDS, **more: Any) -> Inputs:
    return dataclasses.replace(
        inputs_of(spec, kinds), accelerators=selectors.accelerators(), tiers=plan_of(spec.offload, None), **more
    )
