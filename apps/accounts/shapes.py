"""What answers of this room look like, for the schema and for the wire."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import ApiToken
from apps.core.domain.conditions import format_time

__all__ = ["MOST_TOKENS", "NULLABLE", "STRING", "TOKEN", "body_of", "component", "listed", "token_row"]

MOST_TOKENS = 100


def component(title: str, /, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "title": title, "properties": properties}


STRING = {"type": "string"}
NULLABLE = {"type": ["string", "null"]}


def listed(item: dict[str, Any]) -> dict[str, Any]:
    return component("List", items={"type": "array", "items": item}, next=NULLABLE)


def body_of(model: Any) -> dict[str, Any]:
    return {"application/json": model.model_json_schema()}


TOKEN = component(
    "Token",
    uid=STRING,
    name=STRING,
    prefix=STRING,
    readOnly={"type": "boolean"},
    createdAt=STRING,
    expiresAt=NULLABLE,
    lastUsedAt=NULLABLE,
    token={**STRING, "description": "The secret; only in the answer to its making."},
)


def token_row(token: ApiToken) -> dict[str, Any]:
    return {
        "uid": str(token.uid),
        "name": token.name,
        "prefix": token.prefix,
        "readOnly": token.read_only,
        "createdAt": format_time(token.created_at),
        "expiresAt": format_time(token.expires_at) if token.expires_at else None,
        "lastUsedAt": format_time(token.last_used_at) if token.last_used_at else None,
    }
