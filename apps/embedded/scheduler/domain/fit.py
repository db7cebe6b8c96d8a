"""Which node a pod goes to, or why it fits nowhere, in the scheduler's own words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from apps.embedded.domain.objects import Object, controller_of, matches_requirement
from apps.embedded.scheduler.domain.resources import Amounts, add, allocatable, pod_requests, total_requests

NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"


@dataclass
class NodeState:
    """A node and what runs on it; ``assume`` keeps it current while several pods are placed in a row."""

    node: Object
    pods: list[Object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.free_of = allocatable(self.node)
        self.used: Amounts = total_requests(self.pods)

    @property
    def name(self) -> str:
        return str(self.node["metadata"]["name"])

    @property
    def labels(self) -> Mapping[str, str]:
        return self.node["metadata"].get("labels") or {}

    def assume(self, pod: Object) -> None:
        self.pods.append(pod)
        self.used = add(self.used, {**pod_requests(pod), "pods": Decimal(1)})


@dataclass(frozen=True)
class Misfit:
    """Why one node cannot take a pod. ``resolvable``: it could if other pods went away."""

    reasons: tuple[str, ...]
    resolvable: bool = False


def tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def _untolerated(pod: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any] | None:
    tolerations = pod["spec"].get("tolerations") or []
    for taint in node["spec"].get("taints") or []:
        if taint["effect"] in ("NoSchedule", "NoExecute") and not any(tolerates(entry, taint) for entry in tolerations):
            return dict(taint)
    return None


def _term_matches(term: Mapping[str, Any], state: NodeState) -> bool:
    rules = [*(term.get("matchExpressions") or [])]
    fields = [*(term.get("matchFields") or [])]
    if not rules and not fields:
        return False
    return all(matches_requirement(rule, state.labels) for rule in rules) and all(
        matches_requirement(rule, {"metadata.name": state.name}) for rule in fields
    )


def matches_affinity(pod: Mapping[str, Any], state: NodeState) -> bool:
    """nodeSelector and the required node affinity of a pod."""
    spec = pod["spec"]
    if any(state.labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or any(_term_matches(term, state) for term in required["nodeSelectorTerms"])


def _host_ports(pod: Mapping[str, Any]) -> set[tuple[str, int]]:
    return {
        (port.get("protocol", "TCP"), port["hostPort"])
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or []
        if port.get("hostPort")
    }


def check(pod: Mapping[str, Any], state: NodeState) -> Misfit | None:
    """None when the pod fits; the reasons of the first rule that it breaks otherwise."""
    node = state.node
    if node["spec"].get("unschedulable"):
        return Misfit(("node(s) were unschedulable",))
    taint = _untolerated(pod, node)
    if taint is not None:
        return Misfit((f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}",))
    if not matches_affinity(pod, state):
        return Misfit(("node(s) didn't match Pod's node affinity/selector",))
    wanted_ports = _host_ports(pod)
    if wanted_ports and any(wanted_ports & _host_ports(other) for other in state.pods):
        return Misfit(("node(s) didn't have free ports for the requested pod ports",), resolvable=True)
    return _check_resources(pod, state)


def _check_resources(pod: Mapping[str, Any], state: NodeState) -> Misfit | None:
    reasons: list[str] = []
    resolvable = True
    for name, amount in {"pods": Decimal(1), **pod_requests(pod)}.items():
        if amount == 0:
            continue
        capacity = state.free_of.get(name, Decimal(0))
        if amount > capacity - state.used.get(name, Decimal(0)):
            reasons.append("Too many pods" if name == "pods" else f"Insufficient {name}")
            resolvable = resolvable and amount <= capacity
    return Misfit(tuple(reasons), resolvable) if reasons else None


def _accelerators(amounts: Mapping[str, Decimal]) -> set[str]:
    """Extended resources: those with a domain in their name."""
    return {name for name, amount in amounts.items() if "/" in name and amount > 0}


def _preference(pod: Mapping[str, Any], state: NodeState) -> tuple[Any, ...]:
    """Lower is better: preferred affinity, accelerators kept for those who ask, replicas spread, room left, name."""
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    weight = sum(
        entry["weight"]
        for entry in affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or []
        if _term_matches(entry["preference"], state)
    )
    wasted = _accelerators(state.free_of) - _accelerators(pod_requests(pod))
    owner = controller_of(pod)
    siblings = sum(
        owner is not None and (reference := controller_of(other)) is not None and reference["uid"] == owner["uid"]
        for other in state.pods
    )
    fullest = max(
        (
            state.used.get(name, Decimal(0)) / capacity
            for name, capacity in state.free_of.items()
            if capacity > 0 and name != "ephemeral-storage"
        ),
        default=Decimal(0),
    )
    return (-weight, len(wasted), siblings, fullest, state.name)


@dataclass(frozen=True)
class Placement:
    """``node`` is the name of the chosen node, or None with the ``message`` of the PodScheduled condition."""

    node: str | None
    message: str = ""


def place(pod: Mapping[str, Any], states: Sequence[NodeState]) -> Placement:
    if not states:
        return Placement(None, "no nodes available to schedule pods")
    misfits: list[Misfit] = []
    fitting: list[NodeState] = []
    for state in states:
        misfit = check(pod, state)
        if misfit is None:
            fitting.append(state)
        else:
            misfits.append(misfit)
    if fitting:
        return Placement(min(fitting, key=lambda state: _preference(pod, state)).name)
    return Placement(None, _explain(len(states), misfits))


def _explain(nodes: int, misfits: Sequence[Misfit]) -> str:
    reasons = Counter(reason for misfit in misfits for reason in misfit.reasons)
    preemption = Counter(NO_VICTIMS if misfit.resolvable else NOT_HELPFUL for misfit in misfits)
    return (
        f"0/{nodes} nodes are available: {_histogram(reasons)}. no new claims to deallocate, "
        f"preemption: 0/{nodes} nodes are available: {_histogram(preemption)}."
    )


def _histogram(counts: Mapping[str, int]) -> str:
    return ", ".join(sorted(f"{count} {text}" for text, count in counts.items()))
