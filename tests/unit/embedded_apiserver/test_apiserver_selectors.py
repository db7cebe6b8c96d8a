from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.embedded.apiserver.domain.selectors import (
    from_label_selector_object,
    parse_field_selector,
    parse_label_selector,
)
from apps.embedded.apiserver.subresources import selector_text

LABELS = {"app": "web", "tier": "front", "n": "5"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier!=back", True),
        ("app!=web", False),
        ("app in (api, web)", True),
        ("app notin (api,web)", False),
        ("missing notin (x)", True),
        ("app", True),
        ("!app", False),
        ("!missing", True),
        ("n>4", True),
        ("n<5", False),
        ("app=", False),
    ],
)
def test_label_selectors(text: str, matches: bool) -> None:
    assert parse_label_selector(text).matches(LABELS) is matches


@pytest.mark.parametrize("text", ["a in b", "=x", "a=b=c", "(", "a in (x"])
def test_unreadable_label_selectors_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unable to parse requirement"):
        parse_label_selector(text)


def test_field_selectors() -> None:
    terms = parse_field_selector("status.phase!=Running,spec.nodeName=n1")
    assert [(term.path, term.value, term.equal) for term in terms] == [
        ("status.phase", "Running", False),
        ("spec.nodeName", "n1", True),
    ]
    with pytest.raises(ValueError, match="can't understand"):
        parse_field_selector("nonsense")


NAMES = st.sampled_from(["a", "b", "c"])
TERMS = st.one_of(
    st.fixed_dictionaries(
        {"key": NAMES, "operator": st.sampled_from(["In", "NotIn"]), "values": st.lists(NAMES, min_size=1)}
    ),
    st.fixed_dictionaries({"key": NAMES, "operator": st.sampled_from(["Exists", "DoesNotExist"])}),
)


@given(st.dictionaries(NAMES, NAMES), st.lists(TERMS, max_size=3), st.dictionaries(NAMES, NAMES))
def test_a_selector_object_and_its_text_match_the_same_labels(equal: dict, terms: list, labels: dict) -> None:
    selector = {"matchLabels": equal, "matchExpressions": terms}
    as_object = from_label_selector_object(selector)
    assert as_object is not None
    assert parse_label_selector(selector_text(selector)).matches(labels) is as_object.matches(labels)
