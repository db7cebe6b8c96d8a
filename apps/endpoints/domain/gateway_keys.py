"""Consumer keys of an endpoint behind a Gateway: what the Gateway's own policies can say of them, rendered; and what
they cannot, refused by name.

agentgateway (its AgentgatewayPolicy, v1alpha1, as of 2026-08) knows keys by their hash, tells later policies what is
written beside a key, and limits requests under a condition. It counts tokens only of its own language-model backends,
not of an InferencePool's. Istio and GKE have no API keys; kgateway's limits count all clients together.
"""

from __future__ import annotations

import json
from typing import Any

from apps.endpoints.domain.spec import EndpointSpec, Keys
from apps.pools.domain.manifests import PlanRefused

__all__ = ["OBJECTIVE_HEADERS", "POLICY_API", "POLICY_KIND", "policy_spec"]

POLICY_API = "agentgateway.dev/v1alpha1"
POLICY_KIND = "AgentgatewayPolicy"
OBJECTIVE_HEADERS = ("x-llm-d-inference-objective", "x-gateway-inference-objective")
FAIRNESS_HEADERS = ("x-llm-d-inference-fairness-id", "x-gateway-inference-fairness-id")
DEFAULT = "default"
# so many conditions an AgentgatewayPolicy takes
MOST_LIMITED_KEYS = 16
_WHY_NOT = {
    None: "nobody says which Gateway it is: set gateway.provider, or leave keys out",
    "istio": "Istio checks JWTs and has no API keys: leave keys out, or leave gateway out",
    "gke": "GKE's Gateways have no API keys: leave keys out, or leave gateway out",
    "kgateway": "kgateway keeps keys unhashed and counts all clients together: use agentgateway, or leave keys out",
}


def policy_spec(spec: EndpointSpec, route: str, kinds: frozenset[str]) -> dict[str, Any] | None:
    """`spec` of the policy on an endpoint's route; None where it has no keys. Raises PlanRefused."""
    keys, gateway = spec.keys, spec.gateway
    if keys is None or gateway is None:
        return None
    if gateway.provider != "agentgateway":
        raise PlanRefused("KeysNotInGateway", _WHY_NOT[gateway.provider])
    if f"{POLICY_KIND}.{POLICY_API.partition('/')[0]}" not in kinds:
        raise PlanRefused(
            "GatewayNotAvailable",
            f"keys behind agentgateway need the kind {POLICY_KIND} of agentgateway.dev, which this cluster does not "
            "have: install it there, or leave keys out",
        )
    if keys.entries != "json":
        # a bare hash would be taken for the key itself, and whoever reads the Secret could ask with it
        raise PlanRefused(
            "KeysNotHashed",
            f"agentgateway takes a bare entry of Secret {keys.secret} for the key itself: write each entry as "
            '{"keyHash": "sha256:<hex>", "metadata": {"name": "<its name>"}} and set keys.entries to json',
        )
    limits = _limits(keys)
    traffic: dict[str, Any] = {"apiKeyAuthentication": {"mode": "Strict", "secretRef": {"name": keys.secret}}}
    if limits:
        traffic["rateLimit"] = {"conditional": limits}
    traffic["transformation"] = {"request": _headers(spec, keys)}
    target = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": route}
    return {"targetRefs": [target], "traffic": traffic}


def _limits(keys: Keys) -> list[dict[str, Any]]:
    limited = {name: row for name, row in keys.limits.items() if row.requests_per_minute or row.tokens_per_minute}
    for name, row in limited.items():
        if name == DEFAULT:
            raise PlanRefused(
                "LimitNotInGateway",
                "agentgateway would count all keys of the limit `default` together: name each key in keys.limits",
            )
        if row.tokens_per_minute is not None:
            raise PlanRefused(
                "LimitNotInGateway",
                f"agentgateway does not count the tokens of an InferencePool: leave tokensPerMinute of key {name} out, "
                "or leave gateway out",
            )
    if len(limited) > MOST_LIMITED_KEYS:
        raise PlanRefused(
            "LimitNotInGateway",
            f"an {POLICY_KIND} has at most {MOST_LIMITED_KEYS} conditions, and {len(limited)} keys have limits: make "
            "two endpoints, or leave gateway out",
        )
    return [
        {
            "condition": f"apiKey.name == {json.dumps(name)}",
            "policy": {"local": [{"requests": row.requests_per_minute, "unit": "Minutes"}]},
        }
        for name, row in sorted(limited.items())
    ]


def _headers(spec: EndpointSpec, keys: Keys) -> dict[str, Any]:
    """How important a request is, and whose it is, are the key's matter: what a client says of it is taken out."""
    bands = {name: row.band for name, row in sorted(keys.limits.items()) if row.band is not None}
    fairness = [{"name": name, "value": "apiKey.name"} for name in FAIRNESS_HEADERS]
    if not bands:
        return {"remove": list(OBJECTIVE_HEADERS), "set": fairness}
    if len(spec.pools) > 1:
        raise PlanRefused(
            "BandNotInGateway",
            "bands are objectives of one pool, and a route of a Gateway does not know which of several pools a request "
            "goes to: leave band out, have one pool, or leave gateway out",
        )
    (pool,) = spec.pools
    chosen = json.dumps(f"{pool}-{bands[DEFAULT]}" if DEFAULT in bands else "")
    for name, band in reversed(bands.items()):
        if name != DEFAULT:
            chosen = f"apiKey.name == {json.dumps(name)} ? {json.dumps(f'{pool}-{band}')} : {chosen}"
    return {"remove": [OBJECTIVE_HEADERS[1]], "set": [{"name": OBJECTIVE_HEADERS[0], "value": chosen}, *fairness]}
