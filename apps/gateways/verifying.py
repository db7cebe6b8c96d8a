"""Running the self-test of a pool's path against the pool's own address, and keeping what came of it."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson
import urllib3
from django.db import IntegrityError, transaction

from apps.catalog.domain.model import ModelSpec
from apps.clusters.errors import KubeError
from apps.clusters.selectors import kube_for
from apps.core import clock, outbox
from apps.core.domain.addresses import refused_inside
from apps.core.domain.conditions import Condition, format_time
from apps.core.domain.refusals import Clash, Refusal
from apps.core.locks import advisory
from apps.core.status import put_condition
from apps.gateways import pickers
from apps.gateways.domain import verify
from apps.gateways.domain.verify import Call, Check, Facts, Pulled
from apps.gateways.models import Verification
from apps.pools import selectors
from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.manifests import COMPONENT, POOL_UID
from apps.pools.models import Pool
from apps.pools.selecting import selected
from apps.telemetry.domain.exposition import ExpositionError, parse
from apps.telemetry.domain.pods import metrics_url

__all__ = ["ask", "facts_of", "follow_rollouts", "forget", "run", "shown"]

log = logging.getLogger(__name__)

SWITCH = "lamplight.dev/verify"
"""Annotation of a pool: `off` leaves out the test after each roll-out."""
MOST_ADAPTERS = 8
KEPT = 50
_REQUEST_SECONDS = 60.0
_WAKE_SECONDS = 420.0
_MOST_BYTES = 2**20
_MOST_ENGINES = 64
_ENGINES_SECONDS = 20.0
_COUNTED_SECONDS = 3.0
# a run that has not ended by then died with its worker
_LONGEST = timedelta(minutes=20)
_AT_ONCE = 10
# any number of our own
_LOCK = 0x6C616D70_76726679


def ask(*, pool: Pool, by: str, trigger: str = "person") -> Verification:
    """Queue a self-test. Raises Clash while one is under way."""
    now = clock.now()
    with transaction.atomic():
        Pool.objects.select_for_update().get(uid=pool.uid)
        under_way = Verification.objects.filter(
            pool=pool.uid, status__in=["queued", "running"], created_at__gt=now - _LONGEST
        ).first()
        if under_way is not None:
            raise Clash(f"{pool.key} is being verified already, since {format_time(under_way.created_at)}.")
        return Verification.objects.create(
            pool=pool.uid, team=pool.team, name=pool.name, generation=pool.generation, trigger=trigger,
            created_by=by, created_at=now,
        )  # fmt: skip


def follow_rollouts() -> list[UUID]:
    """Queue the self-test of each pool whose newest generation has become ready and was not tested since; and name
    those that wait for a worker. None twice, whoever calls at once."""
    with advisory(_LOCK) as held:
        if not held:
            return []
        now = clock.now()
        Verification.objects.filter(status__in=["queued", "running"], created_at__lt=now - _LONGEST).update(
            status="unknown", finished_at=now
        )
        tested = set(Verification.objects.values_list("pool", "generation"))
        for pool in Pool.objects.living():
            if (pool.uid, pool.generation) in tested or not _due(pool):
                continue
            try:
                ask(pool=pool, by="", trigger="rollout")
            except (Clash, IntegrityError, Pool.DoesNotExist):
                continue
        waiting = Verification.objects.filter(status="queued").order_by("created_at")
        return list(waiting.values_list("id", flat=True)[:_AT_ONCE])


def run(identity: UUID) -> Verification | None:
    """Run a queued self-test; None where another took it."""
    now = clock.now()
    if not Verification.objects.filter(id=identity, status="queued").update(status="running", started_at=now):
        return None
    row: Verification = Verification.objects.get(id=identity)
    pool = Pool.objects.living().filter(uid=row.pool).first()
    if pool is None:
        row.delete()
        return None
    try:
        checks = _checks(pool)
    except Refusal as refusal:
        checks = [Check("request", "failed", str(refusal))]
    except Exception:
        log.exception("verifying %s", pool.key)
        checks = [Check("request", "unknown", "The self-test itself failed; the worker's log says why.")]
    _settle(row, checks, clock.now())
    return row


def shown(row: Verification) -> dict[str, Any]:
    """A self-test as REST shows it."""
    return {
        "id": str(row.id),
        "status": row.status,
        "trigger": row.trigger,
        "generation": row.generation,
        "createdBy": row.created_by or None,
        "createdAt": _time(row.created_at),
        "startedAt": _time(row.started_at),
        "finishedAt": _time(row.finished_at),
        "checks": row.checks,
    }


def forget() -> None:
    """Keep the last tests of each pool, and none of pools that are gone."""
    Verification.objects.exclude(pool__in=Pool.objects.values("uid")).delete()
    for pool in Verification.objects.values_list("pool", flat=True).distinct():
        old = Verification.objects.filter(pool=pool).order_by("-created_at").values_list("id", flat=True)[KEPT:]
        Verification.objects.filter(id__in=list(old)).delete()


def facts_of(pool: Pool) -> Facts:
    """What of a pool decides which checks it has."""
    spec = selectors.spec_of(pool)
    model = selectors.model_of(pool)
    adapters: tuple[str, ...] = ()
    if spec.adapters is not None and model is not None:
        adapters = tuple(each.name for each in ModelSpec.from_document(model.spec).lora_adapters or ())[:MOST_ADAPTERS]
    # groups of wide-EP may do both
    apart = any(variant.role == "prefill" for variant in spec.variants)
    decider = spec.routing.disaggregation.decider if spec.routing.disaggregation else None
    uncached = 0 if decider is None or decider.always else decider.non_cached_tokens
    rows = (pool.status or {}).get("variants") or []
    asleep = bool(rows) and not any(row.get("ready") for row in rows)
    idle = spec.autoscaling.idle if spec.autoscaling else "keep"
    return Facts(
        served_name=pickers.served_name(pool),
        picker=spec.routing.picker,
        disaggregated=apart,
        uncached=uncached,
        tiers=spec.offload.mode == "fixed" and spec.offload.connector == "native",
        adapters=adapters,
        sleeps=idle != "keep" or all(variant.replicas.min == 0 for variant in spec.variants),
        awake=0 if asleep else 1,
    )


def _due(pool: Pool) -> bool:
    """The newest generation is live and serves."""
    if (pool.annotations or {}).get(SWITCH) == "off" or not pool.status.get("endpoint"):
        return False
    ready = next((each for each in pool.conditions if each.get("type") == "Ready"), None)
    live = ready is not None and ready.get("status") == "True" and ready.get("observedGeneration") == pool.generation
    # a pool that sleeps is not woken for it
    return live and any(row.get("ready") for row in (pool.status.get("variants") or []))


def _checks(pool: Pool) -> list[Check]:
    facts = facts_of(pool)
    address = _address(pool)
    patience = _REQUEST_SECONDS if facts.awake else _WAKE_SECONDS
    with urllib3.PoolManager(num_pools=1, retries=False) as manager:
        whole, text = True, verify.prompt(secrets.token_hex(6), facts)
        before_first = _pulled(manager, pool) if facts.disaggregated else {}
        stored_before = _stored(manager, pool) if facts.tiers else None
        first = _call(manager, pool, address, facts.served_name, text, patience)
        if first.status == 400:
            # longer than what the engine takes; what it takes may be too short for a chunk of a tier
            whole, text = False, verify.prompt(secrets.token_hex(6), facts, short=True)
            first = _call(manager, pool, address, facts.served_name, text, patience)
        checks = [verify.request(first)]
        if facts.sleeps:
            checks.append(verify.wake(facts, first))
        if first.answered:
            pulled = _settled(manager, pool, first, before_first) if facts.disaggregated else None
            hits = _hits(manager, first.address)
            second = _call(manager, pool, address, facts.served_name, text, patience)
            before = (first.address, hits) if hits is not None else None
            checks.append(verify.cache_hit(verify.counted(second, before, _hits(manager, second.address))))
        if facts.disaggregated and facts.picker:
            checks.append(verify.hand_over(first, pulled))
        if facts.tiers and whole:
            checks.append(verify.tier(first, stored_before, _stored(manager, pool, more_than=stored_before)))
        if facts.picker:
            checks.append(_selector(pool))
        checks += [verify.adapter(name, _call(manager, pool, address, name, text, patience)) for name in facts.adapters]
    return checks


def _selector(pool: Pool) -> Check:
    cluster = selectors.cluster_of(pool)
    try:
        found = selected(kube_for(cluster), pool) if cluster is not None else None
    except KubeError:
        found = None
    if found is None:
        return verify.selector(None)
    return verify.selector(found.fault, len(found.rows) if found.selector is not None else None)


def _address(pool: Pool) -> str:
    address = pool.status.get("endpoint")
    if not address:
        raise Clash(f"{pool.key} has no endpoint yet: it appears when the pool's service exists.")
    return str(address)


def _call(manager: urllib3.PoolManager, pool: Pool, address: str, model: str, text: str, patience: float) -> Call:
    body = {"model": model, "prompt": text, "max_tokens": 4, "temperature": 0}
    begun = time.monotonic()
    host = urlsplit(address).hostname or ""
    # names are resolved by the cluster; addresses are checked
    why = refused_inside(host) if host.replace(".", "").isdigit() or ":" in host else None
    if why is not None:
        return Call(None, 0.0, f"its address {why}.")
    try:
        answer = manager.request(
            "POST",
            f"{address}/v1/completions",
            body=orjson.dumps(body),
            headers={"Content-Type": "application/json", "User-Agent": "lamplight-verify"},
            timeout=urllib3.Timeout(connect=5.0, read=patience),
            redirect=False,
            preload_content=False,
        )
        raw = answer.read(_MOST_BYTES)
        answer.release_conn()
    except urllib3.exceptions.TimeoutError:
        return Call(None, time.monotonic() - begun, f"no answer within {patience:.0f} s.")
    except (urllib3.exceptions.HTTPError, OSError) as error:
        return Call(None, time.monotonic() - begun, f"the address cannot be reached ({type(error).__name__}).")
    return _read(pool, answer.status, raw, answer.headers, time.monotonic() - begun)


def _read(pool: Pool, status: int, raw: bytes, headers: Mapping[str, str], seconds: float) -> Call:
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return Call(status, seconds, "the answer is not JSON.")
    if status != 200:
        said = document.get("error") if isinstance(document, Mapping) else None
        message = said.get("message", "") if isinstance(said, Mapping) else ""
        return Call(status, seconds, str(message)[:300])
    usage = document.get("usage") or {}
    details = usage.get("prompt_tokens_details") or {}
    route = _route(pool, headers.get("x-lamplight-route"))
    cached = details.get("cached_tokens")
    if cached is None and route is not None:
        cached = (route.get("outcome") or {}).get("cachedTokens")
    where = headers.get("x-gateway-destination-endpoint-served") or ""
    served = (route or {}).get("served") or where
    made = int(usage.get("completion_tokens") or 0)
    return Call(status, seconds, "", made, usage.get("prompt_tokens"), cached, served, where, route)


def _settled(manager: urllib3.PoolManager, pool: Pool, first: Call, before: Mapping[str, Pulled]) -> Pulled | None:
    """What was pulled for `first`; engines count a little after they have answered."""
    deadline = time.monotonic() + _COUNTED_SECONDS
    while True:
        pulled = verify.pulled_by(first, before, _pulled(manager, pool))
        if pulled is None or pulled.tokens > 0 or time.monotonic() > deadline:
            return pulled
        time.sleep(0.2)


def _stored(manager: urllib3.PoolManager, pool: Pool, *, more_than: float | None = None) -> float | None:
    """Bytes that the pool's engines have put into tiers. An engine shows the counter once it has stored: before a
    prompt it counts as 0 where the page could be read; after it (`more_than`: what it was, waited for a little, since
    engines store after they have answered) as None, as where nothing could be read."""
    deadline = time.monotonic() + _COUNTED_SECONDS
    while True:
        pages = [sums for sums in _counted(manager, pool, (verify.STORED_BYTES, verify.HITS)).values() if sums]
        told = [sums[verify.STORED_BYTES] for sums in pages if verify.STORED_BYTES in sums]
        if more_than is None:
            return sum(told) if pages else None
        if sum(told) > more_than or time.monotonic() > deadline:
            return sum(told) if told else None
        time.sleep(0.2)


def _pulled(manager: urllib3.PoolManager, pool: Pool) -> dict[str, Pulled]:
    """What each engine of the pool has counted of KV from others, by address; those that do not say are left out."""
    counted = _counted(manager, pool, (verify.PULLED_TOKENS, verify.PULLED_BYTES))
    return {
        host: Pulled(sums[verify.PULLED_TOKENS], sums.get(verify.PULLED_BYTES))
        for host, sums in counted.items()
        if verify.PULLED_TOKENS in sums
    }


def _counted(manager: urllib3.PoolManager, pool: Pool, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Counters of each engine of the pool, by address and name."""
    cluster = selectors.cluster_of(pool)
    if cluster is None:
        return {}
    labels = {POOL_UID: str(pool.uid), COMPONENT: COMPONENT_ENGINE}
    found = {}
    deadline = time.monotonic() + _ENGINES_SECONDS
    try:
        kube = kube_for(cluster)
        pods = kube.list(kube.resource("Pod"), namespace=pool.namespace, labels=labels)
    except KubeError:
        return {}
    for pod in pods[:_MOST_ENGINES]:
        url = metrics_url(pod)
        if url is not None and time.monotonic() <= deadline:
            found[urlsplit(url).hostname or ""] = _sums(manager, url, names)
    return found


