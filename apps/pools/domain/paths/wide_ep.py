"""Well-lit path `wide-ep`: one mixture-of-experts model over several nodes, attention by data parallelism and experts
by expert parallelism, each replica a group of pods that a LeaderWorkerSet starts and restarts together (section B.4 of
the reference). Prefill and decode are groups of their own, or one group does both."""

from __future__ import annotations

from typing import Any

from apps.catalog.domain.accelerators import accelerators as catalogue
from apps.pools.domain.context import Context
from apps.pools.domain.engines import (
    ENGINE_PORT,
    deployment_name,
    engine_labels,
    engine_selector,
    engine_template,
    given,
)
from apps.pools.domain.invariants import Invariant, Question
from apps.pools.domain.manifests import Manifest, object_meta
from apps.pools.domain.parts import EngineParts
from apps.pools.domain.path_settings import ExpertParallel
from apps.pools.domain.paths import pd_disaggregation as pd
from apps.pools.domain.paths.path import NEEDS_PICKER, Path
from apps.pools.domain.scheduling import Plugin, Scheduling, Step
from apps.pools.domain.spec import Variant

LWS_GROUP = "leaderworkerset.x-k8s.io"
LWS_LABELS = "leaderworkerset.sigs.k8s.io"
RPC_PORT = 5555
# where vLLM's supervisor says how all ranks of a pod are (its default)
SUPERVISOR_PORT = 9256
# an InferencePool has at most so many target ports, and each rank of a pod is one
MOST_RANKS_OF_A_POD = 8


def settings(context: Context) -> ExpertParallel:
    return context.spec.routing.expert_parallel or ExpertParallel()


