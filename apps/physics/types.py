"""What goes into an engine and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

from apps.physics.steptime import StepLoad


class EngineBusy(Exception):
    """`max_num_queued_reqs` requests are in flight already; vLLM answers HTTP 503."""


class Source(StrEnum):
    """Where a prompt token's KV came from. All but COMPUTED are cache hits, named by the tier that held them."""

    COMPUTED = "computed"
    DEVICE = "device"
    HOST = "host"
    DISK = "disk"
    P2P = "p2p"


class Finish(StrEnum):
    """Why a request ended (`finished_reason` of vLLM)."""

    LENGTH = "length"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Settings of one engine, named as vLLM's flags.

    num_blocks: vLLM's `num_gpu_blocks`; one of them is reserved, as there.
    max_num_queued_reqs: limit of requests in flight, waiting or running; None: no limit.
    async_scheduling: a step is composed while the one before it runs, so a request waits one step more.
    kv_events: report stored and removed blocks in `StepResult`.
    max_adapters: distinct adapters among the running requests (vLLM's `max_loras`); None: no limit.
    draft_tokens: tokens that speculation proposes for each decoding request and step, 0 without it; each is accepted
        with probability `acceptance` if the one before it was. Drafting itself costs nothing here.
    """

    num_blocks: int
    block_size: int = 16
    max_num_seqs: int = 1024
    max_num_batched_tokens: int = 8192
    max_model_len: int = 131072
    enable_prefix_caching: bool = True
    max_num_queued_reqs: int | None = None
    scheduling_policy: Literal["fcfs", "priority"] = "fcfs"
    async_scheduling: bool = True
    kv_events: bool = False
    max_adapters: int | None = None
    draft_tokens: int = 0
    acceptance: float = 0.0

    def __post_init__(self) -> None:
        for name in ("num_blocks", "block_size", "max_num_seqs", "max_num_batched_tokens", "max_model_len"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.max_model_len > self.kv_tokens:
            raise ValueError(
                f"max_model_len is {self.max_model_len} tokens but the KV cache holds {self.kv_tokens}; "
                "lower max_model_len or give the cache more memory"
            )

    @property
    def kv_tokens(self) -> int:
        """Tokens that the KV cache holds."""
        return (self.num_blocks - 1) * self.block_size


@dataclass(slots=True)
class Request:
    """One request for completion.

    arrival: seconds, on the caller's clock, when the engine's frontend got it.
    block_hashes: chained hashes of the prompt's full blocks; they may go on over the output, where the caller knows it
        beforehand, so that a later turn of the conversation finds it. Empty: nothing of this request is shared.
    max_tokens: output tokens; the engine produces exactly these unless max_model_len or an abort ends it first.
    priority: lower goes first under the policy `priority`; ignored under `fcfs`.
    adapter: id of its LoRA adapter, 0 for none.
    pulled: prompt tokens whose KV another engine has computed and hands over in `pull_seconds` (P/D disaggregation);
        what is here already is not pulled.
    """

    request_id: str
    arrival: float
    prompt_tokens: int
    block_hashes: Sequence[int] = ()
    max_tokens: int = 16
    priority: int = 0
    adapter: int = 0
    pulled: int = 0
    pull_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One composed step: what it computes and how long it takes (seconds)."""

    duration: float
    load: StepLoad
    prefills: tuple[tuple[str, int], ...]
    """(request id, prompt tokens computed) of each request that is not just decoding."""

    @property
    def tokens(self) -> int:
        """Tokens of the step (`vllm:iteration_tokens_total`)."""
        return self.load.prefill_tokens + self.load.decode_requests


class BlocksStored(NamedTuple):
    """Consecutive blocks of a request that can now be found in the prefix cache."""

    request_id: str
    first_block: int
    hashes: tuple[int, ...]
    medium: str = "GPU"


class BlocksRemoved(NamedTuple):
    """Blocks evicted from the prefix cache."""

    hashes: tuple[int, ...]
    medium: str = "GPU"


class BlocksCleared(NamedTuple):
    """Every block on the device was forgotten."""


class ChunkStored(NamedTuple):
    """A request's blocks `first_block` to `first_block + blocks` are in a slower tier, under the last one's hash."""

    request_id: str
    first_block: int
    blocks: int
    key: int
    medium: str


BlockEvent = BlocksStored | BlocksRemoved | BlocksCleared | ChunkStored


@dataclass(frozen=True, slots=True)
class Finished:
    """A request's end, with what its histograms need. Times in seconds on the caller's clock; None: never happened."""

    request_id: str
    reason: Finish
    arrival: float
    scheduled: float | None
    first_token: float | None
    finished: float
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    preemptions: int


@dataclass(slots=True)
class StepResult:
    """What a finished step brought.

    tokens: ids of the requests that got one token each, first tokens included, in batch order.
    first_tokens: those of them whose first token it is.
    accepted: further tokens of theirs that speculation had right, by request.
    preempted: ids of requests thrown back to the queue while the following step was composed.
    block_events: what became of cached blocks since the step before it, in the order in which it happened.
    """

    tokens: list[str] = field(default_factory=list)
    first_tokens: list[str] = field(default_factory=list)
    accepted: dict[str, int] = field(default_factory=dict)
    finished: list[Finished] = field(default_factory=list)
    preempted: list[str] = field(default_factory=list)
    block_events: list[BlockEvent] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Gauges:
    """The engine's gauges; `waiting` is the sum of its two reasons. loading: those deferred whose KV is on its way to
    the device."""

    running: int
    waiting_capacity: int
    waiting_deferred: int
    kv_usage: float
    loading: int = 0

    @property
    def waiting(self) -> int:
        return self.waiting_capacity + self.waiting_deferred


@dataclass(slots=True)
class Counters:
    """The engine's counters, in tokens unless named otherwise.

    drafts: proposals of speculation, one for each decoding request and step; accepted_by_position: how often their
    n-th token was right.
    external_queries, external_hits: prompt tokens behind the device hit that slower tiers were asked for, and had.
    """

    prompt_tokens: int = 0
    generation_tokens: int = 0
    prompt_tokens_by_source: dict[Source, int] = field(default_factory=lambda: dict.fromkeys(Source, 0))
    prefix_cache_queries: int = 0
    prefix_cache_hits: int = 0
    external_queries: int = 0
    external_hits: int = 0
    preemptions: int = 0
    steps: int = 0
    drafts: int = 0
    accepted_by_position: list[int] = field(default_factory=list)
