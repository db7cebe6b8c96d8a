"""ReplicaSets: as many active pods as spec.replicas says."""

from __future__ import annotations

import asyncio
import copy

from apps.embedded.client import KubeError
from apps.embedded.controllers.adoption import claim
from apps.embedded.controllers.domain.replicas import BURST, calculate_status, seconds_until_available, victims
from apps.embedded.controllers.domain.rollout import spec_replicas
from apps.embedded.controllers.runtime import Controller, now
from apps.embedded.domain.objects import (
    Object,
    controller_of,
    controller_reference,
    is_controlled_by,
    is_deleting,
    matches_selector,
)
from apps.embedded.domain.pods import is_active, is_terminating
from apps.embedded.informer import Change, Key, object_key

PODS = ("", "v1", "pods")


class ReplicaSetController(Controller):
    name = "replicaset-controller"

    def watch(self) -> None:
        self.cluster.replica_sets.informer.on_change(lambda change: self.queue.add(change.key))
        self.cluster.pods.informer.on_change(self._pod_changed)

    def _pod_changed(self, change: Change) -> None:
        for pod in (change.old, change.new):
            if pod is None:
                continue
            owner = controller_of(pod)
            namespace = pod["metadata"]["namespace"]
            if owner is not None:
                if owner["kind"] == "ReplicaSet":
                    self.queue.add((namespace, owner["name"]))
                continue
            for rs in self.cluster.replica_sets.all(namespace):
                if matches_selector(rs["spec"]["selector"], pod["metadata"].get("labels")):
                    self.queue.add(object_key(rs))

    async def sync(self, key: Key) -> float | None:
        cached = self.cluster.replica_sets.get(*key)
        if cached is None:
            return None
        rs = copy.deepcopy(cached)
        owned = await claim(
            self.cluster.pods,
            self.client,
            owner=rs,
            owner_kind=("apps/v1", "ReplicaSet"),
            owners=self.cluster.replica_sets,
        )
        active = [pod for pod in owned if is_active(pod)]
        terminating = sum(is_terminating(pod) for pod in owned)
        failure: KubeError | None = None
        if not is_deleting(rs):
            failure = await self._manage(rs, active)
        moment = now()
        status = calculate_status(rs, active, terminating, failure.message if failure else None, moment)
        if status != (rs.get("status") or {}):
            written = await self.client.update_status("apps", "v1", "replicasets", {**rs, "status": status})
            self.cluster.replica_sets.put(written)
        if failure is not None:
            raise failure
        return seconds_until_available(rs, active, moment)

    async def _manage(self, rs: Object, active: list[Object]) -> KubeError | None:
        """Create or delete what is missing or too many; the first refusal of the server is returned."""
        missing = spec_replicas(rs) - len(active)
        if missing > 0:
            return await self._create(rs, min(missing, BURST))
        if missing < 0:
            return await self._delete(rs, victims(active, self._related(rs, active), min(-missing, BURST)))
        return None

    async def _create(self, rs: Object, count: int) -> KubeError | None:
        """In growing batches: one refusal (a quota, a missing service account) must not cost ``count`` requests."""
        batch, left = 1, count
        while left > 0:
            results = await asyncio.gather(*(self._create_pod(rs) for _ in range(min(batch, left))))
            failures = [result for result in results if result is not None]
            if failures:
                return failures[0]
            left -= len(results)
            batch *= 2
        return None

    async def _create_pod(self, rs: Object) -> KubeError | None:
        template = copy.deepcopy(rs["spec"]["template"])
        metadata = template.get("metadata") or {}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                **{key: metadata[key] for key in ("labels", "annotations", "finalizers") if metadata.get(key)},
                "generateName": f"{rs['metadata']['name']}-",
                "namespace": rs["metadata"]["namespace"],
                "ownerReferences": [controller_reference(rs, "apps/v1", "ReplicaSet")],
            },
            "spec": template["spec"],
        }
        try:
            created = await self.client.create(*PODS, pod)
        except KubeError as error:
            causes = (error.body.get("details") or {}).get("causes") or []
            if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
                return None
            self.recorder.event(rs, "FailedCreate", f"Error creating: {error.message}", warning=True)
            return error
        self.cluster.pods.put(created)
        self.recorder.event(rs, "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")
        return None

    async def _delete(self, rs: Object, pods: list[Object]) -> KubeError | None:
        results = await asyncio.gather(*(self._delete_pod(rs, pod) for pod in pods))
        return next((result for result in results if result is not None), None)

    async def _delete_pod(self, rs: Object, pod: Object) -> KubeError | None:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        try:
            deleted = await self.client.delete(*PODS, name, namespace=namespace, uid=pod["metadata"]["uid"])
        except KubeError as error:
            if error.status == 404:
                return None
            self.recorder.event(rs, "FailedDelete", f"Error deleting: {error.message}", warning=True)
            return error
        self.cluster.pods.put(deleted)
        self.recorder.event(rs, "SuccessfulDelete", f"Deleted pod: {name}")
        return None

    def _related(self, rs: Object, active: list[Object]) -> list[Object]:
        """Active pods of all ReplicaSets with the same owner: spreading over nodes looks at them together."""
        owner = controller_of(rs)
        if owner is None:
            return active
        siblings = [
            other
            for other in self.cluster.replica_sets.all(rs["metadata"]["namespace"])
            if (reference := controller_of(other)) is not None and reference["uid"] == owner["uid"]
        ]
        return [
            pod
            for pod in self.cluster.pods.all(rs["metadata"]["namespace"])
            if is_active(pod) and any(is_controlled_by(pod, sibling) for sibling in siblings)
        ]
