"""Routes of this room below /api/v1/."""

from django.urls import path

from apps.audit import api

urlpatterns = [
    path("events", api.EventsView.as_view(), name="events"),
    path("changes", api.ChangesView.as_view(), name="changes"),
]
