"""`python -m apps.embedded.standin ... --host H --port P`: 200 to every GET, until SIGTERM.

Stands for llm-d's latency training and prediction servers (the embedded picker foretells in its own process) and for
vLLM's render service (it asks the replicas to tokenize). Whoever asks for the loopback address shares it with the other
pods of this machine: one of them answers for all.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

from aiohttp import web

_AGAIN_S = 1.0


def option(argv: list[str], name: str, default: str) -> str:
    """The value of `--name V` or `--name=V`."""
    for position, word in enumerate(argv):
        if word == f"--{name}" and position + 1 < len(argv):
            return argv[position + 1]
        if word.startswith(f"--{name}="):
            return word.partition("=")[2]
    return default


async def serve(host: str, port: int) -> None:
    """Answer at `host:port`, or wait until whoever has it is gone."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def fine(request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application()
    app.router.add_get("/{path:.*}", fine)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listens = False
    while not stop.is_set():
        if not listens:
            with contextlib.suppress(OSError):
                await web.TCPSite(runner, host, port).start()
                listens = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), None if listens else _AGAIN_S)
    await runner.cleanup()


def main(argv: list[str]) -> int:
    asked = option(argv, "host", "0.0.0.0")  # noqa: S104 - as the real one does in its pod
    host = asked if asked.startswith("127.") else os.environ.get("LAMPLIGHT_BIND_HOST", asked)
    asyncio.run(serve(host, int(option(argv, "port", "8000"))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
