"""A pod's status from what its containers do: phase, conditions, container statuses, as a kubelet writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.embedded.domain.objects import Object, find_condition, rfc3339

OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")


@dataclass(frozen=True)
class Terminated:
    """How one run of a container ended. ``signal`` is the number that killed it, 0 for none."""

    exit_code: int
    reason: str
    started_at: datetime
    finished_at: datetime
    message: str = ""
    signal: int = 0
    container_id: str = ""


@dataclass
class ContainerState:
    """What is known of a container now: running if it has a start, else terminated if it has an end, else waiting."""

    name: str
    image: str
    running_since: datetime | None = None
    terminated: Terminated | None = None
    waiting_reason: str = "PodInitializing"
    waiting_message: str = ""
    last: Terminated | None = None
    restart_count: int = 0
    container_id: str = ""
    image_id: str = ""
    started: bool = False
    ready: bool = False

    @property
    def is_done(self) -> bool:
        """Ended, and nobody waits to start it again."""
        return self.running_since is None and self.terminated is not None


@dataclass
class PodState:
    """The pod as its worker sees it."""

    pod_ip: str = ""
    host_ip: str = ""
    start_time: datetime | None = None
    containers: list[ContainerState] = field(default_factory=list)
    init_containers: list[ContainerState] = field(default_factory=list)


def restart_policy(pod: Mapping[str, Any]) -> str:
    return str(pod["spec"].get("restartPolicy", "Always"))


def should_restart(policy: str, exit_code: int) -> bool:
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def is_sidecar(container: Mapping[str, Any]) -> bool:
    """A native sidecar: an init container that is restarted for as long as the pod lives."""
    return container.get("restartPolicy") == "Always"


def _terminated(entry: Terminated) -> Object:
    result: Object = {"exitCode": entry.exit_code}
    if entry.signal:
        result["signal"] = entry.signal
    result["reason"] = entry.reason
    if entry.message:
        result["message"] = entry.message
    result["startedAt"] = rfc3339(entry.started_at)
    result["finishedAt"] = rfc3339(entry.finished_at)
    if entry.container_id:
        result["containerID"] = entry.container_id
    return result


def container_status(state: ContainerState) -> Object:
    current: Object
    if state.running_since is not None:
        current = {"running": {"startedAt": rfc3339(state.running_since)}}
    elif state.terminated is not None:
        current = {"terminated": _terminated(state.terminated)}
    else:
        current = {"waiting": {"reason": state.waiting_reason}}
        if state.waiting_message:
            current["waiting"]["message"] = state.waiting_message
    result: Object = {
        "name": state.name,
        "state": current,
        "lastState": {"terminated": _terminated(state.last)} if state.last else {},
        "ready": state.ready,
        "restartCount": state.restart_count,
        "image": state.image,
        "imageID": state.image_id,
        "started": state.started,
    }
    if state.container_id:
        result["containerID"] = state.container_id
    return result


def phase(pod: Mapping[str, Any], state: PodState) -> str:
    """Pending until every init container is through and every container ran; then Running, Succeeded or Failed."""
    policy = restart_policy(pod)
    for spec, init in zip(pod["spec"].get("initContainers") or [], state.init_containers, strict=False):
        if is_sidecar(spec):
            if not (init.started or init.is_done or init.last):
                return "Pending"
        elif init.terminated is None or init.terminated.exit_code != 0:
            failed = init.is_done and init.terminated is not None and init.terminated.exit_code != 0
            return "Failed" if failed and policy == "Never" else "Pending"
    if any(
        entry.running_since is None and entry.terminated is None and entry.last is None for entry in state.containers
    ):
        return "Pending"
    ends = [entry.terminated for entry in state.containers if entry.running_since is None and entry.terminated]
    if len(ends) < len(state.containers) or policy == "Always":
        return "Running"
    codes = [end.exit_code for end in ends]
    if all(code == 0 for code in codes):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def _is_initialized(pod: Mapping[str, Any], state: PodState) -> list[str]:
    """The names of the init containers that are not through."""
    incomplete = []
    for spec, init in zip(pod["spec"].get("initContainers") or [], state.init_containers, strict=False):
        through = init.started if is_sidecar(spec) else bool(init.terminated and init.terminated.exit_code == 0)
        if not through:
            incomplete.append(init.name)
    return incomplete


def conditions(pod: Mapping[str, Any], state: PodState, phase_: str, now: datetime) -> list[Object]:
    """Our own conditions, then those of others (PodScheduled, readiness gates), which are kept."""
    known = (pod.get("status") or {}).get("conditions") or []
    incomplete = _is_initialized(pod, state)
    succeeded = phase_ == "Succeeded"
    sidecars = [
        init
        for spec, init in zip(pod["spec"].get("initContainers") or [], state.init_containers, strict=False)
        if is_sidecar(spec)
    ]
    unready = [entry.name for entry in [*sidecars, *state.containers] if not entry.ready]
    not_ready = ("False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    if succeeded:
        not_ready = ("False", "PodCompleted", "")
    elif phase_ == "Failed":
        not_ready = ("False", "PodFailed", "")
    containers_ready = ("True", "", "") if not unready else not_ready
    ready = containers_ready
    if ready[0] == "True":
        gates = [
            gate["conditionType"]
            for gate in pod["spec"].get("readinessGates") or []
            if (find_condition(known, gate["conditionType"]) or {}).get("status") != "True"
        ]
        if gates:
            ready = (
                "False",
                "ReadinessGatesNotReady",
                "\n".join(f'the status of pod readiness gate "{gate}" is not "True"' for gate in gates),
            )
    initialized = ("True", "PodCompleted" if succeeded else "", "")
    if incomplete:
        initialized = (
            "False",
            "ContainersNotInitialized",
            f"containers with incomplete status: [{' '.join(incomplete)}]",
        )
    own = {
        "PodReadyToStartContainers": ("True" if state.pod_ip else "False", "", ""),
        "Initialized": initialized,
        "Ready": ready,
        "ContainersReady": containers_ready,
    }
    generation = pod["metadata"].get("generation", 1)
    result = [
        _condition(type_, verdict, find_condition(known, type_), generation, now) for type_, verdict in own.items()
    ]
    return result + [dict(entry) for entry in known if entry["type"] not in OWN_CONDITIONS]


def _condition(type_: str, verdict: tuple[str, str, str], old: Object | None, generation: int, now: datetime) -> Object:
    status, reason, message = verdict
    unchanged = old is not None and old["status"] == status
    result: Object = {
        "type": type_,
        "observedGeneration": generation,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": old["lastTransitionTime"] if old is not None and unchanged else rfc3339(now),
    }
    if reason:
        result["reason"] = reason
    if message:
        result["message"] = message
    return result


def pod_status(pod: Mapping[str, Any], state: PodState, now: datetime) -> Object:
    """The whole status of the pod (``pod`` gives spec and the conditions that are there)."""
    phase_ = phase(pod, state)
    status: Object = {
        "observedGeneration": pod["metadata"].get("generation", 1),
        "phase": phase_,
        "conditions": conditions(pod, state, phase_, now),
        "hostIP": state.host_ip,
        "hostIPs": [{"ip": state.host_ip}],
    }
    if state.pod_ip:
        status |= {"podIP": state.pod_ip, "podIPs": [{"ip": state.pod_ip}]}
    if state.start_time is not None:
        status["startTime"] = rfc3339(state.start_time)
    if state.init_containers:
        status["initContainerStatuses"] = [container_status(entry) for entry in state.init_containers]
    status["containerStatuses"] = [container_status(entry) for entry in state.containers]
    old = pod.get("status") or {}
    if old.get("qosClass"):
        status["qosClass"] = old["qosClass"]
    return status


def restored(pod: Mapping[str, Any], now: datetime, message: str) -> Mapping[str, ContainerState]:
    """Container name → state, of a pod whose processes were lost with an earlier kubelet.

    What ran counts as ended without a known exit code (137), and its next start as a restart.
    """
    status = pod.get("status") or {}
    found: dict[str, ContainerState] = {}
    entries: Sequence[Mapping[str, Any]] = [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]
    for entry in entries:
        state = ContainerState(
            name=entry["name"],
            image=entry.get("image", ""),
            restart_count=entry.get("restartCount", 0),
            container_id=entry.get("containerID", ""),
        )
        current = entry.get("state") or {}
        if "running" in current:
            started = datetime.fromisoformat(current["running"]["startedAt"].replace("Z", "+00:00"))
            state.last = Terminated(
                137, "ContainerStatusUnknown", started, now, message, container_id=state.container_id
            )
            state.restart_count += 1
        elif "terminated" in current:
            state.terminated = _read_terminated(current["terminated"])
        elif "terminated" in (entry.get("lastState") or {}):
            state.restart_count += 1
        if state.last is None and "terminated" in (entry.get("lastState") or {}):
            state.last = _read_terminated(entry["lastState"]["terminated"])
        found[state.name] = state
    return found


def _read_terminated(entry: Mapping[str, Any]) -> Terminated:
    return Terminated(
        exit_code=entry.get("exitCode", 0),
        reason=entry.get("reason", ""),
        started_at=_moment(entry.get("startedAt")),
        finished_at=_moment(entry.get("finishedAt")),
        message=entry.get("message", ""),
        signal=entry.get("signal", 0),
        container_id=entry.get("containerID", ""),
    )


def _moment(text: str | None) -> datetime:
    return datetime.fromisoformat((text or "1970-01-01T00:00:00Z").replace("Z", "+00:00"))
