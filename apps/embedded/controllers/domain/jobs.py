"""What a Job needs next and what its status says, from its pods.

A pod of a Job carries a finalizer until it is counted, so that one that ends and is deleted is counted exactly once:
its uid is first written into `status.uncountedTerminatedPods`, then the finalizer goes, then the counters take it over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from apps.embedded.domain.objects import Object, find_condition, is_deleting, parse_time, rfc3339
from apps.embedded.domain.pods import is_active, is_ready, is_terminal, is_terminating, phase, restart_count

TRACKING = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
BACKOFF_S, MOST_BACKOFF_S = 10.0, 600.0
FINISHED = ("Complete", "Failed")


@dataclass(frozen=True)
class Verdict:
    """Why a Job ends: the type of its last condition, the one that announces it, reason and sentence."""

    type: str
    announced: str
    reason: str
    message: str


COMPLETED = Verdict("Complete", "SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods")
BACKOFF = Verdict("Failed", "FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
DEADLINE = Verdict("Failed", "FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline")


@dataclass(frozen=True)
class Plan:
    """What to do now. create: the completion index of each pod to create (None outside Indexed mode). delete: pods.
    wait: seconds after which to look again, None when only a change can bring something new."""

    status: Object
    create: tuple[int | None, ...] = ()
    delete: tuple[Object, ...] = ()
    wait: float | None = None
    verdict: Verdict | None = None
    """Set in the one plan that ends the Job."""


@dataclass
class _Counts:
    succeeded: int
    failed: int
    indexes: set[int] = field(default_factory=set)


def is_finished(job: Mapping[str, Any]) -> bool:
    conditions = (job.get("status") or {}).get("conditions")
    return any((find_condition(conditions, type_) or {}).get("status") == "True" for type_ in FINISHED)


def announce(job: Mapping[str, Any], pods: Iterable[Object]) -> Object | None:
    """The status with the ended pods that are not counted yet; None when all of them stand there already."""
    status = job.get("status") or {}
    uncounted = {name: list(uids) for name, uids in (status.get("uncountedTerminatedPods") or {}).items()}
    known = {uid for uids in uncounted.values() for uid in uids}
    fresh = [pod for pod in pods if _is_tracked(pod) and _ended(pod) and pod["metadata"]["uid"] not in known]
    for pod in fresh:
        outcome = "succeeded" if phase(pod) == "Succeeded" else "failed"
        uncounted.setdefault(outcome, []).append(pod["metadata"]["uid"])
    return {**status, "uncountedTerminatedPods": uncounted} if fresh else None


def to_untrack(job: Mapping[str, Any], pods: Iterable[Object]) -> list[Object]:
    """Pods whose finalizer may go: they stand in the status, or their Job is over or gone."""
    announced = _uncounted(job)
    return [pod for pod in pods if _is_tracked(pod) and (pod["metadata"]["uid"] in announced or is_finished(job))]


def plan(job: Mapping[str, Any], pods: Sequence[Object], now: datetime) -> Plan:
    """The next step of a Job that is not finished. Its ended pods are announced and untracked already."""
    spec, old = job["spec"], job.get("status") or {}
    active = [pod for pod in pods if is_active(pod)]
    terminating = sum(is_terminating(pod) for pod in pods)
    counts = _counts(job, pods)
    status = _status(old, counts, active, terminating)
    if spec.get("suspend"):
        return Plan(_suspended(status, now), delete=tuple(active))
    if not status.get("startTime"):
        status["startTime"] = rfc3339(now)
    status = _resumed(status, now)
    verdict, remaining = _verdict(spec, status, counts, active, pods, now)
    if verdict is not None:
        _set(status, verdict.announced, verdict, now)
        if active or terminating:
            return Plan(status, delete=tuple(active))
        _set(status, verdict.type, verdict, now)
        if verdict.type == "Complete":
            status["completionTime"] = rfc3339(now)
        return Plan(status, verdict=verdict)
    wanted = _wanted(spec, counts) - len(active) - (terminating if spec.get("podReplacementPolicy") != "Failed" else 0)
    if wanted < 0:
        return Plan(status, delete=tuple(active[wanted:]), wait=remaining)
    delay = _backoff(pods, now) if wanted else 0.0
    if delay > 0:
        return Plan(status, wait=min(delay, remaining) if remaining is not None else delay)
    return Plan(status, create=_indexes(spec, counts, active, wanted), wait=remaining)


def seconds_until_expired(job: Mapping[str, Any], now: datetime) -> float | None:
    """Seconds until a finished Job is to be deleted (ttlSecondsAfterFinished); None when it is to stay."""
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    if ttl is None or not is_finished(job):
        return None
    conditions = job["status"]["conditions"]
    ended = next(find for type_ in FINISHED if (find := find_condition(conditions, type_)) is not None)
    return max(0.0, (parse_time(ended["lastTransitionTime"]) + timedelta(seconds=ttl) - now).total_seconds())


def completed_indexes(text: str) -> set[int]:
    """The numbers in "0-2,5"."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def show_indexes(indexes: Iterable[int]) -> str:
    """The other way round."""
    ordered = sorted(indexes)
    parts: list[str] = []
    start = 0
    for position, index in enumerate(ordered):
        if position + 1 < len(ordered) and ordered[position + 1] == index + 1:
            continue
        first = ordered[start]
        parts.append(str(first) if first == index else f"{first}{',' if index == first + 1 else '-'}{index}")
        start = position + 1
    return ",".join(parts)


