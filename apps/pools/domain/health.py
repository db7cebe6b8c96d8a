"""What a pool says of itself: sync (declared versus live) and health (does it serve), two independent statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.core.domain.conditions import Condition, Status
from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.picker import COMPONENT_PICKER
from apps.pools.domain.pods import UNSCHEDULABLE, Replica

Deployment = Mapping[str, Any]


@dataclass(frozen=True)
class Sync:
    """Whether the cluster holds what is declared. `state`: Synced, OutOfSync, Unknown."""

    state: str
    reason: str
    message: str


@dataclass(frozen=True)
class VariantState:
    """Replicas of one variant. `starting`: pods neither ready nor going; `updated`: pods of the newest spec."""

    name: str
    accelerator: str
    accelerators: int
    desired: int
    ready: int
    starting: int
    updated: int
    settled: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "accelerator": self.accelerator,
            "accelerators": self.accelerators,
            "desired": self.desired,
            "ready": self.ready,
            "starting": self.starting,
            "updated": self.updated,
        }


@dataclass(frozen=True)
class Health:
    """`state`: Healthy, Progressing, Degraded, Suspended, Missing, Unknown. `blamed`: the pod the reason is about."""

    state: str
    reason: str
    message: str
    blamed: Replica | None = field(default=None, compare=False)

    @property
    def serves(self) -> bool:
        return self.state in ("Healthy", "Suspended")


def variant_state(
    name: str, accelerator: str, accelerators: int, desired: int, live: Deployment | None, pods: Iterable[Replica]
) -> VariantState:
    """Count the replicas of one variant. It is settled when its Deployment says that the newest spec is rolled out."""
    mine = [pod for pod in pods if pod.variant == name and pod.component == COMPONENT_ENGINE]
    status = (live or {}).get("status") or {}
    return VariantState(
        name=name,
        accelerator=accelerator,
        accelerators=accelerators,
        desired=desired,
        ready=sum(pod.ready and not pod.terminating for pod in mine),
        starting=sum(not pod.ready and not pod.terminating for pod in mine),
        updated=int(status.get("updatedReplicas") or 0),
        settled=live is not None and rolled_out(live, desired),
    )


def rolled_out(live: Deployment, desired: int) -> bool:
    """Whether a Deployment's controller has seen its spec and all replicas are of it and available."""
    status = live.get("status") or {}
    return (
        int(status.get("observedGeneration") or 0) >= int(live["metadata"].get("generation") or 0)
        and int((live.get("spec") or {}).get("replicas", 1)) == desired
        and int(status.get("updatedReplicas") or 0) == desired
        and int(status.get("replicas") or 0) == desired
        and int(status.get("availableReplicas") or 0) == desired
    )


def health_of(
    variants: Sequence[VariantState],
    deployments: Mapping[str, Deployment],
    picker: Deployment | None,
    pods: Sequence[Replica],
) -> Health:
    """Does the pool serve? `deployments`: of the variants, by variant name; `picker`: None where none is rendered."""
    if not deployments:
        return Health("Missing", "NothingDeployed", "nothing of the pool is in the cluster yet")
    desired = sum(v.desired for v in variants)
    ready = sum(v.ready for v in variants)
    blamed = next((pod for pod in pods if pod.bad), None)
    counted = f"{ready} of {desired} replicas ready"
    if blamed is not None:
        return Health("Degraded", blamed.reason, f"{counted}; {_said(blamed)}", blamed)
    stuck = next((text for live in [*deployments.values(), picker] if live and (text := _stuck(live))), None)
    waiting = next((pod for pod in pods if pod.reason == UNSCHEDULABLE and not pod.terminating), None)
    if stuck is not None:
        said = f"; {_said(waiting)}" if waiting else ""
        return Health("Degraded", "ProgressDeadlineExceeded", f"{counted}; {stuck}{said}", waiting)
    if waiting is not None:
        return Health("Progressing", UNSCHEDULABLE, f"{counted}; {_said(waiting)}", waiting)
    if picker is not None and not rolled_out(picker, 1):
        return Health("Progressing", "EndpointPickerStarting", f"{counted}; the endpoint picker is starting")
    unsettled = [v for v in variants if not v.settled]
    if unsettled:
        first = unsettled[0]
        rolling = first.ready >= first.desired and first.updated < first.desired
        reason = "RollingOut" if rolling else "ReplicasStarting" if first.ready < first.desired else "ReplicasStopping"
        return Health("Progressing", reason, f"{counted}; variant {first.name} has {first.updated} of the newest spec")
    if desired == 0:
        return Health("Suspended", "ScaledToZero", "every variant is scaled to zero: requests find no replica")
    return Health("Healthy", "AllReplicasReady", f"all {desired} replicas are ready")


def _stuck(live: Deployment) -> str | None:
    conditions = (live.get("status") or {}).get("conditions") or []
    found = next((c for c in conditions if c.get("type") == "Progressing" and c.get("status") == "False"), None)
    return str(found.get("message") or found.get("reason")) if found else None


def _said(pod: Replica) -> str:
    what = "the endpoint picker" if pod.component == COMPONENT_PICKER else "replica"
    return f"{what} {pod.name}: {pod.reason}" + (f": {pod.message}" if pod.message else "")


def conditions_of(sync: Sync, health: Health, generation: int) -> list[Condition]:
    """Ready (the summary), Synced, Healthy and Progressing."""

    def condition(type_: str, status: Status, reason: str, message: str) -> Condition:
        return Condition(type_, status, reason, message, generation)

    synced: Status = {"Synced": "True", "OutOfSync": "False"}.get(sync.state, "Unknown")  # type: ignore[assignment]
    healthy: Status = "Unknown" if health.state == "Unknown" else "True" if health.serves else "False"
    if synced != "True":
        ready = condition("Ready", "Unknown" if synced == "Unknown" else "False", sync.reason, sync.message)
    else:
        ready = condition("Ready", healthy, health.reason, health.message)
    moving: Status = "Unknown" if health.state == "Unknown" else "True" if health.state == "Progressing" else "False"
    return [
        ready,
        condition("Synced", synced, sync.reason, sync.message),
        condition("Healthy", healthy, health.reason, health.message),
        condition("Progressing", moving, health.reason, health.message),
    ]
