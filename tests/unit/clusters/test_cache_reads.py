"""What reading the cache costs the database: as much as was asked for, whatever else is in it."""

from __future__ import annotations

from uuid import uuid4

import pytest

from apps.clusters import cache
from apps.clusters.models import CachedObject, Watch
from tests.support.explained import rows_looked_at

KINDS = ("Service.", "Deployment.apps", "PodDisruptionBudget.policy", "Pod.")


@pytest.mark.django_db
def test_of_a_full_cache_only_the_objects_that_are_asked_for_are_looked_at() -> None:
    cluster = uuid4()
    owners = [uuid4() for _ in range(500)]
    Watch.objects.bulk_create(Watch(cluster=cluster, kind=kind, revision=1, synced=True) for kind in KINDS)
    CachedObject.objects.bulk_create(
        CachedObject(
            cluster=cluster,
            kind=kind,
            namespace="serving",
            name=f"p{number}",
            uid=f"{kind}{number}",
            owner=owner,
            revision=1,
            body=f'{{"kind": "{kind}", "name": "p{number}"}}',
        )
        for number, owner in enumerate(owners)
        for kind in KINDS
    )
    with rows_looked_at("WITH") as rows:
        found = cache.read_several(cluster, dict.fromkeys(owners[:10], "serving"), KINDS)
    assert [len(found[owner] or []) for owner in owners[:10]] == [len(KINDS)] * 10
    assert len(rows) == 1
    assert rows[0] < 200, "ten pools of four objects each, of five hundred"