def index_of(pod: Mapping[str, Any]) -> int | None:
    text = (pod["metadata"].get("annotations") or {}).get(INDEX, "")
    return int(text) if text.isdecimal() else None


def _uncounted(job: Mapping[str, Any]) -> set[str]:
    announced = (job.get("status") or {}).get("uncountedTerminatedPods") or {}
    return {uid for uids in announced.values() for uid in uids}


def _is_tracked(pod: Mapping[str, Any]) -> bool:
    return TRACKING in (pod["metadata"].get("finalizers") or ())


def _ended(pod: Mapping[str, Any]) -> bool:
    """Terminal, or deleted before it began on a node: nobody will ever end it."""
    return is_terminal(pod) or (is_deleting(pod) and not pod["spec"].get("nodeName"))


def _counts(job: Mapping[str, Any], pods: Iterable[Object]) -> _Counts:
    status = job.get("status") or {}
    announced = status.get("uncountedTerminatedPods") or {}
    indexes = completed_indexes(status.get("completedIndexes", ""))
    done = set(announced.get("succeeded") or ())
    if job["spec"].get("completionMode") == "Indexed":
        found = {index_of(pod) for pod in pods if pod["metadata"]["uid"] in done}
        indexes |= {index for index in found if index is not None}
        succeeded = len(indexes)
    else:
        succeeded = status.get("succeeded", 0) + len(done)
    return _Counts(succeeded, status.get("failed", 0) + len(announced.get("failed") or ()), indexes)


def _status(old: Mapping[str, Any], counts: _Counts, active: Sequence[Object], terminating: int) -> Object:
    status: Object = {name: old[name] for name in ("startTime", "completionTime") if name in old}
    status["conditions"] = [dict(condition) for condition in old.get("conditions") or ()]
    status |= {
        "active": len(active),
        "ready": sum(is_ready(pod) for pod in active),
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "terminating": terminating,
        "uncountedTerminatedPods": {},
    }
    if counts.indexes:
        status["completedIndexes"] = show_indexes(counts.indexes)
    return {name: value for name, value in status.items() if value or name in _KEPT_WHEN_ZERO}


_KEPT_WHEN_ZERO = ("ready", "terminating", "uncountedTerminatedPods")


