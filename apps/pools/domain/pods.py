"""Reading pods: is a replica ready, and if not, why, in the cluster's own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

# a person may have to act: waiting alone does not mend these
BAD_REASONS = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "Error",
        "OOMKilled",
        "ContainerCannotRun",
        "Evicted",
    }
)
UNSCHEDULABLE = "Unschedulable"
# what somebody (Kueue, mostly) put on a pod has to go before a scheduler may look at it
GATED = "SchedulingGated"
# our own word: the cluster has none for what did not happen
NO_SCHEDULER = "NoScheduler"
# why a pod is on no node
NOT_PLACED = (UNSCHEDULABLE, GATED, NO_SCHEDULER)
# a scheduler looks at a new pod within a second; one that has not by then is away, or is not the one that was named
LOOKED_AT_SECONDS = 15.0
# the label that routers select by, and since when we have taken it from a pod
SERVING = "llm-d.ai/inference-serving"
UNROUTED_AT = "lamplight.dev/unrouted-at"
# the number of the set of accelerators on which a pod takes turns, from 2: the first has no such label
SET = "lamplight.dev/shared-set"
# what a LeaderWorkerSet's controller puts on its pods
GROUP_LABELS = "leaderworkerset.sigs.k8s.io"


@dataclass(frozen=True)
class Replica:
    """One pod of a pool. `reason` and `message`: why it is not ready, "" when it is or when there is nothing to say."""

    name: str
    variant: str | None
    component: str
    phase: str
    ready: bool
    terminating: bool
    node: str | None
    ip: str | None
    restarts: int
    reason: str
    message: str
    container: str
    created_at: str | None
    # hash of the pod template that it was made from, "" outside of a ReplicaSet or a LeaderWorkerSet
    template: str = ""
    uid: str = ""
    # whether routers may choose it, and since when not, where we took it out (RFC 3339)
    routed: bool = True
    unrouted_at: str = ""
    # the replica that it is a part of, where a replica is a group of pods
    group: str = ""
    # of the sets of accelerators on which its pool takes turns, the number of its own, from 0
    place: int = 0
    # the scheduler that it waits for where none has looked at it, "" once one has
    scheduler: str = ""

    @property
    def bad(self) -> bool:
        return not self.ready and not self.terminating and self.reason in BAD_REASONS

    @property
    def crashed(self) -> bool:
        """Whether the logs of its last run may say why."""
        return self.reason in ("CrashLoopBackOff", "Error", "OOMKilled", "RunContainerError")

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "variant": self.variant,
            "component": self.component,
            "phase": "Terminating" if self.terminating else self.phase,
            "ready": self.ready,
            "node": self.node,
            "ip": self.ip,
            "restarts": self.restarts,
            "reason": self.reason or None,
            "message": self.message or None,
            "createdAt": self.created_at,
        }


def read_pod(pod: Mapping[str, Any]) -> Replica:
    """A Replica from a Pod object (plain dict)."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    labels = metadata.get("labels") or {}
    ready = _condition(status, "Ready").get("status") == "True"
    reason, message, container = ("", "", "") if ready else _why(pod.get("spec") or {}, status)
    containers = status.get("containerStatuses") or []
    return Replica(
        name=metadata["name"],
        variant=labels.get("lamplight.dev/variant"),
        component=labels.get("app.kubernetes.io/component", ""),
        phase=status.get("phase", "Unknown"),
        ready=ready,
        terminating=bool(metadata.get("deletionTimestamp")),
        node=(pod.get("spec") or {}).get("nodeName"),
        ip=status.get("podIP"),
        restarts=sum(int(c.get("restartCount") or 0) for c in containers),
        reason=reason,
        message=message[:1000],
        container=container,
        created_at=metadata.get("creationTimestamp"),
        template=labels.get("pod-template-hash") or labels.get(f"{GROUP_LABELS}/template-revision-hash", ""),
        uid=metadata.get("uid", ""),
        routed=labels.get(SERVING, "true") == "true",
        unrouted_at=(metadata.get("annotations") or {}).get(UNROUTED_AT, ""),
        group=labels.get(f"{GROUP_LABELS}/group-index", ""),
        place=place_of(labels),
        scheduler=_awaited(pod.get("spec") or {}, status),
    )


