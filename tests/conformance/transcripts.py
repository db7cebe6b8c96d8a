"""Replays the recorded answers of a real API server (README beside the transcripts) against any server.

A replay needs only a base URL and tokens, so it can be pointed at an in-process server or at a whole cluster.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

PROJECT = Path(__file__).resolve().parents[2]
USER_AGENT = "conformance/1.0"
WATCH_OPENS_S = 0.3
WATCH_LASTS_S = 6
WATCH_OPENS_AT_MOST_S = 60
POLL_S = 0.2
HEADERS = ("content-type", "warning", "location", "allow", "www-authenticate", "retry-after")
_NUMBERED = r"\$(?:uid|rv|listrv|created|rand|hash|eventSuffix|continue|clusterIP|podIP|nodePort)\d+"
_UNNUMBERED = r"\$(?:time|microTime|node|hostIP|int|openapiHash|certificate|serverAddress|age|any)\b"
PLACEHOLDER = re.compile(f"{_NUMBERED}|{_UNNUMBERED}")
ANONYMOUS_FORM = {
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "microTime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "node": r"[a-z0-9.-]+",
    "hostIP": r"[0-9a-f.:]+",
    "int": r"\d+",
    "openapiHash": r"[0-9A-Za-z]+",
    "certificate": r"[\s\S]+",
    "serverAddress": r"[^\s\"/]+:\d+",
    "age": r"(?:\d+[smhdy])+|<unknown>|<invalid>",
    "any": r"[\s\S]*",
}
NUMBERED_FORM = {
    "uid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "rv": r"\d+",
    "listrv": r"\d+",
    "created": ANONYMOUS_FORM["time"],
    "rand": r"[bcdfghjklmnpqrstvwxz2456789]{5}",
    "hash": r"[a-z0-9]+",
    "eventSuffix": r"[0-9a-f]+",
    "continue": r"[A-Za-z0-9_=+/-]+",
    "clusterIP": r"[0-9a-f.:]+",
    "podIP": r"[0-9a-f.:]+",
    "nodePort": r"\d+",
}
MAY_COINCIDE = ("rv", "listrv", "podIP", "created")


class Mismatch(AssertionError):
    """An answer differs from the recorded one; the text lists where."""


def transcripts_folder() -> Path | None:
    """Where the transcripts lie (LAMPLIGHT_SHARED, or ../shared beside the project); None when they are not there."""
    shared = Path(os.environ.get("LAMPLIGHT_SHARED", PROJECT.parent / "shared"))
    folder = shared / "k8s" / "transcripts"
    return folder if folder.is_dir() else None


def load(name: str) -> dict[str, Any]:
    folder = transcripts_folder()
    assert folder is not None
    return json.loads((folder / f"{name}.json").read_text())


def names(*, controllers: bool) -> list[str]:
    """The names of all transcripts recorded with or without controllers; [] when there are none here."""
    folder = transcripts_folder()
    if folder is None:
        return []
    return sorted(path.stem for path in folder.glob("*.json") if load(path.stem)["controllers"] is controllers)


@dataclass
class Bindings:
    """What the placeholders of one file stand for."""

    values: dict[str, str] = field(default_factory=dict)

    def substitute(self, value: Any) -> Any:
        """A request with every bound placeholder replaced."""
        if isinstance(value, str):
            return PLACEHOLDER.sub(lambda match: self.values.get(match[0], match[0]), value)
        if isinstance(value, list):
            return [self.substitute(item) for item in value]
        if isinstance(value, dict):
            return {self.substitute(key): self.substitute(item) for key, item in value.items()}
        return value

    def match(self, pattern: str, actual: str) -> str | None:
        """Match a string, binding new placeholders; a sentence when it does not fit."""
        expression, groups = "", []
        position = 0
        seen: dict[str, str] = {}
        for found in PLACEHOLDER.finditer(pattern):
            expression += re.escape(pattern[position : found.start()])
            position = found.end()
            name = found[0][1:].rstrip("0123456789")
            if found[0][1:] in ANONYMOUS_FORM:
                expression += f"(?:{ANONYMOUS_FORM[found[0][1:]]})"
            elif found[0] in self.values:
                expression += re.escape(self.values[found[0]])
            elif found[0] in seen:
                expression += f"(?P={seen[found[0]]})"
            else:
                group = f"g{len(groups)}"
                seen[found[0]] = group
                groups.append((group, found[0], name))
                expression += f"(?P<{group}>{NUMBERED_FORM[name]})"
        expression += re.escape(pattern[position:])
        match = re.fullmatch(expression, actual)
        if match is None:
            return f"wanted {self.substitute(pattern)!r}, got {actual!r}"
        for group, placeholder, name in groups:
            value = match[group]
            taken = [known for known, bound in self.values.items() if bound == value and known[1:].startswith(name)]
            if name not in MAY_COINCIDE and any(known[1:].rstrip("0123456789") == name for known in taken):
                return f"{placeholder} is {value!r}, which is {taken[0]} already"
            self.values[placeholder] = value
        return None

    def differences(self, wanted: Any, actual: Any, path: str = "") -> list[str]:
        """Everything in which ``actual`` differs from ``wanted``."""
        if isinstance(wanted, str):
            if isinstance(actual, int) and not isinstance(actual, bool) and re.fullmatch(r"\$nodePort\d+", wanted):
                actual = str(actual)
            if not isinstance(actual, str):
                return [f"{path}: wanted {wanted!r}, got {actual!r}"]
            problem = self.match(wanted, actual)
            return [f"{path}: {problem}"] if problem else []
        if type(wanted) is not type(actual) and not (
            isinstance(wanted, (int, float)) and isinstance(actual, (int, float)) and not isinstance(actual, bool)
        ):
            return [f"{path}: wanted {wanted!r}, got {actual!r}"]
        if isinstance(wanted, dict):
            return self._object_differences(wanted, actual, path)
        if isinstance(wanted, list):
            found = []
            if len(wanted) != len(actual):
                found.append(
                    f"{path}: wanted {len(wanted)} items, got {len(actual)}: {_short(wanted)} / {_short(actual)}"
                )
            for index, (left, right) in enumerate(zip(wanted, actual, strict=False)):
                found += self.differences(left, right, f"{path}/{index}")
            return found
        return [] if wanted == actual else [f"{path}: wanted {wanted!r}, got {actual!r}"]

    def _object_differences(self, wanted: dict[str, Any], actual: dict[str, Any], path: str) -> list[str]:
        found = []
        left = dict(actual)
        pending = []
        for key, value in wanted.items():
            name = self.substitute(key)
            if name in left:
                found += self.differences(value, left.pop(name), f"{path}/{name}")
            elif PLACEHOLDER.search(name):
                pending.append((name, value))
            else:
                found.append(f"{path}/{name}: missing (wanted {_short(value)})")
        for pattern, value in pending:
            chosen = next((key for key in left if self.match(pattern, key) is None), None)
            if chosen is None:
                found.append(f"{path}/{pattern}: missing")
            else:
                found += self.differences(value, left.pop(chosen), f"{path}/{chosen}")
        found += [f"{path}/{key}: not wanted (got {_short(value)})" for key, value in left.items()]
        return found


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 300 else text[:300] + "..."


def pointer(value: Any, path: str) -> Any:
    """What a pointer of a transcript points at (``type=Ready`` picks from a list, ``#`` is a length); None: absent."""
    for part in [p.replace("~1", "/").replace("~0", "~") for p in path.strip("/").split("/") if p]:
        if part == "#" or part.endswith("#"):
            if part != "#":
                value = value.get(part[:-1]) if isinstance(value, dict) else None
            value = len(value) if value is not None else 0
        elif isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and "=" in part:
            key, _, wanted = part.partition("=")
            value = next((item for item in value if str(item.get(key)) == wanted), None)
        elif isinstance(value, list) and part.isdecimal():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return value


def _normalised(value: Any, *, managed: bool) -> Any:
    """managedFields sorted as the recording sorts them, or left out."""
    if isinstance(value, list):
        return [_normalised(item, managed=managed) for item in value if not _of_the_recorder(item)]
    if not isinstance(value, dict):
        return value
    result = {}
    is_column = {"name", "type", "format", "priority"} <= value.keys()
    for key, item in value.items():
        if is_column and key == "description":
            continue  # documentation, in words of our own
        if key == "managedFields" and isinstance(item, list):
            if not managed:
                continue
            order = ("operation", "manager", "apiVersion", "subresource")
            item = sorted(item, key=lambda entry: tuple(str(entry.get(name, "")) for name in order))
        result[key] = _normalised(item, managed=managed)
    return result


def _of_the_recorder(item: Any) -> bool:
    """A projected volume source that only the vendor's build adds, whose README names that ConfigMap as its trace."""
    return isinstance(item, dict) and (item.get("configMap") or {}).get("name") == "openshift-service-ca.crt"


def _unordered(value: Any, rules: dict[str, str]) -> None:
    for path, fields in rules.items():
        parts = path.strip("/").split("/")
        parent = pointer(value, "/".join(parts[:-1])) if len(parts) > 1 else value
        if isinstance(parent, dict) and isinstance(parent.get(parts[-1]), list):
            names = fields.split(",")
            parent[parts[-1]].sort(key=lambda item: tuple(str(pointer(item, name.strip())) for name in names))


@dataclass
class Answer:
    status: int
    headers: dict[str, Any]
    body: Any = None
    text: str | None = None
    events: list[Any] | None = None


class Replay:
    """Plays one transcript. ``compact`` is called for the control of that name."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        tokens: dict[str, str],
        *,
        compact: Callable[[], Awaitable[None]] | None = None,
        managed_fields: bool | None = None,
    ) -> None:
        self._session = session
        self._base = base_url.rstrip("/")
        self._tokens = tokens
        self._compact = compact
        self._managed = managed_fields
        self._bindings = Bindings()
        self._background: dict[str, asyncio.Task[Answer]] = {}

    async def play(self, transcript: dict[str, Any], *, differing: Collection[int] = ()) -> None:
        """Mismatch at the first step whose answer differs, and for a step in ``differing`` whose answer does not."""
        exact = transcript["managedFields"] == "exact" if self._managed is None else self._managed
        try:
            for number, step in enumerate(transcript["steps"]):
                try:
                    await self._step(step, exact)
                    if number in differing:
                        raise Mismatch("this step is listed as differing, but it matches: take it out of the list")
                except Mismatch as mismatch:
                    if number in differing and "take it out" not in str(mismatch):
                        continue
                    raise Mismatch(f"{transcript['name']} step {number} ({_title(step)}):\n{mismatch}") from None
        finally:
            for task in self._background.values():
                task.cancel()
            await asyncio.gather(*self._background.values(), return_exceptions=True)

    async def _step(self, step: dict[str, Any], exact: bool) -> None:
        if "sleepSeconds" in step:
            await asyncio.sleep(step["sleepSeconds"])
        elif "control" in step:
            assert step["control"] == "compact", step["control"]
            assert self._compact is not None, "this transcript needs a server whose store can be compacted"
            await self._compact()
        elif "background" in step:
            request = self._bindings.substitute(step["request"])
            # it must not end before what it is to tell of has happened
            lasts = max(int(request["query"]["timeoutSeconds"]), WATCH_LASTS_S)
            request["query"]["timeoutSeconds"] = str(lasts)
            opened = asyncio.Event()
            task = asyncio.create_task(self._send(request, opened))
            self._background[step["background"]] = task
            # what comes next must find it open, however busy this machine is
            task.add_done_callback(lambda _: opened.set())
            async with asyncio.timeout(WATCH_OPENS_AT_MOST_S):
                await opened.wait()
            await asyncio.sleep(WATCH_OPENS_S)
        elif "collect" in step:
            self._compare(step, await self._background.pop(step["collect"]), exact)
        elif "until" in step:
            self._compare(step, await self._until(step), exact)
        else:
            self._compare(step, await self._send(self._bindings.substitute(step["request"])), exact)

    async def _until(self, step: dict[str, Any]) -> Answer:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + step.get("timeoutSeconds", 60)
        request = self._bindings.substitute(step["request"])
        while True:
            answer = await self._send(request)
            wrong = [
                f"{key}: {actual!r}"
                for key, wanted in self._bindings.substitute(step["until"]).items()
                if (actual := answer.status if key == "status" else pointer(answer.body, key)) != wanted
            ]
            if not wrong:
                return answer
            if loop.time() > deadline:
                raise Mismatch(f"never came true: {step['until']}; last {', '.join(wrong)}")
            await asyncio.sleep(POLL_S)

    async def _send(self, request: dict[str, Any], opened: asyncio.Event | None = None) -> Answer:
        """The whole answer; `opened` is set once its headers are here."""
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json", **request.get("headers", {})}
        token = self._tokens.get(request.get("user", "admin"))
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data: bytes | None = None
        if "rawBody" in request:
            data = request["rawBody"].encode()
        elif "body" in request:
            data = json.dumps(request["body"]).encode()
        query = [(k, v) for k, vs in request.get("query", {}).items() for v in (vs if isinstance(vs, list) else [vs])]
        skip = () if "Content-Type" in headers else ("Content-Type",)
        async with self._session.request(
            request["method"],
            self._base + request["path"],
            params=query,
            headers=headers,
            data=data,
            skip_auto_headers=skip,
        ) as response:
            if opened is not None:
                opened.set()
            raw = await response.read()
            shown: dict[str, Any] = {}
            for name in HEADERS:
                values = response.headers.getall(name, [])
                if values:
                    shown[name] = values if name == "warning" else values[0]
            answer = Answer(response.status, shown)
            lines = [line for line in raw.split(b"\n") if line.strip()]
            answer.text = raw.decode(errors="replace")
            try:
                answer.body = json.loads(raw) if raw else None
            except ValueError:
                answer.body = None
            try:
                answer.events = [json.loads(line) for line in lines]
            except ValueError:
                answer.events = None
            return answer

    def _compare(self, step: dict[str, Any], answer: Answer, exact: bool) -> None:
        wanted, how = step["response"], step.get("compare", {})
        if answer.status != wanted["status"]:
            raise Mismatch(f"status: wanted {wanted['status']}, got {answer.status}: {answer.text}")
        if how.get("mode") == "status":
            return
        problems = self._header_differences(wanted.get("headers", {}), answer.headers)
        if how.get("mode") in ("transitions", "reduced"):
            problems += self._watch_differences(how, wanted, answer)
        elif "events" in wanted:
            problems += self._value_differences(wanted["events"], answer.events, how, exact)
        elif "body" in wanted:
            problems += self._value_differences(wanted["body"], answer.body, how, exact)
        elif "text" in wanted and (problem := self._bindings.match(wanted["text"], answer.text or "")):
            problems.append(problem)
        if problems:
            raise Mismatch("\n".join(problems[:40]))

    def _value_differences(self, wanted: Any, actual: Any, how: dict[str, Any], exact: bool) -> list[str]:
        wanted, actual = _normalised(wanted, managed=exact), _normalised(actual, managed=exact)
        if "unordered" in how:
            wanted = self._bindings.substitute(wanted)
            _unordered(wanted, how["unordered"])
            _unordered(actual, how["unordered"])
        return self._bindings.differences(wanted, actual)

    def _header_differences(self, wanted: dict[str, Any], actual: dict[str, Any]) -> list[str]:
        return [f"headers{line}" for line in self._bindings.differences(wanted, actual)]

    def _watch_differences(self, how: dict[str, Any], wanted: dict[str, Any], answer: Answer) -> list[str]:
        if answer.events is None:
            return [f"not a stream of events: {answer.text}"]
        if how["mode"] == "transitions":
            rows: list[Any] = []
            for event in answer.events:
                entries = pointer(event["object"], how["of"]) or []
                row = {
                    str(pointer(entry, how["key"])): {name: pointer(entry, name) for name in how["fields"]}
                    for entry in entries
                }
                rows.append(row)
            target = wanted["transitions"]
        else:
            rows = []
            for event in answer.events:
                annotated = pointer(event["object"], "/metadata/annotations")
                if how.get("plainBookmarks") == "ignore" and event["type"] == "BOOKMARK" and not annotated:
                    continue
                values = {name: pointer(event["object"], name) for name in how["fields"]}
                rows.append({"type": event["type"], **values})
            target = _normalised(wanted["reduced"], managed=True)
            rows = _normalised(rows, managed=True)
        squeezed = [row for index, row in enumerate(rows) if index == 0 or row != rows[index - 1]]
        return self._bindings.differences(target, squeezed)


def _title(step: dict[str, Any]) -> str:
    request = step.get("request", {})
    what = request.get("method") or f"collect {step.get('collect', '')}"
    return f"{what} {request.get('path', '')} {step.get('note', '')}".strip()
