"""Classes of blocks: how deep in a prompt they lie, told from chains, and those that fill tiers for nothing."""

from __future__ import annotations

from dataclasses import replace

from apps.autoscaling.domain.record import from_json, to_json
from apps.offload.domain.admission import ClassUse, advice, depth_of, uses_of
from apps.offload.domain.decide import decide
from apps.offload.domain.events import BlockStored
from apps.offload.domain.reuse import Reuse
from apps.offload.domain.types import Signals, State
from tests.unit.offload.pools import POLICY, signals


def test_depth_follows_the_chain_of_a_prompt_through_its_turns() -> None:
    reuse = Reuse()
    # a first turn of 1,600 tokens in two steps, a second one of 3,200 behind it, a third behind that
    reuse.apply("a", [BlockStored(list(range(1, 51)), None, 16)], 0.0)
    reuse.apply("a", [BlockStored(list(range(51, 101)), 50, 16)], 0.1)
    reuse.apply("a", [BlockStored(list(range(101, 301)), 100, 16)], 60.0)
    reuse.apply("a", [BlockStored(list(range(301, 351)), 300, 16)], 120.0)
    # behind blocks that nobody has seen stored: how deep it lies nobody knows
    reuse.apply("a", [BlockStored([900, 901], 899, 16)], 130.0)
    assert {name: use.stored for name, use in uses_of(reuse.pool).items()} == {
        "depth:0-2k": 300 * 16.0,
        "depth:2k-8k": 50 * 16.0,
    }
    assert (depth_of(0), depth_of(8192), depth_of(1e6)) == ("depth:0-2k", "depth:8k-32k", "depth:32k-")


def test_a_class_that_fills_tiers_and_does_not_come_back_is_named() -> None:
    classes = {
        "tenant:batch": ClassUse(4e6, 2e4),
        "tenant:chat": ClassUse(5e6, 3e6),
        "adapter:rare": ClassUse(1e5, 0.0),
    }
    (told,) = advice(classes, 1e7)
    assert "40 % of what is stored is tenant:batch, and 0.5 % of that is wanted again" in told
    assert advice(classes, 0.0) == ()


def test_advice_is_part_of_the_decision_and_of_its_replay() -> None:
    stored = float(signals().pool["stored"])
    seen = replace(signals(), classes={"tenant:batch": ClassUse(stored / 2, 0.0)})
    decision = decide(POLICY, seen, State(), 1e6)
    assert "50 % of what is stored is tenant:batch" in decision.advice[0]
    assert to_json(decide(POLICY, from_json(Signals, to_json(seen)), State(), 1e6)) == to_json(decision)
