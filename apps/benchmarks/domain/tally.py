"""What a load has measured so far, in bounded memory: counts, quantiles, promises kept, and how it went over time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.benchmarks.domain.digest import Digest
from apps.benchmarks.domain.outcomes import SHED, Outcome

__all__ = ["Promise", "Tally", "code_of"]

SLICES = 120
_MOST_CODES = 16
_STATUS = re.compile(r"HTTP (\d{3})")
_OTHER = "other"


@dataclass(frozen=True)
class Promise:
    """An objective of the pool's SLOs at the start. `threshold`: seconds, None for `errors`; `fraction`: 0..1."""

    slo: str
    key: str
    metric: str
    threshold: float | None
    fraction: float

    def to_json(self) -> dict[str, Any]:
        return {"slo": self.slo, "key": self.key, "metric": self.metric, "threshold": self.threshold,
                "fraction": self.fraction}  # fmt: skip

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Promise:
        return cls(value["slo"], value["key"], value["metric"], value["threshold"], value["fraction"])


def code_of(error: str) -> str:
    """The kind of a failure: its HTTP status, `timeout`, `connect`, `shed` (by us), `cut`."""
    if error == SHED:
        return "shed"
    if found := _STATUS.match(error):
        return found[1]
    if error.startswith("no whole answer"):
        return "timeout"
    return "connect" if error.startswith("cannot connect") else "cut"


class _Slice:
    def __init__(self) -> None:
        self.sent = self.ok = self.failed = 0
        self.ttft, self.itl = Digest(), Digest()

    def to_json(self, at: float) -> dict[str, Any]:
        return {"at": round(at, 3), "sent": self.sent, "ok": self.ok, "failed": self.failed,
                "ttftP50": _rounded(self.ttft.quantile(0.5)), "ttftP95": _rounded(self.ttft.quantile(0.95)),
                "itlP95": _rounded(self.itl.quantile(0.95))}  # fmt: skip


class Tally:
    """`sent` each request as it is sent, `ended` each outcome, once. `seconds`: how long requests are sent.

    Latencies are of whole answers only: what failed is counted as failed and never as fast. A request belongs to the
    slice of time in which it was sent.
    """

    def __init__(self, promises: Sequence[Promise], seconds: float) -> None:
        self.promises = promises
        self._width = max(1.0, seconds / SLICES)
        self._slices: dict[int, _Slice] = {}
        self._kept: list[list[int]] = [[0, 0] for _ in promises]
        self._errors: dict[str, list[Any]] = {}
        self._ttft, self._itl, self._tpot, self._e2e, self._late = (Digest() for _ in range(5))
        self._sent = self._ok = self._failed = self._shed = 0
        self._prompt = self._output = 0
        self._cached: int | None = None

    def sent(self, at: float) -> None:
        self._sent += 1
        self._slice(at).sent += 1

    def ended(self, outcome: Outcome) -> None:
        if outcome.error == SHED:
            self._shed += 1
            self._note(outcome.error)
            return
        self._late.add(max(0.0, outcome.sent_at - outcome.planned_at))
        part = self._slice(outcome.sent_at)
        if outcome.error is not None:
            self._failed += 1
            part.failed += 1
            self._note(outcome.error)
        else:
            self._ok += 1
            part.ok += 1
            self._measure(outcome, part)
        self._judge(outcome)

    def to_json(self, at: float, *, over: bool = False) -> dict[str, Any]:
        """As the API shows it, `at` seconds after the start; `over`: nobody waits for what is unanswered any more.
        Rates are per second of that time; unknown is null."""
        unanswered = max(0, self._sent - self._ok - self._failed)
        return {
            "seconds": round(at, 3),
            "sent": self._sent,
            "ok": self._ok,
            "failed": self._failed,
            "shed": self._shed,
            "inFlight": 0 if over else unanswered,
            "cutOff": unanswered if over else 0,
            "errors": [
                {"code": code, "count": count, "message": message} for code, (count, message) in self._errors.items()
            ],
            "sentRate": round(self._sent / at, 3) if at > 0 else None,
            "okRate": round(self._ok / at, 3) if at > 0 else None,
            "outputTokenRate": round(self._output / at, 1) if at > 0 else None,
            "promptTokens": self._prompt,
            "outputTokens": self._output,
            "cachedTokens": self._cached,
            "ttft": self._ttft.to_json(),
            "itl": self._itl.to_json(),
            "tpot": self._tpot.to_json(),
            "e2e": self._e2e.to_json(),
            "late": self._late.to_json(),
            "objectives": [
                {**promise.to_json(), "good": good, "total": total, "share": round(good / total, 6) if total else None,
                 "verdict": _verdict(good, total, promise.fraction)}
                for promise, (good, total) in zip(self.promises, self._kept, strict=True)
            ],
            "sliceSeconds": self._width,
            "slices": [self._slices[n].to_json(n * self._width) for n in sorted(self._slices)],
        }  # fmt: skip

    def _slice(self, at: float) -> _Slice:
        return self._slices.setdefault(min(int(at / self._width), SLICES - 1), _Slice())

    def _note(self, error: str) -> None:
        code = code_of(error)
        if code not in self._errors and len(self._errors) >= _MOST_CODES:
            code = _OTHER
        self._errors.setdefault(code, [0, error])[0] += 1

    def _measure(self, outcome: Outcome, part: _Slice) -> None:
        self._prompt += outcome.prompt_tokens
        self._output += outcome.output_tokens
        if outcome.cached_tokens is not None:
            self._cached = (self._cached or 0) + outcome.cached_tokens
        if (ttft := outcome.ttft) is not None:
            self._ttft.add(ttft)
            part.ttft.add(ttft)
        for gap in outcome.itl:
            self._itl.add(max(0.0, gap))
            part.itl.add(max(0.0, gap))
        if (tpot := outcome.tpot) is not None:
            self._tpot.add(tpot)
        if (e2e := outcome.e2e) is not None:
            self._e2e.add(e2e)

    def _judge(self, outcome: Outcome) -> None:
        whole = outcome.error is None
        for promise, kept in zip(self.promises, self._kept, strict=True):
            if promise.metric == "errors":
                kept[0] += whole
                kept[1] += 1
                continue
            if not whole or promise.threshold is None:
                continue
            if promise.metric == "itl":
                values = outcome.itl
            else:
                one = {"ttft": outcome.ttft, "tpot": outcome.tpot, "e2e": outcome.e2e}[promise.metric]
                values = [] if one is None else [one]
            kept[0] += sum(value <= promise.threshold for value in values)
            kept[1] += len(values)


def _verdict(good: int, total: int, fraction: float) -> str:
    if not total:
        return "unknown"
    return "met" if good / total >= fraction else "missed"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
