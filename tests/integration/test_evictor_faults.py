"""The evictor where the volume fails it: full, or gone for a while. Nothing is corrupted, and it says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.test_evictor_beside_engines import held
from tests.support.evictors import run_evictor
from tests.support.shared import ROOT
from tests.support.wait import wait_until

KIB = 2**10
FULL = """
import hashlib, json, os, subprocess, sys, threading
from pathlib import Path
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", sys.argv[1]], check=True)
from apps.evictor.evictor import Evictor
from apps.evictor.metrics import Metrics
from apps.evictor.settings import Settings
root, said, written, metrics = Path(sys.argv[1], "kv"), [], {}, Metrics()
try:
    for number in range(1000):
        name = hashlib.sha256(b"%d" % number).hexdigest() + ".bin"
        path = root / "now/m_0_r0" / name[:3] / f"{name[3:5]}_g0" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(f"{path}_7.tmp")
        aside.write_bytes(name.encode() * 1000)
        aside.replace(path)
        os.utime(path, (number, number))
        written[str(path)] = name.encode() * 1000
except OSError as error:
    aside.unlink(missing_ok=True)
    said.append(error.strerror)
# the quota is more than the volume has: nobody counted who else writes there
it = Evictor(Settings(root=str(root), quota=2**30, once=True), metrics, threading.Event(), said.append)
it.begin()
full = it.once(dry_run=False), metrics.get("canary_ok"), metrics.get("volume_free_bytes")
it = Evictor(Settings(root=str(root), quota=8 * 2**20, once=True), metrics, threading.Event(), said.append)
room = it.once(dry_run=False), metrics.get("canary_ok")
left = [path for path in written if os.path.exists(path)]
print(json.dumps({
    "said": said, "full": full, "room": room, "written": len(written), "left": len(left),
    "intact": all(Path(path).read_bytes() == written[path] for path in left),
    "oldest": min(os.stat(path).st_mtime for path in left),
}))
"""


def test_a_full_volume_is_told_and_room_is_made_on_it(tmp_path: Path) -> None:
    command = ["unshare", "-m", sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, timeout=60, capture_output=True, text=True, check=False)
    if done.returncode and ("Operation not permitted" in done.stderr or "permission denied" in done.stderr.lower()):
        pytest.skip("a small volume of its own needs the right to mount")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["said"][0] == "No space left on device"
    assert found["full"][:2] == [True, 0.0]
    assert "the volume cannot be written and read: No space left on device" in found["said"]
    assert found["room"] == [True, 1.0]
    assert 0 < found["left"] < found["written"]
    assert found["intact"]
    assert found["oldest"] == found["written"] - found["left"], "the oldest went first"


def test_a_mount_that_vanishes_and_comes_back(tmp_path: Path) -> None:
    root, away = tmp_path / "volume" / "kv", tmp_path / "away"
    for number in range(40):
        name = f"{number:064x}.bin"
        path = root / "now" / "m_0_r0" / name[:3] / f"{name[3:5]}_g0" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"k" * KIB)
    with run_evictor(tmp_path, root, "1Gi") as evictor:
        wait_until(lambda: evictor.metric("files") == 40, message="the folder is read")
        root.parent.rename(away)
        wait_until(lambda: evictor.metric("up") == 0, message="that it is gone is said")
        assert evictor.metric("used_bytes") is None, "gone is not empty"
        assert f"cannot read {root}: No such file or directory; nothing is removed" in evictor.log.read_text()
        assert held(away) == 40 * KIB
        away.rename(root.parent)
        wait_until(lambda: evictor.metric("up") == 1 and evictor.metric("files") == 40, message="it is there again")
        assert evictor.process.poll() is None
    assert held(root) == 40 * KIB
