"""Deployments: one ReplicaSet for each pod template, rolled over within maxSurge and maxUnavailable."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.embedded.client import KubeError
from apps.embedded.controllers.adoption import claim
from apps.embedded.controllers.domain import deployment_status as progress
from apps.embedded.controllers.domain import rollout
from apps.embedded.controllers.domain.revisions import replica_set_annotations
from apps.embedded.controllers.domain.template_hash import HASH_LABEL, same_template, template_hash
from apps.embedded.controllers.runtime import Controller, now
from apps.embedded.domain.objects import (
    Object,
    controller_of,
    controller_reference,
    find_condition,
    is_controlled_by,
    is_deleting,
    matches_selector,
)
from apps.embedded.domain.pods import is_terminal
from apps.embedded.informer import Change, Key, object_key

APPS = ("apps", "v1")


@dataclass
class ReplicaSets:
    """The ReplicaSets of one Deployment: the one of the current template, if it exists, and the others."""

    new: Object | None
    old: list[Object]

    @property
    def all(self) -> list[Object]:
        return [*self.old, *([self.new] if self.new else [])]

    def replace(self, rs: Object) -> None:
        name = rs["metadata"]["name"]
        if self.new and self.new["metadata"]["name"] == name:
            self.new = rs
        else:
            self.old = [rs if other["metadata"]["name"] == name else other for other in self.old]


class DeploymentController(Controller):
    name = "deployment-controller"

    def watch(self) -> None:
        self.cluster.deployments.informer.on_change(lambda change: self.queue.add(change.key))
        self.cluster.replica_sets.informer.on_change(self._replica_set_changed)
        self.cluster.pods.informer.on_change(self._pod_changed)

    def _replica_set_changed(self, change: Change) -> None:
        for rs in (change.old, change.new):
            if rs is None:
                continue
            owner = controller_of(rs)
            namespace = rs["metadata"]["namespace"]
            if owner is not None:
                if owner["kind"] == "Deployment":
                    self.queue.add((namespace, owner["name"]))
                continue
            for deployment in self.cluster.deployments.all(namespace):
                if matches_selector(deployment["spec"]["selector"], rs["metadata"].get("labels")):
                    self.queue.add(object_key(deployment))

    def _pod_changed(self, change: Change) -> None:
        """A Recreate rollout waits for the last old pod."""
        owner = controller_of(change.new)
        if change.type != "DELETED" or owner is None or owner["kind"] != "ReplicaSet":
            return
        rs = self.cluster.replica_sets.get(change.key[0], owner["name"])
        parent = controller_of(rs) if rs else None
        if parent is not None and parent["kind"] == "Deployment":
            self.queue.add((change.key[0], parent["name"]))

    async def sync(self, key: Key) -> float | None:
        cached = self.cluster.deployments.get(*key)
        if cached is None:
            return None
        deployment = copy.deepcopy(cached)
        if not deployment["spec"]["selector"]:
            self.recorder.event(
                deployment,
                "SelectingAll",
                "This deployment is selecting all pods. A non-empty selector is required.",
                warning=True,
            )
            return None
        sets = await self._replica_sets(deployment)
        if is_deleting(deployment):
            await self._write_status(deployment, progress.calculate(deployment, sets.new, sets.all, now()))
            return None
        deployment = await self._note_pause(deployment)
        if deployment["spec"].get("paused") or rollout.is_scaling_event(deployment, sets.all):
            await self._resize(deployment, sets)
            return None
        if rollout.is_rolling(deployment):
            return await self._roll(deployment, sets)
        return await self._recreate(deployment, sets)

    async def _replica_sets(self, deployment: Object) -> ReplicaSets:
        owned = await claim(
            self.cluster.replica_sets,
            self.client,
            owner=deployment,
            owner_kind=("apps/v1", "Deployment"),
            owners=self.cluster.deployments,
        )
        current = [rs for rs in rollout.by_age(owned) if same_template(rs["spec"]["template"], _template(deployment))]
        new = current[0] if current else None
        return ReplicaSets(new=new, old=[rs for rs in owned if rs is not new])

    async def _note_pause(self, deployment: Object) -> Object:
        """Pausing and resuming show in the Progressing condition, unless the rollout has timed out already."""
        if progress.progress_deadline(deployment) is None:
            return deployment
        current = find_condition((deployment.get("status") or {}).get("conditions"), "Progressing")
        if current is not None and current["reason"] == progress.TIMED_OUT:
            return deployment
        noted = current is not None and current["reason"] == progress.PAUSED
        paused = bool(deployment["spec"].get("paused"))
        if paused == noted:
            return deployment
        reason, message = (
            (progress.PAUSED, "Deployment is paused") if paused else (progress.RESUMED, "Deployment is resumed")
        )
        progress.set_condition(
            deployment.setdefault("status", {}),
            progress.condition("Progressing", "Unknown", reason, message, now()),
        )
        return await self._update_status(deployment)

    async def _resize(self, deployment: Object, sets: ReplicaSets) -> None:
        """Scale what is there, without rolling anything over."""
        deployment = await self._sync_revision(deployment, sets)
        by_name = {rs["metadata"]["name"]: rs for rs in sets.all}
        for name, size in rollout.scale(deployment, sets.new, sets.old).items():
            await self._scale(deployment, sets, by_name[name], size)
        if deployment["spec"].get("paused"):
            await self._clean_up(deployment, sets)
        await self._write_status(deployment, progress.calculate(deployment, sets.new, sets.all, now()))

    async def _roll(self, deployment: Object, sets: ReplicaSets) -> float | None:
        deployment = await self._ensure_new(deployment, sets)
        assert sets.new is not None
        current, wanted = rollout.spec_replicas(sets.new), rollout.spec_replicas(deployment)
        target = wanted if current > wanted else rollout.new_replica_count(deployment, sets.all, current)
        if target != current:
            await self._scale(deployment, sets, sets.new, target)
            return await self._write_progress(deployment, sets)
        shrink = rollout.scale_down_old(deployment, sets.new, sets.old)
        by_name = {rs["metadata"]["name"]: rs for rs in sets.old}
        for name, size in shrink.items():
            await self._scale(deployment, sets, by_name[name], size)
        if not shrink and progress.is_complete(deployment, deployment.get("status") or {}):
            await self._clean_up(deployment, sets)
        return await self._write_progress(deployment, sets)

    async def _recreate(self, deployment: Object, sets: ReplicaSets) -> float | None:
        deployment = await self._sync_revision(deployment, sets)
        running = rollout.active(sets.old)
        for rs in running:
            await self._scale(deployment, sets, rs, 0)
        if running or self._old_pods_run(sets):
            return await self._write_progress(deployment, sets)
        deployment = await self._ensure_new(deployment, sets)
        assert sets.new is not None
        await self._scale(deployment, sets, sets.new, rollout.spec_replicas(deployment))
        if progress.is_complete(deployment, deployment.get("status") or {}):
            await self._clean_up(deployment, sets)
        return await self._write_progress(deployment, sets)

    def _old_pods_run(self, sets: ReplicaSets) -> bool:
        return any(
            is_controlled_by(pod, rs) and not is_terminal(pod)
            for rs in sets.old
            for pod in self.cluster.pods.all(rs["metadata"]["namespace"])
        )

    async def _sync_revision(self, deployment: Object, sets: ReplicaSets) -> Object:
        """Keep annotations of the current ReplicaSet and the revision of the Deployment; creates nothing."""
        if sets.new is None:
            return deployment
        wanted = 1 + max((rollout.revision(rs) for rs in sets.old), default=0)
        annotations = replica_set_annotations(deployment, sets.new, wanted)
        min_ready = deployment["spec"].get("minReadySeconds", 0)
        if annotations != (sets.new["metadata"].get("annotations") or {}) or min_ready != sets.new["spec"].get(
            "minReadySeconds", 0
        ):
            changed = copy.deepcopy(sets.new)
            changed["metadata"]["annotations"] = annotations
            changed["spec"]["minReadySeconds"] = min_ready
            sets.replace(await self._update_replica_set(changed))
        needs_update = _set_revision(deployment, str(rollout.revision(sets.new)))
        has_condition = find_condition((deployment.get("status") or {}).get("conditions"), "Progressing")
        if progress.progress_deadline(deployment) is not None and has_condition is None:
            message = f'Found new replica set "{sets.new["metadata"]["name"]}"'
            progress.set_condition(
                deployment.setdefault("status", {}),
                progress.condition("Progressing", "True", progress.FOUND_REPLICA_SET, message, now()),
            )
            needs_update = True
        return await self._update_status(deployment) if needs_update else deployment

    async def _ensure_new(self, deployment: Object, sets: ReplicaSets) -> Object:
        """Make sure that the ReplicaSet of the current template exists; returns the Deployment as last written."""
        if sets.new is not None:
            return await self._sync_revision(deployment, sets)
        revision = 1 + max((rollout.revision(rs) for rs in sets.old), default=0)
        rs = _new_replica_set(deployment, sets, revision)
        name, count = rs["metadata"]["name"], rs["spec"]["replicas"]
        existed = False
        try:
            sets.new = await self.client.create(*APPS, "replicasets", rs)
        except KubeError as error:
            if error.status == 409:
                sets.new = await self._taken_name(deployment, rs)
                existed = True
            else:
                await self._creation_failed(deployment, name, error)
                raise
        self.cluster.replica_sets.put(sets.new)
        if not existed and count > 0:
            self.recorder.event(deployment, "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {count}")
        needs_update = _set_revision(deployment, str(revision))
        if not existed and progress.progress_deadline(deployment) is not None:
            progress.set_condition(
                deployment.setdefault("status", {}),
                progress.condition(
                    "Progressing", "True", progress.NEW_REPLICA_SET, f'Created new replica set "{name}"', now()
                ),
            )
            needs_update = True
        return await self._update_status(deployment) if needs_update else deployment

    async def _taken_name(self, deployment: Object, rs: Object) -> Object:
        """The name exists: our own ReplicaSet that the watch has not shown yet, or a clash of hashes."""
        metadata = rs["metadata"]
        found = await self.client.get(*APPS, "replicasets", metadata["name"], namespace=metadata["namespace"])
        if is_controlled_by(found, deployment) and same_template(found["spec"]["template"], _template(deployment)):
            return found
        status = deployment.setdefault("status", {})
        status["collisionCount"] = (status.get("collisionCount") or 0) + 1
        await self._update_status(deployment)
        raise KubeError(409, "AlreadyExists", f"replica set {metadata['name']} belongs to another template")

    async def _creation_failed(self, deployment: Object, name: str, error: KubeError) -> None:
        if any(cause.get("reason") == "NamespaceTerminating" for cause in _causes(error)):
            return
        message = f'Failed to create new replica set "{name}": {error.message}'
        if progress.progress_deadline(deployment) is not None:
            progress.set_condition(
                deployment.setdefault("status", {}),
                progress.condition("Progressing", "False", progress.FAILED_CREATE, message, now()),
            )
            await self._update_status(deployment)
        self.recorder.event(deployment, progress.FAILED_CREATE, message, warning=True)

    async def _scale(self, deployment: Object, sets: ReplicaSets, rs: Object, size: int) -> None:
        wanted = rollout.spec_replicas(deployment)
        annotations = {
            **(rs["metadata"].get("annotations") or {}),
            rollout.DESIRED_ANNOTATION: str(wanted),
            rollout.MAX_ANNOTATION: str(wanted + rollout.max_surge(deployment)),
        }
        before = rollout.spec_replicas(rs)
        if size == before and annotations == (rs["metadata"].get("annotations") or {}):
            return
        changed = copy.deepcopy(rs)
        changed["spec"]["replicas"] = size
        changed["metadata"]["annotations"] = annotations
        sets.replace(await self._update_replica_set(changed))
        if size != before:
            direction = "up" if size > before else "down"
            self.recorder.event(
                deployment,
                "ScalingReplicaSet",
                f"Scaled {direction} replica set {rs['metadata']['name']} from {before} to {size}",
            )

    async def _update_replica_set(self, rs: Object) -> Object:
        written = await self.client.update(*APPS, "replicasets", rs)
        self.cluster.replica_sets.put(written)
        return written

    async def _clean_up(self, deployment: Object, sets: ReplicaSets) -> None:
        for rs in rollout.to_clean_up(deployment, sets.old):
            try:
                await self.client.delete(
                    *APPS, "replicasets", rs["metadata"]["name"], namespace=rs["metadata"]["namespace"]
                )
            except KubeError as error:
                if error.status != 404:
                    raise

    async def _write_progress(self, deployment: Object, sets: ReplicaSets) -> float | None:
        status = progress.progress(deployment, sets.new, sets.all, now())
        await self._write_status(deployment, status)
        return progress.seconds_until_timeout(deployment, status, now())

    async def _write_status(self, deployment: Object, status: Object) -> None:
        if status != (deployment.get("status") or {}):
            await self._update_status({**deployment, "status": status})

    async def _update_status(self, deployment: Object) -> Object:
        written = await self.client.update_status(*APPS, "deployments", deployment)
        self.cluster.deployments.put(written)
        return copy.deepcopy(written)


def _template(deployment: Mapping[str, Any]) -> Any:
    return deployment["spec"]["template"]


def _causes(error: KubeError) -> list[Object]:
    return (error.body.get("details") or {}).get("causes") or []


def _set_revision(deployment: Object, revision: str) -> bool:
    annotations = deployment["metadata"].setdefault("annotations", {})
    if annotations.get(rollout.REVISION_ANNOTATION) == revision:
        return False
    annotations[rollout.REVISION_ANNOTATION] = revision
    return True


def _new_replica_set(deployment: Object, sets: ReplicaSets, revision: int) -> Object:
    template = copy.deepcopy(_template(deployment))
    hash_ = template_hash(template, (deployment.get("status") or {}).get("collisionCount"))
    labels = {**(template["metadata"].get("labels") or {}), HASH_LABEL: hash_}
    template["metadata"]["labels"] = labels
    selector = copy.deepcopy(deployment["spec"]["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: hash_}
    rs: Object = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{deployment['metadata']['name']}-{hash_}",
            "namespace": deployment["metadata"]["namespace"],
            "labels": dict(labels),
            "ownerReferences": [controller_reference(deployment, "apps/v1", "Deployment")],
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    }
    if deployment["spec"].get("minReadySeconds"):
        rs["spec"]["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
    rs["spec"]["replicas"] = rollout.new_replica_count(deployment, [*sets.old, rs], 0)
    wanted = rollout.spec_replicas(deployment)
    rs["metadata"]["annotations"] = replica_set_annotations(deployment, rs, revision) | {
        rollout.DESIRED_ANNOTATION: str(wanted),
        rollout.MAX_ANNOTATION: str(wanted + rollout.max_surge(deployment)),
    }
    return rs
