"""A webhook's signing secret, a test of it, and what was sent to it, over REST."""

from __future__ import annotations

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
from apps.core.domain.conditions import format_time
from apps.core.domain.refusals import Clash
from apps.slos.domain.webhook import payload
from apps.slos.models import Delivery, Webhook
from apps.slos.webhooks import WEBHOOK_KIND, renew_secret

# messages that wait for one webhook; a test more is refused
_MOST_WAITING = 100


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
