"""What a Kubernetes API server may answer when it does not do as asked. Each message is a sentence for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.domain.refusals import Refusal


class KubeError(Exception):
    """A request that an API server did not carry out. `status`: HTTP status, 0 when there was no answer."""

    status = 0

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class Unreachable(KubeError):
    """No answer within the deadline, or no connection at all."""


class BadCredentials(Unreachable):
    """The kubeconfig cannot be used, or the server does not accept what it says (401)."""

    status = 401


class Forbidden(KubeError):
    status = 403


class NotFound(KubeError):
    status = 404


class Conflict(KubeError):
    """409: the object has changed, or exists already."""

    status = 409


class FieldManagerConflict(Conflict):
    """409 of a server-side apply: another manager owns fields. `owned`: manager -> fields."""

    def __init__(self, message: str, owned: Mapping[str, Sequence[str]]) -> None:
        super().__init__(message, reason="Conflict")
        self.owned = owned


class Gone(KubeError):
    """410: the resource version or continue token is too old; list again."""

    status = 410


class Invalid(KubeError):
    """400 or 422: the server will not accept this object however often it is sent."""

    status = 422


class Throttled(KubeError):
    """429: asked to come back after `retry_after` seconds."""

    status = 429

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServerFault(KubeError):
    """5xx: the server failed; trying again may help."""

    status = 500


class NotServed(KubeError):
    """The cluster does not have this kind."""

    status = 404


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as far as errors need it."""

    status: int
    body: Mapping[str, Any]
    retry_after: str | None = None
    what: str = ""


def error_of(answer: Answer) -> KubeError:
    """The error of an answer with status 400 or above."""
    # some of the server's sentences end in a full stop and some do not; those that quote them put their own
    message = str(answer.body.get("message") or f"the API server answered {answer.status}").strip().rstrip(".")
    sentence = f"{answer.what}: {message}" if answer.what else message
    reason = str(answer.body.get("reason") or "")
    match answer.status:
        case 401:
            return BadCredentials(f"the API server does not accept the credentials: {message}", reason=reason)
        case 403:
            return Forbidden(sentence, reason=reason)
        case 404:
            return NotFound(sentence, reason=reason)
        case 409:
            owned = _field_owners(answer.body)
            return FieldManagerConflict(sentence, owned) if owned else Conflict(sentence, reason=reason)
        case 410:
            return Gone(sentence, reason=reason)
        case 429:
            return Throttled(sentence, _seconds(answer.retry_after))
        case status if status in (400, 405, 406, 413, 415, 422):
            return Invalid(sentence, reason=reason)
    if answer.status == 500 and "field not declared in schema" in message:
        # server-side apply answers so for an unknown field: sending it again cannot help
        return Invalid(sentence, reason=reason)
    return ServerFault(sentence, reason=reason)


def _field_owners(body: Mapping[str, Any]) -> dict[str, list[str]]:
    owned: dict[str, list[str]] = {}
    for cause in (body.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "FieldManagerConflict":
            # conflict with "manager" … using apps/v1
            manager = str(cause.get("message", "")).partition('"')[2].partition('"')[0] or "another manager"
            owned.setdefault(manager, []).append(str(cause.get("field", "")))
    return owned


def _seconds(header: str | None) -> float:
    try:
        return min(max(float(header or 1), 0.0), 120.0)
    except ValueError:
        return 1.0


class ClusterAway(Refusal):
    """The cluster did not answer a question that only it can answer."""

    status = 502
    type = "cluster-unreachable"
    title = "The cluster does not answer"
