"""Requests that are held while a pool has no replica that could serve them, whatever its path.

A pool that may be empty holds them in its picker until one has started or woken; without that the first request of an
empty pool is refused. Paths whose queue people set up themselves (flow-control, scale-to-zero) must hold for as long as
a start was measured to take; on all others the time follows the measured start.
"""

from __future__ import annotations

from dataclasses import replace

from apps.pools.domain.context import Context
from apps.pools.domain.invariants import Invariant, Question
from apps.pools.domain.path_settings import FlowControl
from apps.pools.domain.scheduling import Scheduling
from apps.pools.domain.spec import PoolSpec

__all__ = ["HELD_LONG_ENOUGH", "HOLD_SECONDS", "hold_seconds", "holding", "may_be_empty"]

# a request is held so long for a replica where a pool may have none: a cold start takes one to seven minutes
HOLD_SECONDS = 900
# of the measured start-up: the next one may be slower
MARGIN = 1.25


def may_be_empty(spec: PoolSpec) -> bool:
    """Whether a pool may have no replica that is awake."""
    return all(variant.replicas.min == 0 for variant in spec.variants)


def hold_seconds(start_up: float | None) -> int:
    """How long a request is held: doubled as long as a start was measured to take nearly that (or longer), so that a
    start that is a little slower than the last does not change the picker."""
    hold = HOLD_SECONDS
    while start_up is not None and hold < MARGIN * start_up:
        hold *= 2
    return hold


def holding(scheduling: Scheduling, context: Context) -> Scheduling:
    """A path's scheduling, with a queue for requests that find no replica where it has none of its own and the pool may
    be empty (llm-d 0.5 has flow control as an experiment, without times to live)."""
    if scheduling.flow or not context.dialect.picker_flow_control or not may_be_empty(context.spec):
        return scheduling
    hold = f"{hold_seconds(context.inputs.start_up)}s"
    flow = {"maxRequests": "1k", "maxBytes": "1Gi", "defaultRequestTTL": hold, "noEndpointRequestTTL": hold}
    return replace(scheduling, gates=(*scheduling.gates, "flowControl"), flow=flow)


def _held_long_enough(q: Question) -> str | None:
    if q.inputs is None or q.inputs.start_up is None or not may_be_empty(q.spec):
        return None
    hold = (q.spec.routing.flow_control or FlowControl()).hold.total_seconds()
    need = q.inputs.start_up * MARGIN
    if hold < need:
        return (
            f"a request is held {hold:.0f} s, and a start was measured to take {q.inputs.start_up:.0f} s: set "
            f"routing.flowControl.hold to at least {-(-need // 1):.0f}s"
        )
    return None


HELD_LONG_ENOUGH = Invariant(
    "HoldTooShort",
    "A pool that may be empty holds a request longer than a replica was measured to take to start.",
    _held_long_enough,
    "/spec/routing/flowControl/hold",
)
