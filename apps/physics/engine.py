"""One engine: vLLM V1's scheduler over a paged KV cache, with step times of a model.

The caller owns time. It asks for the next step at `now`, lets `plan.duration` seconds pass (really, or in virtual time),
and finishes the step. Follows vLLM V1: running requests first, then waiting ones in order; prompts are computed in
chunks within a token budget; when blocks run out, the request that came last is preempted and computed again later.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from apps.physics.blocks import BlockEvent, BlockPool
from apps.physics.step_time import StepTimeModel

FinishReason = Literal["length", "abort"]
# where prompt tokens come from; tiers below the device count as host, disk or p2p
SOURCES = ("computed", "device", "host", "disk", "p2p")


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Sizes of one engine; names and defaults as vLLM's flags (v1 on a large GPU)."""

    num_blocks: int
    block_size: int = 16
    max_num_seqs: int = 1024
    max_num_batched_tokens: int = 8192
    max_model_len: int = 131072
    enable_prefix_caching: bool = True

    @property
    def capacity_tokens(self) -> int:
        return self.num_blocks * self.block_size


@dataclass(frozen=True, slots=True)
class Request:
    """`prompt_tokens` in, at most `max_tokens` out.

    `block_hashes`: content of the sequence's full blocks in order, each hash covering everything before it; those of
    generated text may follow those of the prompt (they become hits for whoever continues the conversation).
    """

    request_id: str
    arrival: float
    prompt_tokens: int
    block_hashes: tuple[int, ...]
    max_tokens: int
    priority: int = 0


