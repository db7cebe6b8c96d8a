"""Routes of this room below /api/v1/."""

from django.urls import path

from apps.offload import api

_POOL = "teams/<slug:team>/pools/<slug:name>/offload"

urlpatterns = [
    path(_POOL, api.OffloadView.as_view(), name="pools-offload"),
    path(f"{_POOL}/curve", api.CurveView.as_view(), name="pools-offload-curve"),
    path(f"{_POOL}/what-if", api.WhatIfView.as_view(), name="pools-offload-what-if"),
    path(f"{_POOL}/decisions", api.OffloadDecisionsView.as_view(), name="pools-offload-decisions"),
    path(f"{_POOL}/decisions/<int:number>", api.OffloadDecisionView.as_view(), name="pools-offload-decision"),
    path(f"{_POOL}/decisions/<int:number>/replay", api.OffloadReplayView.as_view(), name="pools-offload-replay"),
    path(f"{_POOL}/probe", api.ProbeView.as_view(), name="pools-offload-probe"),
]
