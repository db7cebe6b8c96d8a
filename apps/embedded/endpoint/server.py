"""The data plane of an Endpoint: who asks, for which model, may they, which pool; and what it came to in tokens."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, generate_latest

from apps.embedded.endpoint.domain.config import Backend, EndpointConfig, order
from apps.embedded.endpoint.domain.quota import Quota
from apps.embedded.endpoint.keys import Keys
from apps.embedded.gateway.domain.measure import TAIL, StreamMeter, read_usage
from apps.embedded.gateway.domain.policy import OBJECTIVE_HEADERS
from apps.embedded.gateway.domain.prompt import BYTES_PER_TOKEN, prompt_bytes

log = logging.getLogger(__name__)

MOST_BODY_BYTES = 32 * 2**20
ANONYMOUS = "anonymous"
OTHER = "other"
SILENCE_S = 960.0
"""Longer than a pool holds a request for its cold start."""
DEFAULT_ANSWER_TOKENS = 256
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade", "host",
     "content-length", "authorization"}
)  # fmt: skip
_USAGE_ONLY = b'"choices":[]'
Resolve = Callable[[str], Awaitable[str]]


class Meter:
    """What is counted: names of our own, as llm-d's router has no consumers."""

    def __init__(self, endpoint: str) -> None:
        self.registry = CollectorRegistry()
        self._endpoint = endpoint
        self._requests = Counter(
            "lamplight_endpoint_requests", "Requests by public model, pool, status and consumer key",
            ("endpoint", "model", "pool", "code", "key"), registry=self.registry,
        )  # fmt: skip
        self._tokens = Counter(
            "lamplight_endpoint_tokens", "Tokens by public model, pool and consumer key",
            ("endpoint", "model", "pool", "key", "kind"), registry=self.registry,
        )  # fmt: skip

    def request(self, model: str, pool: str, code: int, key: str) -> None:
        self._requests.labels(self._endpoint, model, pool, str(code), key).inc()

    def tokens(self, model: str, pool: str, key: str, prompt: int, completion: int) -> None:
        self._tokens.labels(self._endpoint, model, pool, key, "prompt").inc(prompt)
        self._tokens.labels(self._endpoint, model, pool, key, "completion").inc(completion)


