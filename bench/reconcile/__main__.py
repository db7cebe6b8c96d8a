"""Reconciling many pools: Lamplight, a minimal operator on Kopf, and a bare client, one after another on one server.

`COUNT` pools (default 200; the claim is made at 1000) of four objects each (two Services, Deployment,
PodDisruptionBudget), scaled to zero. Measured: all created; one field changed in all of them (each until all are live
and that is written in the pools' status; of the peer, until all are live); a resync of all, and a restart of the
workers with a drift check of all, with nothing changed. The peer does three objects each. `WORKERS`: how many worker
processes (default: one for each core, as one runs them).

The bare client sends changed applies through eight connections: what that server can take. It does so twice, with the
very Deployments that Lamplight has applied (`bare_applies_per_s`: the same work for the server), and with Deployments
of five lines, which cost the server a third of that (`bare_small_applies_per_s`). The claim is against the first.

The embedded API server answers several times faster than a real one, so that the two cores on which all of this runs
are the limit and not the server. So all three are measured a second time, with the server doing no more than a real one
did on two cores of this kind (etcd and audit log on, over eight connections: `REAL_RATES`): `…_as_real`, named beside
the others and part of no claim.

`KUBECONFIG` names a real cluster; without it the embedded API server is started. `KOPF=0` leaves the peer out. Claims:
at least 3 times the changes per second of the operator, at least 60 % of the bare client's applies per second, nothing
written when nothing changed, 2,000 keys claimed and finished per second.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from bench.common import PROJECT, finish
from bench.reconcile.accounting import accounting, cpu_seconds

COUNT = int(os.environ.get("COUNT", "200"))
WORKERS = int(os.environ.get("WORKERS", str(os.cpu_count() or 1)))
NAMESPACE = "bench-reconcile"
KOPF = "kopf==1.45.0"
OLD, NEW, NEWEST = (f"vllm/vllm-openai:v0.33.{patch}" for patch in range(3))
# patches per second of a real API server by what is patched: a Deployment's image, what stays as it is, anything else
REAL_RATES: tuple[tuple[tuple[str, ...], float], ...] = (
    (("deployments",), 255.0),
    (("services", "poddisruptionbudgets"), 362.0),
    ((), 320.0),
)
CONNECTIONS = 8  # that a server can use; our workers have a part of them each
THREADS = int(os.environ.get("THREADS", "8"))  # of a worker, as it is installed: one cluster may hold half of them
# resyncs until each thread of each worker has had a full hand, and the allocator what that takes
WARM_UP = 10


def main() -> None:
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lamplight-bench-")))
        base.chmod(0o755)
        os.environ["DJANGO_SETTINGS_MODULE"] = "controlplane.settings.test"
        os.environ["LAMPLIGHT_TEST_DIR"] = str(base / "django")
        os.environ["PGAPPNAME"] = "bench"
        (base / "django").mkdir(mode=0o755)
        from controlplane.supervisor.postgres import PostgresError

        try:
            kubeconfig, cluster = _start(stack, base)
        except PostgresError as error:
            sys.exit(str(error))
        figures: dict[str, Any] = {"pools": COUNT, "workers": WORKERS}
        figures |= lamplight(kubeconfig, base, cluster)
        figures |= bare_clients(kubeconfig, cluster)
        if os.environ.get("KOPF", "1") != "0":
            figures |= kopf(kubeconfig, base, cluster)
        figures["queue_keys_per_s"] = round(queue(), 1)
        print(f"queue: {figures['queue_keys_per_s']} keys claimed and finished a second", flush=True)
    ratios = {
        "changes_to_bare_small": round(figures["changes_per_s"] / figures["bare_small_applies_per_s"], 3),
        "queue_to_2000": round(figures["queue_keys_per_s"] / 2000, 3),
    }
    for peer, rate in (("bare", "bare_applies_per_s"), ("kopf", "kopf_changes_per_s")):
        for real in ("", "_as_real"):
            if f"{rate}{real}" in figures:
                found = figures[f"changes_per_s{real}"] / figures[f"{rate}{real}"]
                ratios[f"changes_to_{peer}{real}"] = round(found, 3)
    ok = ratios["changes_to_bare"] >= 0.6 and ratios["queue_to_2000"] >= 1
    ok = ok and ratios.get("changes_to_kopf", 3.0) >= 3
    ok = ok and figures["resync_writes"] == figures["restart_writes"] == 0
    finish("reconcile", figures=figures, ratios=ratios, peer=f"{KOPF}; a bare client of the same server", ok=ok)


def _start(stack: ExitStack, base: Path) -> tuple[Path, Any | None]:
    """The kubeconfig, and the embedded cluster where that is what is measured."""
    import django

    from tests.support.cluster import run_cluster
    from tests.support.servers import run_postgres, run_valkey

    os.environ["DATABASE_URL"] = stack.enter_context(run_postgres(base / "pg", own="DATABASE_URL" not in os.environ))
    os.environ["REDIS_URL"] = stack.enter_context(run_valkey(base / "valkey", own="REDIS_URL" not in os.environ))
    given = os.environ.get("KUBECONFIG")
    cluster = None if given else stack.enter_context(run_cluster(options={"apiserver": ["--faults"]}))
    django.setup()
    from django.core.management import call_command

    import controlplane.celery  # noqa: F401  (wake-ups are sent through this app)

    call_command("migrate", verbosity=0)
    return (cluster.kubeconfig if cluster is not None else Path(given or "")), cluster


@contextmanager
def as_real(cluster: Any) -> Iterator[None]:
    """The server does as many patches a second as a real one."""
    from tests.support.faults import script

    stall = {"verbs": ["patch"], "times": 0, "fault": "stall", "slots": CONNECTIONS}
    rules = [{**stall, "resources": what, "seconds": CONNECTIONS / rate} for what, rate in REAL_RATES]
    script(cluster, *rules)
    try:
        yield
    finally:
        script(cluster)


def wait(fn: Callable[[], bool], what: str, timeout: float = 600, step: float = 0.1) -> float:
    """Seconds until `fn` holds."""
    started = time.monotonic()
    while not fn():
        if time.monotonic() - started > timeout:
            sys.exit(f"waited {timeout:.0f} s, but not so: {what}")
        time.sleep(step)
    return time.monotonic() - started


def client(kubeconfig: Path) -> Any:
    from apps.clusters.kube import Credentials, Kube

    return Kube(Credentials(kubeconfig=str(kubeconfig)))


# --- the bare client --------------------------------------------------------------------------------------------
def bare_clients(kubeconfig: Path, cluster: Any | None) -> dict[str, float]:
    """Changed server-side applies per second over eight connections: of Deployments as ours, and of small ones."""
    kube = client(kubeconfig)
    ours = deployment_of_ours(kube)
    figures = {
        "bare_applies_per_s": round(bare_client(kube, ours), 1),
        "bare_small_applies_per_s": round(bare_client(kube, SMALL), 1),
    }
    if cluster is not None:
        with as_real(cluster):
            figures["bare_applies_per_s_as_real"] = round(bare_client(kube, ours), 1)
    print(f"bare client: {figures['bare_applies_per_s']} changed applies/s over 8 connections", end="; ")
    print(f"{figures['bare_small_applies_per_s']} of small Deployments", flush=True)
    return figures


SMALL: dict[str, Any] = {"spec": {"template": {"spec": {"containers": [{"name": "engine", "image": OLD}]}}}}


def deployment_of_ours(kube: Any) -> dict[str, Any]:
    """What Lamplight applies for the first pool's engines."""
    from apps.pools import selectors
    from apps.pools.desired import desired_of, gather
    from apps.pools.models import Pool

    pool = Pool.objects.get(name="p0000")
    cluster = selectors.cluster_of(pool)
    assert cluster is not None
    kinds = kube.resources()
    objects = desired_of(gather(pool, selectors.spec_of(pool), cluster, kinds=kinds), kinds).objects
    return next(obj for obj in objects if obj["kind"] == "Deployment")


