"""Records of the offload loop: policy and signals in, decision out. Sizes in bytes or tokens, times in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from apps.offload.domain.admission import ClassUse
from apps.offload.domain.store import Fault, StorePage

__all__ = [
    "COOL_DOWN",
    "EVIDENCE",
    "WATCH",
    "Bandwidth",
    "Clamp",
    "Configuration",
    "Decision",
    "Gain",
    "Input",
    "Mode",
    "Option",
    "Phase",
    "Placed",
    "Policy",
    "Proof",
    "Signals",
    "State",
    "TierPolicy",
    "Verb",
    "Window",
]

Mode: TypeAlias = Literal["auto", "advisory"]
Kind: TypeAlias = Literal["host", "filesystem", "object", "peer"]
Verb: TypeAlias = Literal["hold", "canary", "keep", "roll-back", "retire", "advise", "blind"]
# learning: too little is known; canary: one replica has the tiers; watching: all have, and it is judged whether that is
# better than before; leaving: the canary failed, and serves until a replica without tiers has its place; steady: what
# stands, stands
Phase: TypeAlias = Literal["learning", "steady", "canary", "watching", "leaving"]


# Evidence is faded by half in an hour: 2,600 s of it are there after an hour of events. Whatever a trial costs,
# a pool that is gone before that has paid nothing for it
EVIDENCE, WATCH, COOL_DOWN = 2600.0, (300.0, 3600.0), 1800.0

# --- policy: what is declared, and the facts of the pool ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TierPolicy:
    """A tier that may be used. most: bytes, of host memory per replica, of the others of the pool. gib_hour: price of a
    GiB for an hour, 0 where it is paid for already. ttl: seconds, None: decided. limit: what keeps `most` below what is
    declared, "" when nothing does."""

    kind: Kind
    most: int
    gib_hour: float = 0.0
    claim: str | None = None
    ttl: int | None = None
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """One pool. kv_bytes: of a token, all ranks together. token, pair: seconds to compute a prompt token, and each pair
    of tokens that attend to each other, on one replica (apps.physics.steptime). price: of a replica per hour.
    restart: seconds that a replica serves nothing when its tiers change. spare: an accelerator is free for a canary.
    in_place: a canary takes the place of a replica, and stays one of them when it is kept.
    prefix_aware: the router sends equal beginnings to the same replica. wait: what a second of waiting for a load
    counts against a second of computing. usable: share of a replica's time that it works at while within the SLO.

    evidence: seconds of events before anything is decided. pay_back: seconds within which a change has to be worth its
    restarts and its canary. least_hit, least_work: a change is worth it only for this much more hit rate, or this share
    of the pool's time. watch: seconds that a canary is watched at least, and at most. cool_down: seconds between two
    changes.
    """

    mode: Mode
    kv_bytes: float
    token: float
    pair: float
    price: float
    tiers: tuple[TierPolicy, ...]
    variant: str
    currency: str = "USD"
    restart: float = 120.0
    spare: bool = True
    in_place: bool = False
    prefix_aware: bool = True
    prompt_only: bool = True
    block: int = 16
    wait: float = 1.0
    usable: float = 0.7
    evidence: float = EVIDENCE
    pay_back: float = 24 * 3600.0
    least_hit: float = 0.02
    least_work: float = 0.03
    watch: tuple[float, float] = WATCH
    cool_down: float = COOL_DOWN


# --- signals ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Bytes per second of one replica while others load too; latency: seconds before the first byte (4 ms for host
    memory on the H200). age: seconds since it was measured. source: measured (engine counters), probe, assumed."""

    load: float
    store: float
    latency: float = 0.004
    source: str = "measured"
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class Window:
    """What some replicas did in `seconds`: prompt tokens, by where their KV came from, seconds of loading, requests and
    the sum of their TTFT, failed requests."""

    seconds: float
    prompt: float
    computed: float
    device: float = 0.0
    loaded: float = 0.0
    load_seconds: float = 0.0
    requests: float = 0.0
    ttft_sum: float = 0.0
    errors: float = 0.0


