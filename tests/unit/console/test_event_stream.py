"""What stands on the wire of the event stream, and what a slow reader gets."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.console.broadcast import Subscription
from apps.console.domain.sse import Changed, encode, heartbeat, opening, parse_last_id, reset


def event(number: int, name: str = "chat") -> Changed:
    return Changed(number, "Pool", "u", "default", name, "updated", 3, ("spec",))


@given(st.text())
def test_no_name_can_break_out_of_its_message(name: str) -> None:
    text = encode(event(1, name)).decode()
    assert text.endswith("\n\n")
    lines = text[:-2].split("\n")
    assert [line.split(":")[0] for line in lines] == ["id", "data"]
    assert not any(char in text for char in "\r\x85\u2028")


def test_every_message_carries_an_id_to_come_back_with() -> None:
    for raw in (opening(7, retry_ms=10), encode(event(7)), reset(7), heartbeat(7)):
        assert b"id: 7\n" in raw
        assert raw.endswith(b"\n\n")
    assert b"data" not in heartbeat(7)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", None),
        (" 12 ", 12),
        ("0", 0),
        ("x", -1),
        ("-3", -1),
        ("9" * 19, -1),
        ("9" * 40, -1),
        ("٣", -1),
    ],
)
def test_ids_that_come_back(text: str | None, expected: int | None) -> None:
    assert parse_last_id(text) == expected


async def test_lines_come_in_order_and_silence_is_quiet() -> None:
    subscription = Subscription()
    assert await subscription.next(0.01) == "quiet"
    for number in range(3):
        subscription.offer(event(number))
    assert [(await subscription.next(1)).id for _ in range(3)] == [0, 1, 2]


async def test_a_reader_that_waits_is_woken() -> None:
    subscription = Subscription()
    waiting = asyncio.create_task(subscription.next(10))
    await asyncio.sleep(0)
    subscription.offer(event(5))
    assert (await asyncio.wait_for(waiting, 1)).id == 5


async def test_a_reader_that_is_too_slow_is_told_to_start_anew() -> None:
    subscription = Subscription()
    for number in range(1001):
        subscription.offer(event(number))
    assert await subscription.next(1) == "reset"
    subscription.offer(event(2000))
    assert (await subscription.next(1)).id == 2000


async def test_a_closed_subscription_ends_even_with_lines_waiting() -> None:
    subscription = Subscription()
    subscription.offer(event(1))
    subscription.close()
    assert await subscription.next(1) == "closed"
