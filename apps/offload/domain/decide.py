"""`decide`: which tiers a pool's engines are to have.

A change of tiers restarts engines. So it is made only when it is worth that, on one replica first; what that replica
does is compared with the others (or the pool with itself before), and it is taken back unless it is better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from apps.offload.domain import sentences
from apps.offload.domain.admission import advice
from apps.offload.domain.benefit import UNSURE, Measured, evaluate, recompute_seconds
from apps.offload.domain.options import best_of, options
from apps.offload.domain.types import (
    Clamp,
    Configuration,
    Decision,
    Gain,
    Option,
    Policy,
    Proof,
    Signals,
    State,
    Verb,
    Window,
)

__all__ = ["decide", "kinds_of", "name_of"]

_AGREE = 2
# a canary has to show this share of what it should save
_SHOWN = 0.25
# nobody waits until a canary is warm that has shown before what it has to: after this share of the shortest watch, in
# so many prompt tokens
_FIRST, _CLEAR_TOKENS = 0.2, 500_000.0
# or this share of what it can by then; a tier to which less than the last comes again by then tells nothing yet
_CLEAR, _FILLED = 0.5, 0.15
# where computing takes less than it is thought to (`UNSURE`), a change may take no more than this share of all that is
# computed
_MOST_LOST = 0.01
# tiers that stand make room for others that bring this much more: estimates of both are as far from each other
_BETTER = 0.05
# its TTFT may be worse by this much
_SLOWER = 1.05
# starts that take longer than this many expected restarts have failed
_STARTS = 5.0
# a volume that cannot be read for so long is taken off
_GONE_FOR = 300.0
_LONGEST_REFUSAL = 7 * 86400.0
_REFUSAL = 6 * 3600.0


def decide(policy: Policy, signals: Signals, state: State, now: float) -> Decision:
    """Pure: the same arguments give the same bits."""
    measured = Measured.of(signals)
    state = replace(state, faulty={kind: state.faulty.get(kind, now) for kind in signals.faults})
    gone = _gone(signals, state, now)
    if gone:
        return _without(_Draft(policy, signals, state, now, measured, ()), gone)
    if signals.blind and state.phase not in ("canary", "leaving"):
        return _Draft(policy, signals, state, now, measured, ()).hold("blind", "blind", signals.blind)
    draft = _Draft(policy, signals, state, now, measured, options(policy, signals, measured))
    if state.phase in ("canary", "watching"):
        return _watch(draft)
    if state.phase == "leaving":
        return _leave(draft)
    return _choose(draft)


def name_of(configuration: Configuration) -> str:
    """By which a configuration is known again: tiers and chunk, sizes to an eighth of themselves."""
    parts = [f"{t.kind}:{max(t.bytes, 1).bit_length()}" for t in configuration.tiers]
    return "+".join([*parts, str(configuration.chunk)]) if parts else "none"


def kinds_of(configuration: Configuration) -> str:
    """By which it is refused: another size or chunk of tiers that did not bring what they should is no other trial."""
    return "+".join(sorted(tier.kind for tier in configuration.tiers)) or "none"


def _refused(configuration: Configuration, refused: Mapping[str, float]) -> bool:
    """Whether tiers that failed are among these."""
    kinds = {tier.kind for tier in configuration.tiers}
    return any(kinds.issuperset(names.split("+")) for names in refused)


def _gone(signals: Signals, state: State, now: float) -> list[str]:
    """Kinds of standing tiers that engines should be without: corrupt ones at once, unreadable ones when they have not
    come back for a while."""
    return [
        kind
        for kind, fault in signals.faults.items()
        if fault.unusable
        and signals.standing.bytes_of(kind) > 0
        and (fault.reason == "VolumeCorrupt" or now - state.faulty[kind] >= _GONE_FOR)
    ]


def _without(draft: _Draft, gone: list[str]) -> Decision:
    """The standing tiers without those, none where a canary alone had them; tried again when nothing is wrong with them
    any more."""
    standing, state = draft.signals.standing, draft.state
    left = () if draft.signals.canaried else tuple(tier for tier in standing.tiers if tier.kind not in gone)
    plan = replace(standing, tiers=left) if left else Configuration(prompt_only=draft.policy.prompt_only)
    until = draft.now + _REFUSAL
    return draft.done(
        "roll-back",
        plan,
        False,
        "fault",
        draft.signals.faults[gone[0]].sentence.rstrip("."),
        phase="steady",
        since=draft.now,
        changed_at=draft.now,
        trial=None,
        previous=None,
        before=None,
        ready_at=None,
        warm_at=None,
        refused={**state.refused, **dict.fromkeys(gone, until)},
        candidate="",
        agreed=0,
    )


class _Draft:
    """One decision in the making."""

    def __init__(
        self,
        policy: Policy,
        signals: Signals,
        state: State,
        now: float,
        measured: Measured,
        found: tuple[Option, ...],
    ) -> None:
        self.policy, self.signals, self.state, self.now = policy, signals, state, now
        self.measured, self.found = measured, found
        everywhere = signals.standing if not signals.canaried else Configuration(prompt_only=policy.prompt_only)
        self.everywhere = everywhere
        self.clamps: list[Clamp] = []

    def gain_of(self, configuration: Configuration) -> Gain:
        return evaluate(self.policy, self.signals, self.measured, configuration)

    def hold(self, binding: str, verb: Verb = "hold", why: str = "", **changes: Any) -> Decision:
        """What stands, stands; `changes` to the state."""
        return self.done(verb, self.signals.standing, self.signals.canaried, binding, why, **changes)

    def done(
        self,
        verb: Verb,
        plan: Configuration,
        canary: bool,
        binding: str,
        why: str = "",
        wanted: Option | None = None,
        **changes: Any,
    ) -> Decision:
        slow = self.state.slow
        if self.signals.window >= self.policy.evidence:
            slow = sentences.slow_tiers(self.policy, self.signals, self.measured, slow)
        state = replace(self.state, at=self.now, slow=slow, **changes)
        told = wanted.configuration if wanted is not None else plan
        gain = wanted.gain if wanted is not None else self.gain_of(plan)
        return Decision(
            at=self.now,
            verb=verb,
            plan=plan,
            canary=canary,
            before=self.signals.standing,
            binding=binding,
            sentence=sentences.sentence(
                policy=self.policy,
                signals=self.signals,
                measured=self.measured,
                verb=verb,
                binding=binding,
                told=told,
                gain=gain,
                now_gain=self.gain_of(self.everywhere),
                why=why,
                proof=state.proof if not self.signals.canaried and state.trial is None else None,
            ),
            gain=gain,
            inputs=sentences.inputs(self.policy, self.signals, self.measured),
            options=_shown(self.found),
            clamps=tuple(self.clamps),
            state=state,
            advice=advice(self.signals.classes, self.measured.pool.stored),
        )


# --- what to try -----------------------------------------------------------------------------------------------------


def _choose(draft: _Draft) -> Decision:
    policy, signals, state, now = draft.policy, draft.signals, draft.state, draft.now
    phase = "steady" if signals.window >= policy.evidence else "learning"
    for tier in policy.tiers:
        if tier.limit:
            draft.clamps.append(Clamp("host-memory", "as declared", sentences.size_text(tier.most), tier.limit))
    if signals.window < policy.evidence:
        return draft.hold("evidence", phase=phase, candidate="", agreed=0)
    refused = {name: until for name, until in state.refused.items() if until > now}
    open_ = tuple(o for o in draft.found if not _refused(o.configuration, refused))
    best = best_of(open_)
    if best.configuration != best_of(draft.found).configuration:
        draft.clamps.append(
            Clamp(
                "refused",
                sentences.tiers_text(best_of(draft.found).configuration),
                sentences.tiers_text(best.configuration),
                "it was tried and brought less than it should have",
            )
        )
    present = draft.gain_of(draft.everywhere)
    binding = _too_little(draft, best, present)
    if binding:
        return draft.hold(binding, phase=phase, candidate="", agreed=0, refused=refused)
    name = name_of(best.configuration)
    agreed = state.agreed + 1 if state.candidate == name else 1
    kept: dict[str, Any] = {"phase": phase, "candidate": name, "agreed": agreed, "refused": refused}
    if policy.mode == "advisory":
        return draft.done("advise", signals.standing, False, "gain", wanted=best, **kept)
    held = _held_back(draft, agreed)
    if held:
        rule, why = held
        draft.clamps.append(
            Clamp(rule, sentences.tiers_text(best.configuration), sentences.tiers_text(signals.standing), why)
        )
        return draft.hold(rule, why=why, **kept)
    kept["candidate"], kept["agreed"] = "", 0
    changed: dict[str, Any] = {"changed_at": now, "since": now, "ready_at": None, "warm_at": None}
    if not best.configuration.tiers:
        return draft.done("retire", best.configuration, False, "gain", wanted=best, **{**kept, **changed})
    saved = (best.gain.gpu_seconds - present.gpu_seconds) * signals.window / 3600.0
    expected = 1000.0 * saved / signals.wanted if signals.wanted > 0 else 0.0
    trial: dict[str, Any] = {"trial": best.configuration, "expected": expected, "before": signals.control}
    trial["each"] = best.gain.each
    trial["previous"] = draft.everywhere
    if _on_one_first(draft):
        return draft.done(
            "canary", best.configuration, True, "gain", wanted=best, **{**kept, **changed, **trial, "phase": "canary"}
        )
    return draft.done(
        "keep", best.configuration, False, "gain", wanted=best, **{**kept, **changed, **trial, "phase": "watching"}
    )


def _too_little(draft: _Draft, best: Option, present: Gain) -> str:
    """The rule by which the best configuration is not worth a change, "" when it is."""
    policy, signals = draft.policy, draft.signals
    if not best.configuration.tiers and not draft.everywhere.tiers:
        return "bandwidth" if signals.bandwidths else "unmeasured"
    if best.configuration == draft.everywhere:
        return "gain"
    more = best.gain.net - present.net
    if more <= 0:
        return "gain"
    work = (best.gain.gpu_seconds - present.gpu_seconds) / (3600.0 * max(signals.replicas, 1.0))
    hits = best.gain.hit_rate - present.hit_rate
    money = more / (policy.price * max(signals.replicas, 1.0)) if policy.price > 0 else work
    if hits < policy.least_hit and max(work, money) < policy.least_work:
        return "minimum-gain"
    if best.configuration.tiers and more < _BETTER * present.net:
        return "minimum-gain"
    # every replica serves nothing while it restarts, one of them as the canary that stays; one that stands beside them
    # is paid for from its start until it is judged, and is gone then
    taken = max(signals.replicas, 1.0) * policy.restart
    if _on_one_first(draft) and not policy.in_place:
        taken += policy.restart + _expected_watch(draft)
    unsure = UNSURE * max(best.gain.computing - present.computing, 0.0) / 3600.0
    net = more / policy.price if policy.price > 0 else (best.gain.gpu_seconds - present.gpu_seconds) / 3600.0
    if not _worth(draft, net, unsure, taken):
        return "pay-back"
    return ""


def _worth(draft: _Draft, net: float, unsure: float, taken: float) -> bool:
    """Whether a change that saves `net` replicas (seconds a second), of which `unsure` may not be there to save, pays
    back the `taken` seconds that it costs; and loses next to nothing where that much is not there."""
    policy, signals = draft.policy, draft.signals
    left = net - taken / policy.pay_back
    if left < 0:
        return False
    if signals.window <= 0 or signals.requests <= 0:
        return left >= unsure
    past = signals.device_hits / signals.requests
    each = recompute_seconds(policy, max(signals.wanted / signals.requests - past, 0.0), past)
    return unsure - left <= _MOST_LOST * each * signals.requests / signals.window


def _on_one_first(draft: _Draft) -> bool:
    """Whether there is room for a canary, and nothing that stands would have to be on it as well."""
    return (draft.policy.spare or draft.policy.in_place) and not draft.everywhere.tiers


def _held_back(draft: _Draft, agreed: int) -> tuple[str, str] | None:
    policy, signals, state, now = draft.policy, draft.signals, draft.state, draft.now
    if signals.rolling:
        return "rollout", "a roll-out is under way"
    # each trial in a row that failed doubles the wait for the next, whatever it is
    cool_down = policy.cool_down * 2.0 ** min(state.failures, 8)
    if state.changed_at is not None and now - state.changed_at < cool_down:
        left = cool_down - (now - state.changed_at)
        return "cool-down", f"the last change of tiers was {now - state.changed_at:.0f} s ago ({left:.0f} s to go)"
    if agreed < _AGREE:
        return "evidence", "it has to look better twice in a row"
    return None


# --- what is being tried ---------------------------------------------------------------------------------------------


def _watch(draft: _Draft) -> Decision:
    policy, signals, state, now = draft.policy, draft.signals, draft.state, draft.now
    trial = state.trial or signals.standing
    if signals.canary is None or (state.phase == "watching" and signals.rolling):
        if now - state.since > _STARTS * policy.restart * (1.0 if state.phase == "canary" else signals.replicas + 1):
            return _back(draft, "the replica with the tiers did not become ready in time", at_once=True)
        return draft.hold("canary", why="it is starting")
    ready_at = state.ready_at if state.ready_at is not None else now
    watched = now - ready_at
    control = signals.control if state.phase == "canary" else state.before
    need = _watch_seconds(draft)
    enough = signals.canary.prompt >= 1000.0 and (control is None or control.prompt >= 1000.0)
    clear = watched >= _FIRST * policy.watch[0] and _clear(draft, signals.canary, control, watched)
    if state.warm_at is None and watched >= need / 2 and not clear:
        # what it did while its tiers were filling is not counted
        return draft.hold("canary", why="its tiers are warm now", ready_at=ready_at, warm_at=now)
    if watched < need and not clear:
        return draft.hold("canary", why=f"watched for {watched:.0f} of {need:.0f} s", ready_at=ready_at)
    if not enough and watched < policy.watch[1]:
        return draft.hold("canary", why=f"watched for {watched:.0f} of {need:.0f} s", ready_at=ready_at)
    if control is None or not enough:
        return _back(draft, "there was too little traffic to compare it by")
    if signals.canary.errors > control.errors * 2 + 0.02 * signals.canary.requests:
        return _back(draft, "requests fail on the replica with the tiers", at_once=True)
    told = sentences.trial_text(policy, signals.canary, control, state.each)
    if not clear and _shown_by(draft, signals.canary, control) < _SHOWN * state.expected:
        return _back(draft, f"{told}; {state.expected * 1000:.1f} ms were expected to be saved")
    if not clear and not _pays(draft, trial, _shown_by(draft, signals.canary, control), signals.canary):
        return _back(draft, f"{told}, which does not pay for the tiers and the restarts within a day")
    if (slower := _slower(policy, signals.canary, control)) is not None:
        return _back(draft, f"TTFT was {slower[0] * 1000:.0f} ms with it, and {slower[1] * 1000:.0f} ms without")
    why = told
    done: dict[str, Any] = {
        "phase": "steady",
        "since": now,
        "trial": None,
        "previous": None,
        "before": None,
        "ready_at": None,
        "warm_at": None,
        "failures": 0,
        "proof": Proof(now, True, trial, control, signals.canary, state.expected, state.each),
    }
    if state.phase == "canary":
        return draft.done("keep", trial, False, "canary", why, **{**done, "changed_at": now})
    return draft.hold("canary", why=why, **done)


def _shown_by(draft: _Draft, canary: Window, control: Window) -> float:
    """Seconds that tiers save per 1,000 prompt tokens, beyond what those that stood before did."""
    policy, each = draft.policy, draft.state.each
    return sentences.saved_of(policy, canary, each) - sentences.saved_of(policy, control, each)


def _clear(draft: _Draft, canary: Window, control: Window | None, watched: float) -> bool:
    """Whether a canary that is not warm yet shows what it has to when it is, or half of what it can by now: it only
    gets better. What comes again after `t` seconds finds a tier that has been filling for longer than that."""
    if control is None or min(canary.prompt, control.prompt) < _CLEAR_TOKENS:
        return False
    expected, trial = draft.state.expected, draft.state.trial or draft.signals.standing
    share = draft.measured.replica.time_share(watched / 2)
    shown = _shown_by(draft, canary, control)
    by_now = share >= _FILLED and shown >= max(_CLEAR * share, _FILLED * _SHOWN) * expected
    if not by_now and shown < _SHOWN * expected:
        return False
    warm = min(shown / max(share, _FILLED), max(shown, expected))
    return _pays(draft, trial, warm, canary) and _slower(draft.policy, canary, control) is None


def _pays(draft: _Draft, trial: Configuration, saved: float, canary: Window) -> bool:
    """Whether tiers that save so many seconds per 1,000 prompt tokens are worth their price, and the restarts that are
    still to come: after a canary those of all replicas, or of all others where it stays; none where all have the tiers
    already. Of what the canary did not compute so much may not have been there to save (`UNSURE`)."""
    policy, signals = draft.policy, draft.signals
    unsure = UNSURE * draft.state.each * canary.loaded / canary.prompt if canary.prompt > 0 else 0.0
    rent = draft.gain_of(trial).cost - draft.gain_of(draft.state.previous or Configuration()).cost
    tokens = signals.wanted / signals.window if signals.window > 0 else 0.0
    net = saved / 1000.0 * tokens - (rent / policy.price if policy.price > 0 else 0.0)
    others = max(signals.replicas - (1.0 if policy.in_place else 0.0), 1.0)
    restarts = others * policy.restart if draft.state.phase == "canary" else 0.0
    return _worth(draft, net, unsure * tokens, restarts)


def _slower(policy: Policy, canary: Window, control: Window) -> tuple[float, float] | None:
    """Both TTFT, where the canary's is longer than its requests account for."""
    with_, without = _ttft(canary), _ttft(control)
    if with_ is None or without is None:
        return None
    computed = sentences.cost_of(policy, canary) + sentences.saved_of(policy, canary)
    harder = computed / sentences.cost_of(policy, control) if sentences.cost_of(policy, control) > 0 else 1.0
    longer = (canary.prompt / canary.requests) / (control.prompt / control.requests)
    return (with_, without) if with_ > without * _SLOWER * max(1.0, harder * longer) + 0.005 else None


