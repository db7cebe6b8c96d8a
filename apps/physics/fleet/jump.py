"""The engine of `apps.physics.engine` for one kind of load, at a cost per event instead of per token.

Between two events (an arrival, a first token, the end of a request, a lack of blocks) every step decodes the same
sequences, so steps last ever a bit longer by the same amount, and any number of them is one formula. Requests share no
prefixes here: `Arrival.cached_tokens` says how much of a prompt counts as found in the cache. Everything else is the
scheduler of `Engine`, composed one step ahead of the one that runs; tests hold the two against each other.

Approximated: of several prompts that are half computed at once (only after preemption) decoding ones go first, and
where the API server is slower than the engine at the beginning of a jump and faster at its end, its backlog.
"""

from __future__ import annotations

import heapq
import math
from collections import deque

from apps.physics.fleet.types import Load, Seen
from apps.physics.frontend import Direct, Frontend, FrontendModel
from apps.physics.steptime import StepTimeModel
from apps.physics.types import EngineConfig

INFINITY = math.inf


class _Sequence:
    """base: tokens known when its prompt (or what preemption left) is computed, in step `begun`. last: the step of its
    last token. blocks: held while its prompt is computed, afterwards a function of the step."""

    __slots__ = ("base", "begun", "blocks", "computed", "end", "key", "last", "preemptions", "seen", "target")

    def __init__(self, seen: Seen, key: int, end: int) -> None:
        self.seen = seen
        self.key = key
        self.end = end
        self.target = seen.arrival.prompt_tokens
        self.base = self.begun = self.last = -1
        self.computed = self.blocks = self.preemptions = 0


class _Step:
    __slots__ = ("duration", "firsts", "number", "prefill_tokens", "tokens")

    def __init__(self, number: int, duration: float, tokens: int, prefill_tokens: int, firsts: list[_Sequence]) -> None:
        self.number = number
        self.duration = duration
        self.tokens = tokens
        self.prefill_tokens = prefill_tokens
        self.firsts = firsts


