"""`python -m apps.embedded.sidecar`: llm-d's routing sidecar (`--port`, `--vllm-port` or `--model-server-port`).

A request with `x-prefiller-host-port` goes to that replica first, for one token and with `kv_transfer_params` that keep
its KV blocks for a remote decode; then to the engine of this pod, with what the first answered. Where the prefill
fails, the engine computes the prompt itself. The simulated engine here does not compute what it is told to pull; it
waits for as long as the blocks would take (physics/tiers.remote_seconds).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from apps.physics.routing.scheduler import PREFILL_HEADER

log = logging.getLogger("sidecar")

MOST_BODY_BYTES = 32 * 2**20
PREFILL_SECONDS = 120.0
SILENCE_S = 600.0
DRAIN_S = 25.0
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade", "host",
     "content-length", PREFILL_HEADER}
)  # fmt: skip
_REMOTE_DECODE = {
    "do_remote_decode": True, "do_remote_prefill": False, "remote_engine_id": None, "remote_block_ids": None,
    "remote_host": None, "remote_port": None,
}  # fmt: skip


class Sidecar:
    """Forwards everything to `engine` (http://host:port)."""

    def __init__(self, engine: str, session: aiohttp.ClientSession) -> None:
        self.engine, self.session = engine, session

    def application(self) -> web.Application:
        app = web.Application(client_max_size=MOST_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self.forward)
        return app

    async def forward(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        prefiller = request.headers.get(PREFILL_HEADER)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        told = "none"
        if prefiller and request.method == "POST":
            handed = await self._prefill(prefiller, request, body, headers)
            told = prefiller if handed is not None else "failed"
            body = handed or body
        try:
            upstream = await self.session.request(
                request.method, f"{self.engine}{request.rel_url}", data=body or None, headers=headers,
                allow_redirects=False,
            )  # fmt: skip
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return web.json_response({"error": {"message": f"The engine does not answer: {error}."}}, status=502)
        async with upstream:
            answered = {name: value for name, value in upstream.headers.items() if name.lower() not in _HOP_BY_HOP}
            response = web.StreamResponse(status=upstream.status, headers={**answered, "x-lamplight-prefill": told})
            if upstream.content_length is not None:
                response.content_length = upstream.content_length
            await response.prepare(request)
            try:
                async for chunk in upstream.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
            except (aiohttp.ClientError, TimeoutError, OSError):
                if request.transport is not None:
                    request.transport.abort()
            return response

    async def _prefill(
        self, prefiller: str, request: web.Request, body: bytes, headers: Mapping[str, str]
    ) -> bytes | None:
        """The body for the decode, once the prompt is computed on `prefiller`; None where it could not be."""
        try:
            document: dict[str, Any] = orjson.loads(body)
            asked = {**document, "max_tokens": 1, "stream": False, "kv_transfer_params": _REMOTE_DECODE}
            if "max_completion_tokens" in asked:
                asked["max_completion_tokens"] = 1
            asked.pop("stream_options", None)
            timeout = aiohttp.ClientTimeout(total=PREFILL_SECONDS, sock_connect=3)
            url = f"http://{prefiller}{request.rel_url}"
            async with self.session.post(url, data=orjson.dumps(asked), headers=headers, timeout=timeout) as answer:
                answer.raise_for_status()
                moved = orjson.loads(await answer.read()).get("kv_transfer_params")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, TypeError, AttributeError) as error:
            log.warning("prefill on %s failed, the engine here computes the prompt: %s", prefiller, error)
            return None
        return orjson.dumps({**document, "kv_transfer_params": moved} if moved else document)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="routing-sidecar", allow_abbrev=False)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--vllm-port", "--model-server-port", dest="engine_port", type=int, default=8001)
    # the others are of transports and TLS, which are not simulated
    options, rest = parser.parse_known_args(argv)
    if any(not word.startswith("-") for word in rest):
        print(f"routing-sidecar: error: unrecognized arguments: {' '.join(rest)}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    return asyncio.run(_serve(options.port, options.engine_port))


async def _serve(port: int, engine_port: int) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    host = os.environ.get("LAMPLIGHT_BIND_HOST", "127.0.0.1")
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=3, sock_read=SILENCE_S)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
        runner = web.AppRunner(
            Sidecar(f"http://{host}:{engine_port}", session).application(), access_log=None, shutdown_timeout=DRAIN_S,
            handler_cancellation=True,
        )  # fmt: skip
        await runner.setup()
        await web.TCPSite(runner, host, port, backlog=1024).start()
        await stop.wait()
        await runner.cleanup()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
