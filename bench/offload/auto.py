"""The production policy on a trace: events in, sketches, decide(), canary and roll-out, all of it charged."""

from __future__ import annotations

from collections.abc import Sequence
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
_EVERY, _LATER = 60.0, 1800.0
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
    for again in range(passes):
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
                next_tick += _EVERY if next_tick < 3600 else _LATER
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
    """What the policy brought over all passes, seconds of a replica; `charged`: restarts and canaries."""

    saved: float
    charged: float
    moves: tuple[Decision, ...]
    last: Configuration

    @property
    def benefit(self) -> float:
        return self.saved - self.charged


def live(seen: Sequence[Seen], truth: Truth, policy: Policy, passes: int) -> Lived:
    """Decide at each tick; between two ticks the tiers that stand do what they truly do."""
    played = truth.played
    state, standing, canaried = State(), Configuration(), False
    begun = 0.0
    saved = charged = 0.0
    moves = []
    canary: list[float] = [0.0] * 5
    control: list[float] = [0.0] * 5
    edges = [*(tick.at for tick in seen), passes * played.seconds]
    ready_at = 0.0
    for index, tick in enumerate(seen):
        now = tick.at
        ready = canaried and now >= ready_at
        signals = replace(
            tick.signals,
            bandwidths=truth.bandwidths,
            standing=standing,
            canaried=canaried,
            rolling=not canaried and now < ready_at,
            canary=_window(canary) if ready and canary[0] else None,
            control=_window(control) if ready and control[0] else None,
        )
        decision = decide(policy, signals, state, now)
        state = decision.state
        if (decision.plan, decision.canary) != (standing, canaried):
            moves.append(decision)
            if decision.canary:
                ready_at = now + STARTUP
                charged += STARTUP
                canary, control = [0.0] * 5, [0.0] * 5
            elif decision.verb == "keep":
                # every replica restarts, and starts with an empty tier
                charged += STARTUP * played.replicas
                ready_at = now + STARTUP
            elif not canaried:
                charged += STARTUP * played.replicas
            begun = now + STARTUP
            standing, canaried = decision.plan, decision.canary
        span = (now, edges[index + 1])
        if not standing.tiers:
            continue
        if canaried:
            # one more replica is paid for; its share of the requests runs with the tiers
            charged += span[1] - max(now, 0.0)
            _watch(truth, standing, begun, span, canary, control)
            saved += _saved(truth, standing, begun, span) / (played.replicas + 1)
        else:
            saved += _saved(truth, standing, begun, span) - truth.rent(standing) * (span[1] - span[0])
    return Lived(saved, charged, tuple(moves), standing)


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
) -> None:
    played, policy = truth.played, truth.policy
    for chosen, since in _parts(truth, begun, span):
        mine = chosen & (played.replica == 0)
        others = chosen & (played.replica != 0)
        saved = truth.saved(standing, since)
        cost = truth.compute(truth.device, truth.tokens)
        for into, which, with_tiers in ((canary, mine, True), (control, others, False)):
            tokens = truth.tokens[which]
            into[0] += float(tokens.sum())
            spent = cost[which] - (saved[which] if with_tiers else 0.0)
            # seconds as the tick's window has them: computed tokens at the mean price, and seconds of loading
            each = float(tokens.sum()) / max(len(tokens), 1)
            price = (policy.token * each + policy.pair * each * each / 2) / each if each > 0 else 1.0
            into[1] += float(spent.sum()) / price
            into[2] += float(len(tokens))
            into[3] += float(spent.sum())


def _window(sums: list[float]) -> Window:
    prompt, computed, requests, seconds = sums[:4]
    return Window(600.0, prompt, computed, requests=requests, ttft_sum=max(seconds, 1e-6))
