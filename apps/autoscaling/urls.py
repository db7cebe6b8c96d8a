"""Routes of this room below /api/v1/."""

from django.urls import path

from apps.autoscaling import api

_POOL = "teams/<slug:team>/pools/<slug:name>"

urlpatterns = [
    path("decisions", api.AllDecisionsView.as_view(), name="decisions"),
    path(f"{_POOL}/decisions", api.DecisionsView.as_view(), name="pools-decisions"),
    path(f"{_POOL}/decisions/<int:number>", api.DecisionView.as_view(), name="pools-decision"),
    path(f"{_POOL}/decisions/<int:number>/replay", api.ReplayView.as_view(), name="pools-decision-replay"),
    path(f"{_POOL}/autoscaling", api.AutoscalingView.as_view(), name="pools-autoscaling"),
]
