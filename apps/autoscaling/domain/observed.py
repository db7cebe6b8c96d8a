"""The signals of a pool from the rows that telemetry stored since the last tick. A key that is missing is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from apps.autoscaling.domain.types import (
    Distribution,
    Known,
    Observed,
    Pending,
    Replicas,
    Sample,
    Signals,
    Unknown,
    VariantSignals,
)
from apps.telemetry.domain.signals import Signals as Row
from apps.telemetry.domain.signals import merge

__all__ = ["BYTES_PER_TOKEN", "signals_from", "variant_signals"]

# of a request's body bytes at the gateway, per prompt token
BYTES_PER_TOKEN = 4.0


def signals_from(
    rows: Mapping[str, Sequence[Row]],
    *,
    now: float,
    desired: Mapping[str, int],
    asleep: Mapping[str, int],
    pending: Mapping[str, Sequence[Pending]],
    startups: Mapping[str, Sequence[float]],
    rollout: bool,
    tick: float,
) -> Signals:
    """`rows`: by variant ("" for the pool), those since the last tick, perhaps none. `desired`, `asleep`: targets that
    stand."""
    variants = tuple(
        variant_signals(
            name,
            rows.get(name, ()),
            now,
            (desired[name], asleep.get(name, 0)),
            tuple(pending.get(name, ())),
            startups.get(name, ()),
        )
        for name in desired
    )
    mine = rows.get("", ())
    if not mine:
        return Signals(tick, variants, rollout=rollout)
    row = merge(mine)
    age = max(0.0, now - row.at)
    queue_bytes = row.gauges.get("gateway.queue_bytes")
    return Signals(
        seconds=max(row.seconds, 1.0),
        variants=variants,
        arrived=_count(row, "gateway.requests", age),
        shed=_count(row, "gateway.error:429", age),
        queued=_last(mine, "gateway.queue", age),
        queued_tokens=Known(queue_bytes / BYTES_PER_TOKEN, age) if queue_bytes is not None else Unknown(_why(row)),
        ttft=_distribution(row, "gateway.ttft", age),
        tpot=_distribution(row, "gateway.tpot", age),
        e2e=_distribution(row, "gateway.e2e", age),
        rollout=rollout,
    )


def variant_signals(
    name: str,
    rows: Sequence[Row],
    now: float,
    targets: tuple[int, int],
    pending: tuple[Pending, ...],
    startups: Sequence[float],
) -> VariantSignals:
    """One variant. Engines that could not be read are taken to do what those that could do on average. `targets`:
    replicas that are to serve, and to sleep beside them: those on their way to sleep count as asleep."""
    desired, asleep = targets
    if not rows:
        return VariantSignals(name, Replicas(desired, 0, pending, asleep=asleep), startups=tuple(startups))
    row = merge(rows)
    age = max(0.0, now - row.at)
    states = row.replicas
    replicas = Replicas(
        desired,
        max(int(states.get("ready", 0)) - int(states.get("asleep", 0)), 0),
        pending,
        int(states.get("terminating", 0)),
        asleep,
    )
    scale = row.targets / row.scraped if row.scraped else 1.0

    def count(key: str) -> Sample:
        return _count(row, key, age, scale)

    return VariantSignals(
        name=name,
        replicas=replicas,
        finished=count("requests"),
        prompt_tokens=count("prompt_tokens"),
        cached_tokens=count("cached_tokens"),
        generated_tokens=count("generation_tokens"),
        steps=count("steps"),
        running=_last(rows, "running", age, scale),
        waiting=_last(rows, "waiting", age, scale),
        kv_usage=_last(rows, "kv_mean", age),
        preemptions=count("preemptions"),
        prompt_lengths=_distribution(row, "prompt_length", age),
        output_lengths=_distribution(row, "generation_length", age),
        ttft=_distribution(row, "ttft", age),
        tpot=_distribution(row, "tpot", age),
        itl=_distribution(row, "itl", age),
        e2e=_distribution(row, "e2e", age),
        startups=tuple(startups),
    )


def _why(row: Row) -> str:
    return row.reason or "Not measured."


def _count(row: Row, key: str, age: float, scale: float = 1.0) -> Sample:
    return Known(row.counts[key] * scale, age) if key in row.counts else Unknown(_why(row))


def _last(rows: Sequence[Row], key: str, age: float, scale: float = 1.0) -> Sample:
    """A gauge is what it was at the end, not its mean."""
    newest = max(rows, key=lambda row: row.at)
    return Known(newest.gauges[key] * scale, age) if key in newest.gauges else Unknown(_why(newest))


def _distribution(row: Row, family: str, age: float) -> Observed:
    found = row.histograms.get(family)
    if found is None or not found.counts:
        return Unknown(_why(row))
    return Distribution(found, row.counts.get(f"{family}_sum"), age)
