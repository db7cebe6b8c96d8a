from django.apps import AppConfig


class SLOsConfig(AppConfig):
    name = "apps.slos"
    label = "slos"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.core import kinds
        from apps.pools.rules import register_rules
        from apps.slos.kinds import SLO_KIND, target_changed
        from apps.slos.rules import endpoint_changed, rules_of_pools, slo_changed
        from apps.slos.selectors import classes_of_pools
        from apps.slos.thresholds import objective_lines
        from apps.slos.webhooks import WEBHOOK_KIND
        from apps.telemetry.classes import register_classes
        from apps.telemetry.thresholds import register_thresholds

        kinds.register(SLO_KIND)
        kinds.register(WEBHOOK_KIND)
        kinds.register_watcher("Pool", target_changed)
        kinds.register_watcher("Endpoint", target_changed)
        register_thresholds(objective_lines)
        register_classes(classes_of_pools)
        register_rules(rules_of_pools)
        kinds.register_watcher("SLO", slo_changed)
        kinds.register_watcher("Endpoint", endpoint_changed)
