"""The demo's second pool, as somebody sees it who runs `make up`: asleep, woken, ahead of the ramp, asleep again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.stack import run_stack
from tests.support.wait import wait_until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


def test_the_pool_sleeps_wakes_leads_the_ramp_and_sleeps_again() -> None:
    with run_stack(demo=True, ramp=True) as stack:

        def moves() -> list[dict[str, Any]]:
            path = "/api/v1/teams/default/pools/assist/decisions?verb=moves&limit=50"
            return list(reversed(stack.get(path)["items"]))

        def verbs() -> list[str]:
            return [move["verb"] for move in moves()]

        wait_until(lambda: verbs()[:1] == ["sleep"], timeout=120, message="a sleeper is made ready")
        wait_until(lambda: "wake" in verbs(), timeout=300, message="the first request wakes it")
        wait_until(lambda: verbs().count("up") >= 2, timeout=300, message="it grows with the ramp")
        wait_until(lambda: verbs()[-1] == "sleep", timeout=300, message="it sleeps when nobody asks")
        for move in moves():
            assert move["sentence"]
            assert move["actuation"] == "Targets written."
        told = json.loads(stack.lamp("events", "pool/assist", "-o", "json").stdout)
        events = {event["reason"] for event in (told["items"] if isinstance(told, dict) else told)}
        assert {"Asleep", "Waking", "Scaled"} <= events
