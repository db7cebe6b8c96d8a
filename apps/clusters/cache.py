"""The cache of what clusters hold: written by the informer process, read by whoever reconciles.

Every row carries the resourceVersion it was seen at, and an older one never replaces a newer one: the answer of an
apply is written here at once, so the next reconcile sees it, and the watch event of that very write changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction

from apps.clusters.domain.watching import Change, change_of, newest
from apps.clusters.informers.owned import owned
from apps.core import prepared
from apps.reconcile import services as reconcile
from apps.reconcile.domain.priority import Priority

LEASE_SECONDS = 15.0
# a watch that has not been confirmed for so long may have ended unnoticed: the informer process itself may be gone
STALE_SECONDS = 15.0

Scope = tuple[str, str]
"""Kind (`Deployment.apps`) and namespace ("" for all)."""


class WatchSetLost(Exception):
    """Another informer process watches the cluster by now: stop, write nothing."""


# --- what the informer process writes ---------------------------------------------------------------------------
def hold(cluster: UUID, holder: str) -> bool:
    """Take or renew the right to watch a cluster; False: another process has it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO clusters_watch_set (cluster, holder, lease_until)"
            " VALUES (%(cluster)s, %(holder)s, clock_timestamp() + %(lease)s * interval '1 second')"
            " ON CONFLICT (cluster) DO UPDATE SET holder = EXCLUDED.holder, lease_until = EXCLUDED.lease_until"
            " WHERE clusters_watch_set.holder = EXCLUDED.holder OR clusters_watch_set.lease_until < clock_timestamp()",
            {"cluster": cluster, "holder": holder, "lease": LEASE_SECONDS},
        )
        return bool(cursor.rowcount)


