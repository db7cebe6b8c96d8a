"""How a new spec reaches the replicas: which strategy, how far it is, and when it stops by itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson

from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.groups import is_group, pod_template, rolling
from apps.pools.domain.manifests import COMPONENT, WORKLOADS, Manifest
from apps.pools.domain.pods import GATED, NO_SCHEDULER, UNSCHEDULABLE, Replica

Deployment = Mapping[str, Any]
State = Literal["Idle", "Progressing", "Paused", "Stopped", "Complete"]
REVISION = "deployment.kubernetes.io/revision"
TEMPLATE_HASH = "pod-template-hash"
# a container that crashed once may have met a fault that passes; one that crashed twice on the same spec has not
CRASHES = 2


# --- strategy ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Strategy:
    """How many replicas beside the present ones, and how many fewer, while a Deployment rolls. `why`: a sentence."""

    max_surge: int
    max_unavailable: int
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"maxSurge": self.max_surge, "maxUnavailable": self.max_unavailable, "why": self.why}


BESIDE = Strategy(1, 0, "a replica more is started beside the present ones before one of them goes")
IN_PLACE = Strategy(0, 1, "no accelerator is free for a replica beside the present ones: one is replaced at a time")


@dataclass(frozen=True)
class Situation:
    """What the choice of a strategy rests on, for one variant.

    `present`: what the live Deployment has, None without one. `rolling`: its newest spec is not on all replicas.
    `changes`: its pod template is about to change. `free`: the most accelerators that are free on one node, None when
    not known. `needed`: accelerators of one replica. `no_room`: a new replica waits for room now.
    """

    present: Strategy | None
    rolling: bool
    changes: bool
    free: int | None
    needed: int
    no_room: bool


def choose(surge: int | None, unavailable: int | None, situation: Situation) -> Strategy:
    """The strategy of one variant. `surge` and `unavailable` as declared; None: chosen by accelerator stock.

    While nothing rolls the present one stays, so that a steady pool is not written because the stock moved. A roll-out
    keeps what it began with, unless the replica it wants to start beside the others finds no room.
    """
    if surge is not None and unavailable is not None:
        return Strategy(surge, unavailable, "as declared")
    if surge is not None:
        return Strategy(surge, 1 if surge == 0 else 0, "maxSurge as declared")
    if unavailable is not None:
        return Strategy(1 if unavailable == 0 else 0, unavailable, "maxUnavailable as declared")
    present = situation.present
    if present is None or situation.needed == 0:
        return BESIDE
    if situation.changes and not situation.rolling:
        # unknown is not zero: only a stock that is known to be too small takes capacity away
        return IN_PLACE if situation.free is not None and situation.free < situation.needed else BESIDE
    if situation.rolling and situation.no_room and present.max_unavailable == 0:
        return IN_PLACE
    for known in (BESIDE, IN_PLACE):
        if (known.max_surge, known.max_unavailable) == (present.max_surge, present.max_unavailable):
            return known
    return BESIDE


def strategy_of(live: Deployment) -> Strategy | None:
    """The strategy of a live workload; None when it has none in whole numbers."""
    surge, unavailable = rolling(live).get("maxSurge"), rolling(live).get("maxUnavailable")
    if isinstance(surge, int) and isinstance(unavailable, int):
        return Strategy(surge, unavailable)
    return None


# --- how far it is ----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class VariantProgress:
    """One variant's Deployment on its way. `old`: replicas of an older spec that are still there."""

    name: str
    desired: int
    updated: int
    ready: int
    old: int
    settled: bool
    late: bool
    strategy: Strategy | None
    newest: tuple[Replica, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "desired": self.desired,
            "updated": self.updated,
            "ready": self.ready,
            "old": self.old,
            "state": "Complete" if self.settled else "Progressing",
            "strategy": self.strategy.to_json() if self.strategy else None,
        }


