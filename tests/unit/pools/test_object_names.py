"""Whose an object of a namespace may be, by its name alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.pools.domain.validation import object_names, owners_of

WORDS = st.lists(st.sampled_from(["a", "b", "2", "epp", "engines"]), min_size=1, max_size=3).map("-".join)


@given(WORDS, st.lists(WORDS, min_size=1, max_size=3), st.integers(1, 3))
def test_each_object_s_name_tells_its_pool(pool: str, variants: list[str], sets: int) -> None:
    for name in object_names(pool, variants, sets):
        assert pool in owners_of([name])


@given(st.lists(WORDS, max_size=3))
def test_it_tells_nobody_else_than_who_the_name_begins_with(names: list[str]) -> None:
    owners = owners_of(names)
    assert set(names) <= owners
    assert all(any(f"{name}-".startswith(f"{owner}-") for name in names) for owner in owners)
