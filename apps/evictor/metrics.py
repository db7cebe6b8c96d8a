"""What the program shows of itself: a page in the Prometheus text format, and whether it is alive."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HELP: Mapping[str, tuple[str, str]] = {
    "up": ("gauge", "1 while the folder can be read"),
    "used_bytes": ("gauge", "Bytes of all chunks in the folder"),
    "files": ("gauge", "Chunks in the folder"),
    "quota_bytes": ("gauge", "Bytes that the folder may take"),
    "volume_bytes": ("gauge", "Bytes of the whole volume"),
    "volume_free_bytes": ("gauge", "Free bytes of the whole volume"),
    "growth_bytes_per_second": ("gauge", "What engines write now, removals not counted"),
    "reserve_bytes": ("gauge", "Bytes of the quota kept free for what is written before it can be noticed and removed"),
    "watched": ("gauge", "1 while the kernel tells of each chunk; 0: looks and the volume's growth must do"),
    "least_quota_bytes": ("gauge", "The smallest quota that can be kept at the fastest growth that was seen lately"),
    "behind": ("gauge", "1 while engines write faster than chunks can be removed, so that the quota does not hold"),
    "full_in_seconds": ("gauge", "When the quota is reached at this growth; absent while it is not"),
    "scan_seconds": ("gauge", "Duration of the last look at the folder"),
    "duplicates": ("gauge", "Chunks that lie in more than one folder"),
    "foreign_age_seconds": ("gauge", "Since a chunk last came into a folder that no engine of the pool uses"),
    "removed_files_total": ("counter", "Chunks removed, by reason"),
    "removed_bytes_total": ("counter", "Bytes removed, by reason"),
    "remove_failures_total": ("counter", "Chunks that could not be removed"),
    "forced_total": ("counter", "Chunks removed within the measured reuse time, because the quota left no choice"),
    "unfinished_total": ("counter", "Files removed that engines left half written"),
    "would_remove_files": ("gauge", "Chunks that would go now, in a dry run"),
    "reuse_seconds": ("gauge", "Time within which that share of the blocks that are used again is"),
    "uses_total": ("counter", "Uses of blocks that events told"),
    "blind": ("gauge", "1 while no engine's events are heard: then chunks go by their age"),
    "events_lost_total": ("counter", "Batches of events that were missed"),
    "engines": ("gauge", "Engines whose events are heard"),
    "canary_ok": ("gauge", "1 while the volume gives back what it is given"),
    "canary_seconds": ("gauge", "Duration of the last try, by direction"),
}
PREFIX = "lamplight_kv_store_"


class Metrics:
    """Series by name and labels. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}

    def set(self, name: str, value: float | None, **labels: str) -> None:
        """None takes the series away: unknown is not zero."""
        key = (name, tuple(sorted(labels.items())))
        with self._lock:
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = value

    def add(self, name: str, value: float, **labels: str) -> None:
        key = (name, tuple(sorted(labels.items())))
        with self._lock:
            self._values[key] = self._values.get(key, 0.0) + value

    def get(self, name: str, **labels: str) -> float | None:
        return self._values.get((name, tuple(sorted(labels.items()))))

    def page(self) -> str:
        with self._lock:
            values = sorted(self._values.items())
        lines = []
        for name, (kind, text) in HELP.items():
            mine = [(labels, value) for (other, labels), value in values if other == name]
            if mine:
                lines += [f"# HELP {PREFIX}{name} {text}", f"# TYPE {PREFIX}{name} {kind}"]
            for labels, value in mine:
                inside = ",".join(f'{label}="{text}"' for label, text in labels)
                lines.append(f"{PREFIX}{name}{'{' + inside + '}' if inside else ''} {value!r}")
        return "\n".join(lines) + "\n"


def serve(metrics: Metrics, port: int, host: str) -> ThreadingHTTPServer:
    """Answer /metrics and /healthz in a thread; raises OSError when the port is taken."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = metrics.page().encode() if self.path.startswith("/metrics") else b"ok\n"
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Scrapes are not worth a line."""

    server = ThreadingHTTPServer((host, port), Page)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
