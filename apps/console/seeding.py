"""A week that never was, played into the database: pools, signals, SLOs, decisions, roll-outs, alerts, a timeline.

Everything is written by the services that write it in earnest, with the clock standing at the moment told of; only what
a cluster would have answered (statuses, signals) is made up. For tests, screenshots and benchmarks of the console: an
instance with running loops would soon find that the clusters of this week do not answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from apps.accounts.models import Team
from apps.audit.services import record_event
from apps.autoscaling import ticking as autoscaler
from apps.benchmarks import services as loads
from apps.benchmarks.domain.asking import LoadBody
from apps.benchmarks.domain.tally import Promise
from apps.benchmarks.models import DONE, FAILED, LOST
from apps.clusters.models import Cluster
from apps.console.domain.loads import measured
from apps.console.domain.week import STORIES, Story, needed, row
from apps.console.seeding_tiers import decide_tiers
from apps.core import clock, services, yamlio
from apps.core.domain.access import SHARED_TEAM
from apps.core.domain.conditions import Condition, read_conditions, set_condition
from apps.core.domain.refusals import Clash
from apps.core.writes import By
from apps.endpoints.models import Endpoint
from apps.pools import revisions
from apps.pools.domain.health import Health, Sync, conditions_of, ready_sentence
from apps.pools.models import Pool, PoolRevision, Rollout
from apps.pools.selectors import effective_replicas, replica_targets, spec_of
from apps.slos import ticking as slos
from apps.telemetry import rollups, summaries
from apps.telemetry import services as telemetry
from apps.telemetry.domain.deltas import Delta
from apps.telemetry.domain.readings import PageReading
from apps.telemetry.domain.signals import Signals
from apps.telemetry.domain.tracks import TRACK
from apps.telemetry.services import ReplicaReading

__all__ = ["seed"]

CLUSTERS = ("gpu-east", "gpu-west")
_MODELS = {
    "llama-3-1-8b": ("hf://meta-llama/Llama-3.1-8B-Instruct", (32, 32, 8, 128, 8_030_261_248)),
    "qwen-2-5-coder-32b": ("hf://Qwen/Qwen2.5-Coder-32B-Instruct", (64, 40, 8, 128, 32_763_876_352)),
}
# (product, accelerators of a node, nodes, used)
_STOCK = {
    "gpu-east": (("NVIDIA-H200", 8, 2, 11), ("NVIDIA-H100-80GB-HBM3", 8, 2, 13)),
    "gpu-west": (("NVIDIA-H100-80GB-HBM3", 8, 1, 3), ("NVIDIA-L40S", 4, 3, 5)),
}
_HOUR, _TEN, _MINUTE = timedelta(hours=1), timedelta(minutes=10), timedelta(minutes=1)
# a multiple of the steps of charts, so that their columns hold as many ticks each
_TICK = 10
# before the end: raw rows from here on, minutes before them, tens before those, hours before all: no finer than charts
_RAW = timedelta(minutes=70)
_MINUTES = timedelta(hours=6)
_TENS = timedelta(hours=26)
# the autoscaler looks this often in the last half hour, and in its episodes
_LOOK = 60
_WATCHED = timedelta(minutes=35)
_STARTUP = 80.0
# for so long one replica of a pool has had more memory for its cache; longer than the week ends ahead of its tests
_TRIED = timedelta(minutes=55)
# when the loop of tiers looked: it has to find the same twice before one replica tries them, and then it watches
_TIERS = tuple(_TRIED - timedelta(minutes=after) for after in (-1, 0, 1))


def seed(*, end: datetime, by: By, pools: int = 0, days: int = 7, like: datetime | None = None) -> dict[str, int]:
    """Play `days` up to `end`; `pools`: so many more, small ones, that only the fleet page looks at; `like`: the moment
    whose hour and weekday the end has for those who send requests (default: `end`). Raises Clash where there are pools
    already. How many pools, SLOs, decisions, alerts there are then."""
    if Pool.objects.exists():
        raise Clash(
            "There are pools already: the week is for an empty instance (make up DEMO=0 with a DATA= of its own)."
        )
    end = end.astimezone(UTC).replace(second=0, microsecond=0)
    later = timedelta() if like is None else like.astimezone(UTC) - end
    _Week(end, end - timedelta(days=days), by, later).play()
    if pools:
        _many(pools, end, by)
    return {name: model.objects.count() for name, model in _counted()}


def _counted() -> Sequence[tuple[str, Any]]:
    from apps.audit.models import ChangeRecord, Event
    from apps.autoscaling.models import Decision
    from apps.slos.models import SLO, Alert

    return (
        ("pools", Pool), ("slos", SLO), ("decisions", Decision), ("alerts", Alert),
        ("changes", ChangeRecord), ("events", Event),
    )  # fmt: skip


@dataclass
class _Standing:
    """A pool of the week: what runs, and what has been asked for and is on its way ([due, count])."""

    story: Story
    pool: Any
    ready: int
    coming: list[tuple[float, int]]


class _Week:
    def __init__(self, end: datetime, start: datetime, by: By, later: timedelta) -> None:
        self.end, self.start, self.by, self.later = end, start, by, later
        self.stories = [replace(story, shift=story.shift + later.total_seconds()) for story in STORIES]
        self.until = start
        self.pools: list[_Standing] = []

    def play(self) -> None:
        self.at(self.start, self.declare)
        for moment, action in sorted(self.script(), key=lambda one: one[0]):
            self.at(moment, action)
        self.last_hour()
        for before in _TIERS:
            self.at(self.end - before, lambda: self.tiers("code"))
        with clock.frozen(self.end):
            rollups.roll_up_minutes()
            # before there are tens of these minutes: what is counted once must not come again in longer rows
            slos.count_history(self.end)
            rollups.roll_up_longer_all()
            summaries.summarise_all()
            slos.run_tick()
            for one in self.pools:
                self.status(one)
            self.beside_its_peers("chat")

    def script(self) -> Iterator[tuple[datetime, Callable[[], None]]]:
        """What happened when; moments that lie before the week are left out."""
        day, an_hour = timedelta(days=1), timedelta(hours=1)
        told: list[tuple[timedelta, Callable[[], None]]] = [
            (6.2 * day, lambda: self.change("chat", "longer prompts", _with_args("--max-model-len=32768"))),
            (5.1 * day, lambda: self.change("answers", "a quieter night", _with_bounds(1, 3))),
            (4.2 * day, lambda: self.broken("code", "try the nightly", "vllm/vllm-openai:nightly-missing")),
            (4.2 * day - 1.6 * an_hour, lambda: self.back("code", "there is no such image")),
            (3.4 * day, lambda: self.drift("summaries")),
            (2.3 * day - 0.3 * an_hour, self.judge),
            (2.3 * day - 2.0 * an_hour, self.judge),
            (1.3 * day, lambda: self.change("chat", "room for the morning", _with_bounds(2, 6))),
            (0.6 * day, lambda: self.change("code", "more sequences at once", _with_args("--max-num-seqs=256"))),
            (timedelta(minutes=24), lambda: self.silent("vision")),
            (timedelta(minutes=52), lambda: self.load("summaries", "as it was", ttft=0.9)),
            (timedelta(minutes=47), lambda: self.load("summaries", "its worker was ended", LOST, ttft=0.5, until=31)),
            (timedelta(minutes=45), lambda: self.load("summaries", "while it restarted", FAILED)),
            (timedelta(minutes=40), lambda: self.load("summaries", "after the change", ttft=0.3)),
        ]
        for days, hour, minute in ((3, 9, 20), (2, 9, 20), (2, 18, 10), (1, 9, 20)):
            # mornings when load doubles, and an evening
            then = (self.end + self.later).replace(hour=hour, minute=minute) - self.later - timedelta(days=days)
            told.append((self.end - then, self.episode))
        for before, action in told:
            moment = self.end - before
            if self.start + an_hour < moment < self.end - _RAW or before < _RAW:
                yield moment, action

    def at(self, moment: datetime, action: Callable[[], None]) -> None:
        """Let time pass up to a moment, then do something there."""
        if moment < self.end - _RAW:
            self.pass_time(moment)
        with clock.frozen(moment):
            action()

    # --- what time brings: signals and what is counted of them ------------------------------------------------------
    def pass_time(self, moment: datetime) -> None:
        for level, step, last in (
            ("hour", _HOUR, self.end - _TENS),
            ("ten", _TEN, self.end - _MINUTES),
            ("minute", _MINUTE, self.end - _RAW),
        ):
            self.write(level, min(moment, last), step)
        self.count(self.until)

    def write(self, level: str, until: datetime, step: timedelta) -> None:
        """Rows of one level from where the coarser ones end, each with the replicas that its load needs."""
        rows = []
        while (at := _next(self.until, step)) <= until:
            for one in self.pools:
                one.ready = needed(one.story, at.timestamp(), self.end.timestamp())
                seconds = (at - self.until).total_seconds()
                rows.append((one.pool.uid, "", self.row(one, at, seconds, one.ready)))
            self.until = at
        telemetry.import_rows(level, rows, until=self.until)

    def row(self, one: _Standing, at: datetime, seconds: float, desired: int) -> Signals:
        return row(one.story, at.timestamp(), seconds, end=self.end.timestamp(), ready=one.ready, desired=desired)

    def count(self, until: datetime) -> None:
        """The SLOs' ledger up to here, from whatever rows there are."""
        with clock.frozen(until):
            slos.count_history(until)

    def last_hour(self) -> None:
        """Every few seconds, with the autoscaler at work in the second half of it."""
        self.pass_time(self.end - _RAW)
        self.as_asked()
        at, rows = self.until, []
        while at < self.end:
            at += timedelta(seconds=_TICK)
            rows += self.tick(at, _TICK, self.pools)
            if at.second % _LOOK == 0 and self.end - at <= _WATCHED:
                telemetry.import_rows("raw", rows, until=None)
                rows = []
                self.decide(at)
        telemetry.import_rows("raw", rows, until=None)
        self.until = self.end

    def tick(self, at: datetime, seconds: float, pools: Sequence[_Standing]) -> list[tuple[UUID, str, Signals]]:
        rows = []
        for one in pools:
            for due, count in list(one.coming):
                if due <= at.timestamp():
                    one.ready = count
                    one.coming.remove((due, count))
            made = self.row(one, at, seconds, one.coming[-1][1] if one.coming else one.ready)
            rows += [(one.pool.uid, "", made), (one.pool.uid, one.story.variant, made)]
            if one.story.name == "code" and self.end - at < _TRIED:
                rows += self.tracks(one, at, seconds)
        return rows

    def tracks(self, one: _Standing, at: datetime, seconds: float) -> Iterator[tuple[UUID, str, Signals]]:
        """The replica on trial and the others, each with its share of the load."""
        tried = replace(one.story, hits=one.story.hits + 0.2, host=0.3)
        for track, story, ready in (("canary", tried, 1), ("stable", one.story, max(1, one.ready - 1))):
            share = replace(story, peak=story.peak * ready / max(2, one.ready))
            made = row(share, at.timestamp(), seconds, end=self.end.timestamp(), ready=ready, desired=ready)
            yield one.pool.uid, f"{TRACK}{track}", made

    def beside_its_peers(self, name: str) -> None:
        """What the last ticks kept of each replica: they share the load, and one takes four times as long to begin."""
        one, end = self.one(name), self.end.timestamp()
        for before in (3, 2, 1, 0):
            at, readings = self.end - before * _MINUTE, {}
            for nth in range(one.ready):
                share = replace(
                    one.story, peak=one.story.peak / one.ready, ttft=one.story.ttft * (4 if nth == 0 else 1)
                )
                found = row(share, at.timestamp(), 60.0, end=end, ready=1, desired=1)
                pod = f"{name}-{one.story.variant}-{nth}"
                readings[f"{one.pool.uid}/{pod}"] = ReplicaReading(
                    pool=one.pool.uid, variant=one.story.variant, name=pod,
                    reading=PageReading(gauges=dict(found.gauges)), change=Delta(60.0, found.counts, found.histograms),
                )  # fmt: skip
            telemetry.keep_replicas(at, readings)

    def as_asked(self) -> None:
        """Where the autoscaler acts, its last word is what runs."""
        for one in self.pools:
            if one.story.mode == "active":
                one.ready, one.coming = _desired(one.pool), []

    def decide(self, at: datetime) -> None:
        with clock.frozen(at):
            autoscaler.run_tick()
            for one in self.pools:
                if one.story.mode != "active":
                    continue
                wanted = _desired(one.pool)
                planned = one.coming[-1][1] if one.coming else one.ready
                if wanted > planned:
                    one.coming.append((at.timestamp() + _STARTUP, wanted))
                elif wanted < planned:
                    one.coming, one.ready = [], min(one.ready, wanted)

    def episode(self) -> None:
        """Half an hour of the past in which the autoscaler is seen at work; charts keep their coarser rows."""
        start, watched = clock.now(), [one for one in self.pools if one.story.mode != "off"]
        self.as_asked()
        for nth in range(1, 31):
            at = start + nth * timedelta(seconds=_LOOK)
            half = at - timedelta(seconds=_LOOK / 2)
            rows = [*self.tick(half, _LOOK / 2, watched), *self.tick(at, _LOOK / 2, watched)]
            telemetry.import_rows("raw", rows, until=None)
            self.decide(at)

    def judge(self) -> None:
        slos.run_tick()

    # --- what people and controllers did ----------------------------------------------------------------------------
    def declare(self) -> None:
        for name in sorted({SHARED_TEAM, *(story.team for story in self.stories)}):
            Team.objects.get_or_create(name=name)
        _apply(
            [*_clusters(), *_models(), *map(_pool, self.stories), _endpoint(), *_slos(), _webhook()],
            self.by,
            "the platform's first pools",
        )
        for cluster in Cluster.objects.filter(name__in=CLUSTERS):
            _seen(cluster)
        Endpoint.objects.update(status=_answering(), conditions=_ready("Serving", "the endpoint is served"))
        for story in self.stories:
            pool = Pool.objects.get(team=story.team, name=story.name)
            one = _Standing(story, pool, story.minimum, [])
            self.pools.append(one)
            self.event(one, "Normal", "ObjectsCreated", "the objects of generation 1 are in the cluster")
            self.live(one)

    def change(self, name: str, why: str, edit: Callable[[dict[str, Any]], None]) -> None:
        one = self.one(name)
        self.edit(one, why, edit)
        self.live(one)

    def broken(self, name: str, why: str, image: str) -> None:
        one = self.one(name)

        def edit(spec: dict[str, Any]) -> None:
            spec["engine"]["image"] = image

        self.edit(one, why, edit)
        said = f"{name}-{one.story.variant}: ImagePullBackOff: {image}: not found"
        self.event(one, "Warning", "ImagePullBackOff", said)
        Rollout.objects.update_or_create(
            pool=one.pool,
            defaults={
                "template": "0" * 16, "generation": one.pool.generation, "state": "Stopped",
                "reason": "ImagePullBackOff", "message": said, "started_at": clock.now(), "finished_at": clock.now(),
            },
        )  # fmt: skip
        self.event(
            one, "Warning", "RolloutStopped", f"the roll-out of generation {one.pool.generation} stopped: {said}"
        )

    def back(self, name: str, why: str) -> None:
        one = self.one(name)
        by = By(self.by.actor, reason=why)
        revisions.roll_back(one.pool, one.pool.generation - 1, by=by, etags=("*",), dry_run=False)
        self.live(one)

    def drift(self, name: str) -> None:
        one = self.one(name)
        self.event(
            one, "Warning", "DriftFound", "kubectl-edit changed spec.template.spec.terminationGracePeriodSeconds"
        )
        self.event(one, "Normal", "DriftHealed", "spec.template.spec.terminationGracePeriodSeconds is 150 again")

    def tiers(self, name: str) -> None:
        one = self.one(name)
        one.pool.refresh_from_db()
        decide_tiers(
            one.pool, stored=one.story.peak * one.story.prompt * (1 - one.story.hits) / one.ready, replicas=one.ready
        )

    def silent(self, name: str) -> None:
        one = self.one(name)
        self.event(one, "Warning", "CrashLoopBackOff", _last_words(one.story))

    def load(self, name: str, label: str, status: str = DONE, *, ttft: float = 0.0, until: float = 120.0) -> None:
        """A load that somebody sent; without `ttft` no worker took it."""
        pool = self.one(name).pool
        pool.refresh_from_db()
        body = LoadBody.from_document({"rate": 6, "duration": "2m", "label": label}, at="")
        run = loads.ask(pool=pool, body=body, actor=self.by.actor.id, request_id="")
        if ttft == 0.0:
            loads.finish(run.id, status, message="No worker took it; see whether one runs")
            return
        loads.take(run.id)
        promises = tuple(map(Promise.from_json, run.promises))
        made = measured(promises, rate=body.per_second, seconds=body.seconds, ttft=ttft, until=until)
        with clock.frozen(clock.now() + timedelta(seconds=until)):
            loads.finish(run.id, status, measured=made)

    def status(self, one: _Standing) -> None:
        before_end = (self.end - clock.now()).total_seconds()
        desired = max(one.coming[-1][1] if one.coming else one.ready, one.ready)
        ready = one.ready
        if any((i.silent and i.holds(before_end)) or (i.silent and before_end <= 0) for i in one.story.incidents):
            ready = 0
            health = Health("Degraded", "CrashLoopBackOff", f"0 of {desired} replicas ready; {_last_words(one.story)}")
        elif desired > ready:
            health = Health("Progressing", "ReplicasStarting", f"{ready} of {desired} replicas ready")
        else:
            health = Health("Healthy", "AllReplicasReady", ready_sentence(ready))
        _set_status(one.pool, one.story, health, ready, desired)

    def edit(self, one: _Standing, why: str, edit: Callable[[dict[str, Any]], None]) -> None:
        document = _document("Pool", one.story.team, one.story.name, json.loads(json.dumps(one.pool.spec)))
        edit(document["spec"])
        _apply([document], self.by, why)
        one.pool.refresh_from_db()

    def live(self, one: _Standing) -> None:
        """The pool's declaration is rolled out and serves."""
        one.pool.refresh_from_db()
        Rollout.objects.update_or_create(
            pool=one.pool,
            defaults={
                "template": f"{one.pool.generation:016x}", "generation": one.pool.generation, "state": "Complete",
                "reason": "", "message": "", "started_at": clock.now(), "finished_at": clock.now(),
            },
        )  # fmt: skip
        PoolRevision.objects.filter(pool=one.pool, generation=one.pool.generation).update(healthy_at=clock.now())
        one.ready = max(one.ready, one.story.minimum)
        self.status(one)
        self.event(one, "Normal", "AllReplicasReady", ready_sentence(one.ready))

    def event(self, one: _Standing, type_: Any, reason: str, message: str) -> None:
        record_event(
            kind="Pool", uid=one.pool.uid, team=one.pool.team, name=one.pool.name,
            type=type_, reason=reason, message=message, source="pool-controller",
        )  # fmt: skip

    def one(self, name: str) -> _Standing:
        return next(one for one in self.pools if one.story.name == name)


