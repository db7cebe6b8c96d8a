from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apps.core.domain.conditions import Condition, find_condition, read_conditions, set_condition, stored_with

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)


def ready(status: str, message: str = "m", generation: int = 1) -> Condition:
    return Condition("Ready", status, "Reason", message, generation)  # type: ignore[arg-type]


def test_the_time_of_transition_stays_while_the_status_stays() -> None:
    first = set_condition((), ready("False"), NOW)
    second = set_condition(first, ready("False", "another message", 2), NOW + timedelta(minutes=1))
    third = set_condition(second, ready("True"), NOW + timedelta(minutes=2))
    assert [c[0].last_transition_time for c in (first, second, third)] == [NOW, NOW, NOW + timedelta(minutes=2)]
    assert (second[0].message, second[0].observed_generation) == ("another message", 2)


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from(["True", "False", "Unknown"])), max_size=12))
def test_there_is_one_condition_of_each_type_in_first_come_order(steps: list[tuple[str, str]]) -> None:
    conditions: tuple[Condition, ...] = ()
    expected: dict[str, tuple[str, datetime]] = {}
    for minute, (type_, status) in enumerate(steps):
        now = NOW + timedelta(minutes=minute)
        conditions = set_condition(conditions, Condition(type_, status, "R", "m", minute), now)  # type: ignore[arg-type]
        if expected.get(type_, ("",))[0] != status:
            expected[type_] = (status, now)
    assert [(c.type, (c.status, c.last_transition_time)) for c in conditions] == list(expected.items())


_SEVERAL = st.lists(
    st.builds(
        Condition,
        type=st.sampled_from("ABC"),
        status=st.sampled_from(["True", "False", "Unknown"]),
        reason=st.sampled_from(["R", "S"]),
        message=st.text(max_size=3),
        observed_generation=st.integers(1, 3),
    ),
    max_size=6,
)


@given(_SEVERAL, _SEVERAL, st.timedeltas(timedelta(0), timedelta(days=1)))
def test_stored_conditions_are_set_as_others_are(
    first: list[Condition], then: list[Condition], pause: timedelta
) -> None:
    conditions: tuple[Condition, ...] = ()
    stored: list[dict[str, Any]] = []
    for several, now in ((first, NOW), (then, NOW + pause)):
        before = [dict(condition) for condition in stored]
        stored, kept = stored_with(stored, several, now), stored
        assert kept == before, "what is stored is nobody's to change"
        for one in several:
            conditions = set_condition(conditions, one, now)
    assert stored == [condition.to_json() for condition in conditions]


def test_json_form_round_trips() -> None:
    conditions = set_condition((), ready("True"), NOW)
    assert read_conditions([c.to_json() for c in conditions]) == conditions
    assert conditions[0].to_json()["lastTransitionTime"] == "2026-01-02T03:04:05.000678Z"
    assert find_condition(conditions, "Ready") == conditions[0]
    assert find_condition(conditions, "Synced") is None
