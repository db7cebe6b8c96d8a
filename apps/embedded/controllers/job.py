"""Jobs: pods until as many succeeded as `completions` says, or too many failed."""

from __future__ import annotations

import asyncio
import copy

from apps.embedded.client import KubeError
from apps.embedded.controllers.domain import jobs
from apps.embedded.controllers.domain.jobs import INDEX, TRACKING
from apps.embedded.controllers.runtime import Controller, now
from apps.embedded.domain.objects import Object, controller_of, controller_reference, is_controlled_by, is_deleting
from apps.embedded.informer import Change, Key

PODS = ("", "v1", "pods")
JOBS = ("batch", "v1", "jobs")


class JobController(Controller):
    name = "job-controller"

    def watch(self) -> None:
        self.cluster.jobs.informer.on_change(lambda change: self.queue.add(change.key))
        self.cluster.pods.informer.on_change(self._pod_changed)

    def _pod_changed(self, change: Change) -> None:
        for pod in (change.old, change.new):
            owner = controller_of(pod) if pod is not None else None
            if pod is not None and owner is not None and owner["kind"] == "Job":
                self.queue.add((pod["metadata"]["namespace"], owner["name"]))

    async def sync(self, key: Key) -> float | None:
        cached = self.cluster.jobs.get(*key)
        if cached is None or is_deleting(cached):
            await self._let_go(key)
            return None
        job = copy.deepcopy(cached)
        pods = [pod for pod in self.cluster.pods.all(key[0]) if is_controlled_by(pod, job)]
        if not jobs.is_finished(job):
            announced = jobs.announce(job, pods)
            if announced is not None:
                job = await self._write(job, announced)
        for pod in jobs.to_untrack(job, pods):
            await self._untrack(pod)
        moment = now()
        if jobs.is_finished(job):
            return await self._expire(job)
        plan = jobs.plan(job, pods, moment)
        if plan.status != (job.get("status") or {}):
            job = await self._write(job, plan.status)
        if plan.verdict is not None:
            failed = plan.verdict.type == "Failed"
            self.recorder.event(
                job, plan.verdict.reason if failed else "Completed",
                plan.verdict.message if failed else "Job completed", warning=failed,
            )  # fmt: skip
            return await self._expire(job)
        await asyncio.gather(*(self._delete(job, pod) for pod in plan.delete))
        await asyncio.gather(*(self._create(job, index) for index in plan.create))
        return plan.wait

    async def _write(self, job: Object, status: Object) -> Object:
        written = await self.client.update_status(*JOBS, {**job, "status": status})
        self.cluster.jobs.put(written)
        return written

    async def _expire(self, job: Object) -> float | None:
        left = jobs.seconds_until_expired(job, now())
        if left is None or left > 0:
            return left
        metadata = job["metadata"]
        try:
            await self.client.delete(
                *JOBS, metadata["name"], namespace=metadata["namespace"], uid=metadata["uid"],
                propagation_policy="Background",
            )  # fmt: skip
        except KubeError as error:
            if error.status != 404:
                raise
        return None

    async def _let_go(self, key: Key) -> None:
        """The pods of a Job that is going or gone are not counted any more: nothing may hold them."""
        for pod in self.cluster.pods.all(key[0]):
            owner = controller_of(pod)
            if owner is not None and (owner["kind"], owner["name"]) == ("Job", key[1]):
                await self._untrack(pod)

    async def _untrack(self, pod: Object) -> None:
        metadata = pod["metadata"]
        finalizers = metadata.get("finalizers") or []
        if TRACKING not in finalizers:
            return
        patch = {
            "metadata": {
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
                "finalizers": [name for name in finalizers if name != TRACKING] or None,
            }
        }
        try:
            written = await self.client.patch(*PODS, metadata["name"], patch, namespace=metadata["namespace"])
        except KubeError as error:
            if error.status != 404:
                raise
            return
        self.cluster.pods.put(written)

    async def _delete(self, job: Object, pod: Object) -> None:
        metadata = pod["metadata"]
        try:
            deleted = await self.client.delete(
                *PODS, metadata["name"], namespace=metadata["namespace"], uid=metadata["uid"]
            )
        except KubeError as error:
            if error.status == 404:
                return
            raise
        self.cluster.pods.put(deleted)
        self.recorder.event(job, "SuccessfulDelete", f"Deleted pod: {metadata['name']}")

    async def _create(self, job: Object, index: int | None) -> None:
        template = copy.deepcopy(job["spec"]["template"])
        given, name = template.get("metadata") or {}, job["metadata"]["name"]
        metadata: Object = {
            "labels": dict(given.get("labels") or {}),
            "annotations": dict(given.get("annotations") or {}),
            "finalizers": [TRACKING],
            "generateName": f"{name}-" if index is None else f"{name}-{index}-",
            "namespace": job["metadata"]["namespace"],
            "ownerReferences": [controller_reference(job, "batch/v1", "Job")],
        }
        if index is not None:
            metadata["labels"][INDEX] = metadata["annotations"][INDEX] = str(index)
            template["spec"].setdefault("hostname", f"{name}-{index}")
            for container in template["spec"]["containers"]:
                container.setdefault("env", []).append({"name": "JOB_COMPLETION_INDEX", "value": str(index)})
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        try:
            created = await self.client.create(*PODS, pod)
        except KubeError as error:
            causes = (error.body.get("details") or {}).get("causes") or []
            if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
                return
            self.recorder.event(job, "FailedCreate", f"Error creating: {error.message}", warning=True)
            raise
        self.cluster.pods.put(created)
        self.recorder.event(job, "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")
