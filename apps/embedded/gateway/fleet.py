"""The replicas of the pool: who is ready (from the Kubernetes API) and how loaded each is (from its metrics page)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from apps.embedded.client import KubeClient
from apps.embedded.gateway.domain.pages import ADAPTERS, SLEEP_STATE, read_load
from apps.embedded.gateway.domain.pods import ready_endpoints
from apps.embedded.gateway.kv_events import KvEventListener
from apps.embedded.gateway.metrics import PickerMetrics
from apps.embedded.informer import Informer
from apps.physics.routing import Candidate, Decision, Endpoint, Load, PickerConfig, Refused, Request, Scheduler
from apps.physics.routing.plugins.utilization import Utilization

log = logging.getLogger(__name__)

SCRAPE_TIMEOUT_S = 1.0
MOST_PAGE_BYTES = 8 * 2**20
# after this long without traffic the pages are read at the idle interval
QUIET_S = 5.0
STALE_S = 3.0
PRODUCER = "inflight-load-producer"


@dataclass
class Replica:
    """One endpoint with what is known of it now."""

    endpoint: Endpoint
    load: Load | None = None
    read_at: float = 0.0
    tried: bool = False
    """Its page was asked for at least once, so that a sleeper is known as one."""
    requests: int = 0
    tokens: int = 0
    """Uncached prompt tokens whose first token has not come."""


@dataclass
class Sent:
    """A request at a replica, until it ends."""

    replica: Replica
    tokens: int
    prefilled: bool = False


@dataclass(frozen=True)
class Intervals:
    busy: float
    idle: float


@dataclass
class Series:
    """The names of the engine's series that the load is read from."""

    waiting: str = "vllm:num_requests_waiting"
    running: str = "vllm:num_requests_running"
    usage: str = "vllm:kv_cache_usage_perc"

    def query(self) -> list[tuple[str, str]]:
        """Asks for these series only, which costs the engine a tenth of the whole page."""
        names = (self.waiting, self.running, self.usage, "vllm:cache_config_info", SLEEP_STATE, ADAPTERS)
        return [("name[]", name) for name in names]


