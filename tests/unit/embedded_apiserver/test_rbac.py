"""Who may do what, from roles and bindings."""

from __future__ import annotations

from typing import Any

import pytest

from apps.embedded.apiserver.domain.rbac import Attributes, Rights, covers

READ = {"apiGroups": [""], "resources": ["configmaps", "pods/log"], "verbs": ["get", "list"]}


def rights(*bindings: dict[str, Any], roles: dict[tuple[str, str, str], list[dict[str, Any]]]) -> Rights:
    def role(kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        rules = roles.get((kind, "" if kind == "ClusterRole" else namespace, name))
        return None if rules is None else {"rules": rules}

    return Rights(
        role_bindings=lambda namespace: [b for b in bindings if b["metadata"].get("namespace") == namespace],
        cluster_role_bindings=lambda: [b for b in bindings if not b["metadata"].get("namespace")],
        role=role,
    )


def binding(role: str, *subjects: dict[str, Any], namespace: str = "", kind: str = "Role") -> dict[str, Any]:
    metadata = {"name": "b", **({"namespace": namespace} if namespace else {})}
    return {
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"kind": kind, "name": role},
        "subjects": list(subjects),
    }


ALICE = {"kind": "User", "name": "alice"}
LIST = Attributes("list", "", "configmaps", namespace="ns")


def test_a_binding_gives_the_rights_of_its_role_in_its_namespace_only() -> None:
    found = rights(binding("r", ALICE, namespace="ns"), roles={("Role", "ns", "r"): [READ]})
    said = found.allowed("alice", (), LIST)
    assert said == 'RBAC: allowed by RoleBinding "b/ns" of Role "r" to User "alice"'
    assert found.allowed("bob", (), LIST) is None
    assert found.allowed("alice", (), Attributes("list", "", "configmaps", namespace="other")) is None
    assert found.allowed("alice", (), Attributes("create", "", "configmaps", namespace="ns")) is None
    assert found.rules("alice", (), "ns") == [READ]


def test_a_cluster_binding_counts_everywhere() -> None:
    team = {"kind": "Group", "name": "team-a"}
    found = rights(binding("c", team, kind="ClusterRole"), roles={("ClusterRole", "", "c"): [READ]})
    for namespace in ("", "ns"):
        assert found.allowed("alice", ("team-a",), Attributes("get", "", "configmaps", "x", namespace))
    assert found.allowed("alice", ("team-b",), LIST) is None


def test_a_service_account_is_a_user_with_a_long_name() -> None:
    account = {"kind": "ServiceAccount", "name": "epp"}
    found = rights(binding("r", account, namespace="ns"), roles={("Role", "ns", "r"): [READ]})
    assert found.allowed("system:serviceaccount:ns:epp", (), LIST)
    assert found.allowed("system:serviceaccount:other:epp", (), LIST) is None


def test_a_binding_to_a_role_that_is_not_there_gives_nothing() -> None:
    assert rights(binding("gone", ALICE, namespace="ns"), roles={}).allowed("alice", (), LIST) is None


@pytest.mark.parametrize(
    ("rule", "wanted", "allowed"),
    [
        ({**READ, "verbs": ["*"]}, Attributes("delete", "", "configmaps"), True),
        (READ, Attributes("get", "apps", "configmaps"), False),
        ({**READ, "apiGroups": ["*"], "resources": ["*"]}, Attributes("get", "apps", "deployments/scale"), True),
        (READ, Attributes("get", "", "pods/log"), True),
        (READ, Attributes("get", "", "pods"), False),
        ({**READ, "resources": ["*/scale"]}, Attributes("get", "", "deployments/scale"), True),
        ({**READ, "resourceNames": ["a"]}, Attributes("get", "", "configmaps", "a"), True),
        ({**READ, "resourceNames": ["a"]}, Attributes("get", "", "configmaps", "b"), False),
        ({"verbs": ["get"], "nonResourceURLs": ["/metrics", "/api/*"]}, Attributes("get", path="/api/v1"), True),
        ({"verbs": ["get"], "nonResourceURLs": ["/metrics"]}, Attributes("get", path="/logs"), False),
        ({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, Attributes("get", path="/metrics"), False),
    ],
)
def test_rules_cover(rule: dict[str, Any], wanted: Attributes, allowed: bool) -> None:
    assert covers(rule, wanted) is allowed
