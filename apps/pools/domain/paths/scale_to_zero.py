"""Well-lit path `scale-to-zero`: an idle pool has no replica, and its picker holds requests until one has started
(section B.7 of the reference; who wakes it is the pool's autoscaling)."""

from __future__ import annotations

from apps.pools.domain.invariants import Invariant, Question
from apps.pools.domain.paths import flow_control
from apps.pools.domain.paths.holding import HELD_LONG_ENOUGH
from apps.pools.domain.paths.path import BOTH_ROLES, NEEDS_PICKER, ONE_POD, Path


def _can_be_empty(q: Question) -> str | None:
    kept = [variant.name for variant in q.spec.variants if variant.replicas.min > 0]
    if kept:
        return (
            f"variant {kept[0]} never goes below {q.spec.variant(kept[0]).replicas.min} replicas: set replicas.min to 0"  # type: ignore[union-attr]
        )
    return None


def _woken(q: Question) -> str | None:
    if q.spec.autoscaling.mode in ("off", "advisory"):
        return (
            f"autoscaling.mode is {q.spec.autoscaling.mode}, so nobody would wake the pool when a request waits: set "
            "it to active, or to external where another scaler watches the picker's queue"
        )
    if q.spec.autoscaling.mode == "active" and q.spec.autoscaling.idle == "keep":
        return "autoscaling.idle is keep, so the pool never becomes empty: set it to zero or standby"
    return None


def _queue_seen(q: Question) -> str | None:
    if q.dialect is not None and not q.dialect.picker_flow_control:
        return (
            f"the picker of llm-d {q.dialect.name} cannot be told how long to hold a request without replicas: keep "
            "one replica (path optimized-baseline), or use a cluster with dialect current"
        )
    return None


PATH = Path(
    name="scale-to-zero",
    title="Scale to zero, and from zero",
    about="An idle pool has no replica; requests that come are held until the first one has started.",
    scheduling=flow_control.scheduling,
    invariants=(
        NEEDS_PICKER,
        BOTH_ROLES,
        ONE_POD,
        Invariant("NeverEmpty", "Every variant may have no replica.", _can_be_empty),
        Invariant("NobodyWakes", "Something scales the pool when a request waits.", _woken, "/spec/autoscaling"),
        HELD_LONG_ENOUGH,
        Invariant(
            "HoldNotInRelease", "The release's picker can hold requests without replicas.", _queue_seen, "/spec/path"
        ),
        flow_control.OBJECTIVES_KNOWN,
    ),
    picker=flow_control.picker,
    objects=flow_control.objectives,
)
