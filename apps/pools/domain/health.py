"""What a pool says of itself: sync (declared versus live) and health (does it serve), two independent statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.core.domain.conditions import Condition, Status
from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.groups import groups_rolled_out, is_group, ready_and_starting
from apps.pools.domain.options.model_cache import COMPONENT_WEIGHTS
from apps.pools.domain.picker import COMPONENT_PICKER
from apps.pools.domain.pods import NOT_PLACED, Replica, not_placed
from apps.pools.domain.reasons import REASONS
from apps.pools.domain.rollout import Held

Deployment = Mapping[str, Any]


@dataclass(frozen=True)
class Sync:
    """Whether the cluster holds what is declared. `state`: Synced, OutOfSync, Unknown."""

    state: str
    reason: str
    message: str


@dataclass(frozen=True)
class VariantState:
    """Replicas of one variant. `starting`: neither ready nor going; `updated`: of the newest spec. `accelerators`: of
    one replica, which may be a group of pods. `on_trial`: how many are to stand beside the `desired` ones (a canary);
    they serve, and count among those that are ready or starting. `asleep`: of the ready ones, those that were seen in
    warm standby: they serve nobody before they are woken."""

    name: str
    accelerator: str
    accelerators: int
    desired: int
    ready: int
    starting: int
    updated: int
    settled: bool
    on_trial: int = 0
    asleep: int = 0

    @property
    def wanted(self) -> int:
        """All that are to be there, with those on trial."""
        return self.desired + self.on_trial

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "accelerator": self.accelerator,
            "accelerators": self.accelerators,
            "desired": self.wanted,
            "ready": self.ready,
            "starting": self.starting,
            "updated": self.updated,
            **({"onTrial": self.on_trial} if self.on_trial else {}),
            **({"asleep": self.asleep} if self.asleep else {}),
        }


@dataclass(frozen=True)
class Health:
    """`state`: Healthy, Progressing, Degraded, Suspended, Missing, Unknown. `blamed`: the pod the reason is about.

    `parts`: what the whole was put together from, by condition type (EnginesReady, RoutingReady).
    """

    state: str
    reason: str
    message: str
    blamed: Replica | None = field(default=None, compare=False)
    parts: Mapping[str, Health] = field(default_factory=dict, compare=False)

    @property
    def serves(self) -> bool:
        return self.state in ("Healthy", "Suspended")

    @property
    def status(self) -> Status:
        """The same as the status of a condition."""
        return "Unknown" if self.state == "Unknown" else "True" if self.serves else "False"


def variant_state(
    name: str,
    accelerator: str,
    accelerators: int,
    desired: int,
    live: Deployment | None,
    pods: Iterable[Replica],
    *,
    on_trial: int = 0,
    asleep: int = 0,
) -> VariantState:
    """Count the replicas of one variant. It is settled when its Deployment says that the newest spec is rolled out."""
    mine = [pod for pod in pods if pod.variant == name and pod.component == COMPONENT_ENGINE]
    status = (live or {}).get("status") or {}
    ready, starting = ready_and_starting(live, mine)
    return VariantState(
        name=name,
        accelerator=accelerator,
        accelerators=accelerators,
        desired=desired,
        ready=ready,
        starting=starting,
        updated=int(status.get("updatedReplicas") or 0),
        settled=live is not None and rolled_out(live, desired),
        on_trial=on_trial,
        asleep=min(asleep, ready),
    )


def rolled_out(live: Deployment, desired: int) -> bool:
    """Whether a workload's controller has seen its spec and all replicas are of it and available."""
    if is_group(live):
        return groups_rolled_out(live, desired)
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
    now: datetime,
) -> Health:
    """Does the pool serve? `deployments`: of the variants, by variant name; `picker`: None where none is rendered.

    Engines and routing are judged apart; the whole is as bad as the worse of them.
    """
    if not deployments:
        return Health("Missing", "NothingDeployed", "nothing of the pool is in the cluster yet")
    counted = f"{sum(v.ready for v in variants)} of {sum(v.wanted for v in variants)} replicas ready"
    # a Job that fetches weights is told of by a condition of its own
    mine = [pod for pod in pods if pod.component not in (COMPONENT_PICKER, COMPONENT_WEIGHTS)]
    engines = _engines(variants, deployments, mine, counted, now)
    routing = _routing(picker, [pod for pod in pods if pod.component == COMPONENT_PICKER], counted, now)
    worst = min((engines, routing), key=_badness)
    return Health(
        worst.state, worst.reason, worst.message, worst.blamed, {"EnginesReady": engines, "RoutingReady": routing}
    )