def _watch_seconds(draft: _Draft) -> float:
    """A new tier is empty: what comes again within the 95th percentile of reuse has to have had time to."""
    late = draft.measured.replica.time_quantile(0.95) or 0.0
    least, most = draft.policy.watch
    return min(max(least, 2.0 * late), most)


def _expected_watch(draft: _Draft) -> float:
    """Until a canary that does what it should is clear (`_clear`): by then enough has come again, and enough prompts
    have reached it, which is one replica more."""
    signals = draft.signals
    soon = draft.measured.replica.time_quantile(_FILLED) or 0.0
    each = signals.wanted / signals.window / (signals.replicas + 1.0)
    filled = _CLEAR_TOKENS / each if each > 0 else draft.policy.watch[1]
    return min(max(_FIRST * draft.policy.watch[0], 2.0 * soon, filled), _watch_seconds(draft))


def _back(draft: _Draft, why: str, at_once: bool = False) -> Decision:
    """What stood before, again. A canary that serves in the place of a replica goes when one without tiers has started,
    where an accelerator is free for that; `at_once`: it does not serve as it should."""
    state, now = draft.state, draft.now
    trial = state.trial or draft.signals.standing
    until = now + min(_REFUSAL * 2**state.failures, _LONGEST_REFUSAL)
    stood = state.previous or Configuration(prompt_only=draft.policy.prompt_only)
    control = draft.signals.control if state.phase == "canary" else state.before
    stays = state.phase == "canary" and draft.policy.in_place and draft.policy.spare and not at_once
    return draft.done(
        "roll-back",
        draft.signals.standing if stays else stood,
        stays,
        "canary",
        f"{why}; the replica that has them serves until one without them is ready" if stays else why,
        phase="leaving" if stays else "steady",
        since=now,
        changed_at=now,
        trial=None,
        previous=None,
        before=None,
        ready_at=None,
        warm_at=None,
        proof=Proof(now, False, trial, control, draft.signals.canary, state.expected, state.each),
        failures=state.failures + 1,
        refused={**state.refused, kinds_of(trial): until},
        candidate="",
        agreed=0,
    )


