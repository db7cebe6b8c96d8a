"""Warm standby: which engine pods sleep, which serve, and the next step of each on its way there.

A sleeper has left the routing and has nothing to do before it is put to sleep: falling asleep ends what runs. What an
engine does is read from its own `vllm:engine_sleep_state`, never from what was asked of it. Each step may be the last
one that happens; the next look goes on from what is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from apps.core.domain.conditions import Condition

__all__ = ["EnginePod", "Page", "State", "Step", "condition", "page_of", "steps"]

State = Literal["awake", "asleep", "unknown"]
Verb = Literal["unroute", "sleep", "wake", "route", "restart"]
# an engine that does not tell is asked to wake all the same after so long out of the routing, and made anew later
UNREAD_SECONDS = 15.0
LOST_SECONDS = 60.0


@dataclass(frozen=True)
class EnginePod:
    """One ready engine pod. `routed`: requests are sent to it; `left`: seconds since it left the routing, None while it
    has not; `state`: what its engine says; `busy`: requests that run or wait in it; `ended`: those that have ended
    since it started, which tells of work between two looks. None where that cannot be read."""

    name: str
    routed: bool
    left: float | None
    state: State
    busy: int | None
    ended: float | None = None


@dataclass(frozen=True)
class Page:
    """What an engine says of itself, as in `EnginePod`."""

    state: State
    busy: int | None = None
    ended: float | None = None


@dataclass(frozen=True)
class Step:
    """What is to be done with a pod now, and why, as a sentence for people. `abort`: what still runs there ends."""

    verb: Verb
    pod: str
    why: str
    abort: bool = False


def steps(pods: Iterable[EnginePod], *, awake: int, asleep: int, patience: float) -> list[Step]:
    """The next step of each pod that is not yet as wanted: `awake` of them serve before any of `asleep` sleeps.

    `patience`: seconds that requests are given to end once the pod has left the routing; what runs longer is aborted,
    as it is when a pod is deleted. Whether an engine is idle must be known: nothing sleeps on a guess.
    """
    found = sorted(pods, key=_sleepiness)
    resting = max(0, min(asleep, len(found) - awake))
    todo = []
    for place, pod in enumerate(found):
        step = _to_sleep(pod, patience) if place < resting else _to_serve(pod)
        if step is not None:
            todo.append(step)
    return todo


def _sleepiness(pod: EnginePod) -> tuple[int, int, int, str]:
    """Who sleeps already goes on sleeping, then who is on the way, then who has least to do."""
    return (pod.state != "asleep", pod.routed, pod.busy if pod.busy is not None else 1_000_000, pod.name)


def _to_sleep(pod: EnginePod, patience: float) -> Step | None:
    if pod.routed:
        return Step("unroute", pod.name, f"{pod.name} leaves the routing, to be put to sleep once it is idle")
    if pod.state != "awake":
        return None
    if pod.busy == 0:
        return Step("sleep", pod.name, f"{pod.name} has nothing left to do and goes to sleep")
    if pod.left is not None and pod.left > patience and pod.busy is not None:
        return Step(
            "sleep",
            pod.name,
            f"{pod.name} goes to sleep; {pod.busy} of its requests ran longer than the {patience:g} s of "
            "rollout.shutdownTimeout and end",
            abort=True,
        )
    return None


def _to_serve(pod: EnginePod) -> Step | None:
    if pod.state == "asleep":
        return Step("wake", pod.name, f"{pod.name} is woken")
    if pod.routed:
        return None
    if pod.state == "awake":
        return Step("route", pod.name, f"{pod.name} is awake and serves again")
    if pod.left is not None and pod.left > LOST_SECONDS:
        return Step("restart", pod.name, f"{pod.name} does not tell whether it sleeps; it is started anew")
    if pod.left is not None and pod.left > UNREAD_SECONDS:
        return Step("wake", pod.name, f"{pod.name} does not tell whether it sleeps; it is woken")
    return None


def condition(pods: Sequence[EnginePod], *, awake: int, asleep: int, generation: int, sharing: str = "") -> Condition:
    """`Standby`: True once as many sleep as are to. The message is what people read: who sleeps and what wakes it.
    `sharing`: whose turn it is on the accelerators, where the pool does not have them for itself."""
    sleeping = sum(pod.state == "asleep" for pod in pods)
    unread = sum(pod.state == "unknown" for pod in pods)
    if unread:
        said = f"{_engines(unread)} cannot be asked whether it sleeps"
        return Condition("Standby", "Unknown", "StateUnread", said, generation)
    if not asleep and not sleeping:
        return Condition("Standby", "False", "Awake", sharing or "no engine is to sleep", generation)
    if sleeping == asleep:
        served = f"{_engines(awake)} serve" if awake else "none serves"
        said = (
            f"{_engines(sleeping)} asleep, weights in host memory; {served}; {sharing}"
            if sharing
            else f"{_engines(sleeping)} asleep, weights in host memory, accelerators held; {served}; "
            "the first request wakes it in about a second"
        )
        return Condition("Standby", "True", "Asleep", said, generation)
    reason = "FallingAsleep" if sleeping < asleep else "Waking"
    return Condition("Standby", "False", reason, f"{sleeping} of {asleep} engines sleep", generation)


def _engines(count: int) -> str:
    return "1 engine" if count == 1 else f"{count} engines"


def page_of(samples: Iterable[tuple[str, dict[str, str], float]]) -> Page:
    """An engine's samples (name, labels, value) read. Asleep when all of its ranks are."""
    awake: list[float] = []
    busy: dict[str, float] = {}
    ended: float | None = None
    for name, labels, value in samples:
        if name == "vllm:engine_sleep_state" and labels.get("sleep_state") == "awake":
            awake.append(value)
        elif name in ("vllm:num_requests_running", "vllm:num_requests_waiting"):
            busy[name] = busy.get(name, 0.0) + value
        elif name == "vllm:request_success_total":
            ended = (ended or 0.0) + value
    state: State = "unknown" if not awake else "awake" if all(value > 0 for value in awake) else "asleep"
    return Page(state, int(sum(busy.values())) if len(busy) == 2 else None, ended)
