"""All controllers and the scheduler over one set of shared informers."""

from __future__ import annotations

import asyncio

from apps.embedded.client import Access, KubeClient
from apps.embedded.controllers.autoscaler import AutoscalerController
from apps.embedded.controllers.deployment import DeploymentController
from apps.embedded.controllers.disruption import DisruptionController
from apps.embedded.controllers.endpoint_slice import EndpointSliceController
from apps.embedded.controllers.garbage import GarbageCollector
from apps.embedded.controllers.job import JobController
from apps.embedded.controllers.leader_worker_set import LeaderWorkerSetController
from apps.embedded.controllers.namespace import NamespaceController
from apps.embedded.controllers.node_lifecycle import GRACE_S, NodeLifecycleController
from apps.embedded.controllers.orphaned_pods import OrphanedPodController
from apps.embedded.controllers.replica_set import ReplicaSetController
from apps.embedded.controllers.runtime import Cluster, Controller
from apps.embedded.controllers.volume_claims import VolumeClaimController
from apps.embedded.events import EventRecorder
from apps.embedded.scheduler.scheduler import Scheduler


class Manager:
    """Use as an async context manager: inside it everything runs.

    The scheduler writes through its own client, because the API server tells writers apart by their user agent, and
    names its ``host`` in events. ``node_grace_s``: seconds without a heartbeat after which a node is not ready, and
    without a node after which its pods go.
    """

    def __init__(
        self,
        access: Access,
        client: KubeClient,
        scheduler_client: KubeClient,
        *,
        host: str,
        node_grace_s: float = GRACE_S,
    ) -> None:
        self._cluster = Cluster(client)
        self._recorders: list[EventRecorder] = []

        def recorder(component: str) -> EventRecorder:
            self._recorders.append(EventRecorder(client, component))
            return self._recorders[-1]

        self._recorders.append(EventRecorder(scheduler_client, Scheduler.name, host))
        scheduler = Scheduler(self._cluster, self._recorders[-1])
        scheduler.client = scheduler_client
        self._controllers: list[Controller] = [
            NamespaceController(self._cluster, recorder(NamespaceController.name), access),
            DeploymentController(self._cluster, recorder(DeploymentController.name)),
            ReplicaSetController(self._cluster, recorder(ReplicaSetController.name)),
            EndpointSliceController(self._cluster, recorder(EndpointSliceController.name)),
            DisruptionController(self._cluster, recorder(DisruptionController.name)),
            JobController(self._cluster, recorder(JobController.name)),
            VolumeClaimController(self._cluster, recorder(VolumeClaimController.name)),
            LeaderWorkerSetController(self._cluster, recorder(LeaderWorkerSetController.name)),
            AutoscalerController(self._cluster, recorder(AutoscalerController.name)),
            NodeLifecycleController(self._cluster, recorder(NodeLifecycleController.name), grace_s=node_grace_s),
            OrphanedPodController(self._cluster, recorder(OrphanedPodController.name), quarantine_s=node_grace_s),
            GarbageCollector(self._cluster, recorder(GarbageCollector.name)),
            scheduler,
        ]

    async def __aenter__(self) -> Manager:
        await self._cluster.start()
        for recorder in self._recorders:
            recorder.start()
        for controller in self._controllers:
            controller.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(controller.stop() for controller in self._controllers))
        await asyncio.gather(*(recorder.stop() for recorder in self._recorders))
        await self._cluster.stop()
