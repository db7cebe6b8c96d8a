"""What came of a load, as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["ending", "seconds_in_words"]

_BEGIN = {
    "done": "The load ended",
    "stopped": "The load was stopped",
    "failed": "The load failed",
    "lost": "The load was lost: the worker that sent it ended before it did",
}
_WORDS = {"timeout": "no answer in time", "connect": "no connection", "cut": "the answer was cut",
          "shed": "not sent, too many were unanswered", "other": "other reasons"}  # fmt: skip


def ending(status: str, measured: Mapping[str, Any] | None, message: str = "") -> str:
    """How a load ended: "The load ended: 840 of 840 requests succeeded, TTFT p95 212 ms; 99.1 % within 500 ms."

    `measured`: as the tally has it, None where nothing was measured; `message`: why it failed.
    """
    begin = _BEGIN[status] + (f": {message.rstrip('.')}" if message else "")
    if not measured or not measured["sent"]:
        return f"{begin}; nothing was sent." if status in ("stopped", "lost") else f"{begin}."
    told = [f"{measured['ok']} of {measured['sent']} requests succeeded"]
    if measured["ttft"]:
        told.append(f"TTFT p95 {seconds_in_words(measured['ttft']['p95'])}")
    failures = [f"{row['count']} x {_word(row['code'])}" for row in measured["errors"]][:3]
    return f"{begin}{':' if not message and status != 'lost' else ';'} {', '.join(told + failures)}."


def seconds_in_words(value: float) -> str:
    """`0.2124` as "212 ms", `1.5` as "1.5 s"."""
    return f"{value * 1000:.0f} ms" if value < 0.9995 else f"{value:.3g} s"


def _word(code: str) -> str:
    return _WORDS.get(code, f"HTTP {code}")
