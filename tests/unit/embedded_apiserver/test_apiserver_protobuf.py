"""Reading the protobuf bodies of kubectl create and kubectl auth."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.embedded.apiserver.domain.protobuf import MAGIC, ProtobufError, decode


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def body(kind: str, raw: bytes, version: str = "v1") -> bytes:
    return MAGIC + field(1, field(1, version.encode()) + field(2, kind.encode())) + field(2, raw) + field(3, b"")


def entry(key: str, value: bytes) -> bytes:
    return field(1, key.encode()) + field(2, value)


# what kubectl writes: empty fields too, and a creation time that nobody set
META = field(1, b"a") + field(2, b"") + field(3, b"ns") + field(8, b"")


def test_a_namespace_and_a_config_map() -> None:
    assert decode(body("Namespace", field(1, META) + field(2, b"") + field(3, b""))) == {
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "namespace": "ns"},
    }  # fmt: skip
    labelled = META + field(11, entry("k", b"v"))
    raw = field(1, labelled) + field(2, entry("x", "ü".encode() * 100)) + field(3, entry("y", b"\x00")) + field(4, 1)
    assert decode(body("ConfigMap", raw)) == {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "ns", "labels": {"k": "v"}},
        "data": {"x": "ü" * 100}, "binaryData": {"y": "AA=="}, "immutable": True,
    }  # fmt: skip


def test_a_secret_is_base64_as_in_json() -> None:
    secret = decode(body("Secret", field(1, META) + field(2, entry("p", b"hidden")) + field(3, b"Opaque")))
    assert (secret["data"], secret["type"]) == ({"p": "aGlkZGVu"}, "Opaque")


def test_the_questions_of_kubectl_auth() -> None:
    asked = field(1, b"ns") + field(2, b"create") + field(3, b"apps") + field(5, b"deployments") + field(7, b"")
    raw = field(1, field(1, b"")) + field(2, field(1, asked)) + field(3, field(1, 0))
    review = decode(body("SelfSubjectAccessReview", raw, "authorization.k8s.io/v1"))
    assert review["spec"] == {
        "resourceAttributes": {"namespace": "ns", "verb": "create", "group": "apps", "resource": "deployments"}
    }
    path = field(2, field(2, field(1, b"/healthz") + field(2, b"get")))
    review = decode(body("SelfSubjectAccessReview", path, "authorization.k8s.io/v1"))
    assert review["spec"] == {"nonResourceAttributes": {"path": "/healthz", "verb": "get"}}
    rules = decode(body("SelfSubjectRulesReview", field(2, field(1, b"ns")), "authorization.k8s.io/v1"))
    assert rules["spec"] == {"namespace": "ns"}
    assert decode(body("SelfSubjectReview", b"", "authentication.k8s.io/v1"))["kind"] == "SelfSubjectReview"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"{}", "does not begin"),
        (body("Pod", b""), "Pod"),
        (body("SelfSubjectAccessReview", b""), "SelfSubjectAccessReview \\(v1\\)"),
        (body("ConfigMap", field(9, b"")), "field 9 is not read"),
        (body("ConfigMap", field(1, META))[:-9], "cut off"),
        (body("ConfigMap", field(2, 7)), "a number stands where"),
    ],
)
def test_what_is_not_read_is_said(data: bytes, sentence: str) -> None:
    with pytest.raises(ProtobufError, match=sentence):
        decode(data)


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(data: bytes) -> None:
    with contextlib.suppress(ProtobufError):
        decode(MAGIC + data)
