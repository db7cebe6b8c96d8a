"""Weights are kept on a volume that all replicas share, and fetched into it before the first of them starts."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from apps.core.domain.units import format_bytes
from apps.pools.domain.context import Context
from apps.pools.domain.engines import CACHE_PATH, engine_image
from apps.pools.domain.invariants import Invariant, Question
from apps.pools.domain.manifests import Manifest, labels_of, object_meta
from apps.pools.domain.options.option import Option
from apps.pools.domain.parts import EngineParts
from apps.pools.domain.sources import hub_token
from apps.pools.domain.spec import Variant

COMPONENT_WEIGHTS = "weights"
HUB_PATH = f"{CACHE_PATH}/huggingface"
# a fetch that fails is tried again by the Job; afterwards a person must look
TRIES = 4
LONGEST_SECONDS = 4 * 3600


def claim_name(pool: str) -> str:
    return f"{pool}-weights"


def _claim(context: Context) -> str:
    cache = context.spec.model_cache
    assert cache is not None
    return cache.claim or claim_name(context.pool.name)


def _parts(context: Context, variant: Variant) -> EngineParts:
    return EngineParts(
        volumes=({"name": "weights-cache", "persistentVolumeClaim": {"claimName": _claim(context)}},),
        mounts=({"name": "weights-cache", "mountPath": HUB_PATH},),
        # what was fetched is what is served: a start neither depends on a hub that may be away, nor follows a branch
        env=({"name": "HF_HUB_OFFLINE", "value": "1"},) if _prefetches(context) else (),
    )


def _prefetches(context: Context) -> bool:
    cache = context.spec.model_cache
    return cache is not None and cache.prefetch and context.inputs.has("Job", "batch")


def _objects(context: Context) -> tuple[Manifest, ...]:
    cache = context.spec.model_cache
    assert cache is not None
    made: list[Manifest] = []
    pool = context.pool
    if cache.size is not None:
        storage = {"storageClassName": cache.storage_class} if cache.storage_class else {}
        made.append(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": object_meta(pool, claim_name(pool.name), labels_of(pool, COMPONENT_WEIGHTS)),
                "spec": {
                    "accessModes": ["ReadWriteMany"],
                    **storage,
                    "resources": {"requests": {"storage": format_bytes(cache.size).removesuffix("B")}},
                },
            }
        )
    if _prefetches(context):
        made.append(_prefetch(context))
    return tuple(made)


def prefetch_name(pool: str, container: Mapping[str, Any], claim: str) -> str:
    """A Job cannot be changed: other weights, or another image that fetches them, are another Job."""
    text = json.dumps([container, claim], sort_keys=True)
    return f"{pool}-weights-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _prefetch(context: Context) -> Manifest:
    pool, model, variant = context.pool, context.model, context.spec.variants[0]
    revision = model.revision or "main"
    labels = labels_of(pool, COMPONENT_WEIGHTS)
    wanted = [model.source, *(a.source for a in model.adapters if context.spec.adapters is not None)]
    repositories = [source.removeprefix("hf://") for source in wanted if source.startswith("hf://")]
    container: dict[str, Any] = {
        "name": "fetch",
        "image": engine_image(context.spec, variant, context.inputs.accelerators[variant.accelerator], context.dialect),
        "command": ["python3", "-c", _script()],
        "args": [revision, *repositories],
        "env": [
            {"name": "HF_HOME", "value": HUB_PATH},
            hub_token(model),
            *_kept(context),
        ],
        "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "8Gi"}},
        "volumeMounts": [{"name": "weights-cache", "mountPath": HUB_PATH}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": object_meta(pool, prefetch_name(pool.name, container, _claim(context)), labels),
        "spec": {
            "backoffLimit": TRIES,
            "activeDeadlineSeconds": LONGEST_SECONDS,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "automountServiceAccountToken": False,
                    "restartPolicy": "Never",
                    "containers": [container],
                    "volumes": [{"name": "weights-cache", "persistentVolumeClaim": {"claimName": _claim(context)}}],
                },
            },
        },
    }


def _kept(context: Context) -> list[dict[str, Any]]:
    """What the Job is told of eviction: for whom it remembers what it fetched, and how many fetches stay."""
    cache = context.spec.model_cache
    if cache is None or cache.keep is None:
        return []
    return [
        {"name": "LAMPLIGHT_POOL", "value": context.pool.uid},
        {"name": "LAMPLIGHT_KEEP", "value": str(cache.keep)},
    ]


@functools.cache
def _script() -> str:
    return resources.files("apps.pools").joinpath("data", "fetch_weights.py").read_text(encoding="utf-8")


def _from_hub(q: Question) -> str | None:
    if q.spec.model_cache is None or q.model is None or q.model.source.startswith("hf://"):
        return None
    return (
        f"modelCache keeps what is fetched from Hugging Face, and {q.model.name} is at {q.model.source}, "
        "from where engines read them directly: leave modelCache out"
    )


OPTION = Option(
    name="model-cache",
    title="Model cache",
    about="Weights are fetched once, into a volume that all replicas share, before the first of them starts.",
    on=lambda spec: spec.model_cache is not None,
    invariants=(Invariant("NothingToCache", "The weights are fetched from somewhere.", _from_hub, "/spec/modelCache"),),
    parts=_parts,
    objects=_objects,
)
