"""The endpoint controller: render, apply what differs, remove what is no longer rendered, say what is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from apps.catalog.domain.dialects import dialect
from apps.clusters.errors import KubeError, NotFound, Unreachable
from apps.clusters.kube import Kube
from apps.clusters.models import Cluster
from apps.clusters.selectors import kube_for
from apps.clusters.selectors import spec_of as cluster_spec
from apps.core import clock, outbox
from apps.core import services as documents
from apps.core.domain.conditions import Condition, Status, read_conditions, set_condition
from apps.endpoints import selectors
from apps.endpoints.domain.rendering import ENDPOINT_UID, FRONT, EndpointIdentity, render
from apps.endpoints.domain.spec import EndpointSpec
from apps.endpoints.models import Endpoint
from apps.pools.domain.manifests import GENERATION, SPEC_HASH, Manifest, PlanRefused
from apps.pools.domain.plan import MANAGER
from apps.pools.models import Pool
from apps.reconcile import services as reconcile
from apps.reconcile.domain.outcomes import Done, Outcome, Retry, Superseded
from apps.reconcile.queue import Lease

OWNED_KINDS = (
    "ConfigMap.",
    "Deployment.apps",
    "Service.",
    "HTTPRoute.gateway.networking.k8s.io",
    "AgentgatewayPolicy.agentgateway.dev",
    "InferenceModelRewrite.llm-d.ai",
    "InferenceModelRewrite.inference.networking.x-k8s.io",
)
MOVING_SECONDS = 2.0
STEADY_SECONDS = 30.0


def reconcile_endpoint(lease: Lease) -> Outcome:
    """Bring one endpoint's objects to what is declared, and its conditions to what is."""
    endpoint = Endpoint.objects.filter(uid=lease.uid).first()
    if endpoint is None:
        return Done()
    bound = endpoint.cluster_uid
    cluster = Cluster.objects.filter(uid=bound).first() if bound is not None else None
    if cluster is None:
        sentence = f"cluster {endpoint.spec['cluster']} is not declared any more"
        _say(lease, endpoint, "Unknown", "ClusterMissing", sentence)
        return Retry(sentence)
    try:
        kube = kube_for(cluster)
        if endpoint.deletion_requested_at is not None:
            return _delete(lease, endpoint, kube, read_only=cluster_spec(cluster).read_only)
        return _bring(lease, endpoint, cluster, kube)
    except KubeError as error:
        away = isinstance(error, Unreachable)
        reason = "ClusterUnreachable" if away else "ClusterRefused"
        _say(lease, endpoint, "Unknown" if away else "False", reason, str(error))
        return Retry(str(error), shard_fault=away)


def _bring(lease: Lease, endpoint: Endpoint, cluster: Cluster, kube: Kube) -> Outcome:
    spec = selectors.spec_of(endpoint)
    found = selectors.pools_of(endpoint, spec)
    identity = EndpointIdentity(
        str(endpoint.uid), endpoint.team, endpoint.name, endpoint.generation, endpoint.namespace
    )
    named = cluster_spec(cluster)
    try:
        wanted = render(
            identity,
            spec,
            selectors.facts_of(endpoint, found),
            frozenset(kube.resources()),
            dialect(named.dialect),
            settings.ENDPOINT_GATEWAY_IMAGE,
        )
        live = _live(kube, endpoint)
        if named.read_only:
            said = "the cluster is declared readOnly: nothing is written"
            return _settle(_say(lease, endpoint, "False", "ReadOnlyCluster", said), STEADY_SECONDS)
        live = _apply(lease, endpoint, kube, wanted, live)
    except PlanRefused as refused:
        return _settle(_say(lease, endpoint, "False", refused.reason, str(refused)), STEADY_SECONDS)
    status, reason, message = _standing(spec, found, live)
    held = _say(lease, endpoint, status, reason, message, address=_address(endpoint, spec, live), pools=found)
    return _settle(held, STEADY_SECONDS if status == "True" else MOVING_SECONDS)


def _settle(held: bool, seconds: float) -> Outcome:
    return Done(requeue_after=seconds) if held else Superseded()


def _live(kube: Kube, endpoint: Endpoint) -> dict[tuple[str, str], Manifest]:
    """The endpoint's objects by kind and name."""
    present = kube.resources()
    label = {ENDPOINT_UID: str(endpoint.uid)}
    rows = [
        obj
        for kind in OWNED_KINDS
        if kind in present
        for obj in kube.list(present[kind], endpoint.namespace, labels=label)
    ]
    return {(obj["kind"], obj["metadata"]["name"]): obj for obj in rows}


def _apply(
    lease: Lease, endpoint: Endpoint, kube: Kube, wanted: tuple[Manifest, ...], live: Mapping[tuple[str, str], Manifest]
) -> dict[tuple[str, str], Manifest]:
    fence, after = reconcile.Fence(lease), dict(live)
    for manifest in wanted:
        key = (manifest["kind"], manifest["metadata"]["name"])
        present = live.get(key)
        if present is None:
            _refuse_foreign(kube, endpoint, manifest)
        elif _same(present, manifest):
            continue
        fence.check()
        after[key] = kube.apply(manifest, manager=MANAGER, force=present is not None)
    for key in live.keys() - {(m["kind"], m["metadata"]["name"]) for m in wanted}:
        _remove(kube, live[key], fence)
        del after[key]
    return after


