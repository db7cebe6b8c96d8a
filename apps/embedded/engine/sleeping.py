"""Sleep and wake of the simulated engine, as vLLM's /sleep, /wake_up and /is_sleeping do it.

Falling asleep pauses scheduling first: requests that come later wait in the engine's queue until it wakes, whoever
sent them. Those that run end as `mode` says: abort (the default) ends them with the reason "abort", wait lets them
finish, keep throws them back to the queue. Level 1 moves the weights to host memory, level 2 discards them, both with
the KV cache and every cached prefix; level 0 only pauses. The accelerator stays taken by the process all the while; its
memory does not, and an engine that was given its accelerators together with others wakes only while they sleep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from apps.embedded.engine.device import Device
from apps.embedded.engine.domain.settings import EngineSettings
from apps.embedded.engine.loop import EngineLoop
from apps.physics.standby import pause_seconds, sleep_seconds, wake_seconds

STATES = {1: "weights_offloaded", 2: "discard_all"}
PARTS = frozenset({"weights", "kv_cache"})


class Sleeper:
    """One engine's sleep. `asleep` is the level at which it sleeps, None when it is awake."""

    def __init__(self, settings: EngineSettings, loop: EngineLoop, device: Device) -> None:
        self._settings, self._loop, self._device = settings, loop, device
        self._turn = asyncio.Lock()
        self.asleep: int | None = None
        self._parts: set[str] = set()

    @property
    def is_sleeping(self) -> bool:
        """Also while it falls asleep: scheduling is paused then."""
        return self._loop.paused

    async def sleep(self, level: int, mode: str) -> None:
        """Returns when the engine sleeps; at once when it sleeps as deep already."""
        async with self._turn:
            if self.asleep is not None and self.asleep >= level:
                return
            await self._loop.pause(mode, forget=level > 0)
            copies = level > 0 and self._settings.sleep_mode
            await self._takes(sleep_seconds(self._settings.weight_bytes) if copies else pause_seconds())
            self.asleep, self._parts = level, set(PARTS) if level else set()
            if level:
                self._device.leave()
            self._loop.recorder.sleep_state(STATES.get(level))

    async def wake(self, tags: Sequence[str]) -> bool:
        """Returns when what `tags` names is back in place (all of it when empty), and whether everything is: then
        requests run. Raises OutOfMemory."""
        async with self._turn:
            if self.asleep is None:
                return True
            if self.asleep:
                self._device.take()
            wanted = set(tags) & PARTS if tags else set(PARTS)
            copies = self.asleep > 0 and self._settings.sleep_mode and "weights" in wanted & self._parts
            await self._takes(wake_seconds(self._settings.weight_bytes) if copies else pause_seconds())
            self._parts -= wanted
            if not self._parts:
                self.asleep = None
                self._loop.recorder.sleep_state("awake")
                self._loop.resume()
            return self.asleep is None

    async def _takes(self, seconds: float) -> None:
        await asyncio.sleep(self._loop.clock.machine_seconds(seconds))