def bare_client(kube: Any, like: dict[str, Any]) -> float:
    def apply(turn: int, number: int) -> None:
        name = f"bare-{number}"
        template = like["spec"]["template"]
        engine, *others = template["spec"]["containers"]
        pod = {**template["spec"], "containers": [{**engine, "image": f"vllm/vllm-openai:{turn}"}, *others]}
        labels = {"bench": name}
        spec = {
            **like["spec"],
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {**template, "metadata": {"labels": labels}, "spec": pod},
        }
        meta = {"name": name, "namespace": NAMESPACE}
        kube.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}, manager="bench")

    size = min(COUNT, 200)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda i: apply(0, i), range(size)))
        started = time.monotonic()
        for turn in (1, 2):
            list(threads.map(lambda i, turn=turn: apply(turn, i), range(size)))
        rate = 2 * size / (time.monotonic() - started)
        deployments = kube.resource("Deployment", "apps")
        list(threads.map(lambda i: kube.delete(deployments, f"bare-{i}", NAMESPACE), range(size)))
    return rate


# --- Lamplight --------------------------------------------------------------------------------------------------
def lamplight(kubeconfig: Path, base: Path, cluster: Any | None) -> dict[str, Any]:
    from tests.support.pools import cluster_document, declare, model_document

    declare(cluster_document(str(kubeconfig), limits={"concurrency": THREADS}), model_document())
    figures: dict[str, Any] = {}
    kube = client(kubeconfig)
    informers = [sys.executable, "manage.py", "informers"]
    with process(informers, base / "informers.log", as_installed("informers")), ExitStack() as workers:
        calls, cpu = start_workers(workers, base)
        wait(_in_sync, "the watches are in sync", step=0.5)
        figures["create_s"], figures["create_cpu_s"] = burst(kubeconfig, OLD)
        before = calls()
        figures["requests_per_create"] = round(before.requests / COUNT, 2)
        figures["looks_per_create"] = round(before.looks / COUNT, 2)
        busy = cpu()
        took, figures["change_cpu_s"] = burst(kubeconfig, NEW)
        busy = cpu() - busy
        after = calls()
        figures["change_s"] = took
        figures["changes_per_s"] = round(COUNT / took, 1)
        figures["requests_per_change"] = round((after.requests - before.requests) / COUNT, 2)
        figures["looks_per_change"] = round((after.looks - before.looks) / COUNT, 2)
        figures["worker_cpu_ms_per_change"] = round(busy * 1000 / COUNT, 2)
        print(f"lamplight: {COUNT} created in {figures['create_s']} s, changed in {took} s", flush=True)
        memory = []
        written = calls().writes
        for _ in range(WARM_UP + 10):
            figures["resync_s"] = round(_again(), 1)
            memory.append(calls().memory_mib)
        del memory[:WARM_UP]
        figures["resync_writes"] = calls().writes - written
        figures["memory_growth_mib"] = round(memory[-1] - memory[0], 1)
        figures["memory_mib"] = round(memory[-1], 1)
        figures["latency_p99_s"] = round(one_by_one(kube), 3)
        workers.close()
        calls, _ = start_workers(workers, base)
        figures["restart_s"] = round(_again(), 1)
        figures["restart_writes"] = calls().writes
        figures["restart_requests"] = calls().requests
        if cluster is not None:
            with as_real(cluster):
                took, figures["change_cpu_s_as_real"] = burst(kubeconfig, NEWEST)
            figures["changes_per_s_as_real"] = round(COUNT / took, 1)
            print(f"lamplight: changed in {took} s where an apply takes as long as on a real server", flush=True)
    return figures


