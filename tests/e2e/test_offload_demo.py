"""The demo's third pool, as somebody sees it who runs `make up`: a tier proposed, tried, kept, and one refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.stack import run_stack
from tests.support.wait import wait_until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1500)]


def test_host_memory_is_kept_with_its_measured_gain_and_the_volume_is_refused_with_its_numbers() -> None:
    with run_stack(demo=True, tiers=True) as stack:

        def standing() -> dict[str, Any]:
            return dict(stack.get("/api/v1/teams/default/pools/docs/offload"))

        def moves() -> list[dict[str, Any]]:
            path = "/api/v1/teams/default/pools/docs/offload/decisions?verb=moves"
            return list(reversed(stack.get(path)["items"]))

        wait_until(lambda: [m["verb"] for m in moves()][:1] == ["canary"], timeout=480, message="a tier is tried")
        wait_until(lambda: (standing().get("proof") or {}).get("kept") is not None, timeout=480, message="it is judged")
        found = standing()
        assert found["proof"]["kept"], found["proof"]
        assert found["proof"]["measured"] > 0
        by_kind = {tier["kind"]: tier for tier in found["tiers"]}
        assert (by_kind["host"]["verdict"], by_kind["filesystem"]["verdict"]) == ("in use", "refused")
        assert "break-even is" in by_kind["filesystem"]["sentence"]
        events = json.loads(stack.lamp("events", "pool/docs", "-o", "json").stdout)
        reasons = {event["reason"] for event in (events["items"] if isinstance(events, dict) else events)}
        assert {"TierCanary", "TierKept", "TierRefused"} <= reasons
        told = stack.lamp("offload", "explain", "pool", "docs").stdout
        assert "and kept: host" in told
        assert "no prefix is so long that it pays" in told or "break-even is" in told
        assert stack.get(f"/api/v1/teams/default/pools/docs/offload/decisions/{moves()[0]['id']}/replay")["equal"]
