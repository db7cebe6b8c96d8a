"""Turns on shared accelerators: what a look at a group sees, who may be awake after it, and the word before a wake.

A look reads the row of the turn, then asks the cluster for everything that names the group's claim, whoever it belongs
to, and each engine whether it sleeps; then it rules (domain/turns), in a transaction that finds the row as it was read.
An engine is woken or started only after the holder has given its word in that row, so that whoever took the turn from a
holder that was seen to rest has seen it after the last word, or finds the row changed and looks again. A worker that is
killed in between leaves a word that lapses, and engines whose state the next look reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit.services import record_event
from apps.clusters.errors import Conflict, NotFound
from apps.clusters.kube import Kube
from apps.core import clock
from apps.pools import selectors
from apps.pools.actions import ensure_namespace
from apps.pools.desired import Desired
from apps.pools.domain.manifests import POOL_UID, VARIANT, Manifest, PlanRefused
from apps.pools.domain.places import Need, asked, room_to_spare, serving
from apps.pools.domain.plan import MANAGER, Plan, plan
from apps.pools.domain.pods import place_of, read_pod
from apps.pools.domain.sharing import SHARES, claim_name, differs, is_engine, may_stand, shared_claim, shares
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.standby import LOST_SECONDS, EnginePod
from apps.pools.domain.turns import (
    Member,
    Turn,
    all_stand,
    gave_way,
    may_be_awake,
    moved,
    promised,
    ruled,
    set_named,
)
from apps.pools.models import Pool, SharedTurn
from apps.pools.observing import Observed
from apps.pools.standby import SOON_SECONDS, held_requests, seen_pod
from apps.reconcile import services as reconcile
from apps.reconcile.domain.priority import Priority
from apps.reconcile.services import Fence

__all__ = ["SetShare", "Share", "ensure_claim", "forget_claim", "in_turn", "look"]

# a wake call ends within 21 s, a write of replicas sooner
_WORD_SECONDS = 30.0
# an engine without work is seen to be so within this, and falls asleep after REST
_IDLE_LOOK_SECONDS = 2.0
_AT_ONCE = 16
SOURCE = "shared-standby"


@dataclass(frozen=True)
class _Sighting:
    """What of one pool names the claim: its engines, and how many its Deployments ask for."""

    engines: tuple[EnginePod, ...] = ()
    ready: int = 0
    asked: int = 0

    @property
    def resting(self) -> bool:
        """Whether no engine might be awake: all that are asked for are there and are known to sleep."""
        return len(self.engines) >= self.asked and all(engine.state == "asleep" for engine in self.engines)

    @property
    def starting(self) -> bool:
        return not self.resting and not any(engine.state != "unknown" for engine in self.engines)

    @property
    def awake(self) -> bool:
        return any(engine.state == "awake" for engine in self.engines)

    @property
    def serving(self) -> bool:
        return any(engine.state == "awake" and engine.routed for engine in self.engines)

    @property
    def busy(self) -> bool | None:
        counts = [engine.busy for engine in self.engines if engine.state != "asleep"]
        return None if None in counts or not counts else any(counts)

    @property
    def ended(self) -> float:
        """Requests that have ended in its engines, as far as they tell."""
        return sum(engine.ended or 0.0 for engine in self.engines)

    @property
    def known(self) -> bool:
        """Whether each engine is known to sleep or can be put to sleep soon."""
        return not any(
            engine.state == "unknown" and (engine.left is None or engine.left > LOST_SECONDS or not self.ready)
            for engine in self.engines
        )


@dataclass(frozen=True)
class SetShare:
    """What a pool may do with one set of its group's accelerators. `mine`: it has the turn; `clear`: no engine of
    another pool might be awake; `awake`: an engine of its own is; `known`: each of its own is known to sleep or can be
    put to sleep; `standing`: replicas that its Deployments ask for, by name; `serves`: of the sets that it has, this is
    one on which its engine is to be awake."""

    row: int
    pool: UUID
    mine: bool
    clear: bool
    awake: bool
    standing: Mapping[str, int]
    known: bool
    serves: bool = True

    @property
    def may_serve(self) -> bool:
        return self.mine and (self.clear or self.awake)

    def promise(self) -> bool:
        """Give the word that an engine is about to wake or start; False: it is not this pool's turn any more."""
        with transaction.atomic():
            row = SharedTurn.objects.select_for_update().get(pk=self.row)
            word = promised(_turn(row), str(self.pool), clock.now().timestamp() + _WORD_SECONDS)
            if word is not None:
                _keep(row, word)
            return word is not None

    def kept(self) -> None:
        """What was promised has happened or failed: the engines tell."""
        with transaction.atomic():
            row = SharedTurn.objects.select_for_update().get(pk=self.row)
            turn = _turn(row)
            if turn.holder == str(self.pool):
                _keep(row, replace(turn, promised=0.0))


