from django.apps import AppConfig


class PoolsConfig(AppConfig):
    name = "apps.pools"
    label = "pools"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.clusters import answers
        from apps.clusters.informers.owned import register_owned
        from apps.core import reasons
        from apps.core.kinds import register, register_referrers, register_watcher
        from apps.pools import selectors, services
        from apps.pools.controller import prepare, reconcile_pool
        from apps.pools.domain.manifests import POOL_UID
        from apps.pools.domain.reasons import REASONS, TYPES
        from apps.pools.kinds import PoolKind
        from apps.pools.observing import WATCHED_KINDS
        from apps.pools.recording import record_several
        from apps.reconcile.worker import register_controller

        register(PoolKind())
        reasons.register_conditions(TYPES, REASONS)
        register_referrers("Cluster", selectors.pools_of_cluster)
        register_referrers("Model", selectors.pools_of_model)
        register_controller(
            "Pool",
            reconcile_pool,
            keys=selectors.queue_keys,
            prepare=prepare,
            around=answers.gathered,
            recorder=record_several,
        )
        register_owned(kind="Pool", label=POOL_UID, resources=WATCHED_KINDS)
        register_watcher("Model", services.model_changed)
        register_watcher("Cluster", services.cluster_changed)
