"""Consumer keys behind a Gateway: what agentgateway's policy says of them, and what is refused by name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cel
import pytest

from apps.catalog.domain.dialects import dialect
from apps.embedded.endpoint.keys import Keys, digest_of
from apps.endpoints.domain.rendering import EndpointIdentity, PoolFacts, render
from apps.endpoints.domain.spec import EndpointSpec
from apps.pools.domain.manifests import Manifest, PlanRefused
from tests.unit.pools.paths import KINDS

ENDPOINT = EndpointIdentity("99999999-2222-3333-4444-555555555555", "default", "front", 4, "serving")
POOLS = {name: PoolFacts(name, "llama-3.1-8b") for name in ("blue", "green")}
POLICY = "AgentgatewayPolicy.agentgateway.dev"
ONE = ({"pool": "blue"},)
TWO = ({"pool": "blue", "weight": 90}, {"pool": "green", "weight": 10})


def objects(
    limits: dict[str, Any] | None = None, *, backends: Any = ONE, provider: str | None = "agentgateway",
    kinds: frozenset[str] = KINDS | {POLICY}, entries: str | None = "json",
) -> tuple[Manifest, ...]:  # fmt: skip
    spec = EndpointSpec.from_document(
        {
            "cluster": "real",
            "namespace": "serving",
            "models": [{"name": "chat", "backends": list(backends)}],
            "gateway": {"name": "public", "provider": provider},
            "keys": {"secret": "chat-keys", "entries": entries, "limits": limits or {}},
        }
    )
    return render(ENDPOINT, spec, POOLS, kinds, dialect("current"))


def policy(*args: Any, **more: Any) -> dict[str, Any]:
    found = [o for o in objects(*args, **more) if o["kind"] == "AgentgatewayPolicy"]
    assert len(found) == 1
    return found[0]


def says(expression: str, name: str) -> Any:
    """What a CEL expression of the policy comes to for a key."""
    return cel.evaluate(expression, {"apiKey": {"name": name}})


def test_keys_are_checked_on_the_route_before_there_is_one() -> None:
    found = objects(backends=TWO)
    assert [o["kind"] for o in found][:2] == ["AgentgatewayPolicy", "HTTPRoute"]
    held = found[0]["spec"]
    route = found[1]["metadata"]["name"]
    assert held["targetRefs"] == [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": route}]
    # the default of agentgateway's own configuration lets requests without a key pass
    assert held["traffic"]["apiKeyAuthentication"] == {"mode": "Strict", "secretRef": {"name": "chat-keys"}}
    request = held["traffic"]["transformation"]["request"]
    assert "x-llm-d-inference-objective" in request["remove"], "a client cannot choose how important it is"
    assert {row["name"]: says(row["value"], "search") for row in request["set"]} == {
        "x-llm-d-inference-fairness-id": "search",
        "x-gateway-inference-fairness-id": "search",
    }


def test_each_key_has_a_limit_of_its_own() -> None:
    rows = policy({"batch": {"requestsPerMinute": 60}, "search": {"requestsPerMinute": 600}}, backends=TWO)["spec"][
        "traffic"
    ]["rateLimit"]["conditional"]
    for name, allowed in (("batch", 60), ("search", 600), ("other", None)):
        first = next((row for row in rows if says(row["condition"], name)), None)
        assert (first and first["policy"]["local"]) == (allowed and [{"requests": allowed, "unit": "Minutes"}])


def test_the_band_of_a_key_is_the_objective_of_its_only_pool() -> None:
    limits = {"batch": {"band": "background"}, "gold": {"band": "premium"}, "default": {"band": "usual"}}
    request = policy(limits)["spec"]["traffic"]["transformation"]["request"]
    value = next(row["value"] for row in request["set"] if row["name"] == "x-llm-d-inference-objective")
    assert {name: says(value, name) for name in ("batch", "gold", "other")} == {
        "batch": "blue-background", "gold": "blue-premium", "other": "blue-usual",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "reason", "word"),
    [
        ({"provider": "istio"}, "KeysNotInGateway", "JWT"),
        ({"provider": "gke"}, "KeysNotInGateway", "GKE"),
        ({"provider": "kgateway"}, "KeysNotInGateway", "agentgateway"),
        ({"provider": None}, "KeysNotInGateway", "gateway.provider"),
        ({"kinds": KINDS}, "GatewayNotAvailable", "AgentgatewayPolicy"),
        ({"entries": None}, "KeysNotHashed", "keyHash"),
        ({"limits": {"default": {"requestsPerMinute": 1}}}, "LimitNotInGateway", "name each key"),
        ({"limits": {"a": {"tokensPerMinute": 1}}}, "LimitNotInGateway", "tokensPerMinute of key a"),
        ({"limits": {f"k{i}": {"requestsPerMinute": 1} for i in range(17)}}, "LimitNotInGateway", "17 keys"),
        ({"limits": {"a": {"band": "premium"}}, "backends": TWO}, "BandNotInGateway", "one pool"),
    ],
)
def test_what_a_gateway_cannot_do_is_refused(more: dict[str, Any], reason: str, word: str) -> None:
    with pytest.raises(PlanRefused) as refused:
        objects(**more)
    assert refused.value.reason == reason
    assert word in str(refused.value)


def test_the_endpoint_s_own_data_plane_reads_the_same_secret(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"k-123").hexdigest()
    (tmp_path / "plain").write_text(hashlib.sha256(b"k-456").hexdigest())
    (tmp_path / "json").write_text(json.dumps({"keyHash": f"sha256:{digest.upper()}", "metadata": {"name": "json"}}))
    (tmp_path / "raw").write_text(json.dumps({"key": "k-789"}))
    keys = Keys(tmp_path)
    asked = ("k-123", "k-456", "k-789", digest)
    assert [keys.name_of(f"Bearer {key}") for key in asked] == ["json", "plain", None, None]
    assert digest_of("{not json") == ""
