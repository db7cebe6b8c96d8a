"""PodDisruptionBudget status: what the eviction API and people read before they take a pod away."""

from __future__ import annotations

from apps.embedded.controllers.domain.disruption import calculate_status, desired_healthy, still_disrupted
from apps.embedded.controllers.domain.rollout import spec_replicas
from apps.embedded.controllers.runtime import Controller, now
from apps.embedded.domain.objects import Object, controller_of, is_deleting, matches_selector
from apps.embedded.domain.pods import is_ready, is_terminal
from apps.embedded.informer import Change, Key, object_key


class DisruptionController(Controller):
    name = "disruption-controller"
    workers = 1

    def watch(self) -> None:
        self.cluster.budgets.informer.on_change(lambda change: self.queue.add(change.key))
        self.cluster.pods.informer.on_change(self._pod_changed)
        self.cluster.deployments.informer.on_change(self._scale_changed)
        self.cluster.replica_sets.informer.on_change(self._scale_changed)

    def _pod_changed(self, change: Change) -> None:
        for budget in self.cluster.budgets.all(change.key[0]):
            selector = budget["spec"].get("selector")
            if any(
                matches_selector(selector, pod["metadata"].get("labels")) for pod in (change.old, change.new) if pod
            ):
                self.queue.add(object_key(budget))

    def _scale_changed(self, change: Change) -> None:
        if change.old is not None and change.old["spec"].get("replicas") == change.new["spec"].get("replicas"):
            return
        self.add_all(object_key(budget) for budget in self.cluster.budgets.all(change.key[0]))

    async def sync(self, key: Key) -> float | None:
        budget = self.cluster.budgets.get(*key)
        if budget is None or is_deleting(budget):
            return None
        pods = {
            pod["metadata"]["name"]: pod
            for pod in self.cluster.pods.all(key[0])
            if matches_selector(budget["spec"].get("selector"), pod["metadata"].get("labels")) and not is_terminal(pod)
        }
        moment = now()
        disrupted = still_disrupted((budget.get("status") or {}).get("disruptedPods") or {}, pods, moment)
        healthy = sum(is_ready(pod) and not is_deleting(pod) and name not in disrupted for name, pod in pods.items())
        expected = self._expected(budget, list(pods.values()))
        status = calculate_status(
            budget,
            healthy=healthy,
            expected=expected,
            desired=desired_healthy(budget["spec"], expected),
            disrupted=disrupted,
            now=moment,
        )
        if status != budget.get("status"):
            written = await self.client.update_status(
                "policy", "v1", "poddisruptionbudgets", {**budget, "status": status}
            )
            self.cluster.budgets.put(written)
        return 30.0 if disrupted else None

    def _expected(self, budget: Object, pods: list[Object]) -> int:
        """A plain minAvailable counts the pods there are; percentages and maxUnavailable count declared replicas."""
        if "maxUnavailable" not in budget["spec"] and not isinstance(budget["spec"].get("minAvailable"), str):
            return len(pods)
        scales: dict[str, int] = {}
        for pod in pods:
            uid, replicas = self._scale_of(pod)
            scales[uid] = replicas
        return sum(scales.values())

    def _scale_of(self, pod: Object) -> tuple[str, int]:
        """(uid, replicas) of the topmost controller of a pod; an unmanaged pod stands for itself."""
        owner = controller_of(pod)
        namespace = pod["metadata"]["namespace"]
        rs = self.cluster.replica_sets.get(namespace, owner["name"]) if owner else None
        if rs is None:
            return pod["metadata"]["uid"], 1
        parent = controller_of(rs)
        deployment = self.cluster.deployments.get(namespace, parent["name"]) if parent else None
        top = deployment or rs
        return top["metadata"]["uid"], spec_replicas(top)
