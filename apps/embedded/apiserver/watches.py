"""Watches: the past from the history, then what happens, as one stream of events."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

from apps.embedded.apiserver.call import Call
from apps.embedded.apiserver.domain.faults import Rule
from apps.embedded.apiserver.domain.request import ListOptions, parse_list_options
from apps.embedded.apiserver.domain.status import ApiError, expired
from apps.embedded.apiserver.lists import matcher
from apps.embedded.apiserver.store import Compacted, Revision, Store, Subscription

Object = dict[str, Any]
Event = tuple[str, Object]
MIN_TIMEOUT_S = 1800
BOOKMARK_EVERY_S = 60.0
BOOKMARK_BEFORE_END_S = 2.0
INITIAL_EVENTS_END = "k8s.io/initial-events-end"
# after it was told something a watch waits so long for more: each telling costs the server several times what one
# more event in it does. Who is told of nothing else is told at once
GATHER_S = 0.02
MOST_TOGETHER = 100


def watch(store: Store, call: Call) -> AsyncGenerator[list[Event], None]:
    """A stream of (type, object), some together, until the timeout. A position that is forgotten gives one ERROR with a
    410 Status.

    Raises ApiError at once, before the stream begins, when the request makes no sense.
    """
    options = parse_list_options(call.query, watch=True)
    matches = matcher(call.resource, options, call.path.name)
    return _events(store, call, options, matches, _position(options))


async def faulty(batches: AsyncGenerator[list[Event], None], rule: Rule) -> AsyncGenerator[list[Event], None]:
    """The events with a scripted fault: the first ``rule.count`` are dropped or come twice, or the watch ends after so
    many, just so or with a 410."""
    seen = 0
    gone: Event = ("ERROR", expired("too old resource version: scripted").to_status())
    try:
        if rule.fault == "expire-watch" and rule.count == 0:
            yield [gone]
            return
        async for batch in batches:
            told: list[Event] = []
            for event in batch:
                seen += 1
                if rule.fault == "drop-events" and seen <= rule.count:
                    continue
                told.append(event)
                if rule.fault == "duplicate-events" and seen <= rule.count:
                    told.append(event)
                if rule.fault in ("break-watch", "expire-watch") and seen >= rule.count:
                    yield [*told, gone] if rule.fault == "expire-watch" else told
                    return
            yield told
    finally:
        await batches.aclose()


async def _events(
    store: Store, call: Call, options: ListOptions, matches: Callable[[Object], bool], position: int
) -> AsyncGenerator[list[Event], None]:
    namespace = call.path.namespace or None
    storage = call.resource.storage
    patience = options.timeout_s or random.uniform(1, 2) * MIN_TIMEOUT_S  # noqa: S311 - spreads the ends of watches
    deadline = asyncio.get_running_loop().time() + patience
    subscription = store.subscribe(storage)
    try:
        sent = store.revision
        if options.send_initial_events is True or (options.send_initial_events is None and not position):
            present = [obj for obj in store.objects(storage, namespace) if matches(obj)]
            for first in range(0, len(present), MOST_TOGETHER):
                yield [("ADDED", obj) for obj in present[first : first + MOST_TOGETHER]]
            if options.bookmarks and options.send_initial_events:
                yield [("BOOKMARK", _bookmark(call, sent, {INITIAL_EVENTS_END: "true"}))]
        elif position:
            try:
                past = list(store.since(position, storage))
            except Compacted as compacted:
                yield [("ERROR", expired(f"too old resource version: {position} ({compacted.oldest})").to_status())]
                return
            sent = max(sent, position)
            for first in range(0, len(past), MOST_TOGETHER):
                yield _told(past[first : first + MOST_TOGETHER], namespace, matches)
        async for batch in _live(store, call, options, subscription, matches, namespace, sent, deadline):
            yield batch
    finally:
        store.unsubscribe(storage, subscription)


async def _live(
    store: Store,
    call: Call,
    options: ListOptions,
    subscription: Subscription,
    matches: Callable[[Object], bool],
    namespace: str | None,
    sent: int,
    deadline: float,
) -> AsyncIterator[list[Event]]:
    loop = asyncio.get_running_loop()
    started = loop.time()
    last_bookmark = deadline - BOOKMARK_BEFORE_END_S
    next_bookmark = min(started + BOOKMARK_EVERY_S, last_bookmark)
    if not options.bookmarks or last_bookmark <= started:
        next_bookmark = deadline
    told_at = float("-inf")
    while (now := loop.time()) < deadline:
        if await subscription.wait(min(next_bookmark, deadline) - now):
            early = told_at + GATHER_S - loop.time()
            if early > 0:
                await asyncio.sleep(early)
            taken = [revision for revision in subscription.take() if revision.number > sent]
            sent = taken[-1].number if taken else sent
            if told := _told(taken, namespace, matches):
                told_at = loop.time()
                yield told
        if subscription.overflowed:
            return
        now = loop.time()
        if options.bookmarks and next_bookmark < deadline and now >= next_bookmark:
            # writes may come whenever the reader is slow to take what we yield: none of them is behind the bookmark
            if not subscription.waiting and store.revision > sent:
                sent = store.revision
                yield [("BOOKMARK", _bookmark(call, sent, {}))]
            next_bookmark = last_bookmark if now < last_bookmark <= now + BOOKMARK_EVERY_S else now + BOOKMARK_EVERY_S
            if now >= last_bookmark:
                next_bookmark = deadline


def _told(revisions: list[Revision], namespace: str | None, matches: Callable[[Object], bool]) -> list[Event]:
    events = (_event(revision, namespace, matches) for revision in revisions)
    return [event for event in events if event is not None]


def _event(revision: Revision, namespace: str | None, matches: Callable[[Object], bool]) -> Event | None:
    """What a watcher with this selector sees of a write: objects enter and leave its view."""
    if namespace is not None and revision.namespace != namespace:
        return None
    before = revision.old is not None and matches(revision.old)
    after = revision.new is not None and matches(revision.new)
    if after:
        assert revision.new is not None
        return ("MODIFIED" if before else "ADDED"), revision.new
    if not before:
        return None
    if revision.new is None:
        return "DELETED", revision.last
    assert revision.old is not None
    gone = {**revision.old, "metadata": {**revision.old["metadata"], "resourceVersion": str(revision.number)}}
    return "DELETED", gone


def _bookmark(call: Call, revision: int, annotations: dict[str, str]) -> Object:
    metadata: Object = {"resourceVersion": str(revision)}
    if annotations:
        metadata["annotations"] = annotations
    return {"kind": call.resource.kind, "apiVersion": call.resource.api_version, "metadata": metadata}


def _position(options: ListOptions) -> int:
    version = options.resource_version
    if version in ("", "0"):
        return 0
    if not version.isdecimal():
        why = f'strconv.ParseUint: parsing "{version}": invalid syntax'
        raise ApiError(500, "", f'resourceVersion: Invalid value: "{version}": {why}')
    return int(version)
