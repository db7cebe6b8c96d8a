"""Routes of this room below /api/v1/."""

from django.urls import path

from apps.catalog.api import AcceleratorsView
from apps.catalog.api_fit import ModelFitView
from apps.catalog.kinds import MODEL
from apps.core.api.objects import kind_urls

urlpatterns = [
    *kind_urls(MODEL),
    path("accelerators", AcceleratorsView.as_view(), name="accelerators"),
    path("teams/<slug:team>/models/<slug:name>/fit", ModelFitView.as_view(), name="models-fit"),
]
