"""Probe Jobs: begun for volumes and object stores that somebody wants measured, read when they end."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from apps.clusters.errors import Conflict, KubeError, NotFound
from apps.clusters.kube import Kube
from apps.clusters.selectors import kube_for
from apps.core import clock
from apps.core.locks import advisory
from apps.offload.domain.bucket_probe import bucket_container
from apps.offload.domain.probe import Unreadable, claim_container, job_manifest, job_name, measured_at, read_result
from apps.offload.models import Probe
from apps.offload.policies import serving_variant
from apps.pools.models import Pool
from apps.pools.selectors import accelerators, cluster_of, spec_of

__all__ = ["run_probes"]

log = logging.getLogger(__name__)

_LOCK = 0x6C616D70_6B767072
_GIVE_UP = timedelta(minutes=5)
_AT_ONCE = 4
_MANAGER = "lamplight"


def run_probes() -> int | None:
    """Begin and read probes; how many are open, None when another run is at it."""
    with advisory(_LOCK) as held:
        if not held:
            return None
        rows = list(Probe.objects.filter(state__in=("asked", "running")).order_by("asked_at")[:_AT_ONCE])
        for row in rows:
            pool = Pool.objects.living().filter(uid=row.pool).first()
            if pool is None:
                row.delete()
                continue
            try:
                _step(row, pool)
            except KubeError as error:
                _end(row, problem=f"the cluster refused the probe: {error}")
            except Exception:
                log.exception("the probe of pool %s", row.pool)
                _end(row, problem="the probe failed; the worker's log says why")
        return len(rows)


def _step(row: Probe, pool: Pool) -> None:
    cluster = cluster_of(pool)
    if cluster is None:
        _end(row, problem="the pool's cluster is gone")
        return
    if cluster.spec.get("readOnly"):
        _end(row, problem=f"cluster {cluster.name} is read-only: nothing is started there")
        return
    kube = kube_for(cluster)
    if row.state == "asked":
        _begin(row, pool, kube)
        return
    try:
        job = kube.get(kube.resource("Job", "batch"), row.job, pool.namespace)
    except NotFound:
        _end(row, problem="its Job was deleted before it ended")
        return
    status = job.get("status") or {}
    if status.get("succeeded") or status.get("failed"):
        _read(row, pool, kube, bool(status.get("succeeded")))
    elif clock.now() - row.asked_at > _GIVE_UP:
        _end(row, problem=f"its Job {row.job} did not end within five minutes: {_waits(kube, pool, row.job)}")


def _begin(row: Probe, pool: Pool, kube: Kube) -> None:
    spec = spec_of(pool)
    tier, image = spec.offload.tier(row.kind), spec.engine.image
    if tier is None or measured_at(tier.claim, tier.endpoint, tier.bucket) != row.claim:
        _end(row, problem=f"the pool does not declare {row.claim} any more")
        return
    facts = accelerators().get(serving_variant(spec).accelerator)
    manifest = job_manifest(
        name=job_name(pool.name, pool.uid.hex, int(row.asked_at.timestamp())),
        namespace=pool.namespace,
        container=(
            bucket_container(image, tier.endpoint, tier.bucket, tier.secret)
            if tier.endpoint is not None and tier.bucket is not None
            else claim_container(image)
        ),
        claim=tier.claim,
        node_selector=facts.node_selector if facts is not None else {},
        toleration=facts.resource if facts is not None else None,
        labels={"lamplight.dev/probe-of": str(pool.uid)},
    )
    try:
        kube.create(manifest, manager=_MANAGER)
    except Conflict:
        log.debug("the probe %s was begun already", manifest["metadata"]["name"])
    row.state, row.job = "running", manifest["metadata"]["name"]
    row.save(update_fields=["state", "job"])


def _pods(kube: Kube, pool: Pool, job: str) -> list[dict[str, Any]]:
    return kube.list(kube.resource("Pod"), pool.namespace, labels={"job-name": job})


def _read(row: Probe, pool: Pool, kube: Kube, succeeded: bool) -> None:
    pods = _pods(kube, pool, row.job)
    text = kube.log_tail(pods[0]["metadata"]["name"], pool.namespace, "probe", lines=20) if pods else ""
    try:
        result = read_result(text)
    except Unreadable as error:
        _end(row, problem=str(error))
        return
    if not succeeded:
        _end(row, problem="its Job failed")
        return
    _end(row, result=result)
    kube.delete(kube.resource("Job", "batch"), row.job, pool.namespace)


def _waits(kube: Kube, pool: Pool, job: str) -> str:
    for pod in _pods(kube, pool, job):
        for condition in (pod.get("status") or {}).get("conditions") or []:
            if condition.get("status") == "False" and condition.get("message"):
                return str(condition["message"])[:300]
    return "no pod of it says why"


def _end(row: Probe, *, result: dict[str, float] | None = None, problem: str = "") -> None:
    row.state = "failed" if result is None else "done"
    row.finished_at, row.problem = clock.now(), problem
    if result is not None:
        row.result = result
    row.save(update_fields=["state", "finished_at", "problem", "result"])
