"""Roll-outs: what is stored of one, and what a reconcile makes of it. What people do to one is in `steering`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

import orjson
from django.db import connection

from apps.audit.services import Happening
from apps.clusters import selectors as clusters
from apps.clusters.errors import KubeError
from apps.clusters.kube import Kube
from apps.clusters.models import Cluster
from apps.core import clock, prepared
from apps.pools import selectors
from apps.pools.desired import Desired
from apps.pools.domain import rollout
from apps.pools.domain.groups import is_group, pod_template, ready_and_starting
from apps.pools.domain.health import rolled_out, stuck
from apps.pools.domain.manifests import VARIANT, WORKLOADS
from apps.pools.domain.plan import differences
from apps.pools.domain.pods import Replica, not_placed
from apps.pools.domain.rollout import Blame, Held, Seen, Situation, State, Strategy, VariantProgress
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.tiers.canary import waits
from apps.pools.models import Pool, Rollout
from apps.pools.observing import Observed

SOURCE = "rollout-controller"
LOG_LINES = 40


def held_of(row: Rollout | None) -> Held:
    if row is None:
        return Held()
    return Held(
        template=row.template,
        generation=row.generation,
        state=cast(State, row.state),
        reason=row.reason,
        message=row.message,
        started_at=row.started_at,
        resumed_at=row.resumed_at,
        finished_at=row.finished_at,
    )


def steered(pool: Pool, spec: PoolSpec, cluster: Cluster, desired: Desired, observed: Observed) -> bool:
    """Choose the strategy that fits the cluster's stock, anew only as a roll-out begins. True: render once more."""
    row = selectors.rollout_of(pool)
    stored = dict(row.strategies) if row else {}
    chosen = {
        name: [strategy.max_surge, strategy.max_unavailable]
        for name, strategy in _strategies(spec, cluster, desired, observed, row).items()
    }
    if chosen == stored:
        return False
    pool.rollout = _chosen(pool, chosen)
    return True


def _chosen(pool: Pool, strategies: dict[str, list[int]]) -> Rollout:
    """Keep the strategies of a pool's roll-out. One statement: every pool that is made comes by here, and what Django
    asks for the same took a worker a fifth of its time then."""
    names = [field.attname for field in Rollout._meta.concrete_fields]
    with prepared.cursor() as cursor:
        cursor.execute(_CHOOSE, [pool.uid, orjson.dumps(strategies).decode()])
        row = dict(zip(names, cursor.fetchone(), strict=True))
    row["strategies"] = strategies
    found: Rollout = Rollout.from_db(connection.alias, names, list(row.values()))
    return found


def _strategies(
    spec: PoolSpec, cluster: Cluster, desired: Desired, observed: Observed, row: Rollout | None
) -> dict[str, Strategy]:
    stored = row.strategies if row else {}
    # what is rendered differs from what was rolled last; a live template that somebody changed is drift, no roll-out
    another = row is None or row.template != desired.template
    live = observed.engine_deployments()
    wanted = {o["metadata"]["labels"].get(VARIANT): o for o in desired.objects if o["kind"] in WORKLOADS}
    found: dict[str, Strategy] = {}
    stock: dict[str, int] | None = None
    for variant in spec.variants:
        present = live.get(variant.name)
        progress = _progress(variant.name, present, observed, desired.replicas[variant.name])
        held = stored.get(variant.name)
        differs = (
            another
            and present is not None
            and variant.name in wanted
            and any(differences(pod_template(wanted[variant.name]), pod_template(present), "/spec/template"))
        )
        situation = Situation(
            present=Strategy(*held) if held else rollout.strategy_of(present) if present else None,
            rolling=progress.old > 0,
            changes=differs,
            free=None,
            needed=variant.accelerators_per_pod if selectors.accelerators()[variant.accelerator].resource else 0,
            no_room=rollout.waiting_for_room(progress) is not None,
        )
        replaces = present is not None and int((present.get("status") or {}).get("replicas") or 0) > 0
        if differs and replaces and situation.needed and spec.rollout.declared == (None, None):
            stock = stock if stock is not None else _stock(cluster)
            situation = replace(situation, free=stock.get(variant.accelerator))
        found[variant.name] = rollout.choose(*spec.rollout.declared, situation)
    return found


