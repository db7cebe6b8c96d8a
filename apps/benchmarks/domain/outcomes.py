"""What came of each request, and what that says of the server: as the client saw it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

QUANTILES = (50, 90, 95, 99)


@dataclass(slots=True)
class Outcome:
    """One request. Times are seconds after the start of the run; `error` is None for a whole answer.

    `token_times`: when each event with tokens was seen. `output_tokens`: the server's count where it gave one.
    """

    planned_at: float
    sent_at: float
    prompt_tokens: int
    error: str | None = None
    ended_at: float | None = None
    token_times: list[float] = field(default_factory=list)
    output_tokens: int = 0
    cached_tokens: int | None = None

    @property
    def ttft(self) -> float | None:
        return self.token_times[0] - self.sent_at if self.token_times else None

    @property
    def e2e(self) -> float | None:
        return None if self.ended_at is None else self.ended_at - self.sent_at

    @property
    def tpot(self) -> float | None:
        """Mean time per output token after the first; None for fewer than two tokens."""
        if not self.token_times or self.output_tokens < 2:
            return None
        return (self.token_times[-1] - self.token_times[0]) / (self.output_tokens - 1)

    @property
    def itl(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.token_times)]


@dataclass(frozen=True, slots=True)
class Distribution:
    """Seconds. `count` values."""

    count: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Report:
    """`lateness`: how much later than planned requests were sent; when it is large the client was the bottleneck."""

    duration: float
    requests: int
    succeeded: int
    errors: dict[str, int]
    request_rate: float
    output_token_rate: float
    prompt_tokens: int
    output_tokens: int
    cached_tokens: int | None
    ttft: Distribution | None
    tpot: Distribution | None
    itl: Distribution | None
    e2e: Distribution | None
    lateness: Distribution | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def distribution(values: Sequence[float]) -> Distribution | None:
    """Mean, quantiles (linear interpolation) and maximum; None for no values."""
    if not values:
        return None
    array = np.asarray(values)
    p50, p90, p95, p99 = (float(value) for value in np.percentile(array, QUANTILES))
    return Distribution(len(values), float(array.mean()), p50, p90, p95, p99, float(array.max()))


def report(outcomes: Sequence[Outcome], duration: float) -> Report:
    """The report of a run that took `duration` seconds. Latencies are those of whole answers; the rest are errors."""
    whole = [outcome for outcome in outcomes if outcome.error is None]
    output_tokens = sum(outcome.output_tokens for outcome in whole)
    cached = [outcome.cached_tokens for outcome in whole if outcome.cached_tokens is not None]
    sent = [outcome for outcome in outcomes if outcome.error != SHED]
    return Report(
        duration=duration,
        requests=len(outcomes),
        succeeded=len(whole),
        errors=dict(Counter(outcome.error for outcome in outcomes if outcome.error is not None).most_common()),
        request_rate=len(whole) / duration if duration else 0.0,
        output_token_rate=output_tokens / duration if duration else 0.0,
        prompt_tokens=sum(outcome.prompt_tokens for outcome in whole),
        output_tokens=output_tokens,
        cached_tokens=sum(cached) if cached else None,
        ttft=distribution([value for outcome in whole if (value := outcome.ttft) is not None]),
        tpot=distribution([value for outcome in whole if (value := outcome.tpot) is not None]),
        itl=distribution([value for outcome in whole for value in outcome.itl]),
        e2e=distribution([value for outcome in whole if (value := outcome.e2e) is not None]),
        lateness=distribution([outcome.sent_at - outcome.planned_at for outcome in sent]),
    )


SHED = "shed by the client: too many requests in flight"