def _leave(draft: _Draft) -> Decision:
    """A canary that failed makes room when a replica without tiers serves in its place, or none has started."""
    signals, waited = draft.signals, draft.now - draft.state.since
    stood = Configuration(prompt_only=draft.policy.prompt_only)
    if not signals.canaried:
        return draft.done("hold", signals.standing, False, "gain", phase="steady", since=draft.now)
    if signals.short > 0 and waited <= _STARTS * draft.policy.restart:
        return draft.hold("leaving", why="a replica without them is starting")
    why = "one without them serves in its place" if signals.short <= 0 else "none without them could be started beside"
    why = f"the replica that had them goes: {why}"
    return draft.done("roll-back", stood, False, "leaving", why, phase="steady", since=draft.now)


def _ttft(window: Window) -> float | None:
    return window.ttft_sum / window.requests if window.requests > 0 and window.ttft_sum > 0 else None


def _shown(found: tuple[Option, ...]) -> tuple[Option, ...]:
    """Of each set of tiers the best chunk: what people and replays need, not all."""
    kept: dict[tuple[tuple[str, int], ...], Option] = {}
    for option in found:
        key = tuple((t.kind, t.bytes) for t in option.configuration.tiers)
        if key not in kept or option.gain.net > kept[key].gain.net:
            kept[key] = option
    return tuple(kept.values())
