"""The data plane: each OpenAI request goes to the replica that the picker chose, its answer streams back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from apps.embedded.gateway.domain.measure import TAIL, StreamMeter, read_usage
from apps.embedded.gateway.domain.policy import FAIRNESS_HEADERS, NO_POLICY, Policy, first_of
from apps.embedded.gateway.domain.prompt import TextPrompt, prompt_bytes
from apps.embedded.gateway.fleet import Fleet, Sent
from apps.embedded.gateway.hold import Held, HoldQueue
from apps.embedded.gateway.metrics import PickerMetrics
from apps.embedded.gateway.policies import Policies
from apps.embedded.gateway.routes import HEADER, Route, Routes
from apps.embedded.gateway.tokenizer import Tokenizer
from apps.physics.routing import Decision, Endpoint, Refused, Request
from apps.physics.routing.flow import FlowControl, Outcome
from apps.physics.routing.scheduler import PREFILL_HEADER

log = logging.getLogger(__name__)

MOST_BODY_BYTES = 32 * 2**20
MOST_INFLIGHT = 4096
MOST_ATTEMPTS = 3
# an engine that says nothing for so long is given up
SILENCE_S = 600.0
_HOP_BY_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
        "transfer-encoding", "upgrade", "host", "content-length",
    }
)  # fmt: skip
_BROKEN = web.RequestKey("broken", str)
_NOT_REACHED = (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError, aiohttp.ConnectionTimeoutError,
                aiohttp.ClientOSError)  # fmt: skip


@dataclass
class Exchange:
    """One request on its way: what the picker needs of it and what is measured of it."""

    body: bytes
    request: Request
    document: Mapping[str, Any]
    begun: float
    asked: str = ""
    """The model as the client named it; `model` is the one that serves it."""

    @property
    def model(self) -> str:
        return self.request.model

    @property
    def priority(self) -> str:
        return str(self.request.priority)


class Proxy:
    """Forwards requests to the fleet. One session of connections to all replicas."""

    def __init__(
        self,
        fleet: Fleet,
        session: aiohttp.ClientSession,
        metrics: PickerMetrics,
        hold: HoldQueue,
        policies: Policies | None = None,
    ) -> None:
        self.fleet, self.session, self.metrics, self.hold = fleet, session, metrics, hold
        self._policies = policies or Policies(fleet.name, fleet.namespace)
        self._chance = random.Random()  # noqa: S311 - spreads requests by weight, hides nothing
        self.routes = Routes()
        self.listed: list[Any] = []
        self._learning: asyncio.Task[None] | None = None
        self.tokenizer = Tokenizer(session)
        self.inflight = 0

    def application(self) -> web.Application:
        app = web.Application(client_max_size=MOST_BODY_BYTES)
        app.router.add_get("/health", self.health)
        app.router.add_get("/v1/models", self.models)
        app.router.add_route("*", "/{path:.*}", self.forward)
        return app

    async def health(self, request: web.Request) -> web.Response:
        ready = len(self.fleet.replicas)
        return web.json_response({"readyEndpoints": ready}, status=200 if ready else 503)

    async def models(self, request: web.Request) -> web.Response:
        """The models of all replicas, each name once. Where requests are held, the last list is told while nobody
        serves: a client that looks before it asks would never wake the pool."""
        if not self.fleet.replicas:
            if self.listed and self.hold.limits is not None:
                return web.json_response({"object": "list", "data": self.listed})
            return self._no_endpoint()
        lists = await asyncio.gather(*(self._models_of(one.endpoint, request) for one in self.fleet.replicas.values()))
        refused = next((answer for answer in lists if isinstance(answer, web.Response)), None)
        found = {model["id"]: model for answer in lists if isinstance(answer, list) for model in answer}
        if not found and refused is not None:
            return refused
        self.listed = [found[name] for name in sorted(found)]
        return web.json_response({"object": "list", "data": self.listed})

    def _learn(self, endpoint: Endpoint) -> None:
        """Remember what a replica serves, before it sleeps."""
        if self.hold.limits is None or self.listed or self._learning is not None:
            return

        async def ask() -> None:
            found = await self._models_of(endpoint, None)
            self.listed = self.listed or (found if isinstance(found, list) else [])
            self._learning = None

        self._learning = asyncio.create_task(ask())

    async def _models_of(self, endpoint: Endpoint, request: web.Request | None) -> list[Any] | web.Response:
        timeout = aiohttp.ClientTimeout(total=5)
        url = f"http://{endpoint.address}/v1/models"
        try:
            headers = _forwarded(request.headers) if request is not None else {}
            async with self.session.get(url, headers=headers, timeout=timeout) as response:
                raw = await response.read()
                if response.status != 200:
                    return web.Response(status=response.status, body=raw, content_type=response.content_type)
                return list(orjson.loads(raw)["data"])
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
            return []

    async def forward(self, request: web.Request) -> web.StreamResponse:
        if self.inflight >= MOST_INFLIGHT:
            unread = ("", "", "default-flow", "0")
            self.metrics.requests.labels(*unread).inc()
            self.metrics.errors.labels(*unread, "503").inc()
            return _problem(503, f"{MOST_INFLIGHT} requests are in flight; try again later.", dropped="capacity")
        try:
            exchange = await self._read(request)
        except web.HTTPRequestEntityTooLarge:
            return _problem(413, f"The body is larger than {MOST_BODY_BYTES} bytes.")
        except ValueError as error:
            return _problem(400, str(error))
        model = self.metrics.model(exchange.model)
        named = self.metrics.model(exchange.asked)
        labels = (named, model, exchange.request.fairness, exchange.priority)
        self.metrics.requests.labels(*labels).inc()
        self.metrics.request_bytes.labels(named, model).observe(len(exchange.body))
        self.inflight += 1
        self.metrics.running.labels(named).inc()
        code = "ClientDisconnected"
        try:
            response = await self._attempt(request, exchange, model)
            code = request.get(_BROKEN) or ("" if response.status < 400 else str(response.status))
            return response
        finally:
            self.inflight -= 1
            self.metrics.running.labels(named).dec()
            # what failed is counted by its code: a quick refusal is no quick answer
            if code:
                self.metrics.errors.labels(*labels, code).inc()
            else:
                self.metrics.duration.labels(*labels).observe(time.monotonic() - exchange.begun)

    async def _read(self, request: web.Request) -> Exchange:
        begun = time.monotonic()
        body = await request.read()
        document: Any = {}
        if body and request.method == "POST":
            try:
                document = orjson.loads(body)
            except orjson.JSONDecodeError as error:
                raise ValueError(f"The body is not JSON: {error}.") from error
        if not isinstance(document, Mapping):
            raise ValueError("The body must be a JSON object.")
        asked = str(document.get("model") or "")
        served = self.rewritten(document)
        if served is not document:
            document, body = served, orjson.dumps(served)
        return Exchange(body, self.request_of(document, request.headers), document, begun, asked)

    def rewritten(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The request with the model that serves it; the same document where no rewrite matches."""
        asked = document.get("model")
        if not isinstance(asked, str) or not self._policies.now.rules:
            return document
        model = self._policies.now.served_by(asked, self._chance.random())
        return document if model == asked else {**document, "model": model}

    def request_of(self, document: Mapping[str, Any], headers: Mapping[str, str]) -> Request:
        """What scheduling sees of a request, with the priority of the objective that it names."""
        return request_of(document, headers, self._policies.now)

    async def tokenize(self, request: Request, document: Mapping[str, Any]) -> None:
        """Where KV events tell what the replicas hold, the prompt's tokens are needed to look it up."""
        prompt, serving = request.prompt, self.fleet.serving()
        if not self.fleet.listeners or not serving or not isinstance(prompt, TextPrompt) or not prompt.raw:
            return
        if any(request.model in listener.adapters for listener in self.fleet.listeners):
            prompt.adapter = request.model
        prompt.token_ids = await self.tokenizer.tokens(serving[0].endpoint.address, document)

    async def _attempt(self, request: web.Request, exchange: Exchange, model: str) -> web.StreamResponse:
        if request.method == "POST":
            asked = exchange.request
            held = Held(model, asked.fairness, asked.priority, len(exchange.body), exchange.begun, asked.slo_ttft)
            # the replica that a held request was let go for may be gone again: it is held on, its time running
            while True:
                outcome = await self.hold.admit(held)
                if outcome is not Outcome.DISPATCHED:
                    return self._not_held(outcome)
                if self.fleet.serving() or self.hold.limits is None:
                    break
        await self.tokenize(exchange.request, exchange.document)
        decision = self.fleet.choose(exchange.request)
        if not isinstance(decision, Decision):
            self.metrics.attempts.labels("failure", model, "", "", "").inc()
            return self._shed(decision) if isinstance(decision, Refused) else self._no_endpoint()
        route = self.routes.record(decision)
        headers = _forwarded(request.headers)
        if decision.prefill is not None:
            headers[PREFILL_HEADER] = decision.prefill.chosen.address
        last = ""
        for endpoint in decision.order[:MOST_ATTEMPTS]:
            namespace, _, rest = endpoint.key.partition("/")
            name, _, port = rest.rpartition(":")
            self.metrics.attempts.labels("success", model, name, namespace, port).inc()
            route.served = endpoint.key
            self._learn(endpoint)
            with self.fleet.sending(decision, endpoint) as sent:
                try:
                    upstream = await self.session.request(
                        request.method,
                        f"http://{endpoint.address}{request.rel_url}",
                        data=exchange.body or None,
                        headers=headers,
                        allow_redirects=False,
                    )
                except _NOT_REACHED as error:
                    # nothing of an answer has been sent yet, so another replica may try
                    last = f"{endpoint.key}: {error}"
                    log.warning("endpoint %s does not answer: %s", endpoint.key, error)
                    continue
                except TimeoutError:
                    return _problem(504, f"{endpoint.key} did not answer within {SILENCE_S:.0f} s.")
                async with upstream:
                    route.status = upstream.status
                    return await self._relay(request, exchange, upstream, sent, route, model)
        route.served, route.status = None, 503
        return _problem(503, f"No endpoint could be reached; the last failure was {last}.", dropped="unreachable")

    async def _relay(
        self,
        request: web.Request,
        exchange: Exchange,
        upstream: aiohttp.ClientResponse,
        sent: Sent,
        route: Route,
        model: str,
    ) -> web.StreamResponse:
        endpoint = sent.replica.endpoint
        headers = {name: value for name, value in upstream.headers.items() if name.lower() not in _HOP_BY_HOP}
        headers["x-gateway-destination-endpoint-served"] = endpoint.address
        headers[HEADER] = route.id
        headers.update(self.fleet.scheduler.answer_headers(endpoint))
        response = web.StreamResponse(status=upstream.status, headers=headers)
        streamed = upstream.content_type == "text/event-stream"
        if streamed:
            response.enable_chunked_encoding()
        else:
            response.content_length = upstream.content_length
        await response.prepare(request)
        meter, size, tail = StreamMeter(), 0, b""
        try:
            async for chunk in upstream.content.iter_any():
                size += len(chunk)
                if streamed:
                    meter.chunk(chunk, time.monotonic() - exchange.begun)
                    if not sent.prefilled and meter.first is not None:
                        self.fleet.prefilled(sent)
                else:
                    tail = (tail + chunk)[-TAIL:]
                await response.write(chunk)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if request.transport is None or request.transport.is_closing():
                request[_BROKEN] = "ClientDisconnected"
                return response
            log.warning("endpoint %s broke off in the middle of an answer: %s", endpoint.key, error)
            request[_BROKEN] = "UpstreamReset"
            # the status is sent already: a cut connection is the only way to say that the answer is not whole
            request.transport.abort()
            return response
        with contextlib.suppress(ConnectionError):
            await response.write_eof()
        if upstream.status < 400:
            self._observe(exchange, meter, meter.tail if streamed else tail, size, model, streamed, route, endpoint)
        return response

    def _observe(
        self,
        exchange: Exchange,
        meter: StreamMeter,
        tail: bytes,
        size: int,
        model: str,
        streamed: bool,
        route: Route,
        endpoint: Endpoint,
    ) -> None:
        metrics, labels = self.metrics, (self.metrics.model(exchange.asked), model)
        usage = read_usage(tail)
        metrics.response_bytes.labels(*labels).observe(size)
        if usage.prompt is not None:
            metrics.input_tokens.labels(*labels).observe(usage.prompt)
        if usage.cached is not None:
            metrics.cached_tokens.labels(*labels).observe(usage.cached)
        route.cached = usage.cached
        made = usage.completion if usage.completion is not None else meter.tokens
        if made:
            metrics.output_tokens.labels(*labels).observe(made)
            metrics.ntpot.labels(*labels).observe((time.monotonic() - exchange.begun) / made)
        if streamed and meter.first is not None:
            metrics.ttft.labels(*labels, "true").observe(meter.first)
            between = metrics.itl.labels(*labels)
            for seconds in meter.between:
                between.observe(seconds)
            mean = meter.time_per_output_token(usage.completion)
            if mean is not None:
                metrics.tpot.labels(*labels).observe(mean)
            route.ttft, route.tpot = meter.first, mean
            self.fleet.scheduler.seen(route.decision, endpoint, meter.first, mean)

    def _no_endpoint(self) -> web.Response:
        asleep = len(self.fleet.replicas) - len(self.fleet.serving())
        why = "only sleeping endpoints; wake one." if asleep else "no ready endpoint; try again when one is."
        return _problem(503, f"The pool {self._pool} has {why}", dropped="no-endpoints")

    def _shed(self, refused: Refused) -> web.Response:
        return _problem(429, f"The pool {self._pool} does not take the request: {refused.reason}.", dropped="saturated")

    def _not_held(self, outcome: Outcome) -> web.Response:
        """The refusal of a request that was not held, or not any longer."""
        limits = self.hold.limits or FlowControl()
        if outcome is Outcome.REJECTED_CAPACITY:
            return _problem(
                429,
                f"The pool {self._pool} has no endpoint with room and {len(self.hold)} requests wait already, as many "
                f"as may (maxRequests {limits.max_requests}, maxBytes {limits.max_bytes}); try again later.",
                dropped="capacity",
            )
        if outcome is Outcome.EVICTED_NO_ENDPOINTS:
            return _problem(
                503,
                f"The pool {self._pool} had no endpoint ready for {limits.no_endpoint_ttl:g} s (noEndpointRequestTTL); "
                "see why it does not start, or raise that time above its start-up.",
                dropped="no-endpoints",
            )
        if outcome is Outcome.EVICTED_TTL:
            return _problem(
                503,
                f"The endpoints of the pool {self._pool} had no room for {limits.request_ttl:g} s "
                "(defaultRequestTTL); try again later.",
                dropped="ttl-expired",
            )
        return _problem(
            503, f"The endpoint picker of {self._pool} is shutting down; try again.", dropped="shutting-down"
        )

    @property
    def _pool(self) -> str:
        return f"{self.fleet.namespace}/{self.fleet.name}"


