"""Where objects live: an index in memory, written through to SQLite, with one increasing resourceVersion.

Every write is one committed SQLite transaction (WAL) before anybody sees it, so a process killed at any moment
loses nothing that it answered for. The last revisions stay in memory for watches and consistent reads of the past.
Objects handed out are shared: nobody may change them.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from apps.embedded.apiserver.checkpoints import MOST_PAGES, Checkpoints

Object = dict[str, Any]
HISTORY = 1024
WATCH_QUEUE = 4096


class Compacted(Exception):
    """The revision asked for is older than what the store remembers."""

    def __init__(self, wanted: int, oldest: int) -> None:
        super().__init__(f"{wanted} < {oldest}")
        self.wanted = wanted
        self.oldest = oldest


@dataclass(frozen=True)
class Revision:
    """One write. ``old`` is None for a creation; for a deletion ``new`` is None and ``last`` the deleted object."""

    number: int
    resource: str
    namespace: str
    name: str
    old: Object | None
    new: Object | None
    last: Object


class Subscription:
    """Revisions of one resource from now on. When its reader falls too far behind it overflows and ends."""

    def __init__(self) -> None:
        self._queue: deque[Revision] = deque()
        self._ready = asyncio.Event()
        self.overflowed = False

    def push(self, revision: Revision) -> None:
        if len(self._queue) >= WATCH_QUEUE:
            self.overflowed = True
        else:
            self._queue.append(revision)
        self._ready.set()

    def wake(self) -> None:
        self._ready.set()

    @property
    def waiting(self) -> bool:
        """Whether revisions came that were not taken."""
        return bool(self._queue)

    async def wait(self, timeout_s: float) -> bool:
        """Until something comes or it has overflowed; False: nothing did within ``timeout_s`` seconds."""
        if not self._queue and not self.overflowed:
            self._ready.clear()
            try:
                async with asyncio.timeout(max(0.0, timeout_s)):
                    await self._ready.wait()
            except TimeoutError:
                return False
        return True

    def take(self) -> list[Revision]:
        """What came since the last call."""
        taken = list(self._queue)
        self._queue.clear()
        return taken


class Store:
    def __init__(self, path: Path | None) -> None:
        """``path``: the database file, made when absent; None keeps everything in memory (tests)."""
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(f"PRAGMA wal_autocheckpoint={MOST_PAGES}")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS objects (resource TEXT, namespace TEXT, name TEXT, body BLOB NOT NULL,"
            " PRIMARY KEY (resource, namespace, name)) WITHOUT ROWID"
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER)")
        self._db.execute("INSERT OR IGNORE INTO counter VALUES (1, 1)")
        self.revision: int = self._db.execute("SELECT revision FROM counter").fetchone()[0]
        self._index: dict[str, dict[str, dict[str, Object]]] = {}
        for resource, namespace, name, body in self._db.execute("SELECT * FROM objects"):
            self._collection(resource, namespace)[name] = orjson.loads(body)
        self._checkpoints = Checkpoints(path) if path is not None else None
        self._history: deque[Revision] = deque()
        self._oldest = self.revision
        self._oldest_of: dict[str, int] = {}
        self._subscriptions: dict[str, set[Subscription]] = {}

    def close(self) -> None:
        for resource in self._subscriptions:
            self._end_watches(resource)
        if self._checkpoints is not None:
            self._checkpoints.close()
        self._db.close()

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        return self._index.get(resource, {}).get(namespace, {}).get(name)

    def objects(self, resource: str, namespace: str | None = None) -> list[Object]:
        """All objects of a resource (in one namespace, or in all), ordered by namespace and name."""
        by_namespace = self._index.get(resource, {})
        names = sorted(by_namespace) if namespace is None else [namespace]
        return [obj for ns in names for _, obj in sorted(by_namespace.get(ns, {}).items())]

    def objects_at(self, revision: int, resource: str, namespace: str | None = None) -> list[Object]:
        """The same as it was right after ``revision``. Compacted when that is forgotten."""
        if revision >= self.revision:
            return self.objects(resource, namespace)
        self._check(revision, resource)
        then: dict[tuple[str, str], Object | None] = {}
        for past in reversed(self._history):
            if past.number <= revision:
                break
            if past.resource == resource and namespace in (None, past.namespace):
                then[past.namespace, past.name] = past.old
        now = {_key(obj): obj for obj in self.objects(resource, namespace)}
        merged = {**now, **then}
        return [obj for _, obj in sorted(merged.items(), key=lambda item: item[0]) if obj is not None]

    def put(self, resource: str, namespace: str, name: str, obj: Object) -> Object:
        """Create or replace; sets metadata.resourceVersion on ``obj``, which the store owns from now on."""
        old = self.get(resource, namespace, name)
        number = self.revision + 1
        obj["metadata"]["resourceVersion"] = str(number)
        body = orjson.dumps(obj)
        with self._transaction(number):
            self._db.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", (resource, namespace, name, body))
        if self._checkpoints is not None:
            self._checkpoints.written(len(body))
        self._collection(resource, namespace)[name] = obj
        self._publish(Revision(number, resource, namespace, name, old, obj, obj))
        return obj

    def delete(self, resource: str, namespace: str, name: str, last: Object | None = None) -> Object:
        """Remove; the answer is the last state (``last`` if given), with the revision of the deletion."""
        old = self._index[resource][namespace][name]
        number = self.revision + 1
        final = {**(last or old)}
        final["metadata"] = {**final["metadata"], "resourceVersion": str(number)}
        with self._transaction(number):
            self._db.execute(
                "DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?", (resource, namespace, name)
            )
        del self._index[resource][namespace][name]
        self._publish(Revision(number, resource, namespace, name, old, None, final))
        return final

    def since(self, revision: int, resource: str) -> Iterator[Revision]:
        """Revisions of a resource after ``revision``. Compacted when not all of them are remembered."""
        self._check(revision, resource)
        return iter([past for past in self._history if past.number > revision and past.resource == resource])

    def subscribe(self, resource: str) -> Subscription:
        subscription = Subscription()
        self._subscriptions.setdefault(resource, set()).add(subscription)
        return subscription

    def unsubscribe(self, resource: str, subscription: Subscription) -> None:
        self._subscriptions.get(resource, set()).discard(subscription)

    def compact(self) -> None:
        """Forget all revisions before now."""
        self._history.clear()
        self._oldest = self.revision

    def reread(self, resource: str, read: Callable[[Object], Object]) -> None:
        """From now on objects of a resource are what ``read`` makes of them. Watches end, and the past is forgotten.

        That is no write: their revisions stay, and what is kept in the file, too.
        """
        for collection in self._index.get(resource, {}).values():
            for name, obj in collection.items():
                collection[name] = read(obj)
        self._oldest_of[resource] = self.revision
        self._end_watches(resource)

    def _check(self, revision: int, resource: str) -> None:
        oldest = max(self._oldest, self._oldest_of.get(resource, 0))
        if revision < oldest:
            raise Compacted(revision, oldest)

    def _end_watches(self, resource: str) -> None:
        for subscription in self._subscriptions.get(resource, ()):
            subscription.overflowed = True
            subscription.wake()

    def _transaction(self, number: int) -> _Transaction:
        return _Transaction(self._db, number)

    def _publish(self, revision: Revision) -> None:
        self.revision = revision.number
        self._history.append(revision)
        while len(self._history) > HISTORY:
            self._oldest = self._history.popleft().number
        for subscription in self._subscriptions.get(revision.resource, ()):
            subscription.push(revision)

    def _collection(self, resource: str, namespace: str) -> dict[str, Object]:
        return self._index.setdefault(resource, {}).setdefault(namespace, {})


class _Transaction:
    """One write together with the counter: both or neither."""

    def __init__(self, db: sqlite3.Connection, number: int) -> None:
        self._db = db
        self._number = number

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed is not None:
            self._db.execute("ROLLBACK")
            return
        self._db.execute("UPDATE counter SET revision = ?", (self._number,))
        self._db.execute("COMMIT")


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
