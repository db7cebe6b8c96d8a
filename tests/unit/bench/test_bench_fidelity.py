"""What counts as within its bound: numbers against numbers, and against what was measured twice or drawn often."""

from __future__ import annotations

import pytest

from bench.engine_fidelity.__main__ import Check, Span, span
from bench.engine_fidelity.measured import SECOND, load_second, load_windows


def check(measured: Span, simulated: Span, bound: float = 0.15) -> Check:
    return Check("one", measured, simulated, bound)


@pytest.mark.parametrize(
    ("measured", "simulated", "ratio"),
    [
        (span([100]), span([100]), 1.0),
        (span([100]), span([90]), 0.9),
        (span([100]), span([116]), 1.16),
        (span([100, 120]), span([110]), 1.0),
        (span([100, 120]), span([90]), 0.9),
        (span([100, 120]), span([132]), 1.1),
        (span([100]), span([80, 95]), 0.95),
        (span([100]), span([110, 300]), 1.1),
    ],
)
def test_the_ratio_is_that_of_the_nearer_ends(measured: Span, simulated: Span, ratio: float) -> None:
    assert check(measured, simulated).ratio == pytest.approx(ratio)


def test_a_check_holds_up_to_its_bound() -> None:
    assert check(span([100]), span([114.9])).holds
    assert not check(span([100]), span([115.1])).holds
    assert not check(span([100]), span([84.9])).holds
    assert check(span([100]), span([84.9]), bound=0.25).holds


def test_only_one_number_against_one_number_is_exact() -> None:
    assert check(span([1]), span([1])).exact
    assert not check(span([1, 2]), span([1])).exact
    assert not check(span([1]), span([1, 2])).exact


def test_what_was_measured_has_one_value_a_request() -> None:
    text = SECOND.read_text(encoding="utf-8")
    for window in load_windows(text):
        assert len(window.arrival) == len(window.ttft) == len(window.tpot) > 100
        assert (window.ttft > 0).all()
    first = load_windows(text)[0]
    with pytest.raises(ValueError, match=r"the trace has 107 requests there, 1557 were measured"):
        load_second(text, first, lambda *_: (first.prompt, first.output))
