"""What a reconcile reads of pools: of several at once the same as of each alone."""

from __future__ import annotations

from uuid import uuid4

import pytest

from apps.pools import reading
from apps.pools.models import Pool
from tests.support.pools import cluster_document, declare, model_document, pool_document


@pytest.mark.django_db
def test_pools_that_are_read_together_are_as_read_alone_and_share_what_they_have_in_common() -> None:
    other = cluster_document("/etc/other")
    other["metadata"]["name"] = "other"
    declare(cluster_document("/etc/kubeconfig"), other, model_document(), model_document("small"))
    declare(pool_document("a"), pool_document("b"), pool_document("c", model="small", cluster="other"))
    Pool.objects.filter(name="b").update(cluster_uid=uuid4())
    uids = list(Pool.objects.order_by("name").values_list("uid", flat=True))
    declare(pool_document("d"))
    uids.append(Pool.objects.get(name="d").uid)
    together = reading.read_several([*uids, uuid4()])
    assert list(map(together.get, uids)) == [reading.read(uid) for uid in uids]
    a, b, c, d = (together[uid] for uid in uids)
    assert a.cluster is not None
    assert c.cluster is not None
    assert (a.cluster.name, b.cluster, c.cluster.name) == ("embedded", None, "other")
    assert a.model is not None
    assert c.model is not None
    assert (a.model.name, c.model.name) == ("tiny", "small")
    assert a.cluster.spec["credentials"]["kubeconfig"] == "/etc/kubeconfig"
    assert d.cluster is a.cluster
    assert d.model is a.model
