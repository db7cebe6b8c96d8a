"""Routes of this room below /api/v1/."""

from django.urls import path

from apps.core.api.objects import kind_urls
from apps.pools import api
from apps.pools.kinds import PoolKind

_POOL = "teams/<slug:team>/pools/<slug:name>"

urlpatterns = [
    *kind_urls(PoolKind()),
    path(f"{_POOL}/targets", api.TargetsView.as_view(), name="pools-targets"),
    path(f"{_POOL}/revisions", api.RevisionsView.as_view(), name="pools-revisions"),
    path(f"{_POOL}/replicas", api.ReplicasView.as_view(), name="pools-replicas"),
    path(f"{_POOL}/objects", api.ObjectsView.as_view(), name="pools-objects"),
]
