"""Service addresses on loopback: a TCP forward from each cluster IP and port to the ready endpoints, in turn."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging

from apps.embedded.client import KubeClient
from apps.embedded.events import EventRecorder
from apps.embedded.informer import Change, Informer
from apps.embedded.proxy.domain.routes import Address, Route, routes

log = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
MAX_CONNECTIONS = 2048
CHUNK_BYTES = 64 * 1024
RETRY_SECONDS = 5.0


class Listener:
    """One bound address; ``route`` may change while connections run."""

    def __init__(self, address: Address, route: Route, slots: asyncio.Semaphore) -> None:
        self.address = address
        self.route = route
        self._slots = slots
        self._turn = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def bind(self) -> None:
        """OSError when the address cannot be bound."""
        self._server = await asyncio.start_server(self._accepted, *self.address, limit=CHUNK_BYTES)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        if self._slots.locked():
            log.warning("%s:%d refuses a connection: %d are open", *self.address, MAX_CONNECTIONS)
            writer.transport.abort()
            return
        async with self._slots:
            try:
                await self._forward(reader, writer)
            finally:
                writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await self._connect()
        if upstream is None:
            writer.transport.abort()
            return
        back_reader, back_writer = upstream
        try:
            await asyncio.gather(_copy(reader, back_writer), _copy(back_reader, writer))
        except (OSError, asyncio.CancelledError) as error:
            # one side broke: the other must see it too, not a clean end
            writer.transport.abort()
            back_writer.transport.abort()
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            back_writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """A connection to the next endpoint that accepts one; each is tried once."""
        backends = self.route.backends
        for _ in range(len(backends)):
            self._turn = (self._turn + 1) % len(backends)
            host, port = backends[self._turn]
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await asyncio.open_connection(host, port, limit=CHUNK_BYTES)
        return None


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the end of the input, then close only this direction: the other may go on."""
    while chunk := await reader.read(CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        with contextlib.suppress(OSError):
            writer.write_eof()


class ServiceProxy:
    """Follows Services and EndpointSlices, and keeps one listener for each address that can be bound."""

    def __init__(self, client: KubeClient, recorder: EventRecorder) -> None:
        self._recorder = recorder
        self._services = Informer(client, "", "v1", "services")
        self._slices = Informer(client, "discovery.k8s.io", "v1", "endpointslices")
        self._listeners: dict[Address, Listener] = {}
        self._refused: set[Address] = set()
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._dirty = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._recorder.start()
        for informer in (self._services, self._slices):
            informer.on_change(self._changed)
            informer.start()
        self._task = asyncio.create_task(self._follow(), name="service-proxy")

    async def stop(self) -> None:
        for informer in (self._services, self._slices):
            await informer.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*(listener.close() for listener in self._listeners.values()))
        await self._recorder.stop()

    def _changed(self, _: Change) -> None:
        self._dirty.set()

    async def _follow(self) -> None:
        for informer in (self._services, self._slices):
            await informer.synced.wait()
        while True:
            self._dirty.clear()
            try:
                await self._reconcile()
            except Exception:
                log.exception("service routes could not be brought up to date")
            with contextlib.suppress(TimeoutError):
                # an address that could not be bound may become free without anybody telling
                async with asyncio.timeout(RETRY_SECONDS if self._refused else None):
                    await self._dirty.wait()

    async def _reconcile(self) -> None:
        wanted = routes(self._services.values(), self._slices.values())
        for address in [address for address in self._listeners if address not in wanted]:
            await self._listeners.pop(address).close()
        self._refused &= wanted.keys()
        for address, route in wanted.items():
            listener = self._listeners.get(address)
            if listener is not None and (listener.route.namespace, listener.route.service) == (
                route.namespace,
                route.service,
            ):
                listener.route = route
                continue
            if listener is not None:
                await self._listeners.pop(address).close()
            await self._listen(address, route)

    async def _listen(self, address: Address, route: Route) -> None:
        listener = Listener(address, route, self._slots)
        try:
            await listener.bind()
        except OSError as error:
            if address not in self._refused:
                self._refused.add(address)
                self._explain(address, route, error)
            return
        self._refused.discard(address)
        self._listeners[address] = listener

    def _explain(self, address: Address, route: Route, error: OSError) -> None:
        where = f"{address[0]}:{address[1]}"
        if error.errno == errno.EACCES:
            why = "only root may bind ports below 1024; give the Service a higher port"
        elif error.errno == errno.EADDRNOTAVAIL:
            why = "that address is not on this machine; start the API server with a --service-cidr inside 127.0.0.0/8"
        else:
            why = error.strerror or str(error)
        message = f"Cannot listen on {where}: {why}"
        log.warning("service %s/%s: %s", route.namespace, route.service, message)
        service = self._services.get(route.namespace, route.service)
        if service is not None:
            self._recorder.event(service, "FailedToBind", message, warning=True)
