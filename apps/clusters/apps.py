from django.apps import AppConfig


class ClustersConfig(AppConfig):
    name = "apps.clusters"
    label = "clusters"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.clusters import selectors
        from apps.clusters.controller import reconcile_cluster
        from apps.clusters.domain.reasons import REASONS, TYPES
        from apps.clusters.kinds import ClusterKind
        from apps.core import reasons
        from apps.core.kinds import register
        from apps.reconcile.worker import register_controller

        register(ClusterKind())
        reasons.register_conditions(TYPES, REASONS)
        register_controller("Cluster", reconcile_cluster, keys=selectors.queue_keys)
