"""The quickstart's pool, as somebody sees it who runs `make up`: woken, ahead of the ramp, asleep, and woken again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.stack import run_stack
from tests.support.wait import wait_until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


def test_the_pool_wakes_leads_the_ramp_sleeps_and_wakes_again() -> None:
    with run_stack(demo=True, steady=False) as stack:

        def moves() -> list[dict[str, Any]]:
            path = "/api/v1/teams/default/pools/chat/decisions?verb=moves&limit=50"
            return list(reversed(stack.get(path)["items"]))

        def verbs() -> list[str]:
            return [move["verb"] for move in moves()]

        wait_until(lambda: {"wake", "from-zero"} & set(verbs()), message="a request finds a replica")
        wait_until(lambda: verbs().count("up") >= 2, timeout=330, message="it grows with the ramp")
        wait_until(lambda: verbs()[-1] == "sleep", timeout=420, message="it sleeps when nobody asks")
        slept = len(verbs())
        wait_until(lambda: "wake" in verbs()[slept:], timeout=300, message="the next request wakes it")
        for move in moves():
            assert move["sentence"]
            assert move["actuation"] == "Targets written."

        def told() -> set[str]:
            events = json.loads(stack.lamp("events", "pool/chat", "-o", "json").stdout)
            return {event["reason"] for event in (events["items"] if isinstance(events, dict) else events)}

        # a decision is there before its controller has acted on it
        wait_until(lambda: {"Asleep", "Waking", "Scaled"} <= told(), message="what the controller did is told")
