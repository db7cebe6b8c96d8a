"""The Job that measures a volume or an object store before any tier is on it: on the node type and from the image of
the pool's engines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["PROGRAM", "Unreadable", "claim_container", "job_manifest", "job_name", "measured_at", "read_result"]

_MOUNT = "/mnt/kv"
_THREADS, _MIB, _SECONDS = 4, 64, 8

# Writes and reads `threads` files of `mib` MiB at once, as an engine's tier threads do, for at most `seconds` each
# way; reads go past the page cache (O_DIRECT, else pages are dropped before). Standard library only; leaves nothing
# behind.
PROGRAM = r"""
import json, mmap, os, shutil, sys, threading, time
root, threads, mib, limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
home = os.path.join(root, ".lamplight-probe-%d-%d" % (os.getpid(), int(time.time())))
os.makedirs(home)
step, size = 4 << 20, mib << 20
data = os.urandom(step)
done, first, direct, failed = [0] * threads, [0.0] * threads, [True] * threads, []
def write(i):
    fd = os.open(os.path.join(home, str(i)), os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        end = time.monotonic() + limit
        while done[i] < size and time.monotonic() < end:
            done[i] += os.write(fd, data)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)
def read(i):
    path, buffer, start = os.path.join(home, str(i)), mmap.mmap(-1, step), time.monotonic()
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
        os.preadv(fd, [buffer], 0)
    except OSError:
        direct[i] = False
        fd = os.open(path, os.O_RDONLY)
        os.preadv(fd, [buffer], 0)
    first[i] = time.monotonic() - start
    at, end = step, start + limit
    while at < done[i] and time.monotonic() < end:
        got = os.preadv(fd, [buffer], at)
        if got <= 0:
            break
        at += got
    os.close(fd)
    moved[i] = at
def run(work):
    def kept(i):
        try:
            work(i)
        except Exception as error:
            failed.append("%s: %s" % (type(error).__name__, error))
    start = time.monotonic()
    all_ = [threading.Thread(target=kept, args=(i,)) for i in range(threads)]
    [t.start() for t in all_]
    [t.join() for t in all_]
    return max(time.monotonic() - start, 1e-6)
moved = [0] * threads
try:
    stored = run(write)
    loaded = run(read)
finally:
    shutil.rmtree(home, ignore_errors=True)
if failed:
    sys.exit("cannot measure %s: %s" % (root, failed[0]))
# a simulated volume says how fast it is
most = float(os.environ.get("LAMPLIGHT_STORAGE_BANDWIDTH") or "inf")
load, store = min(sum(moved) / loaded, most), min(sum(done) / stored, most)
print(json.dumps({"load": load, "store": store, "latency": min(first), "direct": all(direct)}))
"""


class Unreadable(ValueError):
    """What the Job printed is no measurement."""


def job_name(pool: str, uid: str, number: int) -> str:
    return f"{pool[:30]}-kv-probe-{uid[:6]}-{number}"


def measured_at(claim: str | None, endpoint: str | None, bucket: str | None) -> str:
    """What a measurement is of: a volume by its claim, a bucket by its address. Of another one it says nothing."""
    return f"{endpoint}/{bucket}" if endpoint is not None else claim or ""


def claim_container(image: str) -> dict[str, Any]:
    """A container that measures the volume which the Job mounts; at most a quarter of a GiB is written and read."""
    return {
        "name": "probe",
        "image": image,
        "command": ["python3", "-c", PROGRAM, _MOUNT, str(_THREADS), str(_MIB), str(_SECONDS)],
        "volumeMounts": [{"name": "kv", "mountPath": _MOUNT}],
    }


def job_manifest(
    *,
    name: str,
    namespace: str,
    container: Mapping[str, Any],
    claim: str | None,
    node_selector: Mapping[str, str],
    toleration: str | None,
    labels: Mapping[str, str],
) -> dict[str, Any]:
    """One pod with the `container` that measures, one attempt of at most two minutes, gone five minutes after its end.
    claim: the volume that it mounts, None: none."""
    marked = {**labels, "app.kubernetes.io/component": "kv-probe", "app.kubernetes.io/managed-by": "lamplight"}
    resources = {"requests": {"cpu": "1", "memory": "256Mi"}, "limits": {"memory": "512Mi"}}
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [{**container, "resources": resources}],
    }
    if claim is not None:
        pod["volumes"] = [{"name": "kv", "persistentVolumeClaim": {"claimName": claim}}]
    if node_selector:
        pod["nodeSelector"] = dict(node_selector)
    if toleration is not None:
        pod["tolerations"] = [{"key": toleration, "operator": "Exists", "effect": "NoSchedule"}]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace, "labels": marked},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": 120,
            "ttlSecondsAfterFinished": 300,
            "template": {"metadata": {"labels": marked}, "spec": pod},
        },
    }


def read_result(log: str) -> dict[str, float]:
    """Bytes per second {load, store}, seconds {latency}, from the log of the Job's pod. Raises Unreadable."""
    for line in reversed(log.splitlines()):
        if not line.startswith("{"):
            continue
        try:
            found = json.loads(line)
            result = {name: float(found[name]) for name in ("load", "store", "latency")}
        except (ValueError, KeyError, TypeError):
            continue
        if result["load"] > 0 and result["store"] > 0 and result["latency"] >= 0:
            return result
    tail = log.strip().splitlines()[-1:] or ["it printed nothing"]
    raise Unreadable(f"the probe measured nothing: {tail[0][:300]}")
