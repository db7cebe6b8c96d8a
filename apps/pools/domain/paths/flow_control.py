"""Well-lit path `flow-control`: requests wait in the picker by priority and tenant instead of in the engines, and the
least important are refused first (section B.7 of the reference)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from apps.core.domain.units import format_bytes
from apps.pools.domain.context import Context
from apps.pools.domain.invariants import Invariant, Question
from apps.pools.domain.manifests import Manifest, labels_of, object_meta
from apps.pools.domain.path_settings import FlowControl, PriorityBand
from apps.pools.domain.paths.holding import HELD_LONG_ENOUGH
from apps.pools.domain.paths.path import BOTH_ROLES, NEEDS_PICKER, ONE_POD, Path, load_and_prefix
from apps.pools.domain.picker import COMPONENT_PICKER, PickerParts
from apps.pools.domain.scheduling import Plugin, Scheduling

_FAIRNESS = {
    "round-robin": "round-robin-fairness-policy",
    "global-strict": "global-strict-fairness-policy",
    "program-aware": "program-aware-fairness",
}
_SWITCH = ({"name": "ENABLE_EXPERIMENTAL_FLOW_CONTROL_LAYER", "value": "true"},)


def settings(context: Context) -> FlowControl:
    return context.spec.routing.flow_control or FlowControl()


def scheduling(context: Context) -> Scheduling:
    """Load and prefix, behind a queue."""
    return queued(load_and_prefix(context), context)


def queued(base: Scheduling, context: Context) -> Scheduling:
    """A configuration with the pool's flow control; llm-d 0.5 has the queue, and no settings for it."""
    chosen = settings(context)
    gated = replace(base, gates=("flowControl",))
    if not context.dialect.picker_flow_control:
        return gated
    detector = Plugin("utilization-detector")
    if chosen.saturation == "concurrency":
        detector = Plugin("concurrency-detector", {"maxConcurrency": chosen.max_concurrency})
    policies = [_FAIRNESS[band.fairness] for band in chosen.bands]
    policies += [f"{band.ordering}-ordering-policy" for band in chosen.bands]
    flow: dict[str, Any] = {
        "maxRequests": str(chosen.max_requests),
        "maxBytes": format_bytes(chosen.max_bytes).removesuffix("B"),
        "defaultRequestTTL": f"{int(chosen.ttl.total_seconds())}s",
        "noEndpointRequestTTL": f"{int(chosen.hold.total_seconds())}s",
        "saturationDetector": {"pluginRef": detector.type},
    }
    if chosen.bands:
        flow["priorityBands"] = [_band(band) for band in sorted(chosen.bands, key=lambda b: -b.priority)]
    return replace(gated.with_plugins(detector, *(Plugin(name) for name in policies)), flow=flow)


def _band(band: PriorityBand) -> dict[str, Any]:
    row: dict[str, Any] = {"priority": band.priority}
    if band.max_requests is not None:
        row["maxRequests"] = str(band.max_requests)
    if band.max_bytes is not None:
        row["maxBytes"] = format_bytes(band.max_bytes).removesuffix("B")
    return {
        **row,
        "fairnessPolicyRef": _FAIRNESS[band.fairness],
        "orderingPolicyRef": f"{band.ordering}-ordering-policy",
    }


def picker(context: Context) -> PickerParts:
    return PickerParts(env=() if context.dialect.picker_flow_control else _SWITCH)


def objectives(context: Context) -> tuple[Manifest, ...]:
    """One InferenceObjective for each band: clients name it, the picker reads its priority."""
    version = context.dialect.objective_api_version
    if not context.inputs.has("InferenceObjective", version.partition("/")[0]):
        return ()
    pool = context.pool
    return tuple(
        {
            "apiVersion": version,
            "kind": "InferenceObjective",
            "metadata": object_meta(pool, f"{pool.name}-{band.name}", labels_of(pool, COMPONENT_PICKER)),
            "spec": {"priority": band.priority, "poolRef": {"name": pool.name}},
        }
        for band in settings(context).bands
    )


def _objectives_known(q: Question) -> str | None:
    chosen = q.spec.routing.flow_control
    if q.inputs is None or q.dialect is None or chosen is None or not chosen.bands:
        return None
    group = q.dialect.objective_api_version.partition("/")[0]
    if not q.inputs.has("InferenceObjective", group):
        return (
            f"priorities are told by the kind InferenceObjective of {group}, which this cluster does not have: install "
            "the CRDs of its llm-d release, or leave routing.flowControl.bands out"
        )
    return None


def _bands_written(q: Question) -> str | None:
    chosen = q.spec.routing.flow_control
    if q.dialect is None or q.dialect.picker_flow_control or chosen is None:
        return None
    limited = any(b.max_requests is not None or b.max_bytes is not None for b in chosen.bands)
    other = any(b.ordering != "fcfs" or b.fairness != "round-robin" for b in chosen.bands)
    if limited or other:
        return (
            f"llm-d {q.dialect.name} has flow control without settings for its bands: leave limits, fairness and "
            "ordering of routing.flowControl.bands out, or use a cluster with dialect current"
        )
    return None


OBJECTIVES_KNOWN = Invariant(
    "ObjectivesMissing",
    "The cluster knows InferenceObjective where there are priorities.",
    _objectives_known,
    "/spec/routing/flowControl",
)
BANDS_WRITTEN = Invariant(
    "BandsNotInRelease",
    "The release can be told what is declared of bands.",
    _bands_written,
    "/spec/routing/flowControl",
)

PATH = Path(
    name="flow-control",
    title="Flow control with priorities and fairness",
    about="Requests wait in the picker by priority and tenant; under load the least important are refused first.",
    scheduling=scheduling,
    invariants=(NEEDS_PICKER, BOTH_ROLES, ONE_POD, HELD_LONG_ENOUGH, OBJECTIVES_KNOWN, BANDS_WRITTEN),
    picker=picker,
    objects=objectives,
)
