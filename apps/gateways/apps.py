from django.apps import AppConfig


class GatewaysConfig(AppConfig):
    name = "apps.gateways"
    label = "gateways"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.core import reasons
        from apps.gateways.reasons import REASONS, TYPES

        reasons.register_conditions(TYPES, REASONS)
