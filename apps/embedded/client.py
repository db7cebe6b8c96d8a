"""A small asynchronous client of the Kubernetes API, for the processes of the embedded cluster.

Objects are plain dicts. Every request has a deadline; lists are read in pages; a watch is a stream without a total
deadline but with one on silence, since the server ends each watch after a few minutes anyway.
"""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import yaml

Object = dict[str, Any]

PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}
PAGE_SIZE = 500
METADATA_ONLY = "application/json;as={};g=meta.k8s.io;v=v1,application/json"


class KubeError(Exception):
    """The server refused a request: ``status`` is the HTTP status, ``reason`` the one word of the Status."""

    def __init__(self, status: int, reason: str, message: str, body: Object | None = None) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.body = body or {}


@dataclass(frozen=True)
class Access:
    """Where a cluster is and how to speak to it."""

    server: str
    token: str
    ca_pem: str | None

    @classmethod
    def from_kubeconfig(cls, path: str | Path, context: str | None = None) -> Access:
        """Read the current (or named) context of a kubeconfig file. ValueError names what is missing in it."""
        config = yaml.safe_load(Path(path).read_text())
        try:
            wanted = context or config["current-context"]
            chosen = _named(config, "contexts", wanted)["context"]
            cluster = _named(config, "clusters", chosen["cluster"])["cluster"]
            user = _named(config, "users", chosen["user"])["user"]
            ca_data = cluster.get("certificate-authority-data")
            return cls(
                server=cluster["server"].rstrip("/"),
                token=user.get("token", ""),
                ca_pem=base64.b64decode(ca_data).decode() if ca_data else None,
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a usable kubeconfig: {error} is missing in it") from error


def _named(config: Mapping[str, Any], section: str, name: str) -> Mapping[str, Any]:
    entries: list[Mapping[str, Any]] = config.get(section) or []
    for entry in entries:
        if entry.get("name") == name:
            return entry
    raise KeyError(f"{section}[name={name}]")


def resource_path(
    group: str,
    version: str,
    plural: str,
    *,
    namespace: str | None = None,
    name: str | None = None,
    subresource: str | None = None,
) -> str:
    """The URL path of a collection, an object or a subresource; ``group`` is "" for the core group."""
    parts = ["", "apis", group, version] if group else ["", "api", version]
    if namespace:
        parts += ["namespaces", namespace]
    parts += [plural, *(part for part in (name, subresource) if part)]
    return "/".join(parts)


class KubeClient:
    """CRUD, patch and watch over one cluster. Use as an async context manager, or call ``close()``."""

    def __init__(
        self, access: Access, *, user_agent: str = "lamplight-embedded", timeout: float = 10.0, connections: int = 8
    ) -> None:
        self._access = access
        self._tls = ssl.create_default_context(cadata=access.ca_pem) if access.ca_pem else None
        self._headers = {"Authorization": f"Bearer {access.token}", "User-Agent": user_agent}
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._connections = connections
        self._requests: aiohttp.ClientSession | None = None
        self._watches: aiohttp.ClientSession | None = None

    @classmethod
    def from_kubeconfig(cls, path: str | Path, **options: Any) -> KubeClient:
        return cls(Access.from_kubeconfig(path), **options)

    async def __aenter__(self) -> KubeClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        for session in (self._requests, self._watches):
            if session is not None:
                await session.close()
        self._requests = self._watches = None

    async def get(
        self,
        group: str,
        version: str,
        plural: str,
        name: str,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> Object:
        path = resource_path(group, version, plural, namespace=namespace, name=name, subresource=subresource)
        return await self.request("GET", path)

    async def list(
        self,
        group: str,
        version: str,
        plural: str,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        metadata_only: bool = False,
    ) -> Object:
        """The whole List object, read page by page; items carry kind and apiVersion (the server leaves them out)."""
        path = resource_path(group, version, plural, namespace=namespace)
        query = _query(labelSelector=label_selector, fieldSelector=field_selector, limit=PAGE_SIZE)
        accept = METADATA_ONLY.format("PartialObjectMetadataList") if metadata_only else None
        result = await self.request("GET", path, query=query, accept=accept)
        while token := result["metadata"].get("continue"):
            page = await self.request("GET", path, query={**query, "continue": token}, accept=accept)
            result["items"] += page["items"]
            result["metadata"] = page["metadata"]
        kind = result["kind"].removesuffix("List")
        for item in result["items"]:
            item.setdefault("kind", kind)
            item.setdefault("apiVersion", result["apiVersion"])
        return result

    async def create(
        self,
        group: str,
        version: str,
        plural: str,
        body: Object,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
        field_manager: str | None = None,
    ) -> Object:
        """POST to the collection, or with ``name`` and ``subresource`` (binding, eviction) to a subresource."""
        namespace = namespace or body.get("metadata", {}).get("namespace")
        path = resource_path(group, version, plural, namespace=namespace, name=name, subresource=subresource)
        return await self.request("POST", path, query=_query(fieldManager=field_manager), body=body)

    async def update(
        self,
        group: str,
        version: str,
        plural: str,
        body: Object,
        *,
        subresource: str | None = None,
        field_manager: str | None = None,
    ) -> Object:
        """PUT; name, namespace and resourceVersion (the optimistic lock, if present) are those of ``body``."""
        meta = body["metadata"]
        path = resource_path(
            group, version, plural, namespace=meta.get("namespace"), name=meta["name"], subresource=subresource
        )
        return await self.request("PUT", path, query=_query(fieldManager=field_manager), body=body)

    async def update_status(self, group: str, version: str, plural: str, body: Object, **options: Any) -> Object:
        return await self.update(group, version, plural, body, subresource="status", **options)

    async def patch(
        self,
        group: str,
        version: str,
        plural: str,
        name: str,
        patch: Any,
        *,
        namespace: str | None = None,
        type: str = "merge",
        subresource: str | None = None,
        field_manager: str | None = None,
        force: bool = False,
    ) -> Object:
        """PATCH by ``type``: merge, strategic, json (a list of operations) or apply (server-side apply)."""
        path = resource_path(group, version, plural, namespace=namespace, name=name, subresource=subresource)
        query = _query(fieldManager=field_manager, force="true" if force else None)
        return await self.request("PATCH", path, query=query, body=patch, content_type=PATCH_TYPES[type])

    async def patch_status(
        self, group: str, version: str, plural: str, name: str, patch: Any, **options: Any
    ) -> Object:
        return await self.patch(group, version, plural, name, patch, subresource="status", **options)

    async def delete(
        self,
        group: str,
        version: str,
        plural: str,
        name: str,
        *,
        namespace: str | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_period_seconds: int | None = None,
        propagation_policy: str | None = None,
    ) -> Object:
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
        preconditions = {
            key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value is not None
        }
        if preconditions:
            options["preconditions"] = preconditions
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        if propagation_policy is not None:
            options["propagationPolicy"] = propagation_policy
        return await self.request(
            "DELETE", resource_path(group, version, plural, namespace=namespace, name=name), body=options
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str | None = None,
    ) -> Object:
        """One request; KubeError when the server refuses, aiohttp.ClientError or TimeoutError when it is not there."""
        session = self._session()
        headers = {"Content-Type": content_type} if body is not None else {}
        if accept is not None:
            headers["Accept"] = accept
        data = orjson.dumps(body) if body is not None else None
        async with session.request(
            method, self._access.server + path, params=query, data=data, headers=headers, ssl=self._ssl()
        ) as response:
            raw = await response.read()
            if response.status >= 400:
                raise _error(response.status, raw)
            return orjson.loads(raw) if raw else {}

    async def watch(
        self,
        group: str,
        version: str,
        plural: str,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        resource_version: str | None = None,
        timeout_seconds: int = 290,
        metadata_only: bool = False,
    ) -> AsyncIterator[tuple[str, Object]]:
        """Yield (type, object), BOOKMARKs included, until the server ends the watch. An ERROR event is a KubeError."""
        path = resource_path(group, version, plural, namespace=namespace)
        query = _query(
            watch="true",
            allowWatchBookmarks="true",
            labelSelector=label_selector,
            fieldSelector=field_selector,
            resourceVersion=resource_version,
            timeoutSeconds=timeout_seconds,
        )
        if self._watches is None:
            self._watches = aiohttp.ClientSession(
                headers=self._headers, connector=aiohttp.TCPConnector(limit=0), auto_decompress=True
            )
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=timeout_seconds + 30)
        headers = {"Accept": METADATA_ONLY.format("PartialObjectMetadata")} if metadata_only else {}
        async with self._watches.get(
            self._access.server + path, params=query, headers=headers, timeout=timeout, ssl=self._ssl()
        ) as response:
            if response.status >= 400:
                raise _error(response.status, await response.read())
            pending = b""
            async for chunk in response.content.iter_any():
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    if not line:
                        continue
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        raise _error(event["object"].get("code", 500), orjson.dumps(event["object"]))
                    yield event["type"], event["object"]

    def _session(self) -> aiohttp.ClientSession:
        if self._requests is None:
            connector = aiohttp.TCPConnector(limit=self._connections)
            self._requests = aiohttp.ClientSession(headers=self._headers, connector=connector, timeout=self._timeout)
        return self._requests

    def _ssl(self) -> ssl.SSLContext | bool:
        return self._tls or True


def _query(**values: str | int | None) -> dict[str, str]:
    return {key: str(value) for key, value in values.items() if value is not None}


def _error(status: int, raw: bytes) -> KubeError:
    try:
        body = orjson.loads(raw)
        return KubeError(body.get("code", status), body.get("reason", ""), body.get("message", ""), body)
    except (orjson.JSONDecodeError, AttributeError):
        return KubeError(status, "", raw.decode(errors="replace").strip())


async def wait_for_kubeconfig(path: str | Path, deadline_s: float) -> None:
    """Wait until the API server has written its kubeconfig (the sign that it is ready). TimeoutError if not."""
    async with asyncio.timeout(deadline_s):
        while not os.path.exists(path):  # noqa: ASYNC110, ASYNC240 - a file has no event to wait for; a stat is quick
            await asyncio.sleep(0.05)
