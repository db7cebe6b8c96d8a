"""The engine: continuous batching over a paged, prefix-cached KV memory, as vLLM V1 schedules it.

Per step a budget of tokens is spent first on the running requests in order of arrival (one token each when decoding, a
chunk of prompt otherwise), then on waiting ones. A running request that finds no free block pushes out the latest
arrival, which loses its blocks and is computed again later. Sources: vLLM's documentation (optimization and tuning,
prefix caching) and the flags' help of `vllm serve`.

With slower tiers of KV memory (`apps.physics.tiers`) a request that finds blocks there is set aside until they are on
the device, while others go on: vLLM's waiting for remote KV, which its gauges call deferred.
"""

from __future__ import annotations

import heapq
import math
import zlib
from bisect import insort
from dataclasses import dataclass
from operator import attrgetter

from apps.physics.blocks import BlockPool
from apps.physics.steptime import StepLoad, StepTimeModel
from apps.physics.tiers import Tiers
from apps.physics.types import (
    BlockEvent,
    BlocksCleared,
    BlocksRemoved,
    BlocksStored,
    Counters,
    EngineBusy,
    EngineConfig,
    Finish,
    Finished,
    Gauges,
    Request,
    Source,
    StepPlan,
    StepResult,
)


class _Sequence:
    """A request inside the engine.

    computed: tokens whose KV is in the blocks, or will be after the steps composed so far.
    target: tokens known, prompt and output, counting the output that composed steps will bring.
    end: target once the last output token is planned. room: tokens that the blocks hold. stored: blocks in the cache.
    external: prompt tokens that came from slower tiers, by source. loaded: they are on the device, or on their way.
    offered: chunks that slower tiers were given. asked: the metrics know what the caches had.
    """

    __slots__ = (
        "asked", "blocks", "cached", "computed", "done", "end", "external", "first_token", "hashes", "key", "loaded",
        "offered", "output", "preemptions", "request", "request_id", "room", "scheduled", "stored", "target",
    )  # fmt: skip

    def __init__(self, request: Request, key: tuple[int, int], end: int) -> None:
        self.request = request
        self.request_id = request.request_id
        self.key = key
        self.hashes = request.block_hashes
        self.blocks: list[int] = []
        self.computed = 0
        self.target = request.prompt_tokens
        self.end = end
        self.room = 0
        self.stored = 0
        self.output = 0
        self.cached = 0
        self.preemptions = 0
        self.scheduled: float | None = None
        self.first_token: float | None = None
        self.done = False
        self.external: dict[Source, int] = {}
        self.loaded = False
        self.offered = 0
        self.asked = False


@dataclass(slots=True)
class _Step:
    plan: StepPlan
    emitting: list[_Sequence]


