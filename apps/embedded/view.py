"""A collection as its writer knows it: the watched copy, plus own writes that the watch has not delivered yet.

Without it a controller that just created a pod would count one too few and create another.
"""

from __future__ import annotations

import asyncio

from apps.embedded.client import KubeClient
from apps.embedded.domain.objects import Object, revision_of
from apps.embedded.informer import Change, Informer, Key, object_key

OVERLAY_SECONDS = 30.0
"""How long an own write is believed in without the watch confirming it."""


class View:
    """Reads of one kind. Objects that come out must not be changed; ``put`` what the server answered to a write."""

    def __init__(
        self, client: KubeClient, group: str, version: str, plural: str, *, namespace: str | None = None
    ) -> None:
        self.resource = (group, version, plural)
        self.informer = Informer(client, group, version, plural, namespace=namespace)
        self.informer.on_change(self._seen)
        self._written: dict[Key, tuple[float, Object]] = {}

    def put(self, obj: Object) -> None:
        """Remember the answer of a create, update or patch."""
        if "uid" not in obj.get("metadata", {}):
            return
        if obj["metadata"].get("deletionTimestamp") and object_key(obj) not in self.informer.cache:
            return
        self._written[object_key(obj)] = (asyncio.get_running_loop().time(), obj)

    def get(self, namespace: str, name: str) -> Object | None:
        key = (namespace, name)
        return self._newest(key, self.informer.cache.get(key))

    def all(self, namespace: str | None = None) -> list[Object]:
        keys = dict.fromkeys([*self.informer.cache, *self._written])
        found = (self._newest(key, self.informer.cache.get(key)) for key in keys if namespace in (None, key[0]))
        return [obj for obj in found if obj is not None]

    def _newest(self, key: Key, watched: Object | None) -> Object | None:
        if key not in self._written:
            return watched
        since, written = self._written[key]
        expired = asyncio.get_running_loop().time() - since > OVERLAY_SECONDS
        if expired or (watched is not None and revision_of(watched) >= revision_of(written)):
            del self._written[key]
            return watched
        return written

    def _seen(self, change: Change) -> None:
        held = self._written.get(change.key)
        if held is None:
            return
        caught_up = revision_of(change.new) >= revision_of(held[1])
        gone = change.type == "DELETED" and change.new["metadata"]["uid"] == held[1]["metadata"]["uid"]
        if caught_up or gone:
            del self._written[change.key]
