"""Sending messages to webhooks, at least once: claimed in Postgres, sent outside of a transaction, then ticked off."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import transaction

from apps.audit.services import record_event
from apps.core import clock, outbound
from apps.core.outbound import Answer, Unreachable
from apps.core.sealing import Unsealable, unseal
from apps.slos.domain.webhook import GIVE_UP_SECONDS, longest_wait, signature
from apps.slos.models import Delivery, Webhook

__all__ = ["SEALED_FOR", "deliver"]

log = logging.getLogger(__name__)

SEALED_FOR = "webhook"
# a sender that dies in the middle leaves its messages to the next one after this time; longer than a call may take
_LEASE = timedelta(seconds=60)
_AT_ONCE = 50
_THREADS = 8
Post = Callable[[str, bytes, dict[str, str]], Answer]


def deliver(post: Post | None = None, *, jitter: Callable[[], float] = random.random) -> int:
    """Send what is due; how many messages were tried. `jitter` draws from 0..1."""
    claimed = _claim(clock.now())
    if not claimed:
        return 0
    allowed = outbound.allowed_networks()
    send = post or (lambda url, body, headers: outbound.post(url, body, headers, allowed=allowed))
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="webhook") as executor:
        results = list(executor.map(lambda one: _send(one, send), claimed))
    for message, result in zip(claimed, results, strict=True):
        _settle(message, result, clock.now(), jitter)
    return len(claimed)


def _claim(now: datetime) -> list[Delivery]:
    with transaction.atomic():
        due = list(
            Delivery.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("webhook")
            .filter(state=Delivery.WAITING, due_at__lte=now)
            .order_by("due_at")[:_AT_ONCE]
        )
        for message in due:
            message.attempts += 1
            message.due_at = now + _LEASE
        Delivery.objects.bulk_update(due, ["attempts", "due_at"])
    return due


def _send(message: Delivery, post: Post) -> Answer | str:
    """The answer, or why there is none."""
    hook: Webhook = message.webhook
    if not hook.spec.get("enabled", True):
        return "the webhook is disabled"
    try:
        body = orjson.dumps(message.payload)
        stamp = int(clock.now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "lamplight-webhook/1",
            "webhook-id": f"msg_{message.pk}",
            "webhook-timestamp": str(stamp),
            "webhook-signature": signature(unseal(hook.sealed, SEALED_FOR), f"msg_{message.pk}", stamp, body),
        }
        return post(hook.spec["url"], body, headers)
    except (Unreachable, Unsealable) as error:
        return str(error)
    except Exception:
        log.exception("sending message %s", message.pk)
        return "sending failed; the worker's log says why"


def _settle(message: Delivery, result: Answer | str, now: datetime, jitter: Callable[[], float]) -> None:
    fields: dict[str, Any] = {}
    if isinstance(result, Answer) and 200 <= result.status < 300:
        fields = {"state": Delivery.DELIVERED, "answered": result.status, "error": "", "ended_at": now}
    else:
        status = result.status if isinstance(result, Answer) else None
        error = f"it answered {status}" if status is not None else str(result)
        wait = jitter() * longest_wait(message.attempts)
        over = (now - message.created_at).total_seconds() + wait > GIVE_UP_SECONDS or status == 410
        fields = {"answered": status, "error": error, "due_at": now + timedelta(seconds=wait)}
        if over:
            fields |= {"state": Delivery.FAILED, "ended_at": now}
    with transaction.atomic():
        # whoever claimed it later settles it
        mine = Delivery.objects.filter(pk=message.pk, attempts=message.attempts, state=Delivery.WAITING)
        if mine.update(**fields) and fields.get("state") == Delivery.FAILED:
            _give_up(message, fields["error"])


def _give_up(message: Delivery, error: str) -> None:
    hook: Webhook = message.webhook
    record_event(
        kind="Webhook",
        uid=hook.uid,
        team=hook.team,
        name=hook.name,
        type="Warning",
        reason="DeliveryFailed",
        message=f"A message ({message.event}) was given up after {message.attempts} attempts: {error}.",
        source="slos",
    )
