"""From a vLLM command line and the environment to what is simulated, or to the sentence with which vLLM gives up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from apps.catalog.domain.vllm import ParsedArgs, version_of_image
from apps.embedded.engine.domain import buckets
from apps.embedded.engine.domain.adapters import LoraSettings, read_modules
from apps.embedded.engine.domain.handover import NIXL
from apps.embedded.engine.domain.kv_events import ENCODINGS, Encoding, EventsConfig, read_events_config
from apps.embedded.engine.domain.offload import Transfer, read_transfer
from apps.embedded.engine.domain.shapes import (
    GIB,
    OVERHEAD_BYTES,
    ModelShape,
    known_shape,
    memory_bytes,
    shape_from_config,
)
from apps.physics import EngineConfig
from apps.physics.tiers import StorageLink, filesystem_link

DEFAULT_ACCELERATOR = "nvidia-h200"
DEFAULT_VERSION = "0.33.0"
# accelerators with at least this much memory get vLLM's larger batch defaults
LARGE_MEMORY_BYTES = 70 * GIB
# what vLLM's CPU backend takes of the host's memory for KV cache unless it is told otherwise
CPU_CACHE_BYTES = 4 * GIB
# what speculation has right of what it proposes, where nobody says: about what n-gram lookup reaches on chat
DEFAULT_ACCEPTANCE = 0.6
DEFAULT_DRAFT_TOKENS = 3


class SettingsError(ValueError):
    """What vLLM would refuse after parsing, while it builds its configuration or sizes its cache."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Everything that the simulated server needs to know."""

    version: str
    model: str
    served_names: tuple[str, ...]
    host: str
    port: int
    api_keys: frozenset[str]
    accelerator: str
    accelerators: int
    shape: ModelShape
    engine: EngineConfig
    hash_seed: str
    hash_algorithm: str
    custom_buckets: Mapping[str, Sequence[float]]
    cache_config: Mapping[str, str]
    prompt_tokens_details: bool
    force_include_usage: bool
    load_tracking: bool
    stream_interval: int
    shutdown_timeout: float
    log_stats: bool
    access_log: bool
    access_log_skips: frozenset[str]
    eager: bool
    sleep_mode: bool
    """--enable-sleep-mode: sleeping moves the weights, and takes its time."""
    dev_mode: bool
    """VLLM_SERVER_DEV_MODE: the development endpoints are served, among them those of sleeping."""
    cache_dtype: str
    """Data type of the KV cache, as vLLM names it in an `fs` tier's folder."""
    weight_bytes: float
    """Weights on each accelerator."""
    device: Path | None
    """Stands for accelerators that other engines were given too; None: they are this engine's own."""
    time_scale: float
    startup: float | None
    """Seconds of the machine until the server listens, whatever the time scale; None: as calibrated."""
    most_queued_tokens: int | None
    events: EventsConfig | None
    """Where KV events are published; None: nowhere."""
    events_encoding: Encoding
    middleware: tuple[str, ...]
    """--middleware: import paths of ASGI middlewares, the last of them outermost."""
    lora: LoraSettings | None
    transfer: Transfer | None
    """KV connectors, and the tiers of the one that offloads."""
    token_bytes: float
    """KV of one token, all ranks together."""
    side_channel: tuple[str, int]
    """Where other engines would ask for this one's blocks."""
    not_modelled: tuple[str, ...]
    """Options on the command line that change nothing here."""
    supervisor_port: int | None = None
    """Where the health of all ranks is asked for; None: nowhere."""

    @property
    def hands_over(self) -> bool:
        """Whether KV is handed over between engines (NIXL)."""
        return self.transfer is not None and not NIXL.isdisjoint(self.transfer.connectors)

    @property
    def max_model_len(self) -> int:
        return self.engine.max_model_len


def engine_version(environment: Mapping[str, str]) -> str:
    """The vLLM version to be: LAMPLIGHT_ENGINE_VERSION, else the tag of LAMPLIGHT_IMAGE, else the newest known."""
    tagged = version_of_image(environment.get("LAMPLIGHT_IMAGE", ""))
    return environment.get("LAMPLIGHT_ENGINE_VERSION") or tagged or DEFAULT_VERSION


