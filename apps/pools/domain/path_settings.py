"""What a pool says beyond its path's name: one group of settings for each path that has any, and the options that go
with every path."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from apps.core.domain.documents import Name, Spec
from apps.core.domain.units import ByteSize, Duration

Tokens = Annotated[int, Field(ge=0, le=10_000_000)]
Share = Annotated[float, Field(ge=0, le=1)]


class PrecisePrefix(Spec):
    """The index of KV blocks that the picker keeps from the engines' events.

    `block_size`: tokens of a block, the same on engine and picker. `tier_weights`: what a block on the host counts
    beside one on the device. `speculative`: blocks count as present from the routing on, before the event comes.
    `peak_prefill_throughput`: prompt tokens a second of one replica, measured for this model on this accelerator; it
    decides when a shorter queue beats a cached prefix.
    """

    block_size: Literal[16, 32, 64, 128, 256] = 64
    host_weight: Share = 0.8
    speculative: bool = True
    peak_prefill_throughput: Annotated[float, Field(gt=0, le=10_000_000)] | None = None


class Decider(Spec):
    """When a prompt is prefilled elsewhere: `always`, or when more than `non_cached_tokens` of it are not cached where
    it is decoded (`prompt_tokens`: and it has at least so many)."""

    always: bool = False
    non_cached_tokens: Tokens = 512
    prompt_tokens: Tokens = 0


class Disaggregation(Spec):
    """Prefill apart from decode: who decides, what carries KV blocks from one to the other, and over which fabric.

    `fabric`: auto takes what the accelerator's nodes have. `block_size`: of both roles. `transport`: NIXL's backend.
    """

    decider: Decider = Decider()
    connector: Literal["nixl", "mooncake", "tpu"] = "nixl"
    fabric: Literal["auto", "infiniband", "roce", "efa", "tcp"] = "auto"
    transport: Literal["ucx", "uccl", "libfabric"] = "ucx"
    block_size: Literal[16, 32, 64, 128, 256] = 128


NodeLabel = Annotated[str, StringConstraints(pattern=r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


class Placement(Spec):
    """Where the pods of one group run: all on nodes with one value of the label `domain` (a rack, a block of switches).

    `exclusive`: no other group runs there. `sub_group_size` pods of a group, with consecutive ranks, share one value
    of `sub_group_domain` as well (an NVLink domain within a block).
    """

    domain: NodeLabel
    exclusive: bool = False
    sub_group_size: Annotated[int, Field(ge=1, le=64)] | None = None
    sub_group_domain: NodeLabel | None = None

    @model_validator(mode="after")
    def _both_of_a_sub_group(self) -> Placement:
        if (self.sub_group_size is None) != (self.sub_group_domain is None):
            raise ValueError("subGroupSize and subGroupDomain belong together: write both or neither")
        return self


# what --moe-backend takes in every vLLM from 0.25 on
MoeBackend = Literal[
    "aiter", "cutlass", "deep_gemm", "deep_gemm_mega_moe", "flashinfer_cutedsl", "flashinfer_cutlass",
    "flashinfer_trtllm", "marlin", "triton",
]  # fmt: skip


class ExpertParallel(Spec):
    """A mixture of experts over many accelerators: attention by data parallelism, experts by expert parallelism.

    `backend`: of the all-to-all exchange; auto is low latency for decode, high throughput for prefill; deepep_v2 is
    that for prefill and for groups that do both, and low latency for decode, as llm-d's newest guide has it.
    `moe_backend`: kernels of the experts; left out: vLLM's choice (that guide: deep_gemm). `balance`: experts are
    copied and moved by load (`redundant_experts` copies). `dual_batch`: two half batches overlap communication and
    computation, from `dual_batch_tokens` decode tokens on. `placement`: where a group runs; left out: wherever there is
    room. `restart`: a pod that restarts takes its group with it always (left out), or only once
    the group has been up (after-start: slow pulls and crashes of a first start do not begin it anew). `subdomain`: one
    headless Service for all groups (left out), or one a group, for sets of very many.
    """

    backend: Literal[
        "auto", "deepep_low_latency", "deepep_high_throughput", "deepep_v2", "allgather_reducescatter", "naive", "pplx"
    ] = "auto"
    moe_backend: MoeBackend | None = None
    balance: bool = True
    redundant_experts: Annotated[int, Field(ge=0, le=1024)] = 32
    dual_batch: bool = True
    dual_batch_tokens: Annotated[int, Field(ge=1, le=65536)] = 32
    placement: Placement | None = None
    restart: Literal["always", "after-start"] | None = None
    subdomain: Literal["shared", "per-group"] | None = None


class Prediction(Spec):
    """Balancing by predicted latency: how many servers predict, and how much a cached prefix binds.

    `affinity`: share of a prompt that must be cached for its replica to be preferred. `ttft_weight`: what headroom of
    TTFT counts beside that of TPOT (they sum to 1). `admission`: requests of negative priority that no replica can
    serve within their latency are refused.
    """

    servers: Annotated[int, Field(ge=1, le=16)] = 1
    affinity: Share = 0.8
    ttft_weight: Share = 0.8
    slo_buffer: Annotated[float, Field(gt=0, le=10)] = 1.0
    streaming: bool = True
    admission: bool = False


class PriorityBand(Spec):
    """A class of traffic by priority: what it may hold back in the queue, and how its queue is ordered.

    Clients name it in the objective header. Requests of a negative priority are shed first.
    """

    name: Name
    priority: Annotated[int, Field(ge=-1000, le=1000)]
    max_requests: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_bytes: ByteSize | None = None
    fairness: Literal["round-robin", "global-strict", "program-aware"] = "round-robin"
    ordering: Literal["fcfs", "edf", "slo-deadline"] = "fcfs"


class FlowControl(Spec):
    """The queue in the picker: its size, how long a request waits, and for what.

    `ttl`: how long it waits while replicas are busy. `hold`: how long it waits while there is no replica at all; at
    least as long as a replica takes to start. `saturation`: by queue and cache of the replicas, or by requests in
    flight (`max_concurrency` for each replica).
    """

    max_requests: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    max_bytes: ByteSize = 2**30
    ttl: Duration = timedelta(seconds=60)
    hold: Duration = timedelta(seconds=900)
    saturation: Literal["utilization", "concurrency"] = "utilization"
    max_concurrency: Annotated[int, Field(ge=1, le=100_000)] = 100
    bands: Annotated[tuple[PriorityBand, ...], Field(max_length=32)] = ()

    @field_validator("ttl", "hold")
    @classmethod
    def _bounded(cls, value: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= value <= timedelta(hours=1) or value % timedelta(seconds=1):
            raise ValueError("is whole seconds from 1s to 1h")
        return value

    @model_validator(mode="after")
    def _distinct(self) -> FlowControl:
        for what in ("name", "priority"):
            values = [str(getattr(band, what)) for band in self.bands]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"two bands have the {what} {twice[0]}: give each its own")
        return self


class Adapters(Spec):
    """LoRA adapters of the Model on the engines of the pool.

    `max_loaded`: on the device at once. `max_rank`: the largest rank. `max_on_host`: kept in host memory. `runtime`:
    adapters may be loaded and unloaded while the engine runs. `affinity`: what a loaded adapter counts in routing.
    """

    max_loaded: Annotated[int, Field(ge=1, le=256)] = 4
    max_rank: Literal[1, 8, 16, 32, 64, 128, 256, 320, 512] = 16
    max_on_host: Annotated[int, Field(ge=1, le=10_000)] | None = None
    runtime: bool = False
    affinity: Annotated[float, Field(ge=0, le=1000)] = 1

    @model_validator(mode="after")
    def _fits(self) -> Adapters:
        if self.max_on_host is not None and self.max_on_host < self.max_loaded:
            raise ValueError(f"maxOnHost {self.max_on_host} is less than maxLoaded {self.max_loaded}: raise it")
        return self


class Speculative(Spec):
    """Tokens are guessed and checked together. `ngram` guesses from the prompt, `draft` by a smaller model, `mtp` by
    the model's own extra layers, `eagle` and `eagle3` by a head trained for the model."""

    method: Literal["ngram", "draft", "mtp", "eagle", "eagle3"]
    tokens: Annotated[int, Field(ge=1, le=64)] = 3
    model: (
        Annotated[str, StringConstraints(pattern=r"^hf://[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*$")]
        | None
    ) = None
    lookup_min: Annotated[int, Field(ge=1, le=64)] = 2
    lookup_max: Annotated[int, Field(ge=1, le=64)] = 4

    @model_validator(mode="after")
    def _whole(self) -> Speculative:
        needs = self.method in ("draft", "eagle", "eagle3")
        if needs and self.model is None:
            raise ValueError(f"method {self.method} needs the model that guesses: name it in model, as hf://org/model")
        if not needs and self.model is not None:
            raise ValueError(f"method {self.method} guesses without another model: leave model out")
        if self.lookup_min > self.lookup_max:
            raise ValueError(f"lookupMin {self.lookup_min} is more than lookupMax {self.lookup_max}")
        return self