def template_of(objects: Iterable[Manifest]) -> str:
    """One hash over the pod templates of all engines: a roll-out is what brings another one. "" without engines."""
    templates = {
        obj["metadata"]["name"]: pod_template(obj)
        for obj in objects
        if obj["kind"] in WORKLOADS and obj["metadata"]["labels"].get(COMPONENT) == COMPONENT_ENGINE
    }
    if not templates:
        return ""
    return hashlib.sha256(orjson.dumps(templates, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def newest_set(live: Deployment, replica_sets: Iterable[Mapping[str, Any]]) -> str | None:
    """Hash of the pod template that a Deployment rolls to, by the ReplicaSet that has it; None before there is one.

    Until the Deployment's controller has seen the newest spec, the set of the highest revision is that of the spec
    before, whose replicas may be the very ones that a person wants to be rid of.
    """
    mine = [
        rs
        for rs in replica_sets
        if any(o.get("uid") == live["metadata"]["uid"] for o in rs["metadata"].get("ownerReferences") or [])
    ]
    wanted = _bare_template(live)
    mine = [rs for rs in mine if _bare_template(rs) == wanted]
    if not mine:
        return None
    newest = max(mine, key=_revision)
    found = (newest["metadata"].get("labels") or {}).get(TEMPLATE_HASH)
    return str(found) if found else None


def newest_template(
    live: Deployment,
    replica_sets: Iterable[Mapping[str, Any]],
    pods: Iterable[Replica],
    since: datetime | None = None,
) -> str | None:
    """Hash of the pod template that a workload rolls to. Of a LeaderWorkerSet it is that of its youngest pod, since its
    own list of revisions is not watched; None before there is one, made after `since`: as the roll-out began."""
    if not is_group(live):
        return newest_set(live, replica_sets)
    youngest = max(pods, key=lambda pod: pod.created_at or "", default=None)
    if youngest is None or unseen(live):
        return None
    if since is not None and (youngest.created_at or "") < since.strftime("%Y-%m-%dT%H:%M:%SZ"):
        return None
    return youngest.template or None


def unseen(live: Deployment) -> bool:
    """Whether the workload's controller has not yet looked at its newest spec; older LeaderWorkerSets do not say."""
    seen = (live.get("status") or {}).get("observedGeneration")
    if seen is None and is_group(live):
        return False
    return int(seen or 0) < int(live["metadata"].get("generation") or 0)


def _bare_template(obj: Mapping[str, Any]) -> Manifest:
    """The pod template as its Deployment has it: a ReplicaSet's own has one label more."""
    template: Manifest = (obj.get("spec") or {}).get("template") or {}
    metadata = template.get("metadata") or {}
    labels = {name: value for name, value in (metadata.get("labels") or {}).items() if name != TEMPLATE_HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}


def _revision(obj: Mapping[str, Any]) -> int:
    return _number((obj["metadata"].get("annotations") or {}).get(REVISION))


def _number(text: object) -> int:
    return int(str(text)) if str(text).isdecimal() else 0


# --- when it stops ----------------------------------------------------------------------------------------------
Cause = Literal[
    "ImagePull",
    "BadFlag",
    "OutOfMemory",
    "Unschedulable",
    "SchedulingGated",
    "NoScheduler",
    "Crashing",
    "BadConfig",
    "ProgressDeadlineExceeded",
]
_IMAGE = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName"})
_NOT_PLACED: Mapping[str, Cause] = {
    UNSCHEDULABLE: "Unschedulable",
    GATED: "SchedulingGated",
    NO_SCHEDULER: "NoScheduler",
}
_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "ContainerCannotRun"})
# what vLLM's command line says (argparse), and what it and CUDA say when memory is short
_BAD_FLAG = re.compile(
    r"unrecognized arguments|error: argument |invalid choice|the following arguments are required|expected one argument"
    r"|greater than the derived max_model_len"
)
_NO_MEMORY = re.compile(
    r"out of memory|OutOfMemoryError|No available memory for the cache blocks"
    r"|larger than the (?:available KV cache memory|maximum number of tokens that can be stored in KV cache)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Blame:
    """Why new replicas do not become ready. `last_line`: the last thing the container logged, "" when not known."""

    cause: Cause
    pod: str
    container: str
    reason: str
    message: str
    last_line: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "pod": self.pod or None,
            "container": self.container or None,
            "reason": self.reason,
            "message": self.message,
            "lastLine": self.last_line or None,
        }

    def sentence(self, variant: str) -> str:
        """For people: what, where, in whose words."""
        said = f"{self.reason}: {self.message}" if self.message and self.message != self.reason else self.reason
        what = f"a new replica of {variant}{f', pod {self.pod},' if self.pod else ''} {_WHAT[self.cause]} ({said})"
        return what + (f'; it last said: "{self.last_line}"' if self.last_line else "")


_WHAT: Mapping[Cause, str] = {
    "ImagePull": "cannot get its image",
    "BadFlag": "refuses its command line",
    "OutOfMemory": "runs out of memory",
    "Unschedulable": "finds no room on any node",
    "SchedulingGated": "is held back: its scheduling gates have to be taken away first",
    "NoScheduler": "waits for a scheduler that does not look at it",
    "Crashing": "ends again and again",
    "BadConfig": "cannot be made as declared",
    "ProgressDeadlineExceeded": "was not ready within rollout.progressDeadline",
}


def suspect(variant: VariantProgress) -> Replica | None:
    """The new replica whose trouble will not pass by itself, if there is one."""
    for pod in variant.newest:
        if pod.terminating or pod.ready:
            continue
        if pod.reason in _IMAGE or pod.reason in _CONFIG:
            return pod
        if pod.bad and pod.restarts >= CRASHES:
            return pod
    return None


def waiting_for_room(variant: VariantProgress) -> Replica | None:
    return next((pod for pod in variant.newest if pod.reason == UNSCHEDULABLE and not pod.terminating), None)


