"""Routes of this room below /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from apps.telemetry.api import PanelList, PanelPoints, ReplicaSignals

urlpatterns: list[URLPattern | URLResolver] = [
    path("teams/<slug:team>/pools/<slug:name>/panels", PanelList.as_view(), name="panels"),
    path("teams/<slug:team>/pools/<slug:name>/panels/<slug:panel>", PanelPoints.as_view(), name="panel"),
    path("teams/<slug:team>/pools/<slug:name>/replica-signals", ReplicaSignals.as_view(), name="replica-signals"),
]
