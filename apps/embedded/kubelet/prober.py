"""The probes of one running container: asks on time and reports what changed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any

from apps.embedded.kubelet.domain.probes import ProbeKind, ProbeSpec, ProbeState
from apps.embedded.kubelet.handlers import Handlers, Target

PROBES: Mapping[ProbeKind, str] = {
    "startup": "startupProbe",
    "liveness": "livenessProbe",
    "readiness": "readinessProbe",
}


class Prober:
    """Runs for one run of a container. ``on_unhealthy(kind, text)`` is told every failed answer, ``on_change`` when
    started or ready flips, ``on_kill(kind)`` when startup or liveness has failed for good."""

    def __init__(
        self,
        container: Mapping[str, Any],
        handlers: Handlers,
        target: Target,
        *,
        on_change: Callable[[], None],
        on_unhealthy: Callable[[ProbeKind, str], None],
        on_kill: Callable[[ProbeKind], None],
    ) -> None:
        self._container = container
        self._handlers = handlers
        self._target = target
        self._on_change = on_change
        self._on_unhealthy = on_unhealthy
        self._on_kill = on_kill
        self._tasks: list[asyncio.Task[None]] = []
        self.started = "startupProbe" not in container
        self.ready = self.started and "readinessProbe" not in container

    def start(self) -> None:
        if self.started:
            self._start_others()
        else:
            self._tasks.append(asyncio.create_task(self._ask_forever("startup")))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start_others(self) -> None:
        kinds: tuple[ProbeKind, ...] = ("liveness", "readiness")
        for kind in kinds:
            if PROBES[kind] in self._container:
                self._tasks.append(asyncio.create_task(self._ask_forever(kind)))

    async def _ask_forever(self, kind: ProbeKind) -> None:
        action = self._container[PROBES[kind]]
        spec = ProbeSpec.read(action)
        state = ProbeState.initial(kind)
        loop = asyncio.get_running_loop()
        # probes that were started together shall not stay in step
        due = loop.time() + spec.initial_delay + random.uniform(0, min(0.2, spec.period / 10))  # noqa: S311
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            due = loop.time() + spec.period
            answer = await self._handlers.ask(action, self._target, spec.timeout)
            before = state.ok
            state = state.answered(answer.ok, spec)
            if not answer.ok:
                self._on_unhealthy(kind, answer.text)
            if kind == "readiness" and state.ok != before:
                self.ready = state.ok
                self._on_change()
            if kind == "startup" and state.ok:
                self.started = True
                self.ready = "readinessProbe" not in self._container
                self._start_others()
                self._on_change()
                return
            if kind != "readiness" and state.has_failed(spec):
                self._on_kill(kind)
                return
