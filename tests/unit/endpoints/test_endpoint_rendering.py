"""Endpoints: what their documents refuse, and what they are rendered to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.catalog.domain.dialects import DIALECTS, dialect
from apps.core.domain.refusals import Invalid
from apps.endpoints.domain.rendering import EndpointIdentity, PoolFacts, render
from apps.endpoints.domain.spec import EndpointSpec
from apps.pools.domain.manifests import Manifest, PlanRefused
from tests.support.proof import faults
from tests.unit.pools.paths import KINDS

ENDPOINT = EndpointIdentity("99999999-2222-3333-4444-555555555555", "default", "front", 4, "serving")
POOLS = {name: PoolFacts(name, "llama-3.1-8b") for name in ("blue", "green", "spare")}
CANARY = {"name": "chat", "backends": [{"pool": "blue", "weight": 90}, {"pool": "green", "weight": 10}]}
ADAPTER = {"name": "sql", "backends": [{"pool": "blue", "adapter": "sql-lora"}]}


def spec_of(*models: Any, **more: Any) -> EndpointSpec:
    return EndpointSpec.from_document(
        {"cluster": "embedded", "namespace": "serving", "models": list(models) or [CANARY], **more}
    )


def rendered(spec: EndpointSpec, release: str = "current", **more: Any) -> dict[str, Manifest]:
    objects = render(ENDPOINT, spec, more.get("pools", POOLS), more.get("kinds", KINDS), dialect(release))
    assert [fault for obj in objects for fault in faults(obj)] == []
    return {f"{o['kind']}/{o['metadata']['name']}": o for o in objects}


def test_its_own_data_plane_runs_the_image_of_the_installation() -> None:
    objects = render(ENDPOINT, spec_of(), POOLS, KINDS, dialect("current"), "registry.example.com/gw:2")
    (gateway,) = (o for o in objects if o["kind"] == "Deployment")
    assert gateway["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example.com/gw:2"


def test_its_own_data_plane_has_the_whole_routing_table() -> None:
    keys = {"secret": "chat-keys", "limits": {"default": {"requestsPerMinute": 600}}}
    objects = rendered(spec_of({**CANARY, "failover": ["spare"]}, ADAPTER, keys=keys))
    assert objects.keys() == {"ConfigMap/front-gw", "Deployment/front-gw", "Service/front"}
    table = json.loads(objects["ConfigMap/front-gw"]["data"]["endpoint.json"])
    chat = table["models"]["chat"]
    assert [(b["pool"], b["weight"], b["model"]) for b in chat["backends"]] == [
        ("blue", 90, "llama-3.1-8b"),
        ("green", 10, "llama-3.1-8b"),
    ]
    assert chat["failover"] == [{"pool": "spare", "url": "http://spare.serving.svc:8000", "model": "llama-3.1-8b"}]
    assert table["models"]["sql"]["backends"][0]["model"] == "sql-lora"
    assert table["limits"] == {"default": {"requestsPerMinute": 600}}
    pod = objects["Deployment/front-gw"]["spec"]["template"]["spec"]
    assert {"name": "keys", "secret": {"secretName": "chat-keys"}} in pod["volumes"]
    assert "chat-keys" not in json.dumps(table), "the table names no secret"


def test_fail_over_reaches_a_pool_of_another_cluster_at_its_address() -> None:
    pools = {**POOLS, "spare": PoolFacts("spare", "llama-3.1-8b", "http://ai.eu.example.com")}
    objects = rendered(spec_of({**CANARY, "failover": ["spare"]}), pools=pools)
    table = json.loads(objects["ConfigMap/front-gw"]["data"]["endpoint.json"])
    assert [row["url"] for row in table["models"]["chat"]["failover"]] == ["http://ai.eu.example.com"]
    assert table["models"]["chat"]["backends"][0]["url"] == "http://blue.serving.svc:8000"


def test_a_change_of_weights_is_a_new_table_and_rolls_the_data_plane() -> None:
    def annotation(weight: int) -> str:
        backends = [{"pool": "blue", "weight": weight}, {"pool": "green", "weight": 10}]
        template = rendered(spec_of({"name": "chat", "backends": backends}))["Deployment/front-gw"]["spec"]["template"]
        return str(template["metadata"]["annotations"])

    assert annotation(90) != annotation(50)


@pytest.mark.parametrize("release", DIALECTS)
def test_a_gateway_gets_weights_by_model_and_pools_learn_the_names(release: str) -> None:
    objects = rendered(spec_of(CANARY, ADAPTER, gateway={"name": "public", "hostnames": ["ai.example.com"]}), release)
    rules = objects["HTTPRoute/front"]["spec"]["rules"]
    assert [[(b["name"], b["weight"]) for b in rule["backendRefs"]] for rule in rules] == [
        [("blue", 90), ("green", 10)],
        [("blue", 1)],
    ]
    assert rules[0]["matches"][0]["headers"] == [{"type": "Exact", "name": "X-Gateway-Model-Name", "value": "chat"}]
    rewrite = objects["InferenceModelRewrite/front-blue"]
    assert rewrite["apiVersion"] == dialect(release).rewrite_api_version
    assert [r["targets"][0]["modelRewrite"] for r in rewrite["spec"]["rules"]] == ["llama-3.1-8b", "sql-lora"]


def test_one_model_needs_no_body_based_routing_and_its_own_name_no_rewrite() -> None:
    one = {"name": "llama-3.1-8b", "backends": [{"pool": "blue"}]}
    objects = rendered(spec_of(one, gateway={"name": "public", "provider": "gke"}))
    assert objects.keys() == {"HTTPRoute/front"}
    rule = objects["HTTPRoute/front"]["spec"]["rules"][0]
    assert "headers" not in rule["matches"][0]
    assert "port" not in rule["backendRefs"][0]
    assert "timeouts" not in rule


@pytest.mark.parametrize(
    ("spec", "more", "reason"),
    [
        (spec_of(CANARY), {"pools": {"blue": POOLS["blue"]}}, "PoolMissing"),
        (spec_of(CANARY, gateway={"name": "g"}), {"kinds": frozenset()}, "GatewayNotAvailable"),
        (spec_of(CANARY), {"pools": {**POOLS, "green": PoolFacts("green", "m", "")}}, "PoolNotOutside"),
        (
            spec_of(CANARY, gateway={"name": "g"}),
            {"pools": {**POOLS, "green": PoolFacts("green", "m", "http://green.other.svc:8000")}},
            "PoolElsewhere",
        ),
        (spec_of({**CANARY, "failover": ["spare"]}, gateway={"name": "g"}), {}, "FailoverNotInGateway"),
        (spec_of(CANARY, gateway={"name": "g"}, keys={"secret": "k"}), {}, "KeysNotInGateway"),
        (
            spec_of(
                {"name": "a", "backends": [{"pool": "blue", "adapter": "x"}, {"pool": "blue"}]}, gateway={"name": "g"}
            ),
            {},
            "AdaptersShareAPool",
        ),
        (
            spec_of(*({"name": f"m{i}", "backends": [{"pool": "blue"}]} for i in range(17)), gateway={"name": "g"}),
            {},
            "TooManyModels",
        ),
    ],
)
def test_what_cannot_be_rendered_says_why(spec: EndpointSpec, more: dict[str, Any], reason: str) -> None:
    with pytest.raises(PlanRefused) as refused:
        rendered(spec, **more)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ([{"name": "a", "backends": []}], "at least 1 item"),
        ([{"name": "a", "backends": [{"pool": "blue", "weight": 0}]}], "give one of them a share"),
        ([{"name": "a", "backends": [{"pool": "blue"}, {"pool": "blue"}]}], "add their weights up"),
        ([{"name": "a", "backends": [{"pool": "blue"}], "failover": ["blue"]}], "leave it out of failover"),
        ([ADAPTER, ADAPTER], "two models are named sql"),
        ([{"name": "a b", "backends": [{"pool": "blue"}]}], "models.0.name"),
    ],
)
def test_a_document_that_makes_no_sense_is_refused(models: list[Any], words: str) -> None:
    with pytest.raises(Invalid) as refused:
        spec_of(*models)
    assert words in str(refused.value)