def _same(present: Manifest, wanted: Manifest) -> bool:
    held, labels = present["metadata"].get("labels") or {}, wanted["metadata"]["labels"]
    return bool(held.get(SPEC_HASH) == labels[SPEC_HASH] and held.get(GENERATION) == labels[GENERATION])


def _refuse_foreign(kube: Kube, endpoint: Endpoint, manifest: Manifest) -> None:
    metadata = manifest["metadata"]
    try:
        held = kube.get(kube.resource_of(manifest), metadata["name"], metadata["namespace"])
    except NotFound:
        return
    if (held["metadata"].get("labels") or {}).get(ENDPOINT_UID) != str(endpoint.uid):
        raise PlanRefused(
            "NameClash",
            f"{manifest['kind']} {metadata['name']} in namespace {metadata['namespace']} exists already and is not of "
            "this endpoint: delete it, or give the endpoint another name",
        )


def _remove(kube: Kube, obj: Manifest, fence: reconcile.Fence) -> None:
    metadata = obj["metadata"]
    fence.check()
    try:
        kube.delete(kube.resource_of(obj), metadata["name"], metadata["namespace"], uid=metadata["uid"])
    except NotFound:
        return


def _standing(
    spec: EndpointSpec, found: Mapping[str, Pool], live: Mapping[tuple[str, str], Manifest]
) -> tuple[Status, str, str]:
    """Whether requests for each public name find a replica."""
    for (kind, name), obj in live.items():
        status = obj.get("status") or {}
        if kind == "Deployment" and not int(status.get("readyReplicas") or 0):
            return "False", "DataPlaneStarting", f"the data plane {name} is not ready yet"
    for model in spec.models:
        asked = [*(b.pool for b in model.backends if b.weight), *model.failover]
        if not any(_ready_replicas(found[name]) for name in asked):
            return "False", "NoReplica", f"no pool of model {model.name} has a ready replica ({', '.join(asked)})"
    names = ", ".join(model.name for model in spec.models)
    return "True", "Routed", f"requests for {names} reach {len(found)} pools"


def _ready_replicas(pool: Pool) -> int:
    return int((pool.status.get("replicas") or {}).get("ready") or 0)


def _address(endpoint: Endpoint, spec: EndpointSpec, live: Mapping[tuple[str, str], Manifest]) -> str | None:
    if spec.gateway is not None:
        return f"http://{spec.gateway.hostnames[0]}" if spec.gateway.hostnames else None
    service = live.get(("Service", endpoint.name)) or {}
    address = str((service.get("spec") or {}).get("clusterIP") or "")
    if address in ("", "None"):
        return None
    return f"http://[{address}]:{FRONT}" if ":" in address else f"http://{address}:{FRONT}"


def _delete(lease: Lease, endpoint: Endpoint, kube: Kube, *, read_only: bool) -> Outcome:
    live = _live(kube, endpoint)
    if not live:
        with reconcile.holding(lease, Endpoint):
            documents.finish_deletion(endpoint, reason="everything that it owned is gone from the cluster")
        return Done()
    if read_only:
        said = f"the cluster is declared readOnly, so nothing is deleted; {len(live)} objects are left there"
        _say(lease, endpoint, "False", "ReadOnlyCluster", said)
        return Retry(said)
    _say(lease, endpoint, "False", "Deleting", f"removing {len(live)} objects")
    fence = reconcile.Fence(lease)
    for obj in live.values():
        if not obj["metadata"].get("deletionTimestamp"):
            _remove(kube, obj, fence)
    return Done(requeue_after=1.0)


def _say(
    lease: Lease,
    endpoint: Endpoint,
    status: Status,
    reason: str,
    message: str,
    *,
    address: str | None = None,
    pools: Mapping[str, Pool] | None = None,
) -> bool:
    """Store the condition and status of the generation that was looked at; False when it has moved on."""
    condition = Condition("Ready", status, reason, message, endpoint.generation)
    conditions = [c.to_json() for c in set_condition(read_conditions(endpoint.conditions), condition, clock.now())]
    said: dict[str, Any] = {"observedGeneration": endpoint.generation}
    if pools is not None:
        ready = [{"name": name, "ready": _ready_replicas(pool)} for name, pool in sorted(pools.items())]
        said |= {"endpoint": address, "pools": ready}
    after = {**endpoint.status, **said}
    if conditions == endpoint.conditions and after == endpoint.status:
        return True
    with reconcile.holding(lease, Endpoint):
        row = Endpoint.objects.filter(uid=endpoint.uid, generation=endpoint.generation)
        if not row.update(conditions=conditions, status=after):
            return False
        outbox.publish(
            kind="Endpoint",
            uid=endpoint.uid,
            team=endpoint.team,
            name=endpoint.name,
            verb="status",
            generation=endpoint.generation,
            fields=["conditions", "status"],
        )
    return True
