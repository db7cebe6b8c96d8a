"""The garbage collector: objects whose owners are gone are deleted, foreground and orphan deletions are finished.

It watches every kind that can be listed and deleted, custom ones included, and keeps of each object its metadata only.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import aiohttp

from apps.embedded.client import KubeError
from apps.embedded.controllers.discovery import Resource, discover, preferred
from apps.embedded.controllers.domain.ownership import (
    FOREGROUND,
    ORPHAN,
    Delete,
    DropReferences,
    OwnerState,
    blocking,
    decide,
    is_orphaning,
    is_waiting_for_dependents,
)
from apps.embedded.controllers.runtime import Cluster, Controller
from apps.embedded.domain.objects import Object, is_deleting
from apps.embedded.events import EventRecorder
from apps.embedded.informer import Change, Informer, Key

log = logging.getLogger(__name__)

NOT_COLLECTED = frozenset({("", "events"), ("coordination.k8s.io", "leases")})
"""Kinds that own nothing and that nobody owns here, and that change all the time."""

UNSEEN_OWNER_S = 1.0
"""Seconds after which an object is looked at again whose owner the server knows and our copy of its kind does not."""


class GarbageCollector(Controller):
    """Keys are (plural.group, uid)."""

    name = "garbage-collector"

    def __init__(self, cluster: Cluster, recorder: EventRecorder) -> None:
        super().__init__(cluster, recorder)
        self._resources: dict[tuple[str, str], Resource] = {}
        self._informers: dict[tuple[str, str], Informer] = {}
        self._objects: dict[str, tuple[Resource, Object]] = {}
        self._dependents: dict[str, set[str]] = {}
        self._crds: Informer | None = None
        self._rediscover = asyncio.Event()

    def watch(self) -> None:
        self._crds = Informer(
            self.client, "apiextensions.k8s.io", "v1", "customresourcedefinitions", metadata_only=True
        )
        self._crds.on_change(lambda _: self._rediscover.set())
        self._crds.start()
        self._rediscover.set()

    def start(self) -> None:
        super().start()
        self._tasks.append(asyncio.create_task(self._follow_discovery(), name="garbage-discovery"))

    async def stop(self) -> None:
        await super().stop()
        informers = [*self._informers.values(), *([self._crds] if self._crds else [])]
        await asyncio.gather(*(informer.stop() for informer in informers))

    async def _follow_discovery(self) -> None:
        while True:
            await self._rediscover.wait()
            self._rediscover.clear()
            await asyncio.sleep(0.3)  # a kind is served shortly after its definition appears
            try:
                await self._update_resources(preferred(await discover(self.client)))
            except (KubeError, aiohttp.ClientError, TimeoutError) as error:
                log.warning("discovery failed: %s; again in 1 s", error or type(error).__name__)
                asyncio.get_running_loop().call_later(1.0, self._rediscover.set)
            except Exception:
                log.exception("discovery failed; again in 1 s")
                asyncio.get_running_loop().call_later(1.0, self._rediscover.set)

    async def _update_resources(self, resources: list[Resource]) -> None:
        wanted = {
            (resource.group, resource.plural): resource
            for resource in resources
            if {"list", "watch", "delete"} <= resource.verbs and (resource.group, resource.plural) not in NOT_COLLECTED
        }
        for key in [key for key in self._informers if key not in wanted]:
            await self._informers.pop(key).stop()
            for uid in [uid for uid, (owner, _) in self._objects.items() if (owner.group, owner.plural) == key]:
                self._forget(uid)
        self._resources = wanted
        for key, resource in wanted.items():
            if key in self._informers:
                continue
            informer = Informer(self.client, *resource.triple, metadata_only=True)
            informer.on_change(partial(self._changed, resource))
            self._informers[key] = informer.start()

    def _changed(self, resource: Resource, change: Change) -> None:
        uid = change.new["metadata"]["uid"]
        if change.old is not None and change.old["metadata"]["uid"] != uid:
            self._gone(change.old["metadata"]["uid"])
        if change.type == "DELETED":
            self._gone(uid)
            return
        before = self._objects.get(uid)
        self._objects[uid] = (resource, change.new)
        if before is not None:
            self._unlink(uid, before[1])
        for owner in _owner_uids(change.new):
            self._dependents.setdefault(owner, set()).add(uid)
        if _owner_uids(change.new) or is_orphaning(change.new) or is_waiting_for_dependents(change.new):
            self.queue.add((resource.qualified, uid))
        if is_waiting_for_dependents(change.new) and not (before and is_waiting_for_dependents(before[1])):
            self._add_dependents(uid)
        for owner in _owner_uids(before[1]) if before else []:
            self._add_if_deleting(owner)

    def _gone(self, uid: str) -> None:
        known = self._objects.get(uid)
        self._forget(uid)
        self._add_dependents(uid)
        for owner in _owner_uids(known[1]) if known else []:
            self._add_if_deleting(owner)

    def _forget(self, uid: str) -> None:
        known = self._objects.pop(uid, None)
        if known is not None:
            self._unlink(uid, known[1])

    def _unlink(self, uid: str, obj: Object) -> None:
        for owner in _owner_uids(obj):
            children = self._dependents.get(owner)
            if children is not None:
                children.discard(uid)
                if not children:
                    del self._dependents[owner]

    def _add_dependents(self, uid: str) -> None:
        for child in self._dependents.get(uid, ()):
            self._add_uid(child)

    def _add_if_deleting(self, uid: str) -> None:
        known = self._objects.get(uid)
        if known is not None and is_deleting(known[1]):
            self._add_uid(uid)

    def _add_uid(self, uid: str) -> None:
        known = self._objects.get(uid)
        if known is not None:
            self.queue.add((known[0].qualified, uid))

    def _children(self, uid: str) -> list[Object]:
        return [self._objects[child][1] for child in self._dependents.get(uid, ()) if child in self._objects]

    async def sync(self, key: Key) -> float | None:
        known = self._objects.get(key[1])
        if known is None:
            return None
        resource, obj = known
        if is_orphaning(obj):
            await self._orphan(resource, obj)
        elif is_waiting_for_dependents(obj):
            await self._finish_foreground(resource, obj)
        elif not is_deleting(obj):
            return await self._collect(resource, obj)
        return None

    async def _orphan(self, resource: Resource, obj: Object) -> None:
        uid = obj["metadata"]["uid"]
        for child in list(self._dependents.get(uid, ())):
            if child in self._objects:
                await self._drop_references(*self._objects[child], frozenset({uid}))
        await self._remove_finalizer(resource, obj, ORPHAN)

    async def _finish_foreground(self, resource: Resource, obj: Object) -> None:
        uid = obj["metadata"]["uid"]
        waiting_for = blocking(uid, self._children(uid))
        if not waiting_for:
            await self._remove_finalizer(resource, obj, FOREGROUND)
            return
        for child in waiting_for:
            if not is_deleting(child):
                self._add_uid(child["metadata"]["uid"])

    async def _collect(self, resource: Resource, obj: Object) -> float | None:
        """Seconds after which to look again: of an owner that goes before its kind is listed nobody tells us."""
        unseen: set[str] = set()
        owners = {
            reference["uid"]: await self._owner_state(resource, obj, reference, unseen)
            for reference in obj["metadata"].get("ownerReferences") or []
        }
        uid = obj["metadata"]["uid"]
        verdict = decide(obj, owners, self._children(uid))
        if isinstance(verdict, DropReferences):
            await self._drop_references(resource, obj, verdict.uids)
        elif isinstance(verdict, Delete):
            if verdict.unblock:
                await self._unblock(resource, obj)
            await self._delete(resource, obj, verdict.policy)
        return UNSEEN_OWNER_S if unseen else None

    async def _owner_state(self, resource: Resource, obj: Object, reference: Object, unseen: set[str]) -> OwnerState:
        """From the watched copy when the owner is in it; one that is not is looked for on the server, and is added to
        ``unseen`` when it is there."""
        known = self._objects.get(reference["uid"])
        if known is not None:
            return "waiting" if is_waiting_for_dependents(known[1]) else "solid"
        kind = self._kind_of(reference)
        if kind is None:
            group = reference["apiVersion"].partition("/")[0]
            raise KubeError(503, "UnknownOwnerKind", f"no kind {reference['kind']} of {group} is served (yet)")
        namespace = obj["metadata"].get("namespace") if kind.namespaced else None
        if kind.namespaced and not resource.namespaced:
            self.recorder.event(
                {**obj, "apiVersion": resource.api_version, "kind": resource.kind},
                "OwnerRefInvalidNamespace",
                f"ownerRef [{reference['apiVersion']}/{reference['kind']}, namespace: , name: {reference['name']}, "
                f'uid: {reference["uid"]}] does not exist in namespace ""',
                warning=True,
            )
            return "solid"
        try:
            owner = await self.client.get(*kind.triple, reference["name"], namespace=namespace)
        except KubeError as error:
            if error.status != 404:
                raise
            return "gone"
        if owner["metadata"]["uid"] != reference["uid"]:
            return "gone"
        unseen.add(reference["uid"])
        return "waiting" if is_waiting_for_dependents(owner) else "solid"

    def _kind_of(self, reference: Object) -> Resource | None:
        group = reference["apiVersion"].rpartition("/")[0]
        return next(
            (
                resource
                for resource in self._resources.values()
                if resource.group == group and resource.kind == reference["kind"]
            ),
            None,
        )

    async def _drop_references(self, resource: Resource, obj: Object, uids: frozenset[str]) -> None:
        left = [entry for entry in obj["metadata"].get("ownerReferences") or [] if entry["uid"] not in uids]
        await self._patch(resource, obj, {"ownerReferences": left or None})

    async def _unblock(self, resource: Resource, obj: Object) -> None:
        references = [{**entry, "blockOwnerDeletion": False} for entry in obj["metadata"]["ownerReferences"]]
        await self._patch(resource, obj, {"ownerReferences": references}, check_version=False)

    async def _remove_finalizer(self, resource: Resource, obj: Object, finalizer: str) -> None:
        left = [entry for entry in obj["metadata"].get("finalizers") or [] if entry != finalizer]
        await self._patch(resource, obj, {"finalizers": left or None})

    async def _patch(self, resource: Resource, obj: Object, metadata: Object, *, check_version: bool = True) -> None:
        metadata = {"uid": obj["metadata"]["uid"], **metadata}
        if check_version:
            metadata["resourceVersion"] = obj["metadata"]["resourceVersion"]
        name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace")
        try:
            await self.client.patch(*resource.triple, name, {"metadata": metadata}, namespace=namespace)
        except KubeError as error:
            if error.status != 404:
                raise

    async def _delete(self, resource: Resource, obj: Object, policy: str) -> None:
        metadata = obj["metadata"]
        try:
            await self.client.delete(
                *resource.triple,
                metadata["name"],
                namespace=metadata.get("namespace"),
                uid=metadata["uid"],
                propagation_policy=policy,
            )
        except KubeError as error:
            if error.status != 404:
                raise


def _owner_uids(obj: Object) -> list[str]:
    return [reference["uid"] for reference in obj["metadata"].get("ownerReferences") or []]