# --- documents ------------------------------------------------------------------------------------------------------
def _document(kind: str, team: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "lamplight.dev/v1", "kind": kind, "metadata": {"name": name, "team": team}, "spec": spec,
    }  # fmt: skip


def _apply(documents: Sequence[dict[str, Any]], by: By, why: str) -> None:
    text = "\n---\n".join(json.dumps(one) for one in documents)
    services.apply_documents(yamlio.read(text.encode()), by=By(by.actor, reason=why))


def _clusters() -> Iterator[dict[str, Any]]:
    for name in CLUSTERS:
        yield _document("Cluster", SHARED_TEAM, name, {"credentials": {"kubeconfig": f"/nowhere/{name}"}})


def _models() -> Iterator[dict[str, Any]]:
    for name, (source, (layers, heads, kv, dim, size)) in _MODELS.items():
        shape = {
            "layers": layers,
            "heads": heads,
            "kvHeads": kv,
            "headDim": dim,
            "dtype": "bfloat16",
            "parameters": size,
        }
        yield _document("Model", SHARED_TEAM, name, {"source": source, "servedName": name, "shape": shape})


def _pool(story: Story) -> dict[str, Any]:
    variant: dict[str, Any] = {
        "name": story.variant, "accelerator": story.accelerator,
        "replicas": {"min": story.minimum, "max": story.maximum}, "resources": {"cpu": "8", "memory": "64Gi"},
    }  # fmt: skip
    if story.accelerators > 1:
        variant["parallelism"] = {"tensor": story.accelerators}
    spec = {
        "model": story.model,
        "cluster": CLUSTERS[story.accelerator == "nvidia-l40s"],
        "namespace": "serving",
        "engine": {"image": "vllm/vllm-openai:v0.33.0", "args": ["--max-model-len=16384"]},
        "variants": [variant],
        "autoscaling": {"mode": story.mode},
    }
    if story.tiers:
        spec["offload"] = {"mode": "auto", "tiers": [{"kind": "host", "bytes": story.tiers}]}
    return _document("Pool", story.team, story.name, spec)


