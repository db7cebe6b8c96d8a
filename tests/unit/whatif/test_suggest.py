"""Suggested variants: the cheapest that keeps the promise is first, more load or a tighter promise is never cheaper."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.physics.catalogue import ModelSize, step_time_for
from apps.whatif.domain.suggest import Option, Wanted, suggest

SIZE = ModelSize(8.03e9, 32, 16.06e9, 131072)
WANTED = Wanted(requests_per_second=20, prompt=1000, output=200, ttft=1.0, fraction=0.95)


def option(accelerator: str, price: float | None, tensor: int = 1) -> Option:
    return Option(accelerator, tensor, step_time_for(SIZE, accelerator, tensor).step_time, 450_000, price)


H100, H200 = option("nvidia-h100", 3.0), option("nvidia-h200", 4.0)


def test_the_cheapest_that_keeps_the_promise_is_first_and_unpriced_ones_follow() -> None:
    found = suggest([option("nvidia-a100-80gb", None), H200, H100], WANTED)
    assert [one.verdict for one in found] == ["keeps"] * 3
    assert found[-1].option.price is None
    costs = [one.cost for one in found if one.cost is not None]
    assert costs == sorted(costs)
    for one in found:
        assert one.replicas >= WANTED.requests_per_second / one.carries - 1e-6
        assert one.attained >= WANTED.fraction - 1e-3
        assert one.cost is None or one.cost == one.replicas * one.option.price


def test_what_an_idle_replica_misses_no_number_of_them_keeps() -> None:
    (one,) = suggest([H100], replace(WANTED, ttft=0.002))
    assert (one.verdict, one.replicas, one.cost) == ("never", 0, None)
    assert one.attained < WANTED.fraction


def test_nothing_to_choose_from_is_no_suggestion() -> None:
    assert suggest([], WANTED) == []


@settings(max_examples=40, deadline=None)
@given(
    rate=st.floats(0.1, 500),
    more=st.floats(1.0, 4.0),
    ttft=st.floats(0.2, 10),
    tpot=st.one_of(st.none(), st.floats(0.02, 0.2)),
    prompt=st.floats(50, 8000),
    output=st.floats(10, 1000),
    fraction=st.sampled_from([0.9, 0.95, 0.99]),
)
def test_more_load_and_a_tighter_promise_never_need_fewer(rate, more, ttft, tpot, prompt, output, fraction) -> None:
    wanted = Wanted(rate, prompt, output, ttft=ttft, tpot=tpot, fraction=fraction)
    (base,) = suggest([H100], wanted)
    (busier,) = suggest([H100], replace(wanted, requests_per_second=rate * more))
    (tighter,) = suggest([H100], replace(wanted, ttft=ttft / more))
    if base.verdict == "never":
        assert tighter.verdict == "never"
        return
    assert base.replicas >= 1 and 0 <= base.attained <= 1
    assert busier.replicas >= base.replicas
    assert tighter.verdict == "never" or tighter.replicas >= base.replicas


def test_a_smaller_cache_never_carries_more() -> None:
    (full,) = suggest([H100], WANTED)
    (small,) = suggest([replace(H100, kv_tokens=20_000)], WANTED)
    assert small.carries <= full.carries
