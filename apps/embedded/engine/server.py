"""The HTTP surface of the simulated engine: vLLM's OpenAI server, as far as it is modelled."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
import uuid
import zlib
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson
from aiohttp import HttpVersion11, web

from apps.embedded.engine.answers import Answer, Choice, StreamedAnswer
from apps.embedded.engine.device import Device, OutOfMemory
from apps.embedded.engine.domain import bodies, handover, refusals, requests
from apps.embedded.engine.domain.adapters import Adapter, Adapters, Stored
from apps.embedded.engine.domain.filler import Filler
from apps.embedded.engine.domain.refusals import RefusedError
from apps.embedded.engine.domain.requests import Generation
from apps.embedded.engine.domain.settings import EngineSettings
from apps.embedded.engine.domain.tokens import block_hashes, tokenize
from apps.embedded.engine.loop import EngineLoop
from apps.embedded.engine.metrics import EngineMetrics
from apps.embedded.engine.middleware import gates
from apps.embedded.engine.sequences import Sequence
from apps.embedded.engine.sleeping import Sleeper
from apps.physics.tiers import remote_seconds

MOST_BODY_BYTES = 32 * 2**20
# the API key guards these prefixes only, as in vLLM
GUARDED = ("/v1", "/v2", "/inference", "/cohere")
UNMEASURED = frozenset({"/metrics", "/health", "/load", "/ping", "/version", "/server_info"})
_NO_TOKENS = array("I")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class EngineServer:
    """Routes and middlewares over one EngineLoop. `draining` makes requests fail as vLLM's do after SIGTERM."""

    def __init__(self, settings: EngineSettings, loop: EngineLoop, metrics: EngineMetrics, device: Device) -> None:
        self.settings, self.loop, self.metrics = settings, loop, metrics
        self.sleeper = Sleeper(settings, loop, device)
        self.draining = False
        self.adapters = Adapters(settings.lora, settings.served_names, self._stored)
        if settings.lora is not None:
            most, recorder = settings.lora.max_loras, loop.recorder
            loop.tell_adapters = lambda ids: recorder.adapters(most, ids, self.adapters.names)
        self.open = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self._started = int(time.time())
        self._build = f"{zlib.crc32(settings.model.encode()):08x}"
        self._engine = str(uuid.uuid4())
        # clients may send the same X-Request-Id twice; the engine must not see the same name twice
        self._serial = itertools.count()

    def application(self) -> web.Application:
        middlewares = [*gates(self.settings.middleware), self._measured, self._answered, self._keyed]
        app = web.Application(client_max_size=MOST_BODY_BYTES, middlewares=middlewares)
        app.add_routes(
            [
                _get("/health", self.health),
                _get("/ping", self.health),
                web.post("/ping", self.health),
                _get("/version", self.version),
                _get("/load", self.load),
                _get("/metrics", self.page),
                _get("/kv_event_sources", self.kv_event_sources),
                _get("/v1/models", self.models),
                web.post("/v1/completions", self.completions),
                web.post("/v1/chat/completions", self.chat_completions),
                web.post("/tokenize", self.tokenized),
            ]
        )
        if self.settings.lora is not None and self.settings.lora.at_run_time:
            app.add_routes(
                [
                    web.post("/v1/load_lora_adapter", self.load_adapter),
                    web.post("/v1/unload_lora_adapter", self.unload_adapter),
                ]
            )
        if self.settings.dev_mode:
            app.add_routes(
                [
                    web.post("/sleep", self.sleep),
                    web.post("/wake_up", self.wake_up),
                    _get("/is_sleeping", self.is_sleeping),
                    web.post("/reset_prefix_cache", self.reset_prefix_cache),
                ]
            )
        return app

    async def sleep(self, request: web.Request) -> web.Response:
        asked = bodies.read_query(bodies.SleepQuery, request.query)
        if self.draining:
            raise refusals.draining()
        # a client that hangs up does not stop what it has begun
        with self.loop.recorder.sleep_operation("sleep"):
            await asyncio.shield(self.sleeper.sleep(asked.level, asked.mode))
        return web.json_response({"status": "sleeping", "level": asked.level})

    async def wake_up(self, request: web.Request) -> web.Response:
        tags = request.query.getall("tags", [])
        self._engine_is_there()
        with self.loop.recorder.sleep_operation("wake"):
            try:
                awake = await asyncio.shield(self.sleeper.wake(tags))
            except OutOfMemory as error:
                return web.Response(status=500, text=str(error))
        return web.json_response({"status": "awake" if awake else "sleeping", "tags": tags or None})

    async def is_sleeping(self, request: web.Request) -> web.Response:
        self._engine_is_there()
        return web.json_response({"is_sleeping": self.sleeper.is_sleeping})

    async def reset_prefix_cache(self, request: web.Request) -> web.Response:
        preempt, external = (_asked(request, name) for name in ("reset_running_requests", "reset_external"))
        self._engine_is_there()
        success = await self.loop.reset_prefix_cache(preempt=preempt, external=external)
        return web.json_response({"success": success})

    async def kv_event_sources(self, request: web.Request) -> web.Response:
        events = self.settings.events
        rank = {"enable_kv_cache_events": True, "publisher": "zmq", **asdict(events)} if events else None
        return web.json_response({"0": rank} if rank else {})

    async def load_adapter(self, request: web.Request) -> web.Response:
        return web.Response(text=self.adapters.load(bodies.read(bodies.LoadAdapter, await _json(request))))

    async def unload_adapter(self, request: web.Request) -> web.Response:
        return web.Response(text=self.adapters.unload(bodies.read(bodies.UnloadAdapter, await _json(request))))

    async def health(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if self.loop.alive else 503)

    async def version(self, request: web.Request) -> web.Response:
        return web.json_response({"version": self.settings.version})

    async def load(self, request: web.Request) -> web.Response:
        return web.json_response({"server_load": self.open if self.settings.load_tracking else 0})

    async def page(self, request: web.Request) -> web.Response:
        self.loop.refresh_gauges()
        body = self.metrics.page(request.query.getall("name[]", []))
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=1.0.0; charset=utf-8"})

    async def models(self, request: web.Request) -> web.Response:
        settings = self.settings
        data = [self._model(name, settings.model, None, settings.max_model_len) for name in settings.served_names]
        base = settings.served_names[0]
        data += [self._model(adapter.name, adapter.path, base, None) for adapter in self.adapters]
        return web.json_response({"object": "list", "data": data})

    def _model(self, name: str, root: str, parent: str | None, max_model_len: int | None) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": self._started,
            "owned_by": "vllm",
            "root": root,
            "parent": parent,
            "max_model_len": max_model_len,
            "permission": [
                {
                    "id": f"modelperm-{name}",
                    "object": "model_permission",
                    "created": self._started,
                    "allow_create_engine": False,
                    "allow_sampling": True,
                    "allow_logprobs": True,
                    "allow_search_indices": False,
                    "allow_view": True,
                    "allow_fine_tuning": False,
                    "organization": "*",
                    "group": None,
                    "is_blocking": False,
                }
            ],
        }

    async def tokenized(self, request: web.Request) -> web.Response:
        asked = bodies.read_tokenize(await _json(request))
        self._serving(asked.model or "")
        if self.draining:
            raise refusals.draining()
        tokens = tokenize(
            asked.prompt if isinstance(asked, bodies.TokenizeText) else requests.chat_text(asked.messages)
        )
        return web.json_response(
            {
                "count": len(tokens),
                "max_model_len": self.settings.max_model_len,
                "tokens": tokens,
                "token_strs": None,
            }
        )

    async def completions(self, request: web.Request) -> web.StreamResponse:
        return await self._generate(request, chat=False)

    async def chat_completions(self, request: web.Request) -> web.StreamResponse:
        return await self._generate(request, chat=True)

    async def _generate(self, request: web.Request, *, chat: bool) -> web.StreamResponse:
        arrival = self.loop.clock.now()
        generation = requests.read_generation(await _json(request), chat=chat)
        adapter = self._serving(generation.model)
        if self.draining and generation.words:
            raise refusals.draining()
        if self.settings.force_include_usage:
            generation = replace(generation, include_usage=True, continuous_usage=True)
        if not self.loop.admits(len(generation.prompts) * generation.n, sum(map(len, generation.prompts))):
            raise refusals.busy()
        identity = request.headers.get("X-Request-Id") or uuid.uuid4().hex
        answer, sequences = self._planned(
            request, generation, f"{'chatcmpl' if chat else 'cmpl'}-{identity}", arrival, adapter
        )
        self.open += 1
        self.idle.clear()
        try:
            if isinstance(answer, StreamedAnswer):
                return await self._stream(request, answer, sequences)
            for sequence in sequences:
                self.loop.submit(sequence)
            await answer.finished
            return web.json_response(answer.whole(), dumps=_dumps)
        finally:
            self.open -= 1
            if not self.open:
                self.idle.set()
            # the client went away: what is still running for it is aborted
            for sequence in sequences:
                self.loop.abort(sequence)

    def _stored(self, path: str) -> Stored | bool | None:
        """A local adapter must be there; a name on the Hugging Face hub is taken to be."""
        self._engine_is_there()
        if not path.startswith(("/", ".")):
            return path.count("/") == 1
        folder = Path(path)
        try:
            config = (folder / "adapter_config.json").read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None
        return Stored(config, any((folder / f"adapter_model.{kind}").exists() for kind in ("safetensors", "bin", "pt")))

    def _engine_is_there(self) -> None:
        if self.draining:
            raise refusals.shutting_down()

    def _serving(self, model: str) -> Adapter | None:
        """The adapter of this name, None for the model itself. Raises RefusedError for a name that is not served."""
        served = self.settings.served_names
        adapter = self.adapters.get(model)
        if model and model not in served and adapter is None:
            raise refusals.model_not_found(model, served)
        return adapter

    def _planned(
        self,
        request: web.Request,
        generation: Generation,
        identity: str,
        arrival: float,
        adapter: Adapter | None,
    ) -> tuple[Answer, list[Sequence]]:
        settings = self.settings
        choices: list[Choice] = []
        sequences: list[Sequence] = []
        planned: dict[str, Any] = {
            "request_id": identity,
            "created": int(time.time()),
            "model": generation.model or settings.served_names[0],
            "generation": generation,
            "choices": choices,
            "prompt_tokens": sum(map(len, generation.prompts)),
            "prompt_details": settings.prompt_tokens_details,
            "fingerprint": f"vllm-{settings.version}-{self._build}",
            "block_size": settings.engine.block_size,
            "transfer": self._handed_over(generation),
        }
        answer = (
            StreamedAnswer(**planned, write=_writer(request), interval=settings.stream_interval)
            if generation.stream
            else Answer(**planned)
        )
        for prompt in generation.prompts:
            most = requests.tokens_to_generate(generation, len(prompt), settings.max_model_len)
            for copy in range(generation.n):
                filler = Filler(prompt, copy)
                limit, reason = _length(generation, filler, most)
                # the answer is known beforehand, so its blocks are hashed too: the next turn finds them
                tokens = array("I", [*prompt, *filler.tokens(limit)])
                hashes = block_hashes(
                    tokens,
                    settings.engine.block_size,
                    seed=settings.hash_seed,
                    extra=f"{adapter.name}\n{generation.cache_salt}" if adapter else generation.cache_salt,
                    algorithm=settings.hash_algorithm,
                )
                choice = Choice(len(choices), len(prompt), filler, limit, reason)
                choices.append(choice)
                sequences.append(
                    Sequence(
                        identity=f"{identity}-{next(self._serial)}",
                        prompt_tokens=len(prompt),
                        block_hashes=hashes,
                        limit=limit,
                        reason=reason,
                        max_tokens=most,
                        n=generation.n,
                        priority=generation.priority,
                        arrival=arrival,
                        answer=answer,
                        choice=choice,
                        tokens=tokens if settings.events else _NO_TOKENS,
                        cache_salt=generation.cache_salt,
                        lora=(adapter.id, adapter.name) if adapter else None,
                        pulled=self._pulled(generation, len(prompt)),
                    )
                )
        return answer, sequences

    def _handed_over(self, generation: Generation) -> dict[str, Any] | None:
        if not self.settings.hands_over or len(generation.prompts) != 1:
            return None
        return handover.handed_over(
            generation.transfer,
            prompt_tokens=len(generation.prompts[0]),
            block_size=self.settings.engine.block_size,
            engine=self._engine,
            host=self.settings.side_channel[0],
            port=self.settings.side_channel[1],
        )

    def _pulled(self, generation: Generation, prompt_tokens: int) -> tuple[int, float]:
        settings = self.settings
        if not settings.hands_over:
            return 0, 0.0
        tokens = handover.pulled_tokens(
            generation.transfer, prompt_tokens=prompt_tokens, block_size=settings.engine.block_size
        )
        return tokens, remote_seconds(tokens * settings.token_bytes) if tokens else 0.0

    async def _stream(
        self, request: web.Request, answer: StreamedAnswer, sequences: list[Sequence]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        if _chunked(request):
            response.enable_chunked_encoding()
        await response.prepare(request)
        for sequence in sequences:
            self.loop.submit(sequence)
        await answer.finished
        await response.write_eof(answer.ending())
        return response

    @web.middleware
    async def _keyed(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        keys = self.settings.api_keys
        if keys and request.path.startswith(GUARDED) and request.method != "OPTIONS":
            scheme, _, key = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or key not in keys:
                return web.json_response({"error": "Unauthorized"}, status=401)
        return await handler(request)

    @web.middleware
    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except RefusedError as refused:
            return web.json_response(refused.body(), status=refused.status)
        except web.HTTPRequestEntityTooLarge:
            too_large = RefusedError(f"The body is larger than {MOST_BODY_BYTES} bytes.", status=413)
            return web.json_response(too_large.body(), status=413)
        except web.HTTPException as problem:
            return web.json_response({"detail": problem.reason}, status=problem.status)

    @web.middleware
    async def _measured(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in UNMEASURED:
            return await handler(request)
        begun = time.monotonic()
        status, size = 500, 0
        try:
            response = await handler(request)
            status, size = response.status, response.content_length or 0
            return response
        except asyncio.CancelledError:
            status = 499  # the client went away
            raise
        finally:
            route = request.match_info.route.resource
            path = route.canonical if route is not None else "none"
            self._record(request, path, status, size, time.monotonic() - begun)

    def _record(self, request: web.Request, path: str, status: int, size: int, seconds: float) -> None:
        one = self.metrics.one
        one("http_requests_total", handler=path, method=request.method, status=f"{status // 100}xx").inc()
        one("http_request_size_bytes", handler=path).observe(request.content_length or 0)
        one("http_response_size_bytes", handler=path).observe(size)
        one("http_request_duration_highr_seconds").observe(seconds)
        one("http_request_duration_seconds", handler=path, method=request.method).observe(seconds)
        if self.settings.access_log and path not in self.settings.access_log_skips:
            print(f'INFO:     {request.remote} - "{request.method} {request.path} HTTP/1.1" {status}', flush=True)


def _length(generation: Generation, filler: Filler, most: int) -> tuple[int, str]:
    """How many tokens the answer has and why it ends there."""
    limit, reason = most, "length"
    if not generation.ignore_eos and max(filler.natural_length, generation.min_tokens) < limit:
        limit, reason = max(filler.natural_length, generation.min_tokens), "stop"
    if generation.stops:
        stopped = filler.length_until(generation.stops, limit)
        if stopped is not None and stopped >= generation.min_tokens:
            limit, reason = stopped, "stop"
    return max(limit, 1), reason


def _writer(request: web.Request) -> Callable[[bytes], None]:
    """Writes one chunk of a chunked response at once.

    The engine's step writes to many streams; going through each handler's coroutine would cost a task switch a token.
    """

    framed = _chunked(request)

    def write(data: bytes) -> None:
        transport = request.transport
        if transport is not None and not transport.is_closing():
            transport.write(b"%x\r\n%b\r\n" % (len(data), data) if framed else data)

    return write


def _chunked(request: web.Request) -> bool:
    """HTTP/1.0 knows no chunks: there the end of the connection is the end of the answer."""
    return request.version >= HttpVersion11


def _get(path: str, handler: Handler) -> web.RouteDef:
    """Without HEAD, which vLLM refuses."""
    return web.get(path, handler, allow_head=False)


def _asked(request: web.Request, name: str) -> bool:
    return request.query.get(name, "false").lower() in ("true", "1")


async def _json(request: web.Request) -> object:
    if request.content_type != "application/json":
        raise refusals.not_declared_json()
    body = await request.read()
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _slowly(body)


def _slowly(body: bytes) -> object:
    """As vLLM reads it, whose reader takes more (NaN) and says where it stopped. Raises RefusedError."""
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        raise refusals.not_json(error.pos, error.msg) from error
    except UnicodeDecodeError as error:
        raise RefusedError("There was an error parsing the body", type=refusals.MALFORMED) from error


def _dumps(value: object) -> str:
    return orjson.dumps(value).decode()


async def run_until(stop: asyncio.Event, server: EngineServer, host: str, port: int, *, grace: float) -> None:
    """Serve until `stop` is set, then end as vLLM does on SIGTERM.

    `grace` is --shutdown-timeout: 0 closes the port and aborts what runs; more keeps answering, refuses new
    generations, and gives running ones that many seconds to complete. What is not complete then is not ended: the
    engine is gone, and the server waits until its clients are too.
    """
    runner = web.AppRunner(server.application(), access_log=None, handler_cancellation=True, shutdown_timeout=2)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    try:
        await site.start()
        print(f"INFO:     Uvicorn running on http://{host}:{port} (Press CTRL+C to quit)", flush=True)
        await stop.wait()
        overdue = grace > 0 and not await _drained(server, grace)
        await site.stop()
        if overdue:
            server.loop.halt()
            await server.idle.wait()
        server.loop.abort_all()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.idle.wait(), 2)
    finally:
        await runner.cleanup()


async def _drained(server: EngineServer, grace: float) -> bool:
    """Whether all that runs was completed in that many seconds."""
    server.draining = server.loop.closing = True
    try:
        await asyncio.wait_for(server.idle.wait(), grace)
    except TimeoutError:
        return False
    return True