@transaction.atomic
def let_go(cluster: UUID, holder: str) -> None:
    """Give the right back, and say that nothing is watched: readers list live until somebody watches again."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM clusters_watch_set WHERE cluster = %s AND holder = %s", [cluster, holder])
        if cursor.rowcount:
            cursor.execute("UPDATE clusters_watch SET synced = false WHERE cluster = %s", [cluster])


@transaction.atomic
def forget(cluster: UUID) -> None:
    """Drop everything about a cluster that is not declared any more."""
    with connection.cursor() as cursor:
        for table in ("clusters_cached_object", "clusters_watch", "clusters_watch_set"):
            cursor.execute(f"DELETE FROM {table} WHERE cluster = %s", [cluster])  # noqa: S608  (constants only)


def known_clusters() -> set[UUID]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT cluster FROM clusters_watch UNION SELECT cluster FROM clusters_watch_set")
        return {row[0] for row in cursor.fetchall()}


@transaction.atomic
def begin(cluster: UUID, holder: str, scopes: Collection[Scope]) -> dict[Scope, int]:
    """Start a watch set: rows for its scopes, none for others. Returns where each may resume (0: list first)."""
    _pin(cluster, holder)
    with connection.cursor() as cursor:
        kinds, namespaces = [kind for kind, _ in scopes], [namespace for _, namespace in scopes]
        cursor.execute(
            "DELETE FROM clusters_watch w WHERE cluster = %s AND NOT EXISTS (SELECT 1"
            " FROM unnest(%s::text[], %s::text[]) AS s(kind, namespace)"
            " WHERE s.kind = w.kind AND s.namespace = w.namespace)",
            [cluster, kinds, namespaces],
        )
        cursor.execute(
            "DELETE FROM clusters_cached_object o WHERE cluster = %s AND NOT EXISTS (SELECT 1 FROM clusters_watch w"
            " WHERE w.cluster = o.cluster AND w.kind = o.kind AND w.namespace IN ('', o.namespace))",
            [cluster],
        )
        cursor.execute(
            "INSERT INTO clusters_watch (cluster, kind, namespace, revision, synced, error)"
            " SELECT %s, kind, namespace, 0, false, '' FROM unnest(%s::text[], %s::text[]) AS s(kind, namespace)"
            " ON CONFLICT (cluster, kind, namespace) DO NOTHING",
            [cluster, kinds, namespaces],
        )
        cursor.execute("SELECT kind, namespace, revision FROM clusters_watch WHERE cluster = %s", [cluster])
        return {(kind, namespace): revision for kind, namespace, revision in cursor.fetchall()}


@transaction.atomic
def changed(cluster: UUID, holder: str, changes: Iterable[Change], positions: Mapping[Scope, int]) -> set[UUID]:
    """Store what watches told, move their positions on, and ask for the reconcile of those it concerns.

    All in one transaction: whoever is woken by it sees it. Returns the owners that were asked for. An event of what
    is known already (our own write, mostly) asks for nobody. Raises WatchSetLost.
    """
    _pin(cluster, holder)
    _lock(cluster, positions)
    owners = _store(cluster, newest(changes))
    with prepared.cursor() as cursor:
        for (kind, namespace), revision in positions.items():
            cursor.execute(
                "UPDATE clusters_watch SET revision = GREATEST(revision, %s), confirmed_at = clock_timestamp()"
                " WHERE cluster = %s AND kind = %s AND namespace = %s",
                [revision, cluster, kind, namespace],
            )
    return _ask(cluster, owners)


@transaction.atomic
def listed(cluster: UUID, holder: str, scope: Scope, changes: Iterable[Change], revision: int) -> set[UUID]:
    """Replace what is known of a scope by a whole list that was read at `revision`, and ask for whom that is news.

    What was written here after the list was read stays. Raises WatchSetLost.
    """
    kind, namespace = scope
    _pin(cluster, holder)
    _lock(cluster, [scope])
    present = newest(changes)
    owners = _store(cluster, present)
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM clusters_cached_object o WHERE cluster = %s AND kind = %s AND %s IN ('', namespace)"
            " AND revision <= %s AND NOT EXISTS (SELECT 1 FROM unnest(%s::text[], %s::text[]) AS p(namespace, name)"
            " WHERE p.namespace = o.namespace AND p.name = o.name) RETURNING owner",
            [cluster, kind, namespace, revision, [c.namespace for c in present], [c.name for c in present]],
        )
        owners |= {row[0] for row in cursor.fetchall() if row[0]}
        cursor.execute(
            "UPDATE clusters_watch SET revision = %s, synced = true, confirmed_at = clock_timestamp(), error = ''"
            " WHERE cluster = %s AND kind = %s AND namespace = %s",
            [revision, cluster, kind, namespace],
        )
    return _ask(cluster, owners)


def confirm(cluster: UUID, holder: str, scopes: Collection[Scope]) -> bool:
    """Renew the lease and say that these watches are open; False: the lease is lost."""
    if not hold(cluster, holder):
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE clusters_watch w SET synced = true, confirmed_at = clock_timestamp(), error = '' FROM"
            " unnest(%s::text[], %s::text[]) AS s(kind, namespace)"
            " WHERE w.cluster = %s AND w.kind = s.kind AND w.namespace = s.namespace AND w.revision > 0",
            [[kind for kind, _ in scopes], [namespace for _, namespace in scopes], cluster],
        )
    return True


@transaction.atomic
def lost(cluster: UUID, holder: str, scope: Scope, error: str, *, synced: bool) -> None:
    """Say why a watch does not go on. Without `synced` readers list live from now on. Raises WatchSetLost."""
    _pin(cluster, holder)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE clusters_watch SET synced = synced AND %s, error = %s"
            " WHERE cluster = %s AND kind = %s AND namespace = %s",
            [synced, error[:2000], cluster, *scope],
        )


# --- what controllers write and read ----------------------------------------------------------------------------
_UNLESS_NEWER = """
ON CONFLICT (cluster, kind, namespace, name) DO UPDATE SET
    uid = EXCLUDED.uid, owner = EXCLUDED.owner, revision = EXCLUDED.revision, body = EXCLUDED.body
