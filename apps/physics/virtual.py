"""An engine and its clients in virtual time: open-loop requests in, what each client saw out."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from apps.physics.engine import Engine
from apps.physics.frontend import Frontend, FrontendModel
from apps.physics.types import Request, StepResult


@dataclass(slots=True)
class Seen:
    """One request as its client saw it. Times in seconds on the clock of `Request.arrival`.

    first, last: when the first and the last token came. tokens: how many came.
    """

    request: Request
    first: float = 0.0
    last: float = 0.0
    tokens: int = 0

    @property
    def ttft(self) -> float:
        """Seconds from sending the request to its first token."""
        return self.first - self.request.arrival

    @property
    def tpot(self) -> float | None:
        """Mean seconds between tokens after the first; None for a single token."""
        return (self.last - self.first) / (self.tokens - 1) if self.tokens > 1 else None

    @property
    def e2e(self) -> float:
        """Seconds from sending the request to its last token."""
        return self.last - self.request.arrival


@dataclass(slots=True)
class Session:
    """The clients of one engine in virtual time.

    Requests may be added while it runs (`send`), which is how a closed loop of clients is played. Those added must not
    arrive before `now`. `gaps` collects the seconds between tokens as clients see them, when it is a list.
    """

    engine: Engine
    frontend: Frontend[Request]
    now: float = 0.0
    gaps: list[float] | None = None
    seen: dict[str, Seen] = field(default_factory=dict)
    _arrivals: list[tuple[float, int, Request]] = field(default_factory=list)
    _sent: int = 0

    def send(self, request: Request) -> None:
        """A client sends a request at `request.arrival`."""
        self._sent += 1
        heapq.heappush(self._arrivals, (request.arrival, self._sent, request))

    def run_until(self, until: float) -> list[Seen]:
        """Run until the first requests end, or to `until`, or until nothing is left; those that ended, in order."""
        ended: list[Seen] = []
        while not ended and self.now < until:
            self._deliver(self.now)
            plan = self.engine.next_step(self.now)
            if plan is None:
                arrival = self._arrivals[0][0] + self._half if self._arrivals else float("inf")
                upcoming = min(self.frontend.next_through, arrival, self.engine.wake_at)
                if upcoming == float("inf"):
                    break
                self.now = max(self.now, upcoming)
                continue
            end = self.now + plan.duration
            self._deliver(end)
            self.now = end
            result = self.engine.finish_step(end)
            ended = self._stream(end, result)
        return ended

    @property
    def _half(self) -> float:
        return self.frontend.model.latency / 2

    def _deliver(self, until: float) -> None:
        while self._arrivals and self._arrivals[0][0] + self._half <= until:
            arrival, _order, request = heapq.heappop(self._arrivals)
            self.frontend.arrive(request, arrival, request.prompt_tokens)
        for at, request in self.frontend.through(until):
            self.seen[request.request_id] = Seen(request)
            self.engine.submit(request, at)

    def _stream(self, at: float, result: StepResult) -> list[Seen]:
        visible = self.frontend.stream(at, len(result.tokens))
        seen, gaps = self.seen, self.gaps
        for request_id in result.tokens:
            view = seen[request_id]
            if not view.tokens:
                view.first = visible
            elif gaps is not None:
                gaps.append(visible - view.last)
            view.tokens += 1 + result.accepted.get(request_id, 0)
            view.last = visible
        return [seen[finished.request_id] for finished in result.finished]


def play(engine: Engine, frontend: FrontendModel, requests: Iterable[Request]) -> list[Seen]:
    """Play open-loop `requests` to the end; what each client saw, in order of arrival."""
    session = Session(engine, Frontend(frontend))
    for request in requests:
        session.send(request)
    while session.run_until(float("inf")):
        pass
    return sorted(session.seen.values(), key=lambda view: view.request.arrival)
