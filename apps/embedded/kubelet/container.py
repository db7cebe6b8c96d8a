"""One container of a pod: its runs, restarts, probes, and its end."""

from __future__ import annotations

import asyncio
import copy
import logging
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from apps.embedded.domain.objects import Object
from apps.embedded.kubelet.domain.backoff import go_duration
from apps.embedded.kubelet.domain.environment import (
    ConfigError,
    Sources,
    container_environment,
    expand,
    translate_paths,
)
from apps.embedded.kubelet.domain.images import command_line, find_image, unknown_image_message
from apps.embedded.kubelet.domain.probes import ProbeKind
from apps.embedded.kubelet.domain.status import (
    ContainerState,
    Terminated,
    is_sidecar,
    restart_policy,
    should_restart,
)
from apps.embedded.kubelet.handlers import Handlers, Target
from apps.embedded.kubelet.logs import LogWriter, last_lines
from apps.embedded.kubelet.prober import Prober
from apps.embedded.kubelet.process import Process
from apps.embedded.kubelet.real_engine import adapted, is_engine
from apps.embedded.kubelet.settings import Settings

HUB = Path(__file__).with_name("hub_site")

log = logging.getLogger(__name__)

CONFIG_RETRY_SECONDS = 2.0
PULL_RETRY_SECONDS = 1.0
HOOK_SECONDS = 60.0


class PodContext(Protocol):
    """What a container needs of its pod's worker."""

    pod: Object
    settings: Settings
    handlers: Handlers
    pod_ip: str

    @property
    def base_environment(self) -> dict[str, str]: ...

    def changed(self) -> None: ...

    def event(self, reason: str, message: str, *, warning: bool = False, container: str = "") -> None: ...

    def mounts(self, container: Object) -> dict[str, str]: ...

    async def sources(self) -> Sources: ...

    def record_process(self, container: str, pid: int | None) -> None: ...


