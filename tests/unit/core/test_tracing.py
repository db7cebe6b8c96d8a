"""Traces are off until asked for, and then reach a collector over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from apps.core import tracing
from tests.support.shared import ROOT

_SPANS = """
import logging
from apps.core import tracing
with tracing.span("outer", kind="Pool"):
    with tracing.span("inner"):
        pass
try:
    with tracing.span("broken"):
        raise ValueError("x")
except ValueError:
    print("left")
"""


def _run(**environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, "-c", _SPANS], env=env, capture_output=True, text=True, timeout=60)


def test_without_the_setting_a_span_is_nothing() -> None:
    done = _run()
    assert (done.returncode, done.stdout.strip()) == (0, "left")
    assert tracing._tracer() is None


def test_asked_for_without_the_library_it_says_what_to_install() -> None:
    try:
        import opentelemetry.sdk  # noqa: F401
    except ImportError:
        done = _run(LAMPLIGHT_TRACES="http://127.0.0.1:9")
        assert "pip install 'lamplight[traces]'" in done.stderr
    else:
        pytest.skip("the library is installed here")


def test_spans_reach_a_collector() -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra `traces` is not installed")
    bodies: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    done = _run(LAMPLIGHT_TRACES=f"http://127.0.0.1:{server.server_port}", OTEL_EXPORTER_OTLP_COMPRESSION="none")
    assert (done.returncode, done.stdout.strip()) == (0, "left")
    server.shutdown()
    assert {path for path, _ in bodies} == {"/v1/traces"}
    sent = b"".join(body for _, body in bodies)
    for word in (b"outer", b"inner", b"broken", b"lamplight.kind", b"Pool"):
        assert word in sent
