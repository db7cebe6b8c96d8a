"""A replica that is deleted while it streams an answer: what its client, the replica itself and its gateway say."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping

import requests

from tests.vllm import scenario
from tests.vllm.recorded import recorded

SERVED_BY = "x-gateway-destination-endpoint-served"
# text, which a draining engine refuses: a request that still came to it would be seen
BODY = {"model": "tiny", "prompt": "a long answer " * 20, "ignore_eos": True, "temperature": 0}
# from deletion to SIGTERM, and until all has ended
SIGTERM_SECONDS, END_SECONDS = 60.0, 180.0


class Stream:
    """A streamed answer of a gateway, read by a thread of its own so that its end is known when it comes."""

    def __init__(self, gateway: str, tokens: int) -> None:
        body = {**BODY, "max_tokens": tokens, "stream": True, "stream_options": {"include_usage": True}}
        self._answer = requests.post(f"{gateway}/v1/completions", json=body, stream=True, timeout=END_SECONDS)
        assert self._answer.status_code == 200, self._answer.text
        self.served_by = f"http://{self._answer.headers[SERVED_BY]}"
        self.lines: list[str] = []
        self.error: Exception | None = None
        self._begun = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._begun.wait(END_SECONDS), "the first token comes"

    def _read(self) -> None:
        try:
            for line in self._answer.iter_lines():
                if line:
                    self.lines.append(line.decode())
                    self._begun.set()
        except requests.RequestException as error:
            self.error = error
        finally:
            self._begun.set()

    @property
    def unfinished(self) -> bool:
        return self._reader.is_alive()

    def end(self) -> tuple[str, int, str]:
        """Why it ended, how many tokens it has, and its last line."""
        self._reader.join(END_SECONDS)
        assert not self.unfinished, "the stream ends"
        assert self.error is None, self.error
        chunks = [json.loads(line.removeprefix("data: ")) for line in self.lines[:-1]]
        [reason] = [
            c["choices"][0]["finish_reason"] for c in chunks if c["choices"] and c["choices"][0]["finish_reason"]
        ]
        return reason, chunks[-1]["usage"]["completion_tokens"], self.lines[-1]


def deleted_replica_drains(
    gateway: str, engines: Mapping[str, str], delete: Callable[[str], object], *, tokens: int
) -> None:
    """Delete the replica that streams `tokens` tokens, and hold it to what vLLM does between SIGTERM and its end.

    `engines`: addresses of at least two replicas by the names of their pods. `tokens` must take longer than the pool's
    drainDelay and a few requests, and less than its shutdownTimeout after that. Raises AssertionError.
    """
    stream = Stream(gateway, tokens)
    [name] = [name for name, url in engines.items() if url == stream.served_by]
    others = set(engines.values()) - {stream.served_by}
    delete(name)
    before = _refusal_awaited(stream, gateway)
    refused = scenario.reply(stream.served_by, *scenario.DRAINING["completion"])
    health = scenario.reply(stream.served_by, "GET", "/health")[0]
    meanwhile = [_ask(gateway) for _ in range(3)]
    assert stream.unfinished, f"it drains while it streams: {stream.lines[-2:]} {stream.error}"
    assert (refused, health) == (recorded("draining")["completion"], 200)
    # whoever asks the gateway is answered, before SIGTERM and after
    assert {status for status, _ in [*before, *meanwhile]} == {200}
    assert {where for _, where in meanwhile} <= others
    assert stream.end() == ("length", tokens, "data: [DONE]")


def _refusal_awaited(stream: Stream, gateway: str) -> list[tuple[int, str]]:
    """Returns when the replica refuses new requests; what the gateway's clients were answered until then."""
    answers, deadline = [], time.monotonic() + SIGTERM_SECONDS
    while stream.unfinished:
        answers.append(_ask(gateway))
        try:
            if scenario.drains(stream.served_by):
                return answers
        except requests.Timeout:
            # what comes at the very moment of SIGTERM may be left without an answer
            continue
        assert time.monotonic() < deadline, "the deleted replica has SIGTERM"
    raise AssertionError(f"the stream ended before its replica drained: {stream.lines[-2:]} {stream.error}")


def _ask(gateway: str) -> tuple[int, str]:
    """Status of a short request that begins like the stream, which leads it to the stream's replica while that is in
    the routing; and who served it."""
    answer = requests.post(f"{gateway}/v1/completions", json={**BODY, "max_tokens": 2}, timeout=60)
    return answer.status_code, f"http://{answer.headers.get(SERVED_BY, '')}"
