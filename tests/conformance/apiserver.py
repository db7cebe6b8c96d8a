"""The embedded API server inside the test process, spoken to over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from apps.embedded.apiserver.bootstrap import bootstrap
from apps.embedded.apiserver.call import User
from apps.embedded.apiserver.server import ADMIN, ApiServer
from apps.embedded.apiserver.store import Store

TOKENS = {"admin": "admin-token", "alice": "alice-token", "invalid": "nobody-has-this-token"}
ALICE = User("alice", ("team-a", "system:authenticated"), uid="3")


@dataclass
class Running:
    server: ApiServer
    url: str
    session: aiohttp.ClientSession

    async def compact(self) -> None:
        self.server.store.compact()


@asynccontextmanager
async def running_server(*, install_crds: bool = False) -> AsyncIterator[Running]:
    """A server with an empty store in memory, on a free port, and a client session for it."""
    store = Store(None)
    users = {TOKENS["admin"]: ADMIN, TOKENS["alice"]: ALICE}
    server = ApiServer(store, users, service_cidr="10.96.0.0/16")
    bootstrap(server, install_crds=install_crds)
    # a server that has been up for a while, as the recorded one: its first revisions are no longer known
    store.compact()
    runner = web.ServerRunner(web.Server(server.handle, access_log=None), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield Running(server, url, session)
    await server.stop()
    await runner.cleanup()
    store.close()
