"""All that a reconcile has to know of a pool, or of several, in one question to the database."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

import orjson
from django.db import connection, models

from apps.clusters.models import Cluster
from apps.core import kinds, prepared
from apps.core.domain.access import SHARED_TEAM
from apps.pools import selectors
from apps.pools.models import Pool, ReplicaTarget, Rollout, TierPlanRow
from apps.pools.recording import Stored
from apps.pools.selectors import Standing

# each with the place of its columns in a row: from, to
_Tables: TypeAlias = tuple[tuple[type[models.Model], int, int], ...]
# what many pools have in common is sent and made once, by its key
_Shared: TypeAlias = dict[tuple[type[models.Model], Any], Any]

_SQL = """
SELECT {pool}, {cluster}, {rollout}, {tiers}, {model},
       r.generation, CASE WHEN r.generation <> p.generation THEN r.spec::text END, r.rendered_hash, r.healthy_at,
       EXISTS (SELECT 1 FROM pools_revision v WHERE v.pool_id = p.uid),
       (SELECT json_agg(t)::text FROM pools_replica_target t WHERE t.pool_id = p.uid),
       (SELECT json_agg(a.consent)::text
        FROM (SELECT n.consent FROM pools_plan n WHERE n.pool_id = p.uid AND n.state = 'applied'
              AND n.carried_out_at IS NULL AND n.generation = p.generation LIMIT 50) a)
FROM pools_pool p
LEFT JOIN clusters_cluster c ON c.uid = p.cluster_uid
LEFT JOIN pools_rollout o ON o.pool_id = p.uid
LEFT JOIN pools_tier_plan t ON t.pool_id = p.uid
LEFT JOIN LATERAL (
    SELECT v.generation, v.spec, v.rendered_hash, v.healthy_at FROM pools_revision v
    WHERE v.pool_id = p.uid AND v.approved_at IS NOT NULL ORDER BY v.generation DESC LIMIT 1
) r ON true
LEFT JOIN LATERAL (
    SELECT m.* FROM {models} m
    WHERE m.name = COALESCE(r.spec, p.spec) ->> 'model' AND m.team IN (p.team, %s)
      AND m.deletion_requested_at IS NULL
    ORDER BY m.team = p.team DESC LIMIT 1
) m ON true
WHERE p.uid = ANY(%s)
"""


@dataclass(frozen=True)
class Known:
    """A pool as it is declared, with its targets and roll-out (kept on `pool`), and what stands beside it.

    `cluster` None: it is not declared any more. `model`: what the standing spec names, or None. `consents`: to
    what people consented in applied plans of this generation that are not carried out yet (None: there is none).
    `stored`: of the newest revision, where it stands.
    """

    pool: Pool
    cluster: Cluster | None
    standing: Standing
    model: Any | None
    consents: frozenset[str] | None
    stored: Stored


def read(uid: UUID) -> Known | None:
    """None: there is no such pool."""
    return read_several([uid]).get(uid)


def read_several(uids: Sequence[UUID]) -> dict[UUID, Known]:
    """As `read`, of several pools; those that are gone are left out."""
    sql, tables = _statement()
    with prepared.cursor() as cursor:
        cursor.execute(sql, [SHARED_TEAM, list(uids)])
        rows = cursor.fetchall()
    shared: _Shared = {}
    for table, start, end in tables:
        if table in _of_many():
            shared |= {(table, row[start]): _instance(table, row[start + 1 : end]) for row in rows if row[start + 1]}
    return {known.pool.uid: known for known in (_known(row, tables, shared) for row in rows)}


def _known(row: tuple[Any, ...], tables: _Tables, shared: _Shared) -> Known:
    # nobody may change what is shared: it stands with other pools, too
    found: list[Any] = [
        shared.get((table, row[start])) if table in _of_many() else _instance(table, row[start:end])
        for table, start, end in tables
    ]
    pool, cluster, rollout, tiers, model = found
    generation, older, rendered, healthy_at, revised, targets, consents = row[tables[-1][2] :]
    _keep(pool, rollout, tiers, _read_json(targets) or [])
    if generation is None:
        # a pool of before there were revisions has none at all, and nothing to wait for
        standing = Standing(None if revised else selectors.spec_of(pool), pool.generation, bool(revised))
    elif older is None:
        standing = Standing(selectors.spec_of(pool), pool.generation, False)
    else:
        standing = Standing(selectors.read_spec(_read_json(older)), generation, True)
    held = _read_json(consents)
    return Known(
        pool=pool,
        cluster=cluster,
        standing=standing,
        model=model,
        consents=frozenset(word for consent in held for word in consent) if held else None,
        stored=Stored(rendered, healthy_at is not None) if generation == pool.generation else Stored(),
    )


def _keep(pool: Pool, rollout: Rollout | None, tiers: TierPlanRow | None, targets: list[Any]) -> None:
    """Where Django keeps what it has read of an object's relations."""
    for name, value in (("rollout", rollout), ("tier_plan", tiers)):
        relation: Any = Pool._meta.get_field(name)
        relation.set_cached_value(pool, value)
    fields = ReplicaTarget._meta.concrete_fields
    rows = [ReplicaTarget(**{f.attname: f.to_python(target[f.column]) for f in fields}) for target in targets]
    held: Any = models.QuerySet(ReplicaTarget)
    held._result_cache = rows
    of: Any = pool
    of._prefetched_objects_cache = {"targets": held}


@functools.cache
def _statement() -> tuple[str, _Tables]:
    found: dict[str, str] = {}
    tables = []
    at = 0
    declared = kinds.get("Model").model
    of: dict[str, tuple[str, type[models.Model]]] = {
        "pool": ("p", Pool),
        "cluster": ("c", Cluster),
        "rollout": ("o", Rollout),
        "tiers": ("t", TierPlanRow),
        "model": ("m", declared),
    }
    for name, (alias, table) in of.items():
        columns = [f'{alias}."{field.column}"' for field in table._meta.concrete_fields]
        if table in _of_many():
            # the key with each pool, the whole (its key first) with one of them: to turn its documents into text is
            # most of what the database does here
            key = f'{alias}."{table._meta.pk.column}"'
            first = f"row_number() OVER (PARTITION BY {key}) = 1"
            columns = [key, *(f"CASE WHEN {first} THEN {column} END" for column in columns)]
        found[name] = ", ".join(columns)
        tables.append((table, at, at + len(columns)))
        at += len(columns)
    return _SQL.format(**found, models=declared._meta.db_table), tuple(tables)


@functools.cache
def _of_many() -> frozenset[type[models.Model]]:
    return frozenset((Cluster, kinds.get("Model").model))


def _instance(table: type[models.Model], values: tuple[Any, ...]) -> Any | None:
    names, key, documents = _fields(table)
    if values[key] is None:
        return None
    read = list(values)
    for place in documents:
        read[place] = _read_json(read[place])
    return table.from_db(connection.alias, names, read)


@functools.cache
def _fields(table: type[models.Model]) -> tuple[list[str], int, tuple[int, ...]]:
    """Names of a table's columns, the place of its key among them, and those of documents."""
    fields = table._meta.concrete_fields
    (key,) = (place for place, field in enumerate(fields) if field.primary_key)
    documents = tuple(place for place, field in enumerate(fields) if isinstance(field, models.JSONField))
    return [field.attname for field in fields], key, documents


def _read_json(text: str | None) -> Any:
    return orjson.loads(text) if text is not None else None
