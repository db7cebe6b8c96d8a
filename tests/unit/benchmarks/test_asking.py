"""What a load may be, and which requests it means."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from apps.benchmarks.domain.asking import MOST_REQUESTS, LoadBody
from apps.core.domain.refusals import Invalid


def body(**document: Any) -> LoadBody:
    return LoadBody.from_document(document, at="")


def test_nothing_said_is_two_chat_requests_a_second_for_a_minute() -> None:
    found = body()
    assert found.sentence == "2 requests/s (chat) for 1m, prompts of 1152 tokens, answers of 128"
    plan = list(found.requests(7))
    assert 80 < len(plan) < 160
    assert all(0 <= one.at < 60 and one.prompt_tokens == 1152 and one.output_tokens == 128 for one in plan)
    # eight system prompts, each question is new
    assert len({one.prompt[0] for one in plan}) == 8
    assert len({one.prompt[1] for one in plan}) == len(plan)


def test_the_same_seed_asks_the_same_and_another_does_not() -> None:
    found = body(duration="10s")
    assert list(found.requests(1)) == list(found.requests(1))
    assert not {one.prompt[1] for one in found.requests(1)} & {one.prompt[1] for one in found.requests(2)}


def test_lengths_are_the_whole_prompts() -> None:
    chat = body(promptTokens=600, outputTokens=9)
    (one, *_) = chat.requests(1)
    assert [part.tokens for part in one.prompt] == [472, 128]
    assert one.output_tokens == 9
    (one, *_) = body(promptTokens=100).requests(1)
    assert [part.tokens for part in one.prompt] == [100]
    (one, *_) = body(shape="questions", promptTokens=1).requests(1)
    assert [part.tokens for part in one.prompt] == [1]


def test_users_are_asked_for_as_long_as_they_go_on() -> None:
    found = body(users=3, pause="2s", duration="5m")
    assert found.sentence.startswith("3 users (chat) who pause 2s for 5m")
    assert all(one.at == 0 for one in islice(found.requests(1), 10))


def test_patterns_move_the_rate() -> None:
    def thirds(**document: Any) -> list[int]:
        plan = list(body(rate=20, duration="90s", **document).requests(3))
        return [sum(start <= one.at < start + 30 for one in plan) for start in (0, 30, 60)]

    ramp, burst = thirds(pattern="ramp"), thirds(pattern="burst")
    assert ramp[0] < ramp[1] < ramp[2]
    assert burst[1] > 2 * burst[0] and burst[1] > 2 * burst[2]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"rate": 3, "users": 2}, "a rate or users, not both"),
        ({"rate": 50, "duration": "30m"}, f"one load sends at most {MOST_REQUESTS}"),
        ({"rate": 51}, "50"),
        ({"users": 101}, "100"),
        ({"duration": "31m"}, "from 5s to 30m"),
        ({"duration": "1s"}, "from 5s to 30m"),
        ({"deadline": "10m"}, "from 1s to 5m"),
        ({"pause": "1s"}, "say how many users"),
        ({"users": 2, "pause": "1h"}, "at most 5m"),
        ({"users": 2, "pattern": "ramp"}, "users come steadily"),
        ({"promptTokens": 40_000}, "32768"),
        ({"outputTokens": 0}, "1"),
        ({"shape": "poems"}, "chat"),
        ({"target": "http://elsewhere"}, "target"),
    ],
)
def test_what_cannot_be_sent_says_why(document: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        LoadBody.from_document(document, at="")
    assert any(said in fault.detail + fault.pointer for fault in refused.value.faults)
