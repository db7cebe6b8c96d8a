"""Routes of this room below /api/v1/."""

from django.urls import path

from apps.core.api.objects import kind_urls
from apps.slos.api import AttainmentView, BudgetView, BurnView
from apps.slos.kinds import SLO_KIND

_SLO = "teams/<slug:team>/slos/<slug:name>"

urlpatterns = [
    *kind_urls(SLO_KIND),
    path(f"{_SLO}/attainment", AttainmentView.as_view(), name="slo-attainment"),
    path(f"{_SLO}/budget", BudgetView.as_view(), name="slo-budget"),
    path(f"{_SLO}/burn", BurnView.as_view(), name="slo-burn"),
]
