"""Routes of this room below /api/v1/."""

from django.urls import path

from apps.gateways import api, api_verify

_POOL = "teams/<slug:team>/pools/<slug:name>"

urlpatterns = [
    path(f"{_POOL}/routes", api.RoutesView.as_view(), name="pools-routes"),
    path(f"{_POOL}/routes/explain", api.ExplainView.as_view(), name="pools-routes-explain"),
    path(f"{_POOL}/routes/<slug:route>", api.RouteView.as_view(), name="pools-route"),
    path(f"{_POOL}/verifications", api_verify.VerificationsView.as_view(), name="pools-verifications"),
    path(
        f"{_POOL}/verifications/<uuid:verification>",
        api_verify.VerificationView.as_view(),
        name="pools-verification",
    ),
]
