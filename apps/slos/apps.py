from django.apps import AppConfig


class SLOsConfig(AppConfig):
    name = "apps.slos"
    label = "slos"
    default_auto_field = "django.db.models.BigAutoField"
