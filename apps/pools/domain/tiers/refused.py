"""Which tiers cannot be had: by the engine's release, its accelerator, its arguments, or each other."""

from __future__ import annotations

from collections.abc import Sequence

from apps.catalog.domain.dialects import Dialect
from apps.pools.domain.manifests import Inputs, PlanRefused
from apps.pools.domain.spec import PoolSpec, Variant
from apps.pools.domain.tiers.plan import TierPlan

# platforms whose memory vLLM's offloading copies from (its word: CUDA-alike and XPU)
_FAMILIES = ("nvidia", "amd", "intel-xpu")


def refuse(
    plan: TierPlan, spec: PoolSpec, variant: Variant, inputs: Inputs, dialect: Dialect, args: Sequence[str]
) -> None:
    """Raise PlanRefused with the first reason for which the plan cannot be rendered for a variant."""
    kinds: set[str] = {tier.kind for tier in plan.tiers}
    accelerator = inputs.accelerators.get(variant.accelerator)
    given = [arg.partition("=")[0].replace("_", "-") for arg in args]
    _check_accelerator(variant, accelerator.family if accelerator else "")
    if variant.group_size > 1:
        raise PlanRefused(
            "TierSpansPods",
            f"variant {variant.name} spreads a replica over {variant.group_size} pods, and vLLM keeps a host tier in "
            "the shared memory of one: set groupSize to 1, or offload.mode to off",
        )
    if "--no-enable-prefix-caching" in given:
        raise PlanRefused(
            "TierNeedsPrefixCache",
            "engine.args turns prefix caching off, and tiers are found by the hashes of prefixes: take "
            "--no-enable-prefix-caching out, or set offload.mode to off",
        )
    for flag in ("--kv-transfer-config", "--kv-offloading-size", "--kv-offloading-backend"):
        if flag in given:
            raise PlanRefused(
                "TierArgumentTaken",
                f"engine.args sets {flag}, which the tier plan renders: take it out and declare offload.tiers",
            )
    if plan.connector == "lmcache":
        _check_lmcache(kinds)
    elif not dialect.engine_has_shutdown_timeout:
        _check_legacy(kinds, spec)


def _check_accelerator(variant: Variant, family: str) -> None:
    if family not in _FAMILIES:
        raise PlanRefused(
            "TierNotOnAccelerator",
            f"variant {variant.name}: vLLM offloads KV blocks of GPUs only (CUDA, ROCm, XPU), not of "
            f"{variant.accelerator}: leave offload off, or serve on a GPU",
        )


def _check_lmcache(kinds: set[str]) -> None:
    if kinds != {"host"}:
        other = ", ".join(sorted(kinds - {"host"})) or "none"
        raise PlanRefused(
            "TierNotInConnector",
            f"with connector lmcache a pool has a host tier and no other (here: {other}): LMCache keeps a disk for "
            "itself and shares nothing through it. Declare a host tier alone, or connector native",
        )


def _check_legacy(kinds: set[str], spec: PoolSpec) -> None:
    if more := sorted(kinds - {"host", "filesystem"}):
        raise PlanRefused(
            "TierNotInRelease",
            f"llm-d 0.5 has no {more[0]} tier: its engines offload to host memory or to a filesystem. Leave it out, or "
            "move the cluster to the current release",
        )
    if kinds == {"host", "filesystem"}:
        raise PlanRefused(
            "TierNotInRelease",
            "llm-d 0.5 cannot put host memory in front of a filesystem: declare one of the two, or move the cluster to "
            "the current release",
        )
    if "filesystem" in kinds and spec.autoscaling.idle == "standby":
        raise PlanRefused(
            "EnvironmentTaken",
            "the filesystem backend of llm-d 0.5 and the guard of idle: standby both need PYTHONPATH: choose idle: "
            "zero or keep, or leave the filesystem tier out",
        )
