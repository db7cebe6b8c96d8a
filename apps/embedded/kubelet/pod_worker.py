"""The life of one pod on this kubelet, from its first container to the deletion of its object."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import signal
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from apps.embedded.client import KubeClient, KubeError
from apps.embedded.domain.objects import Object, find_condition, is_deleting, parse_time
from apps.embedded.domain.pods import is_terminal
from apps.embedded.events import EventRecorder
from apps.embedded.kubelet.container import Container
from apps.embedded.kubelet.domain.environment import ConfigError, Sources
from apps.embedded.kubelet.domain.nodes import ACCELERATOR_LABEL
from apps.embedded.kubelet.domain.status import (
    ContainerState,
    PodState,
    is_sidecar,
    pod_status,
    restored,
)
from apps.embedded.kubelet.handlers import Handlers
from apps.embedded.kubelet.settings import Settings
from apps.embedded.kubelet.volumes import materialise, mounts_of, needed_objects

log = logging.getLogger(__name__)

MOUNT_RETRY_SECONDS = 2.0
STATUS_RETRY_SECONDS = 1.0
POD_MARK = "LAMPLIGHT_POD_UID"
"""Environment variable by which a later kubelet knows whose process it sees."""
LOST = "The kubelet restarted, and the process that it had started is gone"


class PodWorker:
    """One task a pod. ``update`` brings newer versions of the object, ``gone`` its disappearance."""

    def __init__(
        self,
        pod: Object,
        node: Object,
        *,
        pod_ip: str,
        host_ip: str,
        settings: Settings,
        client: KubeClient,
        recorder: EventRecorder,
        handlers: Handlers,
    ) -> None:
        self.pod = pod
        self.node = node
        self.pod_ip = pod_ip
        self.settings = settings
        self.handlers = handlers
        self._client = client
        self._recorder = recorder
        self._volumes: dict[str, Path] = {}
        self._dirty = asyncio.Event()
        self._deletion = asyncio.Event()
        self._object_gone = False
        self._written_status: Object = (pod.get("status") or {}) if "podIP" in (pod.get("status") or {}) else {}
        started = (pod.get("status") or {}).get("startTime")
        self.state = PodState(
            pod_ip=pod_ip, host_ip=host_ip, start_time=parse_time(started) if started else datetime.now(UTC)
        )
        known = restored(pod, datetime.now(UTC), LOST)
        self.init_containers = [
            Container(self, spec, self._state_of(spec, known, self.state.init_containers), init=True)
            for spec in pod["spec"].get("initContainers") or []
        ]
        self.containers = [
            Container(self, spec, self._state_of(spec, known, self.state.containers))
            for spec in pod["spec"]["containers"]
        ]
        self._task: asyncio.Task[None] | None = None
        if is_deleting(pod):
            self._deletion.set()

    def _state_of(
        self, spec: Object, known: Mapping[str, ContainerState], states: list[ContainerState]
    ) -> ContainerState:
        state = known.get(spec["name"]) or ContainerState(name=spec["name"], image=spec["image"])
        state.image = spec["image"]
        states.append(state)
        return state

    @property
    def uid(self) -> str:
        return str(self.pod["metadata"]["uid"])

    @property
    def name(self) -> str:
        return f"{self.pod['metadata']['namespace']}/{self.pod['metadata']['name']}"

    def start(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._live(), name=f"pod:{self.name}")
        return self._task

    def update(self, pod: Object) -> None:
        self.pod = pod
        if is_deleting(pod):
            self._deletion.set()
        if _ready(pod) != _ready({"status": self._written_status}) and _ready(pod) is not None:
            # somebody else wrote it (the node controller, while we were silent): what we know is truer
            self._written_status = {}
            self.changed()

    def gone(self) -> None:
        """The object was removed without us (a forced deletion): end at once."""
        self._object_gone = True
        self._deletion.set()

    # what containers ask of their pod

    def changed(self) -> None:
        self._dirty.set()

    def event(self, reason: str, message: str, *, warning: bool = False, container: str = "") -> None:
        path = f"spec.containers{{{container}}}" if container else None
        self._recorder.event(self.pod, reason, message, warning=warning, field_path=path)

    def mounts(self, container: Object) -> dict[str, str]:
        return mounts_of(container, self._volumes)

    async def sources(self) -> Sources:
        """The ConfigMaps and Secrets that the pod refers to, as they are now."""
        maps, secrets = needed_objects(self.pod)
        return Sources(
            config_maps={name: obj for name in maps if (obj := await self._find("configmaps", name))},
            secrets={name: obj for name in secrets if (obj := await self._find("secrets", name))},
        )

    async def _find(self, plural: str, name: str) -> Object | None:
        try:
            return await self._client.get("", "v1", plural, name, namespace=self.pod["metadata"]["namespace"])
        except KubeError as error:
            if error.status == 404:
                return None
            raise ConfigError(f"{plural} {name} cannot be read: {error.message}") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ConfigError(f"{plural} {name} cannot be read: the API server does not answer") from error

    @property
    def base_environment(self) -> dict[str, str]:
        environment = {
            **self.settings.environment,
            "PATH": self.settings.path,
            "HOSTNAME": self.pod["spec"].get("hostname") or self.pod["metadata"]["name"],
            "POD_IP": self.pod_ip,
            POD_MARK: self.uid,
            "LAMPLIGHT_BIND_HOST": self.pod_ip,
            "TMPDIR": str(self._directory / "tmp"),
        }
        accelerator = (self.node["metadata"].get("labels") or {}).get(ACCELERATOR_LABEL)
        if not _asks_for_accelerators(self.pod):
            environment["LAMPLIGHT_ACCELERATOR"] = "cpu"
        elif accelerator:
            environment["LAMPLIGHT_ACCELERATOR"] = accelerator
        claimed = next((row["resourceClaimName"] for row in named_claims(self.pod)), None)
        if claimed is not None:
            # pods that name one claim have one set of accelerators, whose memory holds one engine
            environment["LAMPLIGHT_DEVICE"] = str(
                self.settings.device_file(self.pod["metadata"]["namespace"], str(claimed))
            )
        if self.pod["spec"].get("automountServiceAccountToken", True):
            environment["KUBECONFIG"] = environment["LAMPLIGHT_KUBECONFIG"] = str(self.settings.kubeconfig)
        return environment

    @property
    def _directory(self) -> Path:
        return self.settings.pod_directory(self.uid)

    def record_process(self, container: str, pid: int | None) -> None:
        """Remember process groups, so that a later kubelet can end what a killed one left."""
        path = self._directory / "processes.json"
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(path.read_text()) if path.exists() else {}
            known = {name: number for name, number in {**known, container: pid}.items() if number is not None}
            path.write_text(json.dumps(known))

    # the life

    async def _live(self) -> None:
        reporting = asyncio.create_task(self._report_forever())
        running = asyncio.create_task(self._run())
        deletion = asyncio.create_task(self._deletion.wait())
        try:
            await asyncio.wait({running, deletion}, return_when=asyncio.FIRST_COMPLETED)
            if running.done() and running.exception() is not None:
                log.error("pod %s failed", self.name, exc_info=running.exception())
            await deletion
            await self._terminate(running)
        finally:
            for task in (running, deletion, reporting):
                task.cancel()
            await asyncio.gather(running, deletion, reporting, return_exceptions=True)
        for container in [*self.containers, *self.init_containers]:
            container.kill(signal.SIGKILL)
        await self._finish()

    async def _run(self) -> None:
        """Start everything in order; returns when no container will run again."""
        if is_terminal(self.pod) or is_deleting(self.pod):
            return
        self.changed()
        (self._directory / "tmp").mkdir(parents=True, exist_ok=True)
        await self._mount()
        sidecars: list[asyncio.Task[object]] = []
        try:
            for container in self.init_containers:
                if is_sidecar(container.spec):
                    sidecars.append(asyncio.create_task(container.run()))
                    await container.started.wait()
                elif (await container.run()).exit_code != 0:
                    return
            for container in self.containers:
                if container.state.running_since is None and container.state.terminated is None:
                    container.state.waiting_reason = "ContainerCreating"
            await asyncio.gather(*(container.run() for container in self.containers))
            await self._stop(self._sidecars(), lambda: 30.0)
        finally:
            for task in sidecars:
                task.cancel()
            await asyncio.gather(*sidecars, return_exceptions=True)
        self.changed()

    def _sidecars(self) -> list[Container]:
        return [container for container in self.init_containers if is_sidecar(container.spec)]

    async def _mount(self) -> None:
        volumes = self.pod["spec"].get("volumes") or []
        for container in [*self.init_containers, *self.containers]:
            if container.state.terminated is None and not self.init_containers:
                container.state.waiting_reason = "ContainerCreating"
        self.changed()
        while True:
            try:
                sources = await self.sources()
                for volume in volumes:
                    self._volumes[volume["name"]] = materialise(
                        self.pod,
                        volume,
                        self._directory / "volumes",
                        self.settings.data / "shared",
                        sources,
                        self.settings.account,
                    )
                return
            except (ConfigError, OSError) as error:
                self.event("FailedMount", f"MountVolume.SetUp failed: {error}", warning=True)
            await asyncio.sleep(MOUNT_RETRY_SECONDS)

    def _grace(self) -> float:
        """Seconds from the start of the deletion that its containers have; a second deletion may shorten it."""
        if self._object_gone:
            return 0.0
        seconds = self.pod["metadata"].get("deletionGracePeriodSeconds")
        return float(self.pod["spec"].get("terminationGracePeriodSeconds", 30) if seconds is None else seconds)

    async def _stop(self, containers: list[Container], grace: Callable[[], float]) -> None:
        await asyncio.gather(*(container.stop(grace) for container in containers))

    async def _terminate(self, running: asyncio.Task[None]) -> None:
        """End the containers, sidecars after the others and in reverse order; nothing is started any more."""
        begun = asyncio.get_running_loop().time()

        def left() -> float:
            return max(0.0, self._grace() - (asyncio.get_running_loop().time() - begun))

        for container in [*self.init_containers, *self.containers]:
            container.stopping = True
        plain = [container for container in self.init_containers if not is_sidecar(container.spec)]
        await self._stop([*plain, *self.containers], self._grace)
        for container in reversed(self._sidecars()):
            await container.stop(left)
        # the runs have noticed their ends by now, or are waiting for something that will not come
        await asyncio.wait({running}, timeout=0.2)

    async def _finish(self) -> None:
        """The last status, then the object, then the files."""
        while not self._object_gone:
            try:
                await self._report()
                metadata = self.pod["metadata"]
                await self._client.delete(
                    "",
                    "v1",
                    "pods",
                    metadata["name"],
                    namespace=metadata["namespace"],
                    uid=self.uid,
                    grace_period_seconds=0,
                )
                break
            except KubeError as error:
                if error.status in (404, 409):
                    break
                log.warning("pod %s cannot be removed yet: %s", self.name, error)
            except (aiohttp.ClientError, TimeoutError) as error:
                log.debug("pod %s cannot be removed yet: %s", self.name, error)
            await asyncio.sleep(STATUS_RETRY_SECONDS)
        await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)

    async def shut_down(self, timeout: float) -> None:
        """The kubelet ends: its processes end with it; the object stays as it is, to be started again later."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        everyone = [*self.containers, *self.init_containers]
        for container in everyone:
            container.kill(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await asyncio.gather(*(container.wait_ended() for container in everyone))
        for container in everyone:
            container.kill(signal.SIGKILL)

    # the status

    async def _report_forever(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self._report()
            except KubeError as error:
                if error.status in (404, 409):
                    continue
                log.warning("status of pod %s: %s", self.name, error)
                await asyncio.sleep(STATUS_RETRY_SECONDS)
                self._dirty.set()
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(STATUS_RETRY_SECONDS)
                self._dirty.set()

    async def _report(self) -> None:
        status = pod_status(self.pod, self.state, datetime.now(UTC))
        if status == self._written_status:
            return
        metadata = self.pod["metadata"]
        written = await self._client.patch_status(
            "",
            "v1",
            "pods",
            metadata["name"],
            {"metadata": {"uid": self.uid}, "status": status},
            namespace=metadata["namespace"],
        )
        self._written_status = status
        if not self._deletion.is_set():
            self.pod = written


def _ready(pod: Object) -> str | None:
    condition = find_condition((pod.get("status") or {}).get("conditions"), "Ready")
    return str(condition["status"]) if condition is not None else None


def named_claims(pod: Object) -> list[Object]:
    return [row for row in pod["spec"].get("resourceClaims") or [] if row.get("resourceClaimName")]


def _asks_for_accelerators(pod: Object) -> bool:
    return bool(pod["spec"].get("resourceClaims")) or any(
        "/" in resource
        for container in [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or [])]
        for amounts in (container.get("resources") or {}).values()
        if isinstance(amounts, dict)
        for resource in amounts
    )
