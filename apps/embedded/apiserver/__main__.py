"""``python -m apps.embedded.apiserver``: the API server of the embedded cluster as a process."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import gc
import logging
import signal
from pathlib import Path
from typing import TextIO

import uvloop
from aiohttp import web

from apps.embedded.apiserver.bootstrap import bootstrap
from apps.embedded.apiserver.certificates import load_or_create_identity, write_atomically, write_kubeconfig
from apps.embedded.apiserver.domain.faults import Faults
from apps.embedded.apiserver.server import ADMIN, ApiServer
from apps.embedded.apiserver.store import Store

SHUTDOWN_S = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="apps.embedded.apiserver", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the store, certificates and the admin token"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: the port of the last run, or any free one")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="written once the server listens")
    parser.add_argument("--service-cidr", default="10.96.0.0/16", help="where clusterIPs come from")
    parser.add_argument("--install-crds", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--faults", action="store_true", help="let tests script faults at /debug/faults")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    arguments.data.mkdir(parents=True, exist_ok=True)
    # its TLS is not Python: a sixth of what an apply costs this process
    uvloop.run(serve(arguments))


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    data: Path = arguments.data
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    lock = _lock(data)
    identity = load_or_create_identity(data, arguments.host)
    store = Store(data / "objects.sqlite")
    faults = Faults() if arguments.faults else None
    server = ApiServer(store, {identity.admin_token: ADMIN}, service_cidr=arguments.service_cidr, faults=faults)
    bootstrap(server, install_crds=arguments.install_crds)
    runner = web.ServerRunner(web.Server(server.handle, access_log=None), shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    port_file = data / "port"
    port = arguments.port or _remembered(port_file)
    try:
        await web.TCPSite(runner, arguments.host, port, ssl_context=identity.tls_context()).start()
    except OSError as error:
        if arguments.port or not port:
            raise SystemExit(
                f"cannot listen on {arguments.host}:{port}: {error.strerror}; choose another --port"
            ) from error
        await web.TCPSite(runner, arguments.host, 0, ssl_context=identity.tls_context()).start()
    port = runner.addresses[0][1]
    write_atomically(port_file, str(port))
    write_kubeconfig(arguments.kubeconfig, server=f"https://{arguments.host}:{port}", identity=identity)
    logging.getLogger(__name__).info("listening on https://%s:%d", arguments.host, port)
    gc.collect()
    gc.freeze()
    await stop.wait()
    await server.stop()
    await runner.cleanup()
    store.close()
    lock.close()


def _lock(data: Path) -> TextIO:
    """Two servers over one store would lose each other's writes: the second one is told so and ends."""
    lock = (data / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise SystemExit(f"another API server already uses {data}: stop it, or choose another --data") from None
    return lock


def _remembered(port_file: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(port_file.read_text())
    return 0


if __name__ == "__main__":
    main()