def _endpoint() -> dict[str, Any]:
    """One public name in front of the two pools of a team."""
    backends = [{"pool": "chat", "weight": 95}, {"pool": "code", "weight": 5}]
    models = [
        {"name": "assistant", "backends": backends},
        {"name": "coder", "backends": [{"pool": "code"}], "failover": ["chat"]},
    ]
    return _document(
        "Endpoint", "default", "assistant", {"cluster": CLUSTERS[0], "namespace": "serving", "models": models}
    )


def _slos() -> Iterator[dict[str, Any]]:
    for team, pool, ttft, fraction in (
        ("default", "chat", "500ms", "95%"),
        ("default", "code", "2s", "95%"),
        ("search", "summaries", "1s", "99%"),
        ("search", "answers", "1s", "90%"),
        ("default", "vision", "1s", "95%"),
    ):
        objectives = [
            {"metric": "ttft", "threshold": ttft, "fraction": fraction, "window": "7d"},
            {"metric": "errors", "fraction": "99.5%", "window": "7d"},
        ]
        spec = {"targetRef": {"kind": "Pool", "name": pool}, "objectives": objectives}
        yield _document("SLO", team, f"{pool}-latency", spec)
    public = {"metric": "errors", "fraction": "99.9%", "window": "7d"}
    spec = {"targetRef": {"kind": "Endpoint", "name": "assistant"}, "objectives": [public]}
    yield _document("SLO", "default", "assistant-errors", spec)


