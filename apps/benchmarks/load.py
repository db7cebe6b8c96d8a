"""Playing a plan against a server that speaks OpenAI's API: open loop, streaming, measured at the client."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from apps.benchmarks.domain.outcomes import SHED, Outcome
from apps.benchmarks.domain.workloads import FIRST_TOKEN, PlannedRequest, Segment, segment_tokens

MOST_ERROR_BYTES = 4096
# of the end of an answer, where usage and [DONE] are
TAIL_BYTES = 4096
_TOKEN_EVENT = b'"choices":[{'
_DONE = b"data: [DONE]"
_USAGE = re.compile(rb'"usage":\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)?\})')


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go. `base_url` is the server's (with or without /v1), `api` is "completions" (prompts as token
    ids: exact lengths) or "chat" (prompts as words)."""

    base_url: str
    model: str
    api: str = "completions"
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 600.0
    ignore_eos: bool = True

    @property
    def url(self) -> str:
        base = self.base_url.rstrip("/").removesuffix("/v1")
        return base + ("/v1/chat/completions" if self.api == "chat" else "/v1/completions")


async def served_model(base_url: str, headers: Mapping[str, str]) -> str:
    """The first model that the server lists. Raises aiohttp.ClientError, or ValueError when it lists none."""
    url = base_url.rstrip("/").removesuffix("/v1") + "/v1/models"
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session,
        session.get(url, headers=dict(headers)) as response,
    ):
        if response.status != 200:
            raise ValueError(f"{url} answered {response.status}: {(await response.text())[:200]}")
        listed = orjson.loads(await response.read()).get("data") or []
    if not listed:
        raise ValueError(f"{url} lists no model")
    return str(listed[0]["id"])


@dataclass(frozen=True, slots=True)
class Watching:
    """Who wants to hear of it while it goes on: `sent` (seconds after the start) of each request, `ended` of each
    outcome, failed and shed ones too; not of those that are cut off when the player itself is cancelled."""

    sent: Callable[[float], None] = lambda _: None
    ended: Callable[[Outcome], None] = lambda _: None


async def play(
    target: Target,
    plan: Iterable[PlannedRequest],
    *,
    most_inflight: int = 1024,
    progress: Callable[[int, int], None] | None = None,
    watching: Watching | None = None,
    least: float = 0.0,
) -> tuple[list[Outcome], float]:
    """Send every request of `plan` at its time and wait for all answers; the outcomes in order, and the seconds taken.

    A request that is due while `most_inflight` are unanswered is not sent but counted as shed. `progress` is called
    with (answered, in flight) about once a second. `least`: seconds that it takes at least, with silence at the end.
    """
    watching = watching or Watching()
    begun = time.monotonic()
    outcomes: list[Outcome] = []
    running: set[asyncio.Task[None]] = set()
    async with _session(target, most_inflight) as session:
        reporter = asyncio.create_task(_report(progress, outcomes, running)) if progress else None
        try:
            for request in plan:
                body = _body(target, request)
                await asyncio.sleep(max(0.0, begun + request.at - time.monotonic()))
                now = time.monotonic() - begun
                outcome = Outcome(request.at, now, request.prompt_tokens)
                outcomes.append(outcome)
                if len(running) >= most_inflight:
                    outcome.error = SHED
                    watching.ended(outcome)
                    continue
                watching.sent(now)
                task = asyncio.create_task(_send(session, target, body, outcome, begun, watching))
                running.add(task)
                task.add_done_callback(running.discard)
            if running:
                await asyncio.wait(set(running))
            await asyncio.sleep(max(0.0, begun + least - time.monotonic()))
        finally:
            if reporter is not None:
                reporter.cancel()
            for task in list(running):
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
    return outcomes, time.monotonic() - begun


async def play_users(
    target: Target,
    requests: Iterator[PlannedRequest],
    *,
    users: int,
    seconds: float,
    pause: float = 0.0,
    watching: Watching,
) -> float:
    """`users` who each ask the next of `requests`, wait for the answer and then for `pause` seconds, until `seconds`
    are over or nothing is left to ask; answers that are under way are waited for. The seconds taken.

    Who was refused waits for a second at least, so that a server that is down is not asked as fast as it refuses.
    """
    begun = time.monotonic()

    async def user(session: aiohttp.ClientSession) -> None:
        while (now := time.monotonic() - begun) < seconds and (request := next(requests, None)) is not None:
            outcome = Outcome(now, now, request.prompt_tokens)
            watching.sent(now)
            await _send(session, target, _body(target, request), outcome, begun, watching)
            rest = pause if outcome.error is None else max(pause, 1.0)
            await asyncio.sleep(max(0.0, min(rest, begun + seconds - time.monotonic())))

    async with _session(target, users) as session, asyncio.TaskGroup() as group:
        for _ in range(users):
            group.create_task(user(session))
    return time.monotonic() - begun


