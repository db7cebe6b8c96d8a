"""The HTTP side of a Prometheus: prometheus-api-client with a deadline, a size, and an eye on the address."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any

import orjson
import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager
from urllib3.util.retry import Retry

from apps.clusters.domain.spec import PrometheusSpec
from apps.core.domain.addresses import refused_inside, split_url
from apps.telemetry.domain.vectors import Columns, columns

__all__ = ["PrometheusError", "call"]

_MAX_BYTES = 512 * 1024 * 1024


class PrometheusError(Exception):
    """The message is a sentence for people without its full stop."""


def call(spec: PrometheusSpec, seconds: float, ask: Any, *, plain: bool = True) -> Any:
    """What `ask` says of the client; `plain` False: the result of an instant query may come as Columns.

    Raises PrometheusError.
    """
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
            return ask(client)
    except PrometheusApiClientException as error:
        raise PrometheusError(f"refused the query: {_brief(error)}") from None
    except requests.JSONDecodeError:
        raise PrometheusError("answered something that is no JSON") from None
    except requests.Timeout:
        raise PrometheusError(f"did not answer within {round(seconds, 1):g} s") from None
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
        if options.get("method") == "POST":
            # the client has a query in the address, which proxies cut off; in the body it may be long
            options["data"] = options.pop("params", None)
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
    found: Columns | None = None if plain else columns(answer.content)
    if found is not None:
        return {"data": {"result": found}}
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