def _webhook() -> dict[str, Any]:
    return _document(
        "Webhook", "search", "on-call", {"url": "https://hooks.example.com/lamplight", "severities": ["page"]}
    )


def _with_args(*more: str) -> Callable[[dict[str, Any]], None]:
    def edit(spec: dict[str, Any]) -> None:
        flags = {arg.partition("=")[0] for arg in more}
        spec["engine"]["args"] = [*(a for a in spec["engine"]["args"] if a.partition("=")[0] not in flags), *more]

    return edit


def _with_bounds(least: int, most: int) -> Callable[[dict[str, Any]], None]:
    def edit(spec: dict[str, Any]) -> None:
        spec["variants"][0]["replicas"] = {"min": least, "max": most}

    return edit


# --- what a cluster would have answered -----------------------------------------------------------------------------
def _last_words(story: Story) -> str:
    return f"{story.name}-{story.variant}-0: CrashLoopBackOff: the engine ended with 1: CUDA out of memory"


def _next(at: datetime, step: timedelta) -> datetime:
    """The next whole `step` after a moment."""
    return at + (step - (at - datetime(1970, 1, 1, tzinfo=UTC)) % step)


def _desired(pool: Any) -> int:
    targets = replica_targets(pool)
    return sum(effective_replicas(variant, targets.get(variant.name)) for variant in spec_of(pool).variants)


