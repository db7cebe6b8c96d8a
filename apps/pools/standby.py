"""Putting engines to sleep and waking them: the pool controller's part that speaks to engines instead of the cluster.

Called after replicas are settled. It reads what each engine says of itself, takes the next step of each (see
domain/standby), and reports. A worker that dies between two steps leaves what the next look goes on from: a pod out of
the routing, an engine that sleeps. An engine that cannot be woken is started anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import requests

from apps.clusters.errors import Conflict, NotFound
from apps.clusters.kube import Kube
from apps.core import clock
from apps.core.domain.conditions import Condition
from apps.pools import engine_pages, selectors, tokens
from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.guarded import sleeps
from apps.pools.domain.picker import COMPONENT_PICKER, METRICS_PORT
from apps.pools.domain.pods import SERVING, UNROUTED_AT, Replica, read_pod
from apps.pools.domain.spec import PoolSpec, Variant
from apps.pools.domain.standby import EnginePod, Page, Step, condition, page_of, steps
from apps.pools.models import Pool, ReplicaTarget
from apps.pools.observing import Observed, everything
from apps.pools.recording import Note
from apps.reconcile.services import Fence

__all__ = ["NOTHING", "SOON_SECONDS", "Allowed", "Held", "Stood", "held_requests", "seen_pod", "settle"]

log = logging.getLogger(__name__)

MANAGER = "lamplight-standby"
SOON_SECONDS = 0.5
# level 1 copies the weights to host memory and back; the measured 7 s and 1 s are of 16 GB
_SLEEP = (1.0, 60.0)
_WAKE = (1.0, 20.0)
_AT_ONCE = 16
_QUEUE = ("llm_d_epp_flow_control_queue_size", "llm_d_epp_flow_control_queue_bytes")
_SERIES = (
    "vllm:engine_sleep_state",
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:request_success_total",
)


@dataclass(frozen=True)
class Stood:
    """What was done. `again`: seconds until the next look, None where nothing is on its way. `asleep`: how many engines
    of each variant were seen asleep."""

    notes: tuple[Note, ...] = ()
    condition: Condition | None = None
    again: float | None = None
    asleep: Mapping[str, int] = field(default_factory=dict)


NOTHING = Stood()


class AllowedSet(Protocol):
    """What a pool may do with one set of the accelerators that it shares (apps/pools/sharing)."""

    @property
    def may_serve(self) -> bool: ...

    @property
    def serves(self) -> bool: ...

    def promise(self) -> bool: ...

    def kept(self) -> None: ...


class Allowed(Protocol):
    """What a pool that shares its accelerators may do now."""

    @property
    def sets(self) -> Sequence[AllowedSet]: ...

    @property
    def again(self) -> float | None: ...

    @property
    def said(self) -> str: ...


def settle(
    kube: Kube, pool: Pool, spec: PoolSpec, observed: Observed, fence: Fence, turn: Allowed | None = None
) -> Stood:
    """Take the next step of every engine that is to sleep or to wake. `turn`: where the pool shares its accelerators;
    without it all of its engines are to sleep. Raises KubeError, LeaseLost."""
    if not sleeps(spec):
        return NOTHING
    targets = selectors.replica_targets(pool)
    patience = spec.rollout.shutdown_timeout.total_seconds()
    notes: list[Note] = []
    seen: list[EnginePod] = []
    sleepers: dict[str, int] = {}
    moving = False
    awake = asleep = 0
    for variant in spec.variants:
        mine = [pod for pod in observed.pods if pod.variant == variant.name and _serves(pod)]
        for group in _groups(variant, targets.get(variant.name), mine, turn):
            awake, asleep = awake + group.awake, asleep + group.asleep
            if not group.asleep and all(pod.routed for pod in group.pods):
                # whoever is routed is awake: a sleeper has left the routing before it slept
                continue
            pods = _look(group.pods)
            todo = steps(pods, awake=group.awake, asleep=group.asleep, patience=patience)
            for step in todo:
                fence.check()
                pod = next(pod for pod in group.pods if pod.name == step.pod)
                if group.share is None:
                    notes += _take(kube, pool, pod, step)
                else:
                    notes += _in_turn(kube, pool, pod, step, group.share)
            seen += pods
            sleepers[variant.name] = sleepers.get(variant.name, 0) + sum(pod.state == "asleep" for pod in pods)
            moving = moving or bool(todo) or _on_the_way(pods)
    sharing = turn.said if turn is not None else ""
    said = condition(seen, awake=awake, asleep=asleep, generation=pool.generation, sharing=sharing)
    again = SOON_SECONDS if moving else turn.again if turn is not None else None
    return Stood(tuple(notes), said, again, sleepers)


@dataclass(frozen=True)
class _Group:
    """Engines of a variant of which so many are to serve and so many to sleep: all of them, or where the pool shares
    its accelerators those on one set, and what it may do there."""

    pods: list[Replica]
    awake: int
    asleep: int
    share: AllowedSet | None = None


def _groups(
    variant: Variant, target: ReplicaTarget | None, pods: list[Replica], turn: Allowed | None
) -> Iterable[_Group]:
    wanted = selectors.effective_replicas(variant, target)
    if turn is None:
        yield _Group(pods, wanted, min(selectors.asleep_wanted(target), max(variant.replicas.max - wanted, 0)))
        return
    for place, share in enumerate(turn.sets):
        mine = [pod for pod in pods if pod.place == place]
        serving = min(wanted, 1) if share.may_serve and share.serves else 0
        yield _Group(mine, serving, max(len(mine) - serving, 0), share)


def _serves(pod: Replica) -> bool:
    return pod.component == COMPONENT_ENGINE and pod.ready and not pod.terminating and bool(pod.ip)


def _on_the_way(pods: Sequence[EnginePod]) -> bool:
    """Whether engines, which tell the cluster nothing of it, are about to change."""
    return any(pod.state == "unknown" or (pod.state == "awake" and not pod.routed) for pod in pods)


def _look(pods: Sequence[Replica]) -> list[EnginePod]:
    if not pods:
        return []
    with ThreadPoolExecutor(min(len(pods), _AT_ONCE), thread_name_prefix="standby") as threads:
        return list(threads.map(seen_pod, pods))


def seen_pod(pod: Replica) -> EnginePod:
    """What an engine says of itself now."""
    page = _page(pod)
    left = None
    if not pod.routed:
        try:
            left = max(0.0, (clock.now() - datetime.fromisoformat(pod.unrouted_at)).total_seconds())
        except ValueError:
            left = 0.0
    return EnginePod(pod.name, pod.routed, left, page.state, page.busy, page.ended)


@dataclass(frozen=True)
class Held:
    """Requests that a pool's endpoint picker holds, and the bytes of their bodies."""

    requests: float
    size: float


