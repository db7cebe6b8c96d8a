"""The picker's formulas and choice."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.embedded.gateway.domain.config import DEFAULT, ConfigError, PickerConfig, WeightedScorer, read_config
from apps.embedded.gateway.domain.endpoints import Candidate, Endpoint, Load
from apps.embedded.gateway.domain.picker import pick, weighted_scores
from apps.embedded.gateway.domain.scorers import SCORERS


def candidate(
    name: str = "a", *, waiting: int = 0, running: int = 0, usage: float = 0.0, matched: int = 0, inflight: int = 0,
    tokens: int = 0, known: bool = True, labels: dict[str, str] | None = None,
) -> Candidate:  # fmt: skip
    load = Load(waiting, running, usage) if known else None
    return Candidate(Endpoint(name, f"{name}:8000", labels or {}), load, inflight, tokens, matched)


def scores(scorer: str, *candidates: Candidate, blocks: int = 0, **parameters: object) -> list[float]:
    return SCORERS[scorer](candidates, blocks, parameters)


def test_queue_is_relative_to_the_candidates() -> None:
    assert scores("queue-scorer", *(candidate(waiting=n) for n in (0, 1))) == [1.0, 0.0]
    assert scores("queue-scorer", *(candidate(waiting=n) for n in (4, 2, 0))) == [0.0, 0.5, 1.0]
    assert scores("queue-scorer", *(candidate(waiting=n) for n in (7, 7))) == [1.0, 1.0]
    assert scores("running-requests-scorer", *(candidate(running=n) for n in (10, 0, 5))) == [0.0, 1.0, 0.5]


def test_unknown_load_is_not_zero_load() -> None:
    pair = (candidate(known=False), candidate(waiting=3, usage=0.25))
    assert scores("queue-scorer", *pair) == [0.0, 1.0]
    assert scores("kv-cache-utilization-scorer", *pair) == [0.0, 0.75]
    assert scores("load-aware-scorer", *pair) == [0.0, pytest.approx(0.5 * (1 - 3 / 128))]


def test_the_other_formulas() -> None:
    assert scores("prefix-cache-scorer", candidate(matched=3), candidate(matched=12), blocks=12) == [0.25, 1.0]
    assert scores("prefix-cache-scorer", candidate(), blocks=0) == [0.0]
    assert scores("load-aware-scorer", candidate(waiting=0), candidate(waiting=64), candidate(waiting=500)) == [
        0.5, 0.25, 0.0,
    ]  # fmt: skip
    assert scores("token-load-scorer", candidate(tokens=0), candidate(tokens=2_097_152)) == [1.0, 0.5]
    assert scores("active-request-scorer", *(candidate(inflight=n) for n in (0, 2, 8))) == [1.0, 0.75, 0.0]


def test_weights_are_2_2_3_by_default() -> None:
    good_prefix = candidate(waiting=1, usage=0.5, matched=10)
    idle = candidate(waiting=0, usage=0.0, matched=0)
    assert weighted_scores(DEFAULT, [good_prefix, idle], 10) == [2 * 0 + 2 * 0.5 + 3 * 1, 2 * 1 + 2 * 1 + 0]


def test_highest_score_wins_and_ties_are_broken_evenly() -> None:
    loaded = [candidate("busy", waiting=9, usage=0.9), candidate("a"), candidate("b")]
    rng = random.Random(7)
    wins = Counter(pick(DEFAULT, loaded, 4, rng).chosen.key for _ in range(2000))
    assert set(wins) == {"a", "b"}
    assert 850 < wins["a"] < 1150


def test_falls_back_by_score() -> None:
    chosen = pick(DEFAULT, [candidate("c", waiting=9), candidate("a", waiting=0), candidate("b", waiting=3)], 0,
                  random.Random(1))  # fmt: skip
    assert [endpoint.key for endpoint in chosen.order] == ["a", "b", "c"]
    assert pick(DEFAULT, [], 0, random.Random(1)) is None


def test_weighted_random_follows_the_scores() -> None:
    config = PickerConfig((WeightedScorer("kv-cache-utilization-scorer", 1.0),), picker="weighted-random-picker")
    pair = [candidate("a", usage=0.25), candidate("b", usage=0.75)]
    rng = random.Random(3)
    wins = Counter(pick(config, pair, 0, rng).chosen.key for _ in range(4000))
    assert 0.70 < wins["a"] / 4000 < 0.80


@given(
    st.lists(
        st.builds(
            candidate,
            waiting=st.integers(0, 500), running=st.integers(0, 500), usage=st.floats(0, 1),
            matched=st.integers(0, 16), inflight=st.integers(0, 500), tokens=st.integers(0, 10**8), known=st.booleans(),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_every_scorer_stays_between_0_and_1(candidates: list[Candidate]) -> None:
    for scorer in SCORERS.values():
        found = scorer(candidates, 16, {})
        assert len(found) == len(candidates)
        assert all(0 <= score <= 1 for score in found)


def test_config_document() -> None:
    config = read_config(
        {
            "apiVersion": "inference.networking.x-k8s.io/v1alpha1",
            "kind": "EndpointPickerConfig",
            "plugins": [
                {"type": "queue-scorer"},
                {"type": "prefix-cache-scorer", "name": "prefix", "parameters": {"blockSizeTokens": 32}},
                {"type": "decode-filter"},
                {"type": "random-picker"},
            ],
            "schedulingProfiles": [
                {
                    "name": "default",
                    "plugins": [
                        {"pluginRef": "decode-filter"},
                        {"pluginRef": "queue-scorer", "weight": 2},
                        {"pluginRef": "prefix", "weight": 3},
                        {"pluginRef": "random-picker"},
                    ],
                }
            ],
        }
    )
    assert [(one.type, one.weight) for one in config.scorers] == [("queue-scorer", 2.0), ("prefix-cache-scorer", 3.0)]
    assert (config.picker, config.block_tokens) == ("random-picker", 32)
    prefill, none = candidate("p", labels={"llm-d.ai/role": "prefill"}), candidate("n")
    assert pick(config, [prefill, none], 0, random.Random(1)).order == (none.endpoint,)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"kind": "ConfigMap"}, "kind EndpointPickerConfig"),
        ({"plugins": [{"type": "fastest-scorer"}]}, r"plugins\[0\]: unknown plugin type 'fastest-scorer'"),
        ({"plugins": [{"type": "queue-scorer"}, {"type": "queue-scorer"}]}, "the name 'queue-scorer' is taken"),
        ({"schedulingProfiles": [{"plugins": [{"pluginRef": "x"}]}]}, r"plugins\[0\]: no plugin is named 'x'"),
        ({"schedulingProfiles": [{}, {}]}, "exactly one profile"),
        (
            {
                "plugins": [{"type": "queue-scorer"}],
                "schedulingProfiles": [{"plugins": [{"pluginRef": "queue-scorer", "weight": "2"}]}],
            },
            "the weight of queue-scorer must be a number",
        ),
        (
            {"plugins": [{"type": "prefix-cache-scorer", "parameters": {"blockSize": 0}}]},
            "blockSize must be a positive integer, not 0",
        ),
    ],
)
def test_bad_config_is_refused(document: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read_config({"kind": "EndpointPickerConfig", **document})
