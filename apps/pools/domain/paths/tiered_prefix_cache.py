"""Well-lit path `tiered-prefix-cache`: KV blocks that leave the accelerator are kept on the host or on a volume, and
the picker counts them when it looks for a cached prefix (section B.5 of the reference). The tiers themselves are
rendered in `domain/tiers`; here is what routing makes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from apps.pools.domain.context import Context
from apps.pools.domain.engines import given
from apps.pools.domain.invariants import Invariant, Question
from apps.pools.domain.paths.path import BOTH_ROLES, NEEDS_PICKER, ONE_POD, Path, load_and_prefix
from apps.pools.domain.scheduling import Plugin, Scheduling
from apps.pools.domain.tiers.rendering import host_bytes

# vLLM's block size on accelerators where nobody says otherwise
_BLOCK = 16
_GPU, _HOST = "gpu-prefix-cache", "cpu-prefix-cache"


def _scheduling(context: Context) -> Scheduling:
    capacity = host_blocks(context)
    if not capacity:
        return load_and_prefix(context)
    weights = context.spec.routing.weights
    half = weights.prefix_cache / 2
    if context.dialect.picker_hash_seed:  # llm-d 0.5: the scorer keeps the index itself, and weights are whole
        gpu = Plugin("prefix-cache-scorer", {"autoTune": True}, name=f"{_GPU}-scorer")
        host = Plugin(
            "prefix-cache-scorer", {"autoTune": False, "lruCapacityPerServer": capacity}, name=f"{_HOST}-scorer"
        )
        scorers = (Plugin("queue-scorer"), Plugin("kv-cache-utilization-scorer"), gpu, host)
        steps = (
            ("queue-scorer", 2 * weights.queue),
            ("kv-cache-utilization-scorer", 2 * weights.kv_cache_utilization),
            (gpu.name or "", weights.prefix_cache),
            (host.name or "", weights.prefix_cache),
            ("max-score-picker", None),
        )
        return Scheduling((*scorers, Plugin("max-score-picker")), {"default": steps})
    gpu_index = Plugin("approx-prefix-cache-producer", {"autoTune": True}, name=f"{_GPU}-producer")
    host_index = Plugin("approx-prefix-cache-producer", _host_index(capacity), name=f"{_HOST}-producer")
    scorers_now = tuple(
        Plugin("prefix-cache-scorer", {"prefixMatchInfoProducerName": f"{tier}-producer"}, name=f"{tier}-scorer")
        for tier in (_GPU, _HOST)
    )
    base = load_and_prefix(context)
    kept = tuple(p for p in base.plugins if p.type not in ("approx-prefix-cache-producer", "prefix-cache-scorer"))
    now = (
        ("queue-scorer", weights.queue),
        ("kv-cache-utilization-scorer", weights.kv_cache_utilization),
        (f"{_GPU}-scorer", half),
        (f"{_HOST}-scorer", half),
        ("max-score-picker", None),
    )
    load = Plugin("inflight-load-producer", {"prefixMatchInfoProducerName": f"{_GPU}-producer"})
    kept = tuple(load if p.type == "inflight-load-producer" else p for p in kept)
    return replace(base, plugins=(gpu_index, host_index, *scorers_now, *kept), profiles={"default": now})


def _host_index(capacity: int) -> dict[str, Any]:
    return {"autoTune": False, "lruCapacityPerServer": capacity}


def host_blocks(context: Context) -> int:
    """Blocks that the host tier of one engine holds: bytes / (KV bytes of a token x tokens of a block); 0 without one.

    No metric lets the picker find this out, so it is derived from the same numbers as the tier.
    """
    shape = context.model.shape
    if shape is None:
        return 0
    size = int(given(context.spec.engine.args, "--block-size") or _BLOCK)
    return host_bytes(context.inputs) // (shape.kv_bytes_per_token * size)


def _some_tier(q: Question) -> str | None:
    if q.spec.offload.mode == "off":
        return "path tiered-prefix-cache has no tier while offload.mode is off: set it to auto, advisory or fixed"
    return None


def _capacity_known(q: Question) -> str | None:
    if q.model is None or q.inputs is None or q.model.shape is not None:
        return None
    if host_bytes(q.inputs):
        return (
            f"the picker must be told how many blocks the host tier holds, and that follows from the shape of model "
            f"{q.model.name}, which is not declared: declare spec.shape of the Model"
        )
    return None


PATH = Path(
    name="tiered-prefix-cache",
    title="Tiered prefix cache",
    about="KV blocks that leave the accelerator are kept on the host or a volume, and count as a cached prefix.",
    scheduling=_scheduling,
    invariants=(
        NEEDS_PICKER,
        BOTH_ROLES,
        ONE_POD,
        Invariant("NoTier", "There is a tier below the accelerator.", _some_tier, "/spec/offload"),
        Invariant(
            "CapacityUnknown",
            "The picker's index of the host tier is as large as the tier.",
            _capacity_known,
            "/spec/model",
        ),
    ),
)
