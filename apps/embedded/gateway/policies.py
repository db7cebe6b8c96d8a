"""The policy of the pool as the API server has it now: objectives and rewrites, followed by watches."""

from __future__ import annotations

import asyncio

from apps.embedded.client import KubeClient
from apps.embedded.gateway.domain.policy import GROUPS, Policy, policy_of
from apps.embedded.informer import Informer

VERSION = "v1alpha2"


class Policies:
    """`now` is what holds; before the objects have been read, and where their kinds are not served, nothing does."""

    def __init__(self, pool: str, namespace: str) -> None:
        self._pool, self._namespace = pool, namespace
        self._objectives: list[Informer] = []
        self._rewrites: list[Informer] = []
        self.now = Policy({})

    def watch(self, client: KubeClient) -> None:
        for group in GROUPS:
            for plural, held in (("inferenceobjectives", self._objectives), ("inferencemodelrewrites", self._rewrites)):
                informer = Informer(client, group, VERSION, plural, namespace=self._namespace)
                held.append(informer)
                informer.on_change(lambda _: self._changed())
                informer.start()

    def _changed(self) -> None:
        objectives = [obj for informer in self._objectives for obj in informer.values()]
        rewrites = [obj for informer in self._rewrites for obj in informer.values()]
        self.now = policy_of(self._pool, objectives, rewrites)

    async def close(self) -> None:
        await asyncio.gather(*(informer.stop() for informer in (*self._objectives, *self._rewrites)))