@dataclass(slots=True, eq=False)
class _Running:
    request: Request
    computed: int = 0  # tokens whose KV is in the cache (or will be when the step in flight ends)
    generated: int = 0
    blocks: list[int] = field(default_factory=list)
    published: int = 0
    counted: bool = False  # its prompt tokens are in the counters already (a recomputation is not a new prompt)

    @property
    def target(self) -> int:
        """Tokens to be computed before the next one can be sampled."""
        return self.request.prompt_tokens + self.generated


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One request's share of a step. `first`: it was waiting before; `cached`: tokens it found in the cache then."""

    request_id: str
    tokens: int
    past: int
    decode: bool
    first: bool = False
    cached: int = 0


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What is computed together, and how long that takes in seconds."""

    scheduled: tuple[Scheduled, ...]
    duration: float
    preempted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Emitted:
    """One token for a request at the end of a step."""

    request_id: str
    first: bool
    finished: FinishReason | None


@dataclass(frozen=True, slots=True)
class StepResult:
    emitted: tuple[Emitted, ...]
    preempted: tuple[str, ...]
    events: tuple[BlockEvent, ...]


@dataclass(frozen=True, slots=True)
class Gauges:
    """Now: requests running and waiting, and the share (0..1) of KV blocks held."""

    running: int
    waiting: int
    waiting_capacity: int
    waiting_deferred: int
    kv_usage: float


@dataclass(slots=True)
class Counters:
    """Since the engine started; tokens unless named otherwise."""

    prompt_tokens: int = 0
    generation_tokens: int = 0
    prompt_by_source: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SOURCES, 0))
    cache_queries: int = 0
    cache_hits: int = 0
    preemptions: int = 0  # times
    steps: int = 0  # times
    busy_seconds: float = 0.0


class Engine:
    """Continuous batching. Between `next_step` and `finish_step` requests may be submitted and aborted."""

    def __init__(self, config: EngineConfig, step_time: StepTimeModel) -> None:
        self.config = config
        self.step_time = step_time
        self.pool = BlockPool(config.num_blocks, caching=config.enable_prefix_caching)
        self.counters = Counters()
        self._waiting: deque[_Running] = deque()
        self._running: list[_Running] = []
        self._by_id: dict[str, _Running] = {}
        self._in_flight: list[tuple[_Running, int]] | None = None
        self._plan: StepPlan | None = None

    def submit(self, request: Request, now: float) -> None:
        """Queue a request. Raises ValueError for what vLLM refuses: empty, too long, or an id in use."""
        total = request.prompt_tokens + request.max_tokens
        if request.prompt_tokens < 1 or request.max_tokens < 1:
            raise ValueError("a request has at least one prompt token and generates at least one")
        if total > self.config.max_model_len:
            raise ValueError(f"{total} tokens are more than the maximum context length {self.config.max_model_len}")
        if math.ceil(total / self.config.block_size) > self.config.num_blocks:
            raise ValueError(f"{total} tokens do not fit into {self.config.capacity_tokens} tokens of KV cache")
        if request.request_id in self._by_id:
            raise ValueError(f"request {request.request_id} is here already")
        entry = _Running(request)
        self._by_id[request.request_id] = entry
        if request.priority and any(other.request.priority > request.priority for other in self._waiting):
            place = next(i for i, other in enumerate(self._waiting) if other.request.priority > request.priority)
            self._waiting.insert(place, entry)
        else:
            self._waiting.append(entry)

    def abort(self, request_id: str, now: float) -> bool:
        """Drop a request wherever it is; False if it is not here (any more)."""
        entry = self._by_id.pop(request_id, None)
        if entry is None:
            return False
        if entry in self._running:
            self._running.remove(entry)
            self.pool.release(entry.blocks)
        else:
            self._waiting.remove(entry)
        return True

    def gauges(self) -> Gauges:
        waiting = len(self._waiting)
        return Gauges(len(self._running), waiting, waiting, 0, self.pool.usage)

    @property
    def idle(self) -> bool:
        return not self._running and not self._waiting

    def next_step(self, now: float) -> StepPlan | None:
        """Choose what is computed next; None when there is nothing to do. Call finish_step before the next one."""
        if self._in_flight is not None:
            raise RuntimeError("the step in flight has not been finished")
        budget = self.config.max_num_batched_tokens
        chosen: list[tuple[_Running, int]] = []
        scheduled: list[Scheduled] = []
        preempted: list[str] = []
        budget = self._continue_running(budget, chosen, scheduled, preempted)
        if not preempted:
            self._admit_waiting(budget, chosen, scheduled)
        if not chosen:
            return None
        prefill = [(s.tokens, s.past) for s in scheduled if not s.decode]
        decoding = [s for s in scheduled if s.decode]
        duration = self.step_time.duration(prefill, len(decoding), sum(s.past + 1 for s in decoding))
        self._in_flight = chosen
        self._plan = StepPlan(tuple(scheduled), duration, tuple(preempted))
        return self._plan

    def finish_step(self, now: float) -> StepResult:
        """The step's results: a token for each request whose prompt is computed and for each that decodes."""
        if self._in_flight is None or self._plan is None:
            raise RuntimeError("there is no step in flight")
        emitted: list[Emitted] = []
        for entry, tokens in self._in_flight:
            if self._by_id.get(entry.request.request_id) is not entry:
                continue  # aborted meanwhile
            entry.computed += tokens
            self._publish_full_blocks(entry)
            if entry.computed < entry.target:
                continue
            entry.generated += 1
            self.counters.generation_tokens += 1
            ended = entry.generated >= entry.request.max_tokens
            emitted.append(Emitted(entry.request.request_id, entry.generated == 1, "length" if ended else None))
            if ended:
                del self._by_id[entry.request.request_id]
                self._running.remove(entry)
                self.pool.release(entry.blocks)
        self.counters.steps += 1
        self.counters.busy_seconds += self._plan.duration
        preempted = self._plan.preempted
        self._in_flight = self._plan = None
        return StepResult(tuple(emitted), preempted, tuple(self.pool.take_events()))

    def _continue_running(
        self, budget: int, chosen: list[tuple[_Running, int]], scheduled: list[Scheduled], preempted: list[str]
    ) -> int:
        index = 0
        while index < len(self._running) and budget > 0:
            entry = self._running[index]
            tokens = min(entry.target - entry.computed, budget)
            if not self._grow(entry, tokens):
                victim = self._running[-1]
                self._preempt(victim)
                preempted.append(victim.request.request_id)
                if victim is entry:
                    break
                continue
            chosen.append((entry, tokens))
            decode = entry.generated > 0 and tokens == 1 and entry.computed + 1 == entry.target
            scheduled.append(Scheduled(entry.request.request_id, tokens, entry.computed, decode))
            budget -= tokens
            index += 1
        return budget

    def _admit_waiting(
        self, budget: int, chosen: list[tuple[_Running, int]], scheduled: list[Scheduled]
    ) -> None:
        while self._waiting and budget > 0 and len(self._running) < self.config.max_num_seqs:
            entry = self._waiting[0]
            size = self.config.block_size
            # at least one token is computed, so that there is something to sample from
            usable = entry.request.block_hashes[: (entry.target - 1) // size]
            hit = self.pool.hit(usable)
            cached = hit * size
            tokens = min(entry.target - cached, budget)
            needed = math.ceil((cached + tokens) / size) - hit
            if needed > self.pool.free_after_hit(usable[:hit]):
                break
            entry.blocks = self.pool.take_cached(usable[:hit])
            fresh = self.pool.take(needed)
            assert fresh is not None
            entry.blocks += fresh
            entry.computed, entry.published = cached, hit
            self._waiting.popleft()
            self._running.append(entry)
            self._count_prompt(entry, cached)
            chosen.append((entry, tokens))
            scheduled.append(
                Scheduled(entry.request.request_id, tokens, cached, decode=False, first=entry.generated == 0, cached=cached)
            )
            budget -= tokens

    def _grow(self, entry: _Running, tokens: int) -> bool:
        needed = -(-(entry.computed + tokens) // self.config.block_size) - len(entry.blocks)
        if needed <= 0:
            return True
        fresh = self.pool.take(needed)
        if fresh is None:
            return False
        entry.blocks += fresh
        return True

    def _preempt(self, entry: _Running) -> None:
        self._running.remove(entry)
        self.pool.release(entry.blocks)
        entry.blocks, entry.computed, entry.published = [], 0, 0
        self._waiting.appendleft(entry)
        self.counters.preemptions += 1

    def _count_prompt(self, entry: _Running, cached: int) -> None:
        if entry.counted:
            return
        entry.counted = True
        prompt = entry.request.prompt_tokens
        hits = min(cached, prompt)
        self.counters.prompt_tokens += prompt
        self.counters.prompt_by_source["device"] += hits
        self.counters.prompt_by_source["computed"] += prompt - hits
        if self.config.enable_prefix_caching:
            self.counters.cache_queries += prompt
            self.counters.cache_hits += hits

    def _publish_full_blocks(self, entry: _Running) -> None:
        hashes: Sequence[int] = entry.request.block_hashes
        full = min(entry.computed // self.config.block_size, len(hashes), len(entry.blocks))
        while entry.published < full:
            index = entry.published
            self.pool.publish(entry.blocks[index], hashes[index], hashes[index - 1] if index else None)
            entry.published += 1
