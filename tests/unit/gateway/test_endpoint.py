"""The endpoint gateway's decisions: configuration, which pool, what a key has left."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.embedded.endpoint.domain.config import ConfigError, Limits, order, read_config
from apps.embedded.endpoint.domain.quota import Quota


def backend(pool: str, **more: Any) -> dict[str, Any]:
    return {"pool": pool, "url": f"http://{pool}.serving.svc:8000/", "model": "llama", **more}


def document(**more: Any) -> dict[str, Any]:
    model = {
        "backends": [backend("blue", weight=90), backend("green", weight=10, model="sql"), backend("spare", weight=0)],
        "failover": [backend("far")],
    }
    return {"endpoint": "chat", "models": {"chat": model}, **more}


def test_a_canary_gets_its_share_and_fail_over_comes_last() -> None:
    model = read_config(document()).models["chat"]
    first = Counter(order(model, number / 1000)[0].pool for number in range(1000))
    assert first == {"blue": 900, "green": 100}
    assert [each.pool for each in order(model, 0.95)] == ["green", "blue", "spare", "far"]
    assert model.backends[1].model == "sql"
    assert model.backends[0].url == "http://blue.serving.svc:8000"


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ([], "the document must be a mapping"),
        ({"models": {}}, "models must name at least one model"),
        ({"models": {"a": {"backends": []}}}, "models.a needs at least one backend"),
        ({"models": {"a": {"backends": [{"pool": "x"}]}}}, r"models.a.backends\[0\].url must be a string"),
        ({"models": {"a": {"backends": [backend("x", weight=-1)]}}}, "weight must be a number"),
        ({"models": {"a": {"backends": [backend("x", wait=1)]}}}, "wait is not known"),
        (document(limits={"default": {"band": 3}}), "band must be the name of a band"),
        (document(limits={"default": {"tokensPerMinute": 0}}), "tokensPerMinute must be a positive integer"),
        (document(color="red"), "color is not known"),
    ],
)
def test_what_cannot_be_used_is_said(broken: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read_config(broken)


def test_limits_are_a_keys_own_or_the_default() -> None:
    config = read_config(document(limits={"default": {"requestsPerMinute": 6}, "ada": {"tokensPerMinute": 50}}))
    assert config.limits_of("ada") == Limits(None, 50)
    assert config.limits_of("bob") == Limits(6, None)


def test_requests_a_minute() -> None:
    quota = Quota(Limits(requests_per_minute=6), now=0.0)
    assert [quota.enter(1, 0.0) for _ in range(6)] == [None] * 6
    refused = quota.enter(1, 0.0)
    assert refused is not None
    assert (refused.wait, "6 requests a minute" in refused.reason) == (10.0, True)
    assert quota.enter(1, 10.0) is None
    assert quota.left(10.0) == {"x-ratelimit-limit-requests": 6, "x-ratelimit-remaining-requests": 0}


def test_tokens_are_settled_by_what_was_used() -> None:
    quota = Quota(Limits(tokens_per_minute=600), now=0.0)
    assert quota.enter(500, 0.0) is None
    refused = quota.enter(200, 0.0)
    assert refused is not None
    assert refused.wait == pytest.approx(10.0)
    quota.settle(500, 100, 0.0)
    assert quota.left(0.0)["x-ratelimit-remaining-tokens"] == 500
    # more than estimated: below zero, and paid back
    assert quota.enter(500, 0.0) is None
    quota.settle(500, 800, 0.0)
    refused = quota.enter(100, 0.0)
    assert refused is not None
    assert refused.wait == pytest.approx(40.0)
    # larger than the bucket: let in when it is full
    assert Quota(Limits(tokens_per_minute=600), 0.0).enter(5000, 0.0) is None


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 300), st.integers(0, 300)), max_size=60))
def test_over_any_time_a_key_gets_no_more_than_its_minute_and_one_bucket(asked: list[tuple[float, int, int]]) -> None:
    quota, now, used, largest = Quota(Limits(tokens_per_minute=600), 0.0), 0.0, 0, 0
    for wait, estimate, real in asked:
        now += wait
        if quota.enter(estimate, now) is None:
            quota.settle(estimate, real, now)
            used, largest = used + real, max(largest, real)
    assert used <= 600 + now * 600 / 60 + largest + 1
