"""The scorers' formulas by worked examples, and what holds of all of them."""

from __future__ import annotations

import base64
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.physics.routing import Adapters, Candidate, Request
from apps.physics.routing.plugins.precise import spread
from apps.physics.routing.registry import PLUGIN_TYPES
from tests.support.routing import Picker, Words, candidate, document


def scores(scorer: str, *candidates: Candidate, request: Request | None = None, **parameters: object) -> list[float]:
    return Picker(document({"type": scorer, "parameters": parameters})).scores(*candidates, request=request)


def test_queue_is_relative_to_the_candidates() -> None:
    assert scores("queue-scorer", *(candidate(str(n), waiting=n) for n in (0, 1))) == [1.0, 0.0]
    assert scores("queue-scorer", *(candidate(str(n), waiting=n) for n in (4, 2, 0))) == [0.0, 0.5, 1.0]
    assert scores("queue-scorer", candidate("a", waiting=7), candidate("b", waiting=7)) == [1.0, 1.0]
    assert scores("running-requests-scorer", *(candidate(str(n), running=n) for n in (10, 0, 5))) == [0.0, 1.0, 0.5]


def test_unknown_load_is_not_zero_load() -> None:
    pair = (candidate("a", known=False), candidate("b", waiting=3, usage=0.25))
    assert scores("queue-scorer", *pair) == [0.0, 1.0]
    assert scores("kv-cache-utilization-scorer", *pair) == [0.0, 0.75]
    assert scores("load-aware-scorer", *pair) == [0.0, pytest.approx(0.5 * (1 - 3 / 128))]
    assert scores("lora-affinity-scorer", *pair) == [0.0, 0.0]


def test_load_in_absolute_terms() -> None:
    assert scores("load-aware-scorer", *(candidate(str(n), waiting=n) for n in (0, 64, 500))) == [0.5, 0.25, 0.0]
    assert scores("token-load-scorer", candidate("a"), candidate("b", tokens=2_097_152)) == [1.0, 0.5]
    assert scores("active-request-scorer", *(candidate(str(n), inflight=n) for n in (0, 2, 8))) == [1.0, 0.75, 0.0]
    assert scores(
        "active-request-scorer", *(candidate(str(n), inflight=n) for n in (1, 4, 8)), idleThreshold=1, maxBusyScore=0.5
    ) == [1.0, 0.25, 0.0]


def test_tokens_of_the_request_itself_count_where_they_are_not_cached() -> None:
    picker = Picker(
        document(
            "approx-prefix-cache-producer",
            "inflight-load-producer",
            "token-load-scorer",
            profile=[("token-load-scorer", 1)],
        )
    )
    warm, cold = candidate("a"), candidate("b")
    request = Request(Words(range(10), tokens=640))
    picker.scheduler.sent(picker.ask(warm, request=request))
    most = 4_194_304
    assert picker.scores(warm, cold, request=request) == [1.0, pytest.approx(1 - 640 / most)]


def test_adapters() -> None:
    full = Adapters(frozenset({"x", "y"}), frozenset({"z"}), 3)
    room = Adapters(frozenset({"x"}), frozenset(), 3)
    mine = Adapters(frozenset({"sql"}), frozenset({"x", "y"}), 3)
    waits = Adapters(frozenset({"x", "y"}), frozenset({"sql"}), 3)
    candidates = [candidate(str(n), adapters=each) for n, each in enumerate((mine, room, waits, full))]
    assert scores("lora-affinity-scorer", *candidates, request=Request(model="sql")) == [1.0, 0.8, 0.6, 0.0]


def test_a_session_stays_with_its_pod() -> None:
    token = base64.b64encode(b"ns/b").decode()
    pair = (candidate("a"), candidate("b"))
    request = Request(headers={"x-session-token": token})
    assert scores("session-affinity-scorer", *pair, request=request) == [0.0, 1.0]
    for broken in ("", "%%%", base64.b64encode(b"\xff").decode()):
        assert scores("session-affinity-scorer", *pair, request=Request(headers={"x-session-token": broken})) == [0, 0]
    picker = Picker(document("session-affinity-filter", "queue-scorer"))
    assert picker.ask(*pair, request=request).chosen.pod == "ns/b"
    assert picker.scheduler.answer_headers(pair[1].endpoint) == {"x-session-token": token}
    assert len(picker.ask(candidate("a"), candidate("c"), request=request).run.candidates) == 2


def test_a_guessed_prefix_counts_by_its_share() -> None:
    picker = Picker(document({"type": "prefix-cache-scorer", "parameters": {"blockSizeTokens": 64}}))
    a, b = candidate("a"), candidate("b")
    picker.scheduler.sent(picker.ask(a, request=Request(Words([1, 2, 3, 4]))))
    assert picker.scores(a, b, request=Request(Words([1, 2, 3, 9]))) == [0.75, 0.0]
    assert picker.scores(a, b, request=Request(Words([9, 2, 3, 4]))) == [0.0, 0.0]
    assert picker.scores(a, b) == [0.0, 0.0]
    picker.scheduler.forget(a.key)
    assert picker.scores(a, b, request=Request(Words([1, 2, 3, 4]))) == [0.0, 0.0]


