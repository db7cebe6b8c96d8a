"""Which chunks go: decided from what is there, when it was used, and what the quota leaves. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .chunks import Chunks
from .settings import Settings


@dataclass
class Plan:
    """Rows of chunks to remove, in order, by reason: `purge` (another model's, engine's or accelerator's), `ttl`,
    `quota`; `forced`: those of `quota` that were used within the measured reuse time. `kept`: bytes that remain.
    `order`: all that remains, the first to go first. `foreign`: when a chunk last came into a folder that no engine
    uses (Unix seconds), None where there is no such folder."""

    purge: list[int] = field(default_factory=list)
    ttl: list[int] = field(default_factory=list)
    quota: list[int] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    forced: int = 0
    kept: int = 0
    foreign: float | None = None

    def __len__(self) -> int:
        return len(self.purge) + len(self.ttl) + len(self.quota)


def plan(
    chunks: Chunks,
    settings: Settings,
    now: float,
    *,
    reuse_time: float | None,
    depth: Callable[[int], int] = lambda key: 0,
    high: float | None = None,
    low: float | None = None,
    limit: float = 1.0,
    more: int = 0,
) -> Plan:
    """What is to go at `now` (Unix seconds).

    Over `high` of the quota (the settings' where it is not given), chunks go until `low` is left (where that is not
    given, as much less than `high` as the settings' is), least recently used first and, of those used together, the end
    of the prompt first: a chunk without those before it is never found; those of folders that no engine uses before
    all others. What was used within `reuse_time` (seconds,
    None when nobody has measured it) stays, unless more than `limit` of the quota would be held. `more`: bytes that are
    held besides, in chunks that are not known yet.
    """
    found = Plan()
    newest: dict[str, float] = {}
    for row in range(len(chunks)):
        top = chunks.top(row)
        newest[top] = max(newest.get(top, 0.0), chunks.used[row])
    foreign = {top: at for top, at in newest.items() if settings.live and top not in settings.live}
    stale = {top for top, at in foreign.items() if now - at > settings.purge_after}
    found.foreign = max(foreign.values(), default=None)
    total, rest = more, []
    for row in range(len(chunks)):
        if not chunks.sizes[row]:
            continue
        if chunks.top(row) in stale:
            found.purge.append(row)
        elif settings.ttl and now - chunks.used[row] > settings.ttl:
            found.ttl.append(row)
        else:
            rest.append(row)
            total += chunks.sizes[row]
    found.ttl.sort(key=lambda row: (chunks.used[row], -depth(chunks.keys[row])))
    found.kept = total
    high = settings.high if high is None else min(high, settings.high)
    low = max(high - (settings.high - settings.low), 0.0) if low is None else min(low, high)
    # the quota is for the pool's engines: of others' chunks it keeps what it has room for
    rest.sort(key=lambda row: (chunks.top(row) not in foreign, chunks.used[row], -depth(chunks.keys[row])))
    found.order = rest
    if total <= high * settings.quota:
        return found
    protected = now - reuse_time if reuse_time is not None else float("inf")
    for row in rest:
        if found.kept <= low * settings.quota:
            break
        if chunks.used[row] > protected and chunks.top(row) not in foreign:
            if found.kept <= limit * settings.quota:
                break
            found.forced += 1
        found.quota.append(row)
        found.kept -= chunks.sizes[row]
    found.order = rest[len(found.quota) :]
    return found
