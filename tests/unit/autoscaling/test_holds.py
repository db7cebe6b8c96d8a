"""How long replicas stay that are not needed just now: for as long as it would cost as much to lack them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.autoscaling.domain.types import Decision
from tests.unit.autoscaling.test_contract import POLICY, run
from tests.unit.autoscaling.test_shape_properties import carries, remembered, shaped


def gone(decisions: list[Decision], first: int, total: int) -> int:
    """Ticks after `first` until no more than `total` are wanted."""
    return next(i for i, decision in enumerate(decisions[first:]) if decision.total <= total)


@shaped
@given(low=st.floats(4.0, 8.0))
def test_what_was_added_goes_when_its_load_has_gone_and_not_before(low: float) -> None:
    high = 5 * low
    decisions = run(POLICY, [low] * 40 + [high] * 40 + [low] * 100, start=2)
    before, most = decisions[39].total, max(d.total for d in decisions)
    assert min(d.total for d in decisions[44:80]) * carries(decisions[79]) >= 0.85 * high
    # what the peak needed above half is given back within five minutes of its end, the rest within twenty
    assert gone(decisions, 80, (before + most + 1) // 2) <= 30
    assert decisions[-1].total <= before + 1


@shaped
@given(wobble=st.floats(0.02, 0.2))
def test_what_was_added_stays_where_load_only_wobbles(wobble: float) -> None:
    shape = (1.0, 1 + wobble, 1 - wobble, 1 + wobble / 2, 1 - wobble / 2)
    decisions = run(POLICY, [8.0] * 40 + [24.0 * shape[i % 5] for i in range(120)], start=2)
    totals = [d.total for d in decisions[60:]]
    assert min(totals) >= max(totals) - 1


def test_the_last_replica_but_one_stays_longer_than_one_of_many() -> None:
    few = run(POLICY, [8.0] * 60, start=2)[-1].state
    # before the first of them goes
    many = run(POLICY, [60.0] * 36, start=14)[-1].state
    assert remembered(few, "hold") >= remembered(many, "hold") >= 60
