"""Volume claims: bound at once, since a claim is a folder here, and kept for as long as a pod uses them."""

from __future__ import annotations

from apps.embedded.client import KubeError
from apps.embedded.controllers.runtime import Controller
from apps.embedded.domain.objects import Object, is_deleting
from apps.embedded.domain.pods import is_terminal
from apps.embedded.informer import Change, Key

CLAIMS = ("", "v1", "persistentvolumeclaims")
PROTECTION = "kubernetes.io/pvc-protection"


class VolumeClaimController(Controller):
    name = "pvc-protection-controller"

    def watch(self) -> None:
        self.cluster.claims.informer.on_change(lambda change: self.queue.add(change.key))
        self.cluster.pods.informer.on_change(self._pod_changed)

    def _pod_changed(self, change: Change) -> None:
        self.add_all((change.new["metadata"]["namespace"], name) for name in claims_of(change.new))

    async def sync(self, key: Key) -> float | None:
        claim = self.cluster.claims.get(*key)
        if claim is None:
            return None
        if not is_deleting(claim):
            await self._bind(claim)
            return None
        used = any(key[1] in claims_of(pod) and not is_terminal(pod) for pod in self.cluster.pods.all(key[0]))
        finalizers = claim["metadata"].get("finalizers") or []
        if PROTECTION not in finalizers or used:
            return None
        metadata = claim["metadata"]
        left = [name for name in finalizers if name != PROTECTION]
        patch = {"metadata": {"resourceVersion": metadata["resourceVersion"], "finalizers": left or None}}
        try:
            await self.client.patch(*CLAIMS, metadata["name"], patch, namespace=metadata["namespace"])
        except KubeError as error:
            if error.status != 404:
                raise
        return None

    async def _bind(self, claim: Object) -> None:
        if (claim.get("status") or {}).get("phase") == "Bound":
            return
        asked = ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "1Gi")
        status = {"phase": "Bound", "accessModes": claim["spec"].get("accessModes"), "capacity": {"storage": asked}}
        written = await self.client.update_status(*CLAIMS, {**claim, "status": status})
        self.cluster.claims.put(written)


def claims_of(pod: Object) -> set[str]:
    """Names of the volume claims that a pod mounts."""
    volumes = (pod.get("spec") or {}).get("volumes") or []
    return {v["persistentVolumeClaim"]["claimName"] for v in volumes if "persistentVolumeClaim" in v}
