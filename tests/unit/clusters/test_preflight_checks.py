"""What preflight makes of what a cluster has and allows: the pure part."""

from __future__ import annotations

from typing import Any

import pytest

from apps.clusters.domain.preflight import (
    GOES_WITHOUT,
    NEEDED,
    Missing,
    Right,
    check_accelerators,
    check_kinds,
    check_rights,
    check_version,
    check_watches,
    rights,
    version_of,
)


@pytest.mark.parametrize(
    ("version", "state"),
    [("v1.36.2", "ok"), ("v1.22.0+k3s1", "ok"), ("1.21", "failed"), ("v0.9", "failed"), ("unknown", "unknown")],
)
def test_versions(version: str, state: str) -> None:
    assert check_version(version).state == state


@pytest.mark.parametrize(
    ("page", "version"),
    [
        ({"major": "1", "minor": "36", "gitVersion": "v1.36.2"}, "v1.36.2"),
        ({"major": "1", "minor": "27+", "gitVersion": "v1.27.3-gke.1"}, "v1.27.3-gke.1"),
        # built from the sources by hand
        ({"major": "1", "minor": "36", "gitVersion": "v0.0.0-master+$Format:%H$"}, "v1.36"),
        ({"major": "1", "minor": "3", "gitVersion": "v1.36.2"}, "v1.3"),
        ({"major": "", "minor": "", "gitVersion": "v1.22.0"}, "v1.22.0"),
        ({"gitVersion": "v1.34.2"}, "v1.34.2"),
        ({}, "unknown"),
    ],
)
def test_a_server_without_a_stamp_is_as_old_as_what_it_serves(page: dict[str, str], version: str) -> None:
    assert version_of(page) == version


def test_a_kind_that_every_pool_needs_is_grave_and_others_say_what_is_lost() -> None:
    everything = [*NEEDED, *GOES_WITHOUT]
    assert check_kinds(everything).state == "ok"
    some = check_kinds([kind for kind in everything if "HTTPRoute" not in kind])
    assert some.state == "warning"
    assert "routing.gateway" in some.message
    none = check_kinds([kind for kind in everything if kind != "Deployment.apps"])
    assert (none.state, none.more["missing"]) == ("failed", ["Deployment.apps"])


KINDS = [("Deployment", "apps", "deployments"), ("Pod", "", "pods")]


def test_pods_are_never_made_and_a_read_only_cluster_needs_no_write() -> None:
    asked = rights(KINDS, read_only=False)
    assert Right("patch", "apps", "deployments") in asked
    assert Right("patch", "apps", "deployments", "scale") in asked
    pods = [right for right in asked if (right.resource, right.sub) == ("pods", "")]
    assert {right.verb for right in pods} == {"get", "list", "watch", "patch", "delete"}
    # labelled before they sleep or leave, deleted when they do not wake: a pool serves without
    assert {right.verb for right in pods if right.without and not right.everywhere} == {"patch", "delete"}
    assert {right.verb for right in rights(KINDS, read_only=True)} == {"get", "list", "watch"}


def test_what_is_used_beside_what_pools_own_is_asked_for_where_it_is_served() -> None:
    claims = ("ResourceClaim", "resource.k8s.io", "resourceclaims")
    served = [claims, ("ResourceQuota", "", "resourcequotas"), ("LocalQueue", "kueue.x-k8s.io", "localqueues")]
    groups = [("LeaderWorkerSet", "leaderworkerset.x-k8s.io", "leaderworkersets")]
    more = set(rights([*KINDS, *groups], False, served)) - set(rights([*KINDS, *groups], False))
    assert {(right.verb, right.resource, right.everywhere) for right in more} == {
        ("list", "resourceclaims", True), ("get", "resourceclaims", False), ("create", "resourceclaims", False),
        ("delete", "resourceclaims", False), ("list", "resourcequotas", False), ("list", "localqueues", False),
    }  # fmt: skip
    assert all(right.without for right in more)
    assert {right.verb for right in rights(KINDS, True, served)} == {"get", "list", "watch"}
    scale = [right for right in rights([*KINDS, *groups], False) if right.sub == "scale"]
    assert [right.resource for right in scale] == ["deployments", "leaderworkersets"]


def test_missing_rights_are_named_and_weighed() -> None:
    grave = Missing(Right("patch", "apps", "deployments"), "serving")
    light = Missing(Right("get", "", "pods", "log", without="no logs"), "")
    assert check_rights([], 40).state == "ok"
    assert (check_rights([light], 40).state, "no logs" in check_rights([light], 40).message) == ("warning", True)
    found = check_rights([light, grave], 40)
    assert found.state == "failed"
    assert "patch deployments.apps in serving" in found.message
    assert [row["resource"] for row in found.more["missing"]] == ["deployments", "pods/log"], "the gravest first"
    assert found.more["missing"][1] == {
        "verb": "get", "resource": "pods/log", "group": "", "namespace": None, "without": "no logs"
    }  # fmt: skip


def test_of_many_missing_rights_some_are_named_and_the_rest_is_counted() -> None:
    many = [Missing(Right("get", "", f"kind{n}"), f"place{n}") for n in range(300)]
    assert check_rights(many[:5], 400, "far").message.endswith("get kind4 in place4")
    found = check_rights(many, 400, "far")
    assert found.message.startswith("300 rights are missing: get kind0 in place0, ")
    assert found.message.endswith("get kind4 in place4 and 295 more (`lamp preflight cluster far` lists them)")
    assert (len(found.more["missing"]), found.more["missingCount"]) == (200, 300)


def test_accelerators_that_cannot_be_read_are_unknown_not_none() -> None:
    rows: list[dict[str, Any]] = [{"product": "", "resource": "nvidia.com/gpu", "allocatable": 8, "free": 3}]
    assert check_accelerators(None).state == "unknown"
    assert check_accelerators([]).state == "warning"
    assert check_accelerators(rows).message == "8 nvidia.com/gpu"


def test_watches() -> None:
    assert check_watches(0, 0, []).state == "warning"
    assert check_watches(11, 12, ["pods is forbidden"]).message.endswith("pods is forbidden")
    assert check_watches(12, 12, []).state == "ok"