def held_requests(kube: Kube, pool: Pool) -> Held | None:
    """What waits at the pool's picker now; None where it cannot be read. Raises KubeError."""
    objects, _ = everything(kube, pool)
    pods = [read_pod(obj) for obj in objects if obj["kind"] == "Pod"]
    found = None
    for pod in pods:
        if pod.component != COMPONENT_PICKER or not pod.ready or pod.terminating or not pod.ip:
            continue
        try:
            samples = list(engine_pages.samples(pod, _QUEUE, METRICS_PORT))
        except engine_pages.FAILURES:
            continue
        sums = {name: sum(value for sample, _, value in samples if sample == name) for name in _QUEUE}
        before = found or Held(0.0, 0.0)
        found = Held(before.requests + sums[_QUEUE[0]], before.size + sums[_QUEUE[1]])
    return found


def _page(pod: Replica) -> Page:
    if not pod.ip:
        return Page("unknown")
    try:
        return page_of(engine_pages.samples(pod, _SERIES))
    except engine_pages.FAILURES as error:
        log.warning("engine %s does not tell whether it sleeps: %s", pod.name, error)
        return Page("unknown")


def _take(kube: Kube, pool: Pool, pod: Replica, step: Step) -> list[Note]:
    actions: dict[str, Callable[[Kube, Pool, Replica], str]] = {
        "unroute": _unroute,
        "route": _route,
        "sleep": _abort_and_sleep if step.abort else _sleep,
        "wake": _wake,
        "restart": _restart,
    }
    try:
        failed = actions[step.verb](kube, pool, pod)
        if failed and step.verb == "sleep" and _leaves(kube, pool, pod):
            return []
    except (NotFound, Conflict):
        return []  # gone or another by now: the next look sees what is there
    if not failed:
        return [] if step.verb == "unroute" else [Note("Normal", _REASONS[step.verb], step.why)]
    if step.verb == "wake":
        _restart(kube, pool, pod)
        return [Note("Warning", "WakeFailed", f"{pod.name} was not woken ({failed}); it is started anew")]
    return [Note("Warning", "SleepFailed", f"{pod.name} was not put to sleep ({failed}); it is tried again")]


