"""A cluster's Prometheus: one query a tick for all its pods, with a deadline, a size, and an eye on the address."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import orjson
import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager
from urllib3.util.retry import Retry

from apps.clusters.domain.spec import PrometheusSpec
from apps.core.domain.addresses import refused_inside, split_url
from apps.telemetry.domain.classes import TrafficClass
from apps.telemetry.domain.exposition import ExpositionError
from apps.telemetry.domain.promql import MAX_AGE, Gathering, Place, PodKey, PodSample, queries_of, query_of
from apps.telemetry.domain.vectors import Memory, Triple, triples

__all__ = ["PrometheusError", "ask", "ask_range", "ask_series", "describe"]

_SECONDS = 6.0
_MAX_BYTES = 512 * 1024 * 1024
# one query for all pods; of more than so many its metrics are asked for in parts at once, so that a Prometheus uses
# more than one core for them
_PODS_OF_ONE_QUERY = 50
_PARTS = 4
# what series are called, by Prometheus and query
_memories: dict[tuple[str, str], Memory[Place]] = {}
_MOST_MEMORIES = 256
_remembering = threading.Lock()


class PrometheusError(Exception):
    """The message is a sentence for people without its full stop."""


class Pod(Protocol):
    """What is asked about: a pod of a namespace, of a kind (engine | gateway)."""

    @property
    def name(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def kind(self) -> Any: ...
    @property
    def classes(self) -> tuple[TrafficClass, ...]: ...


def ask(
    spec: PrometheusSpec, pods: Sequence[Pod], *, seconds: float = _SECONDS, whole: bool = True
) -> dict[PodKey, PodSample]:
    """The newest samples of these pods; those that Prometheus does not have are missing. Raises PrometheusError.

    `whole` False: of a large installation without what only explains (apps.telemetry.domain.engine.EXPLANATORY).
    """
    if not pods:
        return {}
    until = time.monotonic() + seconds
    gathering = Gathering(
        {(pod.namespace, pod.name): str(pod.kind) for pod in pods},
        **_labels(spec),
        classes={(pod.namespace, pod.name): pod.classes for pod in pods if pod.classes},
    )
    namespaces = {pod.namespace for pod in pods}
    parts = 1 if len(pods) <= _PODS_OF_ONE_QUERY else _PARTS
    queries = queries_of(namespaces, parts, **_labels(spec), matchers=spec.matchers, whole=whole or parts == 1)
    moment = {"time": _clock_of(spec, seconds)} if parts > 1 else {}
    memories = _memories_of(spec, queries)
    with ThreadPoolExecutor(len(queries), thread_name_prefix="prometheus-part") as executor:
        left = max(0.001, until - time.monotonic())
        answers = [executor.submit(_ask_part, spec, query, moment, left) for query in queries]
        # one is read while the others are still on their way
        for future in as_completed(answers):
            answer = future.result()
            memory = memories[answers.index(future)]
            try:
                if isinstance(answer, Vector):
                    with _remembering:
                        gathering.take_triples(answer, memory)
                else:
                    gathering.take(answer)
            except (ExpositionError, KeyError, TypeError, ValueError) as error:
                raise PrometheusError(f"answered something that cannot be read: {error}") from None
    return gathering.samples()


def _clock_of(spec: PrometheusSpec, seconds: float) -> str:
    """The time of a Prometheus by its own clock: parts of a query are asked for one and the same moment."""
    told = _call(spec, seconds, lambda client: client.custom_query("time()", params={"timeout": f"{seconds:.3f}"}))
    try:
        return f"{float(told[1]):.3f}"
    except (LookupError, TypeError, ValueError):
        raise PrometheusError("answered something that is no time") from None


def _ask_part(spec: PrometheusSpec, query: str, moment: Mapping[str, str], seconds: float) -> Any:
    options = {"timeout": f"{seconds:.3f}", **moment}
    return _call(spec, seconds, lambda client: client.custom_query(query, params=options), plain=False)


def _memories_of(spec: PrometheusSpec, queries: Sequence[str]) -> list[Memory[Place]]:
    if len(_memories) > _MOST_MEMORIES:
        _memories.clear()
    return [_memories.setdefault((spec.url, query), Memory()) for query in queries]


def ask_series(spec: PrometheusSpec, pods: Sequence[Pod], *, seconds: float = _SECONDS) -> list[dict[str, Any]]:
    """What the very query of a tick brings, as Prometheus gives it. Raises PrometheusError."""
    query = query_of({pod.namespace for pod in pods}, **_labels(spec), matchers=spec.matchers)
    options = {"timeout": f"{seconds:.3f}"}
    found: list[dict[str, Any]] = _call(spec, seconds, lambda client: list(client.custom_query(query, params=options)))
    return found


def ask_range(
    spec: PrometheusSpec, query: str, *, start: datetime, end: datetime, step: float, seconds: float = 30.0
) -> list[dict[str, Any]]:
    """Samples of a range query as Prometheus gives them. Raises PrometheusError."""
    timeout = {"timeout": f"{seconds:.3f}"}
    return list(
        _call(spec, seconds, lambda client: client.custom_query_range(query, start, end, f"{step:g}", params=timeout))
    )


def describe(sample: PodSample | None, pod: Pod, cluster: str) -> str:
    """Why a pod's sample cannot be used, as a sentence; empty where it can."""
    if sample is None:
        return (
            f"Prometheus of cluster {cluster} has no series of pod {pod.namespace}/{pod.name}: check that it scrapes "
            "the pod and keeps the labels that spec.prometheus.labels names."
        )
    if sample.age > MAX_AGE:
        return f"Prometheus of cluster {cluster} scraped pod {pod.name} last {sample.age:.0f} s ago."
    if not sample.reading.found:
        return f"Prometheus of cluster {cluster} knows pod {pod.namespace}/{pod.name}, but none of its metrics."
    return ""


