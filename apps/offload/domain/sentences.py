"""A decision for people: what it rests on, and why."""

from __future__ import annotations

from collections.abc import Mapping

from apps.offload.domain.benefit import (
    GIB,
    HANDLING,
    STORED_MOST,
    STORING,
    Measured,
    break_even,
    load_seconds,
    recompute_seconds,
    shortest,
    to_device,
)
from apps.offload.domain.types import Bandwidth, Configuration, Gain, Input, Policy, Proof, Signals, Verb, Window

__all__ = [
    "cost_of",
    "fewer",
    "inputs",
    "proof_text",
    "refusals",
    "saved_of",
    "sentence",
    "slow_tiers",
    "tier_sentence",
    "tiers_text",
    "trial_text",
    "typical_length",
]

_NAMES = {"host": "host memory", "filesystem": "the filesystem", "object": "the object store", "peer": "peers"}


def tiers_text(configuration: Configuration) -> str:
    """`host 256 GiB + filesystem 500 GiB from 4,096 tokens`."""
    if not configuration.tiers:
        return "no tier"
    sizes = " + ".join(f"{tier.kind} {size_text(tier.bytes)}" for tier in configuration.tiers)
    return f"{sizes} from {configuration.chunk:,} tokens" if configuration.chunk > 256 else sizes


def size_text(size: float) -> str:
    return f"{size / GIB / 1024:.3g} TiB" if size >= 1024 * GIB else f"{size / GIB:.3g} GiB"


def typical_length(measured: Measured) -> float:
    """Tokens of the prefixes that most tokens wanted again belong to; 8,192 where nothing was."""
    lengths = measured.pool.again.sum(axis=0)
    if float(lengths.sum()) <= 0:
        return 8192.0
    middle = float(lengths.sum()) / 2
    for column, edge in enumerate(lengths.cumsum().tolist()):
        if edge >= middle:
            return float(2 ** (column + 7) * 0.75)
    return 8192.0


def tier_sentence(policy: Policy, measured: Measured, kind: str, bandwidths: Mapping[str, Bandwidth]) -> str:
    """What loading from a tier takes against computing, with its numbers. Its bandwidth is known."""
    bandwidth, way = bandwidths[kind], to_device(kind, bandwidths)
    assert way is not None
    least, tokens = shortest(policy, way), typical_length(measured)
    load, compute = load_seconds(policy, tokens, way), recompute_seconds(policy, tokens)
    text = (
        f"From {_NAMES.get(kind, kind)} at {bandwidth.load / 1e9:.3g} GB/s ({bandwidth.source}) a prefix of "
        f"{tokens:,.0f} tokens takes {_time(load)} to load and {_time(compute)} to compute; break-even is "
        f"{break_even(policy, tokens) / 1e9:.3g} GB/s"
    )
    if least is None:
        return text + ", and no prefix is so long that it pays."
    return text + (f", and prefixes from {least:,} tokens on pay." if least > tokens else ".")


def sentence(
    *,
    policy: Policy,
    signals: Signals,
    measured: Measured,
    verb: Verb,
    binding: str,
    told: Configuration,
    gain: Gain,
    now_gain: Gain,
    why: str,
    proof: Proof | None = None,
) -> str:
    """Why, in a sentence or two."""
    slow = "".join(f" {text}" for text in refusals(policy, signals, measured)) if verb != "blind" else ""
    what = tiers_text(told)
    effect = (
        f"hit rate {100 * now_gain.hit_rate:.0f} → {100 * gain.hit_rate:.0f} %, "
        f"{fewer(gain.gpu_seconds - now_gain.gpu_seconds, policy)}"
    )
    if verb == "blind":
        return f"Nothing is decided: {why}"
    if verb == "canary":
        where = ", in the place of one that has none" if policy.in_place else ""
        return f"{_first(what)} on one replica of {policy.variant} first{where}: {effect} are expected.{slow}"
    if verb == "advise":
        return f"{_first(what)} would be worth it: {effect} are expected. Advice only.{slow}"
    if verb == "keep":
        shown = f"; {why}" if why else ""
        return f"{_first(what)} for all replicas: {effect}{shown}.{slow}"
    if verb == "roll-back":
        return f"The tiers are taken back: {why}."
    if verb == "retire":
        return f"The tiers go: they cost more than they save ({effect})."
    told_proof = proof is not None and proof.configuration == signals.standing
    shown = proof_text(policy, proof) if proof is not None and told_proof else ""
    held = _holding(policy, signals, binding, now_gain, why) + shown
    return held if binding in ("canary", "evidence", "leaving") else held + slow


def _holding(policy: Policy, signals: Signals, binding: str, gain: Gain, why: str) -> str:
    standing = tiers_text(signals.standing)
    if binding == "evidence" and not why:
        return (
            f"Learning: {signals.window:.0f} s of {policy.evidence:.0f} s of events; "
            f"{100 * gain.hit_rate:.0f} % of prompt tokens are found in a cache now."
        )
    if binding == "canary":
        return f"{_first(standing)} is being tried: {why}."
    if binding == "leaving":
        return f"{_first(standing)} is being taken back: {why}."
    return {
        "gain": f"{_first(standing)} stays: nothing that may be used brings more.",
        "bandwidth": "No tier: none that may be used would save more than it takes.",
        "unmeasured": "No tier: the bandwidth of none that may be used is known yet; a probe measures it.",
        "minimum-gain": f"{_first(standing)} stays: what could be gained is less than "
        f"{100 * policy.least_hit:.0f} points of hit rate and {100 * policy.least_work:.0f} % of the pool's time.",
        "pay-back": f"{_first(standing)} stays: within {policy.pay_back / 3600:.0f} h a change would not pay for its "
        "restarts.",
    }.get(binding, f"{_first(standing)} stays: {why}.")


