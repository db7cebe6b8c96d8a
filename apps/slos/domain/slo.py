"""The `SLO` document: what a pool or an endpoint promises, as thresholds that a fraction of requests or tokens keep."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from apps.core.domain.documents import Name, Spec
from apps.core.domain.units import Duration, Fraction, format_duration
from apps.slos.domain.words import duration_in_words, fraction_in_words
from apps.telemetry.domain.classes import TrafficClass

__all__ = ["Metric", "Objective", "SLOSpec", "Source", "TargetRef", "Traffic"]

Metric = Literal["ttft", "e2e", "tpot", "itl", "errors"]
Source = Literal["gateway", "engine"]
_LONGEST_WINDOW = timedelta(days=400)
_SPOKEN: Mapping[Metric, str] = {"ttft": "TTFT", "e2e": "E2E latency", "tpot": "TPOT", "itl": "ITL"}


class TargetRef(Spec):
    """Whose promise it is."""

    kind: Literal["Pool", "Endpoint"] = "Pool"
    name: Name


class Objective(Spec):
    """`fraction` of what is counted is good, over `window`.

    ttft (time to first token), e2e (whole request) and tpot (mean time between the tokens of a request) count
    requests, itl counts the times between tokens; each is good within `threshold`. errors counts requests, good unless
    they were shed, failed or timed out, and has no threshold.
    """

    metric: Metric
    threshold: Duration | None = None
    fraction: Fraction
    window: Duration = timedelta(days=28)

    @field_validator("threshold")
    @classmethod
    def _positive(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and value <= timedelta(0):
            raise ValueError("a threshold is longer than zero, as 500ms")
        return value

    @field_validator("fraction")
    @classmethod
    def _leaves_a_budget(cls, value: Decimal) -> Decimal:
        if not 0 < value < 1:
            raise ValueError("a fraction is more than 0% and less than 100%: 100% leaves no error budget")
        return value

    @field_validator("window")
    @classmethod
    def _bounded(cls, value: timedelta) -> timedelta:
        if not timedelta(minutes=5) <= value <= _LONGEST_WINDOW:
            raise ValueError(f"a window is from 5m to 400d, not {format_duration(value)}")
        return value

    @model_validator(mode="after")
    def _threshold_where_it_means_something(self) -> Objective:
        if self.metric == "errors" and self.threshold is not None:
            raise ValueError("errors has no threshold: fraction says how many requests must succeed; leave it out")
        if self.metric != "errors" and self.threshold is None:
            raise ValueError(f"{self.metric} needs a threshold, as 500ms")
        return self

    @property
    def key(self) -> str:
        """How the objective is named within its SLO: `ttft-500ms-28d`, `errors-28d`."""
        return "-".join((*self.promise, format_duration(self.window)))

    @property
    def promise(self) -> tuple[str, ...]:
        return (self.metric,) if self.threshold is None else (self.metric, format_duration(self.threshold))

    @property
    def seconds(self) -> float | None:
        """The threshold in seconds."""
        return None if self.threshold is None else self.threshold.total_seconds()

    def sentence(self, traffic: Traffic | None = None) -> str:
        """What is promised: "95 % of requests have TTFT within 500 ms over 28 d"; with `traffic` also to whom: "95 % of
        requests of tenant acme have E2E latency within 5 s over 28 d"."""
        whose = "" if traffic is None else f" of {traffic.sentence()}"
        who = f"{fraction_in_words(self.fraction)} of {'tokens' if self.metric == 'itl' else 'requests'}{whose}"
        if self.threshold is None:
            kept = "are served without error"
        else:
            kept = f"have {_SPOKEN[self.metric]} within {duration_in_words(self.threshold)}"
        return f"{who} {kept} over {duration_in_words(self.window)}"


class Traffic(Spec):
    """Whose requests count: those of a tenant (llm-d's fairness id), of a priority, or of both."""

    tenant: Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[^\s,=@:\"\\\\]+$")] | None = None
    priority: Annotated[int, Field(ge=-2147483648, le=2147483647)] | None = None

    @model_validator(mode="after")
    def _says_whose(self) -> Traffic:
        if self.tenant is None and self.priority is None:
            raise ValueError("traffic names a tenant, a priority, or both; leave it out for all requests")
        return self

    @property
    def requests(self) -> TrafficClass:
        return TrafficClass(self.tenant, self.priority)

    def sentence(self) -> str:
        """Who it is, as a part of a sentence: "tenant acme at priority 10"."""
        tenant = "" if self.tenant is None else f"tenant {self.tenant}"
        priority = "" if self.priority is None else f"priority {self.priority}"
        return " at ".join(part for part in (tenant, priority) if part)


# what llm-d's router measures by tenant and priority
_BY_CLASS = ("e2e", "errors")


class SLOSpec(Spec):
    """Objectives of one pool or endpoint. `measured_at`: `gateway` is what clients see, `engine` what engines report.

    Left out it is the gateway where the pool has an endpoint picker, else the engines. An endpoint is measured at the
    gateways of all pools that it names, together. `traffic`: whose requests count, all where it is left out.
    """

    target_ref: TargetRef
    measured_at: Source | None = None
    traffic: Traffic | None = None
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1, max_length=16)]

    @property
    def traffic_key(self) -> str:
        """How signals and ledger name the traffic class; empty for all requests."""
        return "" if self.traffic is None else self.traffic.requests.key

    @model_validator(mode="after")
    def _endpoints_have_gateways(self) -> SLOSpec:
        if self.target_ref.kind == "Endpoint" and self.measured_at == "engine":
            raise ValueError(
                "an Endpoint is measured at the gateways of its pools: leave measuredAt out, or give each pool an SLO"
            )
        return self

    @model_validator(mode="after")
    def _traffic_is_measured(self) -> SLOSpec:
        if self.traffic is None:
            return self
        if self.measured_at == "engine":
            raise ValueError("traffic is told apart at the gateway only: leave measuredAt out, or traffic")
        for objective in self.objectives:
            if objective.metric not in _BY_CLASS:
                raise ValueError(
                    f"the gateway measures {objective.metric} of all requests together: an SLO with traffic promises "
                    f"{' or '.join(_BY_CLASS)}"
                )
        return self

    @model_validator(mode="after")
    def _each_once(self) -> SLOSpec:
        seen = set()
        for objective in self.objectives:
            if objective.key in seen:
                raise ValueError(
                    f"objectives names {' '.join(objective.promise)} over {format_duration(objective.window)} twice: "
                    "one threshold has one fraction in a window"
                )
            seen.add(objective.key)
        return self
