"""A decision for people: what it rests on, and one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from apps.autoscaling.domain.memory import POOL
from apps.autoscaling.domain.types import (
    Clamp,
    Counterfactual,
    Input,
    Known,
    NoTraffic,
    Policy,
    Proposal,
    Sample,
    Signals,
    Target,
    Verb,
)

__all__ = ["inputs", "sentence"]

_GAIN, _CROWDING = POOL.slices["gain"].start, POOL.slices["crowding"].start


def inputs(signals: Signals, carries: float, memory: Sequence[float]) -> tuple[Input, ...]:
    """What the decision rests on: measured values with state and age, and what was learned."""
    found = [
        _input("arrived", "", signals.arrived, "requests"),
        _input("queued", "", signals.queued, "requests"),
    ]
    for variant in signals.variants:
        replicas = variant.replicas
        name = variant.name
        found += [
            _input("finished", name, variant.finished, "requests"),
            _input("running", name, variant.running, "requests"),
            _input("waiting", name, variant.waiting, "requests"),
            _input("kv_usage", name, variant.kv_usage, "1"),
            Input("ready", name, "known", float(replicas.ready), 0.0, "replicas"),
            Input("pending", name, "known", float(len(replicas.pending)), 0.0, "replicas"),
        ]
    found += [
        Input("carries", "", "known", carries, 0.0, "requests/s of a replica"),
        Input("crowding", "", "known", memory[_CROWDING], 0.0, "1"),
        Input("gain", "", "known", memory[_GAIN], 0.0, "1"),
    ]
    return tuple(found)


def _input(name: str, variant: str, sample: Sample, unit: str) -> Input:
    if type(sample) is Known:
        return Input(name, variant, "known", sample.value, sample.age, unit)
    if type(sample) is NoTraffic:
        return Input(name, variant, "no_traffic", None, sample.age, unit)
    return Input(name, variant, "unknown", None, None, unit, sample.reason)  # type: ignore[union-attr]


def sentence(
    *,
    policy: Policy,
    verb: Verb,
    before: Sequence[Target],
    targets: Sequence[Target],
    binding: str,
    clamps: Sequence[Clamp],
    quantiles: Mapping[str, float],
    horizon: float,
    hold: float,
    rate: float,
    counterfactuals: Sequence[Counterfactual],
    proposals: Sequence[Proposal],
    floor: float,
    hopeless: bool,
    allowed: float,
) -> str:
    """Why, in a sentence or two."""
    total, standing = sum(t.replicas for t in targets), sum(t.replicas for t in before)
    moved = _moved(before, targets)
    coming = (
        f"{quantiles['p50']:.3g} requests/s are expected in {horizon:.0f} s "
        f"(90 % sure: at most {quantiles['p90']:.3g}; now {rate:.3g})"
    )
    text = _plain(verb, moved, coming, total, standing, binding, hold, counterfactuals, proposals, targets)
    if clamps:
        last = clamps[-1]
        name = f"{last.variant}: " if last.variant and len(targets) > 1 else ""
        text += f" {last.rule.capitalize()}: {name}{last.before} became {last.after}, since {last.reason}."
    if hopeless:
        text += (
            " Nearly every request misses an objective on an idle replica too, so that no number of replicas meets it: "
            "there are as many as the work and the other objectives need. Promise less, or change the model or the "
            "accelerator."
        )
    elif floor > allowed:
        text += (
            f" {_percent(floor)} of the prompts are so long that they miss the TTFT objective on an idle replica: "
            "more replicas do not help them."
        )
    return text


def _plain(
    verb: Verb,
    moved: str,
    coming: str,
    total: int,
    standing: int,
    binding: str,
    hold: float,
    views: Sequence[Counterfactual],
    proposals: Sequence[Proposal],
    targets: Sequence[Target],
) -> str:
    if verb == "frozen":
        return f"Nothing moves: {_stay(standing)}."
    if verb in ("from-zero", "wake"):
        return f"{'Woken' if verb == 'wake' else 'From zero'}: {moved}, since requests wait; {coming}."
    if verb == "sleep" and not standing:
        return "One engine is made ready and put to sleep, so that the first request is served in about a second."
    if verb in ("zero", "sleep"):
        end = "goes to sleep" if verb == "sleep" else "goes to zero"
        return f"Idle for so long that keeping a replica costs more than starting one: the pool {end} ({moved})."
    if verb == "up":
        why = {"backlog": "what waits has to be worked off, and "}.get(binding, "")
        return f"{moved}: {why}{coming}{_fewer(views, total)}."
    if verb == "down":
        held = f"for {hold:.0f} s no more than {_replicas(total)} have been needed"
        return f"{moved}: {held}; {coming}{_fewer(views, total)}."
    if verb == "mix":
        return f"{moved}: a cheaper mix carries the load; {coming}."
    if binding == "idle":
        asleep = sum(target.asleep for target in targets)
        rest = f"{_replicas(asleep)} asleep until" if asleep else "the pool stays at zero until"
        return f"Idle: {rest} a request comes."
    needed = next((p.replicas for p in proposals if p.rule == "forecast"), total)
    if needed < total and binding == "hold":
        return f"{_stay(total)}: {coming}; {needed} would do, but more were needed within {hold:.0f} s."
    return f"{_stay(total)}: {coming}{_fewer(views, total)}."


def _fewer(views: Sequence[Counterfactual], total: int) -> str:
    """The counterfactual of one replica fewer, and of the chosen number. Misses are those of all loads that may come; a
    latency can only be told of one of them, the mean, where it may be well within what is promised."""
    fewer = next((view for view in views if view.replicas == total - 1), None)
    chosen = next((view for view in views if view.replicas == total), None)
    if chosen is None:
        return ""
    kept = (
        f"; {total} {'leaves' if total == 1 else 'leave'} {_percent(1 - chosen.attainment)} of requests outside the SLO"
    )
    if fewer is None or total <= 1:
        return kept
    late = fewer.ttft_p95
    so = "more than they can do" if late is None else f"TTFT p95 {_seconds(late)} at the mean load"
    return f"{kept}, {total - 1} would leave {_percent(1 - fewer.attainment)} ({so})"


def _moved(before: Sequence[Target], targets: Sequence[Target]) -> str:
    parts = [
        f"{new.variant} {old.replicas} → {new.replicas}" + (f" and {new.asleep} asleep" if new.asleep else "")
        for old, new in zip(before, targets, strict=True)
        if old != new
    ]
    return ", ".join(parts) or "no change"


def _replicas(count: int) -> str:
    return f"{count} replica" if count == 1 else f"{count} replicas"


def _stay(count: int) -> str:
    return f"{_replicas(count)} {'stays' if count == 1 else 'stay'}"


def _percent(share: float) -> str:
    share = max(share, 0.0) * 100
    if 0 < share < 0.1:
        return "less than 0.1 %"
    return f"{share:.2g} %" if share < 10 else f"{share:.0f} %"


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
