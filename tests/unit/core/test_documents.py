"""Envelope, metadata and spec: what is refused, where, and in which words."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, StringConstraints

from apps.core.domain.documents import Envelope, Name, Spec, read_envelope
from apps.core.domain.merge import merged
from apps.core.domain.refusals import Invalid

KINDS = ["Model", "Pool", "SLO"]


class Inner(Spec):
    some_count: Annotated[int, Field(ge=1)] = 1
    mode: Literal["on", "off"] = "off"
    name: Name | None = None


class Outer(Spec):
    text: str
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()
    by_name: dict[str, Inner] = {}
    either: int | Inner = 1
    image: Annotated[str, StringConstraints(pattern="^[a-z/:0-9]+$")] = Field(default="a", examples=["vllm/x:v1"])


def faults_of(value: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        Outer.from_document(value)
    return {fault.pointer: fault.detail for fault in refused.value.faults}


@pytest.mark.parametrize(
    ("value", "pointer", "sentence"),
    [
        ({}, "/spec/text", "spec.text is required"),
        ({"text": 5}, "/spec/text", "spec.text is text, not the number 5; put it in quotes"),
        ({"text": None}, "/spec/text", "spec.text is text, not nothing"),
        ({"text": "x", "tex": 1}, "/spec/tex", "spec.tex is not a known field; did you mean text?"),
        (
            {"text": "x", "inner": {"some_count": 1}},
            "/spec/inner/some_count",
            "not a known field; did you mean someCount?",
        ),
        ({"text": "x", "inner": {"someCount": 0}}, "/spec/inner/someCount", "greater than or equal to 1, not 0"),
        ({"text": "x", "inner": {"someCount": "3"}}, "/spec/inner/someCount", "spec.inner.someCount"),
        ({"text": "x", "inner": {"someCount": True}}, "/spec/inner/someCount", "valid integer"),
        (
            {"text": "x", "inner": {"mode": "of"}},
            "/spec/inner/mode",
            "spec.inner.mode is one of 'on' or 'off', not \"of\"",
        ),
        ({"text": "x", "inner": []}, "/spec/inner", "spec.inner is a mapping, not a list"),
        ({"text": "x", "many": {}}, "/spec/many", "spec.many is a list, not a mapping"),
        ({"text": "x", "many": [{}, {"mod": 1}]}, "/spec/many/1/mod", "did you mean mode?"),
        ({"text": "x", "byName": {"a/b": {"mod": 1}}}, "/spec/byName/a~1b/mod", "did you mean mode?"),
        ({"text": "x", "inner": {"name": "Not A Name"}}, "/spec/inner/name", "is not a name: lower-case letters"),
        (
            {"text": "x", "image": "a b"},
            "/spec/image",
            'spec.image: "a b" is not of its form; write it as in vllm/x:v1',
        ),
        ({"text": "x", "either": {"mode": 1}}, "/spec/either/mode", "spec.either.mode is one of"),
        ([], "/spec", "spec is a mapping, not a list"),
    ],
)
def test_a_wrong_field_has_its_pointer_and_a_sentence(value: Any, pointer: str, sentence: str) -> None:
    found = faults_of(value)
    assert pointer in found, found
    assert sentence in found[pointer]


def test_all_faults_are_named_at_once() -> None:
    assert set(faults_of({"many": [{"x": 1}], "other": 1})) == {"/spec/text", "/spec/many/0/x", "/spec/other"}


def test_a_document_is_normalised() -> None:
    written = Outer.from_document({"text": "x", "many": [{"someCount": 2}]}).to_document()
    assert written == {
        "text": "x",
        "inner": {"someCount": 1, "mode": "off"},
        "many": [{"someCount": 2, "mode": "off"}],
        "byName": {},
        "either": 1,
        "image": "a",
    }
    assert Outer.from_document(written).to_document() == written


GOOD = {"apiVersion": "lamplight.dev/v1", "kind": "Pool", "metadata": {"name": "chat"}, "spec": {}}


def test_an_envelope_takes_back_what_the_server_shows() -> None:
    shown = {**GOOD, "status": {"x": 1}, "metadata": {"name": "chat", "team": "t", "generation": 4, "createdAt": "…"}}
    envelope = read_envelope(shown, KINDS)
    assert isinstance(envelope, Envelope)
    assert (envelope.kind, envelope.metadata.name, envelope.metadata.team) == ("Pool", "chat", "t")


@pytest.mark.parametrize(
    ("change", "pointer", "sentence"),
    [
        ({"apiVersion": "v1"}, "/apiVersion", 'apiVersion must be lamplight.dev/v1, not "v1"'),
        ({"apiVersion": ...}, "/apiVersion", "apiVersion must be lamplight.dev/v1, and is required"),
        ({"kind": "pool"}, "/kind", 'there is no kind "pool": it is one of Model, Pool, SLO; did you mean Pool?'),
        ({"kind": ...}, "/kind", "kind is required: one of Model, Pool, SLO"),
        ({"kind": ["Pool"]}, "/kind", "there is no kind"),
        ({"metadata": ...}, "/metadata", "metadata is required, with at least a name"),
        ({"metadata": {}}, "/metadata/name", "metadata.name is required"),
        ({"metadata": {"name": "Chat"}}, "/metadata/name", '"Chat" is not a name'),
        ({"metadata": {"name": "a" * 51}}, "/metadata/name", "at most 50 characters"),
        (
            {"metadata": {"name": "chat", "namespace": "x"}},
            "/metadata/namespace",
            "is not a known field; did you mean name?",
        ),
        ({"metadata": {"name": "chat", "labels": {"a b": "x"}}}, "/metadata/labels/a b", "metadata.labels.a b"),
        ({"metadata": {"name": "chat", "labels": {"a": 1}}}, "/metadata/labels/a", "metadata.labels.a is text"),
        ({"metadata": {"name": "chat", "version": 0}}, "/metadata/version", "greater than or equal to 1"),
        ({"spec": ...}, "/spec", "spec is required"),
        ({"spec": [1]}, "/spec", "spec is a mapping, not a list"),
        ({"specs": {}}, "/specs", "specs is not a known field; did you mean spec?"),
    ],
)
def test_a_wrong_envelope_has_its_pointer_and_a_sentence(change: dict[str, Any], pointer: str, sentence: str) -> None:
    document = {key: value for key, value in {**GOOD, **change}.items() if value is not ...}
    with pytest.raises(Invalid) as refused:
        read_envelope(document, KINDS)
    found = {fault.pointer: fault.detail for fault in refused.value.faults}
    assert pointer in found, found
    assert sentence in found[pointer]


@pytest.mark.parametrize("value", [None, 5, "text", [1], True])
def test_what_is_no_mapping_is_no_document(value: object) -> None:
    with pytest.raises(Invalid, match="a document is a mapping"):
        read_envelope(value, KINDS)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        # the examples of RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": "foo"}, {"b": {"c": {"d": None}}}, {"a": "foo", "b": {"c": {}}}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({"a": "b"}, ["c"], ["c"]),
    ],
)
def test_merge_patch_does_as_rfc_7396_says(target: Any, patch: Any, result: Any) -> None:
    before = repr(target)
    assert merged(target, patch) == result
    assert repr(target) == before
