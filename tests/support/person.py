"""Somebody who goes on changing a pool whatever happens to the servers, and what must have become of it."""

from __future__ import annotations

import copy
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.stack import RunningStack
from tests.support.wait import wait_until

POOL = "/api/v1/teams/default/pools/chat"
PATIENCE_SECONDS = 90.0


@contextmanager
def changing(stack: RunningStack, *, at_least: float) -> Iterator[Person]:
    """Within the block a person changes the pool again and again, and after it until so many changes were made. Then
    the history has exactly those, in their order, and the pool is healthy on the last."""
    person = Person(stack)
    before = person.history()
    generation = stack.pool()["metadata"]["generation"]
    over = threading.Event()
    thread = threading.Thread(target=person.change_until, args=(over,), name="person", daemon=True)
    thread.start()
    try:
        yield person
        # as many changes as were meant for that time, however slow the machine was meanwhile
        wait_until(
            lambda: person.failure or len(person.asked) >= at_least,
            timeout=PATIENCE_SECONDS,
            message=f"{at_least:.1f} changes",
        )
    finally:
        over.set()
        thread.join(2 * PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert person.failure is None, person.failure
    assert len(person.asked) >= at_least, f"{len(person.asked)} changes"

    pool = stack.wait_healthy(timeout=240, desired=2, ready=2)
    assert pool["spec"] == person.asked[-1]
    assert pool["metadata"]["generation"] == generation + len(person.asked)
    history = person.history()
    assert history[: len(before)] == before, "what was is as it was"
    assert history[len(before) :] == person.asked, "exactly the changes that were asked for, in their order"


class Person:
    """Somebody who changes a pool, one change after another, and does not rest until each is accepted once."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self.asked: list[dict[str, Any]] = []
        self.failure: BaseException | None = None

    def change_until(self, over: threading.Event) -> None:
        try:
            # no change is like one that somebody made of this pool before
            number = self._patiently("GET", POOL)["metadata"]["generation"]
            while not over.is_set():
                number += 1
                self._change(number)
                over.wait(1.0)
        except BaseException as error:
            self.failure = error

    def _change(self, number: int) -> None:
        held = self._patiently("GET", POOL)
        spec = copy.deepcopy(held["spec"])
        # by turns what restarts engines, what the picker reads, and what only the status knows
        if number % 4 == 1:
            spec["engine"]["args"] = [f"--max-model-len={8192 + 16 * number}"]
        elif number % 4 == 3:
            spec["routing"]["weights"]["queue"] = 2 + number
        else:
            spec["variants"][0]["replicas"]["max"] = 4 + number
        etag = f'"{held["metadata"]["uid"]}:{held["metadata"]["version"]}"'
        document = {**{k: v for k, v in held.items() if k != "status"}, "spec": spec}
        answer = self._patiently("PUT", POOL, document, etag)
        if answer is None:
            # refused as stale: an earlier try was accepted, and its answer was lost
            answer = self._patiently("GET", POOL)
        assert answer["spec"] == spec, f"change {number} was not accepted as it was asked for"
        assert answer["metadata"]["generation"] == held["metadata"]["generation"] + 1
        self.asked.append(spec)

    def history(self) -> list[dict[str, Any]]:
        """All revisions' specs, oldest first."""
        rows: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self._patiently("GET", f"{POOL}/revisions?limit=100{cursor}")
            rows += page["items"]
            if not page["next"]:
                return [row["spec"] for row in sorted(rows, key=lambda row: row["generation"])]
            cursor = f"&cursor={page['next']}"

    def _patiently(self, method: str, path: str, body: Any = None, etag: str = "") -> Any:
        """The answer once a server gives one; None: the document is not as it was (412)."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._send(method, path, body, etag)
            except urllib.error.HTTPError as refused:
                if refused.code == 412:
                    return None
                if refused.code < 500 and refused.code not in (401, 429):
                    raise AssertionError(f"{method} {path}: {refused.code} {refused.read()[:1000]!r}") from refused
                last: BaseException = refused
            except (OSError, ValueError, urllib.error.URLError) as broken:
                last = broken
            if time.monotonic() > deadline:
                raise AssertionError(f"{method} {path}: no answer in {PATIENCE_SECONDS:.0f} s") from last
            time.sleep(0.3)  # as a person's client would before it tries again

    def _send(self, method: str, path: str, body: Any, etag: str) -> Any:
        headers = {"Authorization": f"Bearer {self._stack.token}", "Content-Type": "application/json"}
        if etag:
            headers["If-Match"] = etag
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._stack.base_url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=15) as answer:
            return json.loads(answer.read())
