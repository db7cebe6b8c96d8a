"""`python -m apps.embedded.engine serve MODEL ...`: what `vllm serve` is in the embedded cluster."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from pathlib import Path

from apps.catalog.domain.vllm import flags, parse_args
from apps.embedded.engine.device import Device, OutOfMemory
from apps.embedded.engine.domain.settings import EngineSettings, SettingsError, engine_version, settings_from
from apps.embedded.engine.event_feed import EventFeed
from apps.embedded.engine.file_store import FileStore, layout_of
from apps.embedded.engine.hardware import startup_seconds, timing
from apps.embedded.engine.kv_events import Publisher
from apps.embedded.engine.loop import EngineLoop, ModelClock
from apps.embedded.engine.metrics import EngineMetrics
from apps.embedded.engine.recorder import Recorder
from apps.embedded.engine.report import report_forever
from apps.embedded.engine.server import EngineServer, run_until
from apps.embedded.engine.supervisor import supervised
from apps.embedded.engine.tier_recorder import TierRecorder
from apps.embedded.standin import __main__ as standin
from apps.physics import Engine
from apps.physics.catalogue import Timing, frontend
from apps.physics.tiers import Tiers


def main(argv: list[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stdout)
    if argv[:2] == ["launch", "render"]:
        # the embedded picker asks the replicas themselves to tokenize
        return standin.main(argv[2:])
    if argv[:1] != ["serve"]:
        print("usage: vllm serve [model_tag] [options]", file=sys.stderr)
        return 2
    version = engine_version(os.environ)
    if any(word in ("-h", "--help") or word.startswith("--help=") for word in argv):
        print("usage: vllm serve [model_tag] [options]\n\noptions:")
        print("\n".join("  " + ", ".join(flag.spellings) for flag in flags(version).values()))
        return 0
    parsed = parse_args(version, argv[1:])
    if isinstance(parsed, str):
        print(f"usage: vllm serve [model_tag] [options]\nvllm serve: error: {parsed}", file=sys.stderr)
        return 2
    try:
        settings = settings_from(parsed, os.environ, config_json=_config_json(parsed.model))
        timed = timing(settings)
    except (SettingsError, ValueError, OSError) as error:
        print(f"ValueError: {error}", file=sys.stderr)
        return 1
    return asyncio.run(_serve(settings, timed))


def _config_json(model: str) -> str | None:
    path = Path(model) / "config.json"
    return path.read_text(encoding="utf-8") if path.is_file() else None


async def _serve(settings: EngineSettings, timed: Timing) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _say(f"vLLM API server version {settings.version} (engine simulator), model {settings.model}")
    for name in settings.not_modelled:
        _say(f"{name} is accepted but not simulated yet")
    _say(f"Step times: {timed.origin}, of {timed.basis}")
    _say(f"GPU KV cache size: {settings.engine.kv_tokens:,} tokens on {settings.accelerators} x {settings.accelerator}")
    device = Device(settings.device)
    try:
        device.take()
    except OutOfMemory:
        print(
            "ValueError: Free memory on device cuda:0 on startup is less than desired GPU memory utilization. Decrease "
            "GPU memory utilization or reduce GPU memory used by other processes.",
            file=sys.stderr,
        )
        return 1
    with contextlib.suppress(TimeoutError):
        # like the real one, the server listens only when the model is loaded
        await asyncio.wait_for(stop.wait(), startup_seconds(settings) / settings.time_scale)
        return 0
    metrics = EngineMetrics(
        settings.version,
        model_name=settings.served_names[0],
        max_model_len=settings.max_model_len,
        custom_buckets=settings.custom_buckets,
        features=features(settings),
        cache_config=settings.cache_config,
    )
    try:
        below = _tiers(settings)
        events = _events(settings)
    except OSError as error:
        print(f"ERROR: {error.strerror}" + (f": {error.filename}" if error.filename else ""), file=sys.stderr)
        return 1
    clock = ModelClock(settings.time_scale)
    offload = settings.transfer.offload if settings.transfer else None
    tiers = None
    if offload is not None:
        tiers = TierRecorder(metrics, offload, version=settings.version, scale=settings.time_scale, now=clock.now)
    loop = EngineLoop(
        Engine(settings.engine, timed.step_time, below),
        clock,
        Recorder(metrics, settings.time_scale, tiers, settings.token_bytes),
        frontend(),
        most_queued_tokens=settings.most_queued_tokens,
        events=events,
    )
    loop.start(on_death=stop.set)
    gc.collect()
    gc.freeze()
    server = EngineServer(settings, loop, metrics, device)
    reporting = asyncio.create_task(report_forever(loop)) if settings.log_stats else None
    try:
        async with supervised(settings.host, settings.supervisor_port, lambda: loop.alive):
            await run_until(stop, server, settings.host, settings.port, grace=settings.shutdown_timeout)
        return 0 if loop.alive else 1
    except OSError as error:
        print(f"ERROR: cannot listen on {settings.host}:{settings.port}: {error.strerror}", file=sys.stderr)
        return 1
    finally:
        if reporting is not None:
            reporting.cancel()
        await loop.stop()


def _events(settings: EngineSettings) -> EventFeed | None:
    if settings.events is None:
        return None
    host = "*" if settings.host == "0.0.0.0" else settings.host  # noqa: S104 - every address, said in ZeroMQ's way
    publisher = Publisher(settings.events, host=host, encoding=settings.events_encoding)
    return EventFeed(publisher, settings.engine.block_size, settings.transfer.offload if settings.transfer else None)


def _tiers(settings: EngineSettings) -> Tiers | None:
    offload = settings.transfer.offload if settings.transfer else None
    if offload is None:
        return None
    store = None
    if offload.root is not None:
        layout = layout_of(
            settings.model,
            settings.cache_dtype,
            settings.engine.block_size,
            offload.physics.chunk_blocks,
            settings.shape.layers,
        )
        store = FileStore(offload.root, layout)
    return Tiers(offload.physics, store, events=settings.events is not None)


def features(settings: EngineSettings) -> frozenset[str]:
    """Which conditional metrics the page has."""
    found = set()
    if settings.lora is not None:
        found.add("lora")
    if settings.dev_mode:
        found.add("sleep_endpoints")
    if settings.engine.draft_tokens:
        found.add("speculative")
    if settings.transfer is not None:
        found.add("kv_connector")
        if settings.hands_over:
            found.add("nixl")
        if settings.transfer.offload is not None:
            found.add("offloading")
            if settings.transfer.offload.tiering:
                found.add("tiering")
    return frozenset(found)


def _say(text: str) -> None:
    print(f"INFO:     {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
