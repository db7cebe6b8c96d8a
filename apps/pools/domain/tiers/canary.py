"""A tier plan on trial: one replica of a variant, beside the others or in the place of one, has the tiers, and all
others stay as they are until it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from apps.pools.domain.context import Context
from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.manifests import COMPONENT, VARIANT, Manifest, PlanRefused
from apps.pools.domain.tiers.plan import TierPlan

CANARY = "lamplight.dev/canary"
COMPONENT_CANARY = "engine-canary"
_WHAT = "tiers"


def canary_name(pool: str, variant: str) -> str:
    return f"{pool}-{variant}-canary"


def with_canary(context: Context, render: Callable[[Context], tuple[Manifest, ...]]) -> tuple[Manifest, ...]:
    """The objects of a path, and the canary's Deployment where the tier plan has one. Raises PlanRefused."""
    plan = context.inputs.tiers
    objects = render(_planned(context, plan.everywhere))
    if plan.canary is None:
        return objects
    tried = render(_planned(context, replace(plan, canary=None, stands="beside")))
    found = next((obj for obj in tried if _is_variant(obj, plan.canary)), None)
    if found is None:
        raise PlanRefused(
            "CanaryNotPossible",
            f"there is no Deployment of variant {plan.canary} to try the tiers on: name another variant, or apply them "
            "to all replicas",
        )
    # what stands beside the engines (the store's owner) comes with the trial
    names = {address(obj) for obj in objects}
    beside = [obj for obj in tried if address(obj) not in names]
    canary = _canary(found, canary_name(context.pool.name, plan.canary))
    if plan.stands == "kept" and context.inputs.canary_waits:
        canary = {**canary, "spec": {**canary["spec"], "paused": True}}
    return (*objects, *beside, canary)


def waits(objects: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a canary stands still."""
    return any(obj["spec"].get("paused") for obj in objects if _is_canary(obj))


def on_trial(objects: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Replicas of canaries among a pool's objects, by the variant beside which they stand."""
    found: dict[str, int] = {}
    for obj in objects:
        if _is_canary(obj):
            variant = obj["spec"]["template"]["metadata"]["labels"][VARIANT]
            found[variant] = found.get(variant, 0) + int(obj["spec"].get("replicas", 1))
    return found


def _is_canary(obj: Mapping[str, Any]) -> bool:
    return (obj["metadata"].get("labels") or {}).get(COMPONENT) == COMPONENT_CANARY


def address(obj: Manifest) -> tuple[str, str]:
    return obj["kind"], obj["metadata"]["name"]


def _planned(context: Context, plan: TierPlan) -> Context:
    if plan is context.inputs.tiers:
        return context
    return replace(context, inputs=replace(context.inputs, tiers=plan))


def _is_variant(obj: Manifest, variant: str) -> bool:
    labels = obj["metadata"]["labels"]
    return obj["kind"] == "Deployment" and labels.get(VARIANT) == variant and labels.get(COMPONENT) == COMPONENT_ENGINE


def _canary(deployment: Manifest, name: str) -> Manifest:
    """The same with one replica and a mark. Its pods keep the variant's labels, so that routers take them; the
    Deployment does not, so that nobody takes it for the variant's own."""
    spec: dict[str, Any] = deployment["spec"]
    template = spec["template"]
    labels = {key: value for key, value in deployment["metadata"]["labels"].items() if key != VARIANT}
    return {
        **deployment,
        "metadata": {
            **deployment["metadata"],
            "name": name,
            "labels": {**labels, COMPONENT: COMPONENT_CANARY, CANARY: _WHAT},
        },
        "spec": {
            **spec,
            "replicas": 1,
            "selector": {"matchLabels": {**spec["selector"]["matchLabels"], CANARY: _WHAT}},
            "template": {
                **template,
                "metadata": {
                    **template["metadata"],
                    "labels": {**template["metadata"]["labels"], CANARY: _WHAT},
                },
            },
        },
    }
