"""What `decide` takes and gives. Times are Unix seconds, durations seconds, money per hour in the pool's currency.

    decide(policy, signals, state, now) -> Decision

A controller calls it once a tick, keeps `decision.state` for the next tick, and makes the fleet be `decision.targets`.
`State`, `Policy`, `Signals` and `Decision` go through JSON and come back equal, so that a stored decision can be
replayed to the same bits.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar, cast, dataclass_transform

from apps.physics.steptime import StepTimeModel
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.samples import Known, NoTraffic, Sample, Unknown

__all__ = [
    "Clamp",
    "Counterfactual",
    "Decision",
    "Distribution",
    "FreezeWindow",
    "Idle",
    "Input",
    "Known",
    "Lengths",
    "Limits",
    "Metric",
    "NoTraffic",
    "Numbers",
    "Objective",
    "Observed",
    "Pending",
    "Policy",
    "Proposal",
    "Replicas",
    "Role",
    "Sample",
    "Schedule",
    "Signals",
    "Standby",
    "State",
    "Target",
    "Telling",
    "Unknown",
    "VariantPolicy",
    "VariantSignals",
    "Verb",
]

Metric = Literal["ttft", "tpot", "itl", "e2e"]
Role = Literal["both", "prefill", "decode"]
Idle = Literal["keep", "standby", "zero"]
Standby = Literal["reserved", "shared"]
Verb = Literal["up", "down", "mix", "hold", "frozen", "zero", "from-zero", "sleep", "wake"]
# doubles side by side: a tick keeps two hundred of each of thousands of pools, and as objects they would be most of its
# time. Nobody writes into those of a State. (Subscripted at run time from Python 3.12 on.)
if TYPE_CHECKING:
    Numbers: TypeAlias = array[float]
else:
    Numbers = array
T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def record(made: type[T]) -> type[T]:
    """A dataclass that nobody writes into, as type checking sees to: of those that a tick makes by the ten thousand. A
    frozen one takes five times as long to make."""
    return dataclass(slots=True, unsafe_hash=True)(made)


Days = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


# --- the policy: what people declared, and the facts that do not change from tick to tick ---------------------------


@dataclass(frozen=True, slots=True)
class Objective:
    """`fraction` (0..1) of requests (ttft, tpot, e2e) or tokens (itl) within `threshold` seconds."""

    metric: Metric
    threshold: float
    fraction: float


@dataclass(frozen=True, slots=True)
class Lengths:
    """Prior while no traffic has been seen: mean tokens of prompts and outputs, share of cached tokens 0..1."""

    prompt: float = 1000.0
    output: float = 200.0
    cached: float = 0.0


@dataclass(frozen=True, slots=True)
class VariantPolicy:
    """One variant as declared, and what its engines can do.

    minimum, maximum: bounds of its replicas. price: of one replica per hour. accelerators: of one replica.
    step_time: prior of the step-time model (apps.physics.catalogue.step_time_for). kv_tokens: that one replica's cache
    holds. max_num_seqs, max_num_batched_tokens: the engine's flags. startup: prior of the seconds from the decision to
    a ready replica (90th percentile); measured ones take over. wake: the same from warm standby.
    available: accelerators of its kind that are free beyond those that this pool holds; None: not known, not limited.
    """

    name: str
    minimum: int
    maximum: int
    price: float
    step_time: StepTimeModel
    kv_tokens: int
    role: Role = "both"
    accelerators: int = 1
    max_num_seqs: int = 1024
    max_num_batched_tokens: int = 8192
    startup: float = 120.0
    wake: float = 2.0
    available: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """A floor and ceiling (replicas of the whole pool; None: leave alone) on some days from `start` to `end`, minutes
    of the local day in `zone` (IANA); an end not after the start is on the next day."""

    name: str
    days: tuple[Days, ...]
    start: int
    end: int
    zone: str = "UTC"
    floor: int | None = None
    ceiling: int | None = None


@dataclass(frozen=True, slots=True)
class FreezeWindow:
    """Nothing moves between two instants (Unix seconds), but for the bounds."""

    name: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Safety that nobody needs to tune. Steps are replicas of the pool; at least one step up is always possible.

    up_per_minute, down_per_minute: factors of the replicas there are (2.0: may double; 0.5: may halve).
    stale: ticks after which what was measured is too old to act on. residual: relative error of the step-time model
    from which it is not trusted. reversal: seconds within which up-and-down counts as a reversal.
    """

    up_per_minute: float = 4.0
    down_per_minute: float = 0.5
    stale: float = 3.0
    residual: float = 0.6
    reversal: float = 600.0


