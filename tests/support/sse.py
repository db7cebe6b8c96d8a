"""A reader of server-sent events over a plain socket, for tests."""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Message:
    event: str
    id: str
    data: dict[str, Any] = field(default_factory=dict)


class EventReader:
    """Reads a stream in a thread; `next` gives messages, `last_id` what to resume from."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._connection.request("GET", parts.path, headers={"Accept": "text/event-stream", **headers})
        self.response = self._connection.getresponse()
        self.status = self.response.status
        self.last_id = ""
        self.ended = threading.Event()
        self._messages: queue.Queue[Message] = queue.Queue()
        if self.status == 200:
            self._opened = threading.Event()
            threading.Thread(target=self._read, daemon=True).start()
            assert self._opened.wait(60), "the stream sent no opening"
        else:
            self.body = self.response.read()

    def _read(self) -> None:
        event, id_, data = "message", "", []
        try:
            while line := self.response.readline():
                text = line.decode().rstrip("\n")
                if not text:
                    if data:
                        self._messages.put(Message(event, id_, json.loads("\n".join(data))))
                    event, data = "message", []
                    self._opened.set()
                elif text.startswith("id:"):
                    id_ = self.last_id = text[3:].strip()
                elif text.startswith("event:"):
                    event = text[6:].strip()
                elif text.startswith("data:"):
                    data.append(text[5:].strip())
        except (OSError, ValueError, http.client.HTTPException):
            pass
        finally:
            self.ended.set()

    def next(self, timeout: float = 60) -> Message:
        try:
            return self._messages.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"no event within {timeout:g} s") from None

    def nothing(self, seconds: float = 0.5) -> bool:
        """Whether nothing comes for a while (for what must not be sent; a sentinel event is better where one fits)."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self._messages.empty():
                return False
            time.sleep(0.02)
        return True

    def close(self) -> None:
        sock = self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.ended.wait(60)
        self._connection.close()
