"""What a pool's self-test says of what was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.gateways.domain.verify import (
    Call,
    Check,
    Facts,
    Pulled,
    adapter,
    cache_hit,
    condition_of,
    counted,
    hand_over,
    prompt,
    pulled_by,
    request,
    selector,
    tier,
    verdict,
    wake,
)
from apps.gateways.reasons import REASONS

FINE = Call(200, 0.5, completion_tokens=4, prompt_tokens=800, cached_tokens=768, served="serving/chat-1:8000")
APART = replace(FINE, route={"prefill": "serving/p-1:8000"})
REFUSED = Call(503, 0.1, "no ready endpoint")
SILENT = Call(None, 60.0, "no answer within 60 s.")


def test_prompts_are_new_each_time_and_long_enough_to_be_handed_over() -> None:
    facts = Facts("llama", picker=True, disaggregated=True, uncached=2000)
    assert len(prompt("a", facts).split()) == 4001
    assert prompt("a", facts).split()[0] != prompt("b", facts).split()[0]
    assert len(prompt("a", facts, short=True).split()) == 61


@pytest.mark.parametrize(
    ("check", "status", "sentence"),
    [
        (request(FINE), "passed", "answered by serving/chat-1:8000 in 0.50 s"),
        (request(REFUSED), "failed", "status 503: no ready endpoint"),
        (request(SILENT), "failed", "no answer within 60 s"),
        (request(Call(200, 0.1)), "failed", "the answer was empty"),
        (cache_hit(FINE), "passed", "768 of 800 prompt tokens"),
        (cache_hit(Call(200, 0.1, completion_tokens=4, cached_tokens=0)), "failed", "nothing of the second"),
        (cache_hit(Call(200, 0.1, completion_tokens=4)), "unknown", "--enable-prompt-tokens-details"),
        (cache_hit(REFUSED), "failed", "status 503"),
        (
            hand_over(APART, Pulled(784, 102.8e6)),
            "passed",
            "784 of 800 prompt tokens (102.8 MB) was computed by serving/p",
        ),
        (hand_over(APART, Pulled(784)), "passed", "pulled by serving/chat-1:8000, by the engine's own counters"),
        (hand_over(APART, Pulled(300)), "failed", "serving/chat-1:8000 pulled nothing of the prompt"),
        (hand_over(APART, None), "unknown", "was sent to serving/p-1:8000; whether"),
        (hand_over(replace(FINE, route={"prefill": None, "reason": "x won"}), Pulled(784)), "failed", "x won"),
        # llm-d's own picker tells nothing: the engines do
        (hand_over(FINE, Pulled(784)), "passed", "computed by a replica for prefill"),
        (hand_over(FINE, Pulled(0)), "failed", "computed it itself"),
        (hand_over(FINE, None), "unknown", "could not be read"),
        (hand_over(REFUSED, None), "skipped", "not answered"),
        (tier(FINE, 1e6, 53.4e6), "passed", "52.4 MB of KV"),
        (tier(FINE, 9e6, 2e6), "passed", "2.0 MB of KV"),
        (tier(FINE, 1e6, 1e6), "failed", "left nothing in the tiers"),
        (tier(FINE, None, None), "unknown", "say nothing of tiers"),
        (tier(REFUSED, 0.0, 0.0), "skipped", "not answered"),
        (adapter("sql", FINE), "passed", "adapter sql answered"),
        (adapter("sql", Call(404, 0.1, "no such model")), "failed", "no such model"),
        (wake(Facts("m", True, sleeps=True, awake=0), FINE), "passed", "no replica awake"),
        (wake(Facts("m", True, sleeps=True, awake=0), SILENT), "failed", "did not wake"),
        (wake(Facts("m", True, sleeps=True), FINE), "skipped", "was awake"),
    ],
)
def test_each_check(check: Check, status: str, sentence: str) -> None:
    assert (check.status, sentence in check.message) == (status, True), check


def test_what_was_pulled_is_the_gain_of_the_replica_that_served() -> None:
    before = {"10.0.0.1": Pulled(100, 1e6), "10.0.0.2": Pulled(50, None), "10.0.0.3": Pulled(0)}
    after = {"10.0.0.1": Pulled(900, 3e6), "10.0.0.2": Pulled(60, None)}
    assert pulled_by(replace(FINE, address="10.0.0.1:8000"), before, after) == Pulled(800, 2e6)
    assert pulled_by(replace(FINE, address="10.0.0.2:8000"), before, after) == Pulled(10, None)
    assert pulled_by(replace(FINE, address="10.0.0.3:8000"), before, after) is None
    assert pulled_by(FINE, before, after) == Pulled(810, None)
    assert pulled_by(FINE, {}, after) is None
    anew = {"10.0.0.1": Pulled(40, 5e5)}
    assert pulled_by(replace(FINE, address="10.0.0.1:8000"), before, anew) == Pulled(40, 5e5)


def test_the_verdict_and_its_registered_reason() -> None:
    fine, unknown = request(FINE), cache_hit(Call(200, 0.1, completion_tokens=4))
    failed, skipped = adapter("sql", REFUSED), wake(Facts("m", True), FINE)
    assert verdict([fine, skipped]) == "passed"
    assert verdict([fine, unknown]) == "unknown"
    assert verdict([fine, unknown, failed]) == "failed"
    assert verdict([skipped]) == "unknown"
    assert condition_of([fine, skipped])[:2] == ("True", "Passed")
    assert condition_of([fine, unknown, failed])[:2] == ("False", "AdapterFailed")
    registered = {row.reason for row in REASONS}
    for checks in ([request(SILENT)], [cache_hit(REFUSED)], [fine, unknown], [failed],
                   [hand_over(replace(FINE, route={}), None)],
                   [wake(Facts("m", True, awake=0), SILENT)]):  # fmt: skip
        assert condition_of(checks)[1] in registered


@pytest.mark.parametrize(
    ("before", "after", "cached"),
    [
        (("10.0.0.1:8000", 100.0), 868.0, 768),
        (("10.0.0.1:8000", 100.0), 5000.0, 800),  # others hit too
        (("10.0.0.1:8000", 100.0), 116.0, 0),  # a block of somebody else's
        (("10.0.0.2:8000", 100.0), 868.0, None),  # it went elsewhere
        (("10.0.0.1:8000", 100.0), None, None),
        (None, 868.0, None),
    ],
)
def test_the_replicas_own_counter_tells_where_the_answer_does_not(
    before: tuple[str, float] | None, after: float | None, cached: int | None
) -> None:
    second = Call(200, 0.1, completion_tokens=4, prompt_tokens=800, address="10.0.0.1:8000")
    assert counted(second, before, after).cached_tokens == cached
    assert counted(FINE, before, after) == FINE


@pytest.mark.parametrize(
    ("fault", "caught", "status"),
    [
        ("", 2, "passed"),
        ("", None, "skipped"),
        (None, None, "unknown"),
        ("the InferencePool catches pod x", 3, "failed"),
    ],
)
def test_the_selector_must_catch_engines_alone(fault: str | None, caught: int | None, status: str) -> None:
    found = selector(fault, caught)
    assert found.status == status
    if status == "failed":
        assert condition_of([found])[:2] == ("False", "SelectorCatches")
