"""Whether the weights are on the volume that a pool's replicas share, by the Job that fetches them, and if not, why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.core.domain.conditions import Condition, Status
from apps.core.domain.units import format_bytes
from apps.pools.domain.manifests import COMPONENT, WORKLOADS, Manifest
from apps.pools.domain.options.model_cache import COMPONENT_WEIGHTS
from apps.pools.domain.plan import Plan
from apps.pools.domain.pods import Replica
from apps.pools.domain.sources import HUB_TOKEN
from apps.pools.domain.spec import PoolSpec

__all__ = [
    "CONDITION",
    "RETRY_SECONDS",
    "Fetched",
    "Weights",
    "fetched_of",
    "job_of",
    "left_behind",
    "waiting",
    "weights_of",
]

CONDITION = "WeightsReady"
# a fetch that the Job has given up is begun anew after so long: hubs come back, and people renew tokens
RETRY_SECONDS = 300.0
_COMPONENT_ENGINE = "engine"
# what the hub's library and the file system say, the first that matches
_CAUSES: tuple[tuple[str, str, str], ...] = (
    (
        r"GatedRepoError|gated repo|is restricted|40[13] Client Error|Invalid user token|401 Unauthorized",
        "HubRefused",
        "Hugging Face refused to give {what} (no token, or one without access): put a token that may read it into "
        "Secret {secret}, key {key}, of namespace {namespace}",
    ),
    (
        r"No space left on device|Disk quota exceeded",
        "VolumeFull",
        "the volume is full while {what} is fetched: raise modelCache.size, or clear the claim",
    ),
    (
        r"digest mismatch|Consistency check failed",
        "DigestMismatch",
        "what was fetched of {what} is not what its digests say ({last}): it is fetched anew; if it stays so, look at "
        "the volume",
    ),
    (
        r"RevisionNotFoundError|Revision Not Found",
        "RevisionMissing",
        "{what} has no such revision: correct revision of the Model",
    ),
    (
        r"RepositoryNotFoundError|Repository Not Found|404 Client Error",
        "RepositoryMissing",
        "Hugging Face knows no {what}, or shows it only with a token: correct source of the Model",
    ),
    (
        r"ConnectionError|ConnectTimeout|ReadTimeout|LocalEntryNotFoundError|Max retries exceeded"
        r"|Temporary failure in name",
        "HubUnreachable",
        "Hugging Face cannot be reached from namespace {namespace} while {what} is fetched",
    ),
)
_SAID = re.compile("|".join(pattern for pattern, _, _ in _CAUSES))


@dataclass(frozen=True)
class Fetched:
    """What a Job said when it was done: the commit that lies on the volume, its files and bytes; `evicted`: bytes of
    older fetches that it removed."""

    commit: str
    files: int
    size: int
    evicted: int = 0


@dataclass(frozen=True)
class Weights:
    """`ready` None: the pool keeps no weights itself. `failed_at`: when its Job gave up."""

    ready: bool | None
    reason: str = ""
    message: str = ""
    job: str = ""
    commit: str = ""
    failed_at: datetime | None = None

    @property
    def holds(self) -> bool:
        """Whether replicas wait for them."""
        return self.ready is False

    def condition(self, generation: int) -> Condition:
        status: Status = "True" if self.ready is not False else "False"
        return Condition(CONDITION, status, self.reason, self.message, generation)

    def to_json(self) -> dict[str, Any]:
        """For the pool's status."""
        return {"job": self.job, "commit": self.commit or None}


NOT_KEPT = Weights(None, "NotKept", "the pool keeps no weights: each replica reads them where they are")


def job_of(objects: Iterable[Manifest]) -> Manifest | None:
    """The rendered Job that fetches the weights, None where none does."""
    return next(
        (o for o in objects if o["kind"] == "Job" and o["metadata"]["labels"].get(COMPONENT) == COMPONENT_WEIGHTS), None
    )


def fetched_of(lines: Sequence[str]) -> Fetched | None:
    """What the Job said at its end; None when that is not there (any more)."""
    for line in reversed(lines):
        try:
            told = json.loads(line)
            evicted = int(told.get("evicted") or 0)
            return Fetched(str(told["commit"]), int(told["files"]), int(told["bytes"]), evicted)
        except (ValueError, KeyError, TypeError):
            continue
    return None