@dataclass(frozen=True)
class Share:
    """What a pool may do with the accelerators of its group, by set. `again`: seconds until the next look, None:
    nothing is due. `said`: how things stand, for people. `starts`: sets on which it has given its word to start
    engines; `late`: engines that are to change wait for the turn."""

    sets: tuple[SetShare, ...]
    again: float | None
    said: str
    starts: tuple[SetShare, ...] = ()
    late: bool = False

    def allowed(self, desired: Desired) -> Desired:
        """What the pool's Deployments may be now: no engine is started without the turn."""
        replicas = dict(desired.replicas)
        objects = []
        for obj in desired.objects:
            if not is_engine(obj):
                objects.append(obj)
                continue
            name, labels = obj["metadata"]["name"], obj["metadata"]["labels"]
            share = self.sets[place_of(labels)]
            # a set that it has without wanting it is given up, not filled
            wants = int(obj["spec"]["replicas"]) if share.serves or share.standing.get(name) else 0
            (count,) = may_stand({name: wants}, share.standing, awake=share.may_serve, known=share.known).values()
            objects.append({**obj, "spec": {**obj["spec"], "replicas": count}})
            if labels.get(VARIANT) in replicas:
                replicas[labels[VARIANT]] = count
        return replace(desired, objects=tuple(objects), replicas=replicas)

    def due(self, todo: Plan) -> Plan:
        """The plan without what would start engines anew before it is the pool's turn."""
        return replace(todo, writes=tuple(write for write in todo.writes if self._due(write.manifest)))

    def _due(self, manifest: Manifest) -> bool:
        if not is_engine(manifest):
            return True
        share = self.sets[place_of(manifest["metadata"]["labels"])]
        return share.may_serve or not any(share.standing.values())

    def grows(self, desired: Desired) -> tuple[int, ...]:
        """The sets on which engines are to be started."""
        engines = (obj for obj in desired.objects if is_engine(obj))
        rows = ((place_of(obj["metadata"]["labels"]), obj) for obj in engines)
        return tuple(
            at for at, obj in rows if obj["spec"]["replicas"] > self.sets[at].standing.get(obj["metadata"]["name"], 0)
        )

    def kept(self) -> None:
        """What was to be started has been, or has failed to."""
        for share in self.starts:
            share.kept()


def in_turn(
    kube: Kube, pool: Pool, spec: PoolSpec, wanted: Desired, observed: Observed, fence: Fence
) -> tuple[Share, Desired, Plan]:
    """What the pool may do now, and what it is to be by that. Raises KubeError, PlanRefused, LeaseLost."""
    todo = plan(wanted.objects, observed.live)
    if differs(todo.writes):
        if not observed.live:
            ensure_namespace(kube, pool.namespace, fence)
        for place in range(spec.autoscaling.sets):
            ensure_claim(kube, pool, spec, fence, place)
    share = look(kube, pool, spec, todo)
    desired = share.allowed(wanted)
    growing = share.grows(desired)
    if growing:
        promises = {at: share.sets[at].promise() for at in growing}
        sets = tuple(one if promises.get(at, True) else replace(one, mine=False) for at, one in enumerate(share.sets))
        share = replace(share, sets=sets, starts=tuple(sets[at] for at, kept in promises.items() if kept))
        desired = share.allowed(wanted)
    planned = plan(desired.objects, observed.live)
    due = share.due(planned)
    return replace(share, late=len(due.writes) < len(planned.writes)), desired, due


