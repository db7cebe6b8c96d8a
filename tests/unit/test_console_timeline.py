"""The places where two declarations differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.console.domain.timeline import changed_parts

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("before", "after", "pointers"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, ["/b"]),
        ({"a/b": 1}, {}, ["/a~1b"]),
        ({"variants": [{"name": "x", "n": 1}]}, {"variants": [{"name": "x", "n": 2}]}, ["/variants/x/n"]),
        ({"args": ["a"]}, {"args": ["a", "b"]}, ["/args"]),
        ({"a": None}, {"a": {}}, ["/a"]),
    ],
)
def test_places(before: object, after: object, pointers: list[str]):
    assert [part["pointer"] for part in changed_parts(before, after)] == pointers


@given(JSON)
def test_nothing_differs_from_itself(value: object):
    assert changed_parts(value, value) == []


@given(st.dictionaries(st.text(max_size=4), st.integers()), st.dictionaries(st.text(max_size=4), st.integers()))
def test_flat_differences_are_all_told(before: dict[str, int], after: dict[str, int]):
    expected = sum(before.get(key) != after.get(key) for key in {*before, *after})
    assert len(changed_parts(before, after)) == min(expected, 40)
