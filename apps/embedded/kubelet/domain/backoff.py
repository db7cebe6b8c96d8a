"""CrashLoopBackOff: how long a container that ended waits before it is started again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BackoffPolicy:
    """Delays double from ``base`` to ``cap`` seconds; a run of at least ``2 * cap`` seconds starts anew.

    A real kubelet has base 10 s and cap 300 s; the embedded one waits less by default, so that demos go on.
    """

    base: float = 1.0
    cap: float = 30.0

    def delay(self, crashes: int) -> float:
        """Seconds before the next start after ``crashes`` ends in a row; the first restart is at once."""
        if crashes <= 1:
            return 0.0
        return min(self.cap, self.base * 2.0 ** min(crashes - 2, 30))

    def crashes_after(self, crashes: int, ran_for: float) -> int:
        """The number of ends in a row, after one more run of ``ran_for`` seconds."""
        return 1 if ran_for >= 2 * self.cap else crashes + 1


def go_duration(seconds: float) -> str:
    """``seconds`` as Go prints a duration, as kubelet messages have it: ``10s``, ``1m20s``, ``500ms``."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