def weights_of(
    wanted: Manifest | None,
    live: Mapping[str, Any] | None,
    pods: Iterable[Replica],
    lines: Sequence[str],
    known: Mapping[str, Any],
) -> Weights:
    """How the weights stand.

    `wanted`: the rendered Job; `live`: the same as it is; `pods`: its pods; `lines`: the end of the newest one's log,
    () where it was not read; `known`: what the pool's status held of them.
    """
    if wanted is None:
        return NOT_KEPT
    name = wanted["metadata"]["name"]
    what = repository_of(wanted)
    if live is None:
        return Weights(False, "FetchStarting", f"{what} is fetched before the first replica starts", name)
    status = live.get("status") or {}
    conditions = {c.get("type"): c for c in status.get("conditions") or [] if c.get("status") == "True"}
    if "Complete" in conditions:
        return _there(what, name, fetched_of(lines), known)
    newest = max(pods, key=lambda pod: pod.created_at or "", default=None)
    if "Failed" in conditions:
        failed = conditions["Failed"]
        reason, message = _why(failed, lines, wanted)
        at = failed.get("lastTransitionTime")
        return Weights(False, reason, message, name, failed_at=datetime.fromisoformat(at) if at else None)
    tries = int(status.get("failed") or 0)
    if tries:
        _, why = _why({}, lines, wanted)
        return Weights(False, "Fetching", f"{what} is fetched, attempt {tries + 1}; the last one: {why}", name)
    if newest is not None and newest.reason:
        said = f": {newest.message}" if newest.message else ""
        return Weights(False, "FetchWaits", f"{what} cannot be fetched yet: {newest.reason}{said}", name)
    return Weights(False, "Fetching", f"{what} is being fetched", name)


def repository_of(job: Manifest) -> str:
    """The model that a Job fetches, as its arguments name it."""
    args = job["spec"]["template"]["spec"]["containers"][0]["args"]
    return str(args[1])


def _token_of(job: Manifest) -> tuple[str, str]:
    """Name and key of the Secret that the Job takes its token from."""
    env = job["spec"]["template"]["spec"]["containers"][0]["env"]
    token = next(row["valueFrom"]["secretKeyRef"] for row in env if row["name"] == HUB_TOKEN)
    return str(token["name"]), str(token["key"])


def waiting(todo: Plan) -> Plan:
    """The plan without engines that are made or changed: those that run go on as they are. Drift is no change."""
    return Plan(tuple(w for w in todo.writes if w.why == "drift" or not _engines(w.manifest)), todo.orphans)


def left_behind(spec: PoolSpec, uid: str) -> str:
    """What a pool that is deleted leaves on somebody else's volume, to be added to a sentence; "" for nothing. Other
    pools of the claim may serve from it, so nothing of it is removed."""
    cache = spec.model_cache
    if cache is None or cache.claim is None:
        return ""
    said = f"; the weights that it fetched stay on claim {cache.claim} of namespace {spec.namespace}"
    if cache.keep is None:
        return said
    return f"{said}, and its ledger keeps them from eviction: remove lamplight/{uid}.json there"


def _engines(obj: Manifest) -> bool:
    return obj["kind"] in WORKLOADS and obj["metadata"]["labels"].get(COMPONENT) == _COMPONENT_ENGINE


def _there(what: str, job: str, fetched: Fetched | None, known: Mapping[str, Any]) -> Weights:
    if fetched is not None:
        size = format_bytes(fetched.size)
        said = f"{what} at commit {fetched.commit} is on the volume: {fetched.files} files, {size}, digests checked"
        if fetched.evicted:
            said += f"; {format_bytes(fetched.evicted)} of older fetches were removed"
        return Weights(True, "Fetched", said, job, fetched.commit)
    commit = str(known.get("commit") or "") if known.get("job") == job else ""
    pinned = f" at commit {commit}" if commit else ""
    return Weights(True, "Fetched", f"{what}{pinned} is on the volume", job, commit)


def _why(failed: Mapping[str, Any], lines: Sequence[str], job: Manifest) -> tuple[str, str]:
    what, namespace = repository_of(job), job["metadata"]["namespace"]
    if failed.get("reason") == "DeadlineExceeded":
        return "FetchTooSlow", f"{what} was not fetched in time: {failed.get('message') or 'the Job ran out of time'}"
    text = "\n".join(lines)
    said = [line.strip() for line in lines if line.strip()]
    last = next((line for line in reversed(said) if _SAID.search(line)), said[-1] if said else "")[:300]
    for pattern, reason, sentence in _CAUSES:
        if re.search(pattern, text):
            secret, key = _token_of(job)
            return reason, sentence.format(what=what, namespace=namespace, last=last, secret=secret, key=key)
    end = f'; it last said: "{last}"' if last else ""
    return "FetchFailed", f"{what} could not be fetched{end}"
