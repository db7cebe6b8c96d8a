from django.apps import AppConfig


class OffloadConfig(AppConfig):
    name = "apps.offload"
    label = "offload"
    default_auto_field = "django.db.models.BigAutoField"
