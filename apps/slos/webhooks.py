"""The kind `Webhook` and its signing secret."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from typing import Any

from apps.core import clock
from apps.core.domain.addresses import refused_url, split_url
from apps.core.domain.conditions import Condition, format_time
from apps.core.kinds import Accepted, CheckContext, KindHandler
from apps.core.outbound import allowed_networks
from apps.core.sealing import seal
from apps.core.status import put_condition
from apps.slos.delivering import SEALED_FOR
from apps.slos.domain.webhook import WebhookSpec
from apps.slos.models import Webhook

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
