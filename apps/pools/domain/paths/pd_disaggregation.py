"""Well-lit path `pd-disaggregation`: prompts are prefilled on replicas of their own, and their KV blocks travel to the
replica that decodes (section B.3 of the reference). A routing sidecar in each decode pod asks for the prefill; the
picker decides for each request whether that is worth it."""

from __future__ import annotations

from typing import Any

from apps.catalog.domain.accelerators import accelerators as catalogue
from apps.catalog.domain.accelerators import fabrics
from apps.pools.domain.context import Context
from apps.pools.domain.engines import ENGINE_PORT
from apps.pools.domain.invariants import Invariant, Question
from apps.pools.domain.parts import EngineParts
from apps.pools.domain.path_settings import Disaggregation
from apps.pools.domain.paths.path import LONGEST_MATCH, NEEDS_PICKER, ONE_POD, Path
from apps.pools.domain.scheduling import Plugin, Scheduling, Step
from apps.pools.domain.spec import PoolSpec, Variant

# behind the sidecar, which takes the usual port
DECODE_PORT = 8200
NIXL_PORT = 5600
MOONCAKE_PORT = 8998
TPU_TRANSFER_PORT = 9100
TPU_SIDE_CHANNEL_PORT = 9600


def settings(spec: PoolSpec) -> Disaggregation:
    return spec.routing.disaggregation or Disaggregation()


def _scheduling(context: Context) -> Scheduling:
    weights = context.spec.routing.weights
    prefill: tuple[Step, ...] = (
        ("prefill-filter", None),
        ("prefix-cache-scorer", weights.prefix_cache),
        ("queue-scorer", weights.queue),
        ("max-score-picker", None),
    )
    decode: tuple[Step, ...] = (
        ("decode-filter", None),
        ("prefix-cache-scorer", weights.prefix_cache),
        ("kv-cache-utilization-scorer", weights.kv_cache_utilization),
        ("queue-scorer", weights.queue),
        ("max-score-picker", None),
    )
    common = ("prefill-filter", "decode-filter", "prefix-cache-scorer", "queue-scorer", "kv-cache-utilization-scorer")
    plugins = tuple(Plugin(name) for name in (*common, "max-score-picker"))
    return Scheduling((*deciding(context), *plugins), {"prefill": prefill, "decode": decode})


def deciding(context: Context) -> tuple[Plugin, ...]:
    """The plugins that choose between prefill apart and prefill in place, in the words of the release."""
    decider = settings(context.spec).decider
    if context.dialect.picker_hash_seed:  # llm-d 0.5
        threshold = 0 if decider.always else decider.non_cached_tokens
        return (
            Plugin("prefill-header-handler"),
            Plugin("pd-profile-handler", {"threshold": threshold, "hashBlockSize": settings(context.spec).block_size}),
        )
    chosen = Plugin("always-disagg-pd-decider")
    if not decider.always:
        both = {"nonCachedTokens": decider.non_cached_tokens, "promptTokens": decider.prompt_tokens}
        chosen = Plugin("prefix-based-pd-decider", {key: value for key, value in both.items() if value})
    return (
        Plugin("approx-prefix-cache-producer", {"maxPrefixTokensToMatch": LONGEST_MATCH}),
        Plugin("inflight-load-producer"),
        chosen,
        Plugin("disagg-profile-handler", {"deciders": {"prefill": chosen.type}}),
    )


# a sidecar keeps a connection idle for 90 s: a prefiller that closes it earlier resets the next prompt
KEPT_ALIVE = EngineParts(env=({"name": "VLLM_HTTP_TIMEOUT_KEEP_ALIVE", "value": "120"},))


def _parts(context: Context, variant: Variant) -> EngineParts:
    transfer = transfer_parts(context, variant)
    said = any(word.replace("_", "-").startswith("--block-size") for word in context.spec.engine.args)
    blocks = EngineParts(args=() if said else (f"--block-size={settings(context.spec).block_size}",))
    if variant.role == "prefill":
        return transfer + blocks + KEPT_ALIVE
    return transfer + blocks + EngineParts(init_containers=(sidecar(context),), port=DECODE_PORT)


