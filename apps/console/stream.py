"""`/api/v1/stream`: what changed, as it changes (server-sent events). Readers come back with `Last-Event-ID`."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.db import DatabaseError, connections
from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_safe
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from apps.accounts.authentication import TokenAuthentication
from apps.console.broadcast import Broadcaster, Subscription, TooManyStreams, broadcaster
from apps.console.domain.sse import Changed, encode, heartbeat, opening, parse_last_id, reset
from apps.core import access
from apps.core.domain.access import Actor
from apps.core.models import OutboxEvent

__all__ = ["stream"]

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0
RETRY_MS = 2000
# more than this is cheaper to read anew than to replay
MOST_REPLAYED = 1000


@require_safe
async def stream(request: HttpRequest) -> HttpResponseBase:
    """Changes of objects that one may see. `event: reset`: what was missed cannot be told, read everything anew."""
    try:
        actor = await _admit(request)
    except DatabaseError:
        return _problem(503, "unavailable", "The database cannot be reached now. Try again.")
    if actor is None:
        return _problem(401, "not-authenticated", "Log in first: the stream needs a session or a bearer token.")
    source = broadcaster()
    try:
        subscription, position = await source.subscribe()
    except TooManyStreams:
        return _problem(503, "unavailable", "This server has as many open streams as it can hold. Try again later.")
    except TimeoutError:
        return _problem(503, "unavailable", "The database cannot be reached now. Try again.")
    last_id = parse_last_id(request.headers.get("Last-Event-ID") or request.GET.get("lastEventId"))
    response = StreamingHttpResponse(
        _lines(request, actor, source, subscription, position, last_id), content_type="text/event-stream"
    )
    response["Cache-Control"] = "no-cache, no-transform"
    response["X-Accel-Buffering"] = "no"
    return response


async def _lines(
    request: HttpRequest,
    actor: Actor,
    source: Broadcaster,
    subscription: Subscription,
    position: int,
    last_id: int | None,
) -> AsyncIterator[bytes]:
    try:
        yield opening(position if last_id is None else max(last_id, 0), retry_ms=RETRY_MS)
        if last_id is not None and last_id != position:
            missed = await _missed(last_id, position)
            if missed is None:
                yield reset(position)
            else:
                for event in missed:
                    if actor.may_read(event.team):
                        yield encode(event)
        checked = written = time.monotonic()
        while True:
            event_or_word = await subscription.next(HEARTBEAT_SECONDS - (time.monotonic() - written))
            now = time.monotonic()
            if now - checked >= settings.STREAM_RECHECK_SECONDS:
                admitted = await _admit(request)
                if admitted is None:
                    return
                actor, checked = admitted, now
            match event_or_word:
                case Changed() as event:
                    position = event.id
                    if actor.may_read(event.team):
                        written = now
                        yield encode(event)
                case "reset":
                    position = source.position
                    written = now
                    yield reset(position)
                case "closed":
                    return
            if now - written >= HEARTBEAT_SECONDS:
                written = now
                yield heartbeat(position)
    except DatabaseError as error:
        # the reader comes back with its last id when the stream ends
        log.warning("an event stream ended: %s", error)
    finally:
        source.unsubscribe(subscription)


async def _admit(request: HttpRequest) -> Actor | None:
    """Who asks, as of now; None for nobody. Runs in a thread whose database connection is given back at once: an open
    stream must not keep one for as long as it lasts."""

    def look() -> Actor | None:
        try:
            fresh = _fresh(request)
            try:
                asked = Request(fresh, authenticators=[TokenAuthentication(), SessionAuthentication()])
                return access.actor_of(asked) if asked.user.is_authenticated else None
            except APIException:
                return None
        finally:
            connections.close_all()

    return await sync_to_async(look, thread_sensitive=False)()


def _fresh(request: HttpRequest) -> HttpRequest:
    """The same request with nothing remembered: a session that has ended since must be seen to have ended."""
    fresh: Any = copy.copy(request)
    for remembered in ("lamplight_actor", "_cached_user", "_acached_user"):
        fresh.__dict__.pop(remembered, None)
    store = import_module(settings.SESSION_ENGINE).SessionStore
    fresh.session = store(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    fresh.user = SimpleLazyObject(lambda: get_user(fresh))
    return fresh  # type: ignore[no-any-return]


async def _missed(last_id: int, position: int) -> list[Changed] | None:
    """Lines after `last_id` up to `position`; None when they cannot all be told (trimmed, too many, not our id)."""

    def read() -> list[Changed] | None:
        try:
            if not 0 <= last_id <= position or not OutboxEvent.objects.filter(id__lte=last_id).exists():
                return None
            rows = OutboxEvent.objects.filter(id__gt=last_id, id__lte=position).order_by("id")[: MOST_REPLAYED + 1]
            found = [
                Changed(row.id, row.kind, str(row.uid), row.team, row.name, row.verb, row.generation, tuple(row.fields))
                for row in rows
            ]
            return found if len(found) <= MOST_REPLAYED else None
        finally:
            connections.close_all()

    return await sync_to_async(read, thread_sensitive=False)()


def _problem(status: int, type_: str, detail: str) -> JsonResponse:
    titles = {401: "Log in first", 503: "The service cannot answer now"}
    body = {"type": f"urn:lamplight:problem:{type_}", "title": titles[status], "status": status, "detail": detail}
    headers = {"Retry-After": "2"} if status == 503 else {"WWW-Authenticate": "Bearer"}
    return JsonResponse({**body, "errors": []}, status=status, headers=headers, content_type="application/problem+json")
