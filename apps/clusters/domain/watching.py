"""What a watch says and what to do about it: events, positions, and the next step after an end or a failure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import orjson

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 30.0
# kinds whose managed fields say who owns what; of the others they are dead weight
_WITHOUT_MANAGERS = ("Pod", "ReplicaSet")


class WatchGone(Exception):
    """The position is forgotten (410): what happened meanwhile can only be told by listing again."""


class WatchMissed(WatchGone):
    """The watch goes on, but has not told of everything: only a list can be trusted."""


class WatchRefused(Exception):
    """The server ended the watch with a Status that is no 410. The message is the server's sentence."""


class Garbled(Exception):
    """A line that is no watch event, or an object whose version is no number: the stream cannot be trusted."""


@dataclass(frozen=True)
class Change:
    """One change of one object. `gone`: it was deleted or left the selector. `owner`: uid in our label, None without.

    `revision`: its resourceVersion as a number. Versions of one kind are comparable (Kubernetes 1.35, KEP-5504).
    """

    kind: str
    namespace: str
    name: str
    uid: str
    owner: UUID | None
    revision: int
    gone: bool
    body: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.kind, self.namespace, self.name)


@dataclass(frozen=True)
class Bookmark:
    """The position moves on although nothing of ours changed."""

    revision: int


def read_event(line: bytes, kind: str, api_version: str, label: str) -> Change | Bookmark:
    """A line of a watch. `kind` as `Deployment.apps`; `label` holds the owner's uid.

    Raises WatchGone, WatchRefused, Garbled.
    """
    try:
        event = orjson.loads(line)
        type_, obj = event["type"], event["object"]
        if type_ == "ERROR":
            if obj.get("code") == 410 or obj.get("reason") in ("Expired", "Gone"):
                raise WatchGone(str(obj.get("message", "")))
            raise WatchRefused(str(obj.get("message") or obj))
        if type_ == "BOOKMARK":
            return Bookmark(revision_of(obj))
        if type_ not in ("ADDED", "MODIFIED", "DELETED"):
            raise Garbled(f"a watch event of type {type_}")
        return change_of(obj, kind, api_version, label, gone=type_ == "DELETED")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Garbled(f"{type(error).__name__}: {error}") from error


def change_of(obj: Mapping[str, Any], kind: str, api_version: str, label: str, *, gone: bool = False) -> Change:
    """The change that an object stands for. Raises Garbled when its version is no number."""
    metadata = obj["metadata"]
    return Change(
        kind=kind,
        namespace=metadata.get("namespace") or "",
        name=metadata["name"],
        uid=metadata["uid"],
        owner=_uuid((metadata.get("labels") or {}).get(label)),
        revision=revision_of(obj),
        gone=gone,
        body={} if gone else trimmed({"apiVersion": api_version, "kind": kind.partition(".")[0], **obj}),
    )


def revision_of(obj: Mapping[str, Any]) -> int:
    """metadata.resourceVersion of an object or a list. Raises Garbled when it is no number."""
    version = (obj.get("metadata") or {}).get("resourceVersion")
    try:
        return int(str(version))
    except ValueError as error:
        raise Garbled(f"resource version {version!r} is no number, so reads cannot be put in order") from error


def trimmed(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The object as it is kept: without what nobody reads."""
    metadata = dict(obj["metadata"])
    if obj.get("kind") in _WITHOUT_MANAGERS:
        metadata.pop("managedFields", None)
    return {**obj, "metadata": metadata}


def newest(changes: Iterable[Change]) -> list[Change]:
    """The last change of each object, ordered by key, so that writers take locks in one order."""
    held: dict[tuple[str, str, str], Change] = {}
    for change in changes:
        before = held.get(change.key)
        if before is None or before.revision <= change.revision:
            held[change.key] = change
    return [held[key] for key in sorted(held)]


# namespace, name -> uid, resourceVersion
Heads = Mapping[tuple[str, str], tuple[str, int]]


def heads_of(items: Iterable[Mapping[str, Any]]) -> Heads:
    """Uid and version by namespace and name. Raises Garbled."""
    return {
        (obj["metadata"].get("namespace") or "", obj["metadata"]["name"]): (obj["metadata"]["uid"], revision_of(obj))
        for obj in items
    }


def behind(listed: Heads, revision: int, kept: Heads) -> set[tuple[str, str]]:
    """Objects of which the cache knows less than a list that was read at `revision`.

    A watch may be about to tell of them: those that are behind the same list a moment later were kept from us.
    """
    found = {key for key, (_, version) in listed.items() if key not in kept or kept[key][1] < version}
    return found | {key for key, (_, version) in kept.items() if key not in listed and version <= revision}


Step = Literal["resume", "list"]


@dataclass(frozen=True)
class Next:
    """What to do after a watch or list ended: `step` after `pause` seconds. `failures` in a row so far."""

    step: Step
    pause: float
    failures: int


def after_end(failures: int, error: Exception | None, chance: float) -> Next:
    """The next step of a watch. `error` None: it ended by its own timeout, as each does. `chance` in [0, 1]: jitter.

    A position is kept over every failure but those that make it worthless; pauses double up to half a minute.
    """
    if error is None:
        return Next("resume", 0.0, 0)
    total = failures + 1
    step: Step = "list" if isinstance(error, WatchGone | Garbled) else "resume"
    if isinstance(error, WatchGone) and failures == 0:
        return Next("list", 0.0, total)
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(total - 1, 16))
    return Next(step, longest * (0.5 + 0.5 * chance), total)


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