class _Kept:
    """A place for what is computed once of a record that does not change; no field of it."""

    __slots__ = ("kept",)
    kept: Any


@dataclass(frozen=True, slots=True)
class Policy(_Kept):
    """One pool's autoscaling. `tick`: seconds between calls. `budget`: most money per hour, None: no limit.

    The share of requests that may miss is 1 minus the strictest fraction of `objectives`, all objectives together.
    Without objectives a default of TTFT 2 s and TPOT 100 ms at 95 % stands in.
    """

    objectives: tuple[Objective, ...]
    variants: tuple[VariantPolicy, ...]
    tick: float = 10.0
    budget: float | None = None
    currency: str = "USD"
    idle: Idle = "keep"
    standby: Standby = "reserved"
    schedules: tuple[Schedule, ...] = ()
    freezes: tuple[FreezeWindow, ...] = ()
    lengths: Lengths = Lengths()
    limits: Limits = Limits()


# --- signals: what is known at one tick -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Distribution:
    """Observations of one tick: a histogram (seconds or tokens), their sum where it is known, and their age (s)."""

    histogram: Histogram
    sum: float | None = None
    age: float = 0.0


Observed: TypeAlias = Distribution | NoTraffic | Unknown
UNREAD = Unknown("Not measured.")


@dataclass(frozen=True, slots=True)
class Pending:
    """A replica that was asked for and is not ready: `since` seconds ago; `stuck`: why it cannot start (no node, quota,
    image), empty while nothing speaks against it."""

    since: float
    stuck: str = ""


@dataclass(frozen=True, slots=True)
class Replicas:
    """Replicas of a variant by state. `desired` is the target that stands, what `ready` and `pending` move to; `asleep`
    are in warm standby or on their way there."""

    desired: int
    ready: int
    pending: tuple[Pending, ...] = ()
    draining: int = 0
    asleep: int = 0


@dataclass(frozen=True, slots=True)
class VariantSignals:
    """One variant in the last tick, all its engines added up.

    arrived, finished: requests. prompt_tokens: of requests that were prefilled, cached_tokens among them found in a
    cache. generated_tokens. steps: forward passes of the engines. running, waiting: requests at the end of the tick.
    kv_usage: mean over engines, 0..1. preemptions: count. prompt_lengths, output_lengths: tokens of requests.
    ttft, tpot, itl, e2e: seconds. startups: seconds of the starts that ended in this tick.
    `arrived` may be Unknown (an engine counts no arrivals): finished plus what running and waiting grew by is taken.
    """

    name: str
    replicas: Replicas
    arrived: Sample = UNREAD
    finished: Sample = UNREAD
    prompt_tokens: Sample = UNREAD
    cached_tokens: Sample = UNREAD
    generated_tokens: Sample = UNREAD
    steps: Sample = UNREAD
    running: Sample = UNREAD
    waiting: Sample = UNREAD
    kv_usage: Sample = UNREAD
    preemptions: Sample = UNREAD
    prompt_lengths: Observed = UNREAD
    output_lengths: Observed = UNREAD
    ttft: Observed = UNREAD
    tpot: Observed = UNREAD
    itl: Observed = UNREAD
    e2e: Observed = UNREAD
    startups: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Signals:
    """A pool in the last tick of `seconds`.

    arrived: requests that came to the gateway or endpoint picker (those it holds or sheds too); Unknown where there is
    none: then the variants' arrivals count. shed: requests refused there in the tick, each a miss. queued: requests
    held there; queued_tokens: their prompt tokens; oldest: seconds the longest of them has waited. ttft, tpot, e2e: as
    the client saw them; where they are known they count for the SLO, the engines' histograms otherwise.
    season: requests/s to be expected one start-up ahead by the same time of earlier days and weeks.
    rollout: an engine change is being rolled out.
    """

    seconds: float
    variants: tuple[VariantSignals, ...]
    arrived: Sample = UNREAD
    shed: Sample = UNREAD
    queued: Sample = UNREAD
    queued_tokens: Sample = UNREAD
    oldest: Sample = UNREAD
    ttft: Observed = UNREAD
    tpot: Observed = UNREAD
    e2e: Observed = UNREAD
    season: Sample = UNREAD
    rollout: bool = False


