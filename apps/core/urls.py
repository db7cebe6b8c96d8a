"""Routes of this room below /api/v1/."""

from django.urls import path

from apps.core.api.bundles import ApplyView, ExportView
from apps.core.api.conditions import ConditionsView

urlpatterns = [
    path("apply", ApplyView.as_view(), name="apply"),
    path("export", ExportView.as_view(), name="export"),
    path("conditions", ConditionsView.as_view(), name="conditions"),
]
