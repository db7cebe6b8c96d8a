"""What the model expects of the chosen number of replicas, of one fewer and of one more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import clipped, rows_of
from apps.autoscaling.domain.demand import WEIGHTS
from apps.autoscaling.domain.draft import Need
from apps.autoscaling.domain.grid import look_up, look_up_all
from apps.autoscaling.domain.types import Counterfactual, record

__all__ = ["Views", "counterfactuals", "of"]

Floats = NDArray[np.float64]
Numbers = list[list[float]]
_STEPS = np.array([-1.0, 0.0, 1.0])
_Z95 = 1.645


@record
class Views:
    """By group, for one fewer, the same, and one more replica; most: the load that one can reach."""

    replicas: Numbers
    missing: Numbers
    ttft: Numbers
    tpot: Numbers
    load: Numbers
    most: list[float]


def of(need: Need, totals: Floats) -> Views:
    """`totals`: replicas of each group in units of its first row."""
    replicas = totals[:, None] + _STEPS
    at_least = np.maximum(replicas, 0.5)
    crowding = rows_of(need.crowding)[:, None]
    loads = crowding[:, :, None] * need.points[:, None, :] / at_least[:, :, None]
    share = clipped(look_up(need.miss, loads.reshape(len(loads), -1)).reshape(loads.shape), 0.0, 1.0)
    weighted = WEIGHTS * need.points
    mean = np.add.reduce(weighted, axis=1, keepdims=True)
    missing = np.add.reduce(weighted[:, None, :] * share, axis=2) / np.maximum(mean, 1e-12)
    load = crowding * mean / at_least
    rows = need.rows
    step, wait, busy, scatter = look_up_all(need.curve.means, load, rows)
    tpot = step * np.exp(_Z95 * np.sqrt(np.maximum(scatter, 0.0)))
    busy = clipped(busy, 0.0, 0.999)
    # the longest prompts of 20, and the wait of the unluckiest of 20, do not meet in one request: root of squares
    often = np.maximum(busy, 0.05)
    queue = np.where(busy > 0.05, wait / often * np.log(20.0 * often), 0.0)
    own = need.long_prompt[:, None] / (1 - np.minimum(busy, 0.9))
    ttft = 1.5 * step + np.sqrt(own * own + np.maximum(queue, 0.0) ** 2)
    return Views(*[table.tolist() for table in (replicas, missing, ttft, tpot, load, need.curve.most[rows])])


def counterfactuals(views: Views, group: int, price: float) -> tuple[Counterfactual, ...]:
    """Of one group; none for no replicas at all. Where load is above what replicas can do, no latency is told: it grows
    for as long as that lasts. So it is where most requests miss."""
    found, most = [], min(views.most[group], 1.0)
    for count, missing, ttft, tpot, load in zip(
        views.replicas[group],
        views.missing[group],
        views.ttft[group],
        views.tpot[group],
        views.load[group],
        strict=True,
    ):
        if count < 0.5:
            continue
        swamped = load > most or missing > 0.5
        found.append(
            Counterfactual(
                round(count), 1 - missing, None if swamped else ttft, None if swamped else tpot, price * round(count)
            )
        )
    return tuple(found)
