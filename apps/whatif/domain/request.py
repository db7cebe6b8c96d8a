"""The body of POST …/simulate."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from apps.core.domain.documents import Name, Spec
from apps.core.domain.units import Duration, HourlyPrice, MoneyRate

MOST_BYTES = 16 * 2**20
MOST_REQUESTS = 200_000
LONGEST = 24 * 3600.0


class History(Spec):
    """Arrivals drawn from the pool's own signals of the last hours."""

    kind: Literal["history"]
    hours: Annotated[float, Field(ge=0.05, le=24)] = 1.0


class Trace(Spec):
    """Arrivals of a file."""

    kind: Literal["trace"]
    format: Literal["mooncake", "azure"]
    content: Annotated[str, StringConstraints(min_length=1)]


class Lamplight(Spec):
    """The production policy; `autoscaling` overrides fields of the pool's own."""

    kind: Literal["lamplight"]
    autoscaling: dict[str, Any] = {}

    @property
    def title(self) -> str:
        return "lamplight" + (f" ({', '.join(sorted(self.autoscaling))} changed)" if self.autoscaling else "")


class Static(Spec):
    """So many replicas of the first variant, always."""

    kind: Literal["static"]
    replicas: Annotated[int, Field(ge=0, le=1000)]

    @property
    def title(self) -> str:
        return f"static {self.replicas}"


class HpaPolicy(Spec):
    """A Kubernetes HPA on one metric of the engines."""

    kind: Literal["hpa"]
    metric: Literal["queue", "running", "kv"]
    target: Annotated[float, Field(gt=0, le=1_000_000)]

    @property
    def title(self) -> str:
        return f"hpa {self.metric} {self.target:g}"


Policy = Annotated[Lamplight | Static | HpaPolicy, Field(discriminator="kind")]


class Slo(Spec):
    """What a request needs, and how many must have it."""

    ttft: Duration = timedelta(seconds=2)
    tpot: Duration = timedelta(milliseconds=100)
    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.95


class Start(Spec):
    """Start-up of a variant's replicas."""

    p50: Duration
    p90: Duration

    @model_validator(mode="after")
    def _ordered(self) -> Start:
        if not timedelta(0) < self.p50 <= self.p90:
            raise ValueError("a start-up needs 0 < p50 <= p90")
        return self


class SimulateBody(Spec):
    """Everything that may be asked; {} is the last hour as declared."""

    label: Annotated[str, StringConstraints(max_length=200)] = ""
    source: Annotated[History | Trace, Field(discriminator="kind")] = History(kind="history")
    policies: Annotated[tuple[Policy, ...], Field(min_length=1, max_length=8)] = (Lamplight(kind="lamplight"),)
    slo: Slo | None = None
    startup: Annotated[dict[Name, Start], Field(max_length=16)] = {}
    price: Annotated[dict[Name, MoneyRate], Field(max_length=16)] = {}
    scale: Annotated[float, Field(ge=0.01, le=100)] = 1.0
    initial: Annotated[dict[Name, Annotated[int, Field(ge=0, le=1000)]], Field(max_length=16)] = {}
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1


def amount(price: HourlyPrice | None) -> Decimal | None:
    return price.amount if price is not None else None
