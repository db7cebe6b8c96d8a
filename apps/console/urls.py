"""Routes of this room: the fleet, the timeline, chats, the stream, probes, and the console for every other address."""

from django.urls import URLPattern, URLResolver, path, re_path

from apps.console.fleet import FleetView
from apps.console.health import healthz, readyz
from apps.console.pages import api_not_found, index
from apps.console.playground import ChatView
from apps.console.stream import stream
from apps.console.timeline import TimelineView

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/fleet", FleetView.as_view(), name="fleet"),
    path("api/v1/timeline", TimelineView.as_view(), name="timeline"),
    path("api/v1/teams/<slug:team>/pools/<slug:name>/chat", ChatView.as_view(), name="pools-chat"),
    path("api/v1/stream", stream, name="stream"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    re_path(r"^api(?:/(?P<path>.*))?$", api_not_found),
    re_path(r"^(?P<path>.*)$", index, name="console"),
]