@dataclass(frozen=True, slots=True)
class Placed:
    """One tier of a configuration."""

    kind: Kind
    bytes: int
    claim: str | None = None
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """Tiers of an engine. chunk: tokens that are loaded or stored together; what is shorter is computed."""

    tiers: tuple[Placed, ...] = ()
    chunk: int = 256
    prompt_only: bool = True

    def bytes_of(self, kind: str) -> int:
        return next((tier.bytes for tier in self.tiers if tier.kind == kind), 0)


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known of a pool at one tick.

    window: seconds that the faded sums below stand for. replica, pool: Sketch as JSON. device_hits, wanted: prompt
    tokens found on devices, and looked up at all. requests, replicas: of the pool. standing: what the engines have;
    canaried: the standing tiers are on one replica only. rolling: a roll-out is under way. short: replicas of the
    canary's variant that are to serve beside it and do not.
    canary, control: what the replica with the tiers and the others did since the canary was ready (control: since
    before everything, where all have the tiers); None: not ready. blind: why there is nothing to go by, "" when there
    is. one_hit: share of blocks that were stored once only. faults: what is wrong with a tier, by its kind.
    store: the page of who owns the pool's folder on a volume, None where nobody answers. classes: what each class
    stores, and what of it comes again.
    """

    window: float
    replica: Mapping[str, Any]
    pool: Mapping[str, Any]
    device_hits: float
    wanted: float
    requests: float
    replicas: float
    bandwidths: Mapping[str, Bandwidth]
    standing: Configuration
    canaried: bool = False
    rolling: bool = False
    short: float = 0.0
    canary: Window | None = None
    control: Window | None = None
    blind: str = ""
    one_hit: float | None = None
    faults: Mapping[str, Fault] = field(default_factory=dict)
    store: StorePage | None = None
    classes: Mapping[str, ClassUse] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proof:
    """What the last trial showed. without, with_: what replicas did without and with the tiers; expected: GPU-seconds
    per 1,000 prompt tokens that they should have saved; each: seconds of computing a token that they load."""

    at: float
    kept: bool
    configuration: Configuration
    without: Window | None
    with_: Window | None
    expected: float = 0.0
    each: float = 0.0


@dataclass(frozen=True, slots=True)
class State:
    """What one tick leaves for the next. since: of the phase. changed_at: last time that engines were restarted for
    tiers. trial: what is being tried, expected: GPU-seconds per 1,000 prompt tokens that it should save. before: what
    the pool did before a change without a canary. previous: what stood before the trial, and stands again
    when it fails. warm_at: from when on a canary is compared (before, its tiers were filling). refused: kinds of tiers
    → until when they are not tried again; failures: how many trials in a row failed.
    agreed: ticks in a row that found the same better configuration. proof: of the last trial that ended. slow: kinds of
    tiers that load slower than they compute. faulty: kinds of tiers that something is wrong with → since when."""

    at: float | None = None
    phase: Phase = "learning"
    since: float = 0.0
    changed_at: float | None = None
    trial: Configuration | None = None
    previous: Configuration | None = None
    expected: float = 0.0
    each: float = 0.0
    before: Window | None = None
    ready_at: float | None = None
    warm_at: float | None = None
    refused: Mapping[str, float] = field(default_factory=dict)
    failures: int = 0
    candidate: str = ""
    agreed: int = 0
    proof: Proof | None = None
    slow: tuple[str, ...] = ()
    faulty: Mapping[str, float] = field(default_factory=dict)


# --- the decision ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gain:
    """Against no tier at all. gpu_seconds: saved per hour, what storing takes subtracted. cost: money per hour for
    memory and storage. net: money per hour. ttft: seconds that a request waits less on average. hit_rate: 0..1. each:
    seconds of computing a token that is loaded, 0 where none is. computing: GPU-seconds per hour that computing all
    that is loaded would take. sure: `net` where that takes less by what it is not known to."""

    hit_rate: float
    gpu_seconds: float
    ttft: float
    cost: float
    net: float
    each: float = 0.0
    computing: float = 0.0
    sure: float = 0.0


@dataclass(frozen=True, slots=True)
class Option:
    """A configuration that was looked at, and what it is expected to bring."""

    configuration: Configuration
    gain: Gain


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that the decision rests on. state: known | unknown."""

    name: str
    tier: str
    state: str
    value: float | None
    age: float | None
    unit: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Clamp:
    """A rule that kept the decision from what it would have been."""

    rule: str
    before: str
    after: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided at `at`. plan: what the engines are to have (canary: on one replica only)."""

    at: float
    verb: Verb
    plan: Configuration
    canary: bool
    before: Configuration
    binding: str
    sentence: str
    gain: Gain
    inputs: tuple[Input, ...]
    options: tuple[Option, ...]
    clamps: tuple[Clamp, ...]
    state: State
    advice: tuple[str, ...] = ()