def _labels(spec: PrometheusSpec) -> dict[str, str]:
    return {"pod_label": spec.labels.pod, "namespace_label": spec.labels.namespace}


class Vector(list[Triple]):
    """The series of an answer as they came."""


def _call(spec: PrometheusSpec, seconds: float, call: Any, *, plain: bool = True) -> Any:
    """`plain` False: an instant vector may come as a Vector."""
    # pandas comes with it: only processes that ask a Prometheus pay for that
    from prometheus_api_client import PrometheusConnect
    from prometheus_api_client.exceptions import PrometheusApiClientException

    try:
        split_url(spec.url)
    except ValueError as refused:
        raise PrometheusError(f"cannot be asked: {refused}") from None
    url = spec.url.rstrip("/")
    try:
        with _Session(spec, seconds, plain=plain) as session:
            client = PrometheusConnect(
                url=url, headers=_headers(spec), session=session, timeout=seconds, retry=Retry(0), method="POST"
            )
            # the client has mounted an adapter of its own for this address
            session.mount(url, _GuardedAdapter(_tls(spec) if url.startswith("https:") else None))
            return call(client)
    except PrometheusApiClientException as error:
        raise PrometheusError(f"refused the query: {_brief(error)}") from None
    except requests.JSONDecodeError:
        raise PrometheusError("answered something that is no JSON") from None
    except requests.Timeout:
        raise PrometheusError(f"did not answer within {seconds:.3g} s") from None
    except requests.RequestException as error:
        raise PrometheusError(f"cannot be reached: {_brief(error)}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise PrometheusError(f"answered something that is no result: {_brief(error)}") from None
    except OSError as error:
        raise PrometheusError(f"cannot be asked: {error.strerror or error}") from None


def _headers(spec: PrometheusSpec) -> dict[str, str]:
    file = spec.credentials.bearer_token_file
    if file is None:
        return {}
    # read each time: tokens of service accounts are renewed in place
    return {"Authorization": f"Bearer {Path(file).read_text(encoding='utf-8').strip()}"}


def _tls(spec: PrometheusSpec) -> ssl.SSLContext:
    credentials = spec.credentials
    context = ssl.create_default_context(cafile=credentials.ca_file)
    if credentials.certificate_file is not None:
        context.load_cert_chain(credentials.certificate_file, credentials.key_file)
    return context


def _brief(error: Exception) -> str:
    text = str(error)
    for hint in ("link-local", "not the address of a host", "Connection refused", "certificate verify failed"):
        if hint in text:
            return {"Connection refused": "the connection was refused"}.get(hint, f"its address or TLS: {hint}")
    return text[:200]


class _Session(requests.Session):
    """Follows no redirect, takes nothing from the environment, stops at the deadline and at the size."""

    def __init__(self, spec: PrometheusSpec, seconds: float, *, plain: bool) -> None:
        super().__init__()
        self.trust_env = False
        # packing a large answer takes a Prometheus longer than sending it
        self.headers["Accept-Encoding"] = "identity"
        self._plain = plain
        self._until = time.monotonic() + seconds

    def request(self, *args: Any, **options: Any) -> requests.Response:
        # the adapter's context verifies; requests' own switch would replace its authorities
        options.update(stream=True, allow_redirects=False, verify=True)
        answer = super().request(*args, **options)
        if answer.is_redirect:
            answer.close()
            raise requests.RequestException("it answered with a redirect, which is not followed")
        body = bytearray()
        for chunk in answer.iter_content(1 << 16):
            body += chunk
            if len(body) > _MAX_BYTES:
                answer.close()
                raise requests.RequestException(f"its answer has more than {_MAX_BYTES // 2**20} MiB")
            if time.monotonic() > self._until:
                answer.close()
                raise requests.Timeout
        answer._content = bytes(body)
        # an answer of a thousand pools has seventy megabytes
        answer.json = lambda **_: _decoded(answer, plain=self._plain)  # type: ignore[method-assign]
        return answer


def _decoded(answer: requests.Response, *, plain: bool) -> Any:
    found = None if plain else triples(answer.content)
    if found is not None:
        return {"data": {"result": Vector(found)}}
    try:
        return orjson.loads(answer.content)
    except orjson.JSONDecodeError as error:
        raise requests.JSONDecodeError(str(error), "", 0) from None


def _checked(connection: Any) -> Any:
    """Looks at whom the connection reached, not at what a name resolved to before: names can change in between."""
    why = refused_inside(connection.getpeername()[0])
    if why is not None:
        connection.close()
        raise OSError(f"the address {why}")
    return connection


class _Connection(HTTPConnection):
    def _new_conn(self) -> Any:
        return _checked(super()._new_conn())


class _TlsConnection(HTTPSConnection):
    def _new_conn(self) -> Any:
        return _checked(super()._new_conn())


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(max_retries=Retry(0))

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        self.poolmanager = PoolManager(connections, maxsize=maxsize, block=block, ssl_context=self._context, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The context already knows authorities and certificates."""