def _leaves(kube: Kube, pool: Pool, pod: Replica) -> bool:
    """Whether it goes anyway, as a scale-in may take one that was being sent to sleep. Raises NotFound."""
    metadata = kube.get(kube.resource("Pod"), pod.name, pool.namespace)["metadata"]
    return metadata.get("uid") != pod.uid or "deletionTimestamp" in metadata


def _in_turn(kube: Kube, pool: Pool, pod: Replica, step: Step, turn: AllowedSet) -> list[Note]:
    """A step of a pool that shares: nothing wakes, or is started anew, without the word that it is its turn."""
    if step.verb not in ("wake", "restart"):
        return _take(kube, pool, pod, step)
    if not turn.promise():
        return []
    notes = _take(kube, pool, pod, step)
    turn.kept()
    return notes


_REASONS = {"route": "Woken", "sleep": "Asleep", "wake": "Waking", "restart": "WakeFailed"}


def _unroute(kube: Kube, pool: Pool, pod: Replica) -> str:
    _label(kube, pool, pod, "false", {UNROUTED_AT: clock.now().isoformat()})
    return ""


def _route(kube: Kube, pool: Pool, pod: Replica) -> str:
    _label(kube, pool, pod, "true", {})
    return ""


def _label(kube: Kube, pool: Pool, pod: Replica, serving: str, annotations: dict[str, str]) -> None:
    metadata = {
        "name": pod.name,
        "namespace": pool.namespace,
        "uid": pod.uid,
        "labels": {SERVING: serving},
        "annotations": annotations,
    }
    kube.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}, manager=MANAGER, force=True)


def _sleep(_kube: Kube, pool: Pool, pod: Replica) -> str:
    # a request that came since the engine was seen idle is let finish
    return _put_to_sleep(pool, pod, "wait")


def _abort_and_sleep(_kube: Kube, pool: Pool, pod: Replica) -> str:
    return _put_to_sleep(pool, pod, "abort")


def _put_to_sleep(pool: Pool, pod: Replica, mode: str) -> str:
    failed = _post(pool, pod, f"/sleep?level=1&mode={mode}", _SLEEP)
    return failed or ("" if _page(pod).state == "asleep" else "it is awake")


def _wake(kube: Kube, pool: Pool, pod: Replica) -> str:
    failed = _post(pool, pod, "/wake_up", _WAKE) or ("" if _page(pod).state == "awake" else "it still sleeps")
    return failed or _route(kube, pool, pod)


def _restart(kube: Kube, pool: Pool, pod: Replica) -> str:
    kube.delete(kube.resource("Pod"), pod.name, pool.namespace, uid=pod.uid)
    return ""


def _post(pool: Pool, pod: Replica, path: str, timeout: tuple[float, float]) -> str:
    """What went wrong, "" for nothing."""
    try:
        headers = {tokens.HEADER: tokens.token(pool.uid)}
        answer = requests.post(engine_pages.url_of(pod, path), headers=headers, timeout=timeout, allow_redirects=False)
    except requests.RequestException as error:
        return f"{path.partition('?')[0]} failed: {type(error).__name__}"
    return "" if answer.status_code == 200 else f"{path.partition('?')[0]} answered {answer.status_code}"
