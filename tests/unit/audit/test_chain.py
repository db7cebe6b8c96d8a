from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apps.audit.domain.chain import GENESIS, digest_of, first_break

_fields = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=4)


def chain(contents: list[dict[str, Any]]) -> list[tuple[int, str, str, dict[str, Any]]]:
    links, previous = [], GENESIS
    for i, fields in enumerate(contents):
        digest = digest_of(previous, fields)
        links.append((i, previous, digest, fields))
        previous = digest
    return links


@given(st.lists(_fields, max_size=6))
def test_an_untouched_chain_is_whole(contents: list[dict[str, Any]]) -> None:
    assert first_break(chain(contents)) is None


@given(st.lists(_fields, min_size=2, max_size=6), st.data())
def test_whatever_is_edited_removed_or_moved_breaks_it(contents: list[dict[str, Any]], data: st.DataObject) -> None:
    links = chain(contents)
    at = data.draw(st.integers(0, len(links) - 1))
    id_, previous, digest, fields = links[at]
    edited = [*links[:at], (id_, previous, digest, {**fields, "edited": "yes"}), *links[at + 1 :]]
    assert first_break(edited) == id_
    if at < len(links) - 1:
        assert first_break([*links[:at], *links[at + 1 :]]) == at + 1
        assert first_break([*links[:at], links[at + 1], links[at], *links[at + 2 :]]) == at + 1


def test_numbers_count_as_they_come_back_from_storage() -> None:
    # jsonb gives 1e22 back as an integer, and 1.50 as 1.5
    assert digest_of("", {"a": [1e22, 1.5, -0.0]}) == digest_of("", {"a": [10**22, 1.50, 0]})
    assert digest_of("", {"a": 1.5}) != digest_of("", {"a": 1})