WHERE o.revision < EXCLUDED.revision
"""

# one JSON document: quoting an array of documents for SQL costs more than making them
_STORE = f"""
INSERT INTO clusters_cached_object AS o (cluster, kind, namespace, name, uid, owner, revision, body)
SELECT %s::uuid, * FROM jsonb_to_recordset(%s::jsonb)
    AS c(kind text, namespace text, name text, uid text, owner uuid, revision bigint, body text)
{_UNLESS_NEWER}
RETURNING owner
"""  # noqa: S608  (constants only)

_UNKNOWN = """
SELECT c.place FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[]) WITH ORDINALITY
    AS c(kind, namespace, name, revision, place)
WHERE NOT EXISTS (SELECT 1 FROM clusters_cached_object o WHERE o.cluster = %s AND o.kind = c.kind
    AND o.namespace = c.namespace AND o.name = c.name AND o.revision >= c.revision)
"""

# the lock keeps the watch where it is: what it deletes later is newer than this, what it deleted is known
_PUT = f"""
WITH told AS MATERIALIZED (
    SELECT c.* FROM {{soon}}jsonb_to_recordset(%s::jsonb)
        AS c(cluster uuid, kind text, namespace text, name text, uid text, owner uuid, revision bigint, body text)
), seen AS MATERIALIZED (
    SELECT w.cluster, w.kind, w.namespace, w.revision FROM clusters_watch w
    WHERE w.synced AND EXISTS (SELECT 1 FROM told t WHERE t.cluster = w.cluster AND t.kind = w.kind
                               AND w.namespace IN ('', t.namespace))
    ORDER BY w.id FOR SHARE OF w
)
INSERT INTO clusters_cached_object AS o (cluster, kind, namespace, name, uid, owner, revision, body)
SELECT t.* FROM told t
WHERE (SELECT max(s.revision) FROM seen s WHERE s.cluster = t.cluster AND s.kind = t.kind
       AND s.namespace IN ('', t.namespace)) < t.revision
{_UNLESS_NEWER}
"""  # noqa: S608  (constants only)


# Nobody waits for the disk: what a crash of the database takes is what was committed last, so nothing stays that rests
# on what is lost (a commit that waits takes all before it along), and the watch goes on from where it was and tells it
# again. In a caller's transaction there may be what has to last, and its commit waits.
_SOON = "(SELECT set_config('synchronous_commit', 'off', true)) AS soon, "
_PUT_IN_TURN, _PUT_SOON = _PUT.format(soon=""), _PUT.format(soon=_SOON)


def kept_change(obj: Mapping[str, Any]) -> Change | None:
    """What the cache keeps of the answer of a write of ours; None where it keeps nothing of it."""
    group, _, _ = obj["apiVersion"].rpartition("/")
    kind = f"{obj['kind']}.{group}"
    entry = owned()
    if entry is None or kind not in entry.resources or entry.label not in (obj["metadata"].get("labels") or {}):
        return None
    return change_of(obj, kind, obj["apiVersion"], entry.label)


def put_several(answers: Iterable[tuple[UUID, Change]]) -> None:
    """Keep answers of writes of ours. Nothing happens where nobody watches, or the watch has seen more already."""
    by_cluster: dict[UUID, list[Change]] = {}
    for cluster, change in answers:
        by_cluster.setdefault(cluster, []).append(change)
    if not by_cluster:
        return
    # rows are locked in the order in which informers lock them
    rows = [{"cluster": one, **_row(change)} for one in sorted(by_cluster) for change in newest(by_cluster[one])]
    with prepared.cursor() as cursor:
        statement = _PUT_IN_TURN if connection.in_atomic_block else _PUT_SOON
        cursor.execute(statement, [orjson.dumps(rows).decode()])


def read(cluster: UUID, owner: UUID, kinds: Sequence[str], namespace: str) -> list[dict[str, Any]] | None:
    """Objects of one owner, as the informers last saw them; None when any of the kinds is not in sync: list live."""
    return read_several(cluster, {owner: namespace}, kinds)[owner]


# owner by owner (OFFSET 0 keeps the planner from joining otherwise): where nothing is known of the table's contents it
# took all of the cluster's objects of these kinds for one row, and read them all for each hand
_READ = """
WITH wanted AS (
    SELECT * FROM unnest(%(owners)s::uuid[], %(namespaces)s::text[]) WITH ORDINALITY AS w(owner, namespace, place)
),
insync AS (
    SELECT n.namespace, count(DISTINCT w.kind) AS kinds
    FROM (SELECT DISTINCT namespace FROM wanted) n
    JOIN clusters_watch w ON w.cluster = %(cluster)s AND w.kind = ANY(%(kinds)s) AND w.namespace IN ('', n.namespace)
     AND w.synced AND w.confirmed_at > clock_timestamp() - %(stale)s * interval '1 second'
    GROUP BY n.namespace
)
SELECT w.place, COALESCE(s.kinds, 0), o.body
FROM wanted w
LEFT JOIN insync s ON s.namespace = w.namespace
LEFT JOIN LATERAL (
    SELECT c.kind, c.namespace, c.name, c.body FROM clusters_cached_object c
    WHERE c.owner = w.owner AND c.cluster = %(cluster)s OFFSET 0
) o ON o.kind = ANY(%(kinds)s) AND o.namespace = w.namespace
ORDER BY w.place, o.kind, o.name
"""


def read_several(
    cluster: UUID, owners: Mapping[UUID, str], kinds: Sequence[str]
) -> dict[UUID, list[dict[str, Any]] | None]:
    """As `read`, of several owners, each with its namespace."""
    with prepared.cursor() as cursor:
        cursor.execute(
            _READ,
            {
                "cluster": cluster,
                "owners": list(owners),
                "namespaces": list(owners.values()),
                "kinds": list(kinds),
                "stale": STALE_SECONDS,
            },
        )
        rows = cursor.fetchall()
    needed = len(set(kinds))
    found: list[list[dict[str, Any]] | None] = [None] * len(owners)
    for place, insync, body in rows:
        if insync >= needed:
            held = found[place - 1]
            held = found[place - 1] = [] if held is None else held
            if body is not None:
                held.append(_read_json(body))
    return dict(zip(owners, found, strict=True))


def of_others(cluster: UUID, owner: UUID, namespace: str, names: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Objects of these kinds and names that another owner has, as the informers last saw them."""
    with prepared.cursor() as cursor:
        cursor.execute(
            "SELECT o.body FROM unnest(%s::text[], %s::text[]) AS n(kind, name) JOIN clusters_cached_object o"
            " ON o.cluster = %s AND o.kind = n.kind AND o.namespace = %s AND o.name = n.name"
            " WHERE o.owner IS DISTINCT FROM %s::uuid",
            [[kind for kind, _ in names], [name for _, name in names], cluster, namespace, owner],
        )
        return [_read_json(row[0]) for row in cursor.fetchall()]


