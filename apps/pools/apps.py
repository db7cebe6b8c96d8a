from typing import Any

from django.apps import AppConfig


class PoolsConfig(AppConfig):
    name = "apps.pools"
    label = "pools"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.models.signals import post_save

        from apps.catalog.models import Model
        from apps.clusters.models import Cluster
        from apps.core.kinds import register, register_referrers
        from apps.pools import selectors, services
        from apps.pools.controller import reconcile_pool
        from apps.pools.kinds import PoolKind
        from apps.reconcile.worker import register_controller

        register(PoolKind())
        register_referrers("Cluster", selectors.pools_of_cluster)
        register_referrers("Model", selectors.pools_of_model)
        register_controller("Pool", reconcile_pool, keys=selectors.queue_keys)

        def model_saved(instance: Any, created: bool, **_: object) -> None:
            if not created:
                services.model_changed(instance)

        def cluster_saved(instance: Any, created: bool, **_: object) -> None:
            if not created:
                services.cluster_changed(instance)

        post_save.connect(model_saved, sender=Model, weak=False, dispatch_uid="pools-model-saved")
        post_save.connect(cluster_saved, sender=Cluster, weak=False, dispatch_uid="pools-cluster-saved")