def _session(target: Target, most_inflight: int) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=most_inflight + 16, force_close=False, keepalive_timeout=15)
    return aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(total=target.timeout, sock_connect=10)
    )


async def _report(
    progress: Callable[[int, int], None], outcomes: list[Outcome], running: set[asyncio.Task[None]]
) -> None:
    while True:
        await asyncio.sleep(1)
        progress(len(outcomes) - len(running), len(running))


async def _send(
    session: aiohttp.ClientSession, target: Target, body: bytes, outcome: Outcome, begun: float, watching: Watching
) -> None:
    headers = {"Content-Type": "application/json", **target.headers}
    try:
        async with session.post(target.url, data=body, headers=headers, allow_redirects=False) as response:
            if response.status == 200:
                await _read(response, outcome, begun)
            else:
                outcome.error = f"HTTP {response.status}: {await _sentence(response)}"
    except TimeoutError:
        outcome.error = f"no whole answer within {target.timeout:.0f} s"
    except aiohttp.ClientConnectorError as error:
        outcome.error = f"cannot connect: {error.os_error.strerror or error.os_error}"
    except (aiohttp.ClientError, OSError) as error:
        outcome.error = f"connection lost: {type(error).__name__}"
    watching.ended(outcome)


async def _read(response: aiohttp.ClientResponse, outcome: Outcome, begun: float) -> None:
    tail, seen = b"", 0
    async for chunk in response.content.iter_any():
        now = time.monotonic() - begun
        # an event may be cut between two chunks
        count = chunk.count(_TOKEN_EVENT) + _across(tail, chunk)
        outcome.token_times += [now] * count
        seen += count
        tail = (tail + chunk)[-TAIL_BYTES:]
    outcome.ended_at = time.monotonic() - begun
    outcome.output_tokens = seen
    if _DONE not in tail:
        outcome.error = "the stream ended without [DONE]"
    elif b'"finish_reason":"abort"' in tail:
        outcome.error = "aborted by the server"
    found = _USAGE.findall(tail)
    if found:
        usage: dict[str, Any] = orjson.loads(found[-1])
        outcome.output_tokens = int(usage.get("completion_tokens") or seen)
        outcome.prompt_tokens = int(usage.get("prompt_tokens") or outcome.prompt_tokens)
        details = usage.get("prompt_tokens_details") or {}
        outcome.cached_tokens = details.get("cached_tokens")


def _across(tail: bytes, chunk: bytes) -> int:
    """1 when a token event begins in `tail` and ends in `chunk`."""
    width = len(_TOKEN_EVENT) - 1
    return (tail[-width:] + chunk[:width]).count(_TOKEN_EVENT)


async def _sentence(response: aiohttp.ClientResponse) -> str:
    raw = await response.content.read(MOST_ERROR_BYTES)
    try:
        error = orjson.loads(raw)["error"]
        return str(error.get("message") if isinstance(error, dict) else error)[:200]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return raw.decode("utf-8", "replace").strip().split("\n")[0][:200]


def _body(target: Target, request: PlannedRequest) -> bytes:
    common = {
        "model": target.model,
        "max_tokens": request.output_tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if target.ignore_eos:
        common["ignore_eos"] = True
    if target.api == "chat":
        return orjson.dumps({**common, "messages": _messages(request.prompt)})
    tokens = [token for segment in request.prompt for token in segment_tokens(segment)]
    return orjson.dumps({**common, "prompt": tokens})


def _messages(prompt: tuple[Segment, ...]) -> list[dict[str, str]]:
    """A system message of all segments but the last, and a user message of the last; a word stands for a token."""
    texts = [" ".join(map(_word, segment_tokens(segment))) for segment in prompt]
    system = [{"role": "system", "content": " ".join(texts[:-1])}] if len(texts) > 1 else []
    return [*system, {"role": "user", "content": texts[-1] if texts else ""}]


def _word(token: int) -> str:
    number, letters = token - FIRST_TOKEN, ""
    for _ in range(4):
        number, digit = divmod(number, 26)
        letters += chr(97 + digit)
    return letters
