"""The `Pool` document: one model served in one namespace of one cluster."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import Field, StringConstraints, field_validator, model_validator

from apps.catalog.domain.vllm import version_of_image
from apps.core.domain.documents import Name, Spec
from apps.core.domain.units import ByteSize, Duration, MoneyRate
from apps.pools.domain.path_settings import (
    Adapters,
    Disaggregation,
    ExpertParallel,
    FlowControl,
    ModelCache,
    PrecisePrefix,
    Prediction,
    Rewrite,
    Speculative,
)
from apps.pools.domain.tiers.declared import Offload

# an object's name is pool and variant with a suffix of ours or of a controller behind it, within 63 characters
LONGEST_POOL_AND_VARIANT = 46
MOST_VARIANTS = 16
_CPU = r"^([1-9][0-9]{0,3}|[1-9][0-9]{0,5}m)$"
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_IMAGE = r"^[a-z0-9][A-Za-z0-9._:/-]{0,200}(@sha256:[a-f0-9]{64})?$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,100}$"

DEFAULT_IMAGE = "vllm/vllm-openai:v0.33.0"

Cpu = Annotated[str, StringConstraints(pattern=_CPU), Field(examples=["8"])]
Image = Annotated[str, StringConstraints(pattern=_IMAGE, max_length=300), Field(examples=[DEFAULT_IMAGE])]
Variable = Annotated[str, StringConstraints(pattern=_VARIABLE)]
Count = Annotated[int, Field(ge=1, le=1024)]
PathName = Literal[
    "optimized-baseline",
    "precise-prefix-cache",
    "pd-disaggregation",
    "wide-ep",
    "tiered-prefix-cache",
    "predicted-latency",
    "flow-control",
    "scale-to-zero",
]


class Engine(Spec):
    """The engine's image, and what is added to the command line and environment that Lamplight renders."""

    image: Image = DEFAULT_IMAGE
    args: Annotated[tuple[Annotated[str, StringConstraints(max_length=2000)], ...], Field(max_length=100)] = ()
    env: Annotated[dict[Variable, Annotated[str, StringConstraints(max_length=4096)]], Field(max_length=100)] = {}

    @property
    def version(self) -> str | None:
        """vLLM's version by the image's tag (`v0.33.0` → `0.33.0`), None where the tag does not say."""
        return version_of_image(self.image)


class Parallelism(Spec):
    """Over how many accelerators one replica spreads: their product."""

    tensor: Count = 1
    pipeline: Count = 1
    data: Count = 1

    @property
    def accelerators(self) -> int:
        return self.tensor * self.pipeline * self.data


class ReplicaBounds(Spec):
    """The only bounds of a variant's replicas; a replica target is clamped to them."""

    min: Annotated[int, Field(ge=0, le=1000)] = 1
    max: Annotated[int, Field(ge=0, le=1000)] = 1

    @model_validator(mode="before")
    @classmethod
    def _max_follows_min(cls, value: object) -> object:
        if isinstance(value, dict) and isinstance(value.get("min"), int) and "max" not in value:
            return {**value, "max": max(1, value["min"])}
        return value

    @model_validator(mode="after")
    def _ordered(self) -> ReplicaBounds:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is more than max {self.max}: lower min or raise max")
        return self

    def clamp(self, wanted: int) -> int:
        return min(max(wanted, self.min), self.max)


class Resources(Spec):
    """What one replica asks of its node besides accelerators."""

    cpu: Cpu = "8"
    memory: ByteSize = 64 * 2**30


