"""Looks at each cluster from time to time: does it answer, which version and kinds, which accelerators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.audit.services import record_event
from apps.clusters import selectors
from apps.clusters.domain.inventory import totals
from apps.clusters.errors import BadCredentials, KubeError
from apps.clusters.models import Cluster
from apps.core import clock, outbox
from apps.core.domain.conditions import Condition, find_condition, format_time, read_conditions, set_condition
from apps.reconcile import services as reconcile
from apps.reconcile.domain.outcomes import Done, Outcome
from apps.reconcile.queue import Lease

LOOK_SECONDS = 60.0
LOOK_AGAIN_SECONDS = 5.0
_SOURCE = "cluster-controller"
# an unchanged cluster is still written now and then, so that "last seen" is true
_SEEN_EVERY = timedelta(minutes=5)


@dataclass(frozen=True)
class Seen:
    """What a look at a cluster found. `error`: why it could not be seen."""

    status: dict[str, Any]
    error: KubeError | None = None


def reconcile_cluster(lease: Lease) -> Outcome:
    """Look at one cluster and say so in its conditions. A dead one is looked at again soon, and holds up nobody."""
    cluster = Cluster.objects.filter(uid=lease.uid).first()
    if cluster is None:
        return Done()
    seen = _look(cluster)
    _record(lease, cluster, seen)
    if seen.error is None:
        reconcile.shard_answers(str(cluster.uid))
    return Done(requeue_after=LOOK_AGAIN_SECONDS if seen.error else LOOK_SECONDS)


def _look(cluster: Cluster) -> Seen:
    try:
        kube = selectors.kube_for(cluster)
        version = kube.version()
        kinds = sorted(kube.resources(fresh=True))
        accelerators = [total.to_json() for total in totals(selectors.inventory(cluster))]
    except KubeError as error:
        return Seen(cluster.status, error)
    return Seen({"version": version, "server": kube.server, "kinds": kinds, "accelerators": accelerators})


def _record(lease: Lease, cluster: Cluster, seen: Seen) -> None:
    now = clock.now()
    conditions = read_conditions(cluster.conditions)
    before = find_condition(conditions, "Ready")
    for condition in _conditions(cluster, seen):
        conditions = set_condition(conditions, condition, now)
    written = [condition.to_json() for condition in conditions]
    status = dict(seen.status)
    last_seen = cluster.status.get("lastSeenAt")
    if seen.error is None:
        fresh = last_seen and clock.now() - _SEEN_EVERY < datetime.fromisoformat(last_seen)
        status["lastSeenAt"] = last_seen if fresh else format_time(now)
        status["observedGeneration"] = cluster.generation
    if written == cluster.conditions and status == cluster.status:
        return
    after = find_condition(conditions, "Ready")
    named: dict[str, Any] = {"kind": "Cluster", "uid": cluster.uid, "team": cluster.team, "name": cluster.name}
    with reconcile.holding(lease, Cluster):
        held = Cluster.objects.filter(uid=cluster.uid, generation=cluster.generation)
        if not held.update(conditions=written, status=status):
            return
        if after is not None and (before is None or before.status != after.status):
            good = after.status == "True"
            record_event(
                **named,
                type="Normal" if good else "Warning",
                reason=after.reason,
                message=after.message,
                source=_SOURCE,
            )
        outbox.publish(**named, verb="status", generation=cluster.generation, fields=["conditions", "status"])


def _conditions(cluster: Cluster, seen: Seen) -> list[Condition]:
    def condition(type_: str, good: bool, reason: str, message: str) -> Condition:
        return Condition(type_, "True" if good else "False", reason, message, cluster.generation)

    if seen.error is not None:
        reason = "BadCredentials" if isinstance(seen.error, BadCredentials) else type(seen.error).__name__
        message = f"{seen.error}. Pools of this cluster keep running, but changes wait until it answers"
        return [condition("Reachable", False, reason, message), condition("Ready", False, reason, message)]
    kinds = seen.status["kinds"]
    reachable = condition("Reachable", True, "Answers", f"Kubernetes {seen.status['version']} answers")
    if "Deployment.apps" not in kinds:
        message = "the API server answers, but serves no Deployments: pools cannot live there"
        return [reachable, condition("Ready", False, "NoDeployments", message)]
    found = seen.status["accelerators"]
    listed = ", ".join(f"{row['allocatable']} {row['product'] or row['resource']}" for row in found)
    message = f"Kubernetes {seen.status['version']} with {listed or 'no accelerators'}"
    return [reachable, condition("Ready", True, "Ready", message)]
