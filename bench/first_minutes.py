"""From an empty clone to a healthy pool, the start after that, and what the idle stack takes.

Limits (the peer of each ratio): cold `make up` to a healthy pool 240 s, warm 20 s, the stack without demo traffic
1.5 GiB of memory (PSS, so that shared pages count once) and 15 % of one core.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from bench.common import PROJECT, finish

COLD_S, WARM_S, MEMORY_MIB, CPU_PERCENT = 240.0, 20.0, 1536.0, 15.0
IDLE_S = 60.0
_TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    base = Path(tempfile.mkdtemp(prefix="lamplight-first-"))
    base.chmod(0o755)
    clone = base / "lamplight"
    try:
        subprocess.run(["git", "clone", "-q", str(PROJECT), str(clone)], check=True)
        cold = measure_start(clone, "cold")
        print(f"cold: {cold:.1f} s from `make up` to a healthy pool")
        warm = measure_start(clone, "warm", idle := {})
        print(f"warm: {warm:.1f} s; idle: {idle['memory_mib']:.0f} MiB, {idle['cpu_percent']:.1f} % of one core")
        for name, mib in sorted(idle["processes"].items(), key=lambda item: -item[1]):
            print(f"  {mib:7.1f} MiB  {name}")
    finally:
        shutil.rmtree(base, ignore_errors=True)
    figures = {
        "cold_s": round(cold, 1),
        "warm_s": round(warm, 1),
        "idle_memory_mib": round(idle["memory_mib"], 1),
        "idle_cpu_percent": round(idle["cpu_percent"], 2),
    }
    limits = {"cold_s": COLD_S, "warm_s": WARM_S, "idle_memory_mib": MEMORY_MIB, "idle_cpu_percent": CPU_PERCENT}
    ratios = {name: round(float(figures[name]) / limit, 3) for name, limit in limits.items()}
    finish(
        "first_minutes",
        figures=figures,
        ratios=ratios,
        peer="limits: cold 240 s, warm 20 s, 1.5 GiB, 15 % of one core",
        ok=all(ratio <= 1 for ratio in ratios.values()),
    )


def measure_start(clone: Path, what: str, idle: dict | None = None) -> float:
    """Seconds from `make up` until the quickstart pool is healthy; fills `idle` from a minute after that."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LAMPLIGHT_", "DJANGO_", "VIRTUAL_ENV"))}
    log = (clone.parent / f"{what}.log").open("wb")
    started = time.monotonic()
    make = subprocess.Popen(
        ["make", "up", "DEMO=0"], cwd=clone, env=environment, stdout=log, stderr=subprocess.STDOUT, process_group=0
    )
    state = clone / ".lamplight" / "state.json"
    try:
        while True:
            if make.poll() is not None or time.monotonic() - started > 2 * COLD_S:
                raise SystemExit(f"`make up` ({what}) did not come up:\n{Path(log.name).read_text()[-3000:]}")
            if state.exists() and b"Healthy" in Path(log.name).read_bytes():
                break
            time.sleep(0.1)
        seconds = time.monotonic() - started
        if idle is not None:
            idle.update(measure_idle(int(json.loads(state.read_text())["pid"])))
        return seconds
    finally:
        # make passes the signal of its own group on to the supervisor
        os.killpg(make.pid, signal.SIGINT)
        make.wait(60)
        log.close()


def measure_idle(supervisor: int) -> dict:
    """Memory (sum of PSS) and CPU of the supervisor and everything below it over a minute."""
    time.sleep(20)  # the first minutes' work is done: images compiled, caches filled
    before = {pid: cpu_seconds(pid) for pid in tree(supervisor)}
    began = time.monotonic()
    time.sleep(IDLE_S)
    after = {pid: cpu_seconds(pid) for pid in tree(supervisor)}
    elapsed = time.monotonic() - began
    used = sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())
    sizes: dict[str, float] = {}
    for pid in after:
        sizes[name(pid)] = sizes.get(name(pid), 0.0) + pss_mib(pid)
    return {"memory_mib": sum(sizes.values()), "cpu_percent": 100 * used / elapsed, "processes": sizes}


def tree(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    known = {root}
    while more := {pid for pid, parent in parents.items() if parent in known} - known:
        known |= more
    return sorted(known)


def cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICK


def pss_mib(pid: int) -> float:
    try:
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(row.split()[1]) for row in rows if row.startswith("Pss:")) / 1024


def name(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "ended"
    if "-m" in words:
        at = words.index("-m") + 1
        return " ".join(words[at : at + 1] + [w for w in words[at + 1 :] if w in {"up", "worker", "beat", "serve"}])
    return Path(words[0].split(" ")[0].rstrip(":")).name or "?"


if __name__ == "__main__":
    main()