def local_ranks(variant: Variant) -> int:
    """Data-parallel ranks of one pod of a group."""
    return max(1, variant.parallelism.data // variant.group_size)


def _disaggregated(context: Context) -> bool:
    return bool(context.of_role("prefill"))


def _scheduling(context: Context) -> Scheduling:
    weights = context.spec.routing.weights
    if not context.dialect.rank_ports:
        # llm-d 0.5 cannot send a request to a rank: scores of a pod would say nothing of it
        picker: tuple[Step, ...] = (("random-picker", None),)
        if not _disaggregated(context):
            return Scheduling((Plugin("random-picker"),), {"default": picker})
        by_role = (Plugin("prefill-filter"), Plugin("decode-filter"), Plugin("random-picker"))
        profiles = {"prefill": (("prefill-filter", None), *picker), "decode": (("decode-filter", None), *picker)}
        return Scheduling((*pd.deciding(context), *by_role), profiles)
    scorers: tuple[Step, ...] = (
        ("prefix-cache-scorer", weights.prefix_cache),
        ("queue-scorer", weights.queue),
        ("active-request-scorer", weights.kv_cache_utilization),
        ("max-score-picker", None),
    )
    names = ("prefix-cache-scorer", "queue-scorer", "active-request-scorer", "max-score-picker")
    plugins = tuple(Plugin(name) for name in names)
    if not _disaggregated(context):
        producers = tuple(Plugin(name) for name in context.dialect.picker_plugins)
        return Scheduling((*producers, *plugins), {"default": scorers})
    filters = (Plugin("prefill-filter"), Plugin("decode-filter"))
    return Scheduling(
        (*pd.deciding(context), *filters, *plugins),
        {"prefill": (("prefill-filter", None), *scorers), "decode": (("decode-filter", None), *scorers)},
    )


def _ports(context: Context) -> tuple[int, ...]:
    if not context.dialect.rank_ports:
        return (ENGINE_PORT,)
    return tuple(ENGINE_PORT + rank for rank in range(local_ranks(context.spec.variants[0])))


def _parts(context: Context, variant: Variant) -> EngineParts:
    chosen, ranks = settings(context), local_ranks(variant)
    backend = chosen.backend
    if backend == "auto":
        backend = "deepep_high_throughput" if variant.role == "prefill" else "deepep_low_latency"
    if backend == "deepep_v2" and variant.role == "decode":
        backend = "deepep_low_latency"
    args = [
        "--enable-expert-parallel",
        f"--data-parallel-size={variant.parallelism.data}",
        f"--data-parallel-size-local={ranks}",
        "--data-parallel-address=$(LWS_LEADER_ADDRESS)",
        f"--data-parallel-rpc-port={RPC_PORT}",
        "--data-parallel-multi-port-external-lb" if context.dialect.rank_ports else "--data-parallel-hybrid-lb",
        "--async-scheduling",
    ]
    env = {"GLOO_SOCKET_IFNAME": "eth0", "NCCL_SOCKET_IFNAME": "eth0", "VLLM_RANDOMIZE_DP_DUMMY_INPUTS": "1"}
    if context.inputs.accelerators[variant.accelerator].family == "nvidia":
        env |= {"VLLM_USE_DEEP_GEMM": "1", "VLLM_SKIP_P2P_CHECK": "1", "NVIDIA_GDRCOPY": "enabled"}
    if context.dialect.rank_ports:
        args += [f"--all2all-backend={backend}", f"--data-parallel-supervisor-port={SUPERVISOR_PORT}"]
        # weights of this size are read for longer than an engine waits for its ranks by default
        env["VLLM_ENGINE_READY_TIMEOUT_S"] = "3000"
    else:
        env |= {"VLLM_ALL2ALL_BACKEND": backend, "VLLM_MOE_DP_CHUNK_SIZE": "384"}
    if chosen.moe_backend is not None:
        args.append(f"--moe-backend={chosen.moe_backend}")
    # DeepEP v2 goes over NCCL, the others over NVSHMEM
    if backend in ("deepep_high_throughput", "deepep_low_latency"):
        env |= {
            "NVSHMEM_REMOTE_TRANSPORT": "ibgda",
            "NVSHMEM_IB_ENABLE_IBGDA": "true",
            "NVSHMEM_BOOTSTRAP_UID_SOCK_IFNAME": "eth0",
        }
    if variant.role == "decode" and given(context.spec.engine.args, "--compilation-config") is None:
        args.append('--compilation-config={"cudagraph_mode":"FULL_DECODE_ONLY"}')
    if chosen.balance:
        balance = f'{{"window_size":1000,"step_interval":3000,"num_redundant_experts":{chosen.redundant_experts}}}'
        args += ["--enable-eplb", f"--eplb-config={balance}"]
    if chosen.dual_batch and variant.role != "prefill":
        args += ["--enable-dbo", f"--dbo-decode-token-threshold={chosen.dual_batch_tokens}"]
    parts = EngineParts(
        args=tuple(args),
        env=tuple({"name": name, "value": value} for name, value in env.items()),
        capabilities=("IPC_LOCK", "SYS_RAWIO"),
        own_data_parallelism=True,
        first_rank=f"$((LWS_WORKER_INDEX*{ranks}))",
        supervisor=SUPERVISOR_PORT if context.dialect.rank_ports else None,
    )
    parts += _placed(context, variant)
    if variant.role != "decode" and context.dialect.rank_ports:
        # each rank serves on a port of its own; the first is every engine's
        parts += EngineParts(
            ports=tuple(
                {"name": f"rank-{rank}", "containerPort": ENGINE_PORT + rank, "protocol": "TCP"}
                for rank in range(1, ranks)
            )
        )
    if variant.role == "both":
        return parts + pd.fabric_parts(pd.settings(context.spec).fabric)
    parts += pd.transfer_parts(context, variant)
    if variant.role == "prefill":
        parts += pd.KEPT_ALIVE
    if variant.role == "decode":
        several = ranks if context.dialect.rank_ports else 1
        parts += EngineParts(init_containers=(pd.sidecar(context, several),), port=pd.DECODE_PORT)
    return parts


def _placed(context: Context, variant: Variant) -> EngineParts:
    """Keeps the pods of a group in one domain: by Kueue where it admits them, else by affinity of the group's own pods.
    A domain of its own is the LeaderWorkerSet controller's matter (an annotation of the set)."""
    placement = settings(context).placement
    if placement is None:
        return EngineParts()
    if variant.queue is not None:
        return EngineParts(
            annotations={
                "kueue.x-k8s.io/podset-required-topology": placement.domain,
                "kueue.x-k8s.io/podset-group-name": deployment_name(context.pool.name, variant.name),
            }
        )
    if placement.exclusive:
        return EngineParts()
    same_set = {"matchLabels": engine_selector(context.pool, variant)}
    term = {
        "labelSelector": same_set,
        "matchLabelKeys": [f"{LWS_LABELS}/group-index"],
        "topologyKey": placement.domain,
    }
    return EngineParts(affinity=(term,))


def _grouping(context: Context, variant: Variant) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
    """Annotations of the set, and what its template and its spec say of placement and network."""
    chosen = settings(context)
    annotations: dict[str, str] = {}
    template: dict[str, Any] = {}
    if chosen.placement is not None:
        if chosen.placement.exclusive and variant.queue is None:
            annotations[f"{LWS_LABELS}/exclusive-topology"] = chosen.placement.domain
        if chosen.placement.sub_group_size is not None and chosen.placement.sub_group_domain is not None:
            annotations[f"{LWS_LABELS}/subgroup-exclusive-topology"] = chosen.placement.sub_group_domain
            template["subGroupPolicy"] = {
                "subGroupPolicyType": "LeaderWorker",
                "subGroupSize": chosen.placement.sub_group_size,
            }
    spec = {"networkConfig": {"subdomainPolicy": "UniquePerReplica"}} if chosen.subdomain == "per-group" else {}
    return annotations, template, spec


def _workload(context: Context, variant: Variant, parts: EngineParts) -> Manifest:
    """A LeaderWorkerSet: the leader is the worker with index 0, and a group starts and restarts as one."""
    pool, spec = context.pool, context.spec
    labels = engine_labels(pool, spec, variant, context.inputs.accelerators[variant.accelerator])
    template = engine_template(pool, spec, variant, context.model, context.inputs, context.dialect, parts)
    surge, unavailable = context.inputs.strategies.get(variant.name) or spec.rollout.first_strategy
    rolling: dict[str, Any] = {"maxSurge": surge, "maxUnavailable": max(unavailable, 0 if surge else 1)}
    if context.inputs.paused:
        # groups below the partition keep what they have
        rolling["partition"] = context.inputs.replicas[variant.name]
    annotations, grouping, network = _grouping(context, variant)
    metadata = object_meta(pool, deployment_name(pool.name, variant.name), labels)
    restart = "RecreateGroupAfterStart" if settings(context).restart == "after-start" else "RecreateGroupOnPodRestart"
    return {
        "apiVersion": f"{LWS_GROUP}/v1",
        "kind": "LeaderWorkerSet",
        "metadata": {**metadata, **({"annotations": annotations} if annotations else {})},
        "spec": {
            "replicas": context.inputs.replicas[variant.name],
            "rolloutStrategy": {"type": "RollingUpdate", "rollingUpdateConfiguration": rolling},
            # all pods at once: the leader's ranks wait for the others', so it is never ready before they are there
            "startupPolicy": "LeaderCreated",
            **network,
            "leaderWorkerTemplate": {
                "size": variant.group_size,
                "restartPolicy": restart,
                **grouping,
                "workerTemplate": template,
            },
        },
    }


# --- what must hold ------------------------------------------------------------------------------------------------
def _lws(q: Question) -> str | None:
    if q.inputs is not None and not q.inputs.has("LeaderWorkerSet", LWS_GROUP):
        return (
            "path wide-ep needs the kind LeaderWorkerSet, which this cluster does not have: install the "
            "LeaderWorkerSet controller there"
        )
    return None


def _experts(q: Question) -> str | None:
    if q.model is None:
        return None
    if q.model.shape is None or q.model.shape.experts is None:
        return (
            f"path wide-ep spreads experts, and nobody says how many model {q.model.name} has: declare shape.experts "
            "of the Model"
        )
    if q.model.shape.experts == 0:
        return f"model {q.model.name} has no experts to spread: choose path optimized-baseline or pd-disaggregation"
    return None


def _experts_spread(q: Question) -> str | None:
    if q.model is None or q.model.shape is None or not q.model.shape.experts:
        return None
    chosen = q.spec.routing.expert_parallel or ExpertParallel()
    copies = q.model.shape.experts + (chosen.redundant_experts if chosen.balance else 0)
    for variant in q.spec.variants:
        ranks = variant.parallelism.tensor * variant.parallelism.data
        if copies % ranks:
            more = -copies % ranks
            return (
                f"variant {variant.name}: {copies} experts (with {copies - q.model.shape.experts} copies) cannot be "
                f"spread evenly over {ranks} ranks: set routing.expertParallel.redundantExperts to "
                f"{copies - q.model.shape.experts + more}, or change tensor x data"
            )
    return None


def _nodes_filled(q: Question) -> str | None:
    for variant in q.spec.variants:
        if variant.parallelism.pipeline > 1:
            return f"variant {variant.name}: path wide-ep has no pipeline stages: set parallelism.pipeline to 1"
        if variant.parallelism.data % variant.group_size:
            return (
                f"variant {variant.name}: {variant.parallelism.data} data-parallel ranks cannot be spread evenly over "
                f"{variant.group_size} pods: make data a multiple of groupSize"
            )
        if local_ranks(variant) > MOST_RANKS_OF_A_POD:
            return (
                f"variant {variant.name}: {local_ranks(variant)} ranks in a pod, and an InferencePool has at most "
                f"{MOST_RANKS_OF_A_POD} ports: raise groupSize"
            )
    return None


def _same_ranks(q: Question) -> str | None:
    counts = {local_ranks(variant) for variant in q.spec.variants}
    if q.dialect is not None and q.dialect.rank_ports and len(counts) > 1:
        return (
            f"pods of this pool have {' and '.join(str(c) for c in sorted(counts))} ranks, and an InferencePool has "
            "the same ports for all of them: make data / groupSize the same for every variant"
        )
    return None


def _fabric(q: Question) -> str | None:
    chosen = q.spec.routing.disaggregation
    fabric = chosen.fabric if chosen is not None else "auto"
    backend = (q.spec.routing.expert_parallel or ExpertParallel()).backend
    if fabric == "tcp" and (backend == "auto" or backend.startswith("deepep")):
        return (
            "experts exchange tokens by RDMA (DeepEP), and routing.disaggregation.fabric is tcp: set it to infiniband "
            "or roce, or routing.expertParallel.backend to allgather_reducescatter"
        )
    for variant in q.spec.variants:
        row = catalogue().get(variant.accelerator)
        if row is not None and row.family != "nvidia" and (backend == "auto" or backend.startswith("deepep")):
            return (
                f"variant {variant.name}: DeepEP is for NVIDIA accelerators, and {row.title} is none: set "
                "routing.expertParallel.backend to allgather_reducescatter"
            )
    return None


def _kernels(q: Question) -> str | None:
    chosen = q.spec.routing.expert_parallel or ExpertParallel()
    if q.dialect is None or q.dialect.rank_ports:
        return None
    for name, asked in (("backend", chosen.backend == "deepep_v2"), ("moeBackend", chosen.moe_backend is not None)):
        if asked:
            return (
                f"the engines of llm-d {q.dialect.name} do not know this routing.expertParallel.{name}: leave it out, "
                "or serve on a cluster of a current release"
            )
    return None


def _sub_groups(q: Question) -> str | None:
    placement = (q.spec.routing.expert_parallel or ExpertParallel()).placement
    size = placement.sub_group_size if placement is not None else None
    if size is None:
        return None
    for variant in q.spec.variants:
        if size > variant.group_size or variant.group_size % size:
            return (
                f"variant {variant.name}: a group of {variant.group_size} pods cannot be cut into sub-groups of "
                f"{size}: set routing.expertParallel.placement.subGroupSize to a divisor of groupSize"
            )
    return None


def _placed_once(q: Question) -> str | None:
    chosen = q.spec.routing.expert_parallel or ExpertParallel()
    if chosen.placement is None or not chosen.placement.exclusive:
        return None
    for variant in q.spec.variants:
        if variant.queue is not None:
            return (
                f"variant {variant.name} goes through the queue {variant.queue}, and Kueue places its pods: it gives "
                "no group a domain of its own; set routing.expertParallel.placement.exclusive to false, or leave "
                "queue out"
            )
    return None


def _roles(q: Question) -> str | None:
    if all(variant.role == "both" for variant in q.spec.variants):
        return None
    return pd.both_roles(q)


_AT = "/spec/routing/expertParallel"
PATH = Path(
    name="wide-ep",
    title="Wide expert parallelism",
    about="A mixture of experts over several nodes: attention by data parallelism, experts by expert parallelism.",
    scheduling=_scheduling,
    invariants=(
        NEEDS_PICKER,
        Invariant("LeaderWorkerSetMissing", "The cluster knows LeaderWorkerSet.", _lws, "/spec/path"),
        Invariant("RolesMixed", "Groups are for prefill and decode, or all for both.", _roles),
        Invariant("NoExperts", "The model is a mixture of experts.", _experts, "/spec/model"),
        Invariant(
            "ExpertsNotDivisible", "Experts and their copies spread evenly over all ranks.", _experts_spread, _AT
        ),
        Invariant("RanksNotDivisible", "Ranks spread evenly over the pods of a group.", _nodes_filled),
        Invariant("RanksDiffer", "All pods have as many ranks as the pool has ports.", _same_ranks),
        Invariant("FabricTooSlow", "Experts exchange tokens over a fabric that their backend can use.", _fabric, _AT),
        Invariant(
            "KernelsNotInRelease", "Engines of the release know the experts' kernels and exchange.", _kernels, _AT
        ),
        Invariant("SubGroupsUneven", "Sub-groups divide a group evenly.", _sub_groups, _AT),
        Invariant("PlacedTwice", "Kueue or the set's controller places a group, not both.", _placed_once, _AT),
        *pd.INVARIANTS[2:4],
    ),
    parts=_parts,
    ports=_ports,
    workload=_workload,
)