class Container:
    """Runs one container specification; ``state`` is what the pod's status shows of it."""

    def __init__(self, context: PodContext, spec: Object, state: ContainerState, *, init: bool = False) -> None:
        self.context = context
        self.spec = spec
        self.state = state
        self.policy = _policy(context.pod, spec, init=init)
        self.stopping = False
        self.started = asyncio.Event()
        self._init = init and not is_sidecar(spec)
        self._process: Process | None = None
        self._target: Target | None = None
        self._ending: asyncio.Task[None] | None = None
        self._crashes = 0

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def log_writer(self) -> LogWriter | None:
        return self._process.log if self._process else None

    async def run(self) -> Terminated:
        """Run until the container needs no further start; how it ended last."""
        before = self.state.terminated
        if before is not None:
            if not should_restart(self.policy, before.exit_code):
                return before
            self.state.last = before
            self.state.restart_count += 1
        while True:
            argv, target = await self._prepare()
            if self.stopping:
                await asyncio.Event().wait()
            begun = asyncio.get_running_loop().time()
            end = await self._run_once(argv, target)
            self._crashes = self.context.settings.backoff.crashes_after(
                self._crashes, asyncio.get_running_loop().time() - begun
            )
            self.state.terminated = end
            self.state.ready = self._init and end.exit_code == 0
            self.context.changed()
            if self.stopping or not should_restart(self.policy, end.exit_code):
                return end
            self.state.last = end
            await self._back_off()
            self.state.restart_count += 1

    async def _back_off(self) -> None:
        delay = self.context.settings.backoff.delay(self._crashes)
        if delay <= 0:
            return
        metadata = self.context.pod["metadata"]
        where = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
        self.state.terminated = None
        self.state.waiting_reason = "CrashLoopBackOff"
        self.state.waiting_message = (
            f"back-off {go_duration(delay)} restarting failed container={self.name} pod={where}"
        )
        self.context.event(
            "BackOff",
            f"Back-off restarting failed container {self.name} in pod {where}",
            warning=True,
            container=self.name,
        )
        self.context.changed()
        await asyncio.sleep(delay)

    async def _prepare(self) -> tuple[list[str], Target]:
        """The command line and its surroundings; waits, with the reason in the status, until they can be made."""
        await self._pull()
        while True:
            try:
                return await self._configure()
            except ConfigError as error:
                self._wait("CreateContainerConfigError", str(error))
                self.context.event("Failed", f"Error: {error}", warning=True, container=self.name)
            await asyncio.sleep(CONFIG_RETRY_SECONDS)

    async def _pull(self) -> None:
        image, images = self.spec["image"], self.context.settings.images
        if find_image(images, image) is not None:
            return
        why = unknown_image_message(images, image)
        self.context.event("Failed", f'Failed to pull image "{image}": {why}', warning=True, container=self.name)
        self.context.event("Failed", "Error: ErrImagePull", warning=True, container=self.name)
        self._wait("ErrImagePull", why)
        await asyncio.sleep(PULL_RETRY_SECONDS)
        self.context.event("BackOff", f'Back-off pulling image "{image}"', container=self.name)
        self._wait("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {why}')
        await asyncio.Event().wait()

    def _wait(self, reason: str, message: str) -> None:
        self.state.terminated = None
        self.state.waiting_reason, self.state.waiting_message = reason, message
        self.context.changed()

    async def _configure(self) -> tuple[list[str], Target]:
        settings = self.context.settings
        image = find_image(settings.images, self.spec["image"])
        assert image is not None
        self.state.image_id = f"lamplight://{image.name}"
        mounts = self.context.mounts(self.spec)
        values = container_environment(
            self.context.pod, self.spec, await self.context.sources(), self.context.base_environment
        )
        try:
            argv = command_line(image, self.spec, python=settings.python, real_engine=settings.real_engine)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        if argv[:2] == [settings.python, "-m"]:
            values["PYTHONPATH"] = ":".join([settings.code_root, *filter(None, [values.get("PYTHONPATH")])])
            # which release of the real program ours stands in for
            values["LAMPLIGHT_IMAGE"] = self.spec["image"]
            # who answers for the names of Services; a pod without a token has a cluster's DNS too
            values["LAMPLIGHT_DNS"] = str(settings.kubeconfig)
        elif settings.real_engine and is_engine(argv):
            argv, values = adapted(argv, values, self.context.pod_ip)
        elif image.name == "vllm" and not settings.real_engine:
            # a script in the engine's image: it finds a hub to fetch weights from
            values["PYTHONPATH"] = ":".join([str(HUB), *filter(None, [values.get("PYTHONPATH")])])
        env = {key: translate_paths(value, mounts) for key, value in values.items()}
        argv = [translate_paths(expand(argument, values), mounts) for argument in argv]
        cwd = settings.pod_directory(self.context.pod["metadata"]["uid"])
        if self.spec.get("workingDir") in mounts:
            cwd = type(cwd)(mounts[self.spec["workingDir"]])
        ports = {port["name"]: port["containerPort"] for port in self.spec.get("ports") or [] if port.get("name")}
        return argv, Target(self.context.pod_ip, ports, env, cwd)

    async def _run_once(self, argv: list[str], target: Target) -> Terminated:
        run = self.state.restart_count
        uid = self.context.pod["metadata"]["uid"]
        directory = self.context.settings.log_directory(uid, self.name)
        writer = LogWriter(directory, run)
        image = self.spec["image"]
        self.context.event("Pulled", f'Container image "{image}" already present on machine', container=self.name)
        begun = datetime.now(UTC)
        self.state.container_id = f"process://{uid}/{self.name}/{run}"
        try:
            self._process = Process.start(argv, target.env, target.cwd, writer)
        except OSError as error:
            writer.feed(f"{argv[0]}: {error.strerror}\n".encode())
            writer.close()
            self.context.event(
                "Failed",
                f'Error: failed to start container "{self.name}": {argv[0]}: {error.strerror}',
                warning=True,
                container=self.name,
            )
            return Terminated(
                127,
                "StartError",
                begun,
                begun,
                f"{argv[0]}: {error.strerror}",
                container_id=self.state.container_id,
            )
        self.context.record_process(self.name, self._process.pid)
        self._target = target
        actions = _translated_actions(self.spec, self.context.mounts(self.spec))
        self.context.event("Created", f"Created container: {self.name}", container=self.name)
        self.context.event("Started", f"Started container {self.name}", container=self.name)
        self.state.terminated = None
        self.state.running_since = begun
        prober = Prober(
            actions,
            self.context.handlers,
            target,
            on_change=lambda: self._probed(prober),
            on_unhealthy=self._unhealthy,
            on_kill=self._failed_probe,
        )
        self._probed(prober)
        prober.start()
        hook = asyncio.create_task(self._post_start(target))
        try:
            code = await self._process.wait()
        finally:
            hook.cancel()
            await asyncio.gather(hook, return_exceptions=True)
            await prober.stop()
            self.state.running_since = None
            self.state.ready = self.state.started = False
            self.context.record_process(self.name, None)
        exit_code, number = (128 - code, -code) if code < 0 else (code, 0)
        return Terminated(
            exit_code,
            "Completed" if exit_code == 0 else "Error",
            begun,
            datetime.now(UTC),
            # there is no /dev/termination-log to write to, so the end of the log always speaks for a failure
            last_lines(directory, run) if exit_code != 0 else "",
            signal=number,
            container_id=self.state.container_id,
        )

    def _probed(self, prober: Prober) -> None:
        self.state.started, self.state.ready = prober.started, prober.ready
        if prober.started:
            self.started.set()
        self.context.changed()

    def _unhealthy(self, kind: ProbeKind, text: str) -> None:
        if not self.stopping:
            self.context.event(
                "Unhealthy", f"{kind.capitalize()} probe failed: {text}", warning=True, container=self.name
            )

    def _failed_probe(self, kind: ProbeKind) -> None:
        if self.stopping or self._process is None:
            return
        self.context.event(
            "Killing", f"Container {self.name} failed {kind} probe, will be restarted", container=self.name
        )
        probe = self.spec["livenessProbe" if kind == "liveness" else "startupProbe"]
        grace = probe.get("terminationGracePeriodSeconds")
        if grace is None:
            grace = self.context.pod["spec"].get("terminationGracePeriodSeconds", 30)
        self._ending = asyncio.create_task(self._end(grace))

    async def _post_start(self, target: Target) -> None:
        hook = (self.spec.get("lifecycle") or {}).get("postStart")
        if not hook:
            return
        hook = _translated(hook, self.context.mounts(self.spec))
        answer = await self.context.handlers.ask(hook, target, HOOK_SECONDS)
        if not answer.ok:
            self.context.event(
                "FailedPostStartHook", f"PostStartHook failed: {answer.text}", warning=True, container=self.name
            )
            if self._process is not None:
                self._process.send(signal.SIGKILL)

    async def stop(self, grace: Callable[[], float]) -> None:
        """End the container for good: preStop, SIGTERM, and SIGKILL once ``grace()`` seconds are over."""
        self.stopping = True
        if self._process is None or self._process.exited:
            return
        self.context.event("Killing", f"Stopping container {self.name}", container=self.name)
        await self._end(grace)

    async def _end(self, grace: float | Callable[[], float]) -> None:
        process, target = self._process, self._target
        if process is None or target is None:
            return
        loop = asyncio.get_running_loop()
        begun = loop.time()

        def left() -> float:
            return begun + (grace() if callable(grace) else grace) - loop.time()

        hook = (self.spec.get("lifecycle") or {}).get("preStop")
        if hook and left() > 0:
            asking = asyncio.ensure_future(
                self.context.handlers.ask(_translated(hook, self.context.mounts(self.spec)), target, left())
            )
            exited = asyncio.ensure_future(process.wait())
            await asyncio.wait({asking, exited}, timeout=left(), return_when=asyncio.FIRST_COMPLETED)
            if asking.done() and not asking.cancelled() and not asking.result().ok:
                self.context.event(
                    "FailedPreStopHook",
                    f"PreStopHook failed: {asking.result().text}",
                    warning=True,
                    container=self.name,
                )
            asking.cancel()
            exited.cancel()
            await asyncio.gather(asking, exited, return_exceptions=True)
        process.send(signal.SIGTERM)
        while not process.exited and left() > 0:
            # in slices, because a second deletion may shorten the grace period
            await asyncio.wait({asyncio.ensure_future(process.wait())}, timeout=min(left(), 1.0))
        process.send(signal.SIGKILL)
        await process.wait()

    async def wait_ended(self) -> None:
        if self._process is not None:
            await self._process.wait()

    def kill(self, number: int) -> None:
        """Signal the process without any manners: the kubelet itself goes down."""
        self.stopping = True
        if self._process is not None:
            self._process.send(number, to_all=True)


def _policy(pod: Object, spec: Object, *, init: bool) -> str:
    """An init container is done once it succeeded; a sidecar never is."""
    if is_sidecar(spec) and init:
        return "Always"
    policy = restart_policy(pod)
    return "OnFailure" if init and policy == "Always" else policy


def _translated_actions(spec: Object, mounts: dict[str, str]) -> Object:
    return {key: _translated(value, mounts) if key.endswith("Probe") else value for key, value in spec.items()}


def _translated(action: Any, mounts: dict[str, str]) -> Any:
    if "exec" not in action:
        return action
    changed = copy.deepcopy(action)
    changed["exec"]["command"] = [translate_paths(word, mounts) for word in changed["exec"].get("command") or []]
    return changed