def _set_status(pool: Any, story: Story, health: Health, ready: int, desired: int) -> None:
    _stand(pool, story, health, ready, desired)
    Pool.objects.filter(uid=pool.uid).update(conditions=pool.conditions, status=pool.status)


def _stand(pool: Any, story: Story, health: Health, ready: int, desired: int) -> None:
    """What the pool controller would have written: status and the whole tree of conditions. Not yet stored."""
    sync = Sync("Synced", "AllApplied", "the cluster holds what is declared")
    conditions = tuple(read_conditions(pool.conditions))
    serves = Health("Healthy", "EndpointPickerReady", "the endpoint picker is ready")
    told = replace(health, parts={"EnginesReady": health, "RoutingReady": serves})
    for condition in conditions_of(sync, told, pool.generation):
        conditions = set_condition(conditions, condition, clock.now())
    starting = desired - ready
    status = {
        "sync": sync.state,
        "health": health.state,
        "observedGeneration": pool.generation,
        "replicas": {"desired": desired, "ready": ready, "starting": starting},
        "variants": [
            {
                "name": story.variant, "accelerator": story.accelerator, "accelerators": story.accelerators,
                "desired": desired, "ready": ready, "starting": starting, "updated": desired,
            }
        ],
        "endpoint": f"http://{story.name}.serving.svc:8000",
        "servedName": story.model,
    }  # fmt: skip
    pool.conditions, pool.status = [one.to_json() for one in conditions], status