def burst(kubeconfig: Path, image: str) -> tuple[float, dict[str, float]]:
    """Declare all pools with an image. Seconds until all are live and that is written, and where the processors were
    until nothing is left to do: where a controller of Deployments runs, that tells us of its steps for much longer."""
    with seeing(kubeconfig, image, "p") as live:
        declare_all(image)
        with accounting() as spent:
            took = wait(lambda: live() == COUNT and _written(), f"{image} is live in all pools", step=0.02)
            wait(_settled, "nothing is left to do", step=0.02)
    return round(took, 2), spent


def as_installed(name: str) -> dict[str, str]:
    """The environment of a process of ours: settings of an installation (kept connections), and whose they are."""
    return {
        "DJANGO_SETTINGS_MODULE": "controlplane.settings",
        "PGAPPNAME": name,
        "LAMPLIGHT_WORKER_THREADS": str(THREADS),
        "LAMPLIGHT_KUBE_CONNECTIONS": str(max(1, CONNECTIONS // WORKERS)),
    }


@contextmanager
def process(argv: list[str], log: Path, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        running = subprocess.Popen(argv, cwd=PROJECT, env={**os.environ, **(env or {})}, stdout=out, stderr=out)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(15)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait(5)


@contextmanager
def standing_still(worker: subprocess.Popen[bytes]) -> Iterator[None]:
    """The process does nothing meanwhile: what is measured afterwards is its work, not that of the driver."""
    worker.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.send_signal(signal.SIGCONT)


@dataclass(frozen=True)
class Seen:
    """What all workers together have done and hold. `requests`: to the API server, `writes` of them but reads; `looks`
    at objects."""

    requests: int
    writes: int
    looks: int
    memory_mib: float


def start_workers(stack: ExitStack, base: Path) -> tuple[Callable[[], Seen], Callable[[], float]]:
    """What they have done so far, and how many seconds of CPU they have used."""
    pages = [base / f"worker-{uuid4().hex[:6]}.json" for _ in range(WORKERS)]
    pids = []
    for page in pages:
        argv = [sys.executable, "-m", "bench.reconcile.worker", str(page)]
        pids.append(stack.enter_context(process(argv, base / "worker.log", as_installed("workers"))).pid)
    wait(lambda: all(page.exists() for page in pages), "the workers run")

    def read() -> Seen:
        time.sleep(0.3)  # they write five times a second
        states = [json.loads(page.read_text()) for page in pages]
        calls = Counter[str]()
        for state in states:
            calls.update(state["calls"])
        return Seen(
            requests=calls.total(),
            writes=calls.total() - calls["GET"],
            looks=sum(state["looks"] for state in states),
            memory_mib=sum(map(memory_mib, pids)),
        )

    return read, lambda: sum(map(cpu_seconds, pids))


def memory_mib(pid: int) -> float:
    """Proportional share of memory. (Asked from here: it takes the kernel a while, which is no work of the worker.)"""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024


def declare_all(image: str) -> None:
    from django.db import transaction

    from tests.support.pools import declare, pool_document, variant_document

    def document(number: int) -> dict[str, Any]:
        variant = variant_document(replicas={"min": 0, "max": 4})
        return pool_document(
            f"p{number:04}",
            namespace=NAMESPACE,
            variants=[variant],
            engine={"image": image},
            routing={"picker": False},
        )

    # the worker sees them all at once, when all are there: what is measured then is its work, not that of the driver
    with transaction.atomic():
        for first in range(0, COUNT, 100):
            declare(*(document(number) for number in range(first, min(first + 100, COUNT))))


def _in_sync() -> bool:
    from apps.clusters.models import Watch

    rows = list(Watch.objects.values_list("synced", flat=True))
    return bool(rows) and all(rows)


def _written() -> bool:
    """Whether every pool's newest revision says what it became, which is written with the pool's status."""
    return _none(
        "pools_pool p JOIN pools_revision r ON r.pool_id = p.uid AND r.generation = p.generation"
        " WHERE r.rendered_hash = ''"
    )


def _settled() -> bool:
    return _none(
        "reconcile_queue WHERE kind = 'Pool' AND (due_at < clock_timestamp() OR dirty OR lease_until IS NOT NULL)"
    )


def _none(rows: str) -> bool:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {rows}")
        return bool(cursor.fetchone()[0] == 0)


@contextmanager
def seeing(kubeconfig: Path, image: str, prefix: str) -> Iterator[Callable[[], int]]:
    """How many Deployments of names with a prefix have an image, by a watch: listing them all would take from the
    server what is measured."""
    kube = client(kubeconfig)  # its own: its connection is none of those that others of this process share
    resource = kube.resource("Deployment", "apps")
    query = f"watch=true&timeoutSeconds=900&resourceVersion={_position(kube, resource)}"
    path = resource.path(NAMESPACE)
    seen: set[str] = set()
    stream = kube._client.rest_client.pool_manager.request(
        "GET", f"{kube.server}{path}?{query}", headers=kube.headers(), preload_content=False, timeout=900
    )

    def follow() -> None:
        with suppress(Exception):  # the server goes before it does
            rest = b""
            for chunk in stream.stream(None):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    found = orjson.loads(line)["object"]
                    pod = found["spec"]["template"]["spec"]
                    if pod["containers"][0]["image"] == image and found["metadata"]["name"].startswith(prefix):
                        seen.add(found["metadata"]["name"])

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield lambda: len(seen)
    finally:
        stream.shutdown()
        thread.join()
        kube.close()


def _position(kube: Any, resource: Any) -> str:
    return str(kube._call("GET", resource.path(NAMESPACE), {"limit": "1"})["metadata"]["resourceVersion"])


def _again() -> float:
    """Seconds to look at every pool once more."""
    from apps.reconcile.models import QueueItem

    QueueItem.objects.filter(kind="Pool").update(due_at="2000-01-01T00:00:00Z")
    return wait(_settled, "every pool was looked at", step=0.05)


def one_by_one(kube: Any) -> float:
    """p99 of the seconds from declaring a change of one pool to its being live, while nothing else happens."""
    from tests.support.pools import declare, pool_document, variant_document

    deployments = kube.resource("Deployment", "apps")
    taken = []
    for turn in range(min(COUNT, 50)):
        name, flag = f"p{turn:04}", f"--max-model-len={2048 + turn}"
        variant = variant_document(replicas={"min": 0, "max": 4})
        engine = {"image": NEW, "args": [flag]}
        started = time.monotonic()
        declare(pool_document(name, namespace=NAMESPACE, variants=[variant], engine=engine, routing={"picker": False}))

        def live(name: str = name, flag: str = flag) -> bool:
            found = kube.get(deployments, f"{name}-h200", NAMESPACE)
            return flag in found["spec"]["template"]["spec"]["containers"][0]["args"]

        wait(live, "one change is live", step=0.01)
        taken.append(time.monotonic() - started)
    return sorted(taken)[int(len(taken) * 0.99)]


# --- the peer ---------------------------------------------------------------------------------------------------
KOPF_PHASES = (("POST", OLD, "create"), ("PATCH", NEW, "change"), ("PATCH", NEWEST, "change_as_real"))


def kopf(kubeconfig: Path, base: Path, cluster: Any | None) -> dict[str, Any]:
    from bench.reconcile.operator_kopf_facts import GROUP, PLURAL, VERSION, definition

    venv = base / "kopf"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    install = [str(venv / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", KOPF, "httpx", "pyyaml"]
    if subprocess.run(install, check=False).returncode:
        print("the peer cannot be installed from the package index: left out", flush=True)
        return {}
    kube = client(kubeconfig)
    path = f"/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/{PLURAL}"
    kube._call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body=definition())
    wait(lambda: _served(kube, path), "the peer's kind is served")

    def send(method: str, image: str, number: int) -> None:
        name = f"k{number:04}"
        body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "ServiceOfBench",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"image": image},
        }
        merge = "application/merge-patch+json"
        where = path if method == "POST" else f"{path}/{name}"
        kube._call(method, where, body=body, content_type="application/json" if method == "POST" else merge)

    argv = [str(venv / "bin" / "kopf"), "run", "-n", NAMESPACE, "--standalone", "-q"]
    argv.append(str(PROJECT / "bench" / "reconcile" / "operator_kopf.py"))
    figures: dict[str, Any] = {}
    with process(argv, base / "kopf.log", {"KUBECONFIG": str(kubeconfig)}) as running, ThreadPoolExecutor(8) as threads:
        time.sleep(5)  # it starts its watches
        for method, image, name in KOPF_PHASES:
            real = name.endswith("_as_real")
            if real and cluster is None:
                continue
            with as_real(cluster) if real else nullcontext(), seeing(kubeconfig, image, "k") as live:
                with standing_still(running):
                    list(threads.map(lambda i, m=method, im=image: send(m, im, i), range(COUNT)))
                with accounting() as spent:
                    took = wait(lambda live=live: live() == COUNT, f"the peer's {name} is live", step=0.02)
            figures[f"kopf_{name}_s"] = round(took, 1)
            figures[f"kopf_{name}_cpu_s"] = spent
    for real in ("", "_as_real"):
        if f"kopf_change{real}_s" in figures:
            figures[f"kopf_changes_per_s{real}"] = round(COUNT / figures[f"kopf_change{real}_s"], 1)
    print(f"kopf: created in {figures['kopf_create_s']} s, changed in {figures['kopf_change_s']} s", flush=True)
    return figures


def _served(kube: Any, path: str) -> bool:
    from apps.clusters.errors import KubeError

    try:
        kube._call("GET", path)
    except KubeError:
        return False
    return True


# --- the queue --------------------------------------------------------------------------------------------------
def queue() -> float:
    """Keys claimed and finished per second by eight threads of one worker, each key of one of four clusters."""
    from django.db import connection

    from apps.reconcile import queue as table
    from apps.reconcile import worker
    from apps.reconcile.domain.outcomes import Done
    from apps.reconcile.domain.priority import Priority

    number = 4000
    worker.register_controller("Bench", lambda _: Done())
    for shard in range(4):
        uids = [uuid4() for _ in range(number // 4)]
        table.enqueue(kind="Bench", uids=uids, priority=Priority.RESYNC, shard=f"bench-{shard}")

    def work() -> None:
        while _waiting_keys("Bench"):
            worker.drain(budget=60)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return number / (time.monotonic() - started)


def _waiting_keys(kind: str) -> bool:
    from apps.reconcile.models import QueueItem

    return QueueItem.objects.filter(kind=kind).exists()


if __name__ == "__main__":
    main()
