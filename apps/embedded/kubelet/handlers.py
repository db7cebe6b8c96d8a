"""Asking a container something: the actions of probes and of preStop hooks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from apps.embedded.kubelet.process import run_command

MAX_BODY = 1024


@dataclass(frozen=True)
class Target:
    """Where a container is reached: its pod's address, its named ports, and how its commands run."""

    host: str
    ports: Mapping[str, int]
    env: Mapping[str, str]
    cwd: Path

    def port(self, wanted: int | str) -> int:
        """ValueError when no container port has that name."""
        if isinstance(wanted, int):
            return wanted
        if wanted in self.ports:
            return self.ports[wanted]
        if wanted.isdigit():
            return int(wanted)
        raise ValueError(f"couldn't find port {wanted} among the container's ports")


@dataclass(frozen=True)
class Answer:
    ok: bool
    text: str = ""


class Handlers:
    """httpGet, tcpSocket, grpc (a connection only) and exec actions, each with a deadline."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(self, action: Mapping[str, Any], target: Target, timeout: float) -> Answer:
        """Whether the action succeeded within ``timeout`` s, with the words of a kubelet when it did not."""
        try:
            if "httpGet" in action:
                return await self._http_get(action["httpGet"], target, timeout)
            if "tcpSocket" in action or "grpc" in action:
                spec = action.get("tcpSocket") or action["grpc"]
                return await self._connect(spec.get("host") or target.host, target.port(spec["port"]), timeout)
            if "exec" in action:
                return await self._exec(action["exec"].get("command") or [], target, timeout)
            if "sleep" in action:
                await asyncio.sleep(min(action["sleep"]["seconds"], timeout))
                return Answer(True)
        except ValueError as error:
            return Answer(False, str(error))
        return Answer(False, "it has none of httpGet, tcpSocket, grpc, exec, sleep")

    async def _http_get(self, spec: Mapping[str, Any], target: Target, timeout: float) -> Answer:
        scheme = spec.get("scheme", "HTTP").lower()
        path = spec.get("path") or "/"
        url = f"{scheme}://{spec.get('host') or target.host}:{target.port(spec['port'])}/{path.removeprefix('/')}"
        headers = {"User-Agent": "kube-probe/1.36", "Accept": "*/*"}
        headers |= {header["name"]: header["value"] for header in spec.get("httpHeaders") or []}
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=0))
        try:
            async with self._session.get(
                url,
                headers=headers,
                ssl=False,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as response:
                if 200 <= response.status < 400:
                    return Answer(True)
                await response.content.read(MAX_BODY)
                return Answer(False, f"HTTP probe failed with statuscode: {response.status}")
        except TimeoutError:
            return Answer(False, f'Get "{url}": context deadline exceeded')
        except aiohttp.ClientConnectorError:
            return Answer(False, f'Get "{url}": dial tcp {target.host}: connect: connection refused')
        except aiohttp.ClientError as error:
            return Answer(False, f'Get "{url}": {error or type(error).__name__}')

    async def _connect(self, host: str, port: int, timeout: float) -> Answer:
        try:
            async with asyncio.timeout(timeout):
                _, writer = await asyncio.open_connection(host, port)
        except TimeoutError:
            return Answer(False, f"dial tcp {host}:{port}: i/o timeout")
        except OSError:
            return Answer(False, f"dial tcp {host}:{port}: connect: connection refused")
        writer.close()
        return Answer(True)

    async def _exec(self, command: Sequence[str], target: Target, timeout: float) -> Answer:
        if not command:
            return Answer(False, "exec has no command")
        try:
            code = await run_command(command, target.env, target.cwd, timeout)
        except OSError as error:
            return Answer(False, f"command {command[0]} cannot be started: {error.strerror}")
        if code is None:
            return Answer(False, f"command timed out after {timeout:g}s")
        return Answer(code == 0, "" if code == 0 else f"command exited with {code}")
