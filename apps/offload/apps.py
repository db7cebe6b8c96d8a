from django.apps import AppConfig


class OffloadConfig(AppConfig):
    name = "apps.offload"
    label = "offload"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.core import reasons
        from apps.offload.reasons import REASONS, TYPES

        reasons.register_conditions(TYPES, REASONS)
