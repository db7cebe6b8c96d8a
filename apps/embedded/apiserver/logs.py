"""GET pods/{name}/log: the container's log, streamed through from the kubelet of the pod's node."""

from __future__ import annotations

import logging
from typing import Any

import aiohttp
from aiohttp import web

from apps.embedded.apiserver.call import Call
from apps.embedded.apiserver.domain.status import ApiError, bad_request, not_found
from apps.embedded.apiserver.store import Store

log = logging.getLogger(__name__)
CONNECT_S = 5.0
PASSED_ON = ("follow", "previous", "tailLines", "sinceSeconds", "sinceTime", "timestamps", "limitBytes")
DEFAULT_PORT = 10250


class Logs:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def stream(self, request: web.BaseRequest, call: Call) -> web.StreamResponse:
        """Answer with the log. ApiError when there is no such container yet or its kubelet cannot be reached."""
        url = self._url(call)
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
            self._session = aiohttp.ClientSession(timeout=timeout)
        query = {name: call.query[name] for name in PASSED_ON if name in call.query}
        try:
            async with self._session.get(url, params=query) as upstream:
                if upstream.status != 200:
                    text = (await upstream.text()).strip()
                    raise ApiError(upstream.status, "BadRequest" if upstream.status == 400 else "InternalError", text)
                response = web.StreamResponse(headers={"Content-Type": "text/plain"})
                response.enable_chunked_encoding()
                await response.prepare(request)
                await _copy(upstream, response)
                return response
        except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError, TimeoutError) as error:
            message = f"the kubelet of the pod's node cannot be reached at {url}: {error}. Is it running?"
            raise ApiError(502, "InternalError", message) from None

    def _url(self, call: Call) -> str:
        namespace, name = call.path.namespace, call.path.name
        pod = self._store.get("/pods", namespace, name)
        if pod is None:
            raise not_found("", "pods", name)
        container = _container(pod, call.query.get("container", ""))
        node_name = pod["spec"].get("nodeName", "")
        if not node_name:
            raise bad_request(f"pod {name} does not have a host assigned")
        node = self._store.get("/nodes", "", node_name)
        if node is None:
            raise not_found("", "nodes", node_name)
        status = node.get("status", {})
        addresses = {entry["type"]: entry["address"] for entry in status.get("addresses", ())}
        host = addresses.get("InternalIP") or addresses.get("Hostname") or node_name
        port = status.get("daemonEndpoints", {}).get("kubeletEndpoint", {}).get("Port", DEFAULT_PORT)
        return f"http://{host}:{port}/containerLogs/{namespace}/{name}/{container}"


async def _copy(upstream: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
    """Pass the log on until either end has enough of it."""
    try:
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    except (aiohttp.ClientError, ConnectionError) as error:
        log.debug("a log stream ended early: %s", error)


def _container(pod: dict[str, Any], wanted: str) -> str:
    name, spec = pod["metadata"]["name"], pod["spec"]
    names = [c["name"] for c in (*spec.get("containers", ()), *spec.get("initContainers", ()))]
    if not wanted:
        if len(spec.get("containers", ())) > 1:
            choices = " ".join(c["name"] for c in spec["containers"])
            raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{choices}]")
        wanted = names[0]
    if wanted not in names:
        raise bad_request(f"container {wanted} is not valid for pod {name}")
    statuses = pod.get("status", {}).get("containerStatuses", []) + pod.get("status", {}).get(
        "initContainerStatuses", []
    )
    state: dict[str, Any] = next((s.get("state", {}) for s in statuses if s["name"] == wanted), {})
    waiting = state.get("waiting")
    last = any(s.get("lastState") for s in statuses if s["name"] == wanted)
    if waiting is not None and not last:
        reason = waiting.get("reason", "")
        raise bad_request(f'container "{wanted}" in pod "{name}" is waiting to start: {reason or "no reason given"}')
    return wanted
