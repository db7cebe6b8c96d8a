"""AIBrix' APA (vllm-project/aibrix @e3e10f9, pkg/controller/podautoscaler): use = mean over pods of the metric, window
60 s; use / target > 1.1: min(ceil(n use / target), 2 n); < 0.9: max(ceil(n use / target), n / 2); else n. Cooldown
up 0, down 300 s. Metric: the engine's running and waiting requests. Loop 10 s. Knob: the target."""

from __future__ import annotations

import math
from collections import deque

from bench.autoscaling.peers.base import Peer, View

WINDOW, TOLERANCE, RATE, COOLDOWN = 60.0, 0.1, 2.0, 300.0


class Apa(Peer):
    tick = 10.0

    def __init__(self, least: int, most: int, target: float) -> None:
        super().__init__(least, most)
        self.target = target
        self._seen: deque[tuple[float, float]] = deque()
        self._moved = -math.inf

    def decide(self, view: View) -> int:
        now, current = view.now, max(view.replicas, 1)
        if not view.readable:
            return view.replicas
        self._seen.append((now, view.in_flight / max(len(view.ready), 1)))
        while self._seen[0][0] <= now - WINDOW:
            self._seen.popleft()
        use = sum(value for _at, value in self._seen) / len(self._seen) / self.target
        if use > 1 + TOLERANCE:
            self._moved = now
            return min(math.ceil(current * use), int(RATE * current))
        if use < 1 - TOLERANCE and now - self._moved >= COOLDOWN:
            wanted = max(math.ceil(current * use), math.ceil(current / RATE))
            if wanted < current:
                self._moved = now
            return wanted
        return current
