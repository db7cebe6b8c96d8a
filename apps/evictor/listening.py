"""Hearing the engines' KV events: found by name, followed over ZeroMQ, in a thread of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

from .reuse import Reuse, events_of
from .settings import Settings

LOOK_SECONDS = 10.0
REQUEST_SECONDS = 5.0


class Listener:
    """Feeds `reuse`, under `lock`. `lost`: batches missed; `engines`: how many are followed; `heard`: when the last
    batch came (Unix seconds), 0 for never."""

    def __init__(self, settings: Settings, reuse: Reuse, lock: threading.Lock) -> None:
        self._settings, self._reuse, self._lock = settings, reuse, lock
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.lost = 0
        self.engines = 0
        self.heard = 0.0

    def start(self) -> bool:
        """Begin; False where the libraries for it are missing or no engines are named."""
        if not (self._settings.engines or self._settings.service or self._settings.selector):
            return False
        try:
            import msgspec
            import zmq
        except ImportError:
            return False
        decode = msgspec.msgpack.Decoder().decode
        self._thread = threading.Thread(target=self._run, args=(zmq, decode), name="kv-events", daemon=True)
        self._thread.start()
        return True

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self, zmq: Any, decode: Callable[[bytes], Any]) -> None:
        context = zmq.Context()
        poller = zmq.Poller()
        sockets: dict[str, Any] = {}
        awaited: dict[str, int] = {}
        looked = -LOOK_SECONDS
        try:
            while not self._stop.is_set():
                if time.monotonic() - looked >= LOOK_SECONDS:
                    looked = time.monotonic()
                    with contextlib.suppress(OSError, ValueError):
                        self._follow(zmq, context, poller, sockets, awaited, set(find_engines(self._settings)))
                for one, _event in poller.poll(500):
                    name = next(name for name, other in sockets.items() if other is one)
                    self._take(one.recv_multipart(), name, awaited, decode)
        finally:
            for one in sockets.values():
                one.close(0)
            context.term()

    def _follow(
        self, zmq: Any, context: Any, poller: Any, sockets: dict[str, Any], awaited: dict[str, int], wanted: set[str]
    ) -> None:
        for name in set(sockets) - wanted:
            poller.unregister(sockets[name])
            sockets.pop(name).close(0)
            awaited.pop(name, None)
        for name in wanted - set(sockets):
            one = context.socket(zmq.SUB)
            one.setsockopt(zmq.SUBSCRIBE, b"")
            one.connect(f"tcp://{name}")
            poller.register(one, zmq.POLLIN)
            sockets[name] = one
        self.engines = len(sockets)

    def _take(
        self, frames: Iterable[bytes], name: str, awaited: dict[str, int], decode: Callable[[bytes], Any]
    ) -> None:
        try:
            _topic, number, payload = frames
            batch = decode(payload)
        except ValueError:
            self.lost += 1
            return
        at = int.from_bytes(number, "big")
        # a smaller number is an engine that has begun anew
        self.lost += max(0, at - awaited.get(name, at))
        awaited[name] = at + 1
        self.heard = time.time()
        with self._lock:
            for when, event in events_of(batch):
                self._reuse.event(event, when)


def find_engines(settings: Settings) -> list[str]:
    """host:port of each engine: as given, from the API server where a kubeconfig says how (the embedded cluster has no
    DNS), else by the name of the headless Service. Raises OSError or ValueError."""
    if settings.engines:
        return list(settings.engines)
    kubeconfig = os.environ.get("KUBECONFIG")
    if kubeconfig and settings.selector and os.path.exists(kubeconfig):
        return [f"{ip}:{settings.events_port}" for ip in _pod_addresses(kubeconfig, settings)]
    if not settings.service:
        return []
    found = socket.getaddrinfo(settings.service, settings.events_port, type=socket.SOCK_STREAM)
    return sorted({f"{address[0]}:{settings.events_port}" for *_rest, address in found})


def _pod_addresses(kubeconfig: str, settings: Settings) -> list[str]:
    import base64
    import json

    import yaml

    with open(kubeconfig, encoding="utf-8") as file:
        config = yaml.safe_load(file)
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    query = urllib.parse.urlencode({"labelSelector": settings.selector, "limit": 1000})
    url = f"{cluster['server']}/api/v1/namespaces/{settings.namespace}/pods?{query}"
    context = None
    if url.startswith("https://"):
        ca = cluster.get("certificate-authority-data")
        context = ssl.create_default_context(cadata=base64.b64decode(ca).decode() if ca else None)
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {user.get('token', '')}"})  # noqa: S310  (the kubeconfig's server)
    with urllib.request.urlopen(request, timeout=REQUEST_SECONDS, context=context) as answer:  # noqa: S310  (the API server)
        pods = json.load(answer)["items"]
    return sorted(pod["status"]["podIP"] for pod in pods if pod.get("status", {}).get("podIP"))
