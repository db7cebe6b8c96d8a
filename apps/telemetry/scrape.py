"""Reading many engines' `/metrics` at once, each within a deadline and a size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import aiohttp

from apps.core.domain.addresses import refused_inside
from apps.core.instruments import scrape_seconds, taken
from apps.telemetry.domain.classes import CLASS_LINES, TrafficClass, with_classes
from apps.telemetry.domain.engine import read_engine
from apps.telemetry.domain.exposition import ExpositionError, parse
from apps.telemetry.domain.gateway import read_gateway
from apps.telemetry.domain.readings import PageReading

__all__ = ["Scraped", "Target", "scrape_all"]

_ONE_SECONDS = 3.0
_ALL_SECONDS = 7.0
_MAX_BYTES = 8 * 1024 * 1024
_AT_ONCE = 64


@dataclass(frozen=True)
class Target:
    """One process: `key` (the pod's uid) lasts as long as the pod; `name` is for people; `url` its metrics page.

    `variant`: of an engine; an endpoint picker ("gateway") has none. `classes`: what a picker's page is read for beside
    all of its requests. `canary`: newer than other engines of its variant that run beside it.
    """

    key: str
    name: str
    variant: str
    url: str
    kind: Literal["engine", "gateway"] = "engine"
    namespace: str = ""
    classes: tuple[TrafficClass, ...] = ()
    canary: bool = False


_READERS: Mapping[str, tuple[Callable[[str], PageReading], str]] = {
    "engine": (read_engine, "an engine's"),
    "gateway": (read_gateway, "an endpoint picker's"),
}


@dataclass(frozen=True)
class Scraped:
    """`reading` None: it could not be read, `reason` is a sentence. `age`: seconds since the page was read, where that
    was done by somebody else; `refused`: it was that somebody who failed, for all targets alike."""

    reading: PageReading | None
    reason: str = ""
    age: float = 0.0
    refused: bool = False


async def scrape_all(
    targets: Sequence[Target], *, one_seconds: float = _ONE_SECONDS, all_seconds: float = _ALL_SECONDS
) -> dict[str, Scraped]:
    """Scrape concurrently; an answer for every target's key, within `all_seconds` whatever the engines do."""
    results = {
        target.key: Scraped(
            None, f"{target.name} was not reached: the tick had only {all_seconds:g} s for all engines."
        )
        for target in targets
    }
    if not targets:
        return results
    connector = aiohttp.TCPConnector(limit=_AT_ONCE)
    timeout = aiohttp.ClientTimeout(total=one_seconds)
    gate = asyncio.Semaphore(_AT_ONCE)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, headers={"Accept": "text/plain", "Accept-Encoding": "identity"}
    ) as session:

        async def one(target: Target) -> None:
            async with gate:
                with taken(scrape_seconds, kind=target.kind, result="failed") as labels:
                    results[target.key] = await _scrape(session, target, one_seconds)
                    if results[target.key].reading is not None:
                        labels["result"] = "read"

        tasks = [asyncio.create_task(one(target)) for target in targets]
        _, late = await asyncio.wait(tasks, timeout=all_seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return results


async def _scrape(session: aiohttp.ClientSession, target: Target, seconds: float) -> Scraped:
    read, whose = _READERS[target.kind]
    refused = refused_inside(urlsplit(target.url).hostname or "")
    if refused is not None:
        return Scraped(None, f"{target.name} is not scraped: its address {refused}.")
    try:
        async with session.get(target.url, allow_redirects=False) as answer:
            if answer.status != 200:
                return Scraped(None, f"{target.name} answered {answer.status} instead of its metrics.")
            page = bytearray()
            async for chunk in answer.content.iter_chunked(65536):
                page += chunk
                if len(page) > _MAX_BYTES:
                    return Scraped(None, f"{target.name} has a metrics page of more than {_MAX_BYTES // 2**20} MiB.")
        text = page.decode("utf-8", "replace")
        reading = read(text)
        if target.classes:
            reading = with_classes(reading, parse(text, CLASS_LINES), target.classes)
    except TimeoutError:
        return Scraped(None, f"{target.name} did not give its metrics within {seconds:g} s.")
    except (aiohttp.ClientError, OSError) as error:
        return Scraped(None, f"{target.name} cannot be reached for its metrics: {_short(error)}.")
    except ExpositionError as error:
        return Scraped(None, f"{target.name} has a metrics page that cannot be read: {error}")
    if not reading.found:
        return Scraped(None, f"{target.name} answers at {target.url}, but not with {whose} metrics.")
    return Scraped(reading)


def _short(error: Exception) -> str:
    cause = getattr(error, "os_error", error)
    return str(getattr(cause, "strerror", None) or cause or type(cause).__name__)
