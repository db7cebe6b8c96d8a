"""OpenAPI: each kind's document as a component, made from its pydantic spec; the shared parameters and answers."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from apps.core import kinds
from apps.core.domain.documents import API_VERSION

_STRING = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_TEXTS = {"type": "object", "additionalProperties": _STRING}

CONDITION = {
    "type": "object",
    "properties": {
        "type": _STRING,
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "reason": _STRING,
        "message": _STRING,
        "observedGeneration": {"type": "integer"},
        "lastTransitionTime": {"type": ["string", "null"], "format": "date-time"},
    },
}
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "description": "RFC 9457 problem document.",
    "properties": {
        "type": _STRING,
        "title": _STRING,
        "status": {"type": "integer"},
        "detail": _STRING,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the document"},
                    "line": {"type": "integer"},
                    "column": {"type": "integer"},
                    "document": {"type": "integer", "description": "which document of a bundle, from 0"},
                    "detail": _STRING,
                },
            },
        },
    },
}


def ref(name: str) -> dict[str, str]:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def problem_responses(*statuses: int) -> dict[Any, OpenApiResponse]:
    """The problem document as the answer of these statuses."""
    return {(status, "application/problem+json"): OpenApiResponse(response=ref("Problem")) for status in statuses}


DRY_RUN = OpenApiParameter("dry_run", OpenApiTypes.BOOL, description="Check everything, change nothing.")
REASON = OpenApiParameter("reason", OpenApiTypes.STR, description="Why, for the change records (500 characters).")
FORMAT = OpenApiParameter("format", OpenApiTypes.STR, enum=["json", "yaml"], description="yaml: as apply takes it.")
LIMIT = OpenApiParameter("limit", OpenApiTypes.INT, description="Items in one answer.")
CURSOR = OpenApiParameter("cursor", OpenApiTypes.STR, description="`next` of the page before.")
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="ETag of the object that the change was made on; `*` for any.",
)


# what any operation may answer beside what it lists: nobody is logged in, a parameter cannot be understood, no database
_REFUSED = {
    "description": "Refused: what, where and how to mend it.",
    "content": {"application/problem+json": {"schema": ref("Problem")}},
}


def add_components(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's post-processing hook: puts the documents of all kinds into the components, and the problem
    document into every operation as what else it answers."""
    for methods in result["paths"].values():
        for operation in methods.values():
            operation["responses"].setdefault("default", _REFUSED)
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas["Condition"] = CONDITION
    schemas["Problem"] = PROBLEM
    for handler in kinds.all_handlers():
        spec = handler.spec_model.model_json_schema(ref_template=f"#/components/schemas/{handler.kind}{{model}}")
        for name, part in spec.pop("$defs", {}).items():
            schemas[f"{handler.kind}{name}"] = part
        schemas[f"{handler.kind}SpecDocument"] = spec
        schemas[handler.kind] = _document(handler)
        schemas[f"{handler.kind}List"] = {
            "type": "object",
            "required": ["items", "next"],
            "properties": {
                "items": {"type": "array", "items": ref(handler.kind)},
                "next": {"type": ["string", "null"]},
            },
        }
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    return result


def _document(handler: kinds.KindHandler) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"type": "string", "enum": [API_VERSION]},
            "kind": {"type": "string", "enum": [handler.kind]},
            "metadata": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": _STRING,
                    "team": _STRING,
                    "labels": _TEXTS,
                    "annotations": _TEXTS,
                    "uid": {"type": "string", "format": "uuid"},
                    "generation": {"type": "integer"},
                    "version": {"type": "integer"},
                    "createdAt": _TIME,
                    "updatedAt": _TIME,
                    "deletionRequestedAt": {"type": ["string", "null"], "format": "date-time"},
                },
            },
            "spec": ref(f"{handler.kind}SpecDocument"),
            "status": {
                "type": "object",
                "readOnly": True,
                "properties": {"conditions": {"type": "array", "items": ref("Condition")}},
                "additionalProperties": True,
            },
        },
    }