# --- state: what one tick leaves for the next -----------------------------------------------------------------------


def _none_yet() -> Numbers:
    return array("d")


@record
class State:
    """Memory of a pool: `at` is the tick it was made on (None: never ticked); `pool` and `variants` hold numbers by the
    names of apps.autoscaling.domain.memory, which says what each means. An unknown layout starts anew."""

    at: float | None = None
    layout: int = 0
    pool: Numbers = field(default_factory=_none_yet)
    variants: Mapping[str, Numbers] = field(default_factory=dict)


# --- the decision ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """Replicas that a variant is to have: awake ones, and asleep ones beside them (warm standby)."""

    variant: str
    replicas: int
    asleep: int = 0


@record
class Input:
    """One thing the decision rests on. state: known | no_traffic | unknown; age in seconds; variant "" for the pool."""

    name: str
    variant: str
    state: str
    value: float | None
    age: float | None
    unit: str = ""
    reason: str = ""


@record
class Proposal:
    """What one rule alone would have: `replicas` of the pool (of a role, where `role` is not "both"), and why."""

    rule: str
    replicas: int
    reason: str
    role: str = "both"


@record
class Clamp:
    """A rule that changed the result of a variant ("" for the whole pool) from `before` to `after` replicas."""

    rule: str
    variant: str
    before: int
    after: int
    reason: str


@record
class Counterfactual:
    """What the model expects of another number of replicas of the pool at the forecast load.

    attainment: share of requests within all objectives, 0..1, over all loads that may come. ttft_p95, tpot_p95: seconds
    at the mean of these loads; None where saturated.
    """

    replicas: int
    attainment: float
    ttft_p95: float | None
    tpot_p95: float | None
    cost: float


class Telling(Protocol):
    """Makes the explaining parts of a decision by name; what it works from no longer changes."""

    def __call__(self, decision: Any, /) -> Mapping[str, object]: ...


class Explained:
    """A record some of whose fields are made when they are first read, all of them at once."""

    __slots__ = ("_telling",)

    def __getattr__(self, name: str) -> Any:
        # reached only where a slot is still empty
        telling: Telling | None = None if name == "_telling" else getattr(self, "_telling", None)
        if telling is None:
            raise AttributeError(f"{type(self).__name__} has no {name}")
        for field_name, value in telling(self).items():
            setattr(self, field_name, value)
        self._telling = None
        return object.__getattribute__(self, name)


@record
class Decision(Explained):
    """What was decided at `at`, and everything that explains it.

    `sentence`, `inputs`, `quantiles`, `proposals` and `counterfactuals` are made when one of them is first read: of
    thousands of decisions a tick stores few anew, and explains those.

    targets: for every variant. before: the targets that stood. quantiles: forecast load one start-up ahead, requests/s
    by level. binding: the rule that made the number what it is. cost: of the targets per hour. attainment: share of
    requests within all objectives since the pool's memory began to fade, between two bounds (only the marginals are
    measured); None before the first requests.
    """

    at: float
    verb: Verb
    targets: tuple[Target, ...]
    before: tuple[Target, ...]
    binding: str
    sentence: str
    inputs: tuple[Input, ...]
    quantiles: Mapping[str, float]
    proposals: tuple[Proposal, ...]
    clamps: tuple[Clamp, ...]
    counterfactuals: tuple[Counterfactual, ...]
    cost: float
    attainment: tuple[float, float] | None
    state: State

    @classmethod
    def untold(
        cls,
        telling: Telling,
        at: float,
        verb: Verb,
        targets: tuple[Target, ...],
        before: tuple[Target, ...],
        binding: str,
        clamps: tuple[Clamp, ...],
        cost: float,
        attainment: tuple[float, float] | None,
        state: State,
    ) -> Decision:
        """`telling` gives the remaining fields by name."""
        made: Any = object.__new__(cls)
        made._telling = telling
        made.at, made.verb, made.targets, made.before = at, verb, targets, before
        made.binding, made.clamps, made.cost, made.attainment, made.state = binding, clamps, cost, attainment, state
        return cast(Decision, made)

    def replicas(self, variant: str) -> int:
        """Awake replicas that the variant is to have; KeyError for an unknown name."""
        for target in self.targets:
            if target.variant == variant:
                return target.replicas
        raise KeyError(variant)

    @property
    def total(self) -> int:
        """Awake replicas of the pool."""
        return sum(target.replicas for target in self.targets)