def heads(cluster: UUID, scope: Scope) -> dict[tuple[str, str], tuple[str, int]]:
    """Uid and version of all that is kept of a scope, by namespace and name."""
    kind, namespace = scope
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT namespace, name, uid, revision FROM clusters_cached_object"
            " WHERE cluster = %s AND kind = %s AND %s IN ('', namespace)",
            [cluster, kind, namespace],
        )
        return {(row[0], row[1]): (row[2], row[3]) for row in cursor.fetchall()}


def unwatched(kind: str) -> set[UUID]:
    """Clusters of queued keys of `kind` of which some watch is not in sync, or none is there."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT q.shard FROM reconcile_queue q WHERE q.kind = %s AND q.shard <> '' AND ("
            " NOT EXISTS (SELECT 1 FROM clusters_watch w WHERE w.cluster::text = q.shard)"
            " OR EXISTS (SELECT 1 FROM clusters_watch w WHERE w.cluster::text = q.shard AND NOT (w.synced"
            " AND w.confirmed_at > clock_timestamp() - %s * interval '1 second')))",
            [kind, STALE_SECONDS],
        )
        return {UUID(row[0]) for row in cursor.fetchall()}


# --- inside -----------------------------------------------------------------------------------------------------
def _pin(cluster: UUID, holder: str) -> None:
    with prepared.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM clusters_watch_set WHERE cluster = %s AND holder = %s AND lease_until > clock_timestamp()"
            " FOR UPDATE",
            [cluster, holder],
        )
        if cursor.fetchone() is None:
            raise WatchSetLost(f"cluster {cluster} is watched by another process")


def _lock(cluster: UUID, scopes: Iterable[Scope]) -> None:
    wanted = list(scopes)
    with prepared.cursor() as cursor:
        cursor.execute(
            "SELECT w.id FROM clusters_watch w JOIN unnest(%s::text[], %s::text[]) AS s(kind, namespace)"
            " ON w.kind = s.kind AND w.namespace = s.namespace WHERE w.cluster = %s ORDER BY w.id FOR UPDATE OF w",
            [[kind for kind, _ in wanted], [namespace for _, namespace in wanted], cluster],
        )
        cursor.fetchall()


def _store(cluster: UUID, changes: Sequence[Change]) -> set[UUID]:
    """Write changes that are newer than what is kept; returns the owners of the rows that changed."""
    owners: set[UUID] = set()
    kept = _unknown(cluster, [change for change in changes if not change.gone])
    gone = [change for change in changes if change.gone]
    with prepared.cursor() as cursor:
        if kept:
            cursor.execute(_STORE, [cluster, orjson.dumps([_row(change) for change in kept]).decode()])
            owners |= {row[0] for row in cursor.fetchall() if row[0]}
        if gone:
            cursor.execute(
                "DELETE FROM clusters_cached_object o USING unnest(%s::text[], %s::text[], %s::text[], %s::bigint[])"
                " AS g(kind, namespace, name, revision) WHERE o.cluster = %s AND o.kind = g.kind"
                " AND o.namespace = g.namespace AND o.name = g.name AND o.revision <= g.revision RETURNING o.owner",
                [
                    [c.kind for c in gone],
                    [c.namespace for c in gone],
                    [c.name for c in gone],
                    [c.revision for c in gone],
                    cluster,
                ],
            )
            owners |= {row[0] for row in cursor.fetchall() if row[0]}
    return owners


def _unknown(cluster: UUID, changes: Sequence[Change]) -> list[Change]:
    """Those that are news: of our own writes and of a list most are kept already, and need not be sent again."""
    if not changes:
        return []
    with prepared.cursor() as cursor:
        cursor.execute(
            _UNKNOWN,
            [
                [c.kind for c in changes],
                [c.namespace for c in changes],
                [c.name for c in changes],
                [c.revision for c in changes],
                cluster,
            ],
        )
        return [changes[place - 1] for (place,) in cursor.fetchall()]


def _row(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "namespace": change.namespace,
        "name": change.name,
        "uid": change.uid,
        "owner": change.owner,
        "revision": change.revision,
        "body": orjson.dumps(change.body).decode(),
    }


def _ask(cluster: UUID, owners: set[UUID]) -> set[UUID]:
    entry = owned()
    if entry is not None and owners:
        reconcile.enqueue_all(kind=entry.kind, uids=sorted(owners), priority=Priority.DRIFT, shard=str(cluster))
    return owners


def _read_json(text: str) -> Any:
    return orjson.loads(text)
