"""Where a pool keeps chunks on a shared volume, so that nothing else is ever read in their place."""

from __future__ import annotations

import hashlib
import json
import re

from apps.pools.domain.context import Context
from apps.pools.domain.engines import engine_image
from apps.pools.domain.manifests import ModelFacts, PoolIdentity
from apps.pools.domain.parts import EngineParts
from apps.pools.domain.spec import PoolSpec, Variant
from apps.pools.domain.tiers.plan import Tier

STORE_PATH = "/mnt/kv-store"
STORE_VOLUME = "kv-store"
_COMMIT = re.compile(r"^[0-9a-f]{40}$")


def fingerprint(context: Context, variant: Variant) -> str:
    """12 digits that change with the weights, the engine and the accelerator.

    vLLM's folder names say which model by its name alone: other weights under that name, or KV of another engine or
    accelerator laid out differently, would be read as if they were right, and nothing would notice.
    """
    accelerator = context.inputs.accelerators[variant.accelerator]
    types = ("--kv-cache-dtype", "--dtype", "--quantization")
    what = {
        "source": context.model.source,
        "revision": context.model.revision,
        "image": engine_image(context.spec, variant, accelerator, context.dialect),
        "accelerator": variant.accelerator,
        "types": [arg for arg in context.spec.engine.args if arg.startswith(types)],
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]


def weights_may_move(spec: PoolSpec, model: ModelFacts | None) -> str:
    """Why the folder of chunks could outlive the weights that made them: it is named by the declared source and
    revision, and these do not say which bytes they are. "" where they do, or nothing is kept beyond an engine."""
    kept = sorted({tier.kind for tier in spec.offload.tiers if tier.kind in ("filesystem", "object")})
    if spec.offload.mode in ("off", "advisory") or not kept or model is None:
        return ""
    scheme, revision = model.source.partition("://")[0], model.revision
    if scheme == "hf" and revision is not None and _COMMIT.match(revision):
        return ""
    if "@sha256:" in model.source:
        return ""
    named = f"{model.source} at {revision or 'main'}" if scheme == "hf" else model.source
    mend = (
        "name a commit as the Model's revision"
        if scheme == "hf"
        else "name it by its digest"
        if scheme == "oci"
        else "put other weights under another path"
    )
    return (
        f"KV chunks that outlive engines (tier {', '.join(kept)}) are kept apart by the weights' name, {named}, and "
        "other weights can come under that name: chunks of the old ones would be loaded for them, unnoticed. Best "
        f"{mend}"
    )


def pool_folder(pool: PoolIdentity) -> str:
    """The pool's own folder on the volume, which its quota counts."""
    return f"{pool.name}-{hashlib.sha256(pool.uid.encode()).hexdigest()[:8]}"


def store_folder(context: Context, variant: Variant) -> str:
    """Where engines of a variant keep their chunks, from the volume's root."""
    return f"{pool_folder(context.pool)}/{fingerprint(context, variant)}"


def mounted(tier: Tier) -> EngineParts:
    """The volume of a filesystem tier, in a pod."""
    return EngineParts(
        volumes=({"name": STORE_VOLUME, "persistentVolumeClaim": {"claimName": tier.claim}},),
        mounts=({"name": STORE_VOLUME, "mountPath": STORE_PATH},),
    )