def place_of(labels: Mapping[str, str]) -> int:
    """The set of accelerators, from 0, that labels of a pod or of a Deployment name."""
    number = labels.get(SET, "1")
    return max(int(number) - 1, 0) if number.isdecimal() else 0


def _awaited(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    if spec.get("nodeName") or status.get("phase") != "Pending" or _condition(status, "PodScheduled"):
        return ""
    return str(spec.get("schedulerName") or "default-scheduler")


def _why(spec: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[str, str, str]:
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        reason, message = str(scheduled.get("reason") or UNSCHEDULABLE), str(scheduled.get("message") or "")
        if reason == GATED:
            gates = ", ".join(str(gate.get("name")) for gate in spec.get("schedulingGates") or [])
            message += f" ({gates})" if gates else ""
        return reason, message, ""
    if status.get("reason"):
        return str(status["reason"]), str(status.get("message") or ""), ""
    everything = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    for container in everything:
        state = container.get("state") or {}
        waiting, ended = state.get("waiting"), state.get("terminated")
        name = str(container.get("name", ""))
        if waiting and waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return str(waiting["reason"]), _waiting_message(container, waiting), name
        if ended and ended.get("reason") != "Completed":
            return str(ended.get("reason") or "Error"), _ended_message(ended), name
    return "", "", ""


def _waiting_message(container: Mapping[str, Any], waiting: Mapping[str, Any]) -> str:
    message = str(waiting.get("message") or "")
    last = (container.get("lastState") or {}).get("terminated")
    return f"{_ended_message(last)}; {message}" if last else message


def _ended_message(ended: Mapping[str, Any]) -> str:
    said = str(ended.get("message") or "").strip()
    return f"it ended with exit code {ended.get('exitCode')}" + (f": {said}" if said else "")


def _condition(status: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    return next((c for c in status.get("conditions") or [] if c.get("type") == type_), {})


# --- pods that are on no node ---------------------------------------------------------------------------------------
def not_placed(pods: Sequence[Replica], now: datetime) -> Replica | None:
    """The first pod that is on no node and waits for what may not come: room, somebody's gate, a scheduler."""
    waiting = next((pod for pod in pods if pod.reason in NOT_PLACED and not pod.terminating), None)
    return waiting or _not_looked_at(pods, now)


def looked_at_due(pods: Iterable[Replica], now: datetime) -> float | None:
    """Seconds until it is to be said that no scheduler has looked at one of the pods; None where nothing will be."""
    due = [LOOKED_AT_SECONDS - age for pod in pods if (age := _unseen_seconds(pod, now)) is not None]
    return min((left for left in due if left > 0), default=None)


def _not_looked_at(pods: Iterable[Replica], now: datetime) -> Replica | None:
    """The first pod at which no scheduler has looked in time. Its sentence has the moment, not the seconds since: what
    is said would be news each time else."""
    for pod in pods:
        age = _unseen_seconds(pod, now)
        if age is not None and age >= LOOKED_AT_SECONDS:
            since = (pod.created_at or "").replace("T", " ").replace("Z", " UTC")
            said = f"no scheduler has looked at it since it was made at {since}; its schedulerName is {pod.scheduler}"
            return replace(pod, reason=NO_SCHEDULER, message=said)
    return None


def _unseen_seconds(pod: Replica, now: datetime) -> float | None:
    """How long a pod has waited for a scheduler's first look; None where it does not."""
    if not pod.scheduler or pod.terminating or not pod.created_at:
        return None
    return (now - datetime.fromisoformat(pod.created_at)).total_seconds()