def _stock(cluster: Cluster) -> dict[str, int]:
    """The most accelerators of each name that are free on one node; a name is missing where that is not known."""
    try:
        rows = clusters.inventory(cluster)
    except KubeError:
        return {}
    free: dict[str, int] = {}
    for name, facts in selectors.accelerators().items():
        product = next(iter(facts.node_selector.values()), None)
        mine = [row.free for row in rows if row.resource == facts.resource and product in (None, row.product)]
        free[name] = max(mine, default=0)
    return free


@dataclass(frozen=True)
class Look:
    """What a reconcile found of the roll-out. `before`: what was stored. `canary_waits`: for the others."""

    before: Held
    after: Held
    variants: tuple[VariantProgress, ...]
    blames: Mapping[str, Blame]
    canary_waits: bool = False

    @property
    def news(self) -> bool:
        return self.before != self.after

    @property
    def to_render(self) -> bool:
        """Whether what was decided changes what is rendered: a template begins to stand still, or goes on."""
        if self.canary_waits and self.after.state == "Complete":
            return True
        return _standing(self.before) != _standing(self.after)

    def to_json(self) -> dict[str, Any]:
        """For the pool's status."""
        rows = [
            {**v.to_json(), "blamed": blamed.to_json() if (blamed := self.blames.get(v.name)) else None}
            for v in self.variants
        ]
        held = self.after
        return {
            "state": held.state,
            "reason": held.reason,
            "message": held.message,
            "generation": held.generation,
            "variants": rows,
        }


def look(kube: Kube, pool: Pool, spec: PoolSpec, desired: Desired, observed: Observed) -> Look:
    """How far the roll-out is, judged by what the cluster shows. Reads logs only of replicas that are in trouble."""
    row = selectors.rollout_of(pool)
    deployments = observed.engine_deployments()
    begins = row is None or row.template != desired.template
    since = row.started_at if row is not None and not begins else None
    variants = tuple(
        _progress(v.name, deployments.get(v.name), observed, _wanted(spec, desired, deployments, v.name), begins, since)
        for v in spec.variants
    )
    stored = row.strategies if row else {}
    variants = tuple(replace(v, strategy=_explained(stored.get(v.name), v.strategy)) for v in variants)
    before = held_of(row)
    variants = tuple(_overdue(v, deployments.get(v.name), before, spec) for v in variants)
    blames: dict[str, Blame] = {}
    for variant in variants:
        pod = rollout.suspect(variant)
        late = not_placed(variant.newest, clock.now()) if variant.late else None
        if pod is not None:
            blames[variant.name] = rollout.blame(pod, _lines(kube, pool, pod))
        elif late is not None:
            blames[variant.name] = rollout.blame(late, ())
    seen = Seen(
        template=desired.template,
        generation=pool.generation,
        variants=variants,
        blames=blames,
        deadline=spec.rollout.progress_deadline,
    )
    return Look(before, rollout.step(before, seen, clock.now()), variants, blames, waits(desired.objects))


def _overdue(variant: VariantProgress, live: Any | None, held: Held, spec: PoolSpec) -> VariantProgress:
    """A LeaderWorkerSet knows no deadline: it is told by our own clock."""
    since = held.resumed_at or held.started_at
    if live is None or not is_group(live) or variant.settled or since is None:
        return variant
    return replace(variant, late=clock.now() - since > spec.rollout.progress_deadline)


def _standing(held: Held) -> str:
    return held.template if held.holds else ""


def _explained(stored: Any, live: Strategy | None) -> Strategy | None:
    pair = tuple(stored) if stored else (live.max_surge, live.max_unavailable) if live else None
    if pair is None:
        return None
    for known in (rollout.BESIDE, rollout.IN_PLACE):
        if (known.max_surge, known.max_unavailable) == pair:
            return known
    return Strategy(pair[0], pair[1], "as declared")


def _wanted(spec: PoolSpec, desired: Desired, deployments: Mapping[str, Any], variant: str) -> int:
    if spec.autoscaling.mode == "external" and variant in deployments:
        return int(deployments[variant]["spec"].get("replicas", 1))
    return desired.replicas[variant]


