"""The production policy on a trace: events in, sketches, decide(), canary and roll-out, all of it charged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from apps.offload.domain.decide import decide
from apps.offload.domain.events import BlockRemoved, BlockStored, Event
from apps.offload.domain.reuse import ALL, Reuse
from apps.offload.domain.types import Configuration, Decision, Policy, Signals, State, Window
from bench.offload.fleet import Floats, Played
from bench.offload.truth import Truth
from bench.offload.workloads import BLOCK

FADE = 3600.0
STARTUP = 120.0
# a tick each minute at first, each half minute while something is tried; else, to save time, each half hour
_TRYING, _EVERY, _LATER = 30.0, 60.0, 1800.0
_FIRST = 7200.0
# by then the sketches repeat themselves
_OBSERVED = 4 * 3600.0
_KEYS = 1 << 40


@dataclass(frozen=True)
class Seen:
    """What the collector and the counters say at one tick."""

    at: float
    signals: Signals


def observe(played: Played, passes: int, most: int) -> list[Seen]:
    """The events of so many passes (fresh blocks in each) through the production collector's arithmetic."""
    reuse = Reuse(most=most)
    seen: list[Seen] = []
    settled = window = hits = wanted = requests = 0.0
    next_tick = _EVERY
    on_device = np.add.reduceat((played.own < played.device_tokens).astype(np.float64), played.starts) * BLOCK
    for again in range(min(passes, max(2, int(_OBSERVED / played.seconds)))):
        base = again * played.seconds
        _let_go(reuse, base)
        for index, (at, replica, events) in enumerate(played.events):
            now = base + at
            if now >= next_tick:
                keep = 0.5 ** ((now - settled) / FADE)
                reuse.settle(now, keep)
                window, hits, wanted, requests = (
                    (window + now - settled) * keep, hits * keep, wanted * keep, requests * keep
                )  # fmt: skip
                settled = now
                seen.append(Seen(now, _signals(reuse, played, window, hits, wanted, requests)))
                next_tick += _EVERY if next_tick < _FIRST else _LATER
            hits += float(on_device[index])
            wanted += float(played.blocks[index]) * BLOCK
            requests += 1
            reuse.apply(str(replica), [_renamed(event, again) for event in events], now)
    return seen


def _let_go(reuse: Reuse, now: float) -> None:
    """Devices are full of the pass before, which nobody wants again: it goes at once instead of bit by bit."""
    for name, engine in reuse.engines.items():
        reuse.apply(name, [BlockRemoved(list(reversed(engine.stack.held)))], now)


def _renamed(event: Event, again: int) -> Event:
    if isinstance(event, BlockStored):
        parent = event.parent + again * _KEYS if event.parent is not None else None
        return BlockStored([b + again * _KEYS for b in event.hashes], parent, event.block_size)
    assert isinstance(event, BlockRemoved)
    return BlockRemoved([b + again * _KEYS for b in event.hashes])


def _signals(reuse: Reuse, played: Played, window: float, hits: float, wanted: float, requests: float) -> Signals:
    return Signals(
        window=window,
        replica=reuse.replica[ALL].to_json(),
        pool=reuse.pool[ALL].to_json(),
        device_hits=hits,
        wanted=wanted,
        requests=requests,
        replicas=float(played.replicas),
        bandwidths={},
        standing=Configuration(),
    )


@dataclass(frozen=True)
class Lived:
    """What the policy brought over all passes, seconds of a replica; `charged`: restarts and canaries. by: of `CAUSES`
    the seconds that passed so, and what was brought in them."""

    saved: float
    charged: float
    moves: tuple[Decision, ...]
    last: Configuration
    by: Mapping[str, tuple[float, float]]

    @property
    def benefit(self) -> float:
        return self.saved - self.charged


# under what a span of the time stands: nothing may be tried yet; the rule by which nothing is worth a change; roll-outs
# and cool-downs; a trial failed and nothing stands since; a trial is watched; restarts of replicas; tiers stand
_RULES = ("bandwidth", "gain", "minimum-gain", "pay-back")
CAUSES = ("first hour", *_RULES, "held back", "refused", "canary", "restarts", "tiers")


def _cause(decision: Decision) -> str:
    if decision.plan.tiers:
        return "canary" if decision.canary or decision.state.phase == "watching" else "tiers"
    if decision.state.phase == "learning":
        return "first hour"
    if decision.state.failures:
        return "refused"
    return decision.binding if decision.binding in _RULES else "held back"


