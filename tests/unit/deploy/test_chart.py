"""What the chart installs: objects that an API server takes, and the rights that the control plane asks for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from apps.catalog.domain.dialects import dialect
from apps.clusters.domain.preflight import BESIDE, Right, rights
from apps.clusters.informers.owned import owned
from apps.endpoints.controller import OWNED_KINDS as ENDPOINT_KINDS
from tests.support.chart import Refused, of_kind, render
from tests.support.proof import builtin_faults

EVERYTHING = (
    "hosts={console.example.com}",
    "ingress.enabled=true",
    "ingress.tlsSecretName=console-tls",
    "kubeconfigs[0].secretName=eu-west",
    "kubeconfigs[0].mountPath=/etc/lamplight/eu-west",
    "env.LAMPLIGHT_LOG_FORMAT=json",
    "image.pullSecrets[0].name=registry",
)
NARROW = ("rbac.namespaces={serving,more}",)
Rules = list[dict[str, Any]]


@pytest.mark.parametrize("settings", [(), EVERYTHING, NARROW], ids=["plain", "everything", "narrow"])
def test_an_api_server_takes_every_object(settings: tuple[str, ...]) -> None:
    for rendered in render(*settings):
        assert builtin_faults(rendered) == [], rendered["kind"]


def pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [found["spec"]["template"] for kind in ("Deployment", "Job") for found in of_kind(objects, kind)]


def test_pods_pass_the_restricted_standard() -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, and a root that nobody writes to."""
    for pod in pods(render(*EVERYTHING)):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*spec["containers"], *spec.get("initContainers", ())]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert set(container["resources"]) == {"requests", "limits"}


def test_selectors_catch_their_own_pods_only() -> None:
    objects = render("podMonitor=true")
    labels = {
        found["metadata"]["name"]: found["spec"]["template"]["metadata"]["labels"]
        for found in of_kind(objects, "Deployment")
    }

    def caught(selector: dict[str, str]) -> set[str]:
        return {name for name, held in labels.items() if selector.items() <= held.items()}

    for found in of_kind(objects, "Deployment"):
        assert caught(found["spec"]["selector"]["matchLabels"]) == {found["metadata"]["name"]}
    assert caught(of_kind(objects, "Service")[0]["spec"]["selector"]) == {"lamplight"}
    for kind in ("PodDisruptionBudget", "PodMonitor"):
        assert caught(of_kind(objects, kind)[0]["spec"]["selector"]["matchLabels"]) == {"lamplight"}


def plural(kind: str) -> str:
    return re.sub("ys$", "ies", f"{kind.lower()}s")


def grants(rules: Rules, right: Right) -> bool:
    resource = f"{right.resource}/{right.sub}" if right.sub else right.resource
    return any(
        right.group in rule["apiGroups"] and resource in rule["resources"] and right.verb in rule["verbs"]
        for rule in rules
    )


def asked() -> list[Right]:
    entry = owned()
    assert entry is not None
    owned_by_any = {*entry.resources, *ENDPOINT_KINDS}
    kinds = [(kind, group, plural(kind)) for kind, _, group in (found.partition(".") for found in owned_by_any)]
    beside = [(kind, group, plural(kind)) for kind, _, group in (found.partition(".") for found in BESIDE)]
    return rights(kinds, read_only=False, beside=beside)


def test_everything_that_preflight_asks_for_is_granted() -> None:
    rules = of_kind(render(), "ClusterRole")[0]["rules"]
    assert [right for right in asked() if not grants(rules, right)] == []


def test_rights_in_some_namespaces_only() -> None:
    objects = render(*NARROW)
    everywhere = of_kind(objects, "ClusterRole")[0]["rules"]
    roles = of_kind(objects, "Role")
    assert {role["metadata"]["namespace"] for role in roles} == {"serving", "more"}
    writes = {"create", "patch", "update", "delete", "*"}
    assert [rule for rule in everywhere if writes & set(rule["verbs"])] == []
    for right in asked():
        if right.everywhere and right.resource != "namespaces":
            assert grants(everywhere, right), right
        elif not right.everywhere:
            assert all(grants(role["rules"], right) for role in roles), right


def test_it_holds_what_it_gives_to_endpoint_pickers() -> None:
    """An API server refuses a Role that gives more than its writer has."""
    rules = of_kind(render(), "ClusterRole")[0]["rules"]
    for name in ("0.5", "current"):
        for group in dialect(name).picker_api_groups:
            for resource in ("inferencepools", "inferenceobjectives", "inferencemodelrewrites"):
                for verb in ("get", "list", "watch"):
                    assert grants(rules, Right(verb, group, resource)), (group, resource, verb)


def environment(objects: list[dict[str, Any]], container: str) -> dict[str, str]:
    (found,) = (c for pod in pods(objects) for c in pod["spec"]["containers"] if c["name"] == container)
    return {entry["name"]: entry.get("value", "") for entry in found["env"]}


def test_endpoints_run_the_image_that_is_built_beside_it() -> None:
    named = "LAMPLIGHT_ENDPOINT_GATEWAY_IMAGE"
    beside = "registry.example.com/lamplight-endpoint-gateway"
    assert environment(render("image.tag=2.0"), "worker")[named] == f"{beside}:2.0"
    assert environment(render("endpointGatewayImage=own:1"), "worker")[named] == "own:1"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("image.repository=", "image.repository"),
        ("replica=3", "Additional property replica is not allowed"),
        ("replicas=0", "replicas"),
        ("ingress.enabled=true", "needs hosts"),
        ("kubeconfigs[0].secretName=x", "mountPath"),
    ],
)
def test_wrong_values_are_refused_with_what_is_wrong(setting: str, said: str) -> None:
    with pytest.raises(Refused, match=re.escape(said)):
        render(setting)
