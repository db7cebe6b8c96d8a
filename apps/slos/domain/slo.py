"""The `SLO` document: what a pool promises, as thresholds that a fraction of requests or tokens must keep."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from apps.core.domain.documents import Name, Spec
from apps.core.domain.units import Duration, Fraction, format_duration

Metric = Literal["ttft", "e2e", "tpot", "itl"]
_LONGEST_WINDOW = timedelta(days=400)


class TargetRef(Spec):
    """Whose promise it is."""

    kind: Literal["Pool"] = "Pool"
    name: Name


class Objective(Spec):
    """`fraction` of requests (ttft, e2e, tpot) or tokens (itl) within `threshold`, over `window`."""

    metric: Metric
    threshold: Duration
    fraction: Fraction
    window: Duration = timedelta(days=28)

    @field_validator("threshold")
    @classmethod
    def _positive(cls, value: timedelta) -> timedelta:
        if value <= timedelta(0):
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


class SLOSpec(Spec):
    """Objectives of one pool. `measured_at`: `gateway` is what clients see, `engine` what the engines report."""

    target_ref: TargetRef
    measured_at: Literal["gateway", "engine"] = "engine"
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1, max_length=16)]

    @model_validator(mode="after")
    def _each_once(self) -> SLOSpec:
        seen = set()
        for objective in self.objectives:
            key = (objective.metric, objective.threshold, objective.window)
            if key in seen:
                raise ValueError(
                    f"objectives names {objective.metric} {format_duration(objective.threshold)} over "
                    f"{format_duration(objective.window)} twice: one threshold has one fraction in a window"
                )
            seen.add(key)
        return self
