"""The cluster that the behavioural suite speaks to: the embedded one, or any other that a kubeconfig leads to.

Credentials and TLS are the official Python client's business; bodies are plain JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.support.wait import wait_until

KUBECONFIG = "LAMPLIGHT_CONFORMANCE_KUBECONFIG"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
# a real cluster's controllers may take their time
PATIENCE_S = 60.0
DEADLINE_S = 65.0
Object = dict[str, Any]


def given_kubeconfig() -> str | None:
    """The kubeconfig of the cluster to be tested; None for the embedded one."""
    return os.environ.get(KUBECONFIG) or None


@dataclass(frozen=True)
class Reply:
    """An answer: its status, its body as JSON."""

    status: int
    body: Object

    @property
    def version(self) -> str:
        return str(self.body["metadata"]["resourceVersion"])


class Api:
    """Requests to one API server, each with a deadline."""

    def __init__(self, kubeconfig: str) -> None:
        from kubernetes import config

        self._client = config.new_client_from_config(config_file=kubeconfig)

    def close(self) -> None:
        self._client.close()

    def request(
        self, method: str, path: str, body: object = None, *, type: str = "application/json", **query: str
    ) -> Reply:
        response = self._send(method, path, body, type, query, stream=False)
        text = response.data.decode()
        return Reply(response.status, json.loads(text) if text.startswith("{") else {"text": text})

    def watch(self, path: str, **query: str) -> Iterator[Object]:
        """Events until the server ends the watch, which `timeoutSeconds` asks it to."""
        response = self._send("GET", path, None, "", {"watch": "1", "timeoutSeconds": "60", **query}, stream=True)
        try:
            rest = b""
            for chunk in response.stream(4096):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line)
        finally:
            response.close()
            response.release_conn()

    def _send(self, method: str, path: str, body: object, type: str, query: Mapping[str, str], *, stream: bool) -> Any:
        headers = {"Accept": "application/json", "User-Agent": "lamplight-conformance"}
        if body is not None:
            headers["Content-Type"] = type
        self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = self._client.configuration.host.rstrip("/") + path
        return self._client.rest_client.pool_manager.request(
            method,
            f"{url}?{urlencode(query)}" if query else url,
            body=None if body is None else json.dumps(body),
            headers=headers,
            preload_content=not stream,
            timeout=DEADLINE_S,
            retries=False,
        )


@dataclass(frozen=True)
class Room:
    """A namespace of the test's own. `path` leads to a collection in it, or to one object."""

    api: Api
    namespace: str

    def path(self, group_version: str, plural: str, name: str = "", subresource: str = "") -> str:
        root = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
        parts = [root, "namespaces", self.namespace, plural, name, subresource]
        return "/".join(part for part in parts if part)

    def create(self, group_version: str, plural: str, body: Object, **query: str) -> Reply:
        return self.api.request("POST", self.path(group_version, plural), body, **query)

    def get(self, group_version: str, plural: str, name: str, subresource: str = "") -> Reply:
        return self.api.request("GET", self.path(group_version, plural, name, subresource))

    def apply(self, group_version: str, plural: str, body: Object, manager: str, **query: str) -> Reply:
        where = self.path(group_version, plural, body["metadata"]["name"])
        return self.api.request("PATCH", where, body, type=APPLY, fieldManager=manager, **query)

    def patch(self, group_version: str, plural: str, name: str, body: Object, subresource: str = "") -> Reply:
        where = self.path(group_version, plural, name, subresource)
        return self.api.request("PATCH", where, body, type=MERGE, fieldManager="conformance")

    def delete(self, group_version: str, plural: str, name: str, body: Object | None = None) -> Reply:
        return self.api.request("DELETE", self.path(group_version, plural, name), body)

    def wait(self, group_version: str, plural: str, name: str, check: Any, message: str) -> Object:
        """The object once `check` of it is true."""
        found: list[Object] = []

        def ready() -> bool:
            reply = self.get(group_version, plural, name)
            found[:] = [reply.body]
            return reply.status == 200 and bool(check(reply.body))

        wait_until(ready, timeout=PATIENCE_S, message=message)
        return found[0]

    def wait_gone(self, group_version: str, plural: str, name: str) -> None:
        wait_until(
            lambda: self.get(group_version, plural, name).status == 404,
            timeout=PATIENCE_S,
            message=f"{plural} {name} is gone",
        )
