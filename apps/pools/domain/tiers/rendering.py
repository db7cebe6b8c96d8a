"""What a tier plan adds to a pool's engines: connectors, memory, volumes, environment, in both llm-d releases.

Sources: the tiered prefix cache guides of llm-d (0.5 and current) and vLLM's offloading specs. Host memory is a mapped
file in /dev/shm that all ranks of a pod share, so the pod's memory and the size of /dev/shm grow by the tier.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from apps.catalog.domain.vllm import tier_keys
from apps.core.domain.units import format_bytes
from apps.pools.domain.context import Context
from apps.pools.domain.engines import engine_image, engine_version
from apps.pools.domain.manifests import Inputs, Manifest, labels_of, object_meta
from apps.pools.domain.parts import NOTHING, EngineParts
from apps.pools.domain.spec import Variant
from apps.pools.domain.tiers.evicting import evictor_objects
from apps.pools.domain.tiers.folders import STORE_PATH, mounted, store_folder
from apps.pools.domain.tiers.plan import Tier, TierPlan
from apps.pools.domain.tiers.refused import refuse

GIB = 2**30
COMPONENT_STORE = "kv-store"
# what storage without a host tier is staged through
STAGING_BYTES = 8 * GIB
DEFAULT_BLOCK = 16
READ_THREADS = WRITE_THREADS = 16
P2P_PORT = 5710
# the backend of llm-d 0.5 is a wheel that its image does not have
LEGACY_WHEEL = "llmd-fs-connector==0.1.0"
LEGACY_PATH = "/opt/kv-backend"


def engine_parts(context: Context, variant: Variant, args: Sequence[str] = ()) -> EngineParts:
    """What the plan adds to every engine of a variant; nothing where it has no tiers. `args`: options that others than
    the pool's own engine.args put on the engine's command line. Raises PlanRefused for what the engines cannot do."""
    plan, spec = context.inputs.tiers, context.spec
    if not plan.tiers:
        return NOTHING
    args = (*args, *spec.engine.args)
    refuse(plan, spec, variant, context.inputs, context.dialect, args)
    block = block_size(args)
    # the store's owner goes by what engines say that they use
    heard = EngineParts(kv_events=plan.tier("filesystem") is not None)
    return heard + _connected(context, variant, plan, block)


def _connected(context: Context, variant: Variant, plan: TierPlan, block: int) -> EngineParts:
    if plan.connector == "lmcache":
        return _lmcache(plan, variant, block)
    if context.dialect.engine_has_shutdown_timeout:
        return _native(context, variant, plan, block)
    return _legacy(context, variant, plan, block)


def objects(context: Context) -> tuple[Manifest, ...]:
    """What stands beside the engines: claims that are made, and the evictor of the pool's folder on a volume."""
    evictor = evictor_objects(context) if context.inputs.tiers.tier("filesystem") is not None else ()
    return (*claims(context), *evictor)


def claims(context: Context) -> tuple[Manifest, ...]:
    """The claim of a declared filesystem tier that has a size: there before the tier is, so that it can be measured,
    and as long as it is declared, so that turning offload off for a while loses nothing."""
    tier = context.spec.offload.tier("filesystem")
    if tier is None or tier.size is None or tier.claim is None:
        return ()
    storage = {"storageClassName": tier.storage_class} if tier.storage_class else {}
    return (
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": object_meta(context.pool, tier.claim, labels_of(context.pool, COMPONENT_STORE)),
            "spec": {
                "accessModes": ["ReadWriteMany"],
                **storage,
                "resources": {"requests": {"storage": format_bytes(tier.size).removesuffix("B")}},
            },
        },
    )


def host_bytes(inputs: Inputs) -> int:
    """Host memory that each engine keeps KV blocks in, 0 without: what the picker's cpu-prefix capacity follows."""
    plan = inputs.tiers.everywhere
    host = plan.tier("host")
    return host.bytes if host is not None else 0


def block_size(args: Sequence[str]) -> int:
    """Tokens of the engine's KV block, by its command line."""
    text = " ".join(args)
    found = re.findall(r"--block[-_]size[= ](\d+)", text)
    return int(found[-1]) if found else DEFAULT_BLOCK


