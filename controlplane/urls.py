"""All routes: the API under /api/v1/, health probes, and the console for everything else."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from apps.console.metrics import desired_replicas, metrics

urlpatterns = [
    path("metrics", metrics),
    path("metrics/autoscaling", desired_replicas),
    path("api/v1/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/", include("apps.core.urls")),
    path("api/v1/", include("apps.audit.urls")),
    path("api/v1/", include("apps.accounts.urls")),
    path("api/v1/", include("apps.reconcile.urls")),
    path("api/v1/", include("apps.clusters.urls")),
    path("api/v1/", include("apps.catalog.urls")),
    path("api/v1/", include("apps.pools.urls")),
    path("api/v1/", include("apps.endpoints.urls")),
    path("api/v1/", include("apps.telemetry.urls")),
    path("api/v1/", include("apps.slos.urls")),
    path("api/v1/", include("apps.autoscaling.urls")),
    path("api/v1/", include("apps.offload.urls")),
    path("api/v1/", include("apps.benchmarks.urls")),
    path("api/v1/", include("apps.whatif.urls")),
    path("api/v1/", include("apps.gateways.urls")),
    path("", include("apps.console.urls")),  # /api/v1/fleet, /api/v1/stream, /healthz, /readyz, the console itself
]

handler500 = "apps.core.api.problems.server_error"