class ModelCache(Spec):
    """Where weights are kept between starts, so that a replica need not download them again.

    `claim`: a ReadWriteMany volume claim that all replicas share; `size` and `storage_class` make one. `prefetch`: a
    Job fetches the weights into it before the first replica starts. `keep`: how many of this pool's last fetches stay
    (the newest, and what a roll-back needs); what it fetched before them and no other pool of the claim keeps is
    removed once the newest is there. Left out: everything stays.
    """

    claim: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")] | None = None
    size: ByteSize | None = None
    storage_class: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")] | None = None
    prefetch: bool = True
    keep: Annotated[int, Field(ge=2, le=100)] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> ModelCache:
        if self.keep is not None and not self.prefetch:
            raise ValueError("keep is of what is prefetched: set prefetch to true, or leave keep out")
        if (self.claim is None) == (self.size is None):
            raise ValueError("say either claim (a volume claim that exists) or size (one is made)")
        if self.storage_class is not None and self.size is None:
            raise ValueError("storageClass is of a claim that is made: say its size, or leave storageClass out")
        return self


class RewriteTarget(Spec):
    """A model that a share of the requests is sent to instead."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    weight: Annotated[int, Field(ge=0, le=1_000_000)] = 1


class Rewrite(Spec):
    """Requests for `model` are served by `targets`, by weight: canaries of adapters, and names that stay."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    targets: Annotated[tuple[RewriteTarget, ...], Field(min_length=1, max_length=16)]

    @model_validator(mode="after")
    def _some_weight(self) -> Rewrite:
        if not any(target.weight for target in self.targets):
            raise ValueError(f"all targets of {self.model} have the weight 0: no request could be served")
        return self
