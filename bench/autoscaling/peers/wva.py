"""llm-d's Workload Variant Autoscaler (llm-d/llm-d-workload-variant-autoscaler @b08b1c7 of 2026-02-19; documentation
v0.8).

V1, saturation percentage: per pod the highest KV use and queue of the last minute; saturated at KV >= 0.80 or queue
>= 5; +1 when the mean spare of pods that are not saturated is below 0.10 KV or 3 requests, -1 when both spares
survive N / (N - 1) times the load; nothing while replicas change. Knob: the KV and queue thresholds together (1 =
defaults).

V2, saturation tokens: capacity of a pod = min(0.80 of its KV tokens, k2), k2 = tokens in use seen under queueing,
else the mean of the last ten by output bucket, else derived N (I + O / 2) with N = min(B O / (I + O), S); demand =
tokens in use + queue * I (+ what the endpoint picker holds); up to demand / 0.85, down from demand / 0.70. Knob:
both of these.

SLO (queueing model, @b08b1c7 pkg/analyzer/queueanalyzer.go): iteration T(n) = alpha + n (beta tc + gamma tm), tc =
(I + O) / (O + 1), tm = I + O / 2; prefill T(n) + (beta + gamma) I; a decoded token T(n) + beta + gamma (I + O / 2);
M/M/1/K with state-dependent rates; the largest rate that meets mean TTFT and ITL targets; replicas = ceil(rate /
it). Its Kalman filter learns alpha, beta, gamma from mean latencies; here they are *given* the engine's true
values, which is kinder. Knob: the targets, as a share of the limits.

Loop 30 s; behind all of them an HPA with 240 s of stabilisation down (the chart's default).
"""

from __future__ import annotations

import math

import numpy as np

from apps.physics import EngineConfig, StepTimeModel
from bench.autoscaling.peers.base import Peer, View, Window

MINUTE, LOOP, STABLE = 60.0, 30.0, 240.0


class _Wva(Peer):
    """Samples every 10 s, decides every 30 s."""

    tick = 10.0

    def __init__(self, least: int, most: int) -> None:
        super().__init__(least, most)
        self._samples: dict[int, list[tuple[float, float, int]]] = {}
        self._down = Window(STABLE)
        self._looked = 0.0

    def wanted(self, view: View, kv: list[float], waiting: list[int]) -> int:
        raise NotImplementedError

    def sample(self, view: View) -> None:
        """Called at every look."""

    def decide(self, view: View) -> int:
        current = view.replicas
        if not view.readable:
            return current
        self.sample(view)
        now = view.now
        for each in view.ready:
            self._samples.setdefault(each.number, []).append((now, each.kv_usage, each.waiting))
        present = {each.number for each in view.ready}
        self._samples = {
            number: [one for one in said if one[0] > now - MINUTE]
            for number, said in self._samples.items()
            if number in present
        }
        if now - self._looked < LOOP - 1e-6:
            return current
        self._looked = now
        if current == 0:
            # the engine for scaling from zero: any request waiting makes one replica
            return 1 if view.held else 0
        kv = [max(one[1] for one in self._samples[each.number]) for each in view.ready]
        waiting = [max(one[2] for one in self._samples[each.number]) for each in view.ready]
        wanted = self.wanted(view, kv, waiting)
        self._down.say(now, wanted)
        return wanted if wanted >= current else min(current, self._down.highest())


class V1(_Wva):
    def __init__(self, least: int, most: int, share: float = 1.0) -> None:
        super().__init__(least, most)
        self.kv, self.queue = 0.80 * share, 5 * share
        self.kv_spare, self.queue_spare = 0.10 * share, 3 * share

    def wanted(self, view: View, kv: list[float], waiting: list[int]) -> int:
        current = view.replicas
        if len(view.ready) != current:
            return current
        free = [(k, q) for k, q in zip(kv, waiting, strict=True) if k < self.kv and q < self.queue]
        spare_kv = sum(self.kv - k for k, _q in free) / len(free) if free else 0.0
        spare_queue = sum(self.queue - q for _k, q in free) / len(free) if free else 0.0
        if spare_kv < self.kv_spare or spare_queue < self.queue_spare:
            return current + 1
        if len(free) >= 2:
            more = len(free) / (len(free) - 1)
            left_kv = self.kv - (self.kv - spare_kv) * more
            left_queue = self.queue - (self.queue - spare_queue) * more
            if left_kv >= self.kv_spare and left_queue >= self.queue_spare:
                return current - 1
        return current