class Variant(Spec):
    """Replicas of one shape: accelerator, parallelism, role.

    `image`: in place of the engine's, where one build does not serve all variants. `devices`: how accelerators are
    asked for: as a resource of the device plugin, or by a claim (dynamic resource allocation). `queue`: the Kueue
    queue that admits its pods.
    """

    name: Name
    accelerator: Name
    parallelism: Parallelism = Parallelism()
    role: Literal["both", "prefill", "decode"] = "both"
    group_size: Annotated[int, Field(ge=1, le=64)] = 1
    capacity_type: Literal["on-demand", "spot", "reserved"] = "on-demand"
    replicas: ReplicaBounds = ReplicaBounds()
    resources: Resources = Resources()
    image: Image | None = None
    devices: Literal["plugin", "claim"] | None = None
    queue: Name | None = None

    @property
    def accelerators_per_pod(self) -> int:
        """Accelerators of one pod; a replica of `group_size` pods spreads over them evenly."""
        return max(1, self.parallelism.accelerators // self.group_size)

    @property
    def accelerators_per_replica(self) -> int:
        """Accelerators of one replica, over all of its pods."""
        return self.accelerators_per_pod * self.group_size

    @model_validator(mode="after")
    def _whole_groups(self) -> Variant:
        if self.parallelism.accelerators % self.group_size:
            raise ValueError(
                f"variant {self.name}: {self.parallelism.accelerators} accelerators cannot be spread evenly over "
                f"{self.group_size} pods: make tensor x pipeline x data a multiple of groupSize"
            )
        return self


class Weights(Spec):
    """How much each score counts when the endpoint picker chooses a replica. `cold_spread`: that a prompt of which
    nothing is cached goes to the replica that got none for the longest time."""

    queue: Annotated[float, Field(ge=0, le=1000)] = 2
    kv_cache_utilization: Annotated[float, Field(ge=0, le=1000)] = 2
    prefix_cache: Annotated[float, Field(ge=0, le=1000)] = 3
    cold_spread: Annotated[float, Field(ge=0, le=1000)] | None = None


class GatewayRef(Spec):
    """The Gateway (Gateway API) that an HTTPRoute attaches the pool to; `provider` where its kind of route differs."""

    name: Name
    namespace: Name | None = None
    section_name: Name | None = None
    hostnames: Annotated[tuple[Annotated[str, StringConstraints(max_length=253)], ...], Field(max_length=16)] = ()
    provider: Literal["istio", "kgateway", "agentgateway", "gke"] | None = None


class Routing(Spec):
    """How requests reach a replica: through an endpoint picker or spread by the Service; from a Gateway or directly.

    `picker_replicas`: how many pickers run side by side (left out: one); only a precise prefix index may, because each
    of several keeps all of it. `scheduler`: an EndpointPickerConfig of one's own in place of the rendered one.
    `precise`, `disaggregation`, `expertParallel`, `prediction`, `flowControl`: settings of the paths of these names.
    """

    picker: bool = True
    picker_replicas: Annotated[int, Field(ge=1, le=8)] | None = None
    weights: Weights = Weights()
    gateway: GatewayRef | None = None
    scheduler: dict[str, Any] | None = None
    precise: PrecisePrefix | None = None
    disaggregation: Disaggregation | None = None
    expert_parallel: ExpertParallel | None = None
    prediction: Prediction | None = None
    flow_control: FlowControl | None = None
    rewrites: Annotated[tuple[Rewrite, ...], Field(max_length=32)] | None = None

    @model_validator(mode="after")
    def _gateway_needs_picker(self) -> Routing:
        if self.gateway is not None and not self.picker:
            raise ValueError("a gateway routes through the endpoint picker: set picker to true or leave gateway out")
        return self


class Schedule(Spec):
    """A floor (`min`) and ceiling (`max`) of the whole pool's replicas on some days, by the clock of a time zone. An
    end that is not after the start lies on the next day."""

    name: Name
    days: Annotated[tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...], Field(min_length=1)]
    start: Annotated[str, StringConstraints(pattern=_CLOCK), Field(examples=["08:00"])]
    end: Annotated[str, StringConstraints(pattern=_CLOCK), Field(examples=["18:30"])]
    time_zone: Annotated[str, StringConstraints(max_length=60)] = "UTC"
    min: Annotated[int, Field(ge=0, le=1000)] | None = None
    max: Annotated[int, Field(ge=0, le=1000)] | None = None

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f'"{value}" is no time zone: write one of the IANA database, as Europe/Paris or UTC')
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Schedule:
        if self.min is None and self.max is None:
            raise ValueError(f"schedule {self.name} has neither min nor max: give it one")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"schedule {self.name}: min {self.min} is more than max {self.max}")
        return self


class Freeze(Spec):
    """Nothing is scaled between two instants (RFC 3339, with an offset)."""

    name: Name
    start: Annotated[str, StringConstraints(max_length=40)]
    end: Annotated[str, StringConstraints(max_length=40)]

    @field_validator("start", "end")
    @classmethod
    def _instant(cls, value: str) -> str:
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            raise ValueError(f'"{value}" is no instant: write one with its offset, as 2026-12-24T18:00:00+01:00')
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Freeze:
        if datetime.fromisoformat(self.start) >= datetime.fromisoformat(self.end):
            raise ValueError(f"freeze {self.name} ends before it starts: exchange start and end")
        return self


