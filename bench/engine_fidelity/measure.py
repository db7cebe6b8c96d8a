"""Measure a running vLLM as its clients see it, as data/h200-2026-11-26.json was measured.

    vllm serve MODEL --load-format dummy --max-model-len 40960      # on the accelerator
    python -m bench.engine_fidelity.measure http://localhost:8000 --model MODEL --out FILE

Prompts are random token ids, so nothing is found in a cache; answers are of a given length (`ignore_eos`) at
temperature 0. Prints what it does; writes prompts alone, windows and replays as the data file has them (units
are in it; its closed loops were measured apart).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from apps.benchmarks.domain.traces import read_trace

# ids that every vocabulary of the size of Llama's has, special tokens left out
TOKENS = (200, 30_000)
PROMPTS = (128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
WINDOW = (1024, 256)
DEADLINE = aiohttp.ClientTimeout(total=300)
# less than the five seconds after which vLLM's server closes an idle connection
KEEP_ALIVE = 2.0


class Planned(NamedTuple):
    """One request: when, s; prompt and output, tokens."""

    at: float
    prompt: int
    output: int


@dataclass(frozen=True)
class Answer:
    """As the client saw it: sent, first and last token, in seconds of the client's clock."""

    sent: float
    first: float
    last: float


class Server:
    """A vLLM server at `url`, asked for `model`."""

    def __init__(self, session: aiohttp.ClientSession, url: str, model: str) -> None:
        self._session, self._url, self._model = session, url, model

    async def ask(self, prompt: list[int], output: int) -> Answer:
        body = json.dumps(
            {
                "model": self._model,
                "prompt": prompt,
                "max_tokens": output,
                "ignore_eos": True,
                "temperature": 0,
                "stream": True,
            }
        )
        sent, first, last = time.perf_counter(), 0.0, 0.0
        headers = {"Content-Type": "application/json"}
        async with self._session.post(f"{self._url}/v1/completions", data=body, headers=headers) as response:
            if response.status != 200:
                raise SystemExit(f"{self._url} answered {response.status}: {(await response.text())[:500]}")
            async for chunk in response.content.iter_any():
                if b'"text":' not in chunk:
                    continue
                last = time.perf_counter()
                first = first or last
        if not first:
            raise SystemExit(f"{self._url} ended an answer without a token: see the server's log")
        return Answer(sent, first, last)


def poisson(rate: float, seconds: float, seed: int) -> list[Planned]:
    """Open-loop arrivals of one shape."""
    draw, at, plan = random.Random(seed), 0.0, list[Planned]()
    while (at := at + draw.expovariate(rate)) < seconds:
        plan.append(Planned(at, *WINDOW))
    return plan


def replay(trace: Path, from_s: float, faster: float, seconds: float) -> list[Planned]:
    """Requests of a trace file from `from_s` on, `faster` times as dense, for `seconds`."""
    with trace.open(encoding="utf-8", newline="") as lines:
        requests = [request for request in read_trace(lines) if from_s <= request.at < from_s + seconds * faster]
    return [
        Planned((one.at - from_s) / faster, sum(part.tokens for part in one.prompt), one.output_tokens)
        for one in requests
    ]


async def alone(server: Server, sizes: Sequence[int], draw: random.Random) -> dict[str, list[Any]]:
    """TTFT of prompts alone, ms: medians of five, first with nothing cached, then the same prompt again."""
    rows: dict[str, list[Any]] = {"tokens": [], "cold": [], "hot": []}
    for size in sizes:
        cold, hot = list[float](), list[float]()
        for _ in range(5):
            prompt = _tokens(size, draw)
            for times in (cold, hot):
                answer = await server.ask(prompt, 1)
                times.append((answer.first - answer.sent) * 1e3)
        for name, value in (("tokens", size), ("cold", statistics.median(cold)), ("hot", statistics.median(hot))):
            rows[name].append(round(value, 2))
        print(f"{size} tokens alone: {rows['cold'][-1]} ms, again {rows['hot'][-1]} ms", flush=True)
    return rows


async def play(server: Server, plan: Sequence[Planned]) -> dict[str, list[float | None]]:
    """Send each request at its time; columns of what came of them."""
    draw = random.Random(len(plan))
    prompts = [_tokens(planned.prompt, draw) for planned in plan]
    start = time.perf_counter() + 0.2

    async def one(index: int) -> Answer:
        await asyncio.sleep(max(0.0, start + plan[index].at - time.perf_counter()))
        return await server.ask(prompts[index], plan[index].output)

    answers = await asyncio.gather(*(one(index) for index in range(len(plan))))
    return {
        "arrival": [round(answer.sent - start, 4) for answer in answers],
        "ttft": [round((answer.first - answer.sent) * 1e3, 2) for answer in answers],
        "tpot": [
            round((answer.last - answer.first) / (planned.output - 1) * 1e3, 3) if planned.output > 1 else None
            for answer, planned in zip(answers, plan, strict=True)
        ],
    }


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    draw = random.Random(options.seed)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE)
    async with aiohttp.ClientSession(timeout=DEADLINE, connector=connector) as session:
        server = Server(session, options.url.rstrip("/"), options.model)
        await asyncio.gather(*(server.ask(_tokens(700, draw), 40) for _ in range(64)))  # what is built on first use
        found: dict[str, Any] = {"source": options.source, "alone": await alone(server, options.prompts, draw)}
        found["windows"] = []
        for number, rate in enumerate(options.rates):
            columns = await play(server, poisson(rate, options.seconds, options.seed + number))
            found["windows"].append({"rate": rate, "inp": WINDOW[0], "out": WINDOW[1], **columns})
            print(f"{rate} requests/s: {_told(columns)}", flush=True)
        found["replays"] = []
        for given in options.replay:
            trace, *numbers = given.rsplit(":", 3)
            from_s, faster, seconds = map(float, numbers)
            columns = await play(server, replay(Path(trace), from_s, faster, seconds))
            named = {"trace": Path(trace).name, "from_s": from_s, "faster": faster, "seconds": seconds}
            found["replays"].append({**named, **columns})
            print(f"{given}: {_told(columns)}", flush=True)
    return found


def _tokens(count: int, draw: random.Random) -> list[int]:
    return [draw.randrange(*TOKENS) for _ in range(count)]


def _told(columns: dict[str, list[float | None]]) -> str:
    ttft = sorted(value for value in columns["ttft"] if value is not None)
    return f"{len(ttft)} requests, TTFT p50 {statistics.median(ttft):.1f} ms" if ttft else "no requests"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--model", required=True, help="the served model's name")
    parser.add_argument("--source", default="", help="engine, accelerator, model and day, for the file")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prompts", type=int, nargs="*", default=PROMPTS, help="tokens of prompts sent alone")
    parser.add_argument("--rates", type=float, nargs="*", default=(5, 10, 15, 20, 25, 30, 35, 40, 45))
    parser.add_argument("--seconds", type=float, default=20.0, help="of each window")
    parser.add_argument("--replay", nargs="*", default=(), metavar="FILE:FROM:FASTER:SECONDS")
    parser.add_argument("--seed", type=int, default=101)
    options = parser.parse_args(arguments)
    options.out.write_text(json.dumps(asyncio.run(measure(options)), separators=(",", ":")), encoding="utf-8")


if __name__ == "__main__":
    main()