@dataclass(frozen=True)
class _Seen:
    """One set as it was read: its row, the turn there, and by pool uid what names its claim."""

    row: SharedTurn
    turn: Turn
    pools: Mapping[str, _Sighting]
    standing: Mapping[str, int]

    def of(self, uid: str) -> _Sighting:
        return self.pools.get(uid, _Sighting())

    def clear(self, uid: str) -> bool:
        """Whether no engine of another pool might be awake."""
        return all(sighting.resting for other, sighting in self.pools.items() if other != uid)

    def idle(self, now: float) -> float:
        """Seconds that the holder has been without work."""
        holder = self.of(self.turn.holder)
        return max(0.0, now - self.row.busy_at) if holder.awake and holder.busy is False else 0.0


def look(kube: Kube, pool: Pool, spec: PoolSpec, todo: Plan) -> Share:
    """See the whole group, rule, and say what this pool may do. Raises KubeError."""
    uid = str(pool.uid)
    group = spec.autoscaling.group or ""
    key: dict[str, Any] = {
        "team": pool.team,
        "cluster_uid": pool.cluster_uid,
        "namespace": pool.namespace,
        "group": group,
    }
    seen: list[_Seen] = []
    for place in range(spec.autoscaling.sets):
        row, _ = SharedTurn.objects.get_or_create(**key, place=place)
        seen.append(_Seen(row, _turn(row), *_sightings(kube, pool, claim_name(pool.team, group, place))))
    now = clock.now().timestamp()
    need = _need(kube, pool, spec, seen, now)
    turns = [one.turn for one in seen]
    wants = asked(turns, uid, need) | _outdated(spec, seen, todo)
    spare = room_to_spare(turns, [one.clear("") for one in seen])
    names, within = _group(seen[0].row, uid)
    after = [
        _rule(pool, one, at in wants, names, within, now, spare=spare, sets=len(seen)) for at, one in enumerate(seen)
    ]
    has = [may_be_awake(turn, uid) for turn, _ in after]
    serves = serving(need.wanted, has, [one.of(uid).awake for one in seen])
    fills = [at in wants and not need.there[at] for at in range(len(seen))]
    sets = tuple(
        SetShare(
            row=one.row.pk,
            pool=pool.uid,
            mine=mine,
            clear=fresh and one.clear(uid),
            awake=one.of(uid).awake,
            standing=one.standing,
            known=one.of(uid).known,
            serves=serve or fill,
        )
        for one, mine, (_, fresh), serve, fill in zip(seen, has, after, serves, fills, strict=True)
    )
    moments = [
        _again(turn, uid, clear=share.clear, alone=len(names) < 2) for (turn, _), share in zip(after, sets, strict=True)
    ]
    return Share(
        sets=sets,
        again=min((moment for moment in moments if moment is not None), default=None),
        said=all_stand([turn for turn, _ in after], uid, group, names),
    )


def _rule(
    pool: Pool,
    seen: _Seen,
    wants: bool,
    names: Mapping[str, str],
    within: Mapping[str, float | None],
    now: float,
    *,
    spare: bool,
    sets: int,
) -> tuple[Turn, bool]:
    """The turn on a set after this look; False where somebody has moved since: what was seen may be older than that."""
    uid, group = str(pool.uid), seen.row.group
    with transaction.atomic():
        row = SharedTurn.objects.select_for_update().get(pk=seen.row.pk)
        before = _turn(row)
        if row.version != seen.row.version:
            return before, False
        row.wanting = {**{other: row.wanting.get(other, False) for other in names if other != uid}, uid: wants}
        holds = seen.of(before.holder)
        if holds.busy is not False or holds.ended != row.ended:
            # what came and ended since the last look was work, too
            row.busy_at = now
        row.ended = holds.ended
        # whoever is asked next finds a set that is free: nobody need fall asleep for that
        quiet = None if spare and not before.waiting else now - row.busy_at
        members = {
            other: _member(seen.of(other), row.wanting.get(other, False), quiet, within.get(other))
            for other in {*names, *seen.pools, before.holder} - {""}
        }
        turn = ruled(before, members, now, giving_way=row.giving_way)
        row.giving_way = gave_way(before, turn, now, row.giving_way)
        _keep(row, turn)
        if (turn.holder, turn.yielding) != (before.holder, before.yielding):
            _tell(pool, moved(before, turn, members, set_named(group, row.place, sets), names), before, turn, names)
    return turn, True


