"""Telling a worker that there is work, without making anybody wait.

A wake-up is a courtesy: when the broker is down or slow it is dropped, and the sweep finds the work within seconds.
Requests only set a flag; one thread per process sends, so that many enqueues become one message.
"""

from __future__ import annotations

import logging
import os
import threading
import time

log = logging.getLogger(__name__)

_COMPLAIN_EVERY_SECONDS = 60.0


class Waker:
    """Sends at most one wake-up at a time; requests that come meanwhile become one more."""

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._process = 0
        self._complained_at = float("-inf")

    def request(self) -> None:
        """Ask for a wake-up; returns at once and never raises."""
        with self._lock:
            if self._process != os.getpid():
                self._process = os.getpid()
                threading.Thread(target=self._run, name="reconcile-waker", daemon=True).start()
        self._wanted.set()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                self.send()
            except Exception as error:
                if time.monotonic() - self._complained_at > _COMPLAIN_EVERY_SECONDS:
                    self._complained_at = time.monotonic()
                    log.warning("a wake-up was not sent (%s); the sweep will find the work", error)

    def send(self) -> None:
        """Publish one `wake` task; it expires before it could pile up."""
        from apps.reconcile.tasks import wake

        wake.apply_async(expires=10, retry=False)


_waker = Waker()


def request() -> None:
    """Ask for a wake-up of a worker; returns at once and never raises."""
    _waker.request()
