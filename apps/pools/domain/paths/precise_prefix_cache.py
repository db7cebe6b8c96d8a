"""Well-lit path `precise-prefix-cache`: engines publish what happens to their KV blocks, and the picker keeps an index
of which replica really holds which block (section B.2 of the reference). Several pickers may run side by side, because
each learns everything from the engines."""

from __future__ import annotations

from typing import Any

from apps.pools.domain.context import Context
from apps.pools.domain.engines import COMPONENT_ENGINE, HASH_SEED
from apps.pools.domain.invariants import Invariant, Question
from apps.pools.domain.manifests import COMPONENT, POOL_UID
from apps.pools.domain.parts import KV_EVENTS_PORT, KV_REPLAY_PORT, EngineParts
from apps.pools.domain.path_settings import PrecisePrefix
from apps.pools.domain.paths.path import BOTH_ROLES, NEEDS_PICKER, ONE_POD, Path
from apps.pools.domain.picker import PickerParts
from apps.pools.domain.scheduling import Plugin, Scheduling, Step
from apps.pools.domain.sources import hub_token, served_from
from apps.pools.domain.spec import Variant

RENDER_PORT = 8010
# of a block on the host beside 1 for one on the device: the picker's own default
HOST_WEIGHT = 0.8
# the first vLLM that publishes events as maps, which the decoder of llm-d 0.5 cannot read
MAPPED_EVENTS = (0, 32)
_PRODUCER = "precise-prefix-cache-producer"


def settings(context: Context) -> PrecisePrefix:
    return context.spec.routing.precise or PrecisePrefix()


def _scheduling(context: Context) -> Scheduling:
    return _old(context) if context.dialect.picker_hash_seed else _current(context)


def _old(context: Context) -> Scheduling:
    chosen, weights = settings(context), context.spec.routing.weights
    events = {"topicFilter": "kv@", "concurrency": 4, "discoverPods": True, "podDiscoveryConfig": _discovery(context)}
    scorer = Plugin(
        "precise-prefix-cache-scorer",
        {
            "tokenProcessorConfig": {"blockSize": chosen.block_size, "hashSeed": HASH_SEED},
            "indexerConfig": {
                "kvBlockIndexConfig": {"enableMetrics": True},
                **_backends(chosen),
                "tokenizersPoolConfig": {
                    "modelName": served_from(context.model).argument,
                    "hf": {"tokenizersCacheDir": "/tmp/tokenizers"},  # noqa: S108  (a path in the container)
                },
            },
            "kvEventsConfig": events,
        },
    )
    steps: tuple[Step, ...] = (
        ("queue-scorer", weights.queue),
        ("kv-cache-utilization-scorer", weights.kv_cache_utilization),
        ("precise-prefix-cache-scorer", weights.prefix_cache),
        ("max-score-picker", None),
    )
    plugins = (Plugin("queue-scorer"), Plugin("kv-cache-utilization-scorer"), scorer, Plugin("max-score-picker"))
    return Scheduling(plugins, {"default": steps})


def _current(context: Context) -> Scheduling:
    chosen, weights = settings(context), context.spec.routing.weights
    match = {"prefixMatchInfoProducerName": _PRODUCER}
    discovery = {**_discovery(context), "replaySocketPort": KV_REPLAY_PORT}
    producer = Plugin(
        _PRODUCER,
        {
            "tokenProcessorConfig": {"blockSizeTokens": chosen.block_size},
            "speculativeIndexing": chosen.speculative,
            "indexerConfig": {
                "kvBlockIndexConfig": {"enableMetrics": True},
                **_backends(chosen),
            },
            "kvEventsConfig": {
                "topicFilter": "kv@",
                "concurrency": 8,
                "discoverPods": True,
                "podDiscoveryConfig": discovery,
            },
        },
    )
    tokens = Plugin(
        "token-producer",
        {
            "modelName": served_from(context.model).argument,
            "vllm": {"url": f"http://127.0.0.1:{RENDER_PORT}"},
        },
    )
    plugins = [
        tokens,
        Plugin("endpoint-notification-source"),
        Plugin("metrics-data-source"),
        Plugin("core-metrics-extractor"),
        producer,
        Plugin("prefix-cache-scorer", match),
        Plugin("queue-scorer"),
        Plugin("kv-cache-utilization-scorer"),
        Plugin("max-score-picker"),
    ]
    steps: list[Step] = [
        ("queue-scorer", weights.queue),
        ("kv-cache-utilization-scorer", weights.kv_cache_utilization),
        ("prefix-cache-scorer", weights.prefix_cache),
        ("max-score-picker", None),
    ]
    if chosen.peak_prefill_throughput is not None:
        parameters = {**match, "peakPrefillThroughput": chosen.peak_prefill_throughput}
        plugins[5:5] = [
            Plugin("inflight-load-producer", match),
            Plugin("prefix-cache-affinity-filter", parameters),
        ]
        steps[0:0] = [("prefix-cache-affinity-filter", None)]
    sources = [
        {"pluginRef": "metrics-data-source", "extractors": [{"pluginRef": "core-metrics-extractor"}]},
        {"pluginRef": "endpoint-notification-source", "extractors": [{"pluginRef": _PRODUCER}]},
    ]
    return Scheduling(tuple(plugins), {"default": tuple(steps)}, data_layer={"sources": sources})


