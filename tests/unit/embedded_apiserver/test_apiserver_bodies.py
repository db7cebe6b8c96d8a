"""Reading requests: bodies, paths, forms of answers."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.embedded.apiserver import types
from apps.embedded.apiserver.domain import jsonbody
from apps.embedded.apiserver.domain.decode import DecodeError, Decoder
from apps.embedded.apiserver.domain.request import ResourcePath, negotiate, parse_list_options, parse_resource_path
from apps.embedded.apiserver.domain.status import ApiError

DEPLOYMENT = types.TABLE.parse("Deployment")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("path", "parsed"),
    [
        ("/api/v1/pods", ResourcePath("", "v1", "pods")),
        ("/api/v1/namespaces", ResourcePath("", "v1", "namespaces")),
        ("/api/v1/namespaces/a", ResourcePath("", "v1", "namespaces", "", "a")),
        ("/api/v1/namespaces/a/status", ResourcePath("", "v1", "namespaces", "", "a", "status")),
        ("/api/v1/namespaces/a/pods/p/log", ResourcePath("", "v1", "pods", "a", "p", "log")),
        ("/apis/apps/v1/namespaces/a/deployments/d", ResourcePath("apps", "v1", "deployments", "a", "d")),
        ("/api/v1/watch/namespaces/a/pods", ResourcePath("", "v1", "pods", "a", watch=True)),
        ("/apis/apps/v1", None),
        ("/version", None),
    ],
)
def test_paths(path: str, parsed: ResourcePath | None) -> None:
    assert parse_resource_path(path) == parsed


def test_the_first_form_that_can_be_served_is_taken() -> None:
    table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    assert negotiate(table).form == "Table"
    assert negotiate("application/vnd.kubernetes.protobuf,application/json").form == "Object"
    assert negotiate("").form == "Object"
    with pytest.raises(ApiError) as refused:
        negotiate("application/vnd.kubernetes.protobuf")
    assert refused.value.code == 406


def test_list_options_that_make_no_sense_are_refused_together() -> None:
    with pytest.raises(ApiError) as refused:
        parse_list_options({"resourceVersionMatch": "Never", "continue": "x"})
    assert refused.value.code == 422
    assert len(refused.value.details["causes"]) == 3


@given(JSON)
def test_json_without_repeated_keys_is_read_as_any_parser_reads_it(value: object) -> None:
    assert jsonbody.parse_json(orjson.dumps(value)) == (value, [])


def test_repeated_keys_are_found_and_the_last_one_wins() -> None:
    value, repeated = jsonbody.parse_json(b'{"a": {"k": 1, "k": 2}, "l": [{"x": 1, "x": 3}]}')
    assert value == {"a": {"k": 2}, "l": [{"x": 3}]}
    assert repeated == ["a.k", "l[0].x"]


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": ', b"[1,"])
def test_cut_off_json_is_said_to_end(body: bytes) -> None:
    with pytest.raises(jsonbody.BodyError, match="unexpected end of JSON input"):
        jsonbody.parse_json(body)


@given(JSON)
def test_anything_is_either_decoded_or_refused_with_a_sentence(spec: object) -> None:
    try:
        decoded = Decoder().decode({"metadata": {}, "spec": spec}, DEPLOYMENT)
    except DecodeError as error:
        assert str(error)
        return
    assert Decoder().decode(decoded, DEPLOYMENT) == decoded


def test_unknown_fields_are_dropped_and_named() -> None:
    decoder = Decoder()
    spec = {"replicas": 1, "nope": 1, "template": {"spec": {"containers": [{"name": "a", "imagee": "x"}]}}}
    decoded = decoder.decode({"metadata": {"name": "x"}, "spec": spec}, DEPLOYMENT)
    assert decoder.unknown == ["spec.nope", "spec.template.spec.containers[0].imagee"]
    assert "nope" not in decoded["spec"]


def test_a_wrong_type_is_named_as_the_real_server_names_it() -> None:
    with pytest.raises(DecodeError) as refused:
        Decoder().decode({"spec": {"replicas": "two"}}, DEPLOYMENT)
    wanted = "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
    assert str(refused.value) == wanted


@pytest.mark.parametrize(
    "body",
    [
        b"a: &a [x, x, x, x, x, x, x, x, x]\n"
        + b"\n".join(b"%c: &%c [%s]" % (c + 1, c + 1, b", ".join([b"*%c" % c] * 9)) for c in range(97, 105)),
        b"a: &a [*a]",
    ],
    ids=["bomb", "endless"],
)
def test_yaml_that_aliases_blow_up_is_refused(body: bytes) -> None:
    with pytest.raises(jsonbody.BodyError, match="aliases"):
        jsonbody.parse_yaml(body)


def test_yaml_reads_booleans_as_the_real_server_does() -> None:
    assert jsonbody.parse_yaml(b"{a: y, b: no, c: 'y', d: 1.5}") == {"a": True, "b": False, "c": "y", "d": 1.5}
