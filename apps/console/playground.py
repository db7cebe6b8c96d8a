"""A chat with a pool from the console: the pool's own gateway answers, as it answers any client, and is timed here.

The browser cannot reach a pool's address itself: it is another origin, and often inside of a cluster. Bounds: the
body, the tokens, the bytes that come back, the time in all, and the number of chats of one process.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from asgiref.sync import sync_to_async
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import APIException
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from apps.accounts.authentication import TokenAuthentication
from apps.catalog.domain.model import ModelSpec
from apps.console.domain.chat import MOST_BYTES, Chat, piece_of, upstream
from apps.core import access, writes, yamlio
from apps.core.domain.refusals import Clash, Refusal
from apps.pools import selectors
from apps.pools.kinds import PoolKind
from apps.pools.models import Pool

__all__ = ["ChatView"]

log = logging.getLogger(__name__)

_TIMEOUT = aiohttp.ClientTimeout(total=180, sock_connect=5, sock_read=90)
_MOST_ANSWER = 4 * 1024 * 1024
_MOST_CHATS = 32
# of one process
_running = 0


# the session's CSRF token is checked by SessionAuthentication; a bearer token needs none
@method_decorator(csrf_exempt, name="dispatch")
class ChatView(View):
    """`text/event-stream` of `{"at", "text"}`, seconds since the request was sent; `done` says what it took."""

    async def post(self, request: HttpRequest, team: str, name: str) -> HttpResponseBase:
        try:
            address, body = await sync_to_async(_asked)(request, team, name)
        except Refusal as refusal:
            return _problem(refusal.status, refusal.type, refusal.title, str(refusal))
        except DatabaseError:
            return _problem(503, "unavailable", "The service cannot answer now", "The database cannot be reached now.")
        if _running >= _MOST_CHATS:
            said = "Too many chats run in this process. Try again."
            return _problem(503, "busy", "The service cannot answer now", said)
        response = StreamingHttpResponse(_answer(address, body), content_type="text/event-stream")
        response["Cache-Control"] = "no-cache, no-transform"
        response["X-Accel-Buffering"] = "no"
        return response


class _NotLoggedIn(Refusal):
    status = 401
    type = "not-authenticated"
    title = "Log in first"


def _asked(request: HttpRequest, team: str, name: str) -> tuple[str, dict[str, Any]]:
    """Where to send what. Raises Refusals: it costs accelerator time, so it takes the right to write."""
    # read before the check of the CSRF token looks for a form in it
    raw = request.body
    asked = Request(request, parsers=[JSONParser()], authenticators=[TokenAuthentication(), SessionAuthentication()])
    try:
        known = asked.user.is_authenticated
    except APIException as refused:
        raise _NotLoggedIn(str(refused.detail)) from None
    if not known:
        raise _NotLoggedIn("Log in first: a chat needs a session or a bearer token.")
    access.require_write(access.actor_of(asked), team)
    pool: Pool | None = Pool.objects.named(team, name).first()
    if pool is None:
        raise writes.missing(PoolKind(), team, name)
    if len(raw) > MOST_BYTES:
        raise Refusal(f"A chat is at most {MOST_BYTES // 1024} KiB.")
    documents = yamlio.read(raw, json=True)
    if len(documents) != 1:
        raise Refusal("The body must hold one JSON object.")
    wanted = Chat.from_document(documents[0].value, at="")
    address = pool.status.get("endpoint")
    if not address:
        raise Clash(f"{pool.key} has no endpoint yet: it appears when the pool's service exists.")
    return str(address), upstream(wanted, _served_name(pool))


def _served_name(pool: Pool) -> str:
    """The name that the engines answer to."""
    told = pool.status.get("servedName")
    if isinstance(told, str) and told:
        return told
    model = selectors.model_of(pool)
    if model is None:
        return str(pool.spec["model"])
    return ModelSpec.from_document(model.spec).served_name or str(model.name)


async def _answer(address: str, body: dict[str, Any]) -> AsyncIterator[bytes]:
    global _running
    _running += 1
    started = time.monotonic()
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.post(f"{address}/v1/chat/completions", json=body, allow_redirects=False) as answer,
        ):
            replica = answer.headers.get("x-gateway-destination-endpoint-served")
            route = answer.headers.get("x-lamplight-route")
            yield _event("start", {"replica": replica, "route": route, "status": answer.status})
            if answer.status != 200:
                text = (await answer.content.read(2000)).decode(errors="replace")
                yield _event("problem", {"detail": _refused(answer.status, text)})
                return
            async for line in _told(answer, started):
                yield line
    except TimeoutError:
        yield _event("problem", {"detail": "The pool did not answer in time."})
    except (aiohttp.ClientError, OSError) as error:
        log.info("a chat with %s ended: %s", address, error)
        yield _event("problem", {"detail": "The pool's address cannot be reached, or the answer was cut."})
    except ValueError:
        # a line longer than aiohttp holds
        yield _event("problem", {"detail": "The pool answered in a form that cannot be read."})
    finally:
        _running -= 1


async def _told(answer: aiohttp.ClientResponse, started: float) -> AsyncIterator[bytes]:
    usage: dict[str, int | None] = {"promptTokens": None, "completionTokens": None, "cachedTokens": None}
    finish, size = None, 0
    async for line in answer.content:
        size += len(line)
        if size > _MOST_ANSWER:
            yield _event("problem", {"detail": "The answer is longer than the console shows."})
            return
        piece = piece_of(line)
        if piece is None:
            continue
        if piece.error:
            yield _event("problem", {"detail": piece.error})
            return
        finish = piece.finish or finish
        counts = (piece.prompt_tokens, piece.completion_tokens, piece.cached_tokens)
        usage = {key: usage[key] if count is None else count for key, count in zip(usage, counts, strict=True)}
        if piece.text:
            yield _event("", {"at": round(time.monotonic() - started, 6), "text": piece.text})
    yield _event("done", {"at": round(time.monotonic() - started, 6), "finish": finish, **usage})


def _refused(status: int, text: str) -> str:
    """The engine's or gateway's own sentence where it says one."""
    try:
        error = json.loads(text)["error"]
        said = str(error["message"])
    except (ValueError, KeyError, TypeError):
        said = text[:300] or "no reason given"
    return f"The pool answered with status {status}: {said[:500]}"


def _event(name: str, data: dict[str, Any]) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def _problem(status: int, type_: str, title: str, detail: str) -> JsonResponse:
    body = {"type": f"urn:lamplight:problem:{type_}", "title": title, "status": status, "detail": detail, "errors": []}
    return JsonResponse(body, status=status, content_type="application/problem+json")
