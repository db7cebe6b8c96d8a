"""Knative's pod autoscaler (knative/serving @98e5ef9, pkg/autoscaler): concurrency over a stable window of 60 s and a
panic window of 6 s; desired = ceil(mean concurrency / (target * 0.7)); panic when the short window wants twice what
is ready, and then never down until a stable window has passed; up at most 1000 times, down at most by half. Zero
after the stable window without requests plus 30 s of grace; from zero at once by the queue. Loop 2 s. Knob: the
target concurrency (default 100)."""

from __future__ import annotations

import math
from collections import deque

from bench.autoscaling.peers.base import Peer, View

STABLE, PANIC, GRACE, UTILISATION = 60.0, 6.0, 30.0, 0.7


class Knative(Peer):
    tick = 2.0

    def __init__(self, least: int, most: int, target: float = 100.0) -> None:
        super().__init__(least, most)
        self.target = target * UTILISATION
        self._seen: deque[tuple[float, int]] = deque()
        self._panicked = -math.inf
        self._highest = 0
        self._last_busy = 0.0

    def decide(self, view: View) -> int:
        now, current = view.now, view.replicas
        if not view.readable:
            return current
        self._seen.append((now, view.in_flight))
        while self._seen[0][0] <= now - STABLE:
            self._seen.popleft()
        if view.in_flight or view.arrived:
            self._last_busy = now
        ready = max(len(view.ready), 1)
        stable = math.ceil(_mean(self._seen, now - STABLE) / self.target)
        panic = math.ceil(_mean(self._seen, now - PANIC) / self.target)
        stable = max(stable, math.floor(ready / 2)) if stable < ready else stable
        if panic / ready >= 2:
            self._panicked = now
        if now - self._panicked <= STABLE:
            self._highest = max(self._highest, panic, stable, current)
            return self._highest
        self._highest = 0
        if self.least == 0 and not view.in_flight and now - self._last_busy >= STABLE + GRACE:
            return 0
        return max(1, stable)


def _mean(seen: deque[tuple[float, int]], since: float) -> float:
    values = [value for at, value in seen if at > since]
    return sum(values) / len(values)
