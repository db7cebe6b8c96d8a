"""Releases of several workloads: prefill and decode that run apart become the variants of one Pool, and groups of pods
that spread experts become one of path `wide-ep`.

What the path renders by itself (connectors, the routing sidecar, ports, ranks) is read into its settings and not
repeated. Where the names of all workloads have a common beginning, the pool and its variants are named so that they are
adopted in place, all or none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.catalog.domain.accelerators import fabrics
from apps.catalog.domain.dialects import DIALECTS, dialect
from apps.catalog.domain.vllm import ParsedArgs
from apps.core.domain.documents import API_VERSION
from apps.pools.domain.adoption import TAKE_OWNERSHIP
from apps.pools.domain.engines import given
from apps.pools.domain.importing.hub_cache import add_cache, keep
from apps.pools.domain.importing.proposal import Proposal, Surroundings, name_of, picked
from apps.pools.domain.importing.reading import Reading, Rendered, command_line, read_engine
from apps.pools.domain.path_settings import Disaggregation, ExpertParallel
from apps.pools.domain.paths.pd_disaggregation import DECODE_PORT
from apps.pools.domain.spec import LONGEST_POOL_AND_VARIANT

# rendered with valueFrom: a value beside it would be refused
FROM_ELSEWHERE = frozenset({"HF_TOKEN", "POD_IP"})
_SIDECAR = "routing-proxy"
_VARIANT = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_TRANSFER = Rendered(
    flags=frozenset({"kv_transfer_config", "block_size"}),
    env=frozenset(
        {
            "VLLM_NIXL_SIDE_CHANNEL_HOST",
            "VLLM_NIXL_SIDE_CHANNEL_PORT",
            "VLLM_MOONCAKE_BOOTSTRAP_PORT",
            "VLLM_HTTP_TIMEOUT_KEEP_ALIVE",
            "TPU_KV_TRANSFER_PORT",
            "TPU_SIDE_CHANNEL_PORT",
        }
    ),
    port=DECODE_PORT,
)
_RANKS = Rendered(
    flags=_TRANSFER.flags
    | {
        "enable_expert_parallel",
        "data_parallel_size_local",
        "data_parallel_address",
        "data_parallel_rpc_port",
        "data_parallel_start_rank",
        "data_parallel_multi_port_external_lb",
        "data_parallel_hybrid_lb",
        "data_parallel_supervisor_port",
        "async_scheduling",
        "all2all_backend",
        "enable_eplb",
        "eplb_config",
        "enable_dbo",
        "dbo_decode_token_threshold",
        "compilation_config",
    },
    env=_TRANSFER.env
    | {
        "DP_SIZE_LOCAL",
        "TP_SIZE",
        "GLOO_SOCKET_IFNAME",
        "NCCL_SOCKET_IFNAME",
        "VLLM_RANDOMIZE_DP_DUMMY_INPUTS",
        "VLLM_USE_DEEP_GEMM",
        "VLLM_SKIP_P2P_CHECK",
        "NVIDIA_GDRCOPY",
        "VLLM_ALL2ALL_BACKEND",
        "VLLM_MOE_DP_CHUNK_SIZE",
        "VLLM_ENGINE_READY_TIMEOUT_S",
        "NVSHMEM_REMOTE_TRANSPORT",
        "NVSHMEM_IB_ENABLE_IBGDA",
        "NVSHMEM_BOOTSTRAP_UID_SOCK_IFNAME",
    },
    port=DECODE_PORT,
)
_CONNECTORS = {"NixlConnector": "nixl", "MooncakeConnector": "mooncake", "TPUConnector": "tpu"}
_DISAGGREGATION, _EXPERTS = Disaggregation(), ExpertParallel()


@dataclass(frozen=True)
class Member:
    """One workload, or one role of a service. `size`: pods of a replica. `free`: nothing keeps us from adopting it.

    `spec`: of the workload, for its strategy.
    """

    name: str
    kind: str
    role: str
    labels: Mapping[str, str]
    container: Mapping[str, Any]
    pod: Mapping[str, Any]
    replicas: int
    size: int = 1
    free: bool = True
    managers: frozenset[str] = frozenset()
    spec: Mapping[str, Any] = field(default_factory=dict)


def releases(members: Sequence[Member], around: Surroundings) -> tuple[list[list[Member]], list[Member]]:
    """Members that serve one model with prefill and decode apart, and those that stand alone.

    They belong together when they start the same model behind the same InferencePool; without one, when llm-d's labels
    of model and guide are the same.
    """
    groups: dict[tuple[object, ...], list[Member]] = {}
    for member in members:
        if member.role in ("prefill", "decode"):
            pool = picked(member.labels, around)
            words = command_line(member.container) or [""]
            model = given(words, "--served-model-name") or given(words, "--model") or words[0]
            same = (
                (pool,) if pool is not None else tuple(member.labels.get(f"llm-d.ai/{n}") for n in ("model", "guide"))
            )
            groups.setdefault((model, *same), []).append(member)
    together = [group for group in groups.values() if {one.role for one in group} == {"prefill", "decode"}]
    taken = {one.name for group in together for one in group}
    return together, [member for member in members if member.name not in taken]


def of_release(members: Sequence[Member], around: Surroundings, pool: str = "") -> Proposal:
    """One Pool of these members. `pool`: its name, where they are not to be adopted."""
    members = sorted(members, key=lambda one: (one.role != "prefill", one.name))
    wide = any(given(command_line(one.container) or [], "--enable-expert-parallel") is not None for one in members)
    rendered = _RANKS if wide else _TRANSFER
    notes: list[str] = []
    named = _common_names(members)
    hindered = _hindrances(members)
    adopted = not pool and named is not None and all(one.free for one in members) and not hindered
    if named is None or not adopted:
        pool = pool or name_of(f"{named[0] if named is not None else members[-1].name}-pool")
        named = (pool, _plain_names(members))
    if not adopted:
        notes += hindered
    pool, variants = named
    readings = []
    for one, variant in zip(members, variants, strict=True):
        own: list[str] = []
        readings.append(read_engine(one.container, one.pod, around, own, rendered=rendered, group_size=one.size))
        notes += [f"{variant}: {note}" for note in own]
    engine = _engine(variants, readings, notes)
    model, declared = readings[-1].model_name(around)
    spec: dict[str, Any] = {
        "model": model,
        "cluster": around.cluster,
        "namespace": around.namespace,
        "path": "wide-ep" if wide else "pd-disaggregation",
        "engine": engine,
        "variants": [
            _variant(one, name, reading, engine) for one, name, reading in zip(members, variants, readings, strict=True)
        ],
    }
    add_cache(spec, keep([reading.cache for reading in readings], adopted, notes))
    if release := _dialect(members, around):
        spec["dialect"] = release
    routing: dict[str, Any] = {}
    if len(members) > 1 and (settings := _disaggregation(members, readings, around, notes)):
        routing["disaggregation"] = settings
    if wide:
        if experts := _experts(members, readings):
            routing["expertParallel"] = experts
        notes.append("path wide-ep counts the experts: declare shape.experts of the Model before you apply")
    if routing:
        spec["routing"] = routing
    if rollout := rollout_of(members[-1]):
        spec["rollout"] = rollout
    _scaled(members, spec, around, notes)
    metadata: dict[str, Any] = {"name": pool}
    said = " and ".join(f"{one.kind} {one.name}" for one in members)
    managers = sorted({manager for one in members for manager in one.managers})
    if adopted:
        metadata["annotations"] = {TAKE_OWNERSHIP: ",".join(managers)} if managers else {}
        notes.append(
            f"{said} are adopted in place; what other managers wrote and the pool does not declare stays. Remove the "
            "annotation, and choose another name, to make new objects beside them instead"
        )
    elif members[0].name:
        notes.append(f"{said}: left alone, the pool's objects are made beside them; delete them later")
    notes.append(_own_routing(pool, members, around))
    document = {"apiVersion": API_VERSION, "kind": "Pool", "metadata": metadata, "spec": spec}
    return Proposal(
        "llm-d",
        members[0].kind,
        ", ".join(one.name for one in members),
        (document,) if declared else (readings[-1].model(model), document),
        tuple(notes),
        tuple(f"{one.kind}/{one.name}" for one in members) if adopted else (),
    )


def _own_routing(pool: str, members: Sequence[Member], around: Surroundings) -> str:
    """What becomes of the way that requests take to the engines."""
    own = f"the pool has an InferencePool and an endpoint picker of its own, named {pool} and {pool}-epp"
    if any(picked(one.labels, around) is not None for one in members) or not members[0].name:
        return f"{own}: send the route there, then delete the present ones"
    return (
        f"no InferencePool of namespace {around.namespace} selects these pods, so what sends requests to them "
        f"cannot be told; {own}: send the route there"
    )


def rollout_of(member: Member) -> dict[str, Any]:
    """`spec.rollout`, as far as a Deployment says it in whole numbers, and how long an engine waits before it stops."""
    rolling = (member.spec.get("strategy") or {}).get("rollingUpdate") or {}
    rollout: dict[str, Any] = {}
    surge, unavailable = rolling.get("maxSurge"), rolling.get("maxUnavailable")
    if isinstance(surge, int) and isinstance(unavailable, int) and (surge or unavailable):
        rollout = {"maxSurge": surge, "maxUnavailable": unavailable}
    hook = (((member.container.get("lifecycle") or {}).get("preStop") or {}).get("exec") or {}).get("command") or []
    if len(hook) == 2 and hook[0] == "sleep" and str(hook[1]).isdigit():
        rollout["drainDelay"] = f"{hook[1]}s"
    return rollout


def _common_names(members: Sequence[Member]) -> tuple[str, list[str]] | None:
    """Pool and variants whose workloads have these very names; None where there are no such."""
    parts = [one.name.split("-") for one in members]
    same = 0
    while all(len(words) > same + 1 and words[same] == parts[0][same] for words in parts):
        same += 1
    pool = "-".join(parts[0][:same])
    variants = ["-".join(words[same:]) for words in parts]
    fits = all(
        _VARIANT.fullmatch(variant) and variant not in ("engines", "epp") and len(one.name) <= LONGEST_POOL_AND_VARIANT
        for one, variant in zip(members, variants, strict=True)
    )
    return (pool, variants) if _VARIANT.fullmatch(pool) and fits else None


def _plain_names(members: Sequence[Member]) -> list[str]:
    """Variants by their role, numbered where several have it."""
    names: list[str] = []
    for one in members:
        role = one.role if one.role != "both" else "main"
        count = sum(name.partition("-")[0] == role for name in names)
        names.append(f"{role}-{count + 1}" if count else role)
    return names


def _hindrances(members: Sequence[Member]) -> list[str]:
    """What of ours could not be laid over what is there."""
    found = []
    for one in members:
        env = one.container.get("env") or []
        elsewhere = FROM_ELSEWHERE | {"VLLM_NIXL_SIDE_CHANNEL_HOST"}
        plain = [e["name"] for e in env if e.get("name") in elsewhere and "value" in e]
        if plain:
            found.append(
                f"{', '.join(plain)} of {one.name} is a plain value, and a pool reads it from elsewhere: nothing is "
                "adopted in place; take the variable out first, and import again"
            )
        named = _sidecar(one)
        if named is not None and named != _SIDECAR:
            found.append(
                f"the routing sidecar of {one.name} is its container {named}, and a pool's is its init container "
                f"{_SIDECAR}: two would listen on one port, so nothing is adopted in place"
            )
    return found


def _sidecar(member: Member) -> str | None:
    """The name of the routing sidecar, with a mark where it is not an init container that stays; None without one."""
    for kind in ("initContainers", "containers"):
        for one in member.pod.get(kind) or []:
            if "sidecar" in str(one.get("image", "")) or one.get("name") == _SIDECAR:
                return str(one.get("name")) + ("" if kind == "initContainers" else " (not an init container)")
    return None


def _engine(variants: Sequence[str], readings: Sequence[Reading], notes: list[str]) -> dict[str, Any]:
    """`spec.engine`: what all members have in common; what only some have is said."""
    last = readings[-1]
    args = [word for word in last.args if all(word in other.args for other in readings)]
    env = {name: value for name, value in last.env.items() if all(other.env.get(name) == value for other in readings)}
    for variant, reading in zip(variants, readings, strict=True):
        more = [word for word in reading.args if word not in args]
        more += [name for name in reading.env if name not in env]
        if more:
            notes.append(
                f"{variant} alone has {', '.join(more)}: engine is for all variants of a pool, so it is left out"
            )
    image = {"image": last.image} if last.image else {}
    return {**image, **({"args": args} if args else {}), **({"env": env} if env else {})}


def _variant(member: Member, name: str, reading: Reading, engine: Mapping[str, Any]) -> dict[str, Any]:
    own = {"image": reading.image} if reading.image and reading.image != engine.get("image") else {}
    group = {"groupSize": member.size} if member.size > 1 else {}
    replicas = {"min": member.replicas, "max": max(1, member.replicas)}
    return {**reading.variant(name), "role": member.role, "replicas": replicas, **group, **own}


def _dialect(members: Sequence[Member], around: Surroundings) -> str | None:
    """The release that the routing sidecar's flags are of, where it is not the cluster's."""
    for one in members:
        for container in one.pod.get("initContainers") or []:
            for name in DIALECTS:
                if (
                    given([str(w) for w in container.get("args") or []], dialect(name).sidecar_flags["modelPort"])
                    is not None
                ):
                    return name if name != around.dialect else None
    return None


def _disaggregation(
    members: Sequence[Member], readings: Sequence[Reading], around: Surroundings, notes: list[str]
) -> dict[str, Any]:
    """`routing.disaggregation`, without what is its default."""
    found: dict[str, Any] = {}
    config = _json(readings[-1], "kv_transfer_config")
    extra = config.get("kv_connector_extra_config") or {}
    names = [str(config.get("kv_connector") or "")]
    names += [str(one.get("kv_connector")) for one in extra.get("connectors") or [] if isinstance(one, Mapping)]
    carrier = next((name for name in names if name in _CONNECTORS), None)
    others = [name for name in names if name and name not in (carrier, "MultiConnector")]
    if carrier is None:
        notes.append("how KV blocks go from prefill to decode is not told: nixl is a guess, set routing.disaggregation")
    if others:
        notes.append(
            f"{', '.join(others)} is not carried over: tiers below an accelerator's memory are declared in offload"
        )
    found["connector"] = _CONNECTORS.get(carrier or "", "nixl")
    backend = str((extra.get("backends") or ["ucx"])[0]).lower()
    if backend in ("uccl", "libfabric"):
        found["transport"] = backend
    asked = {name for one in members for part in (one.container.get("resources") or {}).values() for name in part or {}}
    fabric = next((name for name, one in fabrics().items() if one.resource in asked), None)
    if fabric is not None:
        found["fabric"] = fabric
    sizes = {_block_size(reading) for reading in readings}
    size = sizes.pop() if len(sizes) == 1 else None
    if sizes:
        notes.append("prefill and decode have different block sizes: blocks are handed over only between equal ones")
    if size in (16, 32, 64, 128, 256):
        found["blockSize"] = size
    elif size is not None:
        notes.append(
            f"its block size {size} is none that a pool can have: {_DISAGGREGATION.block_size} stands in its place"
        )
    if decider := _decider(around):
        found["decider"] = decider
    else:
        notes.append(
            "when a prompt is prefilled apart is the picker's configuration, which was not found: check "
            "routing.disaggregation.decider"
        )
    default = _DISAGGREGATION.model_dump(by_alias=True)
    return {key: value for key, value in found.items() if value != default.get(key)}


def _block_size(reading: Reading) -> int | None:
    said = given(reading.argv, "--block-size")
    return int(said) if said and said.isdigit() else None


def _decider(around: Surroundings) -> dict[str, Any] | None:
    """When a prompt is prefilled apart, as the one picker of the namespace that decides it says."""
    found: list[dict[str, Any]] = []
    for plugin in (one for config in around.pickers for one in config.get("plugins") or [] if isinstance(one, Mapping)):
        said = plugin.get("parameters")
        tokens = {key: value for key, value in said.items() if type(value) is int} if isinstance(said, Mapping) else {}
        match plugin.get("type"):
            case "always-disagg-pd-decider":
                found.append({"always": True})
            case "prefix-based-pd-decider":
                asked = {key: tokens[key] for key in ("nonCachedTokens", "promptTokens") if key in tokens}
                found.append({"nonCachedTokens": 0, **asked})
            case "pd-profile-handler":
                found.append({"nonCachedTokens": n} if (n := tokens.get("threshold", 0)) else {"always": True})
    return found[0] if len(found) == 1 else None


def _experts(members: Sequence[Member], readings: Sequence[Reading]) -> dict[str, Any]:
    """`routing.expertParallel`, without what is its default."""
    last = readings[-1]
    backends = {_backend(one, reading) for one, reading in zip(members, readings, strict=True)} - {""}
    usual = {"deepep_low_latency", "deepep_high_throughput"}
    balanced = given(last.argv, "--enable-eplb") is not None
    copies = _json(last, "eplb_config").get("num_redundant_experts")
    dual = given(last.argv, "--enable-dbo") is not None
    tokens = given(last.argv, "--dbo-decode-token-threshold")
    found: dict[str, Any] = {
        "backend": next(iter(backends))
        if len(backends) == 1 and not (backends <= usual and len(members) > 1)
        else "auto",
        "balance": balanced,
        "dualBatch": dual,
    }
    if balanced and str(copies or "").isdigit():
        found["redundantExperts"] = int(str(copies))
    if dual and tokens and tokens.isdigit():
        found["dualBatchTokens"] = int(tokens)
    default = _EXPERTS.model_dump(by_alias=True)
    return {key: value for key, value in found.items() if value != default.get(key)}


def _backend(member: Member, reading: Reading) -> str:
    env = {str(e.get("name")): str(e.get("value", "")) for e in member.container.get("env") or []}
    return given(reading.argv, "--all2all-backend") or env.get("VLLM_ALL2ALL_BACKEND", "")


def _json(reading: Reading, destination: str) -> Mapping[str, Any]:
    """A flag whose value is JSON; {} where it is not given or cannot be read."""
    value = reading.parsed.values.get(destination) if isinstance(reading.parsed, ParsedArgs) else None
    if not value:
        try:
            value = json.loads(given(reading.argv, "--" + destination.replace("_", "-")) or "{}")
        except ValueError:
            value = {}
    return value if isinstance(value, Mapping) else {}


def _scaled(members: Sequence[Member], spec: dict[str, Any], around: Surroundings, notes: list[str]) -> None:
    for one, variant in zip(members, spec["variants"], strict=True):
        scaler = next((s for s in around.scalers if one.name and s.deployment == one.name), None)
        if scaler is not None:
            spec["autoscaling"] = {"mode": "external"}
            variant["replicas"] = {"min": 0, "max": 1000}
            notes.append(
                f"{scaler.kind} {scaler.name} scales {one.name}: autoscaling.mode is external, so that it goes on"
            )
