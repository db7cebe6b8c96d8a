"""What a pool does on six shapes of load, move by move, beside a file that people read when it changes.

Only what is robust against the last bits of a processor's arithmetic is in it: when, what, and which rule.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

from tests.unit.autoscaling.test_contract import POLICY, run
from tests.unit.autoscaling.test_shape_properties import mixed

GOLDEN = Path(__file__).parent / "golden" / "moves.txt"
# the same numbers each time
NOISE = (0.93, 1.12, 0.85, 1.04, 1.2, 0.97, 0.78, 1.08, 1.01, 0.9, 1.15, 0.96)


def moves() -> str:
    shapes = {
        "square wave, 6 and 30 requests/s": run(POLICY, ([6.0] * 45 + [30.0] * 45) * 2),
        "ramp from 6 to 40 requests/s in ten minutes": run(
            POLICY, [6.0] * 40 + [6.0 + 34.0 * i / 60 for i in range(60)]
        ),
        "spike from 4 to 32 requests/s for a minute": run(POLICY, [4.0] * 50 + [32.0] * 6 + [4.0] * 100),
        "noise around 14 requests/s": run(POLICY, [14.0 * NOISE[i % len(NOISE)] for i in range(150)], start=3),
        "prompts three times as long at 12 requests/s": mixed(12.0, [1000.0] * 50 + [3000.0] * 50),
        "nothing, then 20 requests/s": run(POLICY, [0.0] * 30 + [20.0] * 40, start=1),
    }
    lines = []
    for name, decisions in shapes.items():
        lines.append(name)
        totals = [decisions[0].before[0].replicas, *(d.total for d in decisions)]
        for decision, (before, after) in zip(decisions, pairwise(totals), strict=True):
            if before != after:
                lines.append(f"  {decision.at:5.0f} s  {before:2} -> {after:2}  {decision.verb}, {decision.binding}")
    return "\n".join(lines) + "\n"


def test_moves_are_those_of_the_golden_file() -> None:
    text = moves()
    if os.environ.get("LAMPLIGHT_UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), "look at the change, then run with LAMPLIGHT_UPDATE_GOLDEN=1"
