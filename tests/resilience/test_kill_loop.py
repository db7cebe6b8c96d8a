"""Workers, servers and the API server are killed in a loop while a person changes a pool's spec again and again.

In the end the pool is healthy on the last spec, with a history of exactly the changes that were asked for, in order,
and one of each object. The form of `make test` lasts under a minute; `make soak` takes five.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.person import Person, changing
from tests.support.stack import RunningStack, run_stack
from tests.support.wait import wait_until

VICTIMS = ("worker", "web", "apiserver", "informers", "beat", "controllers", "kubelet", "valkey", "postgres")
# what answers people: killed at each of its starts, before it serves, nobody could ever be served
SERVING = ("web", "postgres")
PAUSE_SECONDS = 2.0


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
    with changing(stack, at_least=seconds / 15) as person:
        killed = kill_in_turn(stack, seconds, random.Random(seed), person)
    assert set(killed) >= {"worker", "web", "apiserver"}, killed
    pool = stack.pool()
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
