"""Stands before an engine's HTTP server and closes its development endpoints (vllm serve --middleware).

Only what is named here is open to everybody; anything else (sleep, wake_up, collective_rpc, and whatever a later
release adds) needs the token of the control plane. The pod knows the token's SHA-256 alone, so that whoever reads the
pod cannot use it. Standard library only: it runs inside the engine's image.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterable
from typing import Any

PREFIXES = ("/v1/", "/v2/", "/cohere/", "/inference/v1/generate")
PATHS = frozenset(
    {
        "/health", "/ping", "/version", "/metrics", "/metrics/", "/load", "/tokenize", "/detokenize", "/invocations",
        "/pooling", "/classify", "/score", "/rerank", "/kv_event_sources", "/generative_scoring",
    }
)  # fmt: skip
HEADER = b"x-lamplight-token"
MESSAGE = "This endpoint is closed: only Lamplight may use it."
REFUSAL = {"error": {"message": MESSAGE, "type": "Forbidden", "code": 403}}


class Guard:
    """ASGI middleware. LAMPLIGHT_GUARD: SHA-256 (hex) of the token; without it nothing but the open paths is served."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.digest = os.environ.get("LAMPLIGHT_GUARD", "")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan" or self._open(scope["path"]) or self._trusted(scope.get("headers") or ()):
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            body = json.dumps(REFUSAL).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _open(self, path: str) -> bool:
        return path in PATHS or path.startswith(PREFIXES)

    def _trusted(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        for name, value in headers:
            if name.lower() == HEADER:
                given = hashlib.sha256(value).hexdigest()
                return bool(self.digest) and hmac.compare_digest(given, self.digest)
        return False
