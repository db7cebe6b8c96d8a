"""Rules that stand alone: schedules through summer time, the cheapest mix, idle times, start-up times, clamps."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import product
from zoneinfo import ZoneInfo

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from apps.autoscaling.domain.decide import decide
from apps.autoscaling.domain.idle import keep_for
from apps.autoscaling.domain.schedules import bounds_at, is_active
from apps.autoscaling.domain.sizing import Shape, cheapest_mix
from apps.autoscaling.domain.starts import follow
from apps.autoscaling.domain.types import FreezeWindow, Pending, Replicas, Schedule, State
from tests.unit.autoscaling.test_contract import H100, L40S, POLICY, run, tick

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
BERLIN = ZoneInfo("Europe/Berlin")


def active_hours(schedule: Schedule, day: str) -> float:
    """Hours of real time for which a schedule is in force around a day."""
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=BERLIN).timestamp()
    return sum(is_active(schedule, noon + 60.0 * minute) for minute in range(-24 * 60, 24 * 60)) / 60


def test_both_changes_of_summer_time_keep_the_clock_on_the_wall() -> None:
    night = Schedule("night", ("sun",), 60, 240, "Europe/Berlin", floor=4)  # 01:00 to 04:00
    assert active_hours(night, "2026-03-22") == 3
    assert active_hours(night, "2026-03-29") == 2  # 02:00 to 03:00 does not exist
    assert active_hours(night, "2026-10-25") == 4  # 02:00 to 03:00 comes twice
    # a start that the spring change skips is the moment of the change
    skipped = Schedule("gap", ("sun",), 150, 240, "Europe/Berlin", floor=4)
    assert active_hours(skipped, "2026-03-29") == 1


def test_a_schedule_over_midnight_belongs_to_the_day_it_starts_on() -> None:
    late = Schedule("late", ("fri",), 22 * 60, 6 * 60, "UTC", ceiling=2)
    at = datetime.fromisoformat
    assert is_active(late, at("2026-11-27T23:00+00:00").timestamp())
    assert is_active(late, at("2026-11-28T05:59+00:00").timestamp())
    assert not is_active(late, at("2026-11-28T06:00+00:00").timestamp())
    assert not is_active(late, at("2026-11-28T23:00+00:00").timestamp())


def test_floors_win_over_ceilings() -> None:
    force = bounds_at((Schedule("a", DAYS, 0, 1439, floor=5), Schedule("b", DAYS, 0, 1439, ceiling=3)), 3600.0)
    assert (force.floor, force.ceiling) == (5, 5)


@settings(max_examples=60, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(
    st.floats(0, 30),
    st.lists(
        st.builds(Shape, st.floats(0.2, 5), st.floats(0.5, 8), st.integers(0, 1), st.integers(1, 4), st.integers(0, 4)),
        min_size=1,
        max_size=3,
    ),
)
def test_the_cheapest_mix_is_the_cheapest(need: float, shapes: list[Shape]) -> None:
    def price(counts: tuple[int, ...]) -> float:
        return sum(
            s.price * sum(1.0 if k < s.present else 1.0 + s.start for k in range(s.minimum, n))
            for s, n in zip(shapes, counts, strict=True)
        )

    found = cheapest_mix(need, shapes)
    every = product(*(range(s.minimum, s.maximum + 1) for s in shapes))
    able = [c for c in every if sum(s.carries * n for s, n in zip(shapes, c, strict=True)) >= need - 1e-9]
    if not able:
        assert found.short > 0
        return
    assert found.gap == 0
    assert sum(s.carries * n for s, n in zip(shapes, found.replicas, strict=True)) >= need - 1e-6
    assert price(found.replicas) <= min(map(price, able)) + 1e-9


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 50), min_size=8, max_size=8), st.floats(20, 400))
def test_keeping_an_idle_replica_costs_at_most_twice_the_best(gaps: list[float], start: float) -> None:
    keep = keep_for(gaps, start)
    lengths = [20.0 * 2**k * 1.4 for k in range(8)]
    cost = sum(n * (g if g <= keep else keep + start) for n, g in zip(gaps, lengths, strict=True))
    best = sum(n * min(g, start) for n, g in zip(gaps, lengths, strict=True))
    assert cost <= 2 * best + 1e-6


def test_start_up_times_are_told_from_counts() -> None:
    asked, took = follow((), ready_before=1, ready=1, starting=2, now=100.0)
    assert (asked, took) == ((100.0, 100.0), ())
    asked, took = follow(asked, ready_before=1, ready=2, starting=1, now=190.0)
    assert (asked, took) == ((100.0,), (90.0,))
    assert follow(asked, ready_before=2, ready=2, starting=0, now=200.0) == ((), ())


def moved(policy, before: int, **changes) -> tuple[int, set[str]]:
    """Where a load that wants many more replicas ends, and what held it back."""
    state = State()
    for index in range(30):
        state = decide(POLICY, tick(before, 3.0 * before), state, 10.0 * index).state
    seen = tick(before, 60.0)
    if changes:
        variant = replace(seen.variants[0], replicas=replace(seen.variants[0].replicas, **changes))
        seen = replace(seen, variants=(variant,))
    for index in range(5):
        decision = decide(policy, seen, state, 300.0 + 10.0 * index)
        state = decision.state
    return decision.total, {clamp.rule for clamp in decision.clamps}


def test_what_holds_a_pool_back_is_a_clamp() -> None:
    free, none = moved(POLICY, 2)
    assert free > 4
    assert moved(replace(POLICY, budget=3.0), 2) == (3, {*none, "budget"})
    assert moved(replace(POLICY, variants=(replace(L40S, maximum=4),)), 2)[0] == 4
    total, rules = moved(replace(POLICY, variants=(replace(L40S, available=1),)), 2)
    assert (total, "inventory" in rules) == (3, True)
    total, rules = moved(replace(POLICY, freezes=(FreezeWindow("sale", 250.0, 400.0),)), 2)
    assert (total, "freeze" in rules) == (2, True)
    total, rules = moved(POLICY, 2, ready=1, pending=(Pending(200.0, "no node has a free accelerator"),))
    assert (total, "pending" in rules) == (2, True)


def test_a_rollout_lowers_nothing() -> None:
    decisions = run(POLICY, [30.0] * 60, start=10)
    state, held = decisions[-1].state, decisions[-1].total
    for index in range(60):
        decision = decide(POLICY, replace(tick(held, 3.0), rollout=True), state, 600.0 + 10.0 * index)
        state = decision.state
        assert decision.total == held
    assert any(clamp.rule == "rollout" for clamp in decision.clamps)


def test_two_variants_are_mixed_by_price() -> None:
    dear = replace(H100, price=50.0)
    decisions = run(replace(POLICY, variants=(L40S, dear)), [40.0] * 30, start=2)
    assert decisions[-1].replicas("h100") == 0
    cheap = replace(H100, price=0.5)
    decision = decide(replace(POLICY, variants=(L40S, cheap)), tick(2, 40.0), State(), 10.0)
    assert decision.replicas("h100") > 0


def test_prefill_and_decode_are_sized_from_one_forecast() -> None:
    variants = (replace(L40S, role="prefill"), replace(H100, role="decode", minimum=1))
    policy = replace(POLICY, variants=variants)
    long_prompts = decide(policy, _both(30.0, prompt=8000.0, output=20.0), State(), 10.0)
    long_answers = decide(policy, _both(30.0, prompt=200.0, output=1500.0), State(), 10.0)
    assert long_prompts.replicas("l40s") > long_answers.replicas("l40s")
    assert long_answers.replicas("h100") >= long_prompts.replicas("h100")


def _both(rate: float, *, prompt: float, output: float):
    first = tick(1, rate, prompt=prompt, output=output)
    second = tick(1, rate, name="h100", prompt=prompt, output=output).variants[0]
    return replace(first, variants=(first.variants[0], replace(second, replicas=Replicas(1, 1))))