def settings_from(
    parsed: ParsedArgs, environment: Mapping[str, str], *, config_json: str | None = None
) -> EngineSettings:
    """The settings of one engine.

    `environment`: LAMPLIGHT_ACCELERATOR (nvidia-h200, ...), LAMPLIGHT_TIME_SCALE (model seconds a second, default 1),
    LAMPLIGHT_ENGINE_STARTUP ("calibrated" or seconds), LAMPLIGHT_ENGINE_VERSION or LAMPLIGHT_IMAGE,
    LAMPLIGHT_BIND_HOST, LAMPLIGHT_KV_EVENTS_ENCODING ("map", or "array" as before vLLM 0.32), VLLM_API_KEY,
    VLLM_SERVER_DEV_MODE, VLLM_NIXL_SIDE_CHANNEL_HOST and _PORT, PYTHONHASHSEED, VLLM_ALLOW_RUNTIME_LORA_UPDATING,
    LAMPLIGHT_STORAGE_BANDWIDTH (bytes/s of the volume behind an `fs` tier), LAMPLIGHT_SPEC_ACCEPTANCE (share of
    proposed tokens that are right). `config_json`: the text of the model's
    config.json where the model is a local folder.
    Raises SettingsError.
    """
    if parsed["config"]:
        raise SettingsError("the engine simulator does not read --config files; give the options themselves")
    shape = _shape(parsed.model, config_json)
    accelerator = environment.get("LAMPLIGHT_ACCELERATOR") or DEFAULT_ACCELERATOR
    ranks = parsed["tensor_parallel_size"] * parsed["pipeline_parallel_size"]
    engine, bytes_of_cache = _engine(parsed, shape, accelerator, ranks)
    engine = replace(
        engine,
        max_adapters=parsed["max_loras"] if parsed["enable_lora"] else None,
        draft_tokens=_draft_tokens(parsed),
        acceptance=_acceptance(environment),
    )
    transfer = _transfer(parsed, environment, shape, engine.block_size, accelerator, ranks)
    try:
        custom = buckets.checked(parsed["custom_histogram_buckets"] or {})
    except ValueError as error:
        raise SettingsError(str(error)) from error
    keys = parsed["api_key"] or ([environment["VLLM_API_KEY"]] if environment.get("VLLM_API_KEY") else [])
    return EngineSettings(
        version=engine_version(environment),
        model=parsed.model,
        served_names=tuple(parsed["served_model_name"] or [parsed.model]),
        host=environment.get("LAMPLIGHT_BIND_HOST") or parsed["host"] or "0.0.0.0",  # noqa: S104 - vLLM's default
        port=parsed["port"],
        api_keys=frozenset(keys),
        accelerator=accelerator,
        accelerators=ranks,
        shape=shape,
        engine=engine,
        hash_seed=_hash_seed(environment.get("PYTHONHASHSEED")),
        hash_algorithm=parsed["prefix_caching_hash_algo"],
        custom_buckets=custom,
        cache_config=_cache_config(parsed, engine, bytes_of_cache),
        prompt_tokens_details=parsed["enable_prompt_tokens_details"],
        force_include_usage=parsed["enable_force_include_usage"],
        load_tracking=parsed["enable_server_load_tracking"],
        stream_interval=max(1, parsed["stream_interval"]),
        shutdown_timeout=float(parsed["shutdown_timeout"]),
        log_stats=not parsed["disable_log_stats"],
        access_log=not parsed["disable_uvicorn_access_log"],
        access_log_skips=frozenset((parsed["disable_access_log_for_endpoints"] or "").split(",")),
        eager=parsed["enforce_eager"],
        sleep_mode=_sleep_mode(parsed, accelerator),
        dev_mode=_switched_on(environment, "VLLM_SERVER_DEV_MODE"),
        cache_dtype=_cache_dtype(parsed),
        weight_bytes=shape.weight_bytes(1 if parsed["quantization"] else 2) / ranks,
        device=Path(environment["LAMPLIGHT_DEVICE"]) if environment.get("LAMPLIGHT_DEVICE") else None,
        time_scale=_positive(environment, "LAMPLIGHT_TIME_SCALE", 1.0),
        startup=_startup(environment),
        most_queued_tokens=parsed["max_num_queued_tokens"],
        events=_events(parsed),
        events_encoding=_events_encoding(environment),
        middleware=tuple(parsed["middleware"] or ()),
        lora=_lora(parsed, environment),
        transfer=transfer,
        token_bytes=shape.kv_bytes_per_token(_element_bytes(parsed)),
        side_channel=_side_channel(environment),
        not_modelled=_not_modelled(parsed, transfer),
        supervisor_port=_supervisor_port(parsed),
    )


