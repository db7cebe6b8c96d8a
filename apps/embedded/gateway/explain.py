"""What the picker tells of its decisions on its side port: the last ones, one of them, where a request would go."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import orjson
from aiohttp import web

from apps.embedded.gateway.proxy import Proxy
from apps.physics.routing import Decision, Refused, explain

MOST = 200


def explain_routes(proxy: Proxy) -> list[web.RouteDef]:
    """`GET /debug/routes`, `GET /debug/routes/{id}`, `POST /debug/routes/explain`."""

    async def newest(request: web.Request) -> web.Response:
        query = request.query
        limit = query.get("limit", "50")
        if not limit.isdigit() or not 1 <= int(limit) <= MOST:
            return _said(400, f"limit is {limit!r}; it must be from 1 to {MOST}")
        found = proxy.routes.newest(model=query.get("model", ""), endpoint=query.get("endpoint", ""))
        return web.json_response({"items": [route.entry() for route in islice(found, int(limit))]})

    async def one(request: web.Request) -> web.Response:
        route = proxy.routes.get(request.match_info["id"])
        if route is None:
            return _said(404, f"no decision {request.match_info['id']} is remembered; only the last ones are")
        return web.json_response({**route.whole(), "dialect": proxy.fleet.config.release})

    async def would(request: web.Request) -> web.Response:
        try:
            body = orjson.loads(await request.read())
        except orjson.JSONDecodeError as error:
            return _said(400, f"the body is not JSON: {error}")
        if not isinstance(body, Mapping):
            return _said(400, "the body must be a JSON object")
        body = proxy.rewritten(body)
        asked = proxy.request_of(body, body.get("headers") or {})
        await proxy.tokenize(asked, body)
        decision = proxy.fleet.explain(asked)
        if isinstance(decision, Refused):
            return _said(409, decision.reason)
        if not isinstance(decision, Decision):
            return _said(409, "no replica that serves passes the filters")
        told: dict[str, Any] = {
            **explain(decision), "id": None, "at": None, "served": None, "outcome": None,
            "dialect": proxy.fleet.config.release,
        }  # fmt: skip
        return web.json_response(told)

    return [
        web.get("/debug/routes", newest),
        web.post("/debug/routes/explain", would),
        web.get("/debug/routes/{id}", one),
    ]


def _said(status: int, sentence: str) -> web.Response:
    return web.json_response({"error": {"message": sentence}}, status=status)
