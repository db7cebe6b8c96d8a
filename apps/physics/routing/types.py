"""What scheduling knows: replicas, their load, the request, and what the plugins say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class Chance(Protocol):
    """The only source of chance; handed in by the caller, who seeds it."""

    def random(self) -> float:
        """A number in [0, 1)."""
        ...


class Prompt(Protocol):
    """The beginning of a request as the prefix indexes see it."""

    @property
    def tokens(self) -> int:
        """Tokens of the prompt, counted or estimated."""
        ...

    def hashes(self, block_tokens: int, most_blocks: int) -> Sequence[int]:
        """Chained hashes of the prompt's full blocks of `block_tokens` tokens, `most_blocks` at most. A guess by the
        text is good enough: only the picker itself compares them."""
        ...

    def keys(self, block_tokens: int) -> Sequence[int] | None:
        """Chained keys of the prompt's full blocks of real tokens, as KV events are indexed; None while the prompt has
        not been tokenized."""
        ...


@dataclass(frozen=True, slots=True)
class NoPrompt:
    """A request without a prompt."""

    tokens: int = 0

    def hashes(self, block_tokens: int, most_blocks: int) -> Sequence[int]:
        return ()

    def keys(self, block_tokens: int) -> Sequence[int] | None:
        return None


@dataclass(frozen=True, slots=True)
class Request:
    """One request. headers: lower-case names. priority: higher goes first, below 0 may be shed. slo_ttft, slo_tpot:
    seconds that the client allows; 0 where it says nothing, which asks for the lowest latency."""

    prompt: Prompt = field(default_factory=NoPrompt)
    model: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    priority: int = 0
    fairness: str = "default-flow"
    slo_ttft: float = 0.0
    slo_tpot: float = 0.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A replica that may serve. `key` is its pod as namespace/name:port, `address` its host:port."""

    key: str
    address: str
    labels: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)

    @property
    def pod(self) -> str:
        """namespace/name."""
        return self.key.rpartition(":")[0] or self.key


@dataclass(frozen=True, slots=True)
class Adapters:
    """LoRA adapters of a replica (`vllm:lora_requests_info`): in use, waiting to be loaded, and how many may be loaded
    at once (`--max-loras`)."""

    running: frozenset[str] = frozenset()
    waiting: frozenset[str] = frozenset()
    most: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """What a replica's metrics page said last. Unknown is not zero: a replica without a Load scores 0 where its load
    counts."""

    waiting: int
    running: int
    kv_usage: float
    """Share of KV blocks in use, 0 to 1."""
    kv_blocks: int | None = None
    block_size: int | None = None
    """Tokens in an engine's block."""
    awake: bool = True
    """False when the engine says that it sleeps: it would keep a request waiting until somebody wakes it."""
    adapters: Adapters | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A replica as the plugins see it for one request."""

    endpoint: Endpoint
    load: Load | None
    inflight_requests: int = 0
    inflight_tokens: int = 0
    """Prompt tokens sent there that no cache was expected to hold and whose first token has not come."""

    @property
    def key(self) -> str:
        return self.endpoint.key


@dataclass(frozen=True, slots=True)
class PrefixMatch:
    """What one prefix producer believes a replica holds of a prompt.

    blocks: from the start without a gap. total: of the prompt. weight: sum over those blocks of their tier's weight.
    """

    blocks: int = 0
    total: int = 0
    block_tokens: int = 0
    weight: float = 0.0

    @property
    def share(self) -> float:
        return self.blocks / self.total if self.total else 0.0

    @property
    def tokens(self) -> int:
        return self.blocks * self.block_tokens


NO_MATCH = PrefixMatch()


@dataclass(frozen=True, slots=True)
class Predicted:
    """Latency foretold for a request on one replica, seconds."""

    ttft: float
    tpot: float


@dataclass(slots=True)
class Cycle:
    """One request's scheduling: what the producers wrote for the plugins that follow. Times in seconds."""

    request: Request
    candidates: Sequence[Candidate]
    chance: Chance
    now: float = 0.0
    matches: dict[str, Mapping[str, PrefixMatch]] = field(default_factory=dict)
    """Producer -> endpoint -> match."""
    predicted: Mapping[str, Predicted] = field(default_factory=dict)

    def match(self, producer: str, key: str) -> PrefixMatch:
        """What `producer` found on a replica; nothing where it did not look."""
        return self.matches.get(producer, {}).get(key, NO_MATCH)

    def uncached(self, producer: str, key: str) -> int:
        """Prompt tokens that a replica would have to compute."""
        return max(0, self.request.prompt.tokens - self.match(producer, key).tokens)
