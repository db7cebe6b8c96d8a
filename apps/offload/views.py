"""What REST shows of a pool's tiers, as JSON: the standing, the curve, the table of what else could be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np

from apps.core.domain.conditions import format_time
from apps.offload.domain.benefit import (
    LOSSES,
    Loss,
    break_even,
    evaluate,
    hit_rate,
    recompute_seconds,
    shortest,
    to_device,
)
from apps.offload.domain.options import CHUNKS, best_of, options
from apps.offload.domain.sentences import (
    cost_of,
    fewer,
    proof_text,
    saved_of,
    size_text,
    tier_sentence,
    tiers_text,
    typical_length,
)
from apps.offload.domain.sketch import DISTANCE_EDGES, LENGTH_EDGES, TIME_EDGES, Sketch
from apps.offload.domain.types import Configuration, Gain, Option, Placed, Policy, Signals, State, Window
from apps.offload.models import Probe, ReuseState
from apps.offload.selectors import Standing
from apps.pools.models import Pool

__all__ = ["curve", "gain_json", "measured", "proof", "store", "tiers", "what_if"]

_POINTS = 60


# --- how it stands ---------------------------------------------------------------------------------------------------


def measured(reuse: ReuseState | None, signals: Signals | None, now: datetime) -> dict[str, Any]:
    """What the collector knows, and whether that is anything."""
    if reuse is None:
        return {"state": "learning", "reason": "No KV event has been collected yet.", "at": None, "engines": 0}
    counters = reuse.counters
    blind = signals.blind if signals is not None else ""
    return {
        "state": "blind" if blind else "ok" if reuse.window >= 60 else "learning",
        "reason": blind,
        "at": format_time(reuse.at),
        "engines": len(reuse.engines),
        "blind": list(counters.get("silent", [])),
        "sampleRate": reuse.rate,
        "samples": reuse.samples,
        "seconds": reuse.window,
        "events": counters.get("events", 0),
        "dropped": counters.get("dropped", 0),
        "gaps": counters.get("gaps", 0),
        "restarts": counters.get("restarts", 0),
        "malformed": counters.get("malformed", 0),
    }


def canary(state: State, policy: Policy, signals: Signals) -> dict[str, Any]:
    """The replica that has tiers alone, if there is one, and how it compares."""
    trying = state.phase in ("canary", "watching")
    control = signals.control if state.phase == "canary" else state.before
    name = "none" if not trying else "starting" if signals.canary is None else "watching"
    return {
        "state": name,
        "variant": policy.variant if trying else None,
        "startedAt": _time(state.since) if trying else None,
        "readyAt": _time(state.ready_at) if trying and state.ready_at is not None else None,
        "before": _window(policy, control) if trying else None,
        "after": _window(policy, signals.canary) if trying else None,
        "expected": state.expected if trying else None,
    }


def proof(state: State, policy: Policy) -> dict[str, Any] | None:
    """What the last trial measured."""
    found = state.proof
    if found is None:
        return None
    tiers = [{"kind": t.kind, "bytes": t.bytes, "claim": t.claim} for t in found.configuration.tiers]
    without, with_ = _window(policy, found.without), _window(policy, found.with_)
    return {
        "at": _time(found.at),
        "kept": found.kept,
        "tiers": tiers,
        "chunkTokens": found.configuration.chunk,
        "without": without,
        "with": with_,
        "expected": found.expected,
        "measured": saved_of(policy, found.with_, found.each) if found.with_ is not None else None,
        "sentence": proof_text(policy, found).strip(),
    }


def _window(policy: Policy, window: Window | None) -> dict[str, Any] | None:
    if window is None:
        return None
    return {
        "seconds": window.seconds,
        "promptTokens": window.prompt,
        "hitRate": (window.device + window.loaded) / window.prompt if window.prompt > 0 else None,
        "gpuSecondsPerKtok": cost_of(policy, window),
        "ttftMean": window.ttft_sum / window.requests if window.requests > 0 else None,
    }


def store(pool: Pool, beside: Mapping[UUID, tuple[str, str, dict[str, Any]]]) -> dict[str, Any] | None:
    """The pool's folder on its volume, and whose lie beside it: of other teams' only what they take together."""
    if pool.uid not in beside:
        return None
    own = beside[pool.uid][2]
    mine = [(name, told) for team, name, told in beside.values() if team == pool.team]
    others = [told for team, _, told in beside.values() if team != pool.team]
    quotas = [told["quotaBytes"] for _, _, told in beside.values()]
    total, volume = sum(one or 0 for one in quotas), own["volumeBytes"]
    over = len(quotas) > 1 and volume is not None and total > volume
    return {
        "evictor": None,
        "worth": None,
        **own,
        "pools": [
            {
                "pool": name,
                "usedBytes": told["usedBytes"],
                "quotaBytes": told["quotaBytes"],
                "growthBytesPerSecond": told["growthBytesPerSecond"],
                "worth": told.get("worth"),
            }
            for name, told in mine
        ],
        "otherTeams": {"pools": len(others), "usedBytes": sum(told["usedBytes"] or 0 for told in others)},
        "quotas": (
            f"Together the quotas are {size_text(total)}, and the volume has {size_text(volume)}: "
            "it is full before they are."
            if over
            else None
        ),
    }


def tiers(standing: Standing, probes: Mapping[str, Probe]) -> list[dict[str, Any]]:
    """The device and each declared tier: measured bandwidth, what it would bring alone, and the verdict."""
    policy, signals = standing.policy, standing.signals
    none = evaluate(policy, signals, standing.measured, Configuration(prompt_only=policy.prompt_only))
    held = standing.measured.replica.held
    found: list[dict[str, Any]] = [
        {
            "kind": "device",
            "on": True,
            "bytes": held * policy.kv_bytes,
            "hitRate": none.hit_rate,
            "verdict": "in use",
            "sentence": f"{100 * none.hit_rate:.0f} % of prompt tokens are found on the accelerators.",
        }
    ]
    everything = options(policy, signals, standing.measured)
    for tier in policy.tiers:
        on = signals.standing.bytes_of(tier.kind) > 0
        bandwidth = signals.bandwidths.get(tier.kind)
        probe = probes.get(tier.kind)
        entry: dict[str, Any] = {
            "kind": tier.kind,
            "on": on,
            "bytes": signals.standing.bytes_of(tier.kind) if on else tier.most,
            "claim": tier.claim,
            "probe": probe.state if probe is not None else None,
            "bytesPerSecond": bandwidth.load if bandwidth else None,
            "storeBytesPerSecond": bandwidth.store if bandwidth else None,
            "source": bandwidth.source if bandwidth else None,
            "ageSeconds": bandwidth.age if bandwidth else None,
            "breakEven": break_even(policy, typical_length(standing.measured)),
        }
        if bandwidth is None:
            problem = f" ({probe.problem})" if probe is not None and probe.problem else ""
            sentence = f"The bandwidth of tier {tier.kind} has not been measured yet{problem}."
            if tier.kind == "peer":
                sentence = "No Job can measure peers before they are on: only mode fixed has them."
            found.append({**entry, "hitRate": None, "gain": None, "verdict": "not measured", "sentence": sentence})
            continue
        own = [o for o in everything if [t.kind for t in o.configuration.tiers] == [tier.kind]]
        best = max(own, key=lambda option: option.gain.net, default=None)
        gain = best.gain if best is not None else none
        way = to_device(tier.kind, signals.bandwidths)
        least = shortest(policy, way) if way is not None else None
        less = against_curve(standing, best.configuration) if best is not None else None
        pays = gain.net > 0 and best is not None
        verdict = "in use" if on else "worth it" if pays else "refused"
        found.append(
            {
                **entry,
                "minPrefixTokens": least,
                "hitRate": gain.hit_rate,
                "gain": gain_json(policy, gain, none),
                "verdict": verdict,
                "sentence": tier_sentence(policy, standing.measured, tier.kind, signals.bandwidths),
                "curve": less,
            }
        )
    return found


def gain_json(policy: Policy, gain: Gain, against: Gain | None = None) -> dict[str, Any]:
    """What a configuration brings, per hour; against another one where given."""
    before = against or Gain(0.0, 0.0, 0.0, 0.0, 0.0)
    saved = gain.gpu_seconds - before.gpu_seconds
    return {
        "gpuSecondsPerHour": saved,
        "ttftSeconds": gain.ttft - before.ttft,
        "moneyPerHour": {"amount": gain.net - before.net, "currency": policy.currency},
        "accelerators": saved / 3600.0 / policy.usable,
    }


_WHY: Mapping[Loss, str] = {
    "ttl": "come again after the time to live",
    "generated": "are generated tokens, which are not stored",
    "dropped": "cannot be written in time",
    "chunks": "lie in chunks of which only a part comes again",
}


def against_curve(standing: Standing, configuration: Configuration) -> dict[str, Any]:
    """Why tiers find less than the curve says at their size: it is the curve of a cache that keeps all that was wanted
    until it is full. `lost`: points of hit rate, in the order in which they are taken off."""
    policy, signals, measured = standing.policy, standing.signals, standing.measured
    pure = hit_rate(policy, signals, measured, configuration, ())
    rates = [pure] + [hit_rate(policy, signals, measured, configuration, LOSSES[: n + 1]) for n in range(len(LOSSES))]
    lost = [
        {"why": why, "points": 100 * (before - after)}
        for why, before, after in zip(LOSSES, rates, rates[1:], strict=False)
        if before - after > 5e-4
    ]
    reasons = ", ".join(f"{one['points']:.1f} points {_WHY[one['why']]}" for one in lost)  # type: ignore[index]
    said = f"{tiers_text(configuration)}: {100 * rates[-1]:.1f} % are found, {100 * pure:.1f} % by the curve"
    sentence = f"{said}, for of what it counts {reasons}." if lost else f"{said}."
    return {"hitRate": rates[-1], "curveHitRate": pure, "lost": lost, "sentence": sentence[:1].upper() + sentence[1:]}


# --- the curve -------------------------------------------------------------------------------------------------------


def curve(standing: Standing, scope: str, klass: str, sketches: Mapping[str, Sketch]) -> dict[str, Any]:
    """Hit rate by the size of a cache, from what the devices hold upwards; when blocks come again, and how long their
    prefixes are."""
    policy, signals = standing.policy, standing.signals
    sketch, whole = sketches[klass], sketches[""]
    # a class has no counters of its own: its rate is of what it stored
    wanted = signals.wanted if klass == "" else sketch.stored
    hits = signals.device_hits if klass == "" else 0.0
    held = whole.held
    reach = max(8 * held, 2.0 * max((t.most for t in policy.tiers), default=0) / policy.kv_bytes, 65536.0)

    def rate(extra: float) -> float:
        return min((hits + sketch.within(extra)) / wanted, 1.0) if wanted > 0 else 0.0

    def point(tokens: float) -> dict[str, float]:
        return {"tokens": tokens, "bytes": tokens * policy.kv_bytes, "hitRate": rate(tokens - held)}

    extras = np.concatenate([[0.0], np.geomspace(max(held, 1024.0) / 16, reach, _POINTS)])
    chosen = best_of(options(policy, signals, standing.measured)).configuration
    size = chosen.bytes_of("host") if scope == "replica" else max((t.bytes for t in chosen.tiers), default=0)
    present = signals.standing.bytes_of("host" if scope == "replica" else "filesystem")
    at = max(present / policy.kv_bytes, held)
    knee = None
    if size and klass == "":
        knee = point(size / policy.kv_bytes)
        before, after = rate(at - held), knee["hitRate"]
        knee["sentence"] = f"{size_text(size)}: hit rate {100 * before:.0f} → {100 * after:.0f} %"  # type: ignore[assignment]
    seconds = max(signals.window, 1.0)
    return {
        "scope": scope,
        "class": klass,
        "state": "blind" if signals.blind else "ok" if wanted > 0 else "learning",
        "reason": signals.blind or ("" if wanted > 0 else "Too little has been seen yet."),
        "points": [point(held + extra) for extra in extras.tolist()],
        "ceiling": rate(float(DISTANCE_EDGES[-1])),
        "present": point(at),
        "knee": knee,
        "tiers": against_curve(standing, chosen) if chosen.tiers and klass == "" else None,
        "reuseTime": {
            "unit": "s",
            "buckets": _shares(TIME_EDGES.tolist(), sketch.times.tolist()),
            "p50": sketch.time_quantile(0.5),
            "p95": sketch.time_quantile(0.95),
        },
        "reuseLength": {"unit": "tokens", "buckets": _shares(LENGTH_EDGES.tolist(), sketch.again.sum(axis=0).tolist())},
        "oneHitShare": signals.one_hit if klass == "" else None,
        "ghostTokensPerSecond": sketch.total_again / seconds,
        "storedTokensPerSecond": sketch.stored / seconds,
        "classes": [
            {
                "name": name,
                "kind": name.partition(":")[0],
                "share": one.stored / whole.stored if whole.stored > 0 else 0.0,
                "ceiling": one.total_again / one.stored if one.stored > 0 else 0.0,
            }
            for name, one in sorted(sketches.items(), key=lambda item: -item[1].stored)
            if name
        ],
    }


def _shares(edges: list[float], counts: list[float]) -> list[dict[str, float]]:
    total = sum(counts)
    return [
        {"upTo": edge, "share": count / total} for edge, count in zip(edges, counts, strict=True) if total and count > 0
    ]


# --- what else could be ----------------------------------------------------------------------------------------------


def what_if(standing: Standing, sizes: Mapping[str, int]) -> dict[str, Any]:
    """A row for each configuration worth looking at, and for the one that was asked for by `sizes` (kind → bytes)."""
    policy, signals = standing.policy, standing.signals
    now = evaluate(policy, signals, standing.measured, _everywhere(signals))
    found = options(policy, signals, standing.measured)
    chosen = best_of(found)
    kept: dict[tuple[tuple[str, int], ...], Option] = {}
    for option in found[1:]:
        key = tuple((t.kind, t.bytes) for t in option.configuration.tiers)
        if key not in kept or option.gain.net > kept[key].gain.net:
            kept[key] = option
    kept[tuple((t.kind, t.bytes) for t in chosen.configuration.tiers)] = chosen
    if sizes:
        kept = {(): _asked(standing, sizes)}
    return {
        "state": "blind" if signals.blind else "ok",
        "reason": signals.blind,
        "present": {"hitRate": now.hit_rate, "accelerators": signals.replicas},
        "rows": [
            _row(policy, o, now, o.configuration == chosen.configuration)
            for key, o in kept.items()
            if o.configuration.tiers and not _outdone(key, o, kept)
        ],
    }


def _outdone(
    key: tuple[tuple[str, int], ...], option: Option, others: Mapping[tuple[tuple[str, int], ...], Option]
) -> bool:
    """Whether fewer of the same tiers bring as much."""
    return len(key) > 1 and any(
        (part,) in others and others[(part,)].gain.net >= option.gain.net - 1e-9 for part in key
    )


def _asked(standing: Standing, sizes: Mapping[str, int]) -> Option:
    tiers_ = tuple(Placed(kind, size) for kind, size in sizes.items() if size > 0)  # type: ignore[arg-type]
    tried = [Configuration(tiers_, chunk, standing.policy.prompt_only) for chunk in CHUNKS]
    rated = [Option(c, evaluate(standing.policy, standing.signals, standing.measured, c)) for c in tried]
    return max(rated, key=lambda option: option.gain.net)


def _everywhere(signals: Signals) -> Configuration:
    return Configuration(prompt_only=signals.standing.prompt_only) if signals.canaried else signals.standing


def _row(policy: Policy, option: Option, now: Gain, chosen: bool) -> dict[str, Any]:
    gain, configuration = option.gain, option.configuration
    replicas = (gain.gpu_seconds - now.gpu_seconds) / 3600.0 / policy.usable
    sizes = " + ".join(f"{t.kind} {size_text(t.bytes)}" for t in configuration.tiers)
    less = fewer(gain.gpu_seconds - now.gpu_seconds, policy)
    return {
        "kind": "+".join(t.kind for t in configuration.tiers),
        "bytes": sum(t.bytes for t in configuration.tiers),
        "tiers": [{"kind": t.kind, "bytes": t.bytes, "ttlSeconds": t.ttl} for t in configuration.tiers],
        "minPrefixTokens": configuration.chunk,
        "hitRate": gain.hit_rate,
        "gpuSecondsPerHour": gain.gpu_seconds - now.gpu_seconds,
        "accelerators": -replicas,
        "ttftSeconds": -(gain.ttft - now.ttft),
        "cost": {"amount": gain.cost, "currency": policy.currency},
        "gain": {"amount": gain.net - now.net, "currency": policy.currency},
        "chosen": chosen,
        "sentence": f"{sizes}: hit rate {100 * now.hit_rate:.0f} → {100 * gain.hit_rate:.0f} %, {less}",
    }


def prefill_rate(policy: Policy) -> float:
    """Prompt tokens per second of one replica, at prompts of 8,192 tokens."""
    return 8192.0 / recompute_seconds(policy, 8192.0)


def _time(seconds: float) -> str:
    return format_time(datetime.fromtimestamp(seconds, UTC))
