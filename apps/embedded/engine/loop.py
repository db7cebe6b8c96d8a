"""The engine in real time: apps.physics decides what each step does and how long it takes; here it takes that long."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections import deque
from collections.abc import Callable

from apps.embedded.engine.event_feed import EventFeed
from apps.embedded.engine.recorder import Asked, Recorder
from apps.embedded.engine.sequences import Sequence
from apps.physics import BlockEvent, Engine, Finish, Finished, Request, StepPlan
from apps.physics.frontend import Frontend, FrontendModel

log = logging.getLogger(__name__)

# a simulator that lags this far behind its own schedule (seconds) stops catching up: the machine is too slow for it
MOST_LAG_S = 0.5


class ModelClock:
    """Seconds of the simulated engine: `scale` of them pass in one second of the machine."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self._origin = time.monotonic()

    def now(self) -> float:
        return (time.monotonic() - self._origin) * self.scale

    def machine_seconds(self, seconds: float) -> float:
        return seconds / self.scale


class EngineLoop:
    """Runs steps while there is work. Its methods are called in the event loop only.

    `frontend` is what a real vLLM's HTTP server costs. It handles one thing at a time: requests wait for it on their
    way to the scheduler, tokens on their way to the client, as in apps.physics.virtual.
    """

    def __init__(
        self,
        engine: Engine,
        clock: ModelClock,
        recorder: Recorder,
        frontend: FrontendModel,
        *,
        most_queued_tokens: int | None = None,
        events: EventFeed | None = None,
    ) -> None:
        self.engine, self.clock, self.recorder = engine, clock, recorder
        self._events = events
        self._most_queued_tokens = most_queued_tokens
        self._half = frontend.latency / 2
        self._frontend: Frontend[Sequence] = Frontend(frontend)
        self._admission: asyncio.TimerHandle | None = None
        # what each step brought, with the moment at which its clients see it
        self._outbox: deque[tuple[float, list[tuple[Sequence, int, str | None]]]] = deque()
        self._outbox_timer: asyncio.TimerHandle | None = None
        self._live: dict[str, Sequence] = {}
        self.closing = False
        """What comes from now on ends at once, aborted."""
        self.tell_adapters: Callable[[tuple[set[int], set[int]]], None] | None = None
        """Told at each step which adapters run and which wait; None where there are none."""
        self._wake = asyncio.Event()
        self._between_steps = asyncio.Lock()
        self._drained = asyncio.Event()
        self._stopped = False
        self._task: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def live(self) -> int:
        """Sequences that have not ended."""
        return len(self._live)

    def start(self, on_death: Callable[[], object] = lambda: None) -> None:
        """Begin; `on_death` is called when a step fails, after which nothing is generated any more."""
        self._task = asyncio.create_task(self._run(on_death), name="engine-steps")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._admission is not None:
            self._admission.cancel()
        if self._events is not None:
            await self._events.close()

    def admits(self, sequences: int, prompt_tokens: int) -> bool:
        """Whether the limits on what is in flight (--max-num-queued-reqs, --max-num-queued-tokens) leave room for so
        many more; a refusal is counted."""
        most, most_tokens = self.engine.config.max_num_queued_reqs, self._most_queued_tokens
        if most is not None and self.live + sequences > most:
            self.recorder.rejected("max_num_queued_reqs")
            return False
        queued = sum(sequence.prompt_tokens for sequence in self._live.values()) if most_tokens is not None else 0
        if most_tokens is not None and queued + prompt_tokens > most_tokens:
            self.recorder.rejected("max_num_queued_tokens")
            return False
        return True

    def submit(self, sequence: Sequence) -> None:
        """Take a sequence in; its tokens come through its answer."""
        self._live[sequence.identity] = sequence
        if self._events is not None:
            self._events.begun(sequence)
        self._frontend.arrive(sequence, sequence.arrival, sequence.prompt_tokens)
        self._admit()
        if self.closing:
            self.abort(sequence)

    def abort(self, sequence: Sequence) -> None:
        """End a sequence that is in the engine: its answer gets the reason "abort". Any other is left alone."""
        if sequence.identity not in self._live:
            return
        now = self.clock.now()
        finished = self.engine.abort(sequence.identity, now)
        if finished is None:
            finished = Finished(
                sequence.identity, Finish.ABORT, sequence.queued, None, None, now, sequence.prompt_tokens, 0, 0, 0
            )
        self._end(sequence, finished, "abort", now)
        sequence.answer.advance(sequence.choice, 0, "abort")

    def abort_all(self) -> None:
        for sequence in list(self._live.values()):
            self.abort(sequence)

    def halt(self) -> None:
        """Nothing is computed any more, and what runs is told nothing."""
        self.engine.admitting = False
        self._stopped = True

    @property
    def paused(self) -> bool:
        """Nothing that waits is started (see `pause`)."""
        return not self.engine.admitting

    async def pause(self, mode: str, *, forget: bool) -> None:
        """Start no request from now on; returns when none runs any more.

        `mode`: "abort" ends all that are in the engine, "wait" lets the running ones finish, "keep" stops between two
        steps. `forget` empties the prefix cache, for which "keep" throws running requests back to the queue.
        """
        self.engine.admitting = False
        if mode == "abort":
            self.abort_all()
        elif mode == "wait":
            while self.engine.gauges().running:
                self._drained.clear()
                await self._drained.wait()
        async with self._between_steps:
            self._stopped = mode == "keep"
            if forget:
                self.engine.preempt_all()
                self.engine.reset_prefix_cache()
                if self.engine.tiers is not None:
                    self.engine.tiers.forget()

    async def reset_prefix_cache(self, *, preempt: bool, external: bool) -> bool:
        """Forget all cached blocks between two steps; False, and nothing happens, while requests hold some. `preempt`
        throws running requests back to the queue first; `external` empties host memory too."""
        async with self._between_steps:
            if preempt:
                self.engine.preempt_all()
            if not self.engine.reset_prefix_cache():
                return False
            if external and self.engine.tiers is not None:
                self.engine.tiers.forget()
            return True

    def resume(self) -> None:
        """Go on with what waits."""
        self.engine.admitting = True
        self._stopped = False
        self._wake.set()

    def refresh_gauges(self) -> None:
        self.recorder.refresh(self.engine)

    def _admit(self) -> None:
        """Pass on to the scheduler what the frontend is through with, and come back for the next."""
        if self._admission is not None:
            self._admission.cancel()
            self._admission = None
        now = self.clock.now()
        for at, sequence in self._frontend.through(now):
            if self._live.get(sequence.identity) is sequence:
                self._enqueue(sequence, at)
        upcoming = self._frontend.next_through
        if upcoming < math.inf:
            delay = self.clock.machine_seconds(max(upcoming - now, 0.0))
            self._admission = asyncio.get_running_loop().call_later(delay, self._admit)

    def _enqueue(self, sequence: Sequence, at: float) -> None:
        sequence.queued = at
        self.engine.submit(
            Request(
                request_id=sequence.identity,
                arrival=at,
                prompt_tokens=sequence.prompt_tokens,
                block_hashes=sequence.block_hashes,
                max_tokens=sequence.limit,
                priority=sequence.priority,
                adapter=sequence.lora[0] if sequence.lora else 0,
                pulled=sequence.pulled[0],
                pull_seconds=sequence.pulled[1],
            ),
            at,
        )
        self._wake.set()

    async def _run(self, on_death: Callable[[], object]) -> None:
        try:
            await self._steps()
        except Exception as error:
            log.exception("the engine's loop died")
            for sequence in self._live.values():
                if not sequence.answer.finished.done():
                    sequence.answer.finished.set_exception(RuntimeError(f"EngineCore died: {error!r}"))
            on_death()

    async def _steps(self) -> None:
        free_at = -math.inf
        while True:
            async with self._between_steps:
                now = self.clock.now()
                # the next step starts where the last one ended on the schedule, so that late timers do not add up
                start = free_at if 0 <= now - free_at <= MOST_LAG_S * self.clock.scale else now
                plan = None if self._stopped else self.engine.next_step(start)
                if plan is not None:
                    free_at = start + plan.duration
                    await asyncio.sleep(max(0.0, self.clock.machine_seconds(free_at - self.clock.now())))
                    self._finish(plan, free_at)
            if plan is None:
                self._wake.clear()
                await self._work_to_do()
                free_at = -math.inf

    async def _work_to_do(self) -> None:
        """Returns when there may be something to compute: a request came, or a transfer between tiers ended."""
        wake_at = math.inf if self._stopped else self.engine.wake_at
        delay = self.clock.machine_seconds(wake_at - self.clock.now()) if wake_at < math.inf else None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), delay)
        if self.engine.tiers is not None:
            self._tell(self.engine.settle(self.clock.now()))

    def _tell(self, block_events: list[BlockEvent]) -> None:
        """What happened to blocks, in the tiers below them, and between engines."""
        tiers = self.engine.tiers
        if tiers is not None:
            self.recorder.offloaded(tiers.take_activity())
        for tokens, seconds in self.engine.take_pulls():
            self.recorder.pulled(tokens, seconds)
        if self._events is not None:
            self._events.step(block_events, tiers.moving if tiers is not None else lambda identity: False)

    def _finish(self, plan: StepPlan, now: float) -> None:
        if self.tell_adapters is not None:
            self.tell_adapters(self.engine.adapters())
        result = self.engine.finish_step(now)
        if self.tell_adapters is not None and result.finished:
            self.tell_adapters(self.engine.adapters())
        self.recorder.step(plan.tokens)
        ends = {end.request_id: end for end in result.finished}
        first = set(result.first_tokens)
        out = self._frontend.stream(now, len(result.tokens)) - self._half
        progress: list[tuple[Sequence, int, str | None]] = []
        for identity in result.tokens:
            sequence = self._live[identity]
            if identity in first:
                self.recorder.first_token(out - sequence.arrival - self._half)
            else:
                self.recorder.next_token(out - sequence.last_token)
            sequence.last_token = out
            end = ends.get(identity)
            more = result.accepted.get(identity, 0)
            for _ in range(more):
                self.recorder.next_token(0.0)
            progress.append((sequence, 1 + more, None if end is None else sequence.reason))
            if end is not None:
                self._end(sequence, end, sequence.reason, out)
        self._tell(result.block_events)
        if progress:
            self._outbox.append((out + self._half, progress))
            if self._outbox_timer is None:
                self._flush()

    def _flush(self) -> None:
        """Hand out the tokens that are due, step by step: a late timer must not let a step overtake another."""
        self._outbox_timer = None
        now = self.clock.now()
        while self._outbox and self._outbox[0][0] <= now:
            _, progress = self._outbox.popleft()
            for sequence, tokens, reason in progress:
                sequence.answer.advance(sequence.choice, tokens, reason)
        if self._outbox:
            delay = self.clock.machine_seconds(self._outbox[0][0] - now)
            self._outbox_timer = asyncio.get_running_loop().call_later(delay, self._flush)

    def _end(self, sequence: Sequence, end: Finished, reason: str, out: float) -> None:
        del self._live[sequence.identity]
        if self._events is not None:
            self._events.ended(sequence)
        if not self.engine.gauges().running:
            self._drained.set()
        sequence.choice.cached_tokens = end.cached_tokens
        self.recorder.finished(end, Asked(sequence.arrival + self._half, out, sequence.max_tokens, sequence.n), reason)