def _again(turn: Turn, uid: str, *, clear: bool, alone: bool) -> float | None:
    """Seconds until the next look: soon while something changes, now and then while others could have the turn."""
    if any(waiting == uid for waiting, _ in turn.waiting) or (turn.holder == uid and (turn.yielding or not clear)):
        return SOON_SECONDS
    return _IDLE_LOOK_SECONDS if turn.holder == uid and not alone else None


def _sightings(kube: Kube, pool: Pool, claim: str) -> tuple[dict[str, _Sighting], dict[str, int]]:
    """By pool uid; and the replicas that this pool's Deployments ask for, by name."""
    marked = {SHARES: claim}
    deployments = kube.list(kube.resource("Deployment", "apps"), pool.namespace, labels=marked)
    pods = kube.list(kube.resource("Pod"), pool.namespace, labels=marked)
    asked: dict[str, int] = {}
    standing: dict[str, int] = {}
    for deployment in deployments:
        labels = deployment["metadata"]["labels"]
        count = int(deployment["spec"].get("replicas", 1))
        asked[labels.get(POOL_UID, "")] = asked.get(labels.get(POOL_UID, ""), 0) + count
        if labels.get(POOL_UID) == str(pool.uid):
            standing[deployment["metadata"]["name"]] = count
    live = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
    engines: dict[str, list[EnginePod]] = {}
    ready: dict[str, int] = {}
    if live:
        with ThreadPoolExecutor(min(len(live), _AT_ONCE), thread_name_prefix="sharing") as threads:
            for pod, engine in zip(live, threads.map(lambda one: seen_pod(read_pod(one)), live), strict=True):
                owner = pod["metadata"]["labels"].get(POOL_UID, "")
                engines.setdefault(owner, []).append(engine)
                ready[owner] = ready.get(owner, 0) + read_pod(pod).ready
    found = {
        owner: _Sighting(tuple(engines.get(owner, ())), ready.get(owner, 0), asked.get(owner, 0))
        for owner in {*engines, *asked}
    }
    return found, standing


def _need(kube: Kube, pool: Pool, spec: PoolSpec, seen: Sequence[_Seen], now: float) -> Need:
    """What the pool needs: while it serves, as long as its target says so; else when requests wait for it, as they do
    once its engines have left the routing to fall asleep. What cannot be read may be a request."""
    uid = str(pool.uid)
    targets = selectors.replica_targets(pool)
    wanted = sum(selectors.effective_replicas(v, targets.get(v.name)) for v in spec.variants)
    mine = [one.of(uid) for one in seen]
    waits = False
    if wanted and not any(sighting.serving for sighting in mine):
        held = held_requests(kube, pool)
        waits = held is None or held.requests > 0
    return Need(
        wanted=wanted,
        waits=waits,
        engines=[_member(sighting, False, one.idle(now)) for sighting, one in zip(mine, seen, strict=True)],
        there=[sighting.asked > 0 for sighting in mine],
        clear=[one.clear(uid) for one in seen],
        idle=[one.idle(now) for one in seen],
    )


def _outdated(spec: PoolSpec, seen: Sequence[_Seen], todo: Plan) -> frozenset[int]:
    """The sets on which engines that stand are to be changed."""
    changed = {place_of(write.manifest["metadata"]["labels"]) for write in todo.writes if is_engine(write.manifest)}
    return frozenset(at for at in changed if at < spec.autoscaling.sets and any(seen[at].standing.values()))


def _member(sighting: _Sighting, wants: bool, quiet: float | None, within: float | None = None) -> Member:
    return Member(
        wants=wants,
        quiet=quiet if sighting.awake and sighting.busy is False else None,
        resting=sighting.resting,
        starting=sighting.starting,
        within=within,
    )


def _group(row: SharedTurn, uid: str) -> tuple[dict[str, str], dict[str, float | None]]:
    """By uid of the pools of the group: their names, and seconds in which their first tokens are due."""
    pools = Pool.objects.filter(team=row.team, cluster_uid=row.cluster_uid, namespace=row.namespace)
    found = pools.filter(
        spec__autoscaling__idle="standby", spec__autoscaling__standby="shared", spec__autoscaling__group=row.group
    )
    rows = list((found | pools.filter(uid=uid)).values_list("uid", "name", "first_token_within"))
    return {str(one): name for one, name, _ in rows}, {str(one): within for one, _, within in rows}


