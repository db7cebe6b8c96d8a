"""A thin adapter over the official Kubernetes client: plain dicts in, plain dicts out, a deadline on every call.

The client library gives credentials (kubeconfig, in-cluster, exec plugins), TLS and proxies. Its typed models are not
used: they drop fields that they do not know.
"""

from __future__ import annotations

import functools
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson
from django.conf import settings as django

from apps.clusters.domain.preflight import version_of
from apps.clusters.errors import Answer, BadCredentials, NotServed, Unreachable, error_of
from apps.clusters.http import Connections, Request, Sends, ThroughProxy, tls_of

CONNECT_SECONDS = 3.0
READ_SECONDS = 15.0
PAGE = 500
MOST_PAGES = 40
DISCOVERY_SECONDS = 60.0
LOG_BYTES = 64 * 1024
# reading them again asks the library, which goes through the kubeconfig and the whole environment each time
HEADERS_SECONDS = 1.0

Written = Callable[[Mapping[str, Any]], None]

# what Lamplight renders or reads; nothing else is discovered
_GROUP_VERSIONS = (
    "v1",
    "apps/v1",
    "autoscaling/v2",
    "batch/v1",
    "policy/v1",
    "rbac.authorization.k8s.io/v1",
    "inference.networking.k8s.io/v1",
    "gateway.networking.k8s.io/v1",
    "monitoring.coreos.com/v1",
    "keda.sh/v1alpha1",
    "kueue.x-k8s.io/v1beta1",
    "kueue.x-k8s.io/v1beta2",
    "leaderworkerset.x-k8s.io/v1",
    "agentgateway.dev/v1alpha1",
    "llm-d.ai/v1alpha2",
    "inference.networking.x-k8s.io/v1alpha2",
    "resource.k8s.io/v1",
    "serving.kserve.io/v1alpha1",
    "serving.kserve.io/v1alpha2",
)


@dataclass(frozen=True)
class Credentials:
    """How a cluster is reached. `context` None: the kubeconfig's current one. In-cluster: no kubeconfig.

    `deadline`: seconds to wait for one answer.
    """

    kubeconfig: str | None = None
    context: str | None = None
    deadline: float = READ_SECONDS

    def fingerprint(self) -> tuple[str | None, str | None, float, float]:
        """Changes when the kubeconfig file does, so that rotated credentials are picked up."""
        try:
            changed = Path(self.kubeconfig).stat().st_mtime if self.kubeconfig else 0.0
        except OSError:
            changed = -1.0
        return (self.kubeconfig, self.context, changed, self.deadline)


@dataclass(frozen=True)
class Resource:
    """Where the objects of one kind live."""

    kind: str
    group: str
    version: str
    plural: str
    namespaced: bool

    @property
    def key(self) -> str:
        """`Deployment.apps`, `Service.`"""
        return f"{self.kind}.{self.group}"

    def path(self, namespace: str | None = None, name: str | None = None, sub: str | None = None) -> str:
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = ["namespaces", namespace] if self.namespaced and namespace else []
        parts += [part for part in (self.plural, name, sub) if part]
        return "/".join([base, *(_quoted(part) for part in parts if part)])


