"""Looks at each cluster from time to time: does it answer, which version and kinds, which accelerators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.audit.services import record_event
from apps.clusters import preflight, selectors
from apps.clusters.domain.preflight import Check
from apps.clusters.errors import BadCredentials, KubeError
from apps.clusters.models import Cluster
from apps.core import clock, outbox
from apps.core.domain.conditions import Condition, Status, find_condition, format_time, read_conditions, set_condition
from apps.reconcile import services as reconcile
from apps.reconcile.domain.outcomes import Done, Outcome
from apps.reconcile.queue import Lease

LOOK_SECONDS = 60.0
LOOK_AGAIN_SECONDS = 5.0
_SOURCE = "cluster-controller"
# an unchanged cluster is still written now and then, so that "last seen" is true
_SEEN_EVERY = timedelta(minutes=5)
_RIGHTS_EVERY = timedelta(minutes=10)


@dataclass(frozen=True)
class Seen:
    """What a look at a cluster found. `error`: why it could not be seen."""

    status: dict[str, Any]
    error: KubeError | None = None
    checks: tuple[Check, ...] = ()


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
        checks = preflight.run(cluster, rights=_known_rights(cluster))
        kube = selectors.kube_for(cluster)
    except KubeError as error:
        return Seen(cluster.status, error)
    by_name = {check.name: check for check in checks}
    status = {
        "version": by_name["version"].more.get("version", "unknown"),
        "server": kube.server,
        "kinds": sorted(kube.resources()),
        "checks": [check.to_json() for check in checks],
        "rightsAt": _rights_at(cluster, by_name["rights"]),
    }
    totals = by_name["accelerators"].more.get("totals")
    # what was seen last stays when nodes cannot be read, and nothing where they never were: unknown is not zero
    known = totals if totals is not None else cluster.status.get("accelerators")
    if known is not None:
        status["accelerators"] = known
    return Seen(status, checks=tuple(checks))


def _known_rights(cluster: Cluster) -> Check | None:
    """What was found of the rights lately, for this very declaration: asking is a call for each of them."""
    at = cluster.status.get("rightsAt")
    if not at or cluster.status.get("observedGeneration") != cluster.generation:
        return None
    if clock.now() - datetime.fromisoformat(at) > _RIGHTS_EVERY:
        return None
    found = next((row for row in cluster.status.get("checks", []) if row["name"] == "rights"), None)
    if found is None or found["state"] in ("failed", "unknown"):
        return None
    more = {key: value for key, value in found.items() if key not in ("name", "state", "message")}
    return Check("rights", found["state"], found["message"], more)


def _rights_at(cluster: Cluster, found: Check) -> str:
    known = _known_rights(cluster)
    return str(cluster.status["rightsAt"]) if known == found else format_time(clock.now())


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
        if after is not None and (before is None or _word(before) != _word(after)):
            good = after.status == "True"
            record_event(
                **named,
                type="Normal" if good else "Warning",
                reason=after.reason,
                message=after.message,
                source=_SOURCE,
            )
        outbox.publish(**named, verb="status", generation=cluster.generation, fields=["conditions", "status"])


def _word(ready: Condition) -> tuple[str, str]:
    """What is worth an event when it changes: that a cluster goes away is news, also of one not good for pools."""
    return ready.status, ready.reason


# condition by check, with its reasons when the check is ok, warns, fails, or cannot tell
_CHECKS = {
    "version": ("VersionSupported", "Supported", "Supported", "VersionTooOld", "VersionUnknown"),
    "kinds": ("KindsServed", "AllKinds", "SomeKindsMissing", "KindsMissing", "KindsUnknown"),
    "rights": ("RightsGranted", "AllRights", "SomeRightsMissing", "RightsMissing", "RightsUnknown"),
    "accelerators": ("AcceleratorsFound", "Found", "NoAccelerators", "NoAccelerators", "NodesUnreadable"),
    "watches": ("Watched", "InSync", "NotInSync", "NotInSync", "NotInSync"),
}
# without these a cluster is good for pools all the same
_OPTIONAL = ("accelerators", "watches")


def _conditions(cluster: Cluster, seen: Seen) -> list[Condition]:
    def condition(type_: str, status: Status, reason: str, message: str) -> Condition:
        return Condition(type_, status, reason, message, cluster.generation)

    if seen.error is not None:
        reason = "BadCredentials" if isinstance(seen.error, BadCredentials) else type(seen.error).__name__
        message = f"{seen.error}. Pools of this cluster keep running, but changes wait until it answers"
        unknown = [
            condition(type_, "Unknown", "NotReached", "not looked at: the cluster does not answer")
            for type_, *_ in _CHECKS.values()
        ]
        away = [condition(type_, "False", reason, message) for type_ in ("Ready", "Reachable")]
        return [*away, *unknown]
    found = []
    for check in seen.checks:
        type_, ok, warning, failed, cannot_tell = _CHECKS[check.name]
        reason = {"ok": ok, "warning": warning, "failed": failed}.get(check.state, cannot_tell)
        status: Status = "True" if check.state == "ok" else "Unknown" if check.state == "unknown" else "False"
        if check.state == "warning" and check.name not in _OPTIONAL:
            status = "True"
        found.append(condition(type_, status, reason, check.message))
    grave = next((c for c, check in zip(found, seen.checks, strict=True) if check.state == "failed"), None)
    if grave is not None:
        ready = condition("Ready", "False", grave.reason, grave.message)
    else:
        by_name = {check.name: check.message for check in seen.checks}
        ready = condition("Ready", "True", "Ready", f"{by_name['version']} with {by_name['accelerators']}")
    reachable = condition("Reachable", "True", "Answers", f"Kubernetes {seen.status['version']} answers")
    return [ready, reachable, *found]
