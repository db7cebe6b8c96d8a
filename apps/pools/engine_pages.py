"""Reading a few series of one engine's or picker's metrics page, within a short deadline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import requests
from prometheus_client.parser import text_string_to_metric_families

from apps.pools.domain.engines import ENGINE_PORT
from apps.pools.domain.pods import Replica

__all__ = ["FAILURES", "Sample", "samples", "url_of"]

Sample = tuple[str, dict[str, str], float]
FAILURES = (requests.RequestException, ValueError)
"""What reading may raise."""
_DEADLINE = (1.0, 2.0)


def samples(pod: Replica, names: Sequence[str], port: int = ENGINE_PORT) -> Iterator[Sample]:
    """(name, labels, value) of these series. Raises FAILURES."""
    wanted = [("name[]", name) for name in names]
    answer = requests.get(url_of(pod, "/metrics", port), params=wanted, timeout=_DEADLINE, allow_redirects=False)
    answer.raise_for_status()
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def url_of(pod: Replica, path: str, port: int = ENGINE_PORT) -> str:
    """The address of a pod's port."""
    host = f"[{pod.ip}]" if pod.ip and ":" in pod.ip else pod.ip
    return f"http://{host}:{port}{path}"