def blame(pod: Replica, lines: Sequence[str]) -> Blame:
    """What is wrong with a replica, from its status and the last lines that it logged."""
    said = [line.strip() for line in lines if line.strip()]
    told = next((line for line in reversed(said) if _BAD_FLAG.search(line)), None)
    short = next((line for line in reversed(said) if _NO_MEMORY.search(line)), None)
    cause: Cause
    if pod.reason in _IMAGE:
        cause = "ImagePull"
    elif pod.reason in _CONFIG:
        cause = "BadConfig"
    elif pod.reason in _NOT_PLACED:
        cause = _NOT_PLACED[pod.reason]
    elif pod.reason == "OOMKilled" or "OOMKilled" in pod.message or short is not None:
        cause = "OutOfMemory"
    elif told is not None:
        cause = "BadFlag"
    else:
        cause = "Crashing"
    last = (short if cause == "OutOfMemory" else told if cause == "BadFlag" else None) or (said[-1] if said else "")
    return Blame(cause, pod.name, pod.container, pod.reason, pod.message[:500], last[:300])


@dataclass(frozen=True)
class Held:
    """What is stored of a pool's roll-out. `template`: hash of the pod templates that it brings.

    `resumed_at`: when a person last said to go on: from then on only the deadline stops it.
    """

    template: str = ""
    generation: int = 0
    state: State = "Idle"
    reason: str = ""
    message: str = ""
    started_at: datetime | None = None
    resumed_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def holds(self) -> bool:
        """Whether the Deployments are to stand still."""
        return self.state in ("Paused", "Stopped")


@dataclass(frozen=True)
class Seen:
    """A look at a roll-out: `blames` by variant, of those whose new replicas will not become ready."""

    template: str
    generation: int
    variants: tuple[VariantProgress, ...]
    blames: Mapping[str, Blame]
    deadline: timedelta


def step(held: Held, seen: Seen, now: datetime) -> Held:
    """What a roll-out is after a look at it. Pure: the same inputs, the same result.

    A new template begins a new one, and ends a pause or a stop. It stops by itself when a new replica's trouble will
    not pass while replicas of an older spec are there to be kept, or when the deadline has passed.
    """
    if not seen.template:
        return held
    if held.template != seen.template:
        complete = all(v.settled for v in seen.variants)
        begun = Held(seen.template, seen.generation, "Progressing", "RolloutStarted", "", now)
        return _finished(begun, seen, now) if complete else _moving(begun, seen)
    if held.holds:
        return held
    if held.state == "Complete":
        return held
    if all(v.settled for v in seen.variants):
        return _finished(held, seen, now)
    for variant in seen.variants:
        if variant.settled or variant.old == 0:
            continue  # nothing of an older spec is left to be kept: standing still would help nobody
        late = variant.late and (held.resumed_at is None or now - held.resumed_at > seen.deadline)
        found = seen.blames.get(variant.name)
        if found is not None and (late or held.resumed_at is None):
            return _stopped(held, found.cause, found.sentence(variant.name), now)
        if late:
            overdue = Blame("ProgressDeadlineExceeded", "", "", "ProgressDeadlineExceeded", "")
            return _stopped(held, overdue.cause, overdue.sentence(variant.name), now)
    return _moving(held, seen)


def _moving(held: Held, seen: Seen) -> Held:
    first = next((v for v in seen.variants if not v.settled), None)
    if first is None:
        return held
    there = first.ready >= first.desired and first.updated >= first.desired
    # the last one is ready a moment before its Deployment says so: then nobody leaves any more
    reason = "ReplicasStopping" if there and first.old > 0 else "ReplicasStarting"
    counted = f"{first.updated} of {first.desired} replicas are of the newest spec, {first.ready} ready"
    message = f"variant {first.name}: {counted}"
    return replace(held, state="Progressing", reason=reason, message=message)


def _finished(held: Held, seen: Seen, now: datetime) -> Held:
    total = sum(v.desired for v in seen.variants)
    return replace(
        held,
        state="Complete",
        reason="RolloutComplete",
        message=_all_of_the_newest(total),
        finished_at=now,
    )


def _all_of_the_newest(replicas: int) -> str:
    """It is kept, and must be as true when there are more replicas, or fewer."""
    return "no replica of an older spec is left" if replicas == 0 else "every replica is of the newest spec"


def _stopped(held: Held, cause: Cause, sentence: str, now: datetime) -> Held:
    message = f"stopped, the replicas of the older spec stay: {sentence}. Correct the declaration, abort, or resume"
    return replace(held, state="Stopped", reason=cause, message=message, finished_at=now)


# --- what people may do -----------------------------------------------------------------------------------------
Action = Literal["pause", "resume", "abort"]


def allowed(held: Held, abort_to: int | None) -> dict[Action, bool]:
    """Which actions make sense now. `abort_to`: the last healthy generation before the present one."""
    moving = held.state == "Progressing"
    return {"pause": moving, "resume": held.holds, "abort": (moving or held.holds) and abort_to is not None}
