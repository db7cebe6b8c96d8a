"""Routes of this room below /api/v1/."""

from django.urls import path

from apps.clusters.api import InventoryView, PreflightView
from apps.clusters.kinds import ClusterKind
from apps.core.api.objects import kind_urls

urlpatterns = [
    *kind_urls(ClusterKind()),
    path("teams/<slug:team>/clusters/<slug:name>/inventory", InventoryView.as_view(), name="clusters-inventory"),
    path("teams/<slug:team>/clusters/<slug:name>/preflight", PreflightView.as_view(), name="clusters-preflight"),
]
