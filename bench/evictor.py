"""The evictor: how fast it reads a large folder, and whether a quota holds against writers at full speed.

`make bench NAME=evictor`; `FILES=1000000` for the claim (default 100,000), `SECONDS` and `QUOTA_MIB` of the writing,
`DIR` for a folder on another volume (/dev/shm: as fast as memory). The peer of reading is GNU find, which reads the
same folder's names and sizes in the same run; the limit is a minute for a million files.

Writers are sixteen processes that write chunks of 1 MiB as vLLM's filesystem tier does (0.32,
`kv_offload/tiering/fs/io.py`): aside under O_EXCL, past the page cache (O_DIRECT), then renamed; a write that fails is
a chunk less. Where a file system refuses O_DIRECT vLLM writes into the page cache, so they play that as well
(`buffered`): such writers need not wait for a disk, and plain `unlink` must. How much plain unlinking can do then is
measured in the same run: sixteen more processes, each of which removes the oldest chunks of one writer (`bare`).

What the folder holds meanwhile is told by the bytes that its volume holds (a scan takes long enough to count what came
and what went), so nothing else should write there.

What is removed is compared with the policy of llm-d's pvc_evictor on the same files (its README at
github.com/llm-d/llm-d-kv-cache, kv_connectors/pvc_evictor, written anew here): from 85 % of the volume files go in the
order in which they are found until 70 % are left, but those accessed within an hour by their atime, which on a noatime
volume is when they were written.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
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
# each writer counts its chunks and the folders it made in a page that all share
NAMES = """
import hashlib, mmap, os, struct, sys, time
root, number, until = sys.argv[1], int(sys.argv[2]), time.time() + float(sys.argv[3])
with open(sys.argv[4], "r+b") as file:
    page = mmap.mmap(file.fileno(), 0)
def path_of(key):
    name = f"{hashlib.sha256(b'%d' % key).hexdigest()[:48]}{key:016x}.bin"
    return f"{root}/{name[:3]}", f"{root}/{name[:3]}/{name[3:5]}_g0", name
"""
WRITER = (
    NAMES
    + """
flags, made, first = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_TRUNC, 0, number << 40
data = mmap.mmap(-1, 2**20)
data.write(os.urandom(2**20))
if sys.argv[5] == "direct":
    try:
        os.close(os.open(f"{root}/probe{number}", flags | os.O_DIRECT))
        os.unlink(f"{root}/probe{number}")
        flags |= os.O_DIRECT
    except OSError:
        pass
key = first
while time.time() < until:
    key += 1
    outer, folder, name = path_of(key)
    aside = f"{folder}/{name}_{number}.tmp"
    try:
        for each in (outer, folder):
            if not os.path.isdir(each):
                os.makedirs(each, exist_ok=True)
                made += 1
        handle = os.open(aside, flags, 0o644)
        try:
            if os.write(handle, data) < len(data):
                raise OSError
        finally:
            os.close(handle)
        os.replace(aside, f"{folder}/{name}")
    except OSError:
        if os.path.exists(aside):
            os.unlink(aside)
        key -= 1
    struct.pack_into("QQ", page, 16 * number, key - first, made)
"""
)
# of what one writer wrote, all but the latest goes; the share that stays is what the evictor's high mark would be
REMOVER = (
    NAMES
    + """
keep, first, gone = int(sys.argv[5]), number << 40, 0
while time.time() < until:
    there = struct.unpack_from("Q", page, 16 * number)[0]
    if there - gone <= keep:
        time.sleep(0.005)
        continue
    gone += 1
    _outer, folder, name = path_of(first + gone)
    os.unlink(f"{folder}/{name}")