def _verdict(
    spec: Mapping[str, Any],
    status: Object,
    counts: _Counts,
    active: Sequence[Object],
    pods: Sequence[Object],
    now: datetime,
) -> tuple[Verdict | None, float | None]:
    """Whether the Job is over, and otherwise the seconds until its deadline."""
    announced = find_condition(status.get("conditions"), "FailureTarget")
    if announced is not None:
        return (BACKOFF if announced["reason"] == BACKOFF.reason else DEADLINE), None
    limit = spec.get("backoffLimit", 6)
    restarts = sum(restart_count(pod) for pod in pods if not is_terminal(pod))
    on_failure = spec["template"]["spec"].get("restartPolicy") == "OnFailure"
    if counts.failed > limit or (on_failure and restarts and restarts >= max(limit, 1)):
        return BACKOFF, None
    deadline = spec.get("activeDeadlineSeconds")
    remaining: float | None = None
    if deadline is not None:
        remaining = (parse_time(status["startTime"]) + timedelta(seconds=deadline) - now).total_seconds()
        if remaining <= 0:
            return DEADLINE, None
    completions = spec.get("completions")
    if completions is None:
        done = counts.succeeded > 0 and not active
    else:
        done = counts.succeeded >= completions
    return (COMPLETED if done else None), remaining


def _wanted(spec: Mapping[str, Any], counts: _Counts) -> int:
    parallelism: int = spec.get("parallelism", 1)
    completions = spec.get("completions")
    if completions is None:
        # a work queue: once one has succeeded no new one starts
        return 0 if counts.succeeded else parallelism
    return int(min(parallelism, max(0, completions - counts.succeeded)))


def _indexes(spec: Mapping[str, Any], counts: _Counts, active: Iterable[Object], wanted: int) -> tuple[int | None, ...]:
    if spec.get("completionMode") != "Indexed":
        return (None,) * wanted
    taken = counts.indexes | {index for pod in active if (index := index_of(pod)) is not None}
    return tuple(index for index in range(spec.get("completions", 0)) if index not in taken)[:wanted]


def _backoff(pods: Iterable[Object], now: datetime) -> float:
    """Seconds until the next pod may be created: 10 s after the first failure, twice as long after each further one."""
    ends = sorted(_finished_at(pod, now) for pod in pods if phase(pod) == "Failed")
    if not ends:
        return 0.0
    pause = min(BACKOFF_S * 2 ** min(len(ends) - 1, 10), MOST_BACKOFF_S)
    return max(0.0, (ends[-1] + timedelta(seconds=pause) - now).total_seconds())


def _finished_at(pod: Mapping[str, Any], now: datetime) -> datetime:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    ends = [
        parse_time(ended["finishedAt"])
        for status in statuses
        if (ended := (status.get("state") or {}).get("terminated")) and ended.get("finishedAt")
    ]
    return max(ends, default=now)


def _suspended(status: Object, now: datetime) -> Object:
    status.pop("startTime", None)
    _set(status, "Suspended", Verdict("Suspended", "", "JobSuspended", "Job suspended"), now)
    return status


def _resumed(status: Object, now: datetime) -> Object:
    suspended = find_condition(status.get("conditions"), "Suspended")
    if suspended is not None and suspended["status"] == "True":
        moment = rfc3339(now)
        suspended |= {
            "status": "False", "reason": "JobResumed", "message": "Job resumed", "lastProbeTime": moment,
            "lastTransitionTime": moment,
        }  # fmt: skip
        status["startTime"] = moment
    return status


def _set(status: Object, type_: str, verdict: Verdict, now: datetime) -> None:
    conditions = status.setdefault("conditions", [])
    found = find_condition(conditions, type_)
    if found is not None and found["status"] == "True":
        return
    moment = rfc3339(now)
    new = {
        "type": type_, "status": "True", "lastProbeTime": moment, "lastTransitionTime": moment,
        "reason": verdict.reason, "message": verdict.message,
    }  # fmt: skip
    status["conditions"] = [condition for condition in conditions if condition["type"] != type_] + [new]