def _badness(part: Health) -> tuple[int, int]:
    """Smaller is worse. Of two that are on their way the one that waits for room comes first, then the routing."""
    order = ("Degraded", "Progressing", "Suspended", "Healthy")
    within = 0 if part.reason in NOT_PLACED else 1 if part.reason == "EndpointPickerStarting" else 2
    return (order.index(part.state), within)


def ready_sentence(replicas: int, asleep: int = 0) -> str:
    """What is said of a pool whose replicas are all there; `asleep`: so many of them serve nobody before they wake."""
    if asleep >= replicas > 0:
        who = "the one replica is" if replicas == 1 else f"all {replicas} replicas are"
        return f"{who} asleep; the first request wakes one"
    said = "the one replica is ready" if replicas == 1 else f"all {replicas} replicas are ready"
    return f"{said}; {asleep} of them asleep" if asleep else said


def _engines(
    variants: Sequence[VariantState],
    deployments: Mapping[str, Deployment],
    pods: Sequence[Replica],
    counted: str,
    now: datetime,
) -> Health:
    trouble = _trouble(list(deployments.values()), pods, counted, now)
    if trouble is not None:
        return trouble
    first = next((v for v in variants if not v.settled), None)
    if first is not None:
        said = f"{counted}; variant {first.name} has {first.updated} of the newest spec"
        return Health("Progressing", _on_the_way(first), said)
    wanted, ready = sum(v.wanted for v in variants), sum(v.ready for v in variants)
    if wanted == 0:
        return Health("Suspended", "ScaledToZero", "every variant is scaled to zero: requests find no replica")
    if ready < wanted and any(v.on_trial for v in variants):
        return Health("Healthy", "AllReplicasReady", f"{counted}; the one on trial is on its way")
    asleep = sum(v.asleep for v in variants)
    reason = "AllReplicasAsleep" if asleep >= wanted else "AllReplicasReady"
    return Health("Healthy", reason, ready_sentence(wanted, asleep))


def _on_the_way(variant: VariantState) -> str:
    """Why a variant is not settled. Pods are ready a moment before their Deployment counts them: until then they are
    starting, and nobody leaves."""
    if variant.ready < variant.desired:
        return "ReplicasStarting"
    if variant.updated < variant.desired:
        return "RollingOut"
    return "ReplicasStopping" if variant.ready + variant.starting > variant.wanted else "ReplicasStarting"


def _routing(picker: Deployment | None, pods: Sequence[Replica], counted: str, now: datetime) -> Health:
    trouble = _trouble([picker] if picker else [], pods, counted, now)
    if trouble is not None:
        return trouble
    if picker is None:
        return Health("Healthy", "NoEndpointPicker", "no endpoint picker: the Service spreads requests")
    if not rolled_out(picker, int((picker.get("spec") or {}).get("replicas", 1))):
        return Health("Progressing", "EndpointPickerStarting", f"{counted}; the endpoint picker is starting")
    return Health("Healthy", "EndpointPickerReady", "the endpoint picker is ready")


def _trouble(deployments: Sequence[Deployment], pods: Sequence[Replica], counted: str, now: datetime) -> Health | None:
    """What a person may have to look at, the worst first."""
    blamed = next((pod for pod in pods if pod.bad), None)
    if blamed is not None:
        return Health("Degraded", blamed.reason, f"{counted}; {_said(blamed)}", blamed)
    late = next((text for live in deployments if (text := stuck(live))), None)
    waiting = not_placed(pods, now)
    if late is not None:
        said = f"; {_said(waiting)}" if waiting else ""
        return Health("Degraded", "ProgressDeadlineExceeded", f"{counted}; {late}{said}", waiting)
    if waiting is not None:
        return Health("Progressing", waiting.reason, f"{counted}; {_said(waiting)}", waiting)
    return None


