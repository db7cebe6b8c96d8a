"""Victims, endpoints, disruption budgets, template hashes, selectors."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.embedded.controllers.domain import disruption, endpoints, replicas
from apps.embedded.controllers.domain.revisions import replica_set_annotations
from apps.embedded.controllers.domain.template_hash import SAFE_ALPHABET, fnv1a_32, same_template, template_hash
from apps.embedded.domain.objects import matches_selector, scaled_value
from tests.unit.embedded_nodes.builders import NOW, deployment, pod, replica_set, stamp


def _order(*pods: dict) -> list[str]:
    return [victim["metadata"]["name"] for victim in replicas.victims(pods, pods, len(pods))]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pod("a", node=None), pod("b")),
        (pod("a", phase="Pending"), pod("b")),
        (pod("a", ready=False), pod("b")),
        (pod("a", annotations={"controller.kubernetes.io/pod-deletion-cost": "-5"}), pod("b", ready_age=1)),
        (pod("a", ready_age=10), pod("b", ready_age=90)),
        (pod("a", restarts=4), pod("b")),
        (pod("a", age=60), pod("b", age=90)),
    ],
)
def test_which_pod_goes_first(first: dict, second: dict) -> None:
    assert _order(second, first) == ["a", "b"]


def test_doubled_up_pods_go_before_lonely_ones() -> None:
    assert _order(pod("lonely", node="n2"), pod("x"), pod("y"))[-1] == "lonely"


@given(st.permutations([pod(name, restarts=index % 2) for index, name in enumerate("abcdef")]))
def test_the_choice_does_not_depend_on_the_order_of_the_list(pods: list[dict]) -> None:
    assert _order(*pods) == _order(*sorted(pods, key=lambda entry: entry["metadata"]["name"]))


def test_replica_set_status_counts_and_remembers_the_failure() -> None:
    rs = replica_set("web-1", 3)
    rs["metadata"]["generation"] = 4
    pods = [pod("a"), pod("b", ready=False)]
    found = replicas.calculate_status(rs, pods, 1, "pods are forbidden", NOW)
    assert found["replicas"] == 2
    assert found["readyReplicas"] == found["availableReplicas"] == 1
    assert found["terminatingReplicas"] == 1
    assert found["observedGeneration"] == 4
    assert found["conditions"][0]["reason"] == "FailedCreate"
    rs["status"] = found
    assert "conditions" not in replicas.calculate_status(rs, pods, 0, None, NOW)


def test_min_ready_seconds_delays_availability() -> None:
    rs = replica_set("web-1", 1)
    rs["spec"]["minReadySeconds"] = 60
    assert "availableReplicas" not in replicas.calculate_status(rs, [pod(ready_age=50)], 0, None, NOW)
    assert replicas.seconds_until_available(rs, [pod(ready_age=50)], NOW) == pytest.approx(10)
    assert replicas.calculate_status(rs, [pod(ready_age=70)], 0, None, NOW)["availableReplicas"] == 1


def _service(**spec: object) -> dict:
    return {
        "metadata": {"name": "web", "namespace": "ns"},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "web"}], **spec},
    }


def _with_port(entry: dict, number: int) -> dict:
    entry["spec"]["containers"][0]["ports"] = [{"name": "web", "containerPort": number}]
    return entry


def test_named_ports_of_different_numbers_make_different_slices() -> None:
    slices = endpoints.desired_slices(
        _service(), [_with_port(pod("a"), 8000), _with_port(pod("b"), 9000), _with_port(pod("c"), 8000)], {}
    )
    assert [(s["ports"][0]["port"], len(s["endpoints"])) for s in slices] == [(8000, 2), (9000, 1)]


def test_a_service_without_endpoints_keeps_one_empty_slice() -> None:
    assert endpoints.desired_slices(_service(), [pod("a", phase="Succeeded")], {}) == [
        {"ports": None, "endpoints": None}
    ]


def test_terminating_pods_serve_but_are_not_ready() -> None:
    leaving = _with_port(pod("a"), 8000)
    leaving["metadata"]["deletionTimestamp"] = stamp()
    (found,) = endpoints.desired_slices(_service(), [leaving], {})
    assert found["endpoints"][0]["conditions"] == {"ready": False, "serving": True, "terminating": True}
    (found,) = endpoints.desired_slices(_service(publishNotReadyAddresses=True), [leaving], {})
    assert found["endpoints"][0]["conditions"]["ready"] is True


@given(count=st.integers(0, 350))
def test_slices_are_bounded_and_hold_every_pod(count: int) -> None:
    pods = [_with_port(pod(f"p{index:03}"), 8000) for index in range(count)]
    slices = endpoints.desired_slices(_service(), pods, {})
    assert all(len(s["endpoints"] or []) <= endpoints.MAX_ENDPOINTS for s in slices)
    assert sum(len(s["endpoints"] or []) for s in slices) == count


@pytest.mark.parametrize(
    ("spec", "expected", "needed"),
    [({"minAvailable": 1}, 3, 1), ({"minAvailable": "50%"}, 3, 2), ({"maxUnavailable": 1}, 3, 2), ({}, 3, 0)],
)
def test_desired_healthy(spec: dict, expected: int, needed: int) -> None:
    assert disruption.desired_healthy(spec, expected) == needed


def test_budget_status_and_granted_evictions() -> None:
    budget = {"metadata": {"generation": 2}, "spec": {}}
    found = disruption.calculate_status(budget, healthy=3, expected=3, desired=2, disrupted={}, now=NOW)
    assert found["disruptionsAllowed"] == 1
    assert found["conditions"][0]["reason"] == "SufficientPods"
    leaving = pod("gone")
    leaving["metadata"]["deletionTimestamp"] = stamp()
    left = disruption.still_disrupted(
        {"a": stamp(10), "old": stamp(500), "gone": stamp(1), "missing": stamp(1)},
        {"a": pod("a"), "old": pod("old"), "gone": leaving},
        NOW,
    )
    assert left == {"a": stamp(10)}


def test_hash_is_fnv1a_in_a_safe_alphabet() -> None:
    assert fnv1a_32(b"") == 0x811C9DC5
    assert fnv1a_32(b"a") == 0xE40C292C
    found = template_hash({"spec": {"a": 1}})
    assert set(found) <= set(SAFE_ALPHABET)
    assert found != template_hash({"spec": {"a": 2}})
    assert found != template_hash({"spec": {"a": 1}}, 1)


def test_templates_are_equal_but_for_the_hash_label() -> None:
    plain = {"metadata": {"labels": {"app": "web"}}, "spec": {}}
    hashed = {"metadata": {"creationTimestamp": None, "labels": {"app": "web", "pod-template-hash": "x"}}, "spec": {}}
    assert same_template(plain, hashed)
    assert not same_template(plain, {"metadata": {"labels": {"app": "web", "v": "2"}}, "spec": {}})


def test_a_rollback_keeps_the_former_revision_in_the_history() -> None:
    rs = replica_set("web-1", 1)
    rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "1"
    wanted = deployment()
    wanted["metadata"]["annotations"] = {"note": "x", "kubectl.kubernetes.io/last-applied-configuration": "secret"}
    found = replica_set_annotations(wanted, rs, 3)
    assert found["deployment.kubernetes.io/revision"] == "3"
    assert found["deployment.kubernetes.io/revision-history"] == "1"
    assert found["note"] == "x"
    assert "kubectl.kubernetes.io/last-applied-configuration" not in found


labels = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"), max_size=3)


@given(labels)
def test_selector_of_all_labels_matches_and_of_one_more_does_not(found: dict[str, str]) -> None:
    assert matches_selector({"matchLabels": found}, found)
    assert not matches_selector({"matchLabels": {**found, "other": "1"}}, found)
    assert matches_selector({}, found)
    assert not matches_selector(None, found)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"key": "a", "operator": "In", "values": ["1"]}, True),
        ({"key": "a", "operator": "NotIn", "values": ["1"]}, False),
        ({"key": "b", "operator": "NotIn", "values": ["1"]}, True),
        ({"key": "a", "operator": "Exists"}, True),
        ({"key": "b", "operator": "DoesNotExist"}, True),
        ({"key": "a", "operator": "Gt", "values": ["0"]}, True),
        ({"key": "a", "operator": "Lt", "values": ["0"]}, False),
        ({"key": "b", "operator": "Gt", "values": ["0"]}, False),
    ],
)
def test_match_expressions(rule: dict, expected: bool) -> None:
    assert matches_selector({"matchExpressions": [rule]}, {"a": "1"}) is expected


@given(percent=st.integers(0, 100), total=st.integers(0, 1000))
def test_percentages_round_as_told(percent: int, total: int) -> None:
    low = scaled_value(f"{percent}%", total, round_up=False)
    high = scaled_value(f"{percent}%", total, round_up=True)
    assert low <= percent * total / 100 <= high
    assert high - low <= 1
    assert set(str(low)) <= set(string.digits)
