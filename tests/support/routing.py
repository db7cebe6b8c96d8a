"""Requests, replicas and configurations for tests of scheduling."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.physics.routing import Adapters, Candidate, Decision, Endpoint, Load, Request, Scheduler, read_config


@dataclass(frozen=True)
class Words:
    """A prompt of whole blocks: one number a block, whatever the block size; `tokens` beside them."""

    blocks: Sequence[int] = ()
    tokens: int = 0

    def hashes(self, block_tokens: int, most_blocks: int) -> Sequence[int]:
        return self.blocks[:most_blocks]

    def keys(self, block_tokens: int) -> Sequence[int] | None:
        return self.blocks


def candidate(
    name: str = "a", *, waiting: int = 0, running: int = 0, usage: float = 0.0, inflight: int = 0, tokens: int = 0,
    known: bool = True, labels: Mapping[str, str] | None = None, adapters: Adapters | None = None,
) -> Candidate:  # fmt: skip
    load = Load(waiting, running, usage, adapters=adapters) if known else None
    return Candidate(Endpoint(f"ns/{name}:8000", f"{name}:8000", labels or {}), load, inflight, tokens)


def document(*plugins: str | dict[str, Any], profile: Sequence[Any] | None = None, **more: Any) -> dict[str, Any]:
    """A configuration of `plugins` (types, or whole entries), all of them in one profile with weight 1 unless `profile`
    lists (name, weight)."""
    listed = [{"type": each} if isinstance(each, str) else each for each in plugins]
    names = profile if profile is not None else [(each.get("name") or each["type"], 1) for each in listed]
    chosen = [{"pluginRef": name, "weight": weight} for name, weight in names]
    return {
        "kind": "EndpointPickerConfig",
        "plugins": listed,
        "schedulingProfiles": [{"name": "default", "plugins": chosen}],
        **more,
    }


@dataclass
class Picker:
    """A scheduler with a seeded chance; `ask` schedules, `send` also remembers where the request went."""

    document: Mapping[str, Any]
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(read_config(self.document))

    def ask(self, *candidates: Candidate, request: Request | None = None, now: float = 0.0) -> Decision:
        decision = self.scheduler.schedule(request or Request(), candidates, self.rng, now)
        assert isinstance(decision, Decision)
        return decision

    def send(self, *candidates: Candidate, request: Request | None = None, now: float = 0.0) -> Decision:
        decision = self.ask(*candidates, request=request, now=now)
        self.scheduler.sent(decision)
        return decision

    def scores(self, *candidates: Candidate, request: Request | None = None, scorer: str = "") -> list[float]:
        """The raw scores of one scorer (default: the first), in the order of the candidates."""
        run = self.ask(*candidates, request=request).run
        name = scorer or run.scores[0][0]
        return list(next(raw for each, _weight, raw in run.scores if each == name))