def _lora(parsed: ParsedArgs, environment: Mapping[str, str]) -> LoraSettings | None:
    if not parsed["enable_lora"]:
        return None
    try:
        modules = read_modules(parsed["lora_modules"])
    except ValueError as error:
        raise SettingsError(str(error)) from error
    at_run_time = _switched_on(environment, "VLLM_ALLOW_RUNTIME_LORA_UPDATING")
    return LoraSettings(parsed["max_loras"], int(parsed["max_lora_rank"]), modules, at_run_time)


def _draft_tokens(parsed: ParsedArgs) -> int:
    """Tokens that speculation proposes a step; 0 without speculation."""
    config = dict(parsed["speculative_config"] or {})
    if not config and not parsed["spec_method"] and not parsed["spec_model"]:
        return 0
    count = config.get("num_speculative_tokens") or parsed["spec_tokens"] or DEFAULT_DRAFT_TOKENS
    if not isinstance(count, int) or count < 1:
        raise SettingsError(f"num_speculative_tokens={count!r}: Input should be greater than 0")
    return count


def _acceptance(environment: Mapping[str, str]) -> float:
    value = _positive(environment, "LAMPLIGHT_SPEC_ACCEPTANCE", DEFAULT_ACCEPTANCE, least=0.0)
    if value > 1:
        raise SettingsError(f"LAMPLIGHT_SPEC_ACCEPTANCE={value}: write a share between 0 and 1")
    return value


def _sleep_mode(parsed: ParsedArgs, accelerator: str) -> bool:
    if parsed["enable_sleep_mode"] and not memory_bytes(accelerator):
        raise SettingsError("Sleep mode is not supported on current platform.")
    return bool(parsed["enable_sleep_mode"])