class EndpointServer:
    """`resolve` turns a pool's URL into one that can be connected to."""

    def __init__(self, config: EndpointConfig, keys: Keys, session: aiohttp.ClientSession, resolve: Resolve) -> None:
        self._chance = random.Random()  # noqa: S311 - spreads load, hides nothing
        self.config, self.keys, self.session, self.resolve = config, keys, session, resolve
        self.meter = Meter(config.endpoint)
        self._quotas: dict[str, Quota] = {}

    def application(self) -> web.Application:
        app = web.Application(client_max_size=MOST_BODY_BYTES)
        app.router.add_get("/health", self.health)
        app.router.add_get("/readyz", self.health)
        app.router.add_get("/metrics", self.page)
        app.router.add_get("/v1/models", self.models)
        app.router.add_post("/v1/{path:.*}", self.forward)
        return app

    async def health(self, request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def page(self, request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self.meter.registry), headers={"Content-Type": "text/plain; version=1.0.0"}
        )

    async def models(self, request: web.Request) -> web.Response:
        if self._key(request) is None:
            return _unknown_key()
        rows = [{"id": name, "object": "model", "created": 0, "owned_by": "lamplight"} for name in self.config.models]
        return web.json_response({"object": "list", "data": rows})

    async def forward(self, request: web.Request) -> web.StreamResponse:
        key = self._key(request)
        if key is None:
            self.meter.request(OTHER, "", 401, OTHER)
            return _unknown_key()
        try:
            document = orjson.loads(await request.read())
        except orjson.JSONDecodeError as error:
            return _problem(400, f"The body is not JSON: {error}.", "invalid_request_error", None)
        name = document.get("model") if isinstance(document, Mapping) else None
        model = self.config.models.get(name) if isinstance(name, str) else None
        if model is None:
            self.meter.request(OTHER, "", 404, key)
            known = ", ".join(sorted(self.config.models))
            return _problem(404, f"The model {name!r} does not exist; there are {known}.", "invalid_request_error",
                            "model_not_found")  # fmt: skip
        estimate = _estimate(document)
        quota = self._quota(key)
        refused = quota.enter(estimate, time.monotonic())
        if refused is not None:
            self.meter.request(model.name, "", 429, key)
            headers = {"Retry-After": str(max(1, round(refused.wait))), **_text(quota.left(time.monotonic()))}
            said = f"The key {key} may not ask now: {refused.reason}. Try again in {max(1, round(refused.wait))} s."
            return _problem(429, said, "rate_limit_error", "rate_limit_exceeded", headers)
        used = 0
        try:
            response, used = await self._ask(
                request, dict(document), model.name, order(model, self._chance.random()), key, quota
            )
            return response
        finally:
            quota.settle(estimate, used, time.monotonic())

    async def _ask(
        self,
        request: web.Request,
        document: dict[str, Any],
        model: str,
        backends: tuple[Backend, ...],
        key: str,
        quota: Quota,
    ) -> tuple[web.StreamResponse, int]:
        streams = document.get("stream") is True
        # the meter needs the count at the end of a stream; who did not ask for it does not get it
        hides = streams and not (document.get("stream_options") or {}).get("include_usage")
        if hides:
            document["stream_options"] = {**(document.get("stream_options") or {}), "include_usage": True}
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        headers["x-gateway-inference-fairness-id"] = key
        band = self.config.limits_of(key).band
        if self.keys.wanted:
            # how important a request is is the key's matter, not the client's
            headers = {name: value for name, value in headers.items() if name.lower() not in OBJECTIVE_HEADERS}
        last = ""
        for position, backend in enumerate(backends):
            document["model"] = backend.model
            if band is not None:
                headers[OBJECTIVE_HEADERS[0]] = f"{backend.pool}-{band}"
            try:
                upstream = await self.session.post(
                    f"{await self.resolve(backend.url)}{request.rel_url}",
                    data=orjson.dumps(document), headers=headers, allow_redirects=False,
                )  # fmt: skip
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                last = f"{backend.pool}: {error or 'no answer in time'}"
                log.warning("pool %s does not answer: %s", backend.pool, error)
                continue
            async with upstream:
                empty = upstream.headers.get("x-llm-d-request-dropped-reason") in ("no-endpoints", "unreachable")
                if upstream.status == 503 and empty and position + 1 < len(backends):
                    last = f"{backend.pool} has no replica that serves"
                    continue
                return await self._relay(request, upstream, backend, model, key, hides, quota)
        self.meter.request(model, "", 503, key)
        said = f"No pool of the model {model} could be reached; the last failure was: {last}."
        return _problem(503, said, "service_unavailable_error", None), 0

    async def _relay(
        self,
        request: web.Request,
        upstream: aiohttp.ClientResponse,
        backend: Backend,
        model: str,
        key: str,
        hides: bool,
        quota: Quota,
    ) -> tuple[web.StreamResponse, int]:
        headers = {name: value for name, value in upstream.headers.items() if name.lower() not in _HOP_BY_HOP}
        headers |= {"x-lamplight-pool": backend.pool, **_text(quota.left(time.monotonic()))}
        response = web.StreamResponse(status=upstream.status, headers=headers)
        streamed = upstream.content_type == "text/event-stream"
        if streamed:
            response.enable_chunked_encoding()
        else:
            response.content_length = upstream.content_length
        await response.prepare(request)
        meter, tail, held = StreamMeter(), b"", b""
        try:
            async for chunk in upstream.content.iter_any():
                if not streamed:
                    tail = (tail + chunk)[-TAIL:]
                    await response.write(chunk)
                    continue
                meter.chunk(chunk, 0.0)
                if not hides:
                    await response.write(chunk)
                    continue
                # whole events only: the last one may have to be kept back
                held += chunk
                events, _, held = held.rpartition(b"\n\n")
                shown = [event for event in events.split(b"\n\n") if event and _USAGE_ONLY not in event]
                if shown:
                    await response.write(b"\n\n".join(shown) + b"\n\n")
            if held and _USAGE_ONLY not in held:
                await response.write(held)
            await response.write_eof()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("an answer of pool %s broke off: %s", backend.pool, error)
            if request.transport is not None:
                # the status is sent already: a cut connection is the only way to say that the answer is not whole
                request.transport.abort()
        finally:
            usage = read_usage(meter.tail if streamed else tail)
            completion = usage.completion if usage.completion is not None else meter.tokens
            prompt = usage.prompt or 0
            self.meter.request(model, backend.pool, upstream.status, key)
            if upstream.status == 200:
                self.meter.tokens(model, backend.pool, key, prompt, completion)
        return response, prompt + completion

    def _key(self, request: web.Request) -> str | None:
        if not self.keys.wanted:
            return ANONYMOUS
        return self.keys.name_of(request.headers.get("Authorization", ""))

    def _quota(self, key: str) -> Quota:
        found = self._quotas.get(key)
        if found is None:
            found = self._quotas[key] = Quota(self.config.limits_of(key), time.monotonic())
        return found


def _estimate(document: Mapping[str, Any]) -> int:
    """Tokens that a request will probably use: its prompt by its length, its answer by what it asks for."""
    wanted = document.get("max_completion_tokens") or document.get("max_tokens") or DEFAULT_ANSWER_TOKENS
    answer = wanted if isinstance(wanted, int) and wanted > 0 else DEFAULT_ANSWER_TOKENS
    return len(prompt_bytes(document)) // BYTES_PER_TOKEN + answer


def _text(headers: Mapping[str, int]) -> dict[str, str]:
    return {name: str(value) for name, value in headers.items()}


def _unknown_key() -> web.Response:
    said = "Incorrect API key provided. Send a key of this endpoint as `Authorization: Bearer KEY`."
    return _problem(401, said, "invalid_request_error", "invalid_api_key")


def _problem(
    status: int, sentence: str, kind: str, code: str | None, headers: Mapping[str, str] | None = None
) -> web.Response:
    body = {"error": {"message": sentence, "type": kind, "param": None, "code": code}}
    return web.json_response(body, status=status, headers=headers)