def stuck(live: Deployment) -> str | None:
    """What a Deployment says when its progress deadline has passed, else None. A LeaderWorkerSet has no deadline, and
    its Progressing is False whenever it rests."""
    if is_group(live):
        return None
    conditions = (live.get("status") or {}).get("conditions") or []
    found = next((c for c in conditions if c.get("type") == "Progressing" and c.get("status") == "False"), None)
    return str(found.get("message") or found.get("reason")) if found else None


def _said(pod: Replica) -> str:
    what = "the endpoint picker" if pod.component == COMPONENT_PICKER else "replica"
    return f"{what} {pod.name}: {pod.reason}" + (f": {pod.message}" if pod.message else "")


# each is looked at only when those before it hold
_SYNC_PARTS = (
    ("Reachable", "Answers", "the cluster answers"),
    ("Rendered", "Rendered", "the declaration makes objects"),
    ("Owned", "OwnedByUs", "nobody else owns fields that the pool declares"),
    ("Applied", "Applied", "the objects are as declared"),
)
_PART_OF_REASON = {
    row.reason: row.type for row in REASONS if row.type in {part for part, _, _ in _SYNC_PARTS} | {"Synced"}
}


def conditions_of(sync: Sync, health: Health, generation: int, standing: Held | None = None) -> list[Condition]:
    """The condition tree of a pool (domain/reasons.py), flat: Ready first, and each before its parts.

    `standing`: a roll-out that was paused or has stopped.
    """

    def condition(type_: str, status: Status, reason: str, message: str) -> Condition:
        return Condition(type_, status, reason, message, generation)

    synced: Status = {"Synced": "True", "OutOfSync": "False"}.get(sync.state, "Unknown")  # type: ignore[assignment]
    healthy = health.status
    if synced != "True":
        ready = condition("Ready", "Unknown" if synced == "Unknown" else "False", sync.reason, sync.message)
    else:
        ready = condition("Ready", healthy, health.reason, health.message)
    moving: Status = "Unknown" if health.state == "Unknown" else "True" if health.state == "Progressing" else "False"
    on_the_way = "Moving" if moving == "True" else "NotSeen" if moving == "Unknown" else "Settled"
    return [
        ready,
        condition("Synced", synced, sync.reason, sync.message),
        *(condition(*part) for part in _sync_parts(sync, synced)),
        condition("Healthy", healthy, health.reason, health.message),
        *(condition(*part) for part in _health_parts(health)),
        condition("Progressing", "False", f"Rollout{standing.state}", standing.message)
        if standing is not None
        else condition("Progressing", moving, on_the_way, health.message),
    ]


def _sync_parts(sync: Sync, status: Status) -> list[tuple[str, Status, str, str]]:
    """The parts of Synced up to the one that fails hold; what comes after it was not looked at."""
    fails = _PART_OF_REASON.get(sync.reason, "Applied") if status != "True" else None
    parts: list[tuple[str, Status, str, str]] = []
    reached = fails != "Synced"
    for type_, reason, message in _SYNC_PARTS:
        if not reached:
            parts.append((type_, "Unknown", "NotReached", "not looked at: something before it does not hold"))
        elif type_ == fails:
            parts.append((type_, status, sync.reason, sync.message))
            reached = False
        else:
            parts.append((type_, "True", reason, message))
    return parts


def _health_parts(health: Health) -> list[tuple[str, Status, str, str]]:
    parts: list[tuple[str, Status, str, str]] = []
    for type_ in ("EnginesReady", "RoutingReady"):
        part = health.parts.get(type_)
        if part is None:
            parts.append((type_, "Unknown", "NotReached", health.message))
        else:
            parts.append((type_, part.status, part.reason, part.message))
    return parts