def _hits(manager: urllib3.PoolManager, address: str) -> float | None:
    """What a replica has counted of prefix hits, in tokens; None where it cannot be read."""
    return _sums(manager, f"http://{address}/metrics", (verify.HITS,)).get(verify.HITS) if address else None


def _sums(manager: urllib3.PoolManager, url: str, names: Sequence[str]) -> dict[str, float]:
    """The series of an engine's page, summed by name; what it does not have, or cannot be read, is left out."""
    if refused_inside(urlsplit(url).hostname or "") is not None:
        return {}
    try:
        answer = manager.request(
            "GET", url, fields=[("name[]", name) for name in names], redirect=False, preload_content=False,
            timeout=urllib3.Timeout(connect=2.0, read=5.0),
        )  # fmt: skip
        page = answer.read(_MOST_BYTES).decode("utf-8", "replace")
        answer.release_conn()
        found: dict[str, float] = {}
        for line in parse(page, frozenset(names)):
            found[line.name] = found.get(line.name, 0.0) + line.value
    except (urllib3.exceptions.HTTPError, OSError, ExpositionError):
        return {}
    return found


def _route(pool: Pool, identity: str | None) -> Mapping[str, Any] | None:
    if not identity:
        return None
    try:
        found: Mapping[str, Any] = pickers.ask(pool, f"/debug/routes/{identity}")
        return found
    except Refusal:
        return None


def _settle(row: Verification, checks: list[Check], now: datetime) -> None:
    status, reason, message = verify.condition_of(checks)
    row.status, row.finished_at, row.checks = verify.verdict(checks), now, [check.to_json() for check in checks]
    with transaction.atomic():
        row.save(update_fields=["status", "finished_at", "checks"])
        pool = Pool.objects.select_for_update().filter(uid=row.pool, deletion_requested_at=None).first()
        if pool is not None and put_condition(
            pool, Condition(verify.CONDITION, status, reason, message, row.generation)
        ):
            outbox.publish(
                kind="Pool", uid=pool.uid, team=pool.team, name=pool.name, verb="status", generation=pool.generation,
                fields=["conditions"],
            )  # fmt: skip


def _time(value: datetime | None) -> str | None:
    return None if value is None else format_time(value)