def transfer_parts(context: Context, variant: Variant) -> EngineParts:
    """The connector that carries KV blocks between roles, with its ports and the fabric."""
    chosen = settings(context.spec)
    accelerator = catalogue()[variant.accelerator]
    connector: dict[str, Any]
    match chosen.connector:
        case "tpu":
            connector = {"kv_connector": "TPUConnector", "kv_role": _role(variant)}
            env = {"TPU_KV_TRANSFER_PORT": TPU_TRANSFER_PORT, "TPU_SIDE_CHANNEL_PORT": TPU_SIDE_CHANNEL_PORT}
            ports = {"kv-transfer": TPU_TRANSFER_PORT, "side-channel": TPU_SIDE_CHANNEL_PORT}
            return _joined(connector, env, ports)
        case "mooncake":
            connector = {"kv_connector": "MooncakeConnector", "kv_role": _role(variant)}
            parts = _joined(connector, {"VLLM_MOONCAKE_BOOTSTRAP_PORT": MOONCAKE_PORT}, {"mooncake": MOONCAKE_PORT})
        case _:
            connector = {"kv_connector": "NixlConnector", "kv_role": "kv_both"}
            if context.dialect.engine_has_shutdown_timeout:
                # a block that does not arrive is computed again instead of failing the request
                connector["kv_load_failure_policy"] = "recompute"
            if accelerator.family == "intel-xpu":
                connector["kv_buffer_device"] = "cpu"
            backend = "LIBFABRIC" if chosen.fabric == "efa" else chosen.transport.upper()
            if backend != "UCX":
                connector["kv_connector_extra_config"] = {"backends": [backend]}
            parts = _joined(connector, {"VLLM_NIXL_SIDE_CHANNEL_PORT": NIXL_PORT}, {"nixl": NIXL_PORT})
            host = {"name": "VLLM_NIXL_SIDE_CHANNEL_HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
            parts += EngineParts(env=(host,))
    return parts + fabric_parts(chosen.fabric)


def fabric_parts(name: str) -> EngineParts:
    """What a pod needs for a fabric; `auto` leaves it to the transport, which finds what the node has."""
    if name == "auto":
        return EngineParts()
    fabric = fabrics()[name]
    return EngineParts(
        env=tuple({"name": key, "value": value} for key, value in fabric.env.items()),
        resources=(fabric.resource,) if fabric.resource else (),
        capabilities=("IPC_LOCK",) if fabric.rdma else (),
    )


def sidecar(context: Context, ranks: int = 1) -> dict[str, Any]:
    """The routing sidecar of a decode pod: it listens where the picker sends requests, has the prompt prefilled at the
    address in the request's header, and hands it to the engine beside it."""
    dialect = context.dialect
    flags = dialect.sidecar_flags
    connector = {"nixl": "nixlv2", "mooncake": "mooncake", "tpu": "nixlv2"}[settings(context.spec).connector]
    several = [f"--data-parallel-size={ranks}"] if ranks > 1 else []
    ports = [
        {
            "name": dialect.model_server_port_name if rank == 0 else f"rank-{rank}",
            "containerPort": ENGINE_PORT + rank,
            "protocol": "TCP",
        }
        for rank in range(ranks)
    ]
    return {
        "name": "routing-proxy",
        "image": dialect.sidecar_image,
        "args": [
            f"--port={ENGINE_PORT}",
            f"{flags['modelPort']}={DECODE_PORT}",
            f"{flags['connector']}={connector}",
            "--secure-proxy=false",
            *several,
        ],
        "ports": ports,
        # of the pod's whole life: it starts before the engine and leaves after it
        "restartPolicy": "Always",
        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def _joined(connector: dict[str, Any], env: dict[str, int], ports: dict[str, int]) -> EngineParts:
    return EngineParts(
        connectors=(connector,),
        env=tuple({"name": name, "value": str(value)} for name, value in env.items()),
        ports=tuple({"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()),
    )


def _role(variant: Variant) -> str:
    return {"prefill": "kv_producer", "decode": "kv_consumer"}.get(variant.role, "kv_both")


# --- what must hold ------------------------------------------------------------------------------------------------
def both_roles(q: Question) -> str | None:
    missing = [role for role in ("prefill", "decode") if not q.variants(role)]
    if missing:
        return (
            f"path {q.spec.path} has no variant of role {' and none of role '.join(missing)}: give one variant role "
            "prefill and another role decode"
        )
    if q.variants("both"):
        name = q.variants("both")[0].name
        return (
            f"variant {name} has role both, and on path {q.spec.path} each does one of the two: set prefill or decode"
        )
    return None


def tensor_parallel(q: Question) -> str | None:
    for prefill in q.variants("prefill"):
        for decode in q.variants("decode"):
            small, large = prefill.parallelism.tensor, decode.parallelism.tensor
            if large % small:
                return (
                    f"variant {prefill.name} has tensor {small} and {decode.name} has tensor {large}: blocks can be "
                    "handed over only where decode's tensor parallelism is a multiple of prefill's; change one"
                )
    return None


def one_family(q: Question) -> str | None:
    families = {catalogue()[v.accelerator].family for v in q.spec.variants if v.accelerator in catalogue()}
    if len(families) > 1:
        return (
            f"prefill and decode run on {' and '.join(sorted(families))}, and KV blocks of one are not readable by the "
            "other: use one kind of accelerator"
        )
    return None


def connector_fits(q: Question) -> str | None:
    chosen = settings(q.spec)
    for variant in q.spec.variants:
        row = catalogue().get(variant.accelerator)
        if row is None:
            continue
        if (chosen.connector == "tpu") != (row.family == "google"):
            right = "tpu" if row.family == "google" else "nixl"
            return f"variant {variant.name} runs on {row.title}: set routing.disaggregation.connector to {right}"
        if chosen.fabric not in ("auto", *row.fabrics):
            return (
                f"variant {variant.name}: {row.title} has no {chosen.fabric}; it has {', '.join(row.fabrics)}: change "
                "routing.disaggregation.fabric"
            )
    if chosen.transport == "libfabric" and chosen.fabric != "efa":
        return "transport libfabric is of the fabric efa: set routing.disaggregation.fabric to efa, or transport to ucx"
    return None


def block_size(q: Question) -> str | None:
    said = q.argument("--block-size")
    if said is not None and said != str(settings(q.spec).block_size):
        return (
            f"engine.args says --block-size={said} and routing.disaggregation.blockSize is "
            f"{settings(q.spec).block_size}: the picker counts cached tokens in blocks of the engine; make them equal"
        )
    return None


INVARIANTS = (
    NEEDS_PICKER,
    Invariant("RolesMissing", "There are variants for prefill and for decode, and none for both.", both_roles),
    Invariant("TensorParallelNotDivisible", "Decode's tensor parallelism is a multiple of prefill's.", tensor_parallel),
    Invariant("AcceleratorsDiffer", "Prefill and decode run on one family of accelerators.", one_family),
    Invariant(
        "ConnectorNotInPlace",
        "Connector and fabric are ones that the accelerator has.",
        connector_fits,
        "/spec/routing/disaggregation",
    ),
)

PATH = Path(
    name="pd-disaggregation",
    title="Prefill/decode disaggregation",
    about="Long prompts are prefilled on replicas of their own, whose KV blocks travel to the replica that decodes.",
    scheduling=_scheduling,
    invariants=(
        *INVARIANTS,
        ONE_POD,
        Invariant(
            "BlockSizeNotEqual", "Both roles and the decider count in the same blocks.", block_size, "/spec/engine/args"
        ),
    ),
    parts=_parts,
)
