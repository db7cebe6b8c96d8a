"""The last routing decisions, each with what came of it: why a request went where it went."""

from __future__ import annotations

import itertools
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from apps.physics.routing import Decision, explain, sentence

MOST = 1000
HEADER = "x-lamplight-route"


@dataclass
class Route:
    """One decision. at: Unix seconds. served: the replica that answered. Latencies in seconds, None: not measured."""

    id: str
    decision: Decision
    at: float = field(default_factory=time.time)
    served: str | None = None
    status: int | None = None
    ttft: float | None = None
    tpot: float | None = None
    cached: int | None = None

    def entry(self) -> dict[str, Any]:
        """The decision in short."""
        decision = self.decision
        return {
            "id": self.id,
            "at": datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "model": decision.cycle.request.model,
            "promptTokens": decision.cycle.request.prompt.tokens,
            "winner": decision.chosen.key,
            "prefill": decision.prefill.chosen.key if decision.prefill else None,
            "served": self.served,
            "reason": sentence(decision),
            "outcome": self._outcome(),
        }

    def whole(self) -> dict[str, Any]:
        """All that is known of it."""
        return {**explain(self.decision), **self.entry()}

    def _outcome(self) -> dict[str, Any] | None:
        if self.status is None:
            return None
        rounded = {name: None if value is None else round(value, 6) for name, value in
                   (("ttftSeconds", self.ttft), ("tpotSeconds", self.tpot))}  # fmt: skip
        return {"status": self.status, **rounded, "cachedTokens": self.cached}


class Routes:
    """A bounded memory. Ids are unique over restarts of the picker."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[str, Route] = OrderedDict()
        self._run = secrets.token_hex(3)
        self._numbers = itertools.count(1)

    def record(self, decision: Decision) -> Route:
        route = Route(f"{self._run}-{next(self._numbers):06d}", decision)
        self._kept[route.id] = route
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return route

    def get(self, name: str) -> Route | None:
        return self._kept.get(name)

    def newest(self, *, model: str = "", endpoint: str = "") -> Iterator[Route]:
        """The newest first; of one model, or that one replica won or served, where these are given."""
        for route in reversed(self._kept.values()):
            if model and route.decision.cycle.request.model != model:
                continue
            if endpoint and endpoint not in _names(route):
                continue
            yield route


def _names(route: Route) -> set[str]:
    keys = {route.decision.chosen.key, route.served or ""}
    return keys | {key.partition("/")[2].rpartition(":")[0] for key in keys}