def _transfer(
    parsed: ParsedArgs,
    environment: Mapping[str, str],
    shape: ModelShape,
    block_size: int,
    accelerator: str,
    ranks: int,
) -> Transfer | None:
    bandwidth = _positive(environment, "LAMPLIGHT_STORAGE_BANDWIDTH", 0.0, least=0.0)
    measured = filesystem_link()
    try:
        return read_transfer(
            parsed["kv_transfer_config"],
            offloading_gib=parsed["kv_offloading_size"],
            backend=parsed["kv_offloading_backend"],
            block_size=block_size,
            token_bytes=shape.kv_bytes_per_token(_element_bytes(parsed)),
            accelerator=accelerator,
            ranks=ranks,
            storage=StorageLink(bandwidth, bandwidth, measured.latency) if bandwidth else measured,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from error


def _side_channel(environment: Mapping[str, str]) -> tuple[str, int]:
    port = environment.get("VLLM_NIXL_SIDE_CHANNEL_PORT") or "5600"
    if not port.isdecimal():
        raise SettingsError(f"VLLM_NIXL_SIDE_CHANNEL_PORT={port}: write a port")
    return environment.get("VLLM_NIXL_SIDE_CHANNEL_HOST") or "localhost", int(port)


def _element_bytes(parsed: ParsedArgs) -> int:
    return 1 if str(parsed["kv_cache_dtype"]).startswith("fp8") else 2


def _cache_dtype(parsed: ParsedArgs) -> str:
    """The cache's own type, or that of the weights; `auto` is bfloat16, as it is for all models that we know."""
    kind = str(parsed["kv_cache_dtype"])
    if kind == "auto":
        kind = str(parsed["dtype"])
    return "bfloat16" if kind == "auto" else kind


def _events(parsed: ParsedArgs) -> EventsConfig | None:
    try:
        return read_events_config(parsed["kv_events_config"])
    except ValueError as error:
        raise SettingsError(str(error)) from error


def _events_encoding(environment: Mapping[str, str]) -> Encoding:
    text = environment.get("LAMPLIGHT_KV_EVENTS_ENCODING") or "map"
    for encoding in ENCODINGS:
        if text == encoding:
            return encoding
    raise SettingsError(f"LAMPLIGHT_KV_EVENTS_ENCODING={text}: write {' or '.join(ENCODINGS)}")


def _switched_on(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name) or "0"
    try:
        return bool(int(text))
    except ValueError:
        raise SettingsError(f"{name}={text}: write 0 or 1") from None


def _supervisor_port(parsed: ParsedArgs) -> int | None:
    # releases before 0.25 have no such flags
    named = "data_parallel_multi_port_external_lb" in parsed.values and parsed["data_parallel_multi_port_external_lb"]
    return int(parsed["data_parallel_supervisor_port"]) if named else None


def _not_modelled(parsed: ParsedArgs, transfer: Transfer | None) -> tuple[str, ...]:
    connectors = transfer.not_modelled if transfer is not None else ()
    ranks = ("--data-parallel-size",) if parsed["data_parallel_size"] > 1 else ()
    return (*ranks, *(f"{name} of --kv-transfer-config" for name in connectors))


def _shape(model: str, config_json: str | None) -> ModelShape:
    if config_json is None:
        return known_shape(model)
    try:
        return shape_from_config(model, json.loads(config_json))
    except ValueError as error:
        raise SettingsError(f"cannot read the configuration of {model}: {error}") from error


def _engine(parsed: ParsedArgs, shape: ModelShape, accelerator: str, ranks: int) -> tuple[EngineConfig, int]:
    """The scheduler's settings, and the bytes of KV cache per accelerator."""
    if shape.kv_heads % parsed["tensor_parallel_size"] and parsed["tensor_parallel_size"] % shape.kv_heads:
        raise SettingsError(
            f"Total number of key/value heads ({shape.kv_heads}) must be divisible by tensor parallel size "
            f"({parsed['tensor_parallel_size']})."
        )
    utilization = parsed["gpu_memory_utilization"]
    if not 0 < utilization <= 1:
        raise SettingsError(f"GPU memory utilization must be in (0, 1]. Got {utilization}.")
    try:
        memory = memory_bytes(accelerator)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    block_size = parsed["block_size"] or 16
    per_token = shape.kv_bytes_per_token(_element_bytes(parsed))
    weights = shape.weight_bytes(1 if parsed["quantization"] else 2)
    available = parsed["kv_cache_memory_bytes"] or int(memory * utilization - weights / ranks - OVERHEAD_BYTES)
    if not memory:
        available = CPU_CACHE_BYTES
    blocks = available * ranks // (per_token * block_size)
    if parsed["num_gpu_blocks_override"]:
        blocks = parsed["num_gpu_blocks_override"]
    elif available <= 0:
        raise SettingsError(
            "No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the "
            f"engine. (The weights of {shape.name} take {weights / ranks / GIB:.1f} GiB of the "
            f"{memory / GIB:.1f} GiB of {accelerator}.)"
        )
    context = parsed["max_model_len"]
    if context is None:
        context = shape.max_context
    elif context == -1:
        context = min(shape.max_context, (blocks - 1) * block_size)
    elif context > shape.max_context:
        raise SettingsError(
            f"User-specified max_model_len ({context}) is greater than the derived max_model_len "
            f"(max_position_embeddings={shape.max_context} in model's config.json)."
        )
    if (blocks - 1) * block_size < context:
        raise SettingsError(
            f"To serve at least one request with the models's max seq len ({context}), "
            f"({context * per_token / ranks / GIB:.2f} GiB KV cache is needed, which is larger than the available KV "
            f"cache memory ({blocks * block_size * per_token / ranks / GIB:.2f} GiB). Based on the available memory, "
            f"the estimated maximum model length is {max((blocks - 1) * block_size, 0)}. Try increasing "
            "`gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine."
        )
    large = memory >= LARGE_MEMORY_BYTES and "a100" not in accelerator
    seqs = parsed["max_num_active_seqs"] or parsed["max_num_seqs"] or (1024 if large else 256)
    try:
        config = EngineConfig(
            num_blocks=blocks,
            block_size=block_size,
            max_num_seqs=seqs,
            max_num_batched_tokens=parsed["max_num_batched_tokens"] or (8192 if large else 2048),
            max_model_len=context,
            enable_prefix_caching=parsed["enable_prefix_caching"] is not False,
            max_num_queued_reqs=parsed["max_num_queued_reqs"],
            scheduling_policy=parsed["scheduling_policy"],
            async_scheduling=parsed["async_scheduling"] is not False,
            kv_events=_events(parsed) is not None,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from error
    return config, available


def _cache_config(parsed: ParsedArgs, engine: EngineConfig, available: int) -> dict[str, str]:
    """The labels of vllm:cache_config_info that this engine knows; the others read "None"."""
    return {
        "_block_size_resolved": "True",
        "block_size": str(engine.block_size),
        "cache_dtype": str(parsed["kv_cache_dtype"]),
        "effective_attention_block_size": str(engine.block_size),
        "enable_mamba_shared_prefix_checkpoint": "False",
        "enable_prefix_caching": str(engine.enable_prefix_caching),
        "gpu_memory_utilization": str(parsed["gpu_memory_utilization"]),
        "is_attention_free": "False",
        "kv_cache_dtype_skip_layers": "[]",
        "kv_cache_max_concurrency": str(round(engine.num_blocks * engine.block_size / engine.max_model_len, 3)),
        "kv_cache_memory_bytes": str(available),
        "kv_cache_size_tokens": str(engine.num_blocks * engine.block_size),
        "kv_offloading_backend": str(parsed["kv_offloading_backend"]),
        "kv_offloading_size": str(parsed["kv_offloading_size"]),
        "kv_sharing_fast_prefill": "False",
        "mamba_cache_dtype": "auto",
        "mamba_cache_mode": "none",
        "mamba_ssm_cache_dtype": "auto",
        "num_gpu_blocks": str(engine.num_blocks),
        "num_gpu_blocks_override": str(parsed["num_gpu_blocks_override"]),
        "prefix_cache_retention_interval": "0",
        "prefix_caching_hash_algo": str(parsed["prefix_caching_hash_algo"]),
        "replayssm_buffer_len": "16",
        "swa_bounded_replay": "True",
        "use_kda_recoverssm": "False",
        "use_replayssm": "False",
        "user_specified_block_size": str(parsed["block_size"] is not None),
    }


def _hash_seed(seed: str | None) -> str:
    """The digest behind the first block's parent. A seed of 0 or none is vLLM's fixed one."""
    return hashlib.sha256((seed or "0").encode()).hexdigest()


def _startup(environment: Mapping[str, str]) -> float | None:
    text = environment.get("LAMPLIGHT_ENGINE_STARTUP") or "calibrated"
    return None if text == "calibrated" else _positive(environment, "LAMPLIGHT_ENGINE_STARTUP", 0.0, least=0.0)


def _positive(environment: Mapping[str, str], name: str, default: float, *, least: float | None = None) -> float:
    text = environment.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not (value > 0 if least is None else value >= least) or value == float("inf"):
        raise SettingsError(f"{name}={text}: write a positive number")
    return value