def _seen(cluster: Any) -> None:
    """What a look at the cluster would have found."""
    totals = [
        {
            "resource": "nvidia.com/gpu", "vendor": "nvidia", "product": product, "nodes": nodes,
            "allocatable": each * nodes, "used": used, "free": each * nodes - used, "largestNode": each,
        }
        for product, each, nodes, used in _STOCK[cluster.name]
    ]  # fmt: skip
    checks = [
        {"name": "version", "state": "ok", "message": "Kubernetes 1.34.1", "version": "1.34.1"},
        {"name": "kinds", "state": "ok", "message": "all kinds are served"},
        {"name": "rights", "state": "ok", "message": "all 61 rights are there", "missing": []},
        {"name": "accelerators", "state": "ok", "message": f"{len(totals)} kinds of accelerators", "totals": totals},
    ]
    if cluster.name == "gpu-west":
        checks[1] = {
            "name": "kinds", "state": "warning", "missing": ["PodMonitor.monitoring.coreos.com"],
            "message": "PodMonitor.monitoring.coreos.com not served: Prometheus does not find the engines by itself",
        }  # fmt: skip
    status = {
        "version": "1.34.1", "server": f"https://{cluster.name}.example.com:6443", "kinds": [], "checks": checks,
        "accelerators": totals, "observedGeneration": cluster.generation,
    }  # fmt: skip
    conditions = _ready("Ready", f"Kubernetes 1.34.1 with {len(totals)} kinds of accelerators")
    Cluster.objects.filter(uid=cluster.uid).update(status=status, conditions=conditions)


