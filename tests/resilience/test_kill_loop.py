"""Workers, servers and the API server are killed in a loop while a person changes a pool's spec again and again.

In the end the pool is healthy on the last spec, with a history of exactly the changes that were asked for, in order,
and one of each object. The form of `make test` lasts under a minute; `make soak` takes five.
"""

from __future__ import annotations

import copy
import json
import os
import random
import signal
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.stack import RunningStack, run_stack
from tests.support.wait import wait_until

POOL = "/api/v1/teams/default/pools/chat"
VICTIMS = ("worker", "web", "apiserver", "informers", "beat", "controllers", "kubelet", "valkey", "postgres")
# what answers people: killed at each of its starts, before it serves, nobody could ever be served
SERVING = ("web", "postgres")
PAUSE_SECONDS = 2.0
PATIENCE_SECONDS = 90.0


@pytest.fixture
def stack() -> Iterator[RunningStack]:
    with run_stack() as running:
        yield running


@pytest.mark.timeout(900)
def test_a_minute_of_kills_loses_no_change(stack: RunningStack) -> None:
    kill_and_change(stack, seconds=40, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_five_minutes_of_kills_lose_no_change(stack: RunningStack) -> None:
    kill_and_change(stack, seconds=300, seed=int(os.environ.get("SOAK_SEED", "2")))


def kill_and_change(stack: RunningStack, *, seconds: float, seed: int) -> None:
    person = Person(stack)
    before = person.history()
    over = threading.Event()
    changing = threading.Thread(target=person.change_until, args=(over,), name="person", daemon=True)
    changing.start()
    killed = kill_in_turn(stack, seconds, random.Random(seed), person)
    # as many changes as were meant for that time, however slow the machine was meanwhile
    enough = seconds / 15
    wait_until(
        lambda: person.failure or len(person.asked) >= enough, timeout=PATIENCE_SECONDS, message=f"{enough:.1f} changes"
    )
    over.set()
    changing.join(2 * PATIENCE_SECONDS)
    assert not changing.is_alive()
    assert person.failure is None, person.failure
    asked = person.asked
    assert len(asked) >= enough, f"{len(asked)} changes in {seconds:.0f} s"
    assert set(killed) >= {"worker", "web", "apiserver"}, killed

    pool = stack.wait_healthy(timeout=240, desired=2, ready=2)
    assert pool["spec"] == asked[-1]
    assert pool["metadata"]["generation"] == len(before) + len(asked)
    history = person.history()
    assert history[: len(before)] == before, "what was is as it was"
    assert history[len(before) :] == asked, "exactly the changes that were asked for, in their order"
    one_of_each(stack, pool)
    said = json.loads(stack.lamp("get", "pool", "chat", "-o", "json").stdout)
    assert said["status"]["observedGeneration"] == pool["metadata"]["generation"]


def kill_in_turn(stack: RunningStack, seconds: float, chance: random.Random, person: Person) -> Counter[str]:
    """Every part once in an order by chance, then anew; a part that is still coming back is left alone."""
    killed: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name in chance.sample(VICTIMS, len(VICTIMS)):
            if time.monotonic() > end and set(killed) >= {"worker", "web", "apiserver"}:
                break
            if person.failure is not None:
                return killed
            running = stack.children().get(name)
            if not running or (name in SERVING and not answers(stack)):
                continue
            os.kill(running[0], signal.SIGKILL)
            killed[name] += 1
            time.sleep(PAUSE_SECONDS * chance.uniform(0.5, 1.0))  # the pace of the trouble, not a wait for anything
    for name in killed:
        wait_until(lambda name=name: stack.children().get(name), message=f"{name} runs again")
    return killed


def answers(stack: RunningStack) -> bool:
    try:
        stack.get("/readyz", timeout=3)
    except (OSError, ValueError):
        return False
    return True


def one_of_each(stack: RunningStack, pool: dict[str, Any]) -> None:
    """No object is there twice, none is left of an older spec, and no pod but those that are wanted."""
    label = f"lamplight.dev/pool-uid={pool['metadata']['uid']}"
    listed = stack.kubectl(
        "get", "deployments,services,poddisruptionbudgets,configmaps", "-A", "-l", label, "-o", "json"
    )
    items = json.loads(listed.stdout)["items"]
    names = Counter((item["kind"], item["metadata"]["name"]) for item in items)
    assert set(names.values()) == {1}
    hashes = {item["metadata"]["labels"]["lamplight.dev/generation"] for item in items if item["kind"] == "Deployment"}
    assert hashes, names

    def pods() -> bool:
        found = json.loads(stack.kubectl("get", "pods", "-n", "serving", "-l", label, "-o", "json").stdout)["items"]
        engines = [pod for pod in found if pod["metadata"]["labels"].get("app.kubernetes.io/component") == "engine"]
        return len(engines) == 2

    wait_until(pods, message="the engines of older specs are gone", step=0.5)


class Person:
    """Somebody who changes a pool, one change after another, and does not rest until each is accepted once."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self.asked: list[dict[str, Any]] = []
        self.failure: BaseException | None = None

    def change_until(self, over: threading.Event) -> None:
        try:
            number = 0
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