def client_session() -> aiohttp.ClientSession:
    """The session for all traffic to replicas."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=3, sock_read=SILENCE_S)
    connector = aiohttp.TCPConnector(limit=MOST_INFLIGHT + 64, keepalive_timeout=15)
    return aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)


def request_of(document: Mapping[str, Any], headers: Mapping[str, str], policy: Policy = NO_POLICY) -> Request:
    """What scheduling sees of an OpenAI request: its prompt, and what its headers ask for."""
    lower = {name.lower(): value for name, value in headers.items()}
    model = str(document.get("model") or "")
    return Request(
        TextPrompt(prompt_bytes(document), model=model, salt=str(document.get("cache_salt") or "")),
        model,
        lower,
        priority=policy.priority(lower),
        fairness=(first_of(lower, FAIRNESS_HEADERS) or "default-flow")[:63],
        slo_ttft=_milliseconds(lower, "ttft"),
        slo_tpot=_milliseconds(lower, "tpot"),
    )


def _milliseconds(headers: Mapping[str, str], name: str) -> float:
    """Seconds that a client allows; the older header's name is read too. What is no number is not said."""
    text = headers.get(f"x-llm-d-slo-{name}-ms") or headers.get(f"x-slo-{name}-ms") or ""
    try:
        return max(0.0, float(text) / 1e3)
    except ValueError:
        return 0.0


def _forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}


def _problem(status: int, sentence: str, *, dropped: str | None = None) -> web.Response:
    names = {
        400: "BadRequestError",
        413: "BadRequestError",
        429: "TooManyRequestsError",
        503: "ServiceUnavailableError",
        504: "TimeoutError",
    }
    body = {"error": {"message": sentence, "type": names[status], "param": None, "code": status}}
    headers = {"x-llm-d-request-dropped-reason": dropped} if dropped else {}
    return web.json_response(body, status=status, headers=headers)
