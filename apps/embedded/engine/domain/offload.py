"""`--kv-transfer-config` and `--kv-offloading-size`: which KV tiers an engine has below its accelerator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.embedded.engine.domain.handover import NIXL
from apps.physics.tiers import OffloadConfig, StorageLink, filesystem_link, host_link, host_toll

GIB = 2**30
CONNECTORS = frozenset(
    {
        "OffloadingConnector", "SimpleCPUOffloadConnector", "ExampleConnector", "ExampleHiddenStatesConnector",
        "MultiConnector", "NixlConnector", "NixlPullConnector", "NixlPushConnector", "LMCacheConnectorV1",
        "LMCacheMPConnector", "MooncakeConnector", "MooncakeStoreConnector", "MoRIIOConnector", "FlexKVConnectorV1",
        "HF3FSKVConnector", "HiSparseConnector", "DecodeBenchConnector",
    }
)  # fmt: skip
ROLES = ("kv_producer", "kv_consumer", "kv_both")
_KEYS = frozenset(
    {
        "kv_connector", "engine_id", "kv_buffer_device", "kv_role", "kv_port", "kv_connector_extra_config",
        "kv_connector_module_path", "enable_permute_local_kv", "kv_load_failure_policy",
    }
)  # fmt: skip
TIER_TYPES = ("example", "fs", "p2p", "obj", "kvcr")
_HOST_SPECS = ("CPUOffloadingSpec", "CpuShimOffloadingSpec")
_TIERING_SPECS = ("TieringOffloadingSpec", "CpuShimTieringSpec")
# llm-d's backend of vLLM 0.14 stages through host memory: what its threads have in hand
_LEGACY_SPEC = "SharedStorageOffloadingSpec"
_LEGACY_STAGED_CHUNKS = 64


@dataclass(frozen=True, slots=True)
class OffloadSettings:
    """The tiers of one engine.

    root: folder of the `fs` tier, None without one. tells_storage: its stores are KV events. self_describing: events of
    slower tiers name tokens and parents. locality: LOCAL or REMOTE, what the `fs` tier says of itself.
    """

    physics: OffloadConfig
    block_size: int
    tiering: bool
    root: str | None = None
    tells_storage: bool = False
    self_describing: bool = False
    locality: str | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """What `--kv-transfer-config` comes to: the connectors in use, and the tiers of OffloadingConnector among them."""

    connectors: tuple[str, ...]
    offload: OffloadSettings | None

    @property
    def not_modelled(self) -> tuple[str, ...]:
        modelled = NIXL | {"OffloadingConnector"}
        return tuple(name for name in self.connectors if name not in modelled)


def read_transfer(
    given: Mapping[str, Any] | None,
    *,
    offloading_gib: float | None,
    backend: str,
    block_size: int,
    token_bytes: int,
    accelerator: str,
    ranks: int,
    storage: StorageLink | None = None,
) -> Transfer | None:
    """The connectors and tiers; None when there are none.

    `given`: `--kv-transfer-config`; `offloading_gib`, `backend`: `--kv-offloading-size`, `-backend`. `token_bytes`: KV
    of one token, all ranks together. `storage`: how fast the volume is, where it is not the measured one. Raises
    ValueError with vLLM's sentence.
    """
    config = dict(given or {})
    if unknown := sorted(set(config) - _KEYS):
        raise ValueError(f"kv_transfer_config: {unknown[0]}: Unexpected keyword argument")
    role, connector = config.get("kv_role"), config.get("kv_connector")
    if role is not None and role not in ROLES:
        raise ValueError(f"Unsupported kv_role: {role}. Supported roles are {ROLES}")
    if connector is not None and role is None:
        raise ValueError(f"Please specify kv_role when kv_connector is set, supported roles are {ROLES}")
    if config.get("kv_load_failure_policy", "fail") not in ("fail", "recompute"):
        raise ValueError("kv_transfer_config: kv_load_failure_policy: Input should be 'recompute' or 'fail'")
    extra = dict(config.get("kv_connector_extra_config") or {})
    if offloading_gib is not None:
        connector = "OffloadingConnector" if backend == "native" else "LMCacheMPConnector"
        if backend == "native":
            extra["cpu_bytes_to_use"] = offloading_gib * GIB
    if connector is None:
        return None
    children = [(connector, extra)] if connector != "MultiConnector" else _children(extra)
    for name, _extra in children:
        if name not in CONNECTORS and not config.get("kv_connector_module_path"):
            raise ValueError(f"Unsupported connector type: {name}")
    offload = next((
        _offload(more, block_size, token_bytes, accelerator, ranks, storage)
        for name, more in children if name == "OffloadingConnector"
    ), None)  # fmt: skip
    return Transfer(tuple(name for name, _extra in children), offload)


def _children(extra: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    listed = extra.get("connectors")
    if not isinstance(listed, Sequence) or not listed:
        raise ValueError("MultiConnector needs kv_connector_extra_config.connectors, a list of connectors")
    return [
        (str(child.get("kv_connector")), dict(child.get("kv_connector_extra_config") or {}))
        for child in listed
        if isinstance(child, Mapping)
    ]


def _offload(
    extra: Mapping[str, Any],
    block_size: int,
    token_bytes: int,
    accelerator: str,
    ranks: int,
    storage: StorageLink | None,
) -> OffloadSettings:
    spec = extra.get("spec_name", "CPUOffloadingSpec")
    shim = str(spec).startswith("CpuShim")
    if accelerator == "cpu" and not shim:
        raise ValueError("CPU Offloading is currently only supported on CUDA-alike and XPU GPUs")
    if spec not in (*_HOST_SPECS, *_TIERING_SPECS, _LEGACY_SPEC):
        raise ValueError(f"Unsupported spec type: {spec}")
    chunk_blocks = _chunk_blocks(extra, block_size)
    block_bytes = block_size * token_bytes
    tier = _storage_tier(extra, spec)
    load, store, latency = host_link(accelerator, ranks)
    handling, storing, most = host_toll()
    policy = extra.get("eviction_policy", "lru")
    if policy not in ("lru", "arc"):
        raise ValueError(f"Unknown cache policy: {policy!r}. Supported: ['lru', 'arc']")
    host_bytes = _host_bytes(extra, spec, chunk_blocks * block_bytes, block_bytes)
    host_chunks = int(host_bytes // (chunk_blocks * block_bytes))
    if not host_chunks:
        raise ValueError(
            f"cpu_bytes_to_use is {host_bytes:.0f} bytes, less than one chunk of {chunk_blocks * block_bytes} bytes"
        )
    return OffloadSettings(
        physics=OffloadConfig(
            chunk_blocks=chunk_blocks,
            host_chunks=host_chunks,
            block_bytes=block_bytes,
            load_bandwidth=load,
            store_bandwidth=store,
            latency=latency,
            prompt_only=bool(extra.get("offload_prompt_only", True)),
            storage=(storage or filesystem_link()) if tier is not None else None,
            handling=handling,
            storing=storing,
            stored_most=most,
        ),
        block_size=block_size,
        tiering=spec not in _HOST_SPECS,
        root=str(tier["root_dir"]) if tier is not None else None,
        tells_storage=bool(tier and tier.get("enable_kv_events")),
        self_describing=bool(extra.get("self_describing_kv_events")),
        locality=tier.get("locality") if tier is not None else None,
    )


def _chunk_blocks(extra: Mapping[str, Any], block_size: int) -> int:
    blocks, tokens = extra.get("blocks_per_chunk"), extra.get("block_size")
    if blocks is not None and tokens is not None:
        raise ValueError("Specify only one of 'block_size' or 'blocks_per_chunk' in kv_connector_extra_config.")
    if blocks is not None:
        if int(blocks) <= 0:
            raise ValueError("'blocks_per_chunk' must be greater than 0.")
        return int(blocks)
    if tokens is None:
        return 1
    if int(tokens) % block_size or int(tokens) <= 0:
        above = -(-int(tokens) // block_size) * block_size
        raise ValueError(
            f"'block_size'={tokens} in kv_connector_extra_config must be a multiple of the GPU KV cache block size "
            f"({block_size} tokens). Use {above} instead, or set 'blocks_per_chunk' to express the chunk size in "
            "blocks."
        )
    return int(tokens) // block_size


def _host_bytes(extra: Mapping[str, Any], spec: str, chunk_bytes: int, block_bytes: int) -> float:
    if spec == _LEGACY_SPEC:
        staged = extra.get("max_staging_memory_gb")
        return float(staged) * GIB if staged else _LEGACY_STAGED_CHUNKS * chunk_bytes
    if "num_cpu_blocks" in extra:
        return float(extra["num_cpu_blocks"]) * block_bytes
    if not extra.get("cpu_bytes_to_use"):
        raise ValueError("cpu_bytes_to_use must be specified in kv_connector_extra_config")
    return float(extra["cpu_bytes_to_use"])


def _storage_tier(extra: Mapping[str, Any], spec: str) -> Mapping[str, Any] | None:
    """The `fs` tier, the only secondary tier that is played."""
    if spec == _LEGACY_SPEC:
        return {"root_dir": extra.get("shared_storage_path", "/tmp/shared-kv")}  # noqa: S108 - its default
    if spec not in _TIERING_SPECS:
        return None
    listed = extra.get("secondary_tiers", [])
    if not isinstance(listed, list):
        raise ValueError("secondary_tiers must be a list of tier configurations")
    found = None
    for tier in listed:
        kind = tier.get("type") if isinstance(tier, Mapping) else None
        if not kind:
            raise ValueError("Secondary tier configuration must include 'type'")
        if kind not in TIER_TYPES and not tier.get("module_path"):
            raise ValueError(f"Unknown secondary tier type: {kind!r}. Supported types: {list(TIER_TYPES)}. ")
        if kind == "fs":
            if not tier.get("root_dir"):
                raise ValueError("FileSystemTierManager.__init__() missing 1 required argument: 'root_dir'")
            found = tier
        elif kind != "example":
            raise ValueError(f"the engine simulator plays no secondary tier of type {kind!r}; only fs")
    return found
