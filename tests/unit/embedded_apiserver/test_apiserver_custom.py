"""Custom resources: structural schemas at work, and the definitions that we ship."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.embedded.apiserver.domain.custom import structural, validation
from apps.embedded.apiserver.domain.custom.rules import RuleError, evaluate
from apps.embedded.apiserver.domain.kinds.definitions import DefinitionStrategy

CRDS = sorted((Path(__file__).parents[3] / "apps" / "embedded" / "data" / "crds").glob("*.json"))
SCHEMA = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 5},
        "size": {"type": "integer", "minimum": 1, "default": 3},
        "mode": {"type": "string", "enum": ["a", "b"]},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["port"],
            "items": {
                "type": "object",
                "properties": {"port": {"type": "integer"}, "kind": {"type": "string", "default": "TCP"}},
            },
        },
    },
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "toolong"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "size", "mode", "free", "ports", "port", "other"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(VALUES)
def test_pruning_and_defaults_are_final(value: object) -> None:
    unknown: list[str] = []
    pruned = structural.prune(value, SCHEMA, "", unknown)
    again: list[str] = []
    assert structural.prune(pruned, SCHEMA, "", again) == pruned
    assert again == []
    structural.set_defaults(pruned, SCHEMA)
    settled = orjson.dumps(pruned)
    structural.set_defaults(pruned, SCHEMA)
    assert orjson.dumps(pruned) == settled


def test_every_complaint_names_its_field() -> None:
    value = {"name": "toolong", "size": 0, "mode": "c", "ports": [{"port": 1}, {"port": 1}, {"port": "x"}]}
    found = [(cause.field, cause.reason) for cause in validation.validate(value, SCHEMA)]
    assert found == [
        ("mode", "FieldValueNotSupported"),
        ("name", "FieldValueTooLong"),
        ("ports[2].port", "FieldValueTypeInvalid"),
        ("size", "FieldValueInvalid"),
    ]
    (twice,) = validation.list_types(value, SCHEMA)
    assert (twice.field, twice.message) == ("ports[1]", 'Duplicate value: {"port":1}')


def test_list_map_keys_and_their_defaults_reach_the_merge_schema() -> None:
    raw = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "kind"]}
    merged = structural.merge_schema({**raw, "items": SCHEMA["properties"]["ports"]["items"]})
    assert merged.keys == ("port", "kind")
    assert merged.key_defaults == {"kind": "TCP"}


def test_rules() -> None:
    assert evaluate("self.kind != 'Service' || has(self.port)", {"kind": "Service", "port": 1})
    assert not evaluate("self.all(p, self.exists_one(q, p.n == q.n))", [{"n": 1}, {"n": 1}])
    assert evaluate("self >= oldSelf", 2, 1)
    with pytest.raises(RuleError, match="no such key: missing"):
        evaluate("self.missing.size() > 0", {})


@pytest.mark.parametrize("path", CRDS, ids=lambda path: path.stem)
def test_the_shipped_definitions_are_valid(path: Path) -> None:
    definition = orjson.loads(path.read_bytes())
    strategy = DefinitionStrategy()
    strategy.set_defaults(definition)
    assert strategy.validate(definition) == []
    assert path.stem == f"{definition['spec']['group']}_{definition['spec']['names']['plural']}"


def test_definitions_are_shipped() -> None:
    kinds = {path.stem.rpartition("_")[2] for path in CRDS}
    assert {"inferencepools", "gateways", "httproutes", "podmonitors"} <= kinds
