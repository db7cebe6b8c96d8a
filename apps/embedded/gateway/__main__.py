"""`python -m apps.embedded.gateway`: the endpoint picker in standalone mode, as the kubelet starts it."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from pathlib import Path

import yaml
from aiohttp import web
from prometheus_client import generate_latest

from apps.embedded.client import KubeClient
from apps.embedded.gateway import flags
from apps.embedded.gateway.explain import explain_routes
from apps.embedded.gateway.fleet import Fleet, Intervals, Series
from apps.embedded.gateway.hold import HoldQueue
from apps.embedded.gateway.metrics import PickerMetrics
from apps.embedded.gateway.policies import Policies
from apps.embedded.gateway.proxy import Proxy, client_session
from apps.physics.routing import ConfigError, PickerConfig, default_document, read_config

log = logging.getLogger("epp")
# how long running answers may take to end after SIGTERM
DRAIN_S = 25.0
# how long the data plane waits for the pool to be read before it opens anyway
SYNC_S = 30.0


def main(argv: list[str]) -> int:
    options = flags.parse(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    try:
        config = _config(options)
    except (ConfigError, OSError, yaml.YAMLError) as error:
        print(f"epp: error: cannot use the configuration: {error}", file=sys.stderr)
        return 1
    kubeconfig = os.environ.get("LAMPLIGHT_KUBECONFIG") or os.environ.get("KUBECONFIG")
    if not kubeconfig:
        print("epp: error: set KUBECONFIG to a kubeconfig file; the pool is read from there", file=sys.stderr)
        return 1
    return asyncio.run(_serve(options, config, kubeconfig))


def _config(options: argparse.Namespace) -> PickerConfig:
    text = options.config_text
    if text is None and options.config_file is not None:
        text = Path(options.config_file).read_text(encoding="utf-8")
    return read_config(default_document() if text is None else yaml.safe_load(text))


async def _serve(options: argparse.Namespace, config: PickerConfig, kubeconfig: str) -> int:
    metrics = PickerMetrics(options.pool_name, config.flow)
    fleet = Fleet(
        options.pool_name,
        options.pool_namespace,
        config,
        metrics,
        Intervals(options.refresh_metrics_interval, options.refresh_idle_interval),
        Series(
            options.total_queued_requests_metric,
            options.total_running_requests_metric,
            options.kv_cache_usage_percentage_metric,
        ),
        host=os.environ.get("LAMPLIGHT_BIND_HOST", "*"),
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    host = os.environ.get("LAMPLIGHT_BIND_HOST", "0.0.0.0")  # noqa: S104 - as the real one does in its pod
    async with (
        KubeClient.from_kubeconfig(kubeconfig, user_agent="endpoint-picker") as client,
        client_session() as session,
    ):
        hold = HoldQueue(fleet, config.flow, metrics.flow)
        policies = Policies(options.pool_name, options.pool_namespace)
        proxy = Proxy(fleet, session, metrics, hold, policies)
        side = _side_application(proxy, metrics)
        fleet.watch(client)
        policies.watch(client)
        scraping = asyncio.create_task(fleet.scrape_forever(session))
        ended = asyncio.create_task(stop.wait())
        runners: list[web.AppRunner] = []
        listening = asyncio.Event()
        try:
            await _listen(runners, side, host, options.metrics_port)
            await _listen(runners, _health_application(fleet, listening), host, options.grpc_health_port)
            # whoever sees the data plane's port open may expect it to know the replicas
            synced = asyncio.create_task(fleet.wait_synced())
            await asyncio.wait({synced, ended}, timeout=SYNC_S, return_when=asyncio.FIRST_COMPLETED)
            synced.cancel()
            await _listen(runners, proxy.application(), host, options.http_port)
            listening.set()
            log.info("routing for %s/%s on %s:%d", fleet.namespace, fleet.name, host, options.http_port)
            gc.collect()
            gc.freeze()
            await asyncio.wait({ended, scraping}, return_when=asyncio.FIRST_COMPLETED)
            if scraping.done():
                log.error("reading metrics failed: %r", scraping.exception())
                return 1
        finally:
            scraping.cancel()
            ended.cancel()
            hold.close()
            await asyncio.gather(scraping, ended, return_exceptions=True)
            # the data plane goes first and may finish what it has begun
            for runner in reversed(runners):
                await runner.cleanup()
            await policies.close()
            await fleet.close()
    return 0


async def _listen(runners: list[web.AppRunner], app: web.Application, host: str, port: int) -> None:
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=DRAIN_S)
    await runner.setup()
    runners.append(runner)
    await web.TCPSite(runner, host, port, backlog=1024).start()


def _side_application(proxy: Proxy, metrics: PickerMetrics) -> web.Application:
    async def page(request: web.Request) -> web.Response:
        body = generate_latest(metrics.registry)
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=1.0.0; charset=utf-8"})

    async def state(request: web.Request) -> web.Response:
        return web.json_response(proxy.fleet.state())

    app = web.Application()
    app.add_routes([web.get("/metrics", page), web.get("/debug/plugins/state", state), *explain_routes(proxy)])
    return app


def _health_application(fleet: Fleet, listening: asyncio.Event) -> web.Application:
    async def alive(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def ready(request: web.Request) -> web.Response:
        if not fleet.synced:
            return web.Response(text="the pool has not been read yet", status=503)
        if not listening.is_set():
            return web.Response(text="the data plane does not listen yet", status=503)
        return web.Response(text="ok")

    app = web.Application()
    app.add_routes([web.get("/livez", alive), web.get("/healthz", alive), web.get("/readyz", ready)])
    return app


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