class Autoscaling(Spec):
    """Who decides on replicas. `active`: Lamplight. `advisory`: it decides, explains and stores, but people act through
    replica targets. `external`: another scaler (HPA, KEDA) writes them. `off`: people alone.

    `budget`: most that the pool may cost. `idle`: what becomes of a pool that nobody asks, where its variants' minimum
    is 0: `keep` one replica, `standby` (asleep, woken in about a second), `zero`. `standby`: what a sleeper does with
    its accelerator: keep it (reserved) or take turns with other pools of the team (shared). `group`: the pools that
    take turns on the same accelerators name the same one. `sets`: on so many sets of the group's accelerators the
    pool's engines sleep, and it may be awake on any of them; on each set at most one pool is. `handover`: in mode
    external, the scaler that Lamplight renders and that follows its decisions.
    """

    mode: Literal["off", "active", "advisory", "external"] = "off"
    budget: MoneyRate | None = None
    idle: Literal["keep", "standby", "zero"] = "keep"
    standby: Literal["reserved", "shared"] = "reserved"
    group: Name | None = None
    sets: Annotated[int, Field(ge=1, le=8)] = 1
    handover: Literal["none", "hpa", "keda"] = "none"
    schedules: Annotated[tuple[Schedule, ...], Field(max_length=32)] = ()
    freezes: Annotated[tuple[Freeze, ...], Field(max_length=32)] = ()

    @model_validator(mode="after")
    def _group_of_sharers(self) -> Autoscaling:
        if (self.standby == "shared") != (self.group is not None):
            raise ValueError(
                "standby: shared and group belong together: pools that name the same group take turns on the same "
                "accelerators; write both or neither"
            )
        if self.sets > 1 and self.group is None:
            raise ValueError(
                f"sets is {self.sets} and belongs to a group of pools that take turns: write standby: shared and a "
                "group, or leave sets out"
            )
        if self.standby == "shared" and self.idle != "standby":
            raise ValueError(f"standby is shared, and idle is {self.idle}: set idle to standby, or leave standby out")
        return self

    @model_validator(mode="after")
    def _handed_over_to_another(self) -> Autoscaling:
        if self.handover != "none" and self.mode != "external":
            raise ValueError(
                f"handover is {self.handover}, and mode is {self.mode}: a scaler of the cluster follows Lamplight's "
                "decisions in mode external only; set it, or leave handover out"
            )
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> Autoscaling:
        for what, names in (
            ("schedules", [s.name for s in self.schedules]),
            ("freezes", [f.name for f in self.freezes]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"two {what} are named {twice[0]}: give each its own name")
        return self


class Rollout(Spec):
    """How a change replaces replicas, and how a replica leaves.

    `max_surge`, `max_unavailable`: replicas beside the present ones, and fewer than them, while a change rolls; auto:
    one beside them where an accelerator is free for it, else one after another in place.
    `drain_delay`: from leaving the routing to SIGTERM. `shutdown_timeout`: what running requests may take after it.
    """

    max_surge: Annotated[int, Field(ge=0, le=1000)] | Literal["auto"] = "auto"
    max_unavailable: Annotated[int, Field(ge=0, le=1000)] | Literal["auto"] = "auto"
    progress_deadline: Duration = timedelta(minutes=30)
    drain_delay: Duration = timedelta(seconds=10)
    shutdown_timeout: Duration = timedelta(seconds=60)

    @field_validator("drain_delay", "shutdown_timeout")
    @classmethod
    def _whole_seconds(cls, value: timedelta) -> timedelta:
        if value % timedelta(seconds=1) or not timedelta(0) <= value <= timedelta(hours=1):
            raise ValueError("is whole seconds, at most an hour, as 10s")
        return value

    @model_validator(mode="after")
    def _moves(self) -> Rollout:
        if self.max_surge == 0 and self.max_unavailable == 0:
            raise ValueError("maxSurge and maxUnavailable are both 0: then no replica can be replaced; raise one")
        if not timedelta(seconds=10) <= self.progress_deadline <= timedelta(days=1):
            raise ValueError("progressDeadline is between 10s and 1d")
        return self

    @property
    def declared(self) -> tuple[int | None, int | None]:
        """maxSurge and maxUnavailable; None where they are left to the stock."""
        surge, unavailable = self.max_surge, self.max_unavailable
        return (None if surge == "auto" else surge, None if unavailable == "auto" else unavailable)

    @property
    def first_strategy(self) -> tuple[int, int]:
        """What a Deployment is made with before there is anything to roll."""
        surge, unavailable = self.declared
        if surge is None:
            surge = 0 if unavailable else 1
        return surge, (1 if surge == 0 else 0) if unavailable is None else unavailable


class Policies(Spec):
    """What Lamplight does by itself.

    `apply`: whether an accepted spec goes live at once or waits for a person's approval. `drift`: whether fields that
    somebody edited by hand are put right (a few times, never against one who keeps writing) or only reported.
    """

    apply: Literal["automatic", "approval"] = "automatic"
    drift: Literal["report", "heal"] = "heal"


class PoolSpec(Spec):
    """What `spec` of a Pool says. Cluster and namespace cannot change afterwards.

    `dialect`: the llm-d release that it is rendered for, where that is not its cluster's.
    """

    model: Name
    cluster: Name
    namespace: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    path: PathName = "optimized-baseline"
    dialect: Literal["current", "0.5"] | None = None
    engine: Engine = Engine()
    variants: tuple[Variant, ...]
    routing: Routing = Routing()
    adapters: Adapters | None = None
    speculative: Speculative | None = None
    model_cache: ModelCache | None = None
    autoscaling: Autoscaling = Autoscaling()
    offload: Offload = Offload()
    rollout: Rollout = Rollout()
    policies: Policies = Policies()

    @field_validator("variants")
    @classmethod
    def _distinct(cls, variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
        if not 1 <= len(variants) <= MOST_VARIANTS:
            raise ValueError(f"a pool has 1 to {MOST_VARIANTS} variants, not {len(variants)}")
        names = [variant.name for variant in variants]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two variants are named {twice[0]}: give each its own name")
        return variants

    def variant(self, name: str) -> Variant | None:
        return next((variant for variant in self.variants if variant.name == name), None)
