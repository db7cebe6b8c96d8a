"""Server-side apply: properties of merging and ownership that hold for any objects."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from apps.embedded.apiserver import types
from apps.embedded.apiserver.domain.schema import TypeTable
from apps.embedded.apiserver.domain.ssa import managers as ssa
from apps.embedded.apiserver.domain.ssa import paths, typed
from apps.embedded.apiserver.domain.status import ApiError

TABLE = TypeTable(
    {
        "roots": {},
        "types": {
            "Thing": {
                "fields": {
                    "labels": "{}string",
                    "count": "int32",
                    "items": "[]Item map:name",
                    "tags": "[]string set",
                    "whole": "[]string",
                    "nested": "Nested",
                }
            },
            "Item": {"fields": {"name": "string !", "value": "string", "tags": "[]string set"}},
            "Nested": {"fields": {"x": "int32", "y": "int32"}},
        },
    }
)
THING = TABLE.parse("Thing")
WORDS = st.sampled_from(["a", "b", "c", "d"])
ITEM = st.fixed_dictionaries(
    {"name": WORDS}, optional={"value": WORDS, "tags": st.lists(WORDS, unique=True, min_size=1)}
)
THINGS = st.fixed_dictionaries(
    {},
    optional={
        "labels": st.dictionaries(WORDS, WORDS, min_size=1),
        "count": st.integers(0, 3),
        "items": st.lists(ITEM, unique_by=lambda item: item["name"], min_size=1),
        "tags": st.lists(WORDS, unique=True, min_size=1),
        "whole": st.lists(WORDS, min_size=1),
        "nested": st.fixed_dictionaries({"x": st.integers(0, 2)}, optional={"y": st.integers(0, 2)}),
    },
)


def applied(
    live: dict, config: dict, managers: ssa.Managers, name: str, force: bool = False
) -> tuple[dict, ssa.Managers]:
    who = ssa.Identity(name, "Apply", "v1")
    merged, after = ssa.apply(live, config, THING, managers, who, "2026-01-01T00:00:00Z", force=force)
    return (merged if merged is not None else live), after


@given(THINGS)
def test_fields_v1_is_read_back_as_it_was_written(thing: dict) -> None:
    fields = typed.field_set(thing, THING)
    assert paths.from_fields_v1(paths.to_fields_v1(fields)) == fields


@given(THINGS, THINGS)
def test_merging_twice_is_merging_once(live: dict, config: dict) -> None:
    once = typed.merge(live, config, THING)
    assert typed.merge(once, config, THING) == once


@given(THINGS, THINGS)
def test_a_merge_sets_all_that_either_side_sets(live: dict, config: dict) -> None:
    merged = typed.field_set(typed.merge(live, config, THING), THING)
    assert typed.field_set(live, THING) | typed.field_set(config, THING) <= merged


@given(THINGS, THINGS)
def test_a_comparison_is_empty_only_between_equals(old: dict, new: dict) -> None:
    """The order of sets and of lists by key is no difference; that of any other list is."""
    comparison = typed.compare(old, new, THING)
    assert comparison.same is (_in_order(old) == _in_order(new))


def _in_order(thing: dict) -> dict:
    items = [
        {**item, **({"tags": sorted(item["tags"])} if "tags" in item else {})}
        for item in sorted(thing.get("items", ()), key=lambda item: item["name"])
    ]
    return {**thing, "items": items, "tags": sorted(thing.get("tags", ()))}


@given(THINGS)
def test_applying_again_changes_nothing(config: dict) -> None:
    live, managers = applied({}, config, {}, "one")
    again, after = ssa.apply(live, config, THING, managers, ssa.Identity("one", "Apply", "v1"), "2027-01-01T00:00:00Z")
    assert again is None
    assert after == managers


@given(THINGS, THINGS)
def test_a_sole_owner_gets_exactly_what_it_applied_last(first: dict, second: dict) -> None:
    live, managers = applied({}, first, {}, "one")
    live, managers = applied(live, second, managers, "one")
    assert typed.field_set(_compact(live), THING) == typed.field_set(second, THING)


@given(THINGS, THINGS)
def test_what_another_manager_owns_is_never_taken_away(mine: dict, theirs: dict) -> None:
    live, managers = applied({}, theirs, {}, "theirs")
    try:
        live, managers = applied(live, mine, managers, "mine")
    except ApiError as conflict:
        assert conflict.code == 409
        return
    live, managers = applied(live, {}, managers, "mine")
    assert typed.field_set(theirs, THING) <= typed.field_set(live, THING)


@given(THINGS, THINGS, THINGS, THINGS)
def test_an_applier_that_gives_nothing_up_has_nothing_taken_away(
    mine: dict, theirs: dict, edit: dict, more: dict
) -> None:
    """What lets an apply leave the search for what was given up out."""
    live, managers = applied({}, mine, {}, "me")
    live, managers = applied(live, theirs, managers, "they", force=True)
    edited = typed.merge(live, edit, THING)
    managers = ssa.update(live, edited, THING, managers, ssa.Identity("person", "Update", "v1"), "2026-01-01T00:00:00Z")
    second = typed.merge(mine, more, THING)
    before = managers.get(("me", "Apply", "", ""))
    fields = typed.field_set(second, THING)
    assume(before is not None and before.fields <= fields)
    assert before is not None
    merged = typed.merge(edited, second, THING)
    owners = {**managers, before.identity.key: ssa.Owned(before.identity, fields)}
    assert ssa._prune(merged, THING, owners, before.fields) == merged


@given(THINGS, THINGS)
def test_force_never_conflicts_and_takes_ownership(mine: dict, theirs: dict) -> None:
    live, managers = applied({}, theirs, {}, "theirs")
    live, managers = applied(live, mine, managers, "mine", force=True)
    owned = managers.get(("mine", "Apply", "", ""))
    assert (owned.fields if owned else frozenset()) == typed.field_set(mine, THING)


def _compact(value: Any) -> Any:
    """Without the nulls that stand for emptied maps and lists, which decoding drops."""
    return {key: child for key, child in value.items() if child is not None}


def test_items_keep_the_order_of_the_applier_with_foreign_ones_in_place() -> None:
    live = {"items": [{"name": "a"}, {"name": "x"}, {"name": "b"}]}
    merged = typed.merge(live, {"items": [{"name": "b"}, {"name": "a"}, {"name": "new"}]}, THING)
    assert [item["name"] for item in merged["items"]] == ["x", "b", "a", "new"]


def test_a_conflict_names_the_manager_and_the_path() -> None:
    live, managers = applied({}, {"items": [{"name": "a", "value": "b"}]}, {}, "first")
    with pytest.raises(ApiError) as refused:
        applied(live, {"items": [{"name": "a", "value": "c"}]}, managers, "second")
    assert refused.value.message == 'Apply failed with 1 conflict: conflict with "first": .items[name="a"].value'


def test_equal_values_are_shared_and_stay_until_the_last_owner_leaves() -> None:
    live, managers = applied({}, {"count": 1}, {}, "first")
    live, managers = applied(live, {"count": 1}, managers, "second")
    live, managers = applied(live, {}, managers, "first")
    assert live["count"] == 1
    live, managers = applied(live, {}, managers, "second")
    assert "count" not in live
    assert managers == {}


def test_an_update_takes_what_it_changes_and_nothing_else() -> None:
    live, managers = applied({}, {"count": 1, "labels": {"a": "b"}}, {}, "first")
    who = ssa.Identity("kubectl-edit", "Update", "v1")
    after = ssa.update(live, {**live, "count": 2}, THING, managers, who, "2026-01-01T00:00:00Z")
    assert after[who.key].fields == {("f:count",)}
    assert ("f:count",) not in after["first", "Apply", "", ""].fields
    assert ("f:labels", "f:a") in after["first", "Apply", "", ""].fields


def test_updaters_are_capped_and_the_oldest_become_one() -> None:
    live: dict = {"labels": {}}
    managers: ssa.Managers = {}
    for number in range(15):
        new = {"labels": {**live["labels"], f"l{number}": "x"}}
        who = ssa.Identity(f"m{number:02}", "Update", "v1")
        managers = ssa.update(live, new, THING, managers, who, f"2026-01-01T00:00:{number:02}Z")
        live = new
    assert len(managers) == ssa.MAX_UPDATE_MANAGERS
    ancient = next(owned for owned in managers.values() if owned.identity.manager == "ancient-changes")
    assert ("f:labels", "f:l0") in ancient.fields


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"nothing": 1}, ".nothing: field not declared in schema"),
        ({"count": "x"}, '.count: expected numeric (int or float), got &value.valueUnstructured{Value:"x"}'),
        ({"items": [{"name": "a"}, {"name": "a"}]}, '.items: duplicate entries for key [name="a"]'),
        ({"labels": []}, ".labels: expected map, got &value.valueUnstructured{Value:[]interface {}{}}"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_with_its_path(config: dict, complaint: str) -> None:
    assert next(typed.validate(config, THING)) == complaint


def test_every_served_kind_has_a_type() -> None:
    from apps.embedded.apiserver.registry import Registry

    for resource in Registry():
        assert "metadata" in types.schema_of(resource).fields, resource.kind