def chunk_tokens(plan: TierPlan, block: int) -> int:
    """The plan's chunk as whole blocks."""
    return max(1, -(-plan.chunk_tokens // block)) * block


def _native(context: Context, variant: Variant, plan: TierPlan, block: int) -> EngineParts:
    host = plan.tier("host")
    memory = host.bytes if host is not None else STAGING_BYTES
    extra: dict[str, Any] = {
        "cpu_bytes_to_use": memory,
        "block_size": chunk_tokens(plan, block),
        "eviction_policy": "lru",
        "offload_prompt_only": plan.prompt_only,
    }
    secondary = [tier for tier in plan.tiers if tier.kind != "host"]
    parts = NOTHING
    if secondary:
        extra["spec_name"] = "TieringOffloadingSpec"
        folder = store_folder(context, variant)
        accelerator = context.inputs.accelerators[variant.accelerator]
        version = engine_version(context.spec, variant, accelerator, context.dialect)
        extra["secondary_tiers"] = [_taken(_secondary(tier, plan, folder), version) for tier in secondary]
        for tier in secondary:
            parts += _reached(tier)
    return parts + EngineParts(connectors=(_connector("OffloadingConnector", extra),)) + _in_memory(memory, variant)


def _taken(tier: dict[str, Any], version: str) -> dict[str, Any]:
    """Without what the engine's version does not know: there a tier that is told too much ends the engine."""
    known = tier_keys(version, tier["type"])
    return {name: value for name, value in tier.items() if name in known}


def _secondary(tier: Tier, plan: TierPlan, folder: str) -> dict[str, Any]:
    events = {"enable_kv_events": True} if plan.events else {}
    match tier.kind:
        case "filesystem":
            return {
                "type": "fs",
                "root_dir": f"{STORE_PATH}/{folder}",
                "n_read_threads": READ_THREADS,
                "n_write_threads": WRITE_THREADS,
                "locality": "REMOTE",
                "enable_kv_events": True,
            }
        case "object":
            assert tier.endpoint is not None
            config = {
                "bucket": tier.bucket,
                "endpoint_override": tier.endpoint,
                "scheme": tier.endpoint.partition("://")[0],
            }
            return {"type": "obj", "store_config": config, "prefix": folder, "locality": "REMOTE", **events}
    return {"type": "p2p", "port": P2P_PORT}


def _reached(tier: Tier) -> EngineParts:
    """Volume, credentials or address of a secondary tier."""
    match tier.kind:
        case "filesystem":
            return mounted(tier)
        case "object" if tier.secret is not None:
            # names and not values: a key on the command line can be read by everybody who sees the pod
            return EngineParts(
                env=tuple(
                    {"name": name, "valueFrom": {"secretKeyRef": {"name": tier.secret, "key": name}}}
                    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
                )
            )
        case "peer":
            return EngineParts(
                env=(
                    {
                        "name": "VLLM_P2P_SIDE_CHANNEL_HOST",
                        "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}},
                    },
                ),
                ports=({"name": "kv-p2p", "containerPort": P2P_PORT, "protocol": "TCP"},),
            )
    return NOTHING


def _legacy(context: Context, variant: Variant, plan: TierPlan, block: int) -> EngineParts:
    """llm-d 0.5 with its vLLM 0.14: the filesystem is a backend of its own."""
    host, disk = plan.tier("host"), plan.tier("filesystem")
    chunk = chunk_tokens(plan, block)
    if host is not None:
        # the guide's num_cpu_blocks is of vLLM 0.13: 0.14 wants bytes, and does not start without them
        sized = {"cpu_bytes_to_use": host.bytes, "block_size": chunk}
        return EngineParts(connectors=(_connector("OffloadingConnector", sized),)) + _in_memory(host.bytes, variant)
    assert disk is not None
    extra = {
        "spec_name": "SharedStorageOffloadingSpec",
        "spec_module_path": "llmd_fs_backend.spec",
        "shared_storage_path": f"{STORE_PATH}/{store_folder(context, variant)}/",
        "block_size": chunk,
        "threads_per_gpu": 64,
        "max_staging_memory_gb": STAGING_BYTES // GIB,
    }
    backend = {"name": "kv-backend", "mountPath": LEGACY_PATH}
    install = {
        "name": "kv-backend",
        "image": engine_image(context.spec, variant, context.inputs.accelerators[variant.accelerator], context.dialect),
        "command": ["pip", "install", "--no-deps", "--target", LEGACY_PATH, LEGACY_WHEEL],
        "volumeMounts": [backend],
    }
    return (
        EngineParts(
            connectors=(_connector("OffloadingConnector", extra),),
            env=({"name": "PYTHONPATH", "value": LEGACY_PATH},),
            volumes=({"name": "kv-backend", "emptyDir": {}},),
            mounts=(backend,),
            init_containers=(install,),
            memory=STAGING_BYTES // variant.group_size,
        )
        + mounted(disk)
    )  # fmt: skip


def _lmcache(plan: TierPlan, variant: Variant, block: int) -> EngineParts:
    host = plan.tier("host")
    assert host is not None
    values = {
        "LMCACHE_LOCAL_CPU": "True",
        "LMCACHE_MAX_LOCAL_CPU_SIZE": f"{host.bytes / GIB:g}",
        "LMCACHE_CHUNK_SIZE": str(chunk_tokens(plan, block)),
        "LMCACHE_SAVE_DECODE_CACHE": str(not plan.prompt_only),
    }
    return EngineParts(
        connectors=(_connector("LMCacheConnectorV1", {}),),
        env=tuple({"name": name, "value": value} for name, value in values.items()),
        memory=host.bytes // variant.group_size,
    )


def _connector(name: str, extra: dict[str, Any]) -> dict[str, Any]:
    return {
        "kv_connector": name,
        "kv_role": "kv_both",
        # a tier that fails costs a recomputation, not the request
        "kv_load_failure_policy": "recompute",
        **({"kv_connector_extra_config": extra} if extra else {}),
    }


def _in_memory(size: int, variant: Variant) -> EngineParts:
    each = size // variant.group_size
    return EngineParts(memory=each, shared_memory=each)