def slow_tiers(policy: Policy, signals: Signals, measured: Measured, before: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The declared tiers from which a typical prefix is loaded no faster than it is computed; one of `before` has to be
    a tenth faster to be taken out again."""
    tokens = typical_length(measured)
    compute = recompute_seconds(policy, tokens)
    return tuple(
        tier.kind
        for tier in policy.tiers
        if (way := to_device(tier.kind, signals.bandwidths)) is not None
        and load_seconds(policy, tokens, way) * (1.1 if tier.kind in before else 1.0) >= compute
    )


def refusals(policy: Policy, signals: Signals, measured: Measured) -> list[str]:
    """Of each tier that is too slow, why: with its numbers."""
    slow = slow_tiers(policy, signals, measured)
    return [tier_sentence(policy, measured, kind, signals.bandwidths) for kind in slow]


def proof_text(policy: Policy, proof: Proof) -> str:
    """What a trial measured; "" where it had nothing to show."""
    return f" When it was tried, {trial_text(policy, proof.with_, proof.without, proof.each)}." if proof.with_ else ""


def trial_text(policy: Policy, with_: Window, without: Window | None, each: float = 0.0) -> str:
    """Of replicas with tiers: what they took, what computing would have taken, and what replicas without them did."""
    took = 1000.0 * cost_of(policy, with_)
    others = f" (replicas without took {1000.0 * cost_of(policy, without):.1f} ms)" if without is not None else ""
    return (
        f"1,000 prompt tokens took {took:.1f} ms with it and would have taken "
        f"{took + 1000.0 * saved_of(policy, with_, each):.1f} ms had all been computed that was loaded{others}"
    )


def cost_of(policy: Policy, window: Window) -> float:
    """Seconds of a replica for 1,000 prompt tokens, computed or loaded; 0 without any."""
    if window.prompt <= 0:
        return 0.0
    took = window.computed * _share(policy, window) + policy.wait * window.load_seconds + _toll(policy, window)
    return 1000.0 * took / window.prompt


def saved_of(policy: Policy, window: Window, each: float = 0.0) -> float:
    """Seconds that 1,000 prompt tokens took less than if all had been computed that was loaded. Told by the replicas'
    own counters: others serve other requests, and who serves the longer prompts would look the worse. `each`: seconds
    of computing a token that is loaded, which lies deeper in longer prompts than others; 0: as of all."""
    if window.prompt <= 0:
        return 0.0
    computing = window.loaded * (each or _share(policy, window))
    return 1000.0 * (computing - policy.wait * window.load_seconds - _toll(policy, window)) / window.prompt


def _toll(policy: Policy, window: Window) -> float:
    """Of replicas that load, what the connector takes for their prompts, and storing what they compute."""
    if window.loaded <= 0:
        return 0.0
    stored = min(window.computed, STORED_MOST * window.requests)
    return HANDLING * window.requests + STORING * stored * policy.kv_bytes


def _share(policy: Policy, window: Window) -> float:
    each = window.prompt / max(window.requests, 1.0)
    return recompute_seconds(policy, each) / each


def inputs(policy: Policy, signals: Signals, measured: Measured) -> tuple[Input, ...]:
    """What the decision rests on."""
    found = [
        Input("window", "", "known", signals.window, 0.0, "s of events"),
        Input("wanted", "", "known", signals.wanted, 0.0, "prompt tokens"),
        Input("device_hits", "", "known", signals.device_hits, 0.0, "tokens"),
        Input("again_replica", "", "known", measured.replica.total_again, 0.0, "tokens"),
        Input("again_pool", "", "known", measured.pool.total_again, 0.0, "tokens"),
        Input("stored", "", "known", measured.replica.stored, 0.0, "tokens"),
        Input("held", "", "known", measured.replica.held, 0.0, "tokens of a replica"),
        Input("replicas", "", "known", signals.replicas, 0.0, "replicas"),
    ]
    for tier in policy.tiers:
        bandwidth = signals.bandwidths.get(tier.kind)
        if bandwidth is None:
            found.append(Input("bandwidth", tier.kind, "unknown", None, None, "B/s", "Not measured."))
        else:
            found.append(Input("bandwidth", tier.kind, "known", bandwidth.load, bandwidth.age, "B/s", bandwidth.source))
    return tuple(found)


def fewer(gpu_seconds: float, policy: Policy) -> str:
    """What `gpu_seconds` saved in an hour are, as replicas at the same SLO; of less than a tenth of one nobody has a
    notion: it is told as time and money."""
    replicas, less = abs(gpu_seconds) / 3600.0 / policy.usable, gpu_seconds >= 0
    if replicas >= 0.095:
        shown = f"{replicas:.1f}" if replicas < 9.95 else f"{replicas:.0f}"
        one = "replica" if shown == "1.0" else "replicas"
        return f"{shown.removesuffix('.0')} {one} {'fewer' if less else 'more'} at the same SLO"
    if abs(gpu_seconds) < 0.5:
        return "as many replicas"
    money = abs(gpu_seconds) / 3600.0 * policy.price
    worth = f" ({money:.2f} {policy.currency}/h)" if money >= 0.005 else ""
    return f"{abs(gpu_seconds):.0f} s of a replica's time an hour {'saved' if less else 'lost'}{worth}"


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2g} s"
