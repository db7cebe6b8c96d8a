"""Prompts as the engines' own tokenizer cuts them, asked of a replica: what llm-d's token producer asks its render
service. The last prompts are remembered, so that a conversation's repeats cost nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import orjson
import xxhash

MOST_PROMPTS = 4096
MOST_TOKENS = 8_000_000
TIMEOUT_S = 1.0


class Tokenizer:
    """Asks `POST /tokenize`. `failures` counts the prompts that no replica would cut."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._known: OrderedDict[int, Sequence[int]] = OrderedDict()
        self._tokens = 0
        self.failures = 0

    async def tokens(self, address: str, document: Mapping[str, Any]) -> Sequence[int] | None:
        """The token ids of an OpenAI request's prompt; None where they cannot be had in time."""
        wanted = _wanted(document)
        if wanted is None:
            return None
        if isinstance(wanted, list):
            return wanted
        body = orjson.dumps(wanted)
        key = xxhash.xxh64_intdigest(body)
        found = self._known.get(key)
        if found is not None:
            self._known.move_to_end(key)
            return found
        try:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
            headers = {"Content-Type": "application/json"}
            url = f"http://{address}/tokenize"
            async with self._session.post(url, data=body, headers=headers, timeout=timeout) as response:
                response.raise_for_status()
                tokens = list(orjson.loads(await response.read())["tokens"])
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError):
            self.failures += 1
            return None
        self._known[key] = tokens
        self._tokens += len(tokens)
        while len(self._known) > MOST_PROMPTS or self._tokens > MOST_TOKENS:
            _, gone = self._known.popitem(last=False)
            self._tokens -= len(gone)
        return tokens


def _wanted(document: Mapping[str, Any]) -> dict[str, Any] | list[int] | None:
    """The body for `/tokenize`, or the tokens themselves; None where there is no prompt of text."""
    model = {"model": document["model"]} if document.get("model") else {}
    if isinstance(document.get("messages"), list):
        return {**model, "messages": document["messages"]}
    prompt = document.get("prompt")
    if isinstance(prompt, list) and prompt:
        if all(type(token) is int for token in prompt):
            return prompt
        prompt = prompt[0]
        if isinstance(prompt, list):
            return prompt
    return {**model, "prompt": prompt} if isinstance(prompt, str) and prompt else None