class JumpEngine:
    """One replica's engine and API server. Requests are sent in order of time; `advance` first, then `send`.

    slow: a factor on every step time (a throttled or shared accelerator).
    """

    def __init__(
        self, config: EngineConfig, step_time: StepTimeModel, frontend: FrontendModel, slow: float = 1.0
    ) -> None:
        if config.scheduling_policy != "fcfs" or not config.async_scheduling:
            raise ValueError(
                "the jumping engine schedules fcfs and asynchronously; take the exact one for anything else"
            )
        self.config = config
        self.step_time = step_time
        self.slow = slow
        self.load = Load()
        self.ended: list[Seen] = []
        self._frontend: Frontend[Seen] | Direct[Seen] = Direct() if frontend == FrontendModel() else Frontend(frontend)
        self._half = frontend.latency / 2
        self._block = config.block_size
        self._free = config.num_blocks - 1
        self._usable = config.num_blocks - 1
        self._waiting: deque[_Sequence] = deque()
        self._refused = False
        self._prefilling: list[_Sequence] = []
        self._running: dict[int, _Sequence] = {}
        self._submitted = 0
        self._in_flight = 0
        # The sequences that decode in the next step to be composed, `_next`, in sum.
        self._next = 0
        self._decoding = 0
        self._kv = 0
        self._phases = [0] * config.block_size
        self._leaving: dict[int, list[_Sequence]] = {}
        self._leaving_steps: list[int] = []
        self._current: _Step | None = None
        self._ahead: _Step | None = None
        self._ends = INFINITY
        self._began = 0.0

    def send(self, seen: Seen) -> None:
        """A client's request comes in at its time of sending."""
        arrival = seen.arrival
        if arrival.prompt_tokens >= self.config.max_model_len:
            raise ValueError(f"request {arrival.index} has {arrival.prompt_tokens} prompt tokens; the model takes "
                             f"{self.config.max_model_len - 1}")  # fmt: skip
        self.advance(seen.sent + self._half)
        self._in_flight += 1
        self._frontend.arrive(seen, seen.sent, arrival.prompt_tokens)

    def advance(self, until: float) -> None:
        """Play every step that ends before `until`."""
        while True:
            if self._current is None:
                begin = max(self._ends if self._ends < INFINITY else 0.0, self._frontend.next_through)
                if begin >= until:
                    return
                self._deliver(begin)
                self._begin(begin)
                continue
            if self._ends >= until:
                return
            if self._jump(until):
                continue
            self._finish(self._ends)

    @property
    def running(self) -> int:
        """Requests in the batch (`vllm:num_requests_running`)."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Requests in the engine's queue (`vllm:num_requests_waiting`)."""
        return len(self._waiting)

    @property
    def waiting_tokens(self) -> int:
        """Prompt tokens in the engine's queue."""
        return sum(sequence.target for sequence in self._waiting)

    @property
    def in_flight(self) -> int:
        """Requests sent and not answered in full."""
        return self._in_flight

    @property
    def kv_usage(self) -> float:
        """Share of blocks in use, 0..1."""
        return 1.0 - self._free / self._usable

    @property
    def idle(self) -> bool:
        return self._in_flight == 0

    def kill(self) -> list[Seen]:
        """End at once; the requests that were in flight."""
        lost = [sequence.seen for sequence in (*self._running.values(), *self._waiting)]
        lost += [seen for _at, seen in self._frontend.through(INFINITY)]
        self._in_flight = 0
        return lost

    # --- steps ----------------------------------------------------------------------------------------------------

    def _deliver(self, until: float) -> None:
        if self._frontend.empty:
            return
        for _at, seen in self._frontend.through(until):
            arrival = seen.arrival
            end = min(arrival.prompt_tokens + arrival.output_tokens, self.config.max_model_len)
            self._waiting.append(_Sequence(seen, self._submitted, end))
            self._submitted += 1

    def _begin(self, now: float) -> None:
        """The next step starts, and the one after it is composed."""
        self._current = self._ahead or self._compose()
        self._ahead = None
        self._began = now
        if self._current is None:
            self._ends = now
            return
        self._ends = now + self._current.duration
        self._ahead = self._compose()

    def _finish(self, now: float) -> None:
        step = self._current
        assert step is not None
        self._deliver(now)
        visible = self._frontend.stream(now, step.tokens)
        load = self.load
        load.steps += 1
        load.busy_seconds += step.duration
        load.generation_tokens += step.tokens
        load.prefill_tokens += step.prefill_tokens
        load.gaps(step.duration, step.tokens - len(step.firsts))
        for sequence in step.firsts:
            seen = sequence.seen
            if not seen.first:
                seen.first = visible
                load.first_tokens.append(seen)
        if self._leaving_steps and self._leaving_steps[0] == step.number:
            heapq.heappop(self._leaving_steps)
            for sequence in self._leaving.pop(step.number):
                self._free += sequence.blocks
                self._running.pop(sequence.key, None)
                self._in_flight -= 1
                sequence.seen.last = visible
                self.ended.append(sequence.seen)
            self._refused = False
        self._begin(now)

    def _jump(self, until: float) -> bool:
        """Play as many steps as possible at once; False when the next one has an event in it."""
        current, ahead, count = self._current, self._ahead, self._decoding
        assert current is not None
        if (
            ahead is None
            or current.tokens != count
            or ahead.tokens != count
            or current.firsts
            or ahead.firsts
            or current.prefill_tokens
            or ahead.prefill_tokens
            or self._prefilling
            or (self._waiting and not self._refused)
            or not self._frontend.empty
        ):
            return False
        steps = self._leaving_steps[0] - current.number - 2
        if steps < 2:
            return False
        # The duration of the j-th step from now is `current.duration + j * slope`.
        slope = self.step_time.kv_token * count * self.slow
        if until < INFINITY:
            steps = min(steps, _steps_within(until - self._began, current.duration, slope))
            if steps < 2:
                return False
        crossing = self._crossing(steps)
        if crossing > self._free:
            return False
        began = self._began
        end = began + steps * current.duration + slope * (steps * (steps - 1) / 2)
        while end >= until:
            steps -= 1
            if steps < 2:
                return False
            end = began + steps * current.duration + slope * (steps * (steps - 1) / 2)
            crossing = self._crossing(steps)
        last = current.duration + slope * (steps - 1)
        self._free -= crossing
        self._frontend.stream_rounds(began, end, steps, count, last)
        load = self.load
        load.steps += steps
        load.busy_seconds += end - began
        load.generation_tokens += steps * count
        load.gap_range(current.duration, last, steps, count)
        self._kv += steps * count
        self._next += steps
        current.number += steps
        ahead.number += steps
        current.duration += slope * steps
        ahead.duration += slope * steps
        self._began = end
        self._ends = end + current.duration
        return True

    def _crossing(self, steps: int) -> int:
        """Blocks that the decoding sequences begin in the next `steps` composed steps."""
        size, phases, number = self._block, self._phases, self._next
        whole, rest = divmod(steps, size)
        return whole * self._decoding + sum(phases[(1 - number - j) % size] for j in range(rest))

    def _compose(self) -> _Step | None:
        number, size = self._next, self._block
        budget = self.config.max_num_batched_tokens
        preempted = False
        while (needed := self._phases[(1 - number) % size]) + self._chunks(budget - self._decoding) > self._free:
            self._preempt_latest()
            preempted = True
        self._free -= needed
        decodes = tokens = self._decoding
        kv = self._kv
        budget -= decodes
        prefills = prefill_tokens = 0
        pairs = 0.0
        firsts: list[_Sequence] = []

        for sequence in list(self._prefilling):
            count = min(sequence.target - sequence.computed, budget)
            if count < 1:
                break
            missing = -(-(sequence.computed + count) // size) - sequence.blocks
            self._free -= missing
            sequence.blocks += missing
            if count == 1:
                decodes += 1
                kv += sequence.computed + 1
            else:
                prefills += 1
                prefill_tokens += count
                pairs += count * (sequence.computed + count / 2)
            sequence.computed += count
            budget -= count
            if sequence.computed == sequence.target:
                self._prefilling.remove(sequence)
                firsts.append(sequence)

        waiting = self._waiting
        while waiting and budget > 0 and not preempted and not self._refused:
            sequence = waiting[0]
            if len(self._running) >= self.config.max_num_seqs or -(-sequence.target // size) > self._free:
                self._refused = True
                break
            waiting.popleft()
            self._running[sequence.key] = sequence
            found = min(sequence.seen.arrival.cached_tokens, sequence.target - 1) // size * size
            if not sequence.preemptions:
                self.load.prompt_tokens += sequence.target
                self.load.cached_tokens += found
            count = min(sequence.target - found, budget)
            sequence.computed = found + count
            sequence.blocks = -(-sequence.computed // size)
            self._free -= sequence.blocks
            prefills += 1
            prefill_tokens += count
            pairs += count * (found + count / 2)
            budget -= count
            if sequence.computed == sequence.target:
                firsts.append(sequence)
            else:
                self._prefilling.append(sequence)

        if budget == self.config.max_num_batched_tokens:
            return None
        self._next = number + 1
        self._leave(number)
        self._kv += self._decoding
        for sequence in firsts:
            self._join(sequence, number)
        duration = self._seconds(prefill_tokens, prefills, pairs, decodes, kv)
        return _Step(number, duration, tokens + len(firsts), prefill_tokens, firsts)

    def _chunks(self, budget: int) -> int:
        """Blocks that prompts under way need for their next chunks."""
        blocks = 0
        for sequence in self._prefilling:
            count = min(sequence.target - sequence.computed, budget)
            if count < 1:
                break
            blocks += -(-(sequence.computed + count) // self._block) - sequence.blocks
            budget -= count
        return blocks

    def _seconds(self, prefill_tokens: int, prefills: int, pairs: float, decodes: int, kv: int) -> float:
        # StepTimeModel.seconds without its StepLoad: this line is where the time goes.
        model = self.step_time
        tokens = prefill_tokens + decodes
        linear = max(model.read + model.read_token * tokens, model.compute + model.compute_token * tokens)
        reading = model.kv_token * kv * (model.mixed if prefill_tokens else 1.0)
        both = model.mixed_step if prefill_tokens and decodes else 0.0
        prefill = model.prefill_request * prefills + model.attention_pair * pairs
        return (linear + prefill + reading + both + model.decode_pair * decodes**2) * self.slow

    def _join(self, sequence: _Sequence, number: int) -> None:
        """Its prompt is computed in step `number`: it decodes from the next one on."""
        sequence.base, sequence.begun = sequence.target, number
        sequence.last = number + sequence.end - sequence.base - 1
        if sequence.last not in self._leaving:
            self._leaving[sequence.last] = []
            heapq.heappush(self._leaving_steps, sequence.last)
        self._leaving[sequence.last].append(sequence)
        if sequence.last > number:
            self._decoding += 1
            self._kv += sequence.base + 1
            self._phases[(sequence.base - number) % self._block] += 1

    def _leave(self, number: int) -> None:
        """Sequences whose last token step `number` brings decode no more."""
        for sequence in self._leaving.get(number, ()):
            self._decoding -= 1
            self._kv -= sequence.end - 1
            self._phases[(sequence.base - sequence.begun) % self._block] -= 1
            sequence.blocks = -(-(sequence.end - 1) // self._block)

    def _preempt_latest(self) -> None:
        """Push out the latest arrival, before step `_next` is composed."""
        number = self._next
        sequence = self._running.pop(max(self._running))
        self.load.preemptions += 1
        self._refused = False
        if 0 <= sequence.last < number:
            # its last token is on its way already: it only loses its blocks sooner
            self._free += sequence.blocks
            sequence.blocks = 0
            return
        if sequence in self._prefilling:
            self._prefilling.remove(sequence)
            self._free += sequence.blocks
        else:
            reached = sequence.base + number - 1 - sequence.begun
            self._free += -(-reached // self._block)
            self._decoding -= 1
            self._kv -= reached + 1
            self._phases[(sequence.base - sequence.begun) % self._block] -= 1
            self._leaving[sequence.last].remove(sequence)
            if not self._leaving[sequence.last]:
                del self._leaving[sequence.last]
                self._leaving_steps.remove(sequence.last)
                heapq.heapify(self._leaving_steps)
            sequence.target = reached + 1
        sequence.blocks = sequence.computed = 0
        sequence.last = -1
        sequence.preemptions += 1
        self._waiting.appendleft(sequence)


def _steps_within(seconds: float, first: float, slope: float) -> int:
    """The largest k with k * first + slope * k (k - 1) / 2 <= seconds."""
    if slope <= 0.0:
        return int(seconds / first)
    half = slope / 2
    linear = first - half
    return int((math.sqrt(linear * linear + 4 * half * seconds) - linear) / (2 * half))