def test_an_absolute_match_can_count() -> None:
    weighted = {"type": "prefix-cache-scorer", "parameters": {
        "prefixMatchInfoProducerName": "approx-prefix-cache-producer", "absoluteMatchWeight": 0.5}}  # fmt: skip
    producer = {"type": "approx-prefix-cache-producer", "parameters": {"blockSizeTokens": 1024}}
    picker = Picker(document(producer, weighted, profile=[("prefix-cache-scorer", 1)]))
    picker.scheduler.sent(picker.ask(candidate("a"), request=Request(Words([1, 2, 3, 4]))))
    # half of 8192 tokens: 0.5 * 0.5^2 + 0.5 * 4/8
    asked = Request(Words([1, 2, 3, 4, 5, 6, 7, 8]))
    assert picker.scores(candidate("a"), request=asked) == [pytest.approx(0.5 * 0.25 + 0.5 * 0.5)]


def test_the_index_is_as_large_as_its_configuration_says() -> None:
    small = {"type": "prefix-cache-scorer", "name": "gpu", "parameters": {"lruCapacityPerServer": 2}}
    large = {"type": "prefix-cache-scorer", "name": "cpu", "parameters": {"lruCapacityPerServer": 8}}
    picker = Picker(document(small, large, apiVersion="inference.networking.x-k8s.io/v1alpha1"))
    for first in (1, 11):
        picker.scheduler.sent(picker.ask(candidate("a"), request=Request(Words([first, first + 1]))))
    asked = Request(Words([1, 2]))
    assert picker.scores(candidate("a"), request=asked, scorer="gpu") == [0.0]
    assert picker.scores(candidate("a"), request=asked, scorer="cpu") == [1.0]


def test_cold_requests_go_where_the_last_cold_one_was_longest_ago() -> None:
    picker = Picker(document("prefix-cache-scorer", "no-hit-lru-scorer", profile=[("no-hit-lru-scorer", 1)]))
    trio = [candidate(name) for name in "abc"]
    assert picker.scores(*trio, request=Request(Words([1]))) == [1.0, 0.5, 0.0]
    order = [picker.send(*trio, request=Request(Words([number]))).chosen.pod[-1] for number in range(6)]
    assert order == ["a", "b", "c", "a", "b", "c"]
    assert picker.scores(*trio, request=Request(Words([0]))) == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ([0, 0], [0, 0]),
        ([5, 5, 0], [1, 1, 0]),
        ([2, 6, 4, 0], [0, 1, 0.5, 0]),
        ([3], [1]),
    ],
)
def test_precise_scores_of_0_5_are_spread_over_those_with_a_hit(raw: list[float], expected: list[float]) -> None:
    assert spread(raw) == expected


def test_every_plugin_says_what_it_is_for() -> None:
    assert all(each.summary and each.releases for each in PLUGIN_TYPES.values())


SCORERS = sorted(each.type for each in PLUGIN_TYPES.values() if each.part == "scorer" and "precise" not in each.type)
REPLICAS = st.lists(
    st.builds(
        candidate,
        st.sampled_from("abcdefgh"),
        waiting=st.integers(0, 500),
        running=st.integers(0, 500),
        usage=st.floats(0, 1),
        inflight=st.integers(0, 500),
        tokens=st.integers(0, 10_000_000),
        known=st.booleans(),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda each: each.key,
)


@pytest.mark.parametrize("scorer", SCORERS)
@given(REPLICAS, st.lists(st.integers(0, 3), max_size=6))
def test_every_scorer_stays_between_0_and_1(scorer: str, candidates: list[Candidate], blocks: list[int]) -> None:
    picker = Picker(document(scorer))
    for _ in range(2):
        plugin = picker.scheduler.config.profiles["default"].scorers[0].scorer
        decision = picker.send(*candidates, request=Request(Words(blocks, len(blocks) * 64), model="m"))
        found = plugin.score(decision.cycle, candidates)
        assert len(found) == len(candidates)
        assert all(0 <= score <= 1 for score in found)


@given(REPLICAS)
def test_less_load_never_scores_lower(candidates: list[Candidate]) -> None:
    for scorer, load in (("queue-scorer", "waiting"), ("running-requests-scorer", "running")):
        known = [each for each in candidates if each.load]
        found = scores(scorer, *known) if known else []
        by_load = sorted(zip(known, found, strict=True), key=lambda pair: getattr(pair[0].load, load))
        assert all(one >= other for (_, one), (_, other) in itertools.pairwise(by_load))