def _turn(row: SharedTurn) -> Turn:
    held = dict(row.turn)
    return Turn(**{**held, "waiting": tuple((pool, since) for pool, since in held.pop("waiting", ()))})


def _keep(row: SharedTurn, turn: Turn) -> None:
    if _turn(row) != turn:
        row.turn = {
            "holder": turn.holder,
            "since": turn.since,
            "yielding": turn.yielding,
            "waiting": [list(pair) for pair in turn.waiting],
            "promised": turn.promised,
        }
        row.version += 1
    row.save()


def _tell(pool: Pool, told: tuple[str, str] | None, before: Turn, turn: Turn, names: Mapping[str, str]) -> None:
    for uid in {before.holder, turn.holder, *(waiting for waiting, _ in turn.waiting)} & names.keys():
        reconcile.enqueue(kind="Pool", uid=UUID(uid), priority=Priority.SCALING, shard=str(pool.cluster_uid))
    if told is not None and turn.holder in names:
        record_event(
            kind="Pool",
            uid=UUID(turn.holder),
            team=pool.team,
            name=names[turn.holder],
            type="Normal",
            reason=told[0],
            message=told[1],
            source=SOURCE,
        )


def ensure_claim(kube: Kube, pool: Pool, spec: PoolSpec, fence: Fence, place: int = 0) -> None:
    """Make the claim of a set if it is missing. Raises PlanRefused where another one has its name, KubeError."""
    facts = selectors.accelerators()[spec.variants[0].accelerator]
    if facts.device_class is None:
        raise PlanRefused(
            "NotShareable",
            f"{facts.title} has no device class, by which pools could be given the same ones: write standby: reserved",
        )
    wanted = shared_claim(pool.team, spec, facts.device_class, place)
    resource = kube.resource_of(wanted)
    name = wanted["metadata"]["name"]
    try:
        held = kube.get(resource, name, pool.namespace)
    except NotFound:
        fence.check()
        try:
            kube.create(wanted, manager=MANAGER)
        except Conflict:
            return
        return
    if _asked_of(held) != _asked_of(wanted) or held["metadata"].get("labels", {}).get(SHARES) != name:
        raise PlanRefused(
            "ClaimDiffers",
            f"ResourceClaim {name} in namespace {pool.namespace} is not what group {spec.autoscaling.group} needs: "
            "delete it once no pod uses it, or name another group",
        )


def forget_claim(kube: Kube, pool: Pool) -> None:
    """Delete the claims of the group when its last pool goes. Raises KubeError."""
    spec = selectors.spec_of(pool)
    if not shares(spec):
        return
    group = spec.autoscaling.group or ""
    left = Pool.objects.filter(
        team=pool.team,
        cluster_uid=pool.cluster_uid,
        namespace=pool.namespace,
        spec__autoscaling__standby="shared",
        spec__autoscaling__group=group,
    ).exclude(uid=pool.uid)
    resource = kube.resources().get("ResourceClaim.resource.k8s.io")
    if resource is None or left.exists():
        return
    key: dict[str, Any] = {"team": pool.team, "cluster_uid": pool.cluster_uid, "namespace": pool.namespace}
    rows = SharedTurn.objects.filter(**key, group=group)
    for place in sorted({0, *rows.values_list("place", flat=True)}):
        try:
            held = kube.get(resource, claim_name(pool.team, group, place), pool.namespace)
            if held["metadata"].get("labels", {}).get(SHARES) == held["metadata"]["name"]:
                kube.delete(resource, held["metadata"]["name"], pool.namespace, uid=held["metadata"]["uid"])
        except (NotFound, Conflict):
            continue
    rows.delete()


def _asked_of(claim: Manifest) -> Any:
    rows: Iterable[Any] = claim["spec"]["devices"]["requests"]
    return [(row["exactly"]["deviceClassName"], int(row["exactly"].get("count", 1))) for row in rows]
