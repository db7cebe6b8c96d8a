from django.apps import AppConfig


class EndpointsConfig(AppConfig):
    name = "apps.endpoints"
    label = "endpoints"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.core import reasons
        from apps.core.kinds import register, register_referrers, register_watcher
        from apps.endpoints import selectors
        from apps.endpoints.controller import reconcile_endpoint
        from apps.endpoints.domain.reasons import REASONS, TYPES
        from apps.endpoints.kinds import EndpointKind, pool_changed
        from apps.reconcile.worker import register_controller

        register(EndpointKind())
        reasons.register_conditions(TYPES, REASONS)
        register_referrers("Cluster", selectors.endpoints_of_cluster)
        register_controller("Endpoint", reconcile_endpoint, keys=selectors.queue_keys)
        register_watcher("Pool", pool_changed)
