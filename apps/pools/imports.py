"""What runs in a namespace already, read from its cluster and proposed as documents. Nothing is declared by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from apps.clusters.errors import ClusterAway, Forbidden, KubeError, NotFound
from apps.clusters.kube import Kube
from apps.clusters.models import Cluster
from apps.clusters.selectors import cluster_for, kube_for
from apps.clusters.selectors import spec_of as cluster_spec
from apps.core import kinds, yamlio
from apps.core.domain.access import SHARED_TEAM
from apps.core.domain.refusals import Fault, Invalid, Malformed, TooLarge
from apps.pools import selectors
from apps.pools.desired import Declared, desired_of
from apps.pools.domain.importing import Proposal, Surroundings, propose
from apps.pools.domain.manifests import PlanRefused, PoolIdentity
from apps.pools.domain.plan import address_of
from apps.pools.domain.replaced import replaced_because
from apps.pools.domain.spec import PoolSpec
from apps.pools.ownership import list_scalers

MOST = 200
_SERVICES = "LLMInferenceService.serving.kserve.io"
_POOLS = "InferencePool.inference.networking.k8s.io"
_GROUPS = "LeaderWorkerSet.leaderworkerset.x-k8s.io"


def proposals(*, team: str, namespace: str, cluster: str) -> list[Proposal]:
    """Proposals for the vLLM workloads and KServe services of a namespace. Raises Invalid, ClusterAway."""
    found = cluster_for(team, cluster)
    if found is None:
        raise Invalid.of([Fault("/cluster", f"there is no Cluster named {cluster} in team {team} or {SHARED_TEAM}")])
    allowed = cluster_spec(found).namespaces
    if allowed and namespace not in allowed:
        detail = f"cluster {cluster} has no room for pools in namespace {namespace}; they may live in"
        raise Invalid.of([Fault("/namespace", f"{detail} {', '.join(allowed)}")])
    try:
        kube = kube_for(found)
        workloads = [*kube.list(kube.resource("Deployment", "apps"), namespace), *_seen(kube, _GROUPS, namespace)]
        around = _surroundings(kube, found, team, namespace)
        if not workloads:
            _there(kube, namespace, cluster)
        found_there = propose(workloads, _seen(kube, _SERVICES, namespace), around)[:MOST]
        by_name = {address_of(obj): obj for obj in workloads}
        kinds_there = kube.resources()
        return [_explained(one, by_name, found, team, kinds_there) for one in found_there]
    except KubeError as error:
        raise ClusterAway(f"Namespace {namespace} of {found.key} cannot be read: {error}.") from error


def _there(kube: Kube, namespace: str, cluster: str) -> None:
    """Raises Invalid where the namespace does not exist; one that may not be looked at is there."""
    with suppress(Forbidden):
        try:
            kube.get(kube.resource("Namespace"), namespace)
        except NotFound:
            raise Invalid.of([Fault("/namespace", f"cluster {cluster} has no namespace {namespace}")]) from None


def _surroundings(kube: Kube, cluster: Cluster, team: str, namespace: str) -> Surroundings:
    models = kinds.get("Model").model.objects.living().filter(team__in=[team, SHARED_TEAM])
    return Surroundings(
        cluster=cluster.name,
        namespace=namespace,
        accelerators=selectors.accelerators(),
        products=frozenset(row["product"] for row in cluster.status.get("accelerators") or []),
        scalers=list_scalers(kube, namespace),
        selectors=[_match_labels(pool) for pool in _seen(kube, _POOLS, namespace)],
        pickers=_picker_configs(_seen(kube, "ConfigMap.", namespace)),
        models={model.name: model.spec["source"] for model in models.order_by("team", "name")[:500]},
        dialect=cluster_spec(cluster).dialect,
    )


def _explained(
    proposal: Proposal, live: Mapping[str, dict[str, Any]], cluster: Cluster, team: str, present: Iterable[str]
) -> Proposal:
    """The proposal with a note of what replaces the pods of what is adopted, as the pool would be rendered today."""
    if not proposal.adopts:
        return proposal
    try:
        desired = desired_of(_declared(proposal, cluster, team), present)
    except (Invalid, PlanRefused, LookupError) as refused:
        return replace(proposal, notes=(*proposal.notes, f"it cannot be told what would replace its pods: {refused}"))
    rendered = {address_of(obj): obj for obj in desired.objects}
    adopted = [name for name in proposal.adopts if name in rendered]
    causes = dict.fromkeys(why for name in adopted for why in replaced_because(rendered[name], live[name]))
    said = "its pods stay: they have all that the pool declares"
    if causes:
        said = f"its pods are replaced once, because the pool declares what they have not: {'; '.join(causes)}"
    return replace(proposal, notes=(*proposal.notes, said))


def _declared(proposal: Proposal, cluster: Cluster, team: str) -> Declared:
    documents = {document["kind"]: document for document in proposal.documents}
    pool = documents["Pool"]
    spec = PoolSpec.from_document(pool["spec"])
    named = documents.get("Model")
    # a document of a Model has what its row has, as far as rendering reads it
    model: Any = kinds.find_reference("Model", team, spec.model)
    if named is not None:
        model = SimpleNamespace(name=named["metadata"]["name"], spec=named["spec"])
    return Declared(
        identity=PoolIdentity("", team, pool["metadata"]["name"], 1, spec.namespace),
        spec=spec,
        model=selectors.model_facts(model) if model is not None else None,
        replicas={variant.name: variant.replicas.min for variant in spec.variants},
        dialect=spec.dialect or cluster_spec(cluster).dialect,
    )


def _match_labels(pool: dict[str, Any]) -> dict[str, str]:
    return dict(((pool.get("spec") or {}).get("selector") or {}).get("matchLabels") or {})


def _picker_configs(maps: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Configurations of endpoint pickers, wherever a ConfigMap holds one."""
    found = []
    for text in (str(text) for one in maps for text in (one.get("data") or {}).values()):
        if "EndpointPickerConfig" not in text:
            continue
        with suppress(TooLarge, Malformed):
            values = [document.value for document in yamlio.read(text.encode())]
            found += [one for one in values if isinstance(one, dict) and one.get("kind") == "EndpointPickerConfig"]
    return found


def _seen(kube: Kube, kind: str, namespace: str) -> list[dict[str, Any]]:
    """Objects of a kind that the cluster need not have, nor let us see."""
    resource = kube.resources().get(kind)
    if resource is None:
        return []
    try:
        return kube.list(resource, namespace)
    except (Forbidden, NotFound):
        return []