def _progress(
    name: str,
    live: Any | None,
    observed: Observed,
    desired: int,
    begins: bool = False,
    since: datetime | None = None,
) -> VariantProgress:
    """`begins`: another template has just been written. `since`: when the roll-out began, where it has."""
    status = (live or {}).get("status") or {}
    mine = [pod for pod in observed.pods if pod.variant == name]
    hash_ = rollout.newest_template(live, observed.replica_sets, mine, since) if live else None
    newest = tuple(pod for pod in mine if pod.template == hash_ and hash_)
    # as another template begins, what the status counts is of the one before
    updated = 0 if live and begins and rollout.unseen(live) else int(status.get("updatedReplicas") or 0)
    return VariantProgress(
        name=name,
        desired=desired,
        updated=updated,
        ready=ready_and_starting(live, mine)[0],
        old=max(0, int(status.get("replicas") or 0) - updated),
        settled=live is not None and rolled_out(live, desired),
        late=live is not None and stuck(live) is not None,
        strategy=rollout.strategy_of(live) if live else None,
        newest=newest,
    )


def _lines(kube: Kube, pool: Pool, pod: Replica) -> list[str]:
    if not pod.crashed or not pod.container:
        return []
    previous = pod.reason == "CrashLoopBackOff"
    try:
        return kube.log_tail(pod.name, pool.namespace, pod.container, lines=LOG_LINES, previous=previous).splitlines()
    except KubeError:
        return []


def store_several(found: Sequence[tuple[Pool, Look]]) -> list[Happening]:
    """Keep what looks came to; within the transaction that records the rest. Returns what tells people of turns."""
    told: list[Happening] = []
    rows: list[dict[str, Any]] = []
    for pool, look in found:
        if not look.news:
            continue
        kept = {name: getattr(look.after, name) for name in _KEPT}
        rows.append({"pool": pool.uid, **kept})
        told += _turn(pool, look.before, look.after)
    if rows:
        with prepared.cursor() as cursor:
            cursor.execute(_STORE, [orjson.dumps(rows).decode()])
    return told


_KEPT = ("template", "generation", "state", "reason", "message", "started_at", "resumed_at", "finished_at")

_CHOOSE = f"""
INSERT INTO pools_rollout AS r (pool_id, template, generation, state, reason, message, paused_by, strategies)
VALUES (%s, '', 0, 'Idle', '', '', '', %s::jsonb)
ON CONFLICT (pool_id) DO UPDATE SET strategies = EXCLUDED.strategies
RETURNING {", ".join(f"r.{field.column}" for field in Rollout._meta.concrete_fields)}
"""  # noqa: S608  (our own columns)

# who paused one does not hold for another one
_STORE = """
INSERT INTO pools_rollout AS r
       (pool_id, template, generation, state, reason, message, started_at, resumed_at, finished_at,
        paused_by, paused_at, strategies)
SELECT s.pool, s.template, s.generation, s.state, s.reason, s.message, s.started_at, s.resumed_at, s.finished_at,
       '', NULL, '{}'
FROM jsonb_to_recordset(%s::jsonb) AS s(pool uuid, template text, generation bigint, state text,
     reason text, message text, started_at timestamptz, resumed_at timestamptz, finished_at timestamptz)
ON CONFLICT (pool_id) DO UPDATE SET
    template = EXCLUDED.template, generation = EXCLUDED.generation, state = EXCLUDED.state, reason = EXCLUDED.reason,
    message = EXCLUDED.message, started_at = EXCLUDED.started_at, resumed_at = EXCLUDED.resumed_at,
    finished_at = EXCLUDED.finished_at,
    paused_by = CASE WHEN r.template = EXCLUDED.template THEN r.paused_by ELSE '' END,
    paused_at = CASE WHEN r.template = EXCLUDED.template THEN r.paused_at END
"""


def _turn(pool: Pool, before: Held, held: Held) -> list[Happening]:
    if (before.state, before.template) == (held.state, held.template):
        return []
    told = {"Progressing": "RolloutStarted", "Stopped": "RolloutStopped", "Complete": "RolloutComplete"}
    if held.state in told and before.template:
        said = Happening(
            kind="Pool",
            uid=pool.uid,
            team=pool.team,
            name=pool.name,
            type="Warning" if held.state == "Stopped" else "Normal",
            reason=told[held.state],
            message=held.message or f"the spec of generation {held.generation} is on its way to the replicas",
            source=SOURCE,
        )
        return [said]
    return []
