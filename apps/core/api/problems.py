"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

from typing import Any

import orjson
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DatabaseError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from psycopg import errors
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from apps.core.domain.refusals import Refusal
from apps.core.middleware import request_id

CONTENT_TYPE = "application/problem+json"
_TITLES = {
    400: ("bad-request", "The request cannot be understood"),
    401: ("not-authenticated", "Log in first"),
    403: ("forbidden", "Your role does not allow this"),
    404: ("not-found", "There is no such object"),
    405: ("method-not-allowed", "This address does not know this method"),
    406: ("not-acceptable", "This form of answer is not offered"),
    413: ("too-large", "The document is too large"),
    415: ("unsupported-media-type", "This form of body is not read"),
    429: ("too-many-requests", "Too many requests"),
    503: ("unavailable", "The service cannot answer now"),
}


def problem(status: int, detail: str, *, headers: dict[str, str] | None = None) -> Response:
    """A problem document as an answer."""
    type_, title = _TITLES.get(status, ("error", "The request failed"))
    body = {"type": f"urn:lamplight:problem:{type_}", "title": title, "status": status, "detail": detail, "errors": []}
    return Response(body, status=status, headers=headers, content_type=CONTENT_TYPE)


def problem_handler(raised: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every refusal is a problem document; what nobody expected stays an error 500."""
    set_rollback()
    if isinstance(raised, Refusal):
        return Response(raised.to_json(), status=raised.status, headers=raised.headers, content_type=CONTENT_TYPE)
    if isinstance(raised, RequestDataTooBig):
        return problem(413, "The body is larger than the server reads.")
    if isinstance(raised, Http404):
        return problem(404, "There is no such object, or you may not see it.")
    if isinstance(raised, PermissionDenied):
        return problem(403, str(raised) or "You may not do this.")
    if isinstance(raised, DatabaseError) and (sentence := database_trouble(raised)):
        return problem(503, f"{sentence}; nothing was changed. Try again.", headers={"Retry-After": "2"})
    if isinstance(raised, exceptions.APIException):
        headers = {}
        if challenge := getattr(raised, "auth_header", None):
            headers["WWW-Authenticate"] = challenge
        if wait := getattr(raised, "wait", None):
            headers["Retry-After"] = str(int(wait) + 1)
        return problem(raised.status_code, _said(raised, context), headers=headers)
    return None


def database_trouble(raised: DatabaseError) -> str | None:
    """What is wrong with the database and who can mend it, without a full stop; None where the fault is in what was
    asked of it."""
    cause = raised.__cause__
    for kind, sentence in _TROUBLES.items():
        if isinstance(cause, kind):
            return sentence
    if isinstance(raised, OperationalError):
        return "The database cannot be reached now, has no connection left or has too much to do"
    return None


_TROUBLES = {
    errors.DiskFull: "The database's disk is full: whoever runs it must make room",
    errors.ReadOnlySqlTransaction: (
        "The database takes no changes (it is read only: a standby, or its disk is nearly full); whoever runs it must "
        "see to it"
    ),
}


def _said(raised: exceptions.APIException, context: dict[str, Any]) -> str:
    if isinstance(raised, exceptions.NotAuthenticated):
        return "Send a token as `Authorization: Bearer lamp_...`; `lamp login` and the console's settings make one."
    if isinstance(raised, exceptions.MethodNotAllowed):
        methods = [method for method in context["view"].allowed_methods if method not in ("HEAD", "OPTIONS")]
        return f"{context['request'].method} is not allowed here; there is {', '.join(methods)}."
    return _sentence(raised.detail)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: what nobody expected, without any of its details; the log has them under the request id."""
    detail = f"Something failed on the server; nothing was changed. Its log has more under request id {request_id()}."
    if not request.path.startswith("/api/"):
        return HttpResponse(detail, status=500, content_type="text/plain; charset=utf-8")
    body = {"type": "urn:lamplight:problem:error", "title": "The request failed", "status": 500, "detail": detail}
    return HttpResponse(orjson.dumps({**body, "errors": []}), status=500, content_type=CONTENT_TYPE)


def _sentence(detail: Any) -> str:
    if isinstance(detail, dict):
        return "; ".join(f"{key}: {_sentence(value)}" for key, value in detail.items())
    if isinstance(detail, list):
        return "; ".join(_sentence(value) for value in detail)
    return str(detail)