"""
)
HIGH = 0.85
FOLDER = 4096


def fill(root: Path, files: int) -> None:
    """Files of 1 MiB without contents, spread as hashes are."""
    for number in range(files):
        name = f"{hashlib.sha256(b'%d' % number).hexdigest()[:48]}{number:016x}.bin"
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
    gone: list[str] = []
    used = sum(size for _at, size in written.values())
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


@dataclass
class Watched:
    """What the folder held, tick after tick: bytes by (seconds, held)."""

    seen: list[tuple[float, float]] = field(default_factory=list)

    @property
    def most(self) -> float:
        return max((held for _at, held in self.seen), default=0.0)

    def seconds_over(self, quota: float) -> float:
        spans = zip(self.seen, self.seen[1:], strict=False)
        return sum(after - at for (at, held), (after, _held) in spans if held > quota)


def start(program: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)])


def writing(root: Path, seconds: float, how: str, page: mmap.mmap, counters: Path) -> tuple[Watched, float]:
    """Have all write; what was held meanwhile, and bytes a second."""
    before = volume(root)
    writers = [start(WRITER, root / "now" / "m_0_r0", number, seconds, counters, how) for number in range(WRITERS)]
    watched, begun = Watched(), time.monotonic()
    while any(writer.poll() is None for writer in writers):
        made = sum(struct.unpack_from("Q", page, 16 * number + 8)[0] for number in range(WRITERS))
        watched.seen.append((time.monotonic() - begun, volume(root) - before - FOLDER * made))
        time.sleep(0.01)
    took = time.monotonic() - begun
    return watched, CHUNK * sum(struct.unpack_from("Q", page, 16 * number)[0] for number in range(WRITERS)) / took


def holding(root: Path, seconds: float, how: str) -> dict[str, float]:
    """Writers as fast as they can against the evictor as its Deployment starts it, but for the time between looks."""
    counters, told = root.with_name(f"{root.name}-counters"), root.with_name(f"{root.name}.log")
    counters.write_bytes(bytes(16 * WRITERS))
    (root / "now" / "m_0_r0").mkdir(parents=True)
    with told.open("wb") as log, counters.open("rb") as file:
        page = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        evictor = subprocess.Popen(
            [sys.executable, "-m", "apps.evictor", "--root", str(root), "--quota", str(QUOTA), "--interval", "2",
             *(["--no-watch"] if os.environ.get("WATCH") == "0" else [])],
            cwd=PROJECT, stdout=log,
        )  # fmt: skip
        try:
            time.sleep(5)  # it has begun, said what it would do, and looked again
            watched, speed = writing(root, seconds, how, page, counters)
            at_stop = scan(str(root)).bytes
            time.sleep(3)
            after = scan(str(root)).bytes
        finally:
            evictor.kill()
            evictor.wait()
    print(told.read_text()[-2000:], file=sys.stderr)
    figures = {
        "written_gib_per_s": speed / 2**30,
        "quota_written_in_s": QUOTA / speed,
        "most_of_quota": watched.most / QUOTA,
        "over_quota_s": watched.seconds_over(QUOTA),
        "median_of_quota": sorted(held for _at, held in watched.seen)[len(watched.seen) // 2] / QUOTA,
        "at_stop_of_quota": at_stop / QUOTA,
        "after_of_quota": after / QUOTA,
    }
    return {f"{how}_{name}": value for name, value in figures.items()}


def bare(root: Path, seconds: float) -> dict[str, float]:
    """The same writers into the page cache against nothing but unlink."""
    counters = root.with_name(f"{root.name}-counters")
    counters.write_bytes(bytes(16 * WRITERS))
    (root / "now" / "m_0_r0").mkdir(parents=True)
    keep = int(HIGH * QUOTA / WRITERS / CHUNK)
    removers = [start(REMOVER, root / "now" / "m_0_r0", number, seconds, counters, keep) for number in range(WRITERS)]
    with counters.open("rb") as file:
        page = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        watched, speed = writing(root, seconds, "buffered", page, counters)
    for remover in removers:
        remover.wait()
    return {"bare_written_gib_per_s": speed / 2**30, "bare_most_of_quota": watched.most / QUOTA}


def main() -> None:
    files, seconds = int(os.environ.get("FILES", "100000")), float(os.environ.get("SECONDS", "20"))
    with tempfile.TemporaryDirectory(dir=os.environ.get("DIR")) as name:
        large = Path(name) / "large"
        figures: dict[str, float] = {"files": files, **scanning(large, files)}
        shutil.rmtree(large)
        figures |= choosing(Path(name) / "choice")
        figures["quota_gib"] = QUOTA / 2**30
        for how in ("direct", "buffered"):
            figures |= holding(Path(name) / how, seconds, how)
            shutil.rmtree(Path(name) / how)
            os.sync()  # what one leaves to the disk is not the next one's
        figures |= bare(Path(name) / "bare", seconds)
    finish(
        "evictor",
        figures={name: round(value, 3) for name, value in figures.items()},
        ratios={
            "scan_of_find": round(figures["scan_s"] / figures["find_s"], 2),
            "scan_of_minute_per_million": round(figures["scan_s_per_million"] / 60, 3),
            "most_of_quota": round(figures["direct_most_of_quota"], 3),
            "buffered_most_of_quota": round(figures["buffered_most_of_quota"], 3),
            "buffered_most_of_bare_unlink": round(figures["buffered_most_of_quota"] / figures["bare_most_of_quota"], 3),
            "still_read_of_pvc_evictor": round(
                figures["removed_still_read_share"] / figures["pvc_evictor_removed_still_read_share"], 3
            ),
        },
        peer="GNU find; 60 s for a million files; the quota; plain unlink; llm-d's pvc_evictor",
        ok=figures["scan_s_per_million"] < 60
        and all(figures[f"{how}_{name}_of_quota"] <= 1 for how in ("direct", "buffered") for name in ("most", "after"))
        and figures["forced_files"] == figures["removed_still_read_share"] == 0,
    )


if __name__ == "__main__":
    main()
