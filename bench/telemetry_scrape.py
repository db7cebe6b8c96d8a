"""Two thousand engines scraped, read and compared within one tick, and the reader beside prometheus_client's parser.

Pages are recorded ones of real vLLM servers, served over HTTP from another process of the same machine, which takes its
share of the two cores. Limit: the tick's 10 s; the reader at least ten times as fast as its peer on every page.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from bench.common import finish, shared

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

from prometheus_client.parser import text_string_to_metric_families

from apps.telemetry.domain.deltas import carry, delta
from apps.telemetry.domain.engine import read_engine
from apps.telemetry.domain.signals import Reading, combine
from apps.telemetry.scrape import Scraped, Target, scrape_all

TICK_S = 10.0
RATIO = 10.0
PAGES = ("vllm-metrics-0.32.txt", "vllm-metrics-0.32-tiering.txt", "vllm-metrics-0.33.txt")
ENGINES_OF_A_POOL = 2


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--targets", type=int, default=2000)
    options.add_argument("--workers", type=int, default=2, help="processes that share the targets in the second figure")
    chosen = options.parse_args()
    pages = {name: shared("reference", name).read_text() for name in PAGES}
    ratios = {name: compare(name, page) for name, page in pages.items()}
    page = pages[PAGES[-1]].encode()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(page, theirs), daemon=True)
    server.start()
    try:
        port = ours.recv()
        targets = [Target(str(n), f"engine-{n}", "v", f"http://127.0.0.1:{port}/{n}") for n in range(chosen.targets)]
        gc.freeze()
        first, _ = one_tick(targets, {})
        before = {key: answer.reading for key, answer in first.items()}
        started, used = time.perf_counter(), cpu()
        answers, rows = one_tick(targets, before)
        alone, busy = time.perf_counter() - started, cpu() - used
        scraped = sum(answer.reading is not None for answer in answers.values())
        print(f"{scraped} of {len(targets)} pages of {len(page) / 1024:.0f} KiB in one process: {alone:.2f} s "
              f"({busy:.2f} s of processor), {rows} rows")  # fmt: skip
        shards = [targets[n :: chosen.workers] for n in range(chosen.workers)]
        with ProcessPoolExecutor(chosen.workers, mp_context=context) as workers:
            list(workers.map(count_of, [shard[:1] for shard in shards]))
            started = time.perf_counter()
            sharded_count = sum(workers.map(count_of, shards))
            sharded = time.perf_counter() - started
        print(f"{sharded_count} in {chosen.workers} processes: {sharded:.2f} s")
    finally:
        server.kill()
    slowest = min(ratios.values())
    finish(
        "telemetry_scrape",
        figures={
            "targets": len(targets),
            "page_kib": round(len(page) / 1024, 1),
            "tick_s": round(alone, 2),
            "tick_cpu_s": round(busy, 2),
            "tick_sharded_s": round(sharded, 2),
            "scraped": scraped,
        },
        ratios={
            "tick_of_limit": round(alone / TICK_S, 3),
            **{f"times_faster_{name.removesuffix('.txt')}": round(value, 1) for name, value in ratios.items()},
        },
        peer="prometheus_client's parser on the same pages; limit: a tick of 10 s",
        ok=scraped == len(targets) == sharded_count and alone <= TICK_S and slowest >= RATIO,
    )


def compare(name: str, page: str) -> float:
    """How many times as fast as the peer a page is read."""

    def official() -> None:
        for family in text_string_to_metric_families(page):
            for _ in family.samples:
                pass

    # by turns, so that a busy machine is as busy for both; the best of each is what the code takes
    pairs = [(timed(official, 3), timed(lambda: read_engine(page), 20)) for _ in range(12)]
    theirs, ours = (min(side) for side in zip(*pairs, strict=True))
    print(f"{name}: {ours * 1e3:.2f} ms, prometheus_client {theirs * 1e3:.2f} ms: {theirs / ours:.1f} times as fast")
    return theirs / ours


def timed(call: Callable[[], object], repeats: int) -> float:
    started = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - started) / repeats


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def one_tick(targets: list[Target], before: dict) -> tuple[dict[str, Scraped], int]:
    """Scrape all, compare each with the page before, add up the rows of pools of two engines."""
    answers = asyncio.run(scrape_all(targets, one_seconds=10.0, all_seconds=60.0))
    readings = []
    for target in targets:
        reading = answers[target.key].reading
        last = before.get(target.key)
        if reading is not None and last is not None:
            carry(last, reading, TICK_S)
        readings.append(Reading(reading, delta(last, reading, TICK_S) if reading is not None else None))
    rows = 0
    for start in range(0, len(readings), ENGINES_OF_A_POOL):
        combine(0.0, TICK_S, readings[start : start + ENGINES_OF_A_POOL], {}).to_json()
        rows += 1
    return answers, rows


def count_of(targets: list[Target]) -> int:
    answers, _ = one_tick(targets, {})
    return sum(answer.reading is not None for answer in answers.values())


def serve(page: bytes, pipe) -> None:
    """A server that does no more than send the page, so that what is measured is the reader."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(page) + page

    class Pages(asyncio.Protocol):
        def connection_made(self, transport) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            for _ in range(data.count(b"\r\n\r\n")):
                self.transport.write(answer)

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Pages, "127.0.0.1", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


if __name__ == "__main__":
    main()
