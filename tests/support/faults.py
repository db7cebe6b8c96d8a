"""Scripts of faults for an embedded API server that was started with --faults (its domain/faults.py)."""

from __future__ import annotations

import json
import ssl
import urllib.request
from typing import Any

import yaml

from tests.support.cluster import EmbeddedCluster


def script(cluster: EmbeddedCluster, *rules: dict[str, Any]) -> None:
    """These rules from now on, instead of those before; none: nothing goes wrong any more."""
    _page(cluster, "PUT", json.dumps(rules).encode())


def struck(cluster: EmbeddedCluster) -> int:
    """How often rules of the present script have struck."""
    return sum(rule["struck"] for rule in _page(cluster, "GET", None))


def _page(cluster: EmbeddedCluster, method: str, body: bytes | None) -> Any:
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    token = config["users"][0]["user"]["token"]
    request = urllib.request.Request(
        config["clusters"][0]["cluster"]["server"] + "/debug/faults", body, {"Authorization": f"Bearer {token}"},
        method=method,
    )  # fmt: skip
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(request, timeout=30, context=trusting) as answer:
        return json.loads(answer.read())
