"""Cluster documents and the inventory of accelerators: the pure parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.clusters.domain.inventory import count, totals, whole
from apps.clusters.domain.spec import ClusterSpec
from apps.clusters.errors import (
    Answer,
    BadCredentials,
    Conflict,
    FieldManagerConflict,
    Forbidden,
    Gone,
    Invalid,
    KubeError,
    NotFound,
    ServerFault,
    Throttled,
    error_of,
)
from apps.clusters.kube import Credentials, Kube
from apps.core.domain import refusals


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        ({}, "exactly one of kubeconfig"),
        ({"kubeconfig": "/k", "inCluster": True}, "exactly one of kubeconfig"),
        ({"inCluster": True, "context": "c"}, "leave context out"),
        ({"kubeconfig": "relative"}, "kubeconfig"),
        ({"kubeconfg": "/k"}, "did you mean kubeconfig"),
    ],
)
def test_one_way_in(credentials: dict[str, Any], words: str) -> None:
    with pytest.raises(refusals.Invalid) as refused:
        ClusterSpec.from_document({"credentials": credentials})
    assert any(words in fault.detail for fault in refused.value.faults), refused.value.faults


def test_a_cluster_document_survives_being_written_and_read() -> None:
    document = {
        "credentials": {"kubeconfig": "/etc/lamplight/kubeconfig", "context": "prod"},
        "namespaces": ["serving"],
        "prices": {"nvidia-h200": "3.20 USD/h"},
        "dialect": "0.5",
        "readOnly": True,
    }
    written = ClusterSpec.from_document(document).to_document()
    assert ClusterSpec.from_document(written).to_document() == written
    assert written["prices"] == {"nvidia-h200": "3.20 USD/h"}
    assert written["credentials"] == {"kubeconfig": "/etc/lamplight/kubeconfig", "context": "prod", "inCluster": False}


def node(name: str, gpus: int, *, product: str = "NVIDIA-H200", ready: bool = True, cordoned: bool = False) -> Any:
    return {
        "metadata": {"name": name, "labels": {"nvidia.com/gpu.product": product}},
        "spec": {"unschedulable": True} if cordoned else {},
        "status": {
            "allocatable": {"nvidia.com/gpu": str(gpus), "cpu": "192"},
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def pod(on: str | None, *gpus: int, phase: str = "Running", init: int = 0) -> Any:
    def container(amount: int) -> Any:
        return {"resources": {"limits": {"nvidia.com/gpu": str(amount)}}}

    return {
        "spec": {
            "nodeName": on,
            "containers": [container(amount) for amount in gpus],
            "initContainers": [container(init)] if init else [],
        },
        "status": {"phase": phase},
    }


def test_accelerators_are_counted_by_product_and_used_ones_are_not_free() -> None:
    nodes = [node("a", 8), node("b", 4), node("c", 8, product="NVIDIA-L40S"), {"metadata": {"name": "cpu"}}]
    pods = [pod("a", 2, 1), pod("a", 4, phase="Succeeded"), pod(None, 8), pod("b", 1, init=3)]
    by_product = {row.product: row for row in totals(count(nodes, pods))}
    h200 = by_product["NVIDIA-H200"]
    assert (h200.allocatable, h200.used, h200.free, h200.nodes, h200.largest_node) == (12, 6, 6, 2, 8)
    assert by_product["NVIDIA-L40S"].free == 8
    assert h200.to_json()["largestNode"] == 8


def test_nodes_that_take_no_pods_have_nothing_free() -> None:
    rows = totals(count([node("a", 8, ready=False), node("b", 8, cordoned=True)], []))
    assert [(row.allocatable, row.free) for row in rows] == [(16, 0)]


@given(st.lists(st.tuples(st.integers(0, 16), st.lists(st.integers(0, 8), max_size=4)), max_size=6))
def test_free_is_never_negative_nor_more_than_there_is(cluster: list[tuple[int, list[int]]]) -> None:
    nodes = [node(f"n{i}", gpus) for i, (gpus, _) in enumerate(cluster)]
    pods = [pod(f"n{i}", amount) for i, (_, amounts) in enumerate(cluster) for amount in amounts]
    for row in totals(count(nodes, pods)):
        assert 0 <= row.free <= row.allocatable


@pytest.mark.parametrize(
    ("text", "value"), [("8", 8), (8, 8), ("1k", 1000), ("2Ki", 2048), ("1500m", 1), (None, 0), ("eight", 0), ("", 0)]
)
def test_quantities(text: object, value: int) -> None:
    assert whole(text) == value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (401, BadCredentials),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (410, Gone),
        (415, Invalid),
        (422, Invalid),
        (429, Throttled),
        (500, ServerFault),
        (501, ServerFault),
        (503, ServerFault),
    ],
)
def test_answers_become_errors_that_say_what_and_where(status: int, kind: type[KubeError]) -> None:
    error = error_of(Answer(status, {"message": "because"}, retry_after="7", what="PATCH /api/v1/x"))
    assert type(error) is kind
    assert "because" in str(error)
    if isinstance(error, Throttled):
        assert error.retry_after == 7.0


def test_a_sentence_of_the_server_ends_as_ours_do() -> None:
    said = 'deployments.apps "chat" is forbidden: exceeded quota: small.'
    assert str(error_of(Answer(403, {"message": said}))) == said.removesuffix(".")


def test_a_conflict_of_field_managers_names_them_and_their_fields() -> None:
    body = {
        "message": "Apply failed with 1 conflict",
        "details": {
            "causes": [
                {
                    "reason": "FieldManagerConflict",
                    "message": 'conflict with "kubectl-edit" using apps/v1',
                    "field": ".spec.template.spec.containers",
                }
            ]
        },
    }
    error = error_of(Answer(409, body))
    assert isinstance(error, FieldManagerConflict)
    assert error.owned == {"kubectl-edit": [".spec.template.spec.containers"]}


def test_an_unknown_field_of_an_apply_is_not_tried_again() -> None:
    body = {"message": "failed to create typed patch object: .spec.x: field not declared in schema"}
    assert isinstance(error_of(Answer(500, body)), Invalid)


def test_a_retry_after_that_is_no_number_is_a_second() -> None:
    error = error_of(Answer(429, {}, retry_after="Wed, 21 Oct"))
    assert isinstance(error, Throttled)
    assert error.retry_after == 1.0


def test_a_kubeconfig_that_cannot_be_used_is_said_without_a_full_stop_for_whoever_quotes_it(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("")
    for path, why in (
        (empty, "file is empty"),
        (tmp_path / "none", "there is no such file where Lamplight runs"),
    ):
        with pytest.raises(BadCredentials) as refused:
            Kube(Credentials(kubeconfig=str(path)))
        assert str(refused.value).endswith(why)