def _answering() -> dict[str, Any]:
    pools = [{"name": name, "ready": ready} for name, ready in (("chat", 4), ("code", 3))]
    return {"endpoint": "http://assistant.serving.svc:80", "pools": pools, "observedGeneration": 1}


def _ready(reason: str, sentence: str) -> list[dict[str, Any]]:
    return [one.to_json() for one in set_condition((), Condition("Ready", "True", reason, sentence, 1), clock.now())]


# --- a thousand more ------------------------------------------------------------------------------------------------
def _many(count: int, end: datetime, by: By) -> None:
    """Small pools that differ in size, load and health, with the newest figures only: what the fleet page shows.

    The first of each sort is declared as anybody would; the others are copies of its rows, so that thousands take
    seconds: they have a revision, and nobody is told of them (no change record, no work for a reconciler).
    """
    stories = [_small(n) for n in range(count)]
    for name in sorted({story.team for story in stories}):
        Team.objects.get_or_create(name=name)
    firsts = {_sort(story): story for story in reversed(stories)}
    declared = end - timedelta(days=1)
    with clock.frozen(declared):
        _apply([_pool(story) for story in firsts.values()], by, "a large fleet")
    likes = {sort: Pool.objects.get(team=story.team, name=story.name) for sort, story in firsts.items()}
    pools = {story: likes[_sort(story)] for story in firsts.values()}
    pools |= {story: _copy(likes[_sort(story)], story) for story in stories if story not in pools}
    copies = [pool for story, pool in pools.items() if story not in firsts.values()]
    Pool.objects.bulk_create(copies, batch_size=500)
    PoolRevision.objects.bulk_create(
        [
            PoolRevision(
                pool=pool, generation=1, spec=pool.spec, accepted_at=declared, approved_at=declared,
                actor=by.actor.id, reason="a large fleet",
            )
            for pool in copies
        ],
        batch_size=500,
    )  # fmt: skip
    rows = []
    with clock.frozen(end):
        for n, story in enumerate(stories):
            pool = pools[story]
            ready = needed(story, end.timestamp(), end.timestamp())
            short = n % 37 == 5
            health = (
                Health("Progressing", "ReplicasStarting", f"{ready} of {ready + 1} replicas ready")
                if short
                else Health("Healthy", "AllReplicasReady", ready_sentence(ready))
            )
            _stand(pool, story, health, ready, ready + short)
            for back in (10, 0):
                at = end - timedelta(seconds=back)
                made = row(story, at.timestamp(), _TICK, end=end.timestamp(), ready=ready, desired=ready + short)
                rows += [(pool.uid, "", made), (pool.uid, story.variant, made)]
        Pool.objects.bulk_update(list(pools.values()), ["conditions", "status"], batch_size=250)
        telemetry.import_rows("raw", rows, until=None)
        summaries.summarise_all()


def _sort(story: Story) -> tuple[str, str]:
    """Stories of one sort declare the same spec."""
    return story.variant, story.model


def _copy(like: Any, story: Story) -> Any:
    return Pool(
        team=story.team, name=story.name, labels=like.labels, annotations=like.annotations, spec=like.spec,
        cluster_uid=like.cluster_uid, namespace=like.namespace, created_at=like.created_at, updated_at=like.updated_at,
    )  # fmt: skip


def _small(n: int) -> Story:
    product = ("h200", "h100", "l40s")[n % 3]
    # the large model fits the larger accelerators only
    model = sorted(_MODELS)[n % 2 if product == "h200" else 0]
    price = {"h200": 4.0, "h100": 3.0, "l40s": 1.0}[product]
    return Story(
        f"team-{n % 12:02}", f"pool-{n:04}", model, product, f"nvidia-{product}",
        peak=2.0 + (n * 7 % 50), carries=14.0, minimum=1, maximum=6, price=price, shift=(n % 24) * 900.0,
        hits=0.1 + (n % 8) / 10,
    )  # fmt: skip
