"""Well-lit path `optimized-baseline`: aggregated vLLM replicas behind an endpoint picker that scores queue, KV-cache
usage and prefix affinity (llm-d: inference scheduling, section B.1 of the reference)."""

from __future__ import annotations

from dataclasses import replace

from apps.pools.domain.context import Context
from apps.pools.domain.paths.path import BOTH_ROLES, ONE_POD, Path, load_and_prefix
from apps.pools.domain.scheduling import Scheduling

# a request is held so long for a replica where a pool may have none: a cold start takes one to seven minutes
HOLD_SECONDS = 900


def _scheduling(context: Context) -> Scheduling:
    scheduling = load_and_prefix(context)
    if not holds(context):
        return scheduling
    hold = hold_seconds(context.inputs.start_up)
    flow = {
        "maxRequests": "1k",
        "maxBytes": "1Gi",
        "defaultRequestTTL": f"{hold}s",
        "noEndpointRequestTTL": f"{hold}s",
    }
    return replace(scheduling, gates=("flowControl",), flow=flow)


def hold_seconds(start_up: float | None) -> int:
    """How long a request is held: doubled as long as a start was measured to take nearly that (or longer), so that a
    start that is a little slower than the last does not change the picker."""
    hold = HOLD_SECONDS
    while start_up is not None and hold < 1.25 * start_up:
        hold *= 2
    return hold


def holds(context: Context) -> bool:
    """Whether requests are held while no replica can serve: in a pool that may be without replicas, where the picker's
    configuration can say so (llm-d 0.5 has flow control as an experiment, without times to live)."""
    return context.dialect.picker_flow_control and all(v.replicas.min == 0 for v in context.spec.variants)


PATH = Path(
    name="optimized-baseline",
    title="Intelligent inference scheduling",
    about="Each request goes to the replica with the best sum of short queue, free KV cache and cached prefix.",
    scheduling=_scheduling,
    invariants=(BOTH_ROLES, ONE_POD),
)
