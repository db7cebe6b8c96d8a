"""The kind `Webhook`, its signing secret, and what was sent to it, over REST."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit.services import record_event
from apps.core import access, clock, writes
from apps.core.api import schema
from apps.core.api.base import ApiView, actor_of
from apps.core.api.paging import limit_of
from apps.core.domain.addresses import refused_url, split_url
from apps.core.domain.conditions import Condition, format_time
from apps.core.domain.refusals import Clash
from apps.core.kinds import Accepted, CheckContext, KindHandler
from apps.core.outbound import allowed_networks
from apps.core.sealing import seal
from apps.core.status import put_condition
from apps.slos.delivering import SEALED_FOR
from apps.slos.domain.webhook import WebhookSpec, payload
from apps.slos.models import Delivery, Webhook

__all__ = ["WEBHOOK_KIND", "DeliveriesView", "SecretView", "TestView"]

# messages that wait for one webhook; a test more is refused
_MOST_WAITING = 100
_SECRET_BYTES = 32


class WebhookKind(KindHandler):
    kind = "Webhook"
    plural = "webhooks"
    singular = "webhook"
    model = Webhook
    spec_model = WebhookSpec

    def check(self, context: CheckContext) -> None:
        why = refused_url(context.spec.url, allowed_networks())
        if why is not None:
            context.refuse(
                "/spec/url",
                f"{why}: name a public one, or have an administrator add its network to LAMPLIGHT_OUTBOUND_NETWORKS",
            )

    def accepted(self, change: Accepted) -> None:
        if change.verb == "created":
            renew_secret(change.obj, clock.now())
        if change.spec_changed:
            put_condition(change.obj, _ready(change.obj, change.spec))

    def status(self, obj: Any) -> dict[str, Any]:
        return {**super().status(obj), "secretAt": format_time(obj.secret_at) if obj.secret_at else None}


WEBHOOK_KIND = WebhookKind()


def _ready(hook: Webhook, spec: WebhookSpec) -> Condition:
    if not spec.enabled:
        return Condition("Ready", "False", "Disabled", "It is disabled: nothing is sent.", hook.generation)
    host = split_url(spec.url).hostname
    which = f"the SLOs {', '.join(spec.slos)}" if spec.slos else f"all SLOs of team {hook.team}"
    sentence = f"{host} is told of alerts of {which} ({', '.join(spec.severities)})."
    return Condition("Ready", "True", "Declared", sentence, hook.generation)


def renew_secret(hook: Webhook, now: datetime) -> str:
    """Give a webhook a new signing secret; the secret as receivers want it (whsec_…). It cannot be read again."""
    secret = secrets.token_bytes(_SECRET_BYTES)
    hook.sealed, hook.secret_at = seal(secret, SEALED_FOR), now
    Webhook.objects.filter(pk=hook.pk).update(sealed=hook.sealed, secret_at=now)
    return "whsec_" + base64.b64encode(secret).decode()


class _WebhookView(ApiView):
    def hook(self, team: str, name: str) -> Webhook:
        found: Webhook | None = Webhook.objects.named(team, name).first()
        if found is None:
            raise writes.missing(WEBHOOK_KIND, team, name)
        return found


class SecretView(_WebhookView):
    """The signing secret: made anew, shown in this answer and never again."""

    @extend_schema(
        operation_id="webhooks_secret",
        request=None,
        responses={200: dict[str, Any], **schema.problem_responses(403, 404)},
    )
    def post(self, request: Request, team: str, name: str) -> Response:
        access.require_write(actor_of(request), team)
        now = clock.now()
        with transaction.atomic():
            hook = self.hook(team, name)
            secret = renew_secret(hook, now)
            record_event(
                kind="Webhook",
                uid=hook.uid,
                team=team,
                name=name,
                type="Normal",
                reason="SecretRenewed",
                message=f"A new signing secret was made by {actor_of(request).id}; the one before is no longer used.",
                source="slos",
            )
        return Response({"secret": secret, "secretAt": format_time(now)}, headers={"Cache-Control": "no-store"})


class TestView(_WebhookView):
    """Send a message of type `test` as an alert would be sent."""

    @extend_schema(
        operation_id="webhooks_test",
        request=None,
        responses={202: dict[str, Any], **schema.problem_responses(403, 404, 409)},
    )
    def post(self, request: Request, team: str, name: str) -> Response:
        access.require_write(actor_of(request), team)
        hook, now = self.hook(team, name), clock.now()
        waiting = hook.deliveries.filter(state=Delivery.WAITING).count()
        if waiting >= _MOST_WAITING:
            raise Clash(f"{waiting} messages wait for this webhook already: see why it does not take them.")
        body = payload("test", {"team": team, "webhook": name}, format_time(now))
        message = Delivery.objects.create(webhook=hook, event="test", payload=body, created_at=now, due_at=now)
        return Response(_delivery(message), status=202)


class DeliveriesView(_WebhookView):
    """What was sent, newest first."""

    @extend_schema(
        operation_id="webhooks_deliveries",
        parameters=[schema.LIMIT],
        responses={200: dict[str, Any], **schema.problem_responses(404)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        access.require_read(actor_of(request), team)
        rows = self.hook(team, name).deliveries.order_by("-created_at")[: limit_of(request)]
        return Response({"items": [_delivery(row) for row in rows], "next": None})


def _delivery(row: Delivery) -> dict[str, Any]:
    return {
        "id": f"msg_{row.pk}",
        "event": row.event,
        "state": row.state,
        "attempts": row.attempts,
        "answered": row.answered,
        "error": row.error,
        "createdAt": format_time(row.created_at),
        "dueAt": format_time(row.due_at) if row.state == Delivery.WAITING else None,
        "endedAt": format_time(row.ended_at) if row.ended_at else None,
        "payload": row.payload,
    }
