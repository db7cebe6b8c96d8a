"""What a change does to the accelerators that a pool asks for, and to what they cost per hour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from apps.core.domain.units import HourlyPrice


@dataclass(frozen=True)
class Demand:
    """What one variant asks for: `per_replica` accelerators times `replicas`. `counted`: False for plain CPU."""

    variant: str
    accelerator: str
    per_replica: int
    replicas: int
    counted: bool = True

    @property
    def accelerators(self) -> int:
        return self.per_replica * self.replicas if self.counted else 0


@dataclass(frozen=True)
class Delta:
    """A number before and after."""

    before: Decimal
    after: Decimal

    @property
    def change(self) -> Decimal:
        return self.after - self.before

    def to_json(self) -> dict[str, float]:
        return {"before": float(self.before), "after": float(self.after), "delta": float(self.change)}


@dataclass(frozen=True)
class CostDelta:
    """`accelerators` by name; `cost` by currency, per hour; `unpriced`: accelerators whose price is not known."""

    accelerators: Mapping[str, Delta]
    cost: Mapping[str, Delta]
    unpriced: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "accelerators": [{"accelerator": name, **delta.to_json()} for name, delta in self.accelerators.items()],
            "cost": [{"currency": name, "per": "h", **delta.to_json()} for name, delta in self.cost.items()],
            "unpriced": list(self.unpriced),
        }


def cost_delta(before: Iterable[Demand], after: Iterable[Demand], prices: Mapping[str, HourlyPrice]) -> CostDelta:
    """Compare two demands. `prices`: of one accelerator; one without a price is left out of the cost and named."""
    was, becomes = _counts(before), _counts(after)
    names = sorted(was.keys() | becomes.keys())
    accelerators = {name: Delta(Decimal(was.get(name, 0)), Decimal(becomes.get(name, 0))) for name in names}
    cost: dict[str, Delta] = {}
    for name, delta in accelerators.items():
        price = prices.get(name)
        if price is not None:
            held = cost.get(price.currency, Delta(Decimal(0), Decimal(0)))
            cost[price.currency] = Delta(
                held.before + delta.before * price.amount, held.after + delta.after * price.amount
            )
    asked = [name for name, delta in accelerators.items() if delta.before or delta.after]
    return CostDelta(accelerators, dict(sorted(cost.items())), tuple(name for name in asked if name not in prices))


def _counts(demands: Iterable[Demand]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for demand in demands:
        if demand.counted:
            counts[demand.accelerator] = counts.get(demand.accelerator, 0) + demand.accelerators
    return counts