def _discovery(context: Context) -> dict[str, Any]:
    selector = f"{POOL_UID}={context.pool.uid},{COMPONENT}={COMPONENT_ENGINE}"
    return {"podLabelSelector": selector, "podNamespace": context.pool.namespace, "socketPort": KV_EVENTS_PORT}


def _backends(chosen: PrecisePrefix) -> dict[str, Any]:
    """What a block counts by where it lies, where that is not what the picker takes it to be."""
    if chosen.host_weight == HOST_WEIGHT:
        return {}
    weights = [{"name": "gpu", "weight": 1.0}, {"name": "cpu", "weight": chosen.host_weight}]
    return {"kvCacheBackendConfigs": weights}


def _parts(context: Context, variant: Variant) -> EngineParts:
    size = settings(context).block_size
    # the pool may spell it out too, then once is enough; that it is the same is an invariant
    said = any(word.replace("_", "-").startswith("--block-size") for word in context.spec.engine.args)
    return EngineParts(args=() if said else (f"--block-size={size}",), kv_events=True)


def _picker(context: Context) -> PickerParts:
    replicas = context.spec.routing.picker_replicas or 1
    env = (hub_token(context.model),)
    if context.dialect.picker_tokenizer == "built-in":
        return PickerParts(env=env, replicas=replicas)
    source = served_from(context.model)
    container = {
        "name": "tokenizer",
        "image": context.dialect.engine_images["cpu"],
        "command": ["vllm", "launch", "render"],
        "args": [source.argument, "--host=127.0.0.1", f"--port={RENDER_PORT}", *source.args],
        "env": [{"name": "PYTHONHASHSEED", "value": HASH_SEED}, *source.env],
        # the loopback address is not reached by the kubelet's HTTP probes
        "readinessProbe": {
            "exec": {"command": ["python3", "-c", _ASK]},
            "periodSeconds": 5,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "8Gi"}},
        "volumeMounts": list(source.mounts),
    }
    return PickerParts(containers=(container,), volumes=source.volumes, replicas=replicas)


_ASK = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{RENDER_PORT}/health', timeout=4)"


# --- what must hold ------------------------------------------------------------------------------------------------
def _block_size(q: Question) -> str | None:
    said = q.argument("--block-size")
    size = (q.spec.routing.precise or PrecisePrefix()).block_size
    if said is not None and said != str(size):
        return (
            f"engine.args says --block-size={said}, and the picker hashes blocks of {size} tokens: then no block would "
            "ever be found; set routing.precise.blockSize to the same, or leave the argument out"
        )
    return None


def _caching(q: Question) -> str | None:
    for flag in ("--no-enable-prefix-caching", "--disable-prefix-caching"):
        if q.argument(flag) is not None:
            return f"{flag} leaves no block to find again: leave it out, or choose path optimized-baseline"
    return None


def _ranks(q: Question) -> str | None:
    for variant in q.spec.variants:
        if variant.parallelism.data > 1:
            return (
                f"variant {variant.name} has {variant.parallelism.data} data-parallel ranks, which publish on a port "
                "each, and the picker listens to one: set parallelism.data to 1 and raise replicas instead"
            )
    return None


def _events(q: Question) -> str | None:
    old = q.dialect is not None and q.dialect.picker_hash_seed
    if old and q.engine_version is not None and q.engine_version >= MAPPED_EVENTS:
        return (
            f"{q.spec.engine.image} publishes its events as maps, which the picker of llm-d 0.5 cannot read: every "
            "prefix would score 0; use vLLM 0.14 there, or a cluster with dialect current"
        )
    return None


def _tokenizer(q: Question) -> str | None:
    if q.dialect is None or q.model is None:
        return None
    if q.dialect.picker_tokenizer == "built-in" and not q.model.source.startswith("hf://"):
        return (
            f"the picker of llm-d {q.dialect.name} fetches the tokenizer from Hugging Face, and the weights of "
            f"{q.model.name} are at {q.model.source}: declare the model with an hf:// source, or choose path "
            "optimized-baseline"
        )
    return None


PATH = Path(
    name="precise-prefix-cache",
    title="Precise prefix-cache-aware routing",
    about="The picker follows every engine's KV events and sends a prompt where most of its blocks really are.",
    scheduling=_scheduling,
    invariants=(
        NEEDS_PICKER,
        BOTH_ROLES,
        ONE_POD,
        Invariant(
            "BlockSizeNotEqual",
            "Engine and picker cut prompts into blocks of the same size.",
            _block_size,
            "/spec/engine/args",
        ),
        Invariant("PrefixCachingOff", "Engines keep prefixes.", _caching, "/spec/engine/args"),
        Invariant("RanksNotHeard", "The picker hears every rank that publishes events.", _ranks),
        Invariant(
            "EventsNotReadable", "The picker can read the engine's encoding of events.", _events, "/spec/engine/image"
        ),
        Invariant("TokenizerNotReachable", "The picker has the model's own tokenizer.", _tokenizer, "/spec/model"),
    ),
    parts=_parts,
    picker=_picker,
)