class V2(_Wva):
    def __init__(self, least: int, most: int, engine: EngineConfig, up: float = 0.85) -> None:
        super().__init__(least, most)
        self.engine, self.up, self.down = engine, up, up * 0.70 / 0.85
        self._seen: dict[str, list[float]] = {}
        self._prompt, self._output = 1000.0, 200.0

    def sample(self, view: View) -> None:
        if view.ended:
            prompt = sum(each.arrival.prompt_tokens for each in view.ended) / len(view.ended)
            output = sum(each.arrival.output_tokens for each in view.ended) / len(view.ended)
            # rates over five minutes
            self._prompt += (prompt - self._prompt) * min(1.0, view.seconds / 300)
            self._output += (output - self._output) * min(1.0, view.seconds / 300)

    def wanted(self, view: View, kv: list[float], waiting: list[int]) -> int:
        prompt, output = self._prompt, self._output
        bucket = "short" if output < 100 else "medium" if output < 500 else "long"
        tokens_there = float(self.engine.kv_tokens)
        capacities, demand = [], view.held_tokens + view.held * output
        for share, queue in zip(kv, waiting, strict=True):
            used, memory = share * tokens_there, 0.80 * tokens_there
            if queue >= 5 and used > 0:
                self._seen[bucket] = ([*self._seen.get(bucket, []), used])[-10:]
                compute = used
            elif self._seen.get(bucket):
                compute = sum(self._seen[bucket]) / len(self._seen[bucket])
            else:
                n = min(self.engine.max_num_batched_tokens * output / (prompt + output), self.engine.max_num_seqs)
                compute = n * (prompt + output / 2) or memory
            capacities.append(min(memory, compute))
            demand += used + queue * prompt
        if not capacities:
            return view.replicas
        capacity = float(np.median(capacities))
        missing = demand / self.up - view.replicas * capacity
        if missing > 0:
            return view.replicas + math.ceil(missing / capacity)
        spare = len(view.ready) * capacity - demand / self.down
        return view.replicas - int(spare // capacity) if spare > 0 else view.replicas


class Slo(_Wva):
    def __init__(
        self,
        least: int,
        most: int,
        engine: EngineConfig,
        step: StepTimeModel,
        ttft: float,
        tpot: float,
        share: float = 1.0,
    ) -> None:
        super().__init__(least, most)
        self.engine, self.ttft, self.tpot = engine, ttft * share, tpot * share
        self.alpha, self.beta, self.gamma = step.read, step.compute_token, step.kv_token
        self._arrived: list[tuple[float, int]] = []
        self._prompt, self._output = 1000.0, 200.0

    def sample(self, view: View) -> None:
        now = view.now
        self._arrived = [each for each in self._arrived if each[0] > now - MINUTE] + [(now, len(view.arrived))]
        if view.ended:
            prompt = sum(each.arrival.prompt_tokens for each in view.ended) / len(view.ended)
            output = sum(each.arrival.output_tokens for each in view.ended) / len(view.ended)
            self._prompt += (prompt - self._prompt) * min(1.0, view.seconds / 300)
            self._output += (output - self._output) * min(1.0, view.seconds / 300)

    def wanted(self, view: View, kv: list[float], waiting: list[int]) -> int:
        rate = sum(count for _at, count in self._arrived) / min(MINUTE, max(view.now, 1.0))
        return max(1, math.ceil(rate / self._carries()))

    def _carries(self) -> float:
        low, high = 0.01, 200.0
        for _ in range(30):
            middle = (low * high) ** 0.5
            if self._meets(middle):
                low = middle
            else:
                high = middle
        return low

    def _meets(self, rate: float) -> bool:
        prompt, output = self._prompt, max(self._output, 1.0)
        tc, tm = (prompt + output) / (output + 1), prompt + output / 2
        seats = self.engine.max_num_seqs
        n = np.arange(1, seats + 1)
        step = self.alpha + n * (self.beta * tc + self.gamma * tm)
        prefill = step + (self.beta + self.gamma) * prompt
        token = step + self.beta + self.gamma * tm
        service = n / (prefill + output * token)
        # states up to the batch and as many again in the queue
        mu = np.concatenate((service, np.full(seats, service[-1])))
        log = np.concatenate(([0.0], np.cumsum(np.log(rate) - np.log(mu))))
        share = np.exp(log - log.max())
        share /= share.sum()
        states = np.arange(2 * seats + 1)
        through = rate * (1 - share[-1])
        busy = np.minimum(states, seats)
        batch = max(float((share * busy).sum()), 1e-9)
        queued = float((share * (states - busy)).sum())
        at = min(max(round(batch), 1), seats) - 1
        if share[-1] > 0.01:
            return False
        return bool(queued / max(through, 1e-9) + prefill[at] <= self.ttft and token[at] <= self.tpot)
