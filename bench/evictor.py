"""The evictor: how fast it reads a large folder, and whether a quota holds against writers at full speed.

`make bench NAME=evictor`; `FILES=1000000` for the claim (default 100,000), `SECONDS` and `QUOTA_MIB` of the writing,
`DIR` for a folder on another volume (/dev/shm: as fast as memory). The peer of reading is GNU find, which reads the
same folder's names and sizes in the same run; the limit is a minute for a million files. Writers are processes that
write 1 MiB chunks as engines do, aside and then renamed; what the folder holds meanwhile is told by the bytes that its
volume holds (a scan takes long enough to count what came and what went), so nothing else should write there.

What is removed is compared with the policy of llm-d's pvc_evictor on the same files (its README at
github.com/llm-d/llm-d-kv-cache, kv_connectors/pvc_evictor, written anew here): from 85 % of the volume files go in the
order in which they are found until 70 % are left, but those accessed within an hour by their atime, which on a noatime
volume is when they were written.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from apps.evictor.acting import Pace, mark_uses
from apps.evictor.chunks import scan
from apps.evictor.policy import plan
from apps.evictor.reuse import Reuse
from apps.evictor.settings import Settings
from bench.common import PROJECT, finish

WRITERS = 16
CHUNK = 2**20
QUOTA = int(os.environ.get("QUOTA_MIB", "4096")) * 2**20
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


def volume(root: Path) -> int:
    told = os.statvfs(root)
    return told.f_frsize * (told.f_blocks - told.f_bfree)


HOUR, CHUNKS, HOT = 3600.0, 4000, 0.5
GAP = 600.0


def choosing(root: Path) -> dict[str, float]:
    """Half of the chunks belong to prompts that come back every ten minutes, half were used once; the oldest were
    written first. Of what each policy removes, the share that is read again within the p95 of the reuse time."""
    now, random, reuse = time.time(), Random(7), Reuse()
    hot: set[int] = set()
    written: dict[str, tuple[float, int]] = {}
    for number in range(CHUNKS):
        name = f"{random.getrandbits(192):048x}{number:016x}.bin"
        folder = root / "now" / "m_0_r0" / name[:3] / f"{name[3:5]}_g0"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        with path.open("wb") as file:
            file.truncate(CHUNK)
        at = now - 6 * HOUR * (1 - number / CHUNKS)
        os.utime(path, (at, at))
        written[str(path)] = (at, CHUNK)
        uses = [at]
        if random.random() < HOT:
            hot.add(number)
            while uses[-1] + GAP < now:
                uses.append(uses[-1] + GAP * random.uniform(0.7, 1.2))
        for use in uses:
            if use <= now:
                reuse.event({"type": "BlockStored", "block_hashes": [number], "medium": "CPU"}, use)
    settings = Settings(root=str(root), quota=CHUNKS * CHUNK * 85 // 100, high=0.95, low=0.7 / 0.85)
    chunks = scan(str(root))
    mark_uses(chunks, reuse.used_at, Pace(1e9), lambda: False)
    decided = plan(chunks, settings, now, reuse_time=reuse.quantile(0.95), depth=reuse.depth)
    ours = [chunks.keys[row] for row in decided.quota]
    theirs = [int(Path(path).stem[48:], 16) for path in pvc_evictor(root, written, now, limit=CHUNKS * CHUNK)]
    needed = [sum(key in hot for key in gone) / max(len(gone), 1) for gone in (ours, theirs)]
    return {
        "removed_files": len(ours), "removed_still_read_share": needed[0], "forced_files": decided.forced,
        "pvc_evictor_removed_files": len(theirs), "pvc_evictor_removed_still_read_share": needed[1],
    }  # fmt: skip


def pvc_evictor(root: Path, written: dict[str, tuple[float, int]], now: float, *, limit: int) -> list[str]:
    """The paths that llm-d's pvc_evictor would remove from a volume of `limit` bytes; `written`: (atime, bytes)."""
    used, gone = sum(size for _at, size in written.values()), []
    if used < 0.85 * limit:
        return []
    for folder, _below, files in os.walk(root):
        for name in files:
            if used <= 0.70 * limit:
                return gone
            at, size = written[f"{folder}/{name}"]
            if now - at >= HOUR:
                gone.append(f"{folder}/{name}")
                used -= size
    return gone


def holding(root: Path, seconds: float) -> dict[str, float]:
    (root / "now" / "m_0_r0").mkdir(parents=True)
    evictor = subprocess.Popen(
        [sys.executable, "-m", "apps.evictor", "--root", str(root), "--quota", str(QUOTA), "--rate", "100000",
         "--interval", "1"],
        cwd=PROJECT, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        time.sleep(3)  # it has begun, and said what it would do
        before = volume(root)
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, f"{root}/now/m_0_r0", str(number), str(seconds)], stdout=subprocess.PIPE
            )
            for number in range(WRITERS)
        ]
        most = 0
        while any(writer.poll() is None for writer in writers):
            most = max(most, volume(root) - before)
            time.sleep(0.01)
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
        figures |= choosing(Path(name) / "choice")
        figures |= holding(small, seconds)
    finish(
        "evictor",
        figures={name: round(value, 3) for name, value in figures.items()},
        ratios={
            "scan_of_find": round(figures["scan_s"] / figures["find_s"], 2),
            "scan_of_minute_per_million": round(figures["scan_s_per_million"] / 60, 3),
            "most_of_quota": round(figures["most_of_quota"], 3),
            "still_read_of_pvc_evictor": round(
                figures["removed_still_read_share"] / figures["pvc_evictor_removed_still_read_share"], 3
            ),
        },
        peer="GNU find; 60 s for a million files; the quota; llm-d's pvc_evictor",
        ok=figures["scan_s_per_million"] < 60
        and figures["most_of_quota"] <= 1
        and figures["after_of_quota"] <= 1
        and figures["forced_files"] == figures["removed_still_read_share"] == 0,
    )


if __name__ == "__main__":
    main()
