"""Probes as a state machine: when to ask, and what a row of answers means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

ProbeKind = Literal["startup", "liveness", "readiness"]


@dataclass(frozen=True)
class ProbeSpec:
    """Seconds and thresholds of one probe, with Kubernetes' defaults."""

    initial_delay: float
    period: float
    timeout: float
    success_threshold: int
    failure_threshold: int

    @classmethod
    def read(cls, probe: Mapping[str, Any]) -> ProbeSpec:
        return cls(
            initial_delay=probe.get("initialDelaySeconds", 0),
            period=max(1, probe.get("periodSeconds", 10)),
            timeout=max(1, probe.get("timeoutSeconds", 1)),
            success_threshold=max(1, probe.get("successThreshold", 1)),
            failure_threshold=max(1, probe.get("failureThreshold", 3)),
        )


@dataclass(frozen=True)
class ProbeState:
    """``ok`` is the verdict so far; ``in_row`` counts equal answers in a row."""

    ok: bool
    last: bool | None = None
    in_row: int = 0

    @classmethod
    def initial(cls, kind: ProbeKind) -> ProbeState:
        """A container is alive, not started and not ready until its probes say otherwise."""
        return cls(ok=kind == "liveness")

    def answered(self, success: bool, spec: ProbeSpec) -> ProbeState:
        """The state after one more answer: it changes only after a threshold of equal answers in a row."""
        in_row = self.in_row + 1 if self.last == success else 1
        threshold = spec.success_threshold if success else spec.failure_threshold
        ok = success if in_row >= threshold else self.ok
        return replace(self, ok=ok, last=success, in_row=in_row)

    def has_failed(self, spec: ProbeSpec) -> bool:
        """Liveness and startup: the container must be killed now."""
        return self.last is False and self.in_row >= spec.failure_threshold
