"""The OpenAPI description: every endpoint, every kind's document, nothing that points nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from drf_spectacular.validation import validate_schema

from apps.core import kinds
from apps.core.domain.access import Role
from tests.support.people import Api, api_of, json_of, person
from tests.support.routes import api_routes, methods_of

# what is described elsewhere: the description itself, and what streams (Server-Sent Events have no schema in OpenAPI)
NOT_DESCRIBED = {
    "schema",
    "stream",
    "teams/<slug:team>/pools/<slug:name>/chat",
}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    document: dict[str, Any] = Api().get("schema?format=json")
    return document


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_endpoint_and_method_is_described(schema: dict[str, Any]) -> None:
    described = {
        (re.sub(r"\{\w+\}", "{}", path), method) for path, methods in schema["paths"].items() for method in methods
    }
    expected = {
        ("/api/v1/" + re.sub(r"<\w+:\w+>", "{}", route), method.lower())
        for route, view in api_routes()
        if route not in NOT_DESCRIBED
        for method in methods_of(view)
    }
    assert expected - described == set()


def test_it_is_valid_and_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    validate_schema(schema)
    components = schema["components"]["schemas"]
    dangling = {ref for ref in references(schema) if ref.removeprefix("#/components/schemas/") not in components}
    assert dangling == set()
    operations = [op["operationId"] for methods in schema["paths"].values() for op in methods.values()]
    assert len(operations) == len(set(operations))


def test_each_kinds_endpoints_speak_of_its_own_documents(schema: dict[str, Any]) -> None:
    for handler in kinds.all_handlers():
        own = {f"#/components/schemas/{handler.kind}", f"#/components/schemas/{handler.kind}List"}
        for suffix in ("", "/{name}"):
            operations = schema["paths"][f"/api/v1/teams/{{team}}/{handler.plural}{suffix}"]
            for method, operation in operations.items():
                said = set(references(operation)) - {"#/components/schemas/Problem"}
                assert said, (handler.kind, method)
                assert said <= own, (handler.kind, method)
                assert operation["operationId"].startswith(handler.plural + "_")


def test_the_component_of_a_kind_describes_its_documents(schema: dict[str, Any]) -> None:
    components = schema["components"]["schemas"]
    assert {handler.kind for handler in kinds.all_handlers()} <= set(components)

    def valid(kind: str, spec: dict[str, Any]) -> bool:
        document = {"apiVersion": "lamplight.dev/v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}
        described = {"$ref": f"#/components/schemas/{kind}", "components": schema["components"]}
        return bool(jsonschema.Draft202012Validator(described).is_valid(document))

    objective = {"metric": "ttft", "threshold": "500ms", "fraction": "95%", "window": "28d"}
    target = {"kind": "Pool", "name": "chat"}
    assert valid("SLO", {"targetRef": target, "objectives": [objective]})
    assert not valid("SLO", {"targetRef": target, "objectives": [{**objective, "threshold": 500}]})
    assert not valid("SLO", {"targetRef": target, "objectives": [{**objective, "thresold": "1s"}]})
    assert valid("Model", {"source": "hf://a/b", "shape": {"layers": 1, "kvHeads": 1, "headDim": 1}})
    assert not valid("Model", {"source": "hf://a/b", "shape": {"layers": 1, "kv_heads": 1, "headDim": 1}})
    assert not valid("Model", {})


@pytest.mark.django_db()
def test_every_operation_says_what_a_refusal_looks_like_and_refusals_look_so(schema: dict[str, Any]) -> None:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            said = set(references(operation["responses"]["default"]))
            assert said == {"#/components/schemas/Problem"}, (path, method)
    described = {"$ref": "#/components/schemas/Problem", "components": schema["components"]}
    somebody = api_of(person("ada", default=Role.VIEWER))
    for status, method, address, api in (
        (400, "GET", "teams/default/pools?cursor=nonsense", somebody),
        (401, "GET", "teams/default/pools", Api()),
        (403, "DELETE", "teams/default", somebody),
        (404, "GET", "teams/default/pools/nowhere", somebody),
        (405, "PUT", "teams", somebody),
    ):
        answer = api.send(method, address)
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json"), address
        jsonschema.Draft202012Validator(described).validate(json_of(answer))
