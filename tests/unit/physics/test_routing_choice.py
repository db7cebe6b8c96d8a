"""Filters, pickers, profiles and the reason that is told."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.physics.routing import Request, Scheduler, default_document, explain, read_config, sentence
from apps.physics.routing.scheduler import Refused
from tests.support.routing import Picker, Words, candidate, document

ROLE = "llm-d.ai/role"


def test_weights_are_2_2_3_by_default() -> None:
    picker = Picker(default_document())
    picker.scheduler.sent(picker.ask(candidate("warm"), request=Request(Words([1, 2]))))
    warm, idle = candidate("warm", waiting=1, usage=0.5), candidate("idle")
    decision = picker.ask(warm, idle, request=Request(Words([1, 2])))
    assert decision.run.totals == (2 * 0 + 2 * 0.5 + 3 * 1, 2 * 1 + 2 * 1 + 0)


def test_highest_score_wins_and_ties_are_broken_evenly() -> None:
    picker = Picker(default_document())
    loaded = [candidate("busy", waiting=9, usage=0.9), candidate("a"), candidate("b")]
    wins = Counter(picker.ask(*loaded).chosen.pod for _ in range(2000))
    assert set(wins) == {"ns/a", "ns/b"}
    assert 850 < wins["ns/a"] < 1150


def test_falls_back_by_score() -> None:
    picker = Picker(document("queue-scorer"))
    decision = picker.ask(candidate("c", waiting=9), candidate("a"), candidate("b", waiting=3))
    assert [each.pod for each in decision.order] == ["ns/a", "ns/b", "ns/c"]
    assert picker.scheduler.schedule(Request(), [], picker.rng) is None


def test_weighted_random_follows_the_scores() -> None:
    picker = Picker(document("kv-cache-utilization-scorer", "weighted-random-picker"))
    pair = [candidate("a", usage=0.25), candidate("b", usage=0.75)]
    wins = Counter(picker.ask(*pair).chosen.pod for _ in range(4000))
    assert wins["ns/a"] / 4000 == pytest.approx(0.75, abs=0.03)


def test_the_random_picker_looks_at_nothing() -> None:
    picker = Picker(document("queue-scorer", "random-picker"))
    wins = Counter(picker.ask(candidate("a"), candidate("b", waiting=50)).chosen.pod for _ in range(2000))
    assert 850 < wins["ns/a"] < 1150


def test_roles_and_labels() -> None:
    prefill, decode = (candidate(role[0], labels={ROLE: role}) for role in ("prefill", "decode"))
    none = candidate("n")
    zone = {"type": "by-label", "parameters": {"label": "zone", "validValues": ["a"]}}
    for plugin, expected in (("prefill-filter", "p"), ("decode-filter", "dn")):
        kept = Picker(document(plugin, "queue-scorer")).ask(prefill, decode, none).run.candidates
        assert "".join(each.endpoint.pod[-1] for each in kept) == expected
    scheduler = Scheduler(read_config(document(zone)))
    assert scheduler.schedule(Request(), [prefill], Picker(document("queue-scorer")).rng) is None


def warm(picker: Picker, name: str, blocks: list[int]) -> None:
    picker.scheduler.sent(picker.ask(candidate(name), request=Request(Words(blocks, 64 * len(blocks)))))


def sticky(**parameters: Any) -> Picker:
    return Picker(
        document(
            "approx-prefix-cache-producer",
            "inflight-load-producer",
            {"type": "prefix-cache-affinity-filter", "parameters": parameters},
            "token-load-scorer",
            profile=[("prefix-cache-affinity-filter", 1), ("token-load-scorer", 1)],
            apiVersion="llm-d.ai/v1alpha1",
        )
    )


def test_sticky_until_saturated() -> None:
    picker = sticky(maxTTFTPenaltyMs=1000, peakPrefillThroughput=10_000)
    warm(picker, "a", [1, 2, 3, 4, 5])
    asked = Request(Words([1, 2, 3, 4, 9], 320))
    assert picker.ask(candidate("a", tokens=9_000), candidate("b"), request=asked).chosen.pod == "ns/a"
    # 11,000 tokens at 10,000 a second are 1100 ms, more than 1000 behind an idle one
    assert picker.ask(candidate("a", tokens=11_000), candidate("b"), request=asked).chosen.pod == "ns/b"
    below = Request(Words([1, 2, 3, 8, 9], 320))
    assert len(picker.ask(candidate("a"), candidate("b"), request=below).run.candidates) == 2


def test_full_replicas_are_left_out_unless_all_are() -> None:
    detector = {"type": "utilization-detector", "parameters": {"headroom": 0.2}}
    picker = Picker(document(detector, "queue-scorer"))
    fine, queued, filled = candidate("a", waiting=6), candidate("b", waiting=7), candidate("c", usage=0.97)
    assert [each.endpoint.pod for each in picker.ask(fine, queued, filled).run.candidates] == ["ns/a"]
    assert len(picker.ask(queued, filled).run.candidates) == 2


def pd(release: str, decider: dict[str, Any] | None, handler: dict[str, Any]) -> Picker:
    version = {"0.5": "inference.networking.x-k8s.io/v1alpha1", "current": "llm-d.ai/v1alpha1"}[release]
    profiles = [
        {"name": role, "plugins": [{"pluginRef": f"{role}-filter"}, {"pluginRef": "queue-scorer", "weight": 1}]}
        for role in ("prefill", "decode")
    ]
    prefix = "prefix-cache-scorer" if release == "0.5" else "approx-prefix-cache-producer"
    plugins: list[Any] = [handler, "prefill-filter", "decode-filter", "queue-scorer", prefix]
    listed = document(*plugins, *([decider] if decider else []))["plugins"]
    return Picker(
        {"kind": "EndpointPickerConfig", "apiVersion": version, "plugins": listed, "schedulingProfiles": profiles}
    )


FLEET = [
    candidate("p1", labels={ROLE: "prefill"}, waiting=2),
    candidate("p2", labels={ROLE: "prefill"}),
    candidate("d1", labels={ROLE: "decode"}),
]


@pytest.mark.parametrize(
    "picker",
    [
        pd("0.5", None, {"type": "pd-profile-handler", "parameters": {"threshold": 200}}),
        pd(
            "current",
            {"type": "prefix-based-pd-decider", "parameters": {"nonCachedTokens": 201}},
            {"type": "disagg-profile-handler", "parameters": {"deciderPluginName": "prefix-based-pd-decider"}},
        ),
    ],
    ids=["0.5", "current"],
)
def test_a_long_uncached_prompt_is_handed_over(picker: Picker) -> None:
    long = Request(Words([1, 2, 3, 4], 256))
    decision = picker.send(*FLEET, request=long)
    assert decision.chosen.pod == "ns/d1"
    assert decision.prefill is not None
    assert decision.prefill.chosen.pod == "ns/p2"
    assert "computed on p2 first" in sentence(decision)
    # now the decode replica is believed to hold it, and only what is new counts
    assert picker.send(*FLEET, request=long).prefill is None
    assert picker.send(*FLEET, request=Request(Words([7, 8], 128))).prefill is None
    assert picker.ask(FLEET[2], request=Request(Words([9] * 9, 576))).offered


def test_always_and_never() -> None:
    deciders = {"deciders": {"prefill": "always-disagg-pd-decider"}}
    handler = {"type": "disagg-profile-handler", "parameters": deciders}
    assert pd("current", {"type": "always-disagg-pd-decider"}, handler).ask(*FLEET).prefill is not None
    assert pd("0.5", None, {"type": "pd-profile-handler"}).ask(*FLEET).prefill is not None
    named = {"type": "disagg-profile-handler", "parameters": {"deciderPluginName": "prefix-based-pd-decider"}}
    never = pd("current", {"type": "prefix-based-pd-decider"}, named)
    assert never.ask(*FLEET, request=Request(Words([1], 100_000))).prefill is None


def test_the_reason_names_what_decided() -> None:
    picker = Picker(default_document())
    warm(picker, "a", [1, 2, 3, 4])
    asked = Request(Words([1, 2, 3, 4], 256), model="llama")
    decision = picker.ask(candidate("a", usage=0.5), candidate("b", usage=0.25), request=asked)
    assert sentence(decision) == (
        "a won with 6.00 against 3.50 of b: prefix-cache-scorer +3.00, against kv-cache-utilization-scorer -0.50. "
        "It holds 256 of the prompt's 256 tokens."
    )
    told = explain(decision)
    assert told["winner"] == "ns/a:8000"
    first, second = told["profiles"][0]["candidates"]
    assert (first["endpoint"], first["total"], second["total"]) == ("ns/a:8000", 6.0, 3.5)
    assert first["scores"][2] == {"plugin": "prefix-cache-scorer", "raw": 1.0, "weight": 3.0, "weighted": 3.0}
    assert "share the highest sum" in sentence(Picker(default_document()).ask(candidate("a"), candidate("b")))
    assert sentence(Picker(default_document()).ask(candidate("a"))) == "a was the only candidate."


def latency(**slo: float) -> tuple[Picker, Request]:
    plugins = ["predicted-latency-producer", {"type": "latency-scorer", "parameters": {}}, "latency-slo-admitter"]
    return Picker(document(*plugins, profile=[("latency-scorer", 1)])), Request(Words([1], 1000), **slo)


def teach(picker: Picker, request: Request) -> None:
    """TTFT is 10 ms a waiting request, TPOT 1 ms for ten in flight."""
    for number in range(600):
        waiting, running = number % 40, (number * 7) % 200
        one = candidate("x", waiting=waiting, inflight=running)
        decision = picker.ask(one, request=request)
        picker.scheduler.seen(decision, one.endpoint, 0.01 * waiting + 0.02, 1e-4 * running + 0.01)


def test_foretold_latency_without_limits_takes_the_lowest() -> None:
    picker, request = latency()
    teach(picker, request)
    quick, slow = candidate("quick", waiting=1, inflight=10), candidate("slow", waiting=30, inflight=90)
    decision = picker.ask(slow, quick, request=request)
    assert decision.chosen.pod == "ns/quick"
    foretold = decision.cycle.predicted
    assert foretold[quick.key].ttft < foretold[slow.key].ttft


def test_with_limits_the_tightest_fit_wins_and_nobody_else_does() -> None:
    picker, request = latency(slo_ttft=0.4, slo_tpot=0.1)
    teach(picker, request)
    idle, fits, late = (candidate(name, waiting=waiting, inflight=waiting) for name, waiting in
                        (("idle", 1), ("fits", 15), ("late", 39)))  # fmt: skip
    assert picker.ask(idle, fits, late, request=request).chosen.pod == "ns/fits"
    shed = Request(request.prompt, slo_ttft=0.0001, slo_tpot=0.0001, priority=-1)
    assert isinstance(picker.scheduler.schedule(shed, [fits, late], picker.rng), Refused)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), min_size=1, max_size=6),
    st.sampled_from(["max-score-picker", "weighted-random-picker", "random-picker"]),
)
def test_a_choice_is_always_made_and_orders_everybody(loads: list[tuple[int, float]], name: str) -> None:
    picker = Picker(document("queue-scorer", "kv-cache-utilization-scorer", name))
    candidates = [candidate(str(n), waiting=waiting, usage=usage) for n, (waiting, usage) in enumerate(loads)]
    decision = picker.ask(*candidates)
    assert sorted(each.key for each in decision.order) == sorted(each.key for each in candidates)
    if name == "max-score-picker":
        assert decision.scores[decision.chosen.key] == max(decision.run.totals)
    assert explain(decision)["winner"] == decision.chosen.key
