"""When the Deployment of a canary may roll: each of a variant's two may have a replica fewer meanwhile."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from apps.pools.desired import desired_of
from apps.pools.domain.rollout import Held
from apps.pools.domain.tiers.canary import waits
from apps.pools.domain.tiers.plan import TierPlan
from apps.pools.rollouts import Look
from tests.unit.pools.rendering import EVERYTHING, by_name
from tests.unit.pools.test_revision_hash import TIERS, auto, declared


def plan(stands: Any) -> TierPlan:
    return dataclasses.replace(TIERS, canary="h200", stands=stands)


@pytest.mark.parametrize(("stands", "held"), [("kept", True), ("instead", False), ("beside", False)])
def test_a_canary_that_was_kept_rolls_after_the_others_and_one_on_trial_is_not_held_up(stands: str, held: bool) -> None:
    pool = declared(auto(), tiers=plan(stands))
    rolling = desired_of(pool, EVERYTHING)
    found = by_name(rolling.objects)
    assert found["Deployment/chat-h200-canary"]["spec"].get("paused", False) is held
    assert "paused" not in found["Deployment/chat-h200"]["spec"]
    assert waits(rolling.objects) is held
    assert not waits(desired_of(dataclasses.replace(pool, rolled=rolling.template), EVERYTHING).objects)
    assert waits(desired_of(dataclasses.replace(pool, rolled="another"), EVERYTHING).objects) is held


def test_its_turn_comes_at_once_when_the_others_are_done() -> None:
    going, done = Held("t", 2, "Progressing"), Held("t", 2, "Complete")
    assert Look(going, done, (), {}, canary_waits=True).to_render
    assert not Look(going, done, (), {}).to_render
    assert not Look(going, going, (), {}, canary_waits=True).to_render
