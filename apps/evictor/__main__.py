"""`python3 -m lamplight_evictor --root … --quota …`: keep one pool's folder on a shared volume."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence

from .evictor import Evictor
from .metrics import Metrics, serve
from .settings import read_settings


def main(argv: Sequence[str]) -> int:
    settings = read_settings(argv)
    # hands that come back from the disk wait for whoever computes: not long
    sys.setswitchinterval(0.001)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    metrics = Metrics()
    if settings.metrics_port:
        host = os.environ.get("LAMPLIGHT_BIND_HOST", "0.0.0.0")  # noqa: S104 - a pod's own address
        try:
            serve(metrics, settings.metrics_port, host)
        except OSError as error:
            print(f"ERROR: port {settings.metrics_port} cannot be taken: {error.strerror}", file=sys.stderr)
            return 1
    evictor = Evictor(settings, metrics, stop, say=lambda text: print(text, flush=True))
    evictor.begin()
    try:
        # the first look says what it would do; a CronJob's only look acts
        rehearsing = not settings.once
        while not stop.is_set():
            fine = evictor.once(dry_run=settings.dry_run or rehearsing)
            if settings.once:
                return 0 if fine else 1
            evictor.wait(evictor.pause(), dry_run=settings.dry_run or rehearsing)
            rehearsing = False
        return 0
    finally:
        evictor.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
