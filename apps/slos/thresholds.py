"""The objectives of a pool as lines across its latency charts."""

from __future__ import annotations

from apps.slos.domain.words import duration_in_words
from apps.slos.selectors import slos_of_pool
from apps.telemetry.domain.charts import Threshold

__all__ = ["objective_lines"]


def objective_lines(team: str, pool: str, family: str) -> list[Threshold]:
    """One line for each threshold on this latency family; equal ones of several SLOs are one line."""
    lines: dict[float, str] = {}
    for _, spec in slos_of_pool(team, pool):
        if spec.traffic is not None:
            # the chart is of all requests
            continue
        for objective in spec.objectives:
            if objective.metric == family and objective.threshold is not None:
                seconds = objective.threshold.total_seconds()
                share = f"{objective.fraction * 100:f}".rstrip("0").rstrip(".")
                label = f"SLO {share} % ≤ {duration_in_words(objective.threshold)}"
                lines[seconds] = f"{lines[seconds]}; {label}" if seconds in lines and lines[seconds] != label else label
    return [Threshold(label, seconds) for seconds, label in lines.items()]
