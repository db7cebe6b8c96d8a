"""Asking a pool's endpoint picker on its side port: what it knows beside its metrics."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
import urllib3

from apps.clusters.errors import KubeError
from apps.clusters.selectors import kube_for
from apps.core.domain.addresses import refused_inside
from apps.core.domain.refusals import Clash, Missing, Refusal
from apps.pools import selectors
from apps.pools.domain.manifests import COMPONENT, POOL_UID
from apps.pools.domain.picker import COMPONENT_PICKER
from apps.pools.models import Pool
from apps.telemetry.domain.pods import PICKER_PORTS, is_ready, is_terminating, metrics_url

__all__ = ["ask", "picker_address", "served_name"]

_SECONDS = 5.0
_MOST_BYTES = 8 * 2**20


class _NoGateway(Refusal):
    status = 502
    type = "no-gateway"
    title = "The pool has no endpoint picker that is ready"


class _NoExplanations(Clash):
    type = "no-explanations"
    title = "The endpoint picker keeps no decisions"


class _Late(Refusal):
    status = 502
    type = "gateway-silent"
    title = "The endpoint picker did not answer"


def picker_address(pool: Pool) -> str:
    """`http://host:port` of a ready picker's side port. Raises Refusals."""
    cluster = selectors.cluster_of(pool)
    if cluster is None:
        raise _NoGateway(f"The cluster {pool.spec.get('cluster')} of {pool.key} is gone.")
    kube = kube_for(cluster)
    labels = {POOL_UID: str(pool.uid), COMPONENT: COMPONENT_PICKER}
    try:
        pods = kube.list(kube.resource("Pod"), namespace=pool.namespace, labels=labels)
    except KubeError as error:
        raise _Late(f"Cluster {cluster.name} cannot be asked for its pods: {error}.") from None
    for pod in pods:
        url = metrics_url(pod, PICKER_PORTS)
        if url and is_ready(pod) and not is_terminating(pod):
            why = refused_inside(urlsplit(url).hostname or "")
            if why is not None:
                raise _NoGateway(f"The endpoint picker of {pool.key} is not asked: its address {why}.")
            return url.removesuffix("/metrics")
    raise _NoGateway(
        f"{pool.key} has no endpoint picker that is ready. See its objects, or declare routing.picker: true."
    )


def served_name(pool: Pool) -> str:
    """The name that the pool's engines answer to."""
    told = pool.status.get("servedName")
    if isinstance(told, str) and told:
        return told
    model = selectors.model_of(pool)
    return str(pool.spec["model"]) if model is None else selectors.model_facts(model).served_name


def ask(pool: Pool, path: str, query: Mapping[str, str] | None = None, body: Any = None) -> Any:
    """What the pool's picker answers to GET, or to POST where there is a body. Raises Refusals."""
    address = picker_address(pool)
    url = f"{address}{path}" + (f"?{urlencode(query)}" if query else "")
    timeout = urllib3.Timeout(connect=2.0, read=_SECONDS)
    begun = time.monotonic()
    try:
        with urllib3.PoolManager(num_pools=1, timeout=timeout, retries=False) as manager:
            answer = manager.request(
                "GET" if body is None else "POST",
                url,
                body=None if body is None else orjson.dumps(body),
                headers={"Content-Type": "application/json", "User-Agent": "lamplight"},
                redirect=False,
                preload_content=False,
            )
            raw = b""
            while chunk := answer.read(65536):
                raw += chunk
                if len(raw) > _MOST_BYTES or time.monotonic() - begun > 2 * _SECONDS:
                    raise _Late(f"The endpoint picker of {pool.key} answers too much or too slowly.")
    except (urllib3.exceptions.HTTPError, OSError):
        raise _Late(f"The endpoint picker of {pool.key} did not answer within {_SECONDS:g} s.") from None
    return _read(pool, answer.status, raw)


def _read(pool: Pool, status: int, raw: bytes) -> Any:
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        document = None
    if status == 200 and document is not None:
        return document
    said = document.get("error", {}).get("message", "") if isinstance(document, Mapping) else ""
    if status == 404 and said:
        raise Missing(f"{pool.key}: {said}.")
    if status in (404, 405):
        raise _NoExplanations(
            f"The endpoint picker of {pool.key} is llm-d's own and keeps no decisions; the embedded cluster's does."
        )
    raise Clash(f"The endpoint picker of {pool.key}: {said or f'status {status}'}.")
