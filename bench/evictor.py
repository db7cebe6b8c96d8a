"""The evictor: how fast it reads a large folder, and whether a quota holds against writers at full speed.

`make bench NAME=evictor`; `FILES=1000000` for the claim (default 100,000). The peer is GNU find,
which reads the same folder's names and sizes in the same run; the limit is a minute for a million files. Writers are
processes that write 1 MiB chunks as engines do, aside and then renamed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from apps.evictor.chunks import scan
from bench.common import PROJECT, finish

WRITERS = 16
CHUNK = 2**20
QUOTA = 2**32
WRITER = """
import os, sys, time
root, number, until = sys.argv[1], int(sys.argv[2]), time.time() + float(sys.argv[3])
data, key = os.urandom(2**20), number << 40
while time.time() < until:
    key += 1
    name = f"{key * 0x9E3779B97F4A7C15 % 2**192:048x}{key:016x}.bin"
    folder = f"{root}/{name[:3]}/{name[3:5]}_g0"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{name}_{number}.tmp", "wb") as file:
        file.write(data)
    os.replace(f"{folder}/{name}_{number}.tmp", f"{folder}/{name}")
print(key - (number << 40))
"""


def fill(root: Path, files: int) -> None:
    """Files of 1 MiB without contents, spread as hashes are."""
    for number in range(files):
        name = f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC834 % 2**192:048x}{number:016x}.bin"
        folder = root / "now" / "m_0_r0" / name[:3] / f"{name[3:5]}_g0"
        path = f"{folder}/{name}"
        try:
            handle = os.open(path, os.O_CREAT | os.O_WRONLY)
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_CREAT | os.O_WRONLY)
        os.ftruncate(handle, CHUNK)
        os.close(handle)


def scanning(root: Path, files: int) -> dict[str, float]:
    fill(root, files)
    begun = time.perf_counter()
    found = subprocess.run(["find", str(root), "-name", "*.bin", "-printf", "%s\n"], capture_output=True, check=True)
    peer = time.perf_counter() - begun
    begun = time.perf_counter()
    chunks = scan(str(root))
    ours = time.perf_counter() - begun
    assert len(chunks) == files == found.stdout.count(b"\n")
    return {"scan_s": ours, "find_s": peer, "scan_s_per_million": ours / files * 1e6}


def holding(root: Path, seconds: float) -> dict[str, float]:
    (root / "now" / "m_0_r0").mkdir(parents=True)
    evictor = subprocess.Popen(
        [sys.executable, "-m", "apps.evictor", "--root", str(root), "--quota", str(QUOTA), "--rate", "100000",
         "--interval", "1"],
        cwd=PROJECT, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        time.sleep(3)  # it has begun, and said what it would do
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, f"{root}/now/m_0_r0", str(number), str(seconds)], stdout=subprocess.PIPE
            )
            for number in range(WRITERS)
        ]
        most = 0
        while any(writer.poll() is None for writer in writers):
            most = max(most, scan(str(root)).bytes)
            time.sleep(0.2)
        written = sum(int(writer.communicate()[0]) for writer in writers)
        time.sleep(3)
        return {
            "written_gib": written * CHUNK / 2**30,
            "most_of_quota": most / QUOTA,
            "after_of_quota": scan(str(root)).bytes / QUOTA,
        }
    finally:
        evictor.kill()
        evictor.wait()


def main() -> None:
    files, seconds = int(os.environ.get("FILES", "100000")), float(os.environ.get("SECONDS", "20"))
    with tempfile.TemporaryDirectory(dir=os.environ.get("DIR")) as name:
        large, small = Path(name) / "large", Path(name) / "small"
        figures: dict[str, float] = {"files": files, **scanning(large, files)}
        shutil.rmtree(large)
        figures |= holding(small, seconds)
    finish(
        "evictor",
        figures={name: round(value, 3) for name, value in figures.items()},
        ratios={
            "scan_of_find": round(figures["scan_s"] / figures["find_s"], 2),
            "scan_of_minute_per_million": round(figures["scan_s_per_million"] / 60, 3),
            "most_of_quota": round(figures["most_of_quota"], 3),
        },
        peer="GNU find; 60 s for a million files; the quota",
        ok=figures["scan_s_per_million"] < 60 and figures["most_of_quota"] <= 1 and figures["after_of_quota"] <= 1,
    )


if __name__ == "__main__":
    main()