def live(seen: Sequence[Seen], truth: Truth, policy: Policy, passes: int) -> Lived:
    """Decide at each tick; between two ticks the tiers that stand do what they truly do."""
    played, whole = truth.played, passes * truth.played.seconds
    state, standing, canaried = State(), Configuration(), False
    begun = ready_at = 0.0
    saved = charged = 0.0
    by: dict[str, tuple[float, float]] = dict.fromkeys(CAUSES, (0.0, 0.0))
    moves = []
    canary, control = [0.0] * 6, [0.0] * 6
    index, now = 0, seen[0].at
    while now < whole:
        while index + 1 < len(seen) and seen[index + 1].at <= now:
            index += 1
        ready = (canaried or state.phase == "watching") and now >= ready_at
        if not canaried and state.phase not in ("canary", "watching"):
            # what the pool did in the last quarter of an hour
            control = [0.0] * 6
            _watch(truth, standing, begun, (max(now - 900.0, 0.0), now), control, [0.0] * 6, all_of_them=True)
        signals = replace(
            seen[index].signals,
            bandwidths=truth.bandwidths,
            standing=standing,
            canaried=canaried,
            rolling=not canaried and now < ready_at,
            canary=_window(canary) if ready and canary[0] else None,
            control=_window(control) if control[0] else None,
        )
        decision = decide(policy, signals, state, now)
        if decision.state.warm_at != state.warm_at:
            canary, control = [0.0] * 6, [0.0] * 6
        state = decision.state
        if (decision.plan, decision.canary) != (standing, canaried):
            moves.append(decision)
            gone = canaried and not decision.plan.tiers
            restarts = STARTUP * _starts(policy, decision, canaried, gone, played.replicas)
            charged += restarts
            by["restarts"] = (by["restarts"][0], by["restarts"][1] - restarts)
            begun = ready_at = now + (0.0 if gone else STARTUP)
            canary, control = [0.0] * 6, [0.0] * 6
            standing, canaried = decision.plan, decision.canary
        trying = canaried or state.phase in ("canary", "watching")
        busy = state.agreed or now < _FIRST
        later = min(now + (_TRYING if trying else _EVERY if busy else _LATER), whole)
        span, now = (now, later), later
        cause, brought, paid = _cause(decision), 0.0, 0.0
        if canaried:
            # its share of the requests runs with the tiers; where it takes no other's place one more replica is paid
            # for, its start already
            paid = 0.0 if policy.in_place else max(span[1] - max(span[0], ready_at), 0.0)
            if span[0] >= ready_at:
                _watch(truth, standing, begun, span, canary, control)
                brought = _saved(truth, standing, begun, span) / (played.replicas + (0 if policy.in_place else 1))
        elif standing.tiers:
            if state.phase == "watching" and span[0] >= ready_at:
                _watch(truth, standing, begun, span, canary, control, all_of_them=True)
            brought = _saved(truth, standing, begun, span) - truth.rent(standing) * (span[1] - span[0])
        saved, charged = saved + brought, charged + paid
        by[cause] = (by[cause][0] + span[1] - span[0], by[cause][1] + brought - paid)
    return Lived(saved, charged, tuple(moves), standing, by)


def _starts(policy: Policy, decision: Decision, canaried: bool, gone: bool, replicas: int) -> int:
    """Replicas that start anew. One more for a canary; then all, with empty tiers, or none if it goes, for the others
    never stopped. A canary in the place of a replica stays one of them, or makes room for one again."""
    if decision.canary:
        return 1
    if gone:
        return 1 if policy.in_place else 0
    return replicas - (1 if canaried and policy.in_place else 0)


def _parts(truth: Truth, begun: float, span: tuple[float, float]) -> list[tuple[Floats, float]]:
    """Of each pass that the span touches: which requests, and since when (into the pass) the tiers were there."""
    seconds = truth.played.seconds
    found = []
    for again in range(int(span[0] // seconds), int(span[1] // seconds) + 1):
        low, high = span[0] - again * seconds, span[1] - again * seconds
        chosen = (truth.played.at >= max(low, begun - again * seconds)) & (truth.played.at < high)
        if chosen.any():
            found.append((chosen, begun - again * seconds))
    return found


def _saved(truth: Truth, standing: Configuration, begun: float, span: tuple[float, float]) -> float:
    return sum(float(truth.saved(standing, since)[chosen].sum()) for chosen, since in _parts(truth, begun, span))


def _watch(
    truth: Truth,
    standing: Configuration,
    begun: float,
    span: tuple[float, float],
    canary: list[float],
    control: list[float],
    all_of_them: bool = False,
) -> None:
    """What the counters of the canary (replica 0) and of the others say of the span; `all_of_them` have the tiers."""
    played = truth.played
    for chosen, since in _parts(truth, begun, span):
        with_ = truth.counted(standing, since)
        without = truth.counted(Configuration(), since)
        for into, counted, which in (
            (canary, with_, (played.replica == 0) | all_of_them),
            (control, without, (played.replica != 0) & (not all_of_them)),
        ):
            rows = chosen & which
            into[0] += float(truth.tokens[rows].sum())
            into[1] += float(rows.sum())
            for index, values in enumerate(counted):
                into[2 + index] += float(values[rows].sum())


def _window(sums: list[float]) -> Window:
    prompt, requests, computed, loaded, loading, ttft = sums
    return Window(600.0, prompt, computed, prompt - computed - loaded, loaded, loading, requests, max(ttft, 1e-6))
