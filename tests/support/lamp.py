"""`lamp` in this process, against a server that answers what the API promises; real sockets, no Django."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from click.testing import CliRunner, Result

from controlplane.cli.main import cli

POOLS = "/api/v1/teams/default/pools"
POOL: dict[str, Any] = {
    "apiVersion": "lamplight.dev/v1",
    "kind": "Pool",
    "metadata": {
        "name": "chat",
        "team": "default",
        "uid": "u1",
        "generation": 2,
        "version": 3,
        "createdAt": "2026-11-23T19:00:00.453295Z",
    },
    "spec": {"model": "llama", "cluster": "embedded", "variants": [{"name": "h200", "accelerator": "nvidia-h200"}]},
    "status": {
        "sync": "Synced",
        "health": "Healthy",
        "replicas": {"desired": 2, "ready": 2, "starting": 0},
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "AllReady", "message": "fine", "observedGeneration": 2}
        ],
    },
}


class Server:
    """Answers by a table (method, path) → list of (status, document); the last answer is repeated."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], list[tuple[int, Any]]] = {}
        self.seen: list[tuple[str, str, dict[str, list[str]], dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.seen.append(
                    (
                        self.command,
                        parts.path,
                        parse_qs(parts.query),
                        {k.title(): v for k, v in self.headers.items()},
                        body,
                    )
                )
                missing = [(404, {"title": "There is no such object", "detail": f"nothing at {parts.path}"})]
                queue = outer.answers.get((self.command, parts.path), missing)
                status, document = queue.pop(0) if len(queue) > 1 else queue[0]
                raw = document.encode() if isinstance(document, str) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw) if status != 204 else 0))
                self.end_headers()
                if status != 204:
                    self.wfile.write(raw)

            do_GET = do_POST = do_PUT = do_DELETE = _answer

            def log_message(self, *args: Any) -> None:
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"
        threading.Thread(target=self.httpd.serve_forever, args=(0.02,), daemon=True).start()

    def on(self, method: str, path: str, *answers: tuple[int, Any]) -> None:
        self.answers[(method, path)] = list(answers)


@contextmanager
def run_server() -> Iterator[Server]:
    running = Server()
    try:
        yield running
    finally:
        running.httpd.shutdown()
        running.httpd.server_close()


def lamp(*args: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, list(args), input=stdin)
