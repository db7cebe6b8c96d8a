"""The errors of a Kubernetes API server: each is a Status object with a code, a reason and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Cause:
    """One thing wrong with a request. ``field`` is a path such as ``spec.containers[0].name``."""

    reason: str
    message: str
    field: str = ""

    def to_json(self) -> Object:
        return {"reason": self.reason, "message": self.message, **({"field": self.field} if self.field else {})}


class ApiError(Exception):
    """A refusal, ready to be answered. ``details`` is the details object of the Status."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.warnings: tuple[str, ...] = ()
        self.headers: dict[str, str] = {}
        self.metadata: Object = {}

    def to_status(self) -> Object:
        status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }
        if not self.reason:
            del status["reason"]
        if self.details is None:
            del status["details"]
        return status


def success(details: Object | None = None) -> Object:
    status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        status["details"] = details
    return status


def details_of(group: str, kind: str, name: str = "", causes: Sequence[Cause] = (), **more: Any) -> Object:
    """The details object; ``kind`` is the plural resource name, or the kind for validation errors."""
    details: Object = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    details.update(more)
    if causes:
        details["causes"] = [cause.to_json() for cause in causes]
    return details


def qualified(group: str, plural: str) -> str:
    return f"{plural}.{group}" if group else plural


def not_found(group: str, plural: str, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{qualified(group, plural)} "{name}" not found', details_of(group, plural, name))


def no_such_resource() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(group: str, plural: str, name: str) -> ApiError:
    message = f'{qualified(group, plural)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details_of(group, plural, name))


def conflict(group: str, plural: str, name: str, why: str, causes: Sequence[Cause] = ()) -> ApiError:
    message = f'Operation cannot be fulfilled on {qualified(group, plural)} "{name}": {why}'
    return ApiError(409, "Conflict", message, details_of(group, plural, name, causes))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def bad_request(message: str, details: Object | None = None) -> ApiError:
    return ApiError(400, "BadRequest", message, details)


def forbidden(group: str, plural: str, name: str, why: str, causes: Sequence[Cause] = ()) -> ApiError:
    subject = f'{qualified(group, plural)} "{name}"' if name else qualified(group, plural)
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details_of(group, plural, name, causes))


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """422: several causes are joined in brackets as the server does; the same sentence is said once."""
    sentences = list(
        dict.fromkeys(f"{cause.field}: {cause.message}" if cause.field else cause.message for cause in causes)
    )
    joined = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    message = f'{qualified(group, kind)} "{name}" is invalid: {joined}'
    return ApiError(422, "Invalid", message, details_of(group, kind, name, causes))


def not_implemented(what: str) -> ApiError:
    message = (
        f"{what} is known to Kubernetes, but not served by the embedded cluster (its table of kinds is kinds.json)"
    )
    return ApiError(501, "NotImplemented", message)