class Engine:
    """One engine replica. Not thread-safe; time is whatever the caller says, in seconds, never decreasing.

    The caller's loop: `plan = next_step(now)`; wait `plan.duration`; `finish_step(now)`; again. `next_step` gives None
    when there is nothing to do until the next `submit`, or until `wake_at`, when a transfer between tiers ends (then
    `settle` tells what it did to blocks). `submit` and `abort` are welcome at any moment.
    """

    def __init__(self, config: EngineConfig, step_time: StepTimeModel, tiers: Tiers | None = None) -> None:
        self.config = config
        self.tiers = tiers
        self.step_time = step_time
        self.counters = Counters()
        self._pool = BlockPool(config.num_blocks - 1)
        self._sequences: dict[str, _Sequence] = {}
        self._running: list[_Sequence] = []
        self._waiting: list[tuple[tuple[int, int], _Sequence]] = []
        self._submitted = 0
        self._current: _Step | None = None
        self._ahead: _Step | None = None
        self._preempted: list[str] = []
        self._events: list[BlockEvent] = []
        self._deferred: list[tuple[float, tuple[int, int], _Sequence]] = []
        self._offering: dict[str, _Sequence] = {}
        self._leaving: list[str] = []
        self._pulls: list[tuple[int, float]] = []
        self.admitting = True
        """False holds back what waits: running requests go on, no other starts (vLLM's paused scheduler)."""

    def submit(self, request: Request, now: float) -> None:
        """Queue a request.

        Raises EngineBusy when `max_num_queued_reqs` are in flight, ValueError for what the engine can never serve.
        """
        config = self.config
        if request.request_id in self._sequences:
            raise ValueError(f"request {request.request_id} is in the engine already; give each request its own id")
        if request.prompt_tokens < 1 or request.max_tokens < 1:
            raise ValueError(f"request {request.request_id} needs at least one prompt token and one output token")
        if request.prompt_tokens >= config.max_model_len:
            raise ValueError(
                f"request {request.request_id} has {request.prompt_tokens} prompt tokens; with one output token "
                f"max_model_len {config.max_model_len} allows {config.max_model_len - 1}"
            )
        limit = config.max_num_queued_reqs
        if limit is not None and len(self._sequences) >= limit:
            raise EngineBusy(f"{limit} requests are in flight, as many as max_num_queued_reqs allows; try again later")
        priority = request.priority if config.scheduling_policy == "priority" else 0
        end = min(request.prompt_tokens + request.max_tokens, config.max_model_len)
        sequence = _Sequence(request, (priority, self._submitted), end)
        self._submitted += 1
        self._sequences[request.request_id] = sequence
        heapq.heappush(self._waiting, (sequence.key, sequence))

    def abort(self, request_id: str, now: float) -> Finished | None:
        """End a request at once and free its blocks; None when the engine does not have it (any more)."""
        sequence = self._sequences.get(request_id)
        if sequence is None:
            return None
        finished = self._end(sequence, Finish.ABORT, now)
        self._running = [other for other in self._running if not other.done]
        return finished

    def next_step(self, now: float) -> StepPlan | None:
        """The step that starts now, or None when there is nothing to compute."""
        if self._current is not None:
            raise RuntimeError("a step is under way; finish_step comes before the next next_step")
        self._current = self._ahead or self._compose(now)
        self._ahead = None
        if self._current is None:
            return None
        if self.config.async_scheduling:
            self._ahead = self._compose(now)
        return self._current.plan

    def finish_step(self, now: float) -> StepResult:
        """End the step under way; its tokens are out now."""
        step = self._current
        if step is None:
            raise RuntimeError("no step is under way; next_step comes before finish_step")
        self._current = None
        result = StepResult()
        tokens = result.tokens
        for sequence in step.emitting:
            if sequence.done:
                continue
            sequence.output += 1
            tokens.append(sequence.request_id)
            if sequence.output == 1:
                sequence.first_token = now
                result.first_tokens.append(sequence.request_id)
                self._count_prompt(sequence)
            elif self.config.draft_tokens:
                accepted = self._accept(sequence)
                if accepted:
                    result.accepted[sequence.request_id] = accepted
            if sequence.output == sequence.end - sequence.request.prompt_tokens:
                result.finished.append(self._end(sequence, Finish.LENGTH, now))
        if result.finished:
            self._running = [sequence for sequence in self._running if not sequence.done]
        self._offload(now)
        self.counters.steps += 1
        self.counters.generation_tokens += len(tokens) + sum(result.accepted.values())
        result.preempted, self._preempted = self._preempted, []
        result.block_events = self._block_events()
        return result

    def preempt_all(self) -> None:
        """Throw every running request back to the queue; its KV is gone and will be computed again. Not during a step.

        A step composed ahead is forgotten with the tokens that it would have brought.
        """
        if self._current is not None:
            raise RuntimeError("a step is under way; preempt_all comes after finish_step")
        if self._ahead is not None:
            for sequence in self._ahead.emitting:
                sequence.target -= 1
            self._ahead = None
        while self._running:
            self._preempt(self._running.pop())
        for _at, _key, sequence in self._deferred:
            if sequence.blocks and not sequence.done:
                self._pool.release(sequence.blocks)
                sequence.blocks = []
                sequence.computed = sequence.room = sequence.stored = 0
                sequence.loaded = False

    @property
    def wake_at(self) -> float:
        """When next_step is worth another try although nothing was submitted; infinity: never."""
        deferred = self._deferred[0][0] if self._deferred else math.inf
        return min(deferred, self.tiers.next_done) if self.tiers is not None else deferred

    def settle(self, now: float) -> list[BlockEvent]:
        """End the transfers that are due, between steps; what became of blocks since the last step."""
        if self.tiers is None:
            return []
        self._offload(now)
        return self._block_events()

    def take_pulls(self) -> list[tuple[int, float]]:
        """(tokens, seconds) of each pull of KV from another engine that ended since this was last asked."""
        pulls, self._pulls = self._pulls, []
        return pulls

    def reset_prefix_cache(self) -> bool:
        """Forget all cached blocks; False, and nothing happens, while requests hold blocks."""
        if not self._pool.clear():
            return False
        if self.config.kv_events:
            self._note_removed()
            self._events.append(BlocksCleared())
        return True

    def gauges(self) -> Gauges:
        """The gauges of this moment."""
        running = len(self._running)
        deferred = [sequence for _at, _key, sequence in self._deferred if not sequence.done]
        loading = sum(1 for sequence in deferred if sequence.loaded)
        capacity = len(self._sequences) - running - len(deferred)
        return Gauges(running, capacity, len(deferred), self._pool.usage, loading)

    @property
    def idle(self) -> bool:
        """Nothing is queued, running or being computed."""
        return not self._sequences and self._current is None and self._ahead is None

    def _compose(self, now: float) -> _Step | None:
        self._resume(now)
        budget = self.config.max_num_batched_tokens
        emitting: list[_Sequence] = []
        prefills: list[tuple[str, int]] = []
        prefill_tokens = decodes = kv_tokens = begun = 0
        pairs = stored = 0.0
        charged = self.tiers.config.stored_most if self.tiers is not None else 0
        preempted = len(self._preempted)

        running = self._running
        index = 0
        while index < len(running) and budget:
            sequence = running[index]
            index += 1
            computed = sequence.computed
            target = sequence.target
            if target == sequence.end:
                continue
            count = min(target - computed, budget)
            reached = computed + count
            if reached > sequence.room and not self._make_room(sequence, reached):
                break
            sequence.computed = reached
            budget -= count
            if count == 1:
                decodes += 1
                kv_tokens += reached
            else:
                prefills.append((sequence.request_id, count))
                prefill_tokens += count
                pairs += count * (computed + count / 2)
                stored += max(0, min(reached, charged) - computed)
                self._store(sequence)
            if reached == target:
                sequence.target = target + 1
                emitting.append(sequence)

        skipped: list[tuple[tuple[int, int], _Sequence]] = []
        while self.admitting and self._waiting and budget and len(self._preempted) == preempted:
            sequence = self._waiting[0][1]
            if sequence.done:
                heapq.heappop(self._waiting)
                continue
            if not self._adapter_fits(sequence):
                skipped.append(heapq.heappop(self._waiting))
                continue
            if len(self._running) >= self.config.max_num_seqs:
                break
            if sequence.request.pulled and not sequence.asked and not self._pulled(sequence, now):
                continue
            if self.tiers is not None and not sequence.loaded and not self._fetched(sequence, self.tiers, now):
                continue
            count = self._admit(sequence, budget, now)
            if not count:
                break
            heapq.heappop(self._waiting)
            insort(self._running, sequence, key=attrgetter("key"))
            prefills.append((sequence.request_id, count))
            prefill_tokens += count
            pairs += count * (sequence.computed - count / 2)
            begun += 1
            stored += max(0, min(sequence.computed, charged) - (sequence.computed - count))
            budget -= count
            if sequence.computed == sequence.target:
                sequence.target += 1
                emitting.append(sequence)

        for each in skipped:
            heapq.heappush(self._waiting, each)
        if budget == self.config.max_num_batched_tokens:
            return None
        load = StepLoad(prefill_tokens, len(prefills), pairs, decodes, kv_tokens, decodes * self.config.draft_tokens)
        seconds = self.step_time.seconds(load)
        if self.tiers is not None:
            seconds += self.tiers.toll(begun, stored * self.tiers.config.block_bytes / self.config.block_size)
        return _Step(StepPlan(seconds, load, tuple(prefills)), emitting)

    def adapters(self) -> tuple[set[int], set[int]]:
        """Ids of the adapters of running and of waiting requests."""
        running = {sequence.request.adapter for sequence in self._running}
        every = {sequence.request.adapter for sequence in self._sequences.values() if sequence not in self._running}
        return running - {0}, every - {0}

    def _adapter_fits(self, sequence: _Sequence) -> bool:
        adapter, most = sequence.request.adapter, self.config.max_adapters
        if not adapter or most is None:
            return True
        running = {other.request.adapter for other in self._running} - {0}
        return adapter in running or len(running) < most

    def _accept(self, sequence: _Sequence) -> int:
        """How many proposed tokens were right; they are output, and their KV is there already."""
        config, counters = self.config, self.counters
        counters.drafts += 1
        chance = zlib.crc32(f"{sequence.request_id}/{sequence.output}".encode()) / 2**32
        accepted, passed = 0, config.acceptance
        while accepted < config.draft_tokens and chance < passed:
            accepted += 1
            passed *= config.acceptance
        # the blocks hold what they hold, and a request ends where it ends
        accepted = max(0, min(accepted, sequence.end - sequence.target, sequence.room - sequence.computed))
        positions = counters.accepted_by_position
        positions += [0] * (config.draft_tokens - len(positions))
        for position in range(accepted):
            positions[position] += 1
        sequence.output += accepted
        sequence.target += accepted
        sequence.computed += accepted
        return accepted

    def _admit(self, sequence: _Sequence, budget: int, now: float) -> int:
        """Start a waiting sequence; the number of tokens it computes in this step, 0 when its KV does not fit yet."""
        if sequence.loaded:
            return self._continue_loaded(sequence, budget, now)
        block_size = self.config.block_size
        cached = self._cached(sequence)
        if not self._fits(sequence, cached):
            return 0
        self._pool.take(cached)
        found = len(cached) * block_size
        count = min(sequence.target - found, budget)
        sequence.computed = found + count
        sequence.blocks = cached + self._pool.allocate(-(-sequence.computed // block_size) - len(cached))
        sequence.room = len(sequence.blocks) * block_size
        sequence.stored = len(cached)
        self._store(sequence)
        self._ask(sequence, found)
        self._schedule(sequence, now)
        return count

    def _cached(self, sequence: _Sequence) -> list[int]:
        if not self.config.enable_prefix_caching:
            return []
        # The last token is always computed: its logits are what the first output token is drawn from.
        return self._pool.find_prefix(sequence.hashes, (sequence.target - 1) // self.config.block_size)

    def _fits(self, sequence: _Sequence, cached: list[int]) -> bool:
        whole = -(-sequence.target // self.config.block_size) - len(cached) + self._pool.reclaimable(cached)
        return whole <= self._pool.free

    def _schedule(self, sequence: _Sequence, now: float) -> None:
        if sequence.scheduled is None:
            sequence.scheduled = now

    def _ask(self, sequence: _Sequence, found: int, external: dict[Source, int] | None = None) -> None:
        """Count what the caches had of a prompt when it was first looked up: `found` tokens on the device, the others
        by source."""
        if sequence.asked:
            return
        sequence.asked = True
        sequence.external = external or {}
        more = sum(sequence.external.values())
        sequence.cached = found + more
        if self.config.enable_prefix_caching:
            self.counters.prefix_cache_queries += sequence.request.prompt_tokens
            self.counters.prefix_cache_hits += found
        if self.tiers is not None or more:
            self.counters.external_queries += sequence.request.prompt_tokens - found
            self.counters.external_hits += more

    def _fetched(self, sequence: _Sequence, tiers: Tiers, now: float) -> bool:
        """Whether a waiting sequence needs nothing from slower tiers; otherwise it is set aside until that is there,
        unless its KV does not fit yet."""
        block_size, chunk = self.config.block_size, tiers.config.chunk_blocks
        cached = self._cached(sequence)
        keys = sequence.hashes[chunk - 1 : sequence.target // block_size : chunk]
        start = len(cached) // chunk
        if start >= len(keys) or not self._fits(sequence, cached):
            return True
        lookup = tiers.find(sequence.request_id, keys, start, now)
        if lookup.wait is not None:
            self._defer(sequence, lookup.wait)
            return False
        blocks = (start + lookup.chunks) * chunk - len(cached)
        if not lookup.chunks or blocks <= 0:
            return True
        pool = self._pool
        pool.take(cached)
        # room for the whole prompt: who waits for a load must not wait for blocks behind others that do
        sequence.blocks = cached + pool.allocate(-(-sequence.target // block_size) - len(cached))
        sequence.room = len(sequence.blocks) * block_size
        sequence.stored = len(cached)
        loaded = keys[start : start + lookup.chunks]
        done, sources = tiers.load(sequence.request_id, loaded, blocks, len(cached), now)
        sequence.computed = (len(cached) + blocks) * block_size
        sequence.loaded = True
        external = {source: count * block_size for source, count in sources.items() if count}
        self._ask(sequence, len(cached) * block_size, external)
        self._defer(sequence, done)
        return False

    def _pulled(self, sequence: _Sequence, now: float) -> bool:
        """Whether nothing of a prompt that another engine computed has to be pulled here, or there is no room for it
        yet; otherwise the sequence is set aside until its blocks have come."""
        size, request = self.config.block_size, sequence.request
        cached = self._cached(sequence)
        blocks = min(request.pulled, sequence.target) // size - len(cached)
        if blocks <= 0 or not self._fits(sequence, cached):
            return True
        self._pool.take(cached)
        sequence.blocks = cached + self._pool.allocate(-(-sequence.target // size) - len(cached))
        sequence.room = len(sequence.blocks) * size
        sequence.stored = len(cached)
        sequence.computed = (len(cached) + blocks) * size
        sequence.loaded = True
        self._ask(sequence, len(cached) * size, {Source.P2P: blocks * size})
        self._defer(sequence, now + request.pull_seconds * blocks * size / request.pulled)
        return False

    def _continue_loaded(self, sequence: _Sequence, budget: int, now: float) -> int:
        """Start a sequence whose blocks came from elsewhere; it has room for its whole prompt."""
        sequence.loaded = False
        past = min(sequence.computed, sequence.target - 1)
        count = min(sequence.target - past, budget)
        sequence.computed = past + count
        self._store(sequence)
        self._schedule(sequence, now)
        return count

    def _defer(self, sequence: _Sequence, until: float) -> None:
        heapq.heappop(self._waiting)
        heapq.heappush(self._deferred, (until, sequence.key, sequence))

    def _resume(self, now: float) -> None:
        """Put back into the queue what has waited for transfers that are over."""
        if self.tiers is not None:
            self.tiers.advance(now)
        while self._deferred and self._deferred[0][0] <= now:
            _at, key, sequence = heapq.heappop(self._deferred)
            if not sequence.done:
                if tokens := sequence.external.get(Source.P2P):
                    request = sequence.request
                    self._pulls.append((tokens, request.pull_seconds * tokens / request.pulled))
                heapq.heappush(self._waiting, (key, sequence))

    def _offload(self, now: float) -> None:
        """Offer the chunks that were computed to the slower tiers."""
        tiers = self.tiers
        if tiers is None:
            return
        tiers.advance(now)
        chunk, block_size = tiers.config.chunk_blocks, self.config.block_size
        for sequence in self._offering.values():
            most = len(sequence.hashes)
            if tiers.config.prompt_only:
                most = min(most, sequence.request.prompt_tokens // block_size)
            whole, first = min(sequence.stored, most) // chunk, sequence.offered
            if whole > first:
                keys = sequence.hashes[chunk - 1 : whole * chunk : chunk][first:]
                tiers.offer(sequence.request_id, keys, first, now)
                sequence.offered = whole
        self._offering.clear()
        for request_id in self._leaving:
            tiers.ended(request_id)
        self._leaving.clear()

    def _make_room(self, sequence: _Sequence, reached: int) -> bool:
        """Give a running sequence blocks for `reached` tokens, pushing out later ones; False when it went itself."""
        pool, block_size = self._pool, self.config.block_size
        missing = -(-reached // block_size) - len(sequence.blocks)
        while missing > pool.free:
            victim = self._running.pop()
            self._preempt(victim)
            if victim is sequence:
                return False
        self._store(sequence)
        sequence.blocks += pool.allocate(missing)
        sequence.room = len(sequence.blocks) * block_size
        return True

    def _preempt(self, sequence: _Sequence) -> None:
        self._pool.release(sequence.blocks)
        sequence.blocks = []
        sequence.computed = sequence.room = sequence.stored = 0
        sequence.preemptions += 1
        self.counters.preemptions += 1
        self._preempted.append(sequence.request_id)
        heapq.heappush(self._waiting, (sequence.key, sequence))

    def _store(self, sequence: _Sequence) -> None:
        """Put the sequence's full blocks that have a hash into the prefix cache."""
        if self.tiers is not None:
            self._offering[sequence.request_id] = sequence
        full = min(sequence.computed // self.config.block_size, len(sequence.hashes))
        first = sequence.stored
        if full <= first or not self.config.enable_prefix_caching:
            return
        for index in range(first, full):
            self._pool.store(sequence.blocks[index], sequence.hashes[index])
        sequence.stored = full
        if self.config.kv_events:
            self._note_removed()
            self._events.append(BlocksStored(sequence.request_id, first, tuple(sequence.hashes[first:full])))

    def _end(self, sequence: _Sequence, reason: Finish, now: float) -> Finished:
        self._store(sequence)
        self._pool.release(sequence.blocks)
        sequence.blocks = []
        sequence.done = True
        if self.tiers is not None:
            self._leaving.append(sequence.request_id)
        del self._sequences[sequence.request_id]
        return Finished(
            sequence.request_id,
            reason,
            sequence.request.arrival,
            sequence.scheduled,
            sequence.first_token,
            now,
            sequence.request.prompt_tokens,
            sequence.cached,
            sequence.output,
            sequence.preemptions,
        )

    def _count_prompt(self, sequence: _Sequence) -> None:
        prompt, counters = sequence.request.prompt_tokens, self.counters
        counters.prompt_tokens += prompt
        external = sum(sequence.external.values())
        # a prompt that was found whole still had its last token computed
        counters.prompt_tokens_by_source[Source.COMPUTED] += max(prompt - sequence.cached, 1)
        counters.prompt_tokens_by_source[Source.DEVICE] += sequence.cached - external
        for source, tokens in sequence.external.items():
            counters.prompt_tokens_by_source[source] += tokens

    def _note_removed(self) -> None:
        """What the pool has evicted goes before what comes next: an index that follows the events must end up with
        what the cache holds."""
        removed = self._pool.removed
        if removed:
            self._events.append(BlocksRemoved(tuple(removed)))
            removed.clear()

    def _block_events(self) -> list[BlockEvent]:
        if not self.config.kv_events:
            self._pool.removed.clear()
            return []
        self._note_removed()
        events, self._events = self._events, []
        return events + self.tiers.take_events() if self.tiers is not None else events