@dataclass
class Fleet:
    """Keeps `replicas` current, by key, and chooses among them."""

    name: str
    namespace: str
    config: PickerConfig
    metrics: PickerMetrics
    intervals: Intervals
    series: Series = field(default_factory=Series)
    rng: random.Random = field(default_factory=random.Random)
    host: str = "*"
    """Where a socket is bound that engines publish KV events to."""
    changed: Callable[[], None] = lambda: None
    """Called when replicas may have got room."""
    held: Callable[[], bool] = lambda: False
    """Whether requests wait for a replica: pages are read often then."""

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(self.config)
        self.listeners = [KvEventListener(plugin, self.host) for plugin in self.scheduler.precise]
        self.replicas: dict[str, Replica] = {}
        self.last_decision: Decision | None = None
        self._fullness = Utilization(queue=5, kv=0.8, headroom=0.0)
        self._busy_until = 0.0
        self._busy = asyncio.Event()
        self._informers: list[Informer] = []

    def watch(self, client: KubeClient) -> None:
        """Follow the InferencePool and the pods of its namespace from now on."""
        pools = Informer(client, "inference.networking.k8s.io", "v1", "inferencepools", namespace=self.namespace)
        pods = Informer(client, "", "v1", "pods", namespace=self.namespace)
        self._informers = [pools, pods]
        for informer in self._informers:
            informer.on_change(lambda _: self._follow(pools, pods))
            informer.start()
        for listener in self.listeners:
            listener.start()

    @property
    def synced(self) -> bool:
        """The pool and the pods have been read once."""
        return bool(self._informers) and all(informer.synced.is_set() for informer in self._informers)

    async def wait_synced(self) -> None:
        await asyncio.gather(*(informer.synced.wait() for informer in self._informers))

    async def close(self) -> None:
        for informer in self._informers:
            await informer.stop()
        for listener in self.listeners:
            await listener.close()

    def _follow(self, pools: Informer, pods: Informer) -> None:
        self.replace(ready_endpoints(pools.get(self.namespace, self.name), pods.values()))

    def replace(self, endpoints: tuple[Endpoint, ...]) -> None:
        """`endpoints` are now all that may serve. One that left is forgotten: when it comes back its cache is empty."""
        wanted = {endpoint.key: endpoint for endpoint in endpoints}
        for key in self.replicas.keys() - wanted.keys():
            log.info("endpoint %s (%s) left", key, self.replicas[key].endpoint.address)
            del self.replicas[key]
            self.scheduler.forget(key)
            with contextlib.suppress(KeyError):
                self.metrics.endpoint_queue.remove(self.name, key)
        for key, endpoint in wanted.items():
            known = self.replicas.get(key)
            if known is None or known.endpoint.address != endpoint.address:
                log.info("endpoint %s (%s) is ready", key, endpoint.address)
                self.replicas[key] = Replica(endpoint)
                self._busy.set()
        for listener in self.listeners:
            listener.follow(endpoints)
        self.metrics.ready_endpoints.labels(self.name).set(len(self.replicas))
        self.changed()

    def serving(self) -> list[Replica]:
        """The replicas that requests may be sent to: those that sleep are not among them. Where requests can be held,
        one is not before its page was asked for: it might sleep."""
        patient = self.config.flow is not None
        return [
            replica
            for replica in self.replicas.values()
            if (replica.tried or not patient) and (replica.load is None or replica.load.awake)
        ]

    def room(self, max_concurrency: int) -> int:
        """How many more requests the serving replicas take before each has `max_concurrency` in flight."""
        return sum(max(0, max_concurrency - replica.requests) for replica in self.serving())

    def choose(self, request: Request) -> Decision | Refused | None:
        """The replica for a request; None when there is none."""
        begun = time.perf_counter()
        self._busy_until = time.monotonic() + QUIET_S
        self._busy.set()
        decision = self.scheduler.schedule(request, self.candidates(), self.rng, time.monotonic())
        if isinstance(decision, Decision):
            self.last_decision = decision
            found = [match[decision.chosen.key] for match in decision.cycle.matches.values()]
            best = max(found, key=lambda match: match.share, default=None)
            self.metrics.hit_ratio.observe(best.share if best else 0.0)
            self.metrics.hit_bytes.observe(best.tokens * 4 if best else 0)
        self.metrics.scheduling.observe(time.perf_counter() - begun)
        return decision

    def explain(self, request: Request) -> Decision | Refused | None:
        """Where a request would go; nothing is counted or remembered."""
        return self.scheduler.schedule(request, self.candidates(), self.rng, time.monotonic())

    def candidates(self) -> list[Candidate]:
        """The serving replicas as they are known now; a page that is too old tells nothing."""
        oldest = time.monotonic() - max(STALE_S, 3 * self.intervals.idle)
        return [
            Candidate(
                replica.endpoint,
                replica.load if replica.read_at > oldest else None,
                replica.requests,
                replica.tokens,
            )
            for replica in self.serving()
        ]

    @contextlib.contextmanager
    def sending(self, decision: Decision, endpoint: Endpoint) -> Iterator[Sent]:
        """While a request is at the replica it counts as in flight there; its prompt is recorded in the indexes."""
        replica = self.replicas.get(endpoint.key) or Replica(endpoint)
        sent = Sent(replica, self.scheduler.uncached(decision, endpoint))
        self.scheduler.sent(decision, endpoint)
        self._inflight(replica, 1, sent.tokens)
        try:
            yield sent
        finally:
            self.prefilled(sent)
            self._inflight(replica, -1, 0)
            if endpoint.key not in self.replicas:
                self.scheduler.forget(endpoint.key)
            self.changed()

    def prefilled(self, sent: Sent) -> None:
        """The request's first token came: its prompt is computed."""
        if not sent.prefilled:
            sent.prefilled = True
            self._inflight(sent.replica, 0, -sent.tokens)

    def _inflight(self, replica: Replica, requests: int, tokens: int) -> None:
        replica.requests += requests
        replica.tokens += tokens
        labels = (replica.endpoint.key, self.namespace, PRODUCER, "default-flow", "0")
        self.metrics.inflight_requests.labels(*labels).set(replica.requests)
        self.metrics.inflight_tokens.labels(*labels).set(replica.tokens)

    async def scrape_forever(self, session: aiohttp.ClientSession) -> None:
        """Read every replica's page again and again: often while there is traffic or requests are held, else seldom."""
        while True:
            await asyncio.gather(*(self._scrape(session, replica) for replica in list(self.replicas.values())))
            self._summarise()
            self.changed()
            if time.monotonic() < self._busy_until or self.held():
                await asyncio.sleep(self.intervals.busy)
                continue
            self._busy.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._busy.wait(), self.intervals.idle)

    async def _scrape(self, session: aiohttp.ClientSession, replica: Replica) -> None:
        try:
            timeout = aiohttp.ClientTimeout(total=SCRAPE_TIMEOUT_S)
            url = f"http://{replica.endpoint.address}/metrics"
            async with session.get(url, params=self.series.query(), timeout=timeout) as response:
                response.raise_for_status()
                page = await response.content.read(MOST_PAGE_BYTES)
                while not response.content.at_eof() and len(page) < MOST_PAGE_BYTES:
                    page += await response.content.read(MOST_PAGE_BYTES - len(page))
        except (aiohttp.ClientError, TimeoutError, OSError):
            self.metrics.poll_errors.labels("metrics").inc()
            return
        finally:
            replica.tried = True
        load = read_load(page, waiting=self.series.waiting, running=self.series.running, usage=self.series.usage)
        if load is None:
            self.metrics.poll_errors.labels("metrics").inc()
            return
        replica.load, replica.read_at = load, time.monotonic()
        self.scheduler.loaded(replica.endpoint.key, load)

    def _summarise(self) -> None:
        self.metrics.index_size.set(self.scheduler.remembered())
        loads = [replica.load for replica in self.replicas.values() if replica.load]
        for name, values in (
            ("queue_size", [float(load.waiting) for load in loads]),
            ("running_requests", [float(load.running) for load in loads]),
            ("kv_cache_utilization", [load.kv_usage for load in loads]),
        ):
            getattr(self.metrics, f"average_{name}").labels(self.name).set(statistics.fmean(values) if values else 0)
            getattr(self.metrics, f"std_dev_{name}").labels(self.name).set(statistics.pstdev(values) if values else 0)
        serving = self.candidates()
        self.metrics.flow.fleet(len(serving), self._fullness.saturation(serving))
        for key, replica in self.replicas.items():
            if replica.load:
                self.metrics.endpoint_queue.labels(self.name, key).set(replica.load.waiting)

    def state(self) -> dict[str, Any]:
        """What `/debug/plugins/state` shows: replicas, loads, index sizes, the last scores."""
        now = time.monotonic()
        return {
            "pool": f"{self.namespace}/{self.name}",
            "endpoints": [
                {
                    "name": key,
                    "address": replica.endpoint.address,
                    "waiting": replica.load.waiting if replica.load else None,
                    "running": replica.load.running if replica.load else None,
                    "kvUsage": replica.load.kv_usage if replica.load else None,
                    "awake": replica.load.awake if replica.load else None,
                    "ageSeconds": round(now - replica.read_at, 3) if replica.load else None,
                    "inflightRequests": replica.requests,
                    "inflightTokens": replica.tokens,
                    "prefixHashes": self.scheduler.remembered(key),
                }
                for key, replica in self.replicas.items()
            ],
            "lastScores": self.last_decision.scores if self.last_decision else {},
            "kvEvents": [
                {
                    "plugin": listener.plugin.name,
                    "batches": listener.batches,
                    "gaps": listener.gaps,
                    "problem": listener.plugin.index.problem,
                }
                for listener in self.listeners
            ],
        }
