"""Requests that are held while a pool has no replica that could serve them, whatever its path.

A pool that may be empty holds them in its picker until one has started or woken; without that the first request of an
empty pool is refused. Where pools take turns on the same accelerators they also wait for the others'. Paths whose queue
people set up themselves (flow-control, scale-to-zero) must hold for as long as a start was measured to take; on all
others the time follows the measured start.
"""

from __future__ import annotations

from dataclasses import replace

from apps.pools.domain.context import Context
from apps.pools.domain.invariants import Invariant, Question
from apps.pools.domain.path_settings import FlowControl
from apps.pools.domain.scheduling import Scheduling
from apps.pools.domain.sharing import MOST_SHARERS, shares
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.turns import FALL_ASLEEP, SLICE, WAKE, longest_wait

__all__ = [
    "HELD_LONG_ENOUGH",
    "HOLD_SECONDS",
    "hold_seconds",
    "holding",
    "may_be_empty",
    "nobody_holds",
    "turn_seconds",
]

# a request is held so long for a replica where a pool may have none: a cold start takes one to seven minutes
HOLD_SECONDS = 900
# of the measured start-up: the next one may be slower
MARGIN = 1.25


def may_be_empty(spec: PoolSpec) -> bool:
    """Whether a pool may have no replica that is awake."""
    return all(variant.replicas.min == 0 for variant in spec.variants)


def nobody_holds(spec: PoolSpec) -> str:
    """Why nobody holds the requests of a pool that may be empty, for people; "" where somebody does or need not."""
    if not may_be_empty(spec):
        return ""
    if not spec.routing.picker:
        return "there is no endpoint picker to hold them (set routing.picker to true)"
    own = spec.routing.scheduler
    if own is not None and "flowControl" not in (own.get("featureGates") or ()):
        return "the pool's own routing.scheduler holds none (add flowControl to its featureGates)"
    return ""


def turn_seconds(spec: PoolSpec, pools: int = MOST_SHARERS) -> float:
    """How long a pool may wait for its turn in a group of so many pools; 0 where it shares nothing. Each of the others
    may serve for its slice, end what it has begun, and fall asleep."""
    if not shares(spec):
        return 0.0
    drain = spec.rollout.shutdown_timeout.total_seconds()
    return longest_wait(pools, slice_seconds=SLICE, drain=drain, sleep=FALL_ASLEEP, wake=WAKE)


def hold_seconds(start_up: float | None, turns: float = 0.0) -> int:
    """How long a request is held: doubled as long as a start was measured to take nearly that (or longer), so that a
    start that is a little slower than the last does not change the picker. turns: seconds that it may wait for them
    before; of the biggest group there may be, so that a pool that joins changes no picker either."""
    hold = HOLD_SECONDS
    while hold < MARGIN * (start_up or 0.0) + turns:
        hold *= 2
    return hold


def holding(scheduling: Scheduling, context: Context) -> Scheduling:
    """A path's scheduling, with a queue for requests that find no replica where it has none of its own and the pool may
    be empty (llm-d 0.5 has flow control as an experiment, without times to live)."""
    if scheduling.flow or not context.dialect.picker_flow_control or not may_be_empty(context.spec):
        return scheduling
    hold = f"{hold_seconds(context.inputs.start_up, turn_seconds(context.spec))}s"
    flow = {"maxRequests": "1k", "maxBytes": "1Gi", "defaultRequestTTL": hold, "noEndpointRequestTTL": hold}
    return replace(scheduling, gates=(*scheduling.gates, "flowControl"), flow=flow)


def _held_long_enough(q: Question) -> str | None:
    if q.inputs is None or q.inputs.start_up is None or not may_be_empty(q.spec):
        return None
    hold = (q.spec.routing.flow_control or FlowControl()).hold.total_seconds()
    # of how many pools the group is, is not known here: of two at least
    turn = turn_seconds(q.spec, 2)
    need = q.inputs.start_up * MARGIN + turn
    if hold < need:
        waits = f", before which it may wait {turn:.0f} s for another pool's turn" if turn else ""
        return (
            f"a request is held {hold:.0f} s, and a start was measured to take {q.inputs.start_up:.0f} s{waits}: set "
            f"routing.flowControl.hold to at least {-(-need // 1):.0f}s"
        )
    return None


HELD_LONG_ENOUGH = Invariant(
    "HoldTooShort",
    "A pool that may be empty holds a request longer than a replica was measured to take to start.",
    _held_long_enough,
    "/spec/routing/flowControl/hold",
)
