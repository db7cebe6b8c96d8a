"""The console under load: bytes and first paint, interaction with 1,000 pools, CPU of a pool page, 200 consoles.

A seeded week with `--pools` small pools beside it, one web process, headless Chromium with a cold cache; everything on
this machine over loopback. Peer: GPUStack 2.3.0 as measured in ../shared/reference/peers.md (1,025 KiB and first paint
1,296 ms for its log-in, 1,523 KiB for a list page, list of 100 at p95 26.5 ms with one client and 983 ms with ten) on
another quiet machine of two cores: compare ratios, not milliseconds.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import http.client
import json
import os
import shutil
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from bench.common import finish

SCRIPT_KB, FIRST_LOAD_MS, INTERACTION_MS, CPU_PERCENT, REST_MS = 300.0, 1500.0, 100.0, 10.0, 100.0
PEER = {
    "login_kib": 1025.0,
    "login_paint_ms": 1296.0,
    "list_kib": 1523.0,
    "list_1_p95_ms": 26.5,
    "list_10_p95_ms": 983.0,
}
_TICK = os.sysconf("SC_CLK_TCK")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pools", type=int, default=1000)
    options.add_argument("--consoles", type=int, default=200, help="event streams held open while REST is timed")
    options.add_argument("--watch", type=float, default=60.0, help="seconds that a pool page is watched")
    options.add_argument("--runs", type=int, default=5, help="cold loads of each page")
    chosen = options.parse_args()
    if shutil.which("chromium") is None:
        print("skipped: no chromium on PATH (apt-get install chromium)")
        sys.exit(0)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
    from controlplane.supervisor.console_build import build_if_needed
    from tests.support.seeded import seeded_console

    build_if_needed(print)
    with seeded_console("--days", "1", "--pools", str(chosen.pools)) as week:
        figures: dict[str, Any] = {"pools": chosen.pools, "consoles": chosen.consoles}
        figures |= pages(week, chosen.runs)
        figures |= at_work(week, chosen.watch)
        figures |= rest(week, chosen.consoles)
    report(figures)


# --- what a browser sees --------------------------------------------------------------------------------------------
def pages(week: Any, runs: int) -> dict[str, float]:
    """Bytes over the wire and milliseconds to the first contentful paint and to the content, each with a cold cache."""
    from playwright.sync_api import sync_playwright

    found: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        for _ in range(runs):
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
            context = browser.new_context(base_url=week.url, viewport={"width": 1440, "height": 900})
            page = context.new_page()
            login = load(page, "/login", lambda page: page.get_by_label("User name").wait_for())
            page.get_by_label("User name").fill(week.username)
            page.get_by_label("Password").fill(week.password)
            page.get_by_role("button", name="Log in").click()
            page.get_by_role("navigation", name="Main").wait_for()
            state = context.storage_state()
            browser.close()
            # a browser of its own, so that nothing of the log-in is in its cache
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
            context = browser.new_context(
                base_url=week.url, storage_state=state, viewport={"width": 1440, "height": 900}
            )
            fleet = load(context.new_page(), "/", lambda page: page.get_by_role("rowheader").first.wait_for())
            browser.close()
            for name, one in (("login", login), ("fleet", fleet)):
                for key, value in one.items():
                    found.setdefault(f"{name}_{key}", []).append(value)
    return {key: round(statistics.median(values), 1) for key, values in found.items()}


def load(page: Any, address: str, shown: Callable[[Any], None]) -> dict[str, float]:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: dict[str, float] = {}
    scripts: set[str] = set()
    session.on("Network.loadingFinished", lambda e: sizes.__setitem__(e["requestId"], e["encodedDataLength"]))
    session.on("Network.responseReceived", lambda e: scripts.add(e["requestId"]) if e["type"] == "Script" else None)
    started = time.perf_counter()
    page.goto(address)
    shown(page)
    content = (time.perf_counter() - started) * 1e3
    page.wait_for_timeout(300)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null")
    return {
        "script_kib": sum(size for id_, size in sizes.items() if id_ in scripts) / 1024,
        "wire_kib": sum(sizes.values()) / 1024,
        "paint_ms": paint or content,
        "content_ms": content,
    }


def at_work(week: Any, seconds: float) -> dict[str, float]:
    """Milliseconds from a key or click to the next frame after its work, with all pools; CPU of a page of charts."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
        page = browser.new_context(base_url=week.url, viewport={"width": 1440, "height": 900}).new_page()
        page.add_init_script(_OBSERVER)
        page.goto("/")
        page.get_by_label("User name").fill(week.username)
        page.get_by_label("Password").fill(week.password)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("rowheader").first.wait_for()
        page.evaluate("window.taken = []")
        search = page.get_by_label("Filter")
        search.press_sequentially("pool-00", delay=60)
        search.fill("")
        for heading in ("TTFT p95", "Cost", "Ready"):
            page.get_by_role("columnheader", name=heading).get_by_role("button").click()
        for group in ("By team", "By cluster", "No groups"):
            page.get_by_role("radio", name=group).click()
        page.wait_for_timeout(500)
        # the browser tells of interactions that took 16 ms and more; quicker ones are quick
        taken = sorted(page.evaluate("window.taken")) or [16.0]
        page.goto("/teams/default/pools/chat/latency?range=1h")
        page.get_by_role("figure").nth(11).wait_for()
        page.wait_for_timeout(3000)
        before, began = cpu_of(browser), time.monotonic()
        page.wait_for_timeout(seconds * 1000)
        percent = (cpu_of(browser) - before) / (time.monotonic() - began) * 100
        charts = page.get_by_role("figure").count()
        browser.close()
    return {
        "interaction_p95_ms": round(taken[max(0, -(-len(taken) * 95 // 100) - 1)], 1),
        "interaction_worst_ms": round(taken[-1], 1),
        "charts": charts,
        "pool_page_cpu_percent_of_a_core": round(percent, 1),
    }


_OBSERVER = """window.taken = [];
new PerformanceObserver((list) => list.getEntries().forEach((e) => e.interactionId && window.taken.push(e.duration)))
  .observe({ type: 'event', durationThreshold: 16, buffered: true });"""


def cpu_of(browser: Any) -> float:
    """Seconds of CPU of all processes of a Chromium so far."""
    session = browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    return float(sum(one["cpuTime"] for one in found))


# --- what the server bears ------------------------------------------------------------------------------------------
def rest(week: Any, consoles: int) -> dict[str, float]:
    """REST latencies alone, with ten clients, and with so many event streams open in the same process."""
    cookie = session_of(week)
    list_100 = "/api/v1/fleet?limit=100"
    one = timed(week.url, list_100, cookie, clients=1, count=60)
    ten = timed(week.url, list_100, cookie, clients=10, count=200)
    stop = threading.Event()
    streams = [open_stream(week.url, cookie) for _ in range(consoles)]
    drain = threading.Thread(target=read_all, args=(streams, stop), daemon=True)
    drain.start()
    held = timed(week.url, "/api/v1/teams/default/pools/chat", cookie, clients=2, count=300, pause=0.02)
    stop.set()
    drain.join(5)
    for stream in streams:
        stream.close()
    return {
        "list_100_p95_ms": p95(one),
        "list_100_with_10_clients_p95_ms": p95(ten),
        "list_100_with_10_clients_worst_ms": round(max(ten), 1),
        "streams_open": len(streams),
        "rest_with_streams_p50_ms": round(statistics.median(held), 1),
        "rest_with_streams_p95_ms": p95(held),
    }


def session_of(week: Any) -> str:
    place = urlsplit(week.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    connection.request("GET", "/api/v1/session")
    first = connection.getresponse()
    first.read()
    token = next((c.split("csrftoken=")[1].split(";")[0] for c in cookies(first) if "csrftoken=" in c), "")
    body = json.dumps({"username": week.username, "password": week.password})
    headers = {"Content-Type": "application/json", "X-CSRFToken": token, "Cookie": f"csrftoken={token}"}
    connection.request("POST", "/api/v1/session", body, headers)
    second = connection.getresponse()
    said = second.read()
    if second.status not in (200, 201, 204):
        sys.exit(f"The log-in was refused: {second.status} {said[:200]!r}")
    return "; ".join(c.split(";")[0] for c in cookies(second))


def cookies(response: http.client.HTTPResponse) -> list[str]:
    return response.headers.get_all("Set-Cookie") or []


def timed(url: str, path: str, cookie: str, *, clients: int, count: int, pause: float = 0.0) -> list[float]:
    place = urlsplit(url)

    def client(share: int) -> list[float]:
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
        taken = []
        for _ in range(share):
            started = time.perf_counter()
            connection.request("GET", path, headers={"Cookie": cookie, "Accept-Encoding": "gzip"})
            answer = connection.getresponse()
            answer.read()
            taken.append((time.perf_counter() - started) * 1e3)
            if answer.status != 200:
                sys.exit(f"{path} answered {answer.status}")
            time.sleep(pause)
        return taken

    client(3)
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        return [one for taken in pool.map(client, [count // clients] * clients) for one in taken]


def open_stream(url: str, cookie: str) -> socket.socket:
    place = urlsplit(url)
    stream = socket.create_connection((place.hostname, place.port), timeout=30)
    head = (
        f"GET /api/v1/stream HTTP/1.1\r\nHost: {place.netloc}\r\nCookie: {cookie}\r\nAccept: text/event-stream\r\n\r\n"
    )
    stream.sendall(head.encode())
    first = stream.recv(4096)
    if b" 200 " not in first.split(b"\r\n")[0]:
        sys.exit(f"A stream was refused: {first[:200]!r}")
    return stream


def read_all(streams: list[socket.socket], stop: threading.Event) -> None:
    import selectors

    with selectors.DefaultSelector() as ready:
        for stream in streams:
            ready.register(stream, selectors.EVENT_READ)
        while not stop.is_set():
            for key, _ in ready.select(0.2):
                sock: Any = key.fileobj
                if not sock.recv(65536):
                    ready.unregister(sock)


def p95(values: list[float]) -> float:
    return round(sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)], 1)


def report(figures: dict[str, Any]) -> None:
    limits = {
        "script_of_limit": figures["fleet_script_kib"] * 1.024 / SCRIPT_KB,
        "first_load_of_limit": figures["fleet_content_ms"] / FIRST_LOAD_MS,
        "interaction_of_limit": figures["interaction_p95_ms"] / INTERACTION_MS,
        "cpu_of_limit": figures["pool_page_cpu_percent_of_a_core"] / CPU_PERCENT,
        "rest_of_limit": figures["rest_with_streams_p95_ms"] / REST_MS,
        "login_bytes_of_a_third_of_gpustack": figures["login_wire_kib"] / (PEER["login_kib"] / 3),
        "list_bytes_of_a_third_of_gpustack": figures["fleet_wire_kib"] / (PEER["list_kib"] / 3),
        "paint_of_half_of_gpustack": figures["login_paint_ms"] / (PEER["login_paint_ms"] / 2),
    }
    beside = {
        "list_100_of_gpustack": figures["list_100_p95_ms"] / PEER["list_1_p95_ms"],
        "list_100_with_10_clients_of_gpustack": figures["list_100_with_10_clients_p95_ms"] / PEER["list_10_p95_ms"],
        # GPUStack's slowest are the collector's second-long pauses: 37 times its p95 with one client
        "tail_worst_of_p95": figures["list_100_with_10_clients_worst_ms"] / figures["list_100_with_10_clients_p95_ms"],
    }
    for name, ratio in {**limits, **beside}.items():
        print(f"  {name:40} {ratio:6.2f}")
    finish(
        "console",
        figures=figures,
        ratios={name: round(ratio, 3) for name, ratio in {**limits, **beside}.items()},
        peer="limits of the console; GPUStack 2.3.0 as published in shared/reference/peers.md (another machine)",
        ok=all(ratio <= 1 for ratio in limits.values()),
    )


if __name__ == "__main__":
    main()
