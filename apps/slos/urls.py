"""Routes of this room below /api/v1/."""

from django.urls import path

from apps.core.api.objects import kind_urls
from apps.slos.api import AlertsView, AttainmentView, BudgetView, BurnView, IntegrityView
from apps.slos.api_webhooks import DeliveriesView, SecretView, TestView
from apps.slos.kinds import SLO_KIND
from apps.slos.webhooks import WEBHOOK_KIND

_SLO = "teams/<slug:team>/slos/<slug:name>"
_WEBHOOK = "teams/<slug:team>/webhooks/<slug:name>"

urlpatterns = [
    *kind_urls(SLO_KIND),
    path(f"{_SLO}/attainment", AttainmentView.as_view(), name="slo-attainment"),
    path(f"{_SLO}/budget", BudgetView.as_view(), name="slo-budget"),
    path(f"{_SLO}/burn", BurnView.as_view(), name="slo-burn"),
    path("teams/<slug:team>/pools/<slug:name>/integrity", IntegrityView.as_view(), name="integrity"),
    path("alerts", AlertsView.as_view(), name="alerts"),
    *kind_urls(WEBHOOK_KIND),
    path(f"{_WEBHOOK}/secret", SecretView.as_view(), name="webhook-secret"),
    path(f"{_WEBHOOK}/test", TestView.as_view(), name="webhook-test"),
    path(f"{_WEBHOOK}/deliveries", DeliveriesView.as_view(), name="webhook-deliveries"),
]
