"""The `Webhook` document: where a team wants to be told of alerts; what is sent, how it is signed, when it is retried.

Signature: Standard Webhooks 1.0 (https://www.standardwebhooks.com): headers webhook-id, webhook-timestamp and
webhook-signature = "v1," + base64(HMAC-SHA256(secret, "id.timestamp.body")).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from apps.core.domain.addresses import split_url
from apps.core.domain.documents import Name, Spec

__all__ = ["GIVE_UP_SECONDS", "WebhookSpec", "longest_wait", "payload", "signature", "wants"]

# a receiver that is down for a day has been noticed by other means
GIVE_UP_SECONDS = 86_400.0
_FIRST_WAIT = 10.0
_LONGEST_WAIT = 3600.0


class WebhookSpec(Spec):
    """`url` is sent a POST for each alert of the team's SLOs that begins or ends. Empty `slos` stands for all."""

    url: Annotated[str, Field(max_length=2000)]
    severities: Annotated[tuple[Literal["page", "ticket"], ...], Field(min_length=1, max_length=2)] = ("page", "ticket")
    slos: Annotated[tuple[Name, ...], Field(max_length=100)] = ()
    enabled: bool = True

    @field_validator("url")
    @classmethod
    def _a_web_address(cls, value: str) -> str:
        split_url(value)
        return value


def wants(spec: WebhookSpec, *, slo: str, severity: str) -> bool:
    """Whether the webhook is to be told of an alert."""
    return spec.enabled and severity in spec.severities and (not spec.slos or slo in spec.slos)


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The webhook-signature header."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def longest_wait(attempts: int) -> float:
    """Seconds to wait at most after so many failed attempts; the caller draws evenly below it (full jitter)."""
    return float(min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(attempts - 1, 20)))


def payload(event: Literal["alert.firing", "alert.resolved", "test"], alert: dict[str, Any], at: str) -> dict[str, Any]:
    """The body as JSON: `{"type", "timestamp", "data"}`."""
    return {"type": event, "timestamp": at, "data": alert}
