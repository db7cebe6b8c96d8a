"""Proposing documents for what runs in a namespace already: plain vLLM Deployments, llm-d releases, KServe's services.

A proposal repeats what is there as closely as a Pool can say it, so that its plan shows what would really change. Where
pool and variant can be named so that our Deployment has the present one's name, that one is adopted in place; what
cannot be carried over is said in a note. Nothing is ever guessed silently, and no secret is copied.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from apps.pools.domain.adoption import TAKE_OWNERSHIP, present_managers
from apps.pools.domain.engines import given
from apps.pools.domain.groups import GROUP_KIND, group_size, pod_template
from apps.pools.domain.importing.hub_cache import add_cache, keep
from apps.pools.domain.importing.kserve import of_service
from apps.pools.domain.importing.proposal import Proposal, Surroundings, Via, name_of, picked
from apps.pools.domain.importing.reading import command_line, documents_of, engine_container, read_engine
from apps.pools.domain.importing.releases import FROM_ELSEWHERE, Member, of_release, releases, rollout_of
from apps.pools.domain.manifests import POOL_UID
from apps.pools.domain.spec import LONGEST_POOL_AND_VARIANT


def propose(
    workloads: Iterable[Mapping[str, Any]], services: Iterable[Mapping[str, Any]], around: Surroundings
) -> list[Proposal]:
    """Proposals for the Deployments, LeaderWorkerSets and LLMInferenceServices of a namespace, by name.

    Workloads of Lamplight's pools, of KServe's services and those that run no vLLM are left out. A release whose
    prefill and decode run apart is one proposal.
    """
    kserve = list(services)
    names = {service["metadata"]["name"] for service in kserve}
    members = []
    for obj in sorted(workloads, key=lambda obj: str(obj["metadata"]["name"])):
        metadata = obj["metadata"]
        owners = {owner.get("kind") for owner in metadata.get("ownerReferences") or []}
        labels = metadata.get("labels") or {}
        if POOL_UID in labels or "LLMInferenceService" in owners or labels.get("app.kubernetes.io/name") in names:
            continue
        pod = pod_template(obj).get("spec") or {}
        container = engine_container(pod.get("containers") or [])
        if container is not None:
            members.append(_member(obj, pod, container))
    together, alone = releases(members, around)
    found = [of_release(release, around) for release in together]
    found += [_of_workload(member, around) for member in alone]
    found.sort(key=lambda proposal: proposal.name)
    return found + [of_service(obj, around) for obj in sorted(kserve, key=lambda obj: str(obj["metadata"]["name"]))]


def _member(obj: Mapping[str, Any], pod: Mapping[str, Any], container: Mapping[str, Any]) -> Member:
    metadata, spec = obj["metadata"], obj["spec"]
    labels = {**(metadata.get("labels") or {}), **(pod_template(obj).get("metadata") or {}).get("labels", {})}
    said = labels.get("llm-d.ai/role", "both")
    return Member(
        name=str(metadata["name"]),
        kind=str(obj.get("kind", "Deployment")),
        role="both" if said == "prefill-decode" else said,
        labels=labels,
        container=container,
        pod=pod,
        replicas=int(spec.get("replicas", 1)),
        size=group_size(obj),
        # what another controller keeps would be written against, and a leader of another make is none of a pool's
        free=not any(owner.get("controller") for owner in metadata.get("ownerReferences") or [])
        and not (spec.get("leaderWorkerTemplate") or {}).get("leaderTemplate"),
        managers=present_managers(obj),
        spec=spec,
    )


_ROLES = "to keep prefill and decode apart declare path pd-disaggregation with a variant of each role"


def _of_workload(member: Member, around: Surroundings) -> Proposal:
    """From a Deployment or LeaderWorkerSet that stands alone."""
    if (
        member.kind == GROUP_KIND
        and given(command_line(member.container) or [], "--enable-expert-parallel") is not None
    ):
        return of_release([member], around)
    via: Via = "llm-d" if any(name.startswith("llm-d.ai/") for name in member.labels) else "deployment"
    pool, variant, adopted = _names(member.name)
    adopted = adopted and member.free and member.kind == "Deployment"
    notes: list[str] = []
    plain = [e["name"] for e in member.container.get("env") or [] if e.get("name") in FROM_ELSEWHERE and "value" in e]
    if adopted and plain:
        adopted = False
        notes.append(
            f"{', '.join(plain)} is a plain value there, and a pool reads it from elsewhere: one cannot be laid over "
            "the other, so it is not adopted in place; take the variable out first, and import again"
        )
    if not adopted:
        pool, variant = name_of(member.name), "main"
    reading = read_engine(member.container, member.pod, around, notes, group_size=member.size)
    document, model = documents_of(pool, variant, reading, around)
    add_cache(document["spec"], keep([reading.cache], adopted, notes))
    replicas = member.replicas
    document["spec"]["variants"][0]["replicas"] = {"min": replicas, "max": max(1, replicas)}
    scaler = next((s for s in around.scalers if s.deployment == member.name), None)
    if scaler is not None:
        document["spec"]["autoscaling"] = {"mode": "external"}
        document["spec"]["variants"][0]["replicas"] = {"min": 0, "max": 1000}
        notes.append(f"{scaler.kind} {scaler.name} scales it: autoscaling.mode is external, so that it goes on")
    if member.role != "both":
        notes.append(f"it has the role {member.role}, and is proposed as a pool that does both: {_ROLES}")
    if member.size > 1:
        notes.append(
            f"a replica of it is a group of {member.size} pods, and outside path wide-ep a replica is one pod: check "
            "parallelism and accelerator"
        )
    if picked(member.labels, around) is None:
        document["spec"]["routing"] = {"picker": False}
    if rollout := rollout_of(member):
        document["spec"]["rollout"] = rollout
    if adopted:
        managers = sorted(member.managers)
        document["metadata"]["annotations"] = {TAKE_OWNERSHIP: ",".join(managers)} if managers else {}
        notes.append(
            f"Deployment {member.name} is adopted in place; what other managers wrote and the pool does not "
            "declare stays. Remove the annotation to make new objects beside it instead"
        )
    else:
        notes.append(
            f"{member.kind} {member.name} is left alone: the pool's objects are made beside it, delete it later"
        )
    if len(member.pod.get("containers") or []) > 1 or member.pod.get("initContainers"):
        notes.append("its other containers and init containers are not declared by the pool")
    return Proposal(
        via,
        member.kind,
        member.name,
        (model, document) if model is not None else (document,),
        tuple(notes),
        (f"Deployment/{member.name}",) if adopted else (),
    )


def _names(deployment: str) -> tuple[str, str, bool]:
    """Pool and variant whose Deployment has this very name, where there are such."""
    pool, dash, variant = deployment.rpartition("-")
    fits = len(deployment) <= LONGEST_POOL_AND_VARIANT and variant not in ("engines", "epp")
    if dash and fits and re.fullmatch(r"[a-z0-9][a-z0-9-]*[a-z0-9]|[a-z0-9]", pool) and variant:
        return pool, variant, True
    return name_of(deployment), "main", False
