"""Routes of this room below /api/v1/."""

from django.urls import path

from apps.benchmarks import api

_LOADS = "teams/<slug:team>/pools/<slug:name>/loads"

urlpatterns = [
    path(_LOADS, api.LoadsView.as_view(), name="pools-loads"),
    path(f"{_LOADS}/<uuid:load>", api.LoadView.as_view(), name="pools-load"),
    path(f"{_LOADS}/<uuid:load>/stop", api.StopView.as_view(), name="pools-load-stop"),
    path(f"{_LOADS}/<uuid:load>/compare/<uuid:other>", api.CompareView.as_view(), name="pools-loads-compare"),
]