class Kube:
    """One API server. Safe for use from several threads; raises KubeError subclasses only."""

    def __init__(self, credentials: Credentials, *, written: Written | None = None) -> None:
        """`written` is given every object as the server answered an apply of it (not of dry runs)."""
        self._client = _api_client(credentials)
        self._written = written
        self._deadline = credentials.deadline
        self._slots = threading.BoundedSemaphore(django.KUBE_CONNECTIONS)
        self._discovered: tuple[float, dict[str, Resource]] | None = None
        self._discovery_lock = threading.Lock()
        self._headers: tuple[float, dict[str, str]] | None = None
        self._connections, self._base = _connections_to(self._client, self.server)

    @property
    def server(self) -> str:
        return str(self._client.configuration.host)

    @property
    def configuration(self) -> Any:
        """Certificates and proxies, as the client library has read them."""
        return self._client.configuration

    @property
    def proxy(self) -> str | None:
        return getattr(self._client.configuration, "proxy", None) or None

    def headers(self) -> dict[str, str]:
        """Headers of any request, with credentials that were valid a moment ago (a plugin may be asked for them)."""
        kept = self._headers
        if kept is None or time.monotonic() - kept[0] > HEADERS_SECONDS:
            headers = {"Accept": "application/json", "User-Agent": "lamplight"}
            self._client.update_params_for_auth(headers, [], ["BearerToken"], "", "", None)
            kept = self._headers = (time.monotonic(), headers)
        return dict(kept[1])

    def version(self) -> str:
        """The server's version, as `v1.34.2`."""
        return version_of(self._call("GET", "/version"))

    def resources(self, *, fresh: bool = False) -> Mapping[str, Resource]:
        """The kinds of interest that the cluster has, by `Kind.group`; kept for a minute."""
        with self._discovery_lock:
            if fresh or self._discovered is None or time.monotonic() - self._discovered[0] > DISCOVERY_SECONDS:
                self._discovered = (time.monotonic(), self._discover())
            return self._discovered[1]

    def resource(self, kind: str, group: str = "") -> Resource:
        """Raises NotServed when the cluster does not have the kind."""
        found = self.resources().get(f"{kind}.{group}")
        if found is None:
            raise NotServed(f"this cluster has no kind {kind}" + (f" in group {group}" if group else ""))
        return found

    def resource_of(self, manifest: Mapping[str, Any]) -> Resource:
        group = manifest["apiVersion"].rpartition("/")[0]
        return self.resource(manifest["kind"], group)

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> dict[str, Any]:
        return self._call("GET", resource.path(namespace, name))

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        without: str | None = None,
        fields: str | None = None,
        most_pages: int = MOST_PAGES,
    ) -> list[dict[str, Any]]:
        """All objects (at most 20,000, or `most_pages` of 500), page by page.

        Items carry apiVersion and kind, whatever the server sends. `without`: a label that they do not carry.
        """
        items: list[dict[str, Any]] = []
        query: dict[str, str] = {"limit": str(PAGE)}
        terms = [f"{key}={value}" for key, value in sorted((labels or {}).items())]
        terms += [f"!{without}"] if without else []
        if terms:
            query["labelSelector"] = ",".join(terms)
        if fields:
            query["fieldSelector"] = fields
        api_version = f"{resource.group}/{resource.version}" if resource.group else resource.version
        for _ in range(most_pages):
            page = self._call("GET", resource.path(namespace), query)
            items += [{"apiVersion": api_version, "kind": resource.kind, **item} for item in page.get("items") or []]
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                break
            query["continue"] = token
        return items

    def apply(
        self, manifest: Mapping[str, Any], *, manager: str, force: bool = False, dry_run: bool = False
    ) -> dict[str, Any]:
        """Server-side apply. Raises FieldManagerConflict when another manager owns a field and `force` is off."""
        resource = self.resource_of(manifest)
        query = {"fieldManager": manager, "force": str(force).lower(), **({"dryRun": "All"} if dry_run else {})}
        metadata = manifest["metadata"]
        answer = self._call(
            "PATCH",
            resource.path(metadata.get("namespace"), metadata["name"]),
            query,
            body=manifest,
            content_type="application/apply-patch+yaml",
        )
        if self._written is not None and not dry_run:
            self._written(answer)
        return answer

    def scale(
        self, resource: Resource, name: str, namespace: str, replicas: int, *, manager: str, version: str | None = None
    ) -> None:
        """Write the scale subresource; with `version` only if the object is still of it, else Conflict is raised."""
        locked = {"metadata": {"resourceVersion": version}} if version else {}
        self._call(
            "PATCH",
            resource.path(namespace, name, "scale"),
            {"fieldManager": manager},
            body={**locked, "spec": {"replicas": replicas}},
            content_type="application/merge-patch+json",
        )

    def create(self, manifest: Mapping[str, Any], *, manager: str) -> dict[str, Any]:
        """Create; raises Conflict when it exists."""
        resource = self.resource_of(manifest)
        return self._call(
            "POST", resource.path(manifest["metadata"].get("namespace")), {"fieldManager": manager}, body=manifest
        )

    def may(self, verb: str, group: str, resource: str, *, sub: str = "", namespace: str = "") -> bool:
        """Whether these credentials have a right (SelfSubjectAccessReview). `namespace` "": in all of them."""
        asked = {"verb": verb, "group": group, "resource": resource, "subresource": sub, "namespace": namespace}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in asked.items() if value}},
        }
        answer = self._call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=body)
        return bool((answer.get("status") or {}).get("allowed"))

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        version: str | None = None,
    ) -> None:
        """Delete with background propagation; with `uid` only if it is that very object, with `version` unchanged."""
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        held = {"uid": uid, "resourceVersion": version}
        if any(held.values()):
            options["preconditions"] = {key: value for key, value in held.items() if value}
        self._call("DELETE", resource.path(namespace, name), body=options)

    def log_tail(
        self,
        name: str,
        namespace: str,
        container: str,
        *,
        lines: int = 5,
        previous: bool = False,
        most_bytes: int = LOG_BYTES,
    ) -> str:
        """The last lines of a container's log; with `previous` of the run before the present one."""
        query = {"container": container, "tailLines": str(lines), "limitBytes": str(most_bytes)}
        if previous:
            query["previous"] = "true"
        return self._text(self.resource("Pod").path(namespace, name, "log"), query)

    def _discover(self) -> dict[str, Resource]:
        found: dict[str, Resource] = {}
        groups = self._call("GET", "/apis").get("groups") or []
        served = {"v1"} | {version["groupVersion"] for group in groups for version in group.get("versions") or []}
        for group_version in _GROUP_VERSIONS:
            if group_version not in served:
                continue
            group, _, version = group_version.rpartition("/")
            listing = self._call("GET", f"/apis/{group_version}" if group else f"/api/{version}")
            for row in listing.get("resources") or []:
                if "/" not in row["name"]:
                    resource = Resource(row["kind"], group, version, row["name"], bool(row["namespaced"]))
                    found[resource.key] = resource
        return found

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        status, headers, data = self._send(method, path, query, body, content_type)
        try:
            parsed = orjson.loads(data) if data else {}
        except ValueError:
            parsed = {"message": data[:500].decode("utf-8", "replace")}
        if status >= 400:
            raise error_of(Answer(status, parsed, headers.get("retry-after"), what=f"{method} {path}"))
        return parsed

    def _text(self, path: str, query: Mapping[str, str]) -> str:
        status, headers, data = self._send("GET", path, query, None, "")
        text = data.decode("utf-8", "replace")
        if status >= 400:
            try:
                parsed = orjson.loads(text)
            except ValueError:
                parsed = {"message": text[:500]}
            raise error_of(Answer(status, parsed, headers.get("retry-after"), what=f"GET {path}"))
        return text

    def _send(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Any, content_type: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        headers = self.headers()
        if body is not None:
            headers["Content-Type"] = content_type
        with self._slot(path):
            try:
                return self._connections.send(
                    Request(
                        method,
                        self._base + path + _query_of(tuple(query.items()) if query else ()),
                        headers=headers,
                        body=None if body is None else orjson.dumps(body),
                        connect=min(CONNECT_SECONDS, self._deadline),
                        patience=self._deadline,
                    )
                )
            except (OSError, ValueError) as error:
                raise Unreachable(f"the API server {self.server} does not answer: {_short(error)}") from error

    def _slot(self, path: str) -> Any:
        complaint = f"the API server {self.server} is busy: no free connection for {path}"
        return _Slot(self._slots, self._deadline, complaint)

    def close(self) -> None:
        self._connections.close()
        self._client.close()


class _Slot:
    """One of the connections of an API server, waited for no longer than an answer would be."""

    def __init__(self, slots: threading.BoundedSemaphore, patience: float, complaint: str) -> None:
        self._slots = slots
        self._patience = patience
        self._complaint = complaint

    def __enter__(self) -> None:
        if not self._slots.acquire(timeout=self._patience):
            raise Unreachable(self._complaint)

    def __exit__(self, *_: object) -> None:
        self._slots.release()


def _api_client(credentials: Credentials) -> Any:
    # the library is slow to import and most processes never talk to a cluster
    from kubernetes import client
    from kubernetes import config as kubernetes_config

    config: Any = kubernetes_config
    from kubernetes.config.config_exception import ConfigException
    from yaml import YAMLError

    settings = client.Configuration()
    settings.retries = False
    settings.connection_pool_maxsize = django.KUBE_CONNECTIONS
    try:
        if credentials.kubeconfig:
            config.load_kube_config(
                config_file=credentials.kubeconfig,
                context=credentials.context,
                client_configuration=settings,
                persist_config=False,
            )
        else:
            config.load_incluster_config(client_configuration=settings)
    except (ConfigException, YAMLError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        where = f"the kubeconfig {credentials.kubeconfig}" if credentials.kubeconfig else "the pod's service account"
        why = _short(error)
        if credentials.kubeconfig and not Path(credentials.kubeconfig).exists():
            why = "there is no such file where Lamplight runs"
        raise BadCredentials(f"{where} cannot be used: {why}") from error
    return client.ApiClient(settings)


def _connections_to(client: Any, server: str) -> tuple[Sends, str]:
    """What sends requests to a server, and what comes before their path there. Raises BadCredentials."""
    settings, manager = client.configuration, client.rest_client.pool_manager
    try:
        found = urlsplit(server)
        base = found.path.rstrip("/")
        server = f"{found.scheme}://{found.netloc}"
        if manager.proxy is not None:
            return ThroughProxy(manager, server), base
        tls = tls_of(settings) if found.scheme == "https" else None
        return Connections(server, tls=tls, name=settings.tls_server_name, size=django.KUBE_CONNECTIONS), base
    except (OSError, ValueError) as error:
        raise BadCredentials(f"the API server's address {server} cannot be used: {_short(error)}") from error


# the same namespaces and names come again and again
@functools.lru_cache(maxsize=4096)
def _quoted(part: str) -> str:
    return quote(part, safe="")


@functools.lru_cache(maxsize=256)
def _query_of(items: tuple[tuple[str, str], ...]) -> str:
    return f"?{urlencode(items)}" if items else ""


def _short(error: BaseException) -> str:
    text = str(error).partition("): ")[2] if "object at 0x" in str(error) else str(error)
    text = re.sub(r"^\w*Connection(Pool)?\([^)]*\): ", "", text)
    text = re.sub(r"\[Errno -?\d+\] ", "", text)
    # whoever quotes it ends the sentence
    return (text or type(error).__name__).replace("\n", " ")[:300].rstrip(".")


_pool: dict[str, tuple[tuple[Any, ...], Kube]] = {}
_making: dict[str, threading.Lock] = {}
_pool_lock = threading.Lock()
_MOST_CLIENTS = 64


def connect(key: str, credentials: Credentials, *, written: Written | None = None) -> Kube:
    """The client of a cluster, shared by all threads of the process; made anew when its credentials change.

    `written`: see Kube. Raises BadCredentials when they cannot be read.
    """
    fingerprint = credentials.fingerprint()
    with _pool_lock:
        held = _pool.get(key)
        if held is not None and held[0] == fingerprint:
            return held[1]
        making = _making.setdefault(key, threading.Lock())
    # one thread makes it, and asks what the cluster knows, for all; those of other clusters do not wait
    with making:
        with _pool_lock:
            held = _pool.get(key)
        if held is not None and held[0] == fingerprint:
            return held[1]
        kube = Kube(credentials, written=written)
        with _pool_lock:
            _pool[key] = (fingerprint, kube)
            while len(_pool) > _MOST_CLIENTS:
                gone = next(iter(_pool))
                _pool.pop(gone)
                _making.pop(gone, None)
    return kube
