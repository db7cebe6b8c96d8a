"""KEDA (kedacore/keda @8b4f083) with what two projects ship.

production_stack: vLLM production-stack (@a6c01db, helm values): vllm:num_requests_waiting, threshold 5, polling 15
s, cooldown 360 s; 1..N is an HPA with its defaults. Knob: the threshold.

slo_aware: llm-d's workload-autoscaling guide, `slo-aware` (main of 2026-08): s = max(TTFT p90 / its limit, TPOT p90
/ its limit) over a minute, at most 2, averaged over 45 s; s > 0.55: n + ceil(n (s (r / n if 0 < r < n else 1) /
0.55 - 1)); s < 0.40: n - floor(n (1 - s / 0.40)); else n with n provisioned and r ready replicas. Up at most
max(100 %, 4 pods) per 60 s after 30 s; down one pod per 120 s after 180 s. The guide's limits (3 s, 0.1 s) are
literals to be set to one's SLO, and are set to the scenario's; knob: the upper band (0.55; the lower keeps its
ratio to it).
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from bench.autoscaling.peers.base import Peer, View, Window
from bench.autoscaling.peers.hpa import Hpa, Metric, queue


def production_stack(least: int, most: int, threshold: float) -> Hpa:
    return Hpa(least, most, [Metric(queue, threshold)], stabilisation=360.0)


class SloAware(Peer):
    tick = 15.0

    def __init__(self, least: int, most: int, ttft: float, tpot: float, band: float = 0.55) -> None:
        super().__init__(least, most)
        self.ttft, self.tpot, self.upper, self.lower = ttft, tpot, band, band * 0.40 / 0.55
        self._first: deque[tuple[float, float]] = deque()
        self._between: deque[tuple[float, float]] = deque()
        self._strain: deque[tuple[float, float]] = deque()
        self._up, self._down = Window(30.0), Window(180.0)
        self._raised = self._lowered = -math.inf

    def decide(self, view: View) -> int:
        current, now = view.replicas, view.now
        if not view.readable:
            return current
        self._first.extend((now, each.ttft) for each in view.first)
        self._between.extend((now, each.tpot) for each in view.ended if each.arrival.output_tokens > 1)
        for kept in (self._first, self._between):
            while kept and kept[0][0] <= now - 60:
                kept.popleft()
        strain = min(2.0, max(_p90(self._first) / self.ttft, _p90(self._between) / self.tpot))
        self._strain.append((now, strain))
        while self._strain[0][0] <= now - 45:
            self._strain.popleft()
        s = sum(value for _at, value in self._strain) / len(self._strain)
        n, r = max(current, 1), len(view.ready)
        if s > self.upper:
            wanted = n + math.ceil(n * (s * (r / n if 0 < r < n else 1.0) / self.upper - 1))
        elif s < self.lower:
            wanted = n - math.floor(n * (1 - s / self.lower))
        else:
            wanted = n
        wanted = min(self.most, max(self.least, wanted))
        self._up.say(now, wanted)
        self._down.say(now, wanted)
        if wanted > current and now - self._raised >= 60:
            raised = min(self._up.lowest(), max(2 * current, current + 4))
            if raised > current:
                self._raised = now
                return raised
        if self._down.highest() < current and now - self._lowered >= 120:
            self._lowered = now
            return current - 1
        return current


def _p90(values: deque[tuple[float, float]]) -> float:
    return float(np.quantile([value for _at, value in values], 0.9)) if values else 0.0
