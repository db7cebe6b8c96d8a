"""A load in a process of its own, so that thousands of streams do not slow the worker that reconciles.

    python -m apps.benchmarks.child

The first line of its input is an Order as JSON; `stop` on a line of its own ends it early, and so does the end of the
input: who started it is gone. Each second it writes one JSON line, {"measured": …}, and at the end a last one with
"ended": "done" or "stopped".
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.benchmarks.domain.asking import MOST_INFLIGHT, LoadBody
from apps.benchmarks.domain.outcomes import Outcome
from apps.benchmarks.domain.tally import Promise, Tally
from apps.benchmarks.load import Target, Watching, play, play_users

__all__ = ["Order", "main"]

_STEP = 1.0


@dataclass(frozen=True)
class Order:
    """What to send where. `seed` stands for the body's own where that has none."""

    base_url: str
    model: str
    body: LoadBody
    promises: tuple[Promise, ...]
    seed: int

    def to_line(self) -> bytes:
        promises = [promise.to_json() for promise in self.promises]
        document = {"baseUrl": self.base_url, "model": self.model, "body": self.body.to_document(),
                    "promises": promises, "seed": self.seed}  # fmt: skip
        return json.dumps(document).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Order:
        value: Mapping[str, Any] = json.loads(line)
        promises = tuple(map(Promise.from_json, value["promises"]))
        body = LoadBody.from_document(value["body"], at="")
        return cls(value["baseUrl"], value["model"], body, promises, value["seed"])


def main() -> None:
    os.nice(10)
    asyncio.run(_run())


async def _run() -> None:
    told = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin.buffer)
    order = Order.from_line(await told.readline())
    tally = Tally(order.promises, order.body.seconds)
    begun = time.monotonic()
    playing = asyncio.create_task(_play(order, tally))
    # anything that is said now, and silence, means the end
    word = asyncio.create_task(told.readline())
    while not playing.done():
        await asyncio.wait({playing, word}, timeout=_STEP, return_when=asyncio.FIRST_COMPLETED)
        if word.done() and not playing.done():
            playing.cancel()
            await asyncio.wait({playing})
            break
        if not playing.done():
            _say({"measured": tally.to_json(time.monotonic() - begun)})
    how = "stopped" if playing.cancelled() else "done"
    if how == "done":
        playing.result()
    _say({"ended": how, "measured": tally.to_json(time.monotonic() - begun, over=True)})
    word.cancel()


async def _play(order: Order, tally: Tally) -> None:
    body = order.body
    target = Target(
        order.base_url, order.model, headers={"User-Agent": "lamplight-load"}, timeout=body.deadline.total_seconds()
    )

    def ended(outcome: Outcome) -> None:
        tally.ended(outcome)
        # counted; a long load would keep millions of them
        outcome.token_times = []

    watching = Watching(tally.sent, ended)
    requests = body.requests(order.seed)
    if body.users is None:
        await play(target, requests, most_inflight=MOST_INFLIGHT, watching=watching, least=body.seconds)
    else:
        await play_users(
            target, requests, users=body.users, seconds=body.seconds, pause=body.pause.total_seconds(),
            watching=watching,
        )  # fmt: skip


def _say(line: dict[str, Any]) -> None:
    try:
        print(json.dumps(line), flush=True)
    except BrokenPipeError:
        # nobody reads any more
        os._exit(1)


if __name__ == "__main__":
    main()
