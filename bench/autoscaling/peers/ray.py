"""Ray Serve (ray 2.60, serve/autoscaling_policy.py): desired = ceil(replicas * ongoing per replica / target), ongoing
requests averaged over a look-back of 30 s; up when it has wanted more for 30 s, down when it has wanted less for
600 s; from zero at once. Its loop of 0.1 s is played every 2 s. Knob: target_ongoing_requests (default 2)."""

from __future__ import annotations

import math
from collections import deque

from bench.autoscaling.peers.base import Peer, View

LOOK_BACK, UP, DOWN = 30.0, 30.0, 600.0


class RayServe(Peer):
    tick = 2.0

    def __init__(self, least: int, most: int, target: float = 2.0) -> None:
        super().__init__(least, most)
        self.target = target
        self._seen: deque[tuple[float, int]] = deque()
        self._more_since: float | None = None
        self._less_since: float | None = None

    def decide(self, view: View) -> int:
        now, current = view.now, view.replicas
        if not view.readable:
            return current
        self._seen.append((now, view.in_flight))
        while self._seen[0][0] <= now - LOOK_BACK:
            self._seen.popleft()
        if current == 0:
            return 1 if view.held else 0
        ongoing = sum(value for _at, value in self._seen) / len(self._seen)
        wanted = min(self.most, max(self.least, math.ceil(ongoing / self.target)))
        self._more_since = (self._more_since or now) if wanted > current else None
        self._less_since = (self._less_since or now) if wanted < current else None
        if self._more_since is not None and now - self._more_since >= UP:
            self._more_since = None
            return wanted
        if self._less_since is not None and now - self._less_since >= DOWN:
            self._less_since = None
            return wanted
        return current
