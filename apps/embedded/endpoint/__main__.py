"""`python -m apps.embedded.endpoint`: the gateway of an Endpoint, as the kubelet starts it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import orjson
from aiohttp import web

from apps.embedded.client import KubeClient, KubeError
from apps.embedded.endpoint.domain.config import ConfigError, EndpointConfig, read_config
from apps.embedded.endpoint.keys import Keys
from apps.embedded.endpoint.server import SILENCE_S, EndpointServer

log = logging.getLogger("endpoint")
KEYS = Path("/keys")
DRAIN_S = 25.0
_NAMES_S = 10.0


class ClusterNames:
    """Names of Services as cluster DNS would answer them: `<service>.<namespace>.svc` to its cluster IP."""

    def __init__(self, client: KubeClient | None) -> None:
        self._client = client
        self._known: dict[str, tuple[float, str]] = {}

    async def resolve(self, url: str) -> str:
        """`url` with an address instead of a Service's name. Raises OSError where there is none."""
        parts = urlsplit(url)
        host = (parts.hostname or "").removesuffix(".cluster.local")
        if self._client is None or not host.endswith(".svc"):
            return url
        known = self._known.get(host)
        if known is None or time.monotonic() - known[0] > _NAMES_S:
            service, namespace = host.split(".")[:2]
            try:
                found = await self._client.get("", "v1", "services", service, namespace=namespace)
            except KubeError as error:
                raise OSError(f"the name {host} cannot be resolved: {error}") from None
            address = (found.get("spec") or {}).get("clusterIP")
            if not address or address == "None":
                raise OSError(f"the Service {namespace}/{service} has no cluster IP")
            known = self._known[host] = (time.monotonic(), address)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{known[1]}{port}{parts.path}"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="endpoint-gateway", allow_abbrev=False)
    parser.add_argument("--config-file", type=Path, required=True, help="endpoint.json")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--keys", type=Path, default=KEYS, help="folder of consumer keys; none: everybody may ask")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    try:
        config = read_config(orjson.loads(options.config_file.read_bytes()))
    except (ConfigError, OSError, orjson.JSONDecodeError) as error:
        print(f"endpoint-gateway: error: cannot use the configuration: {error}", file=sys.stderr)
        return 1
    return asyncio.run(_serve(config, options.keys, options.port))


async def _serve(config: EndpointConfig, keys: Path, port: int) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    kubeconfig = os.environ.get("LAMPLIGHT_DNS")
    host = os.environ.get("LAMPLIGHT_BIND_HOST", "0.0.0.0")  # noqa: S104 - as the real one does in its pod
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=3, sock_read=SILENCE_S)
    client = KubeClient.from_kubeconfig(kubeconfig, user_agent="endpoint-gateway") if kubeconfig else None
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
        try:
            server = EndpointServer(config, Keys(keys), session, ClusterNames(client).resolve)
            runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=DRAIN_S)
            await runner.setup()
            await web.TCPSite(runner, host, port, backlog=1024).start()
            log.info("serving %s on %s:%d", ", ".join(config.models), host, port)
            await stop.wait()
            await runner.cleanup()
        finally:
            if client is not None:
                await client.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
